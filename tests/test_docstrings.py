"""Docstrings are complete by numpydoc's rules, without exceptions, and their examples run."""

import doctest
import importlib
import inspect
import pkgutil
import re

import pandas as pd
import pytest
from numpydoc.docscrape import NumpyDocString
from numpydoc.validate import validate

import skdeep

# Matters of style on which the project follows scikit-learn, or ruff already has a say: where the
# text begins, the order of sections, an extended summary, "See Also" and examples for every method,
# and a name beside the type of what is returned.
_NOT_ASKED = {"GL01", "GL07", "ES01", "SA01", "EX01", "RT02"}


def _modules():
    """Every module of the package."""
    infos = pkgutil.walk_packages(skdeep.__path__, "skdeep.")
    return [importlib.import_module(info.name) for info in infos]


def _public_things():
    """All public classes and functions of the package and its namespaces."""
    yield skdeep.show_versions
    for info in pkgutil.iter_modules(skdeep.__path__, "skdeep."):
        module = importlib.import_module(info.name)
        if not info.name.rpartition(".")[2].startswith("_"):
            for name in getattr(module, "__all__", []):
                yield getattr(module, name)


def _is_ours(member):
    return getattr(inspect.unwrap(member), "__module__", "").startswith("skdeep")


def _public_names():
    """Dotted names of all public objects, including methods defined in this package."""
    for thing in _public_things():
        dotted = f"{thing.__module__}.{thing.__qualname__}"
        yield dotted
        if inspect.isclass(thing):
            for name, member in inspect.getmembers(thing):
                if not name.startswith("_") and callable(member) and _is_ours(member):
                    yield f"{dotted}.{name}"


@pytest.mark.parametrize("name", list(_public_names()))
def test_docstring_is_complete(name):
    errors = [error for error in validate(name)["errors"] if error[0] not in _NOT_ASKED]
    assert not errors


@pytest.mark.parametrize("name", list(_public_names()))
def test_docstring_states_the_shape_of_every_array_and_list(name):
    sections = NumpyDocString(inspect.getdoc(pkgutil.resolve_name(name)))
    for section in ("Parameters", "Returns", "Attributes"):
        for entry in sections[section]:
            if "array" in entry.type:
                assert "of shape (" in entry.type, entry
            if entry.type.startswith("list") and section == "Attributes":
                assert "length " in entry.type, entry


@pytest.mark.nets({"all rows": {}, "split": {"early_stopping": True}})
def test_estimators_document_every_attribute_that_fit_sets(params, Estimator, make, X, y):
    estimator = make(**params).fit(pd.DataFrame(X, columns=list("abcdef")), y)
    described = inspect.getdoc(Estimator).split("\nAttributes\n")[1]
    if hasattr(estimator, "fit_resample"):
        estimator.fit_resample(pd.DataFrame(X, columns=list("abcdef")), y)
    fitted = [name for name in vars(estimator) if name.endswith("_") and name[0] != "_"]
    assert fitted
    assert [name for name in fitted if f"\n{name} : " not in described] == []


@pytest.mark.parametrize("name", list(_public_names()))
def test_docstring_cites_only_its_own_references(name):
    text = inspect.getdoc(pkgutil.resolve_name(name))
    cited, given = (set(re.findall(one, text)) for one in (r"\[(\d)\]_", r"\.\. \[(\d)\] "))
    assert cited <= given


def test_estimators_show_an_example(Estimator):
    assert ">>> " in inspect.getdoc(Estimator)


def test_estimators_document_the_default_of_every_parameter(Estimator):
    described = inspect.getdoc(Estimator)
    for name, parameter in inspect.signature(Estimator).parameters.items():
        default = parameter.default
        spelled = f'"{default}"' if isinstance(default, str) else str(default)
        line = next(line for line in described.splitlines() if line.startswith(f"{name} : "))
        written = line.partition("default=")[2]
        assert written == spelled or float(written) == float(default), line


@pytest.mark.parametrize("module", _modules(), ids=lambda module: module.__name__)
def test_examples_in_docstrings_run(module):
    assert doctest.testmod(module).failed == 0


def test_examples_are_found():
    found = [doctest.DocTestFinder().find(module) for module in _modules()]
    assert sum(bool(one.examples) for tests in found for one in tests) >= 3
