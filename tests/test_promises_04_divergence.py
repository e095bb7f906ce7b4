"""Promise 4: a loss that is not finite raises an error and leaves no partially fitted state."""

import copy
import inspect

import numpy as np
import pytest

from skdeep.exceptions import DivergenceError

X_ROWS = np.random.default_rng(0).normal(size=(20, 6))
Y = np.arange(20) % 2


@pytest.mark.nets(
    {
        "all rows": {},
        "split": {"early_stopping": True},
        "slopes": {"loss": "wgan-gp", "n_critic": 2},
        "spectral norm": {"spectral_norm": True, "loss": "hinge"},
    }
)
@pytest.mark.parametrize("batch_size", [5, 100])
@pytest.mark.having("lr")
@pytest.mark.matrix
def test_divergence_names_epoch_and_lr(batch_size, params, make):
    estimator = make(lr=1e30, batch_size=batch_size, **params)
    with pytest.raises(DivergenceError, match=r"epoch \d+ with lr=1e\+30.*Lower lr"):
        estimator.fit(X_ROWS, Y)
    assert not [name for name in vars(estimator) if name.endswith("_")]


@pytest.mark.having("lr")
def test_divergence_in_the_last_step_is_noticed(make, Estimator):
    one_step = {"max_epochs": 1, "pretrain_epochs": 1, "lr_schedule": "constant"}
    known = one_step.keys() & inspect.signature(Estimator).parameters.keys()
    options = {name: one_step[name] for name in known}
    estimator = make(lr=1e38, batch_size=100, weight_decay=10, **options)
    with pytest.raises(DivergenceError, match="epoch 1 "):
        estimator.fit(X_ROWS, Y)
    assert not [name for name in vars(estimator) if name.endswith("_")]


def _fit(estimator, X, y):
    return estimator.fit(X, y)


@pytest.mark.parametrize("way", ["fit", "train on"])
@pytest.mark.having("lr")
@pytest.mark.matrix
def test_divergence_leaves_a_fitted_estimator_as_it_was(way, make_random, train_on, assert_same):
    estimator = train_on(make_random().fit(X_ROWS, Y), X_ROWS, Y)
    before = copy.deepcopy(estimator)
    train = {"fit": _fit, "train on": train_on}[way]
    estimator.set_params(lr=1e35)
    with pytest.raises(DivergenceError, match="epoch"):
        for _ in range(3):
            train(estimator, X_ROWS, Y)
    assert_same(estimator, before, X_ROWS)
    for one in (estimator, before):
        train_on(one.set_params(lr=1e-3), X_ROWS, Y)
    assert_same(estimator, before, X_ROWS)


def test_divergence_is_a_value_error_that_searches_survive():
    assert issubclass(DivergenceError, ValueError)
