"""``import skdeep`` is enough: namespaces are imported on first use."""

import importlib
import pathlib
import pkgutil
import re
import subprocess

import pytest
from mypy import api as mypy

import skdeep


def test_namespaces_of_the_package_are_those_that_make_something_public():
    found = [
        info.name
        for info in pkgutil.iter_modules(skdeep.__path__)
        if getattr(importlib.import_module(f"skdeep.{info.name}"), "__all__", [])
        and not info.name.startswith("_")
    ]
    assert found
    assert sorted([*found, "show_versions"]) == sorted(skdeep.__all__)
    assert all(hasattr(skdeep, name) for name in skdeep.__all__)


# What is loaded after each step of a program, in one process, since imports take seconds.
STEPS = {
    "import": "import sys, skdeep; dir(skdeep)",
    "exceptions": "skdeep.exceptions",
    "generative": "skdeep.generative.TabularGANSampler; import warnings; import numpy as np",
    "arrays": (
        "X = np.array([['a', 1.5, None]] * 9, dtype=object)\n"
        "with warnings.catch_warnings():\n"
        "    warnings.simplefilter('ignore')\n"
        "    skdeep.generative.TabularGANSampler(max_epochs=1, device='cpu').fit(X).sample(3)"
    ),
    "fit": "skdeep.decomposition.Autoencoder(max_epochs=1, device='cpu').fit(np.eye(2))",
    "inspection": "skdeep.inspection.LossCurveDisplay",
}


@pytest.fixture(scope="module")
def loaded(python_command):
    """Names of all modules that are loaded after each of the steps."""
    report = "\nprint(*sorted(sys.modules))\n"
    command, environment = python_command("".join(step + report for step in STEPS.values()))
    printed = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)
    lines = printed.stdout.splitlines()
    return {step: set(names.split()) for step, names in zip(STEPS, lines, strict=True)}


def test_import_skdeep_is_enough_to_reach_an_estimator(loaded):
    assert "skdeep.decomposition" in loaded["fit"] - loaded["exceptions"]


@pytest.mark.parametrize("step", ["import", "exceptions"])
def test_import_skdeep_and_exceptions_bring_no_other_library(step, loaded):
    assert not loaded[step] & {"numpy", "scipy", "sklearn", "skorch", "torch", "tqdm"}


def test_a_table_generator_fitted_to_arrays_needs_neither_pandas_nor_polars(loaded):
    assert not (loaded["arrays"] - loaded["generative"]) & {"pandas", "polars"}


def test_matplotlib_is_imported_when_something_is_drawn(loaded):
    assert "skdeep.inspection" in loaded["inspection"]
    assert "matplotlib" not in loaded["inspection"]


def test_completion_offers_the_namespaces_and_nothing_private():
    assert sorted(dir(skdeep)) == sorted(["__version__", *skdeep.__all__])


@pytest.mark.parametrize("name", ["Autoencoder", "decompositon", "nothing"])
def test_an_unknown_name_is_an_attribute_error_that_names_the_namespaces(name):
    pattern = f"module 'skdeep' has no attribute '{name}'.*skdeep.decomposition, .*skdeep.utils"
    with pytest.raises(AttributeError, match=pattern):
        getattr(skdeep, name)
    assert not hasattr(skdeep, name)


def test_type_checkers_know_what_the_namespaces_hold(tmp_path, monkeypatch):
    monkeypatch.setenv("MYPYPATH", str(pathlib.Path(skdeep.__file__).parents[1]))
    script = tmp_path / "script.py"
    script.write_text(
        "import skdeep\n"
        "reveal_type(skdeep.decomposition.Autoencoder())\n"
        "skdeep.decomposition.PCA\n"
        "skdeep.cluster_of_nets\n",
        encoding="utf-8",
    )
    options = ["--no-site-packages", "--ignore-missing-imports", "--follow-imports=silent"]
    report, _, _ = mypy.run([*options, "--cache-dir", str(tmp_path), str(script)])
    assert re.search(r'Revealed type is "skdeep\.decomposition\.[\w.]*\bAutoencoder"', report)
    assert 'has no attribute "PCA"' in report
    assert 'has no attribute "cluster_of_nets"' in report
