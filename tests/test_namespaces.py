"""``import skdeep`` is enough: namespaces are imported on first use."""

import importlib
import pathlib
import pkgutil
import re

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


def test_import_skdeep_is_enough_to_reach_an_estimator(run_python):
    run_python(
        "import skdeep\n"
        "skdeep.decomposition.Autoencoder(max_epochs=1, device='cpu').fit([[0.0, 1.0], [1.0, 0.0]])"
    )


def test_import_skdeep_brings_no_other_library(run_python):
    modules = run_python("import skdeep, sys; dir(skdeep); print(sorted(sys.modules))")
    assert not re.search("'(numpy|scipy|sklearn|skorch|torch|tqdm)'", modules)


def test_exceptions_bring_no_other_library(run_python):
    modules = run_python("import skdeep, sys; skdeep.exceptions; print(sorted(sys.modules))")
    assert not re.search("'(numpy|scipy|sklearn|skorch|torch|tqdm)'", modules)


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
