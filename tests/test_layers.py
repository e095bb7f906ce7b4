"""Rules for the source code: imports between layers, names of devices, length of files."""

import ast
import pathlib
import re

import pytest

import skdeep

PACKAGE = pathlib.Path(skdeep.__file__).parent
SOURCES = sorted(PACKAGE.rglob("*.py"))
TESTS = sorted(pathlib.Path(__file__).parent.rglob("*.py"))

_LAYERS = {"exceptions": 0, "utils": 0, "datasets": 0, "nn": 1, "_preprocessing": 1, "_training": 2}
_LAYERS |= dict.fromkeys(["_batched_fit", "_checkpoint", "_fit", "_fit_data"], 3)
_LAYERS |= dict.fromkeys(
    ["_device_estimator", "_encoder", "_fitted_attributes", "_gradient_descent"], 3
)
_LAYERS |= dict.fromkeys(["_invariance", "_neighbors", "_restarts", "_scores"], 3)
_LAYERS |= dict.fromkeys(["_transfer", "_views", "base"], 3)
_LAYERS |= dict.fromkeys(["model_selection", "inspection", "persistence"], 5)
_LAYERS |= {"__init__": 6}
_KINDS_OF_ESTIMATORS = 4  # and metrics

each_source = pytest.mark.parametrize(
    "path", [pytest.param(path, id=str(path.relative_to(PACKAGE))) for path in SOURCES]
)


def _imported(path):
    """Dotted name of everything that a file imports, ``from a import b`` as ``a.b``."""
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path} has a relative import"
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def _layer(room):
    return _LAYERS.get(room, _KINDS_OF_ESTIMATORS)


@each_source
def test_lower_layers_never_import_upper_ones(path):
    own_room = path.relative_to(PACKAGE).parts[0].removesuffix(".py")
    rooms = {name.split(".")[1] for name in _imported(path) if name.startswith("skdeep.")}
    upper = {room for room in rooms if _layer(room) > _layer(own_room)}
    assert not upper, f"{own_room}, layer {_layer(own_room)}, imports {sorted(upper)}"


@each_source
def test_nets_know_nothing_of_scikit_learn_and_skorch(path):
    if path.parent.name == "nn":
        roots = {name.split(".")[0] for name in _imported(path)}
        assert not roots & {"sklearn", "skorch"}


@each_source
def test_private_names_of_scikit_learn_have_one_home(path):
    private = [name for name in _imported(path) if re.match(r"sklearn(\.\w+)*\._", name)]
    assert not private or path == PACKAGE / "utils" / "_sklearn.py"


@each_source
def test_tensors_are_sent_to_a_named_gpu_nowhere_else(path):
    allowed = path.parent.name == "_training" or path == PACKAGE / "utils" / "_device.py"
    found = re.findall(r"""\.cuda\(|\.to\(\s*["'](?:cuda|mps)""", path.read_text("utf-8"))
    assert allowed or not found


def _lines_of_code(path):
    """Count the lines of a file that are not part of a docstring."""
    text = path.read_text("utf-8")
    documented = (ast.Module, ast.ClassDef, ast.FunctionDef)
    first_statements = [
        node.body[0]
        for node in ast.walk(ast.parse(text))
        if isinstance(node, documented) and ast.get_docstring(node) is not None
    ]
    n_lines = sum(one.end_lineno - one.lineno + 1 for one in first_statements)
    return len(text.splitlines()) - n_lines


@each_source
def test_no_source_has_more_than_300_lines_of_code(path):
    assert _lines_of_code(path) <= 300


@pytest.mark.parametrize("path", [pytest.param(path, id=path.name) for path in TESTS])
def test_no_test_is_longer_than_400_lines(path):
    assert len(path.read_text("utf-8").splitlines()) <= 400


# Writes parameters of its own, as subclasses of users do.
_WITH_OWN_PARAMETERS = "test_subclasses.py"


@pytest.mark.parametrize("path", [pytest.param(path, id=path.name) for path in TESTS])
def test_tests_use_public_names(path):
    private = [name for name in _imported(path) if re.match(r"skdeep(\.\w+)*\._", name)]
    assert not private or path.name == _WITH_OWN_PARAMETERS


def test_public_namespaces_say_what_is_public(Estimator):
    namespace = __import__(Estimator.__module__.rpartition(".")[0], fromlist=["__all__"])
    assert Estimator.__name__ in namespace.__all__
    assert Estimator.__module__.rpartition(".")[2].startswith("_")
