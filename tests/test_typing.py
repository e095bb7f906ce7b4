"""Type checkers and editors know the signatures of public classes."""

import inspect
import subprocess
import sys

import pytest

from skdeep.utils import all_estimators

PROGRAM = """
import numpy as np
from skdeep.decomposition import Autoencoder, VariationalAutoencoder
from skdeep.neural_network import ResNetClassifier

X = np.zeros((50, 4))
reveal_type(Autoencoder(2, max_epochs=3, lr=1e-2).fit(X))
reveal_type(Autoencoder().fit(X).transform(X))
reveal_type(ResNetClassifier(1).partial_fit(X, X[:, 0]).predict_proba(X))
reveal_type(VariationalAutoencoder(beta=2.0).fit(X).score(X))
reveal_type(Autoencoder().hidden_layer_sizes)
Autoencoder(2, lr="fast")
ResNetClassifier(width="wide")
"""


@pytest.fixture(scope="module")
def report(tmp_path_factory):
    """mypy's messages about a user's program, without line numbers."""
    folder = tmp_path_factory.mktemp("program")
    (folder / "program.py").write_text(PROGRAM)
    command = [sys.executable, "-m", "mypy", "--strict", "--no-color-output", "program.py"]
    found = subprocess.run(command, cwd=folder, capture_output=True, text=True)
    return found.stdout


@pytest.mark.slow
def test_methods_have_types(report):
    types = [line.split('"')[1] for line in report.splitlines() if "Revealed type" in line]
    kinds = [one.partition("[")[0].rpartition(".")[2] for one in types]
    assert kinds == ["Autoencoder", "ndarray", "ndarray", "float", "Sequence"]


@pytest.mark.slow
def test_wrong_arguments_are_errors_and_nothing_else_is(report):
    errors = [line.partition("error: ")[2] for line in report.splitlines() if "error:" in line]
    assert errors == [
        'Argument "lr" to "Autoencoder" has incompatible type "str"; expected "float"  [arg-type]',
        'Argument "width" to "ResNetClassifier" has incompatible type "str"; expected "int"'
        "  [arg-type]",
    ]


def test_parameters_have_types(Estimator):
    for parameter in inspect.signature(Estimator).parameters.values():
        assert parameter.annotation is not parameter.empty, parameter


def test_public_methods_have_return_types(Estimator):
    for name, method in inspect.getmembers(Estimator, inspect.isfunction):
        if not name.startswith("_") and method.__module__.startswith("skdeep"):
            assert inspect.signature(method).return_annotation is not inspect.Signature.empty, name


def test_one_parameter_may_be_passed_by_position(Estimator):
    kinds = [one.kind for one in inspect.signature(Estimator).parameters.values()]
    assert kinds[0] is inspect.Parameter.POSITIONAL_OR_KEYWORD
    assert set(kinds[1:]) == {inspect.Parameter.KEYWORD_ONLY}


def test_parameters_that_classes_share_are_described_in_the_same_words():
    described = {}
    for _, cls in all_estimators():
        for (name, kind), text in _descriptions(cls).items():
            key = name, kind, repr(inspect.signature(cls).parameters[name])
            described.setdefault(key, {})[" ".join(text.split())] = cls.__name__
    differing = {key: list(texts.values()) for key, texts in described.items() if len(texts) > 1}
    assert differing == {}


def _descriptions(cls):
    """Text about each parameter in a docstring, by its name and documented type."""
    body = inspect.getdoc(cls).split("\nParameters\n")[1].split("\nAttributes\n")[0]
    texts, key = {}, None
    for line in body.splitlines()[1:]:
        if line and not line.startswith(" "):
            name, _, kind = line.partition(" : ")
            key = name, kind
            texts[key] = ""
        elif key is not None:
            texts[key] += f" {line}"
    return texts
