"""Promise 3: settings of torch and NumPy do not affect results and are not changed."""

import contextlib
import pickle

import numpy as np
import pytest
import torch
from sklearn.base import clone

from skdeep.model_selection import BatchedGridSearchCV


@contextlib.contextmanager
def _set(function, value, default):
    function(value)
    try:
        yield
    finally:
        function(default)


SETTINGS = {
    "double": lambda: _set(torch.set_default_dtype, torch.float64, torch.float32),
    "meta device": lambda: _set(torch.set_default_device, "meta", None),
    "CPU device": lambda: _set(torch.set_default_device, "cpu", None),
    "device context": lambda: torch.device("meta"),
    "inference": torch.inference_mode,
    "no gradients": torch.no_grad,
    "gradients off": lambda: _set(torch.set_grad_enabled, False, True),
    "autocast": lambda: torch.autocast("cpu", dtype=torch.bfloat16),
    "deterministic": lambda: _set(torch.use_deterministic_algorithms, True, False),
    "precision": lambda: _set(torch.set_float32_matmul_precision, "high", "highest"),
    "seed": lambda: _set(torch.manual_seed, 7, 8),
    "NumPy errors": lambda: np.errstate(all="raise"),
}
each_setting = pytest.mark.parametrize("setting", SETTINGS)
# Parts that make tensors in ways of their own, and other ways to train.
NETS = {
    "image": {"image_shape": (8, 8)},
    "layer norm": {"norm": "layer", "optimizer": torch.optim.RMSprop},
    "periodic": {"numerical_embedding": "periodic", "embedding_dim": 4},
    "piecewise": {"numerical_embedding": "piecewise-linear", "embedding_dim": 4},
    "early stopping": {"early_stopping": True},
    "bfloat16": {"precision": "bf16-mixed"},
    "scale": {"scale": 0.5, "optimizer": "sgd", "lr_schedule": "onecycle"},
    "slopes": {"loss": "wgan-gp", "spectral_norm": True, "n_critic": 2},
    "contraction": {"contraction": 0.1, "tied_weights": True},
}


def _settings():
    """Everything of the calling thread and the process that a user may have set."""
    return (
        torch.get_default_dtype(),
        torch.get_default_device(),
        torch.is_inference_mode_enabled(),
        torch.is_grad_enabled(),
        torch.is_autocast_enabled("cpu"),
        torch.are_deterministic_algorithms_enabled(),
        torch.get_float32_matmul_precision(),
        torch.get_rng_state().tolist(),
        torch.get_num_threads(),
        np.geterr(),
        np.random.get_state()[1].tolist(),  # noqa: NPY002
    )


@pytest.fixture
def live(train_on, outputs):
    """Function that calls all methods of an estimator and returns the results."""

    def live(estimator, X, y):
        before = _settings()
        results = [outputs(estimator.fit(X, y), X)]
        results.append(outputs(pickle.loads(pickle.dumps(estimator)), X))
        if hasattr(estimator, "inverse_transform"):
            results.append(
                {"rows": estimator.inverse_transform(np.ones_like(estimator.transform(X)))}
            )
        if getattr(estimator, "early_stopping", False):
            estimator.set_params(early_stopping=False)
        results.append(outputs(train_on(estimator, X, y), X))
        if hasattr(estimator, "fit_resample"):
            drawn, _ = clone(estimator).fit_resample(X, np.arange(len(X)) % 5 == 0)
            results.append({"resampled": drawn})
        assert _settings() == before
        return results

    return live


@pytest.fixture(scope="module")
def once():
    """Function that computes what is expected once for the tests of all settings."""
    values = {}

    def once(key, function):
        if key not in values:
            values[key] = function()
        return values[key]

    return once


def _assert_equal(actual, expected):
    for results, known in zip(actual, expected, strict=True):
        assert results.keys() == known.keys()
        for name, result in results.items():
            np.testing.assert_array_equal(result, known[name], err_msg=name, strict=True)


@each_setting
@pytest.mark.matrix
def test_settings_change_no_result(
    setting, once, live, Estimator, make_random, train_on, assert_same, assert_same_state, X, y
):
    def expect():
        # with warm_start, a pickle holds all that training continues from
        fitted = make_random(warm_start=True)
        results = live(fitted, X, y)
        continued = train_on(pickle.loads(pickle.dumps(fitted)), X, y)
        return results, fitted, continued

    results, expected, continued = once(Estimator, expect)
    estimator = make_random(warm_start=True)
    with SETTINGS[setting]():
        _assert_equal(live(estimator, X, y), results)
        copied = pickle.loads(pickle.dumps(estimator))
    assert_same_state(estimator, expected)
    for one in (estimator, copied):  # without the setting, what came from under it is as usual
        assert_same(train_on(one, X, y), continued, X)


@pytest.mark.parametrize("setting", ["double", "device context", "inference", "autocast"])
@pytest.mark.nets(NETS)
@pytest.mark.matrix
def test_settings_change_no_result_of_other_nets(
    setting, params, once, live, Estimator, make_random, X, y
):
    rows = np.hstack([X] * 11)[:, :64] if "image_shape" in params else X
    results = once((Estimator, str(params)), lambda: live(make_random(**params), rows, y))
    with SETTINGS[setting]():
        _assert_equal(live(make_random(**params), rows, y), results)


# the nets of others are not trained together: they are as without a search
@pytest.mark.having("partial_fit")
@each_setting
@pytest.mark.matrix
def test_settings_change_no_result_of_a_batched_search(
    setting, once, Estimator, make_random, grid, score, assert_same_search, X, y
):
    grid = {**grid, "random_state": [0, 1]}
    search = BatchedGridSearchCV(make_random(), grid, scoring=score, cv=2, error_score="raise")
    expected = once((Estimator, "search"), lambda: clone(search).fit(X, y))
    with SETTINGS[setting]():
        before = _settings()
        assert_same_search(search.fit(X, y), expected)
        assert _settings() == before
        score(search.best_estimator_, X, y)


@pytest.mark.having("lr")
def test_failed_fit_leaves_the_settings_as_they_were(make, X, y):
    for setting in SETTINGS.values():
        with setting():
            before = _settings()
            with pytest.raises(ValueError, match="lr"):
                make(lr=1e30).fit(X, y)
            assert _settings() == before
