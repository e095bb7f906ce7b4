"""Fixtures shared by the tests of all estimators."""

import functools
import gc
import inspect
import os
import pathlib
import pickle
import subprocess
import sys

# Torch's threads sleep while they wait: as soon as there are more of them than cores, as with
# several workers, spinning takes many times the time of the work. Torch reads it at its import.
os.environ["OMP_WAIT_POLICY"] = "passive"

import numpy as np
import pytest
import torch
from _matrices import further
from sklearn.utils import get_tags
from threadpoolctl import threadpool_limits

import skdeep
from skdeep.utils import all_estimators

_ROW_METHODS = (
    "transform",
    "embed",
    "predict",
    "predict_proba",
    "predict_log_proba",
    "decision_function",
    "reconstruct",
    "reconstruction_error",
    "score_samples",
)


def pytest_configure(config):
    """One thread: nets and matrices here are small, and xdist uses the other cores."""
    torch.set_num_threads(1)
    threadpool_limits(1)  # of NumPy, SciPy and scikit-learn


@pytest.hookimpl(wrapper=True)
def pytest_collection():
    """Hide modules and thousands of tests from the garbage collector, which takes seconds."""
    gc.disable()
    try:
        return (yield)
    finally:
        gc.freeze()
        gc.enable()


def _has(Estimator, names):
    return any(hasattr(Estimator, one) for one in names) or any(
        one in _knows(Estimator) for one in names
    )


def _takes(Estimator, kinds):
    tags = get_tags(Estimator()).input_tags
    return all(getattr(tags, name) == value for name, value in kinds.items())


def _knows(Estimator):
    return inspect.signature(Estimator).parameters.keys()


@pytest.hookimpl(tryfirst=True)
def pytest_generate_tests(metafunc):
    """Choose the estimators of a test marked ``having`` or ``taking``, and the nets of ``nets``.

    The last one takes a dict of parameters by name; the test asks for ``params``.
    """
    having = list(metafunc.definition.iter_markers("having"))
    taking = list(metafunc.definition.iter_markers("taking"))
    nets = metafunc.definition.get_closest_marker("nets")
    if "Estimator" not in metafunc.fixturenames or not (having or taking or nets):
        return
    chosen = [
        (name, cls)
        for name, cls in all_estimators()
        if all(_has(cls, mark.args) for mark in having)
        and all(_takes(cls, mark.kwargs) for mark in taking)
    ]
    if nets is None:
        names, cases = "Estimator", [pytest.param(cls, id=name) for name, cls in chosen]
    else:
        names = "Estimator, params"
        cases = [
            pytest.param(cls, params, id=f"{name}-{variant}")
            for name, cls in chosen
            for variant, params in nets.args[0].items()
            if params.keys() <= _knows(cls)
        ]
    assert cases
    metafunc.definition.add_marker(pytest.mark.parametrize(names, cases))


@pytest.hookimpl(tryfirst=True)  # before the slow tests are deselected
def pytest_collection_modifyitems(items):
    """Thin out matrices; let clusterers collapse in short trainings; skip GPU tests."""
    matrices = {}
    for item in items:
        if mark := item.get_closest_marker("matrix"):
            matrices.setdefault((item.parent, item.originalname, mark.args), []).append(item)
    for (_, _, names), combinations in matrices.items():
        for item in further(combinations, names):
            item.add_marker(pytest.mark.slow)
    collapse = "(All samples are in one of|Samples are in only)"
    ignore = f"ignore:{collapse}:sklearn.exceptions.ConvergenceWarning"
    for item in items:
        values = getattr(item, "callspec", None) and item.callspec.params.values()
        if any(hasattr(value, "fit_predict") for value in values or ()):
            item.add_marker(pytest.mark.filterwarnings(ignore))
    skip = pytest.mark.skip(reason="needs a CUDA device")
    for item in items:
        if item.get_closest_marker("gpu") and not torch.cuda.is_available():
            item.add_marker(skip)


@pytest.fixture
def read_only_arrays_warn():
    """torch warns each time that it shares the memory of a read-only array, which is an error."""
    torch.set_warn_always(True)
    yield
    torch.set_warn_always(False)


@pytest.fixture(params=[pytest.param(cls, id=name) for name, cls in all_estimators()])
def Estimator(request):
    """Every public estimator's class, one after the other."""
    return request.param


def _make(Estimator, **params):
    small = {"max_epochs": 3, "batch_size": 16, "device": "cpu", "random_state": 0}
    sizes = {"width": 16, "stem_width": 4, "latent_dim": 4, "n_modes": 1}
    sizes |= {"n_clusters": 2, "pretrain_epochs": 3, "n_init": 1}
    sizes |= {"update_interval": 4} if "explained_variance" in _knows(Estimator) else {}
    small |= {name: sizes[name] for name in sizes if name in _knows(Estimator)}
    small |= {"hidden_layer_sizes": (8,)} if "latent_dim" in small else {}
    # without them, there is no optimizer, and training always continues by partial_fit
    unknown = {"lr", "warm_start"} - _knows(Estimator)
    return Estimator(**{name: v for name, v in (small | params).items() if name not in unknown})


def _make_random(Estimator, **params):
    draws = {"dropout": 0.2, "residual_dropout": 0.2, "noise": 0.2, "n_samples": 2}
    draws |= {"batch_norm": True, "n_modes": 2}
    draws |= {"augment": "shift+flip"} if params.get("image_shape") else {}
    draws |= {"init": "random"} if "neighborhood" in _knows(Estimator) else {}
    known = _knows(Estimator)
    return _make(Estimator, **{**{name: draws[name] for name in draws if name in known}, **params})


@pytest.fixture
def make(Estimator):
    """Function that makes a small instance on the CPU; keyword arguments override parameters."""
    return functools.partial(_make, Estimator)


@pytest.fixture
def make_random(Estimator):
    """As ``make``, with all sources of randomness in training enabled."""
    return functools.partial(_make_random, Estimator)


@pytest.fixture
def make_random_ones():
    """Function that makes such an instance of all public estimators, by name."""

    def make_random_ones(**params):
        return {name: _make_random(cls, **params) for name, cls in all_estimators()}

    return make_random_ones


@pytest.fixture
def grid(Estimator):
    """Two values of a parameter that changes the result of training, for a search."""
    return {"lr": [1e-3, 1e-2]} if "lr" in _knows(Estimator) else {"radius": [1.0, 2.0]}


@pytest.fixture(scope="session")
def X():
    """50 distinct samples with 6 features."""
    return np.random.default_rng(0).normal(size=(50, 6))


@pytest.fixture(scope="session")
def y():
    """Labels for ``X``: classes, numbers or, to estimators that need none, nothing."""
    return np.arange(50) % 2


@pytest.fixture(scope="session")
def row_outputs():
    """Function that returns the results of all row-wise methods of a fitted estimator, by name."""

    def row_outputs(estimator, X):
        methods = [name for name in _ROW_METHODS if hasattr(estimator, name)]
        return {name: np.asarray(getattr(estimator, name)(X)) for name in methods}

    return row_outputs


@pytest.fixture(scope="session")
def outputs(row_outputs):
    """As ``row_outputs``, with as many new samples and their classes from ``sample``, if any."""

    def outputs(estimator, X):
        results = row_outputs(estimator, X)
        if hasattr(estimator, "sample"):
            drawn = estimator.sample(len(X), random_state=0)
            drawn = drawn if isinstance(drawn, tuple) else (drawn,)
            results |= dict(
                zip(("sample", "classes of sample"), map(_as_array, drawn), strict=False)
            )
        assert results
        return results

    return outputs


def _as_array(table):
    """Array that can be compared, of strings if the columns have different types."""
    array = np.asarray(table)
    return array.astype(str) if array.dtype == object else array


@pytest.fixture(scope="session")
def score(outputs):
    """Function that returns the score of a fitted estimator, or another number if it has none."""

    def score(estimator, X, y):
        if hasattr(estimator, "score"):
            return estimator.score(X, y)
        return float(sum(result.mean() for result in outputs(estimator, X).values()))

    return score


@pytest.fixture(scope="session")
def train_on():
    """Function that continues training, by ``partial_fit`` if available, else by a warm start."""

    def train_on(estimator, X, y):
        if hasattr(estimator, "partial_fit"):
            return estimator.partial_fit(X, y)
        before = estimator.warm_start
        return estimator.set_params(warm_start=True).fit(X, y).set_params(warm_start=before)

    return train_on


@pytest.fixture(scope="session")
def assert_same(outputs):
    """Function that fails unless the results of two fitted estimators are equal to the last bit."""

    def assert_same(actual, expected, X):
        assert actual.n_iter_ == expected.n_iter_
        assert actual.loss_curve_ == expected.loss_curve_
        results = outputs(expected, X)
        for name, result in outputs(actual, X).items():
            np.testing.assert_array_equal(result, results[name], err_msg=name, strict=True)

    return assert_same


@pytest.fixture(scope="session")
def assert_same_state():
    """Function that fails unless the states of two fitted estimators are equal to the last bit.

    Weights, moments of the optimizer and history, without the durations of the epochs.
    """

    def assert_same_state(actual, expected):
        _assert_identical(_state(actual), _state(expected), type(expected).__name__)

    return assert_same_state


def _state(estimator):
    if not hasattr(estimator, "module_"):
        return {"units": estimator.cluster_centers_.tolist(), "loss": estimator.loss_curve_}
    return {
        "module": dict(estimator.module_.state_dict()),
        "optimizer": estimator.net_.optimizer_.state_dict()["state"],
        "history": [
            {key: value for key, value in row.items() if key != "dur"} for row in estimator.history_
        ],
    }


def _assert_identical(actual, expected, path):
    """Compare nested dicts, lists and tensors; the path is that of the first difference."""
    if isinstance(expected, dict):
        assert actual.keys() == expected.keys(), path
        for key, value in expected.items():
            _assert_identical(actual[key], value, f"{path}.{key}")
    elif isinstance(expected, list):
        assert len(actual) == len(expected), path
        for number, value in enumerate(expected):
            _assert_identical(actual[number], value, f"{path}[{number}]")
    elif isinstance(expected, torch.Tensor):
        actual, expected = (one.numpy(force=True) for one in (actual, expected))
        np.testing.assert_array_equal(actual, expected, err_msg=path, strict=True)
    else:
        assert actual == expected, path


@pytest.fixture(scope="session")
def as_if_trained_on():
    """Function that loads a fitted estimator as if it had been trained on another device."""

    def as_if_trained_on(device, estimator):
        # protocol 3 has no frames, whose length would change
        pickled = pickle.dumps(estimator, protocol=3)
        own, other = map(_pickled_string, (estimator.device_, device))
        assert own in pickled
        return pickle.loads(pickled.replace(own, other))

    return as_if_trained_on


def _pickled_string(text):
    return pickle.BINUNICODE + len(text).to_bytes(4, "little") + text.encode()


@pytest.fixture(scope="session")
def assert_same_search():
    """Function that fails unless two fitted searches have equal results.

    Scores are equal up to ``atol``, times are not compared.
    """

    def assert_same_search(actual, expected, atol=0.0):
        found, table = actual.cv_results_, expected.cv_results_
        assert list(found) == list(table)
        for name, values in table.items():
            if name == "params":
                assert found[name] == values
            elif name.startswith("param_"):
                assert found[name].tolist() == values.tolist(), name
                assert found[name].dtype == values.dtype, name
            elif name.endswith("_time"):
                assert np.isfinite(found[name]).all() and (found[name] >= 0).all(), name
            else:
                np.testing.assert_allclose(found[name], values, rtol=0, atol=atol, err_msg=name)
                assert found[name].dtype == values.dtype, name
        fitted = {name for name in vars(expected) if name.endswith("_")}
        assert fitted == {name for name in vars(actual) if name.endswith("_")}
        for name in fitted & {"best_index_", "best_params_", "multimetric_", "n_splits_"}:
            assert getattr(actual, name) == getattr(expected, name), name
        if "best_score_" in fitted:
            assert actual.best_score_ == pytest.approx(expected.best_score_, rel=0, abs=atol)

    return assert_same_search


@pytest.fixture
def set_threads():
    """Function that sets torch's number of threads until the test ends."""
    before = torch.get_num_threads()
    yield torch.set_num_threads
    torch.set_num_threads(before)


@pytest.fixture(scope="session")
def python_command():
    """Command line and environment of a fresh Python that runs code with this skdeep."""
    home = str(pathlib.Path(skdeep.__file__).parents[1])
    # then what the environment has: other packages, for example
    paths = [home, *filter(None, [os.environ.get("PYTHONPATH")])]
    environment = dict(os.environ, PYTHONPATH=os.pathsep.join(paths))
    environment.pop("MKL_NUM_THREADS", None)  # dask leaves it there

    def python_command(code, *arguments, threads=1):
        command = [sys.executable, "-W", "error", "-c", code, *map(str, arguments)]
        return command, environment | {"OMP_NUM_THREADS": str(threads)}

    return python_command


@pytest.fixture
def run_python(python_command, tmp_path):
    """Function that runs code in a new process and returns its standard output."""

    def run_python(code, *arguments, threads=1):
        command, environment = python_command(code, *arguments, threads=threads)
        result = subprocess.run(
            command, env=environment, cwd=tmp_path, capture_output=True, text=True, timeout=120
        )
        assert result.returncode == 0, result.stderr
        return result.stdout

    return run_python
