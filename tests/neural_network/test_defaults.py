"""Residual nets with their default parameters, as a user sees them."""

import functools
import pickle

import numpy as np
import pandas as pd
import pytest
from sklearn.base import clone
from sklearn.datasets import load_diabetes, make_friedman1, make_moons
from sklearn.linear_model import LogisticRegression, RidgeCV
from sklearn.model_selection import GridSearchCV

from skdeep.model_selection import BatchedGridSearchCV
from skdeep.neural_network import ResNetClassifier, ResNetRegressor

SMOOTH, VALUE = make_friedman1(1400, n_features=10, noise=1.0, random_state=0)
PLANE, MOON = make_moons(1400, noise=0.2, random_state=0)
TEST = slice(1000, None)
# numbers of epochs after which the learning rate has returned to zero
CYCLES = {4, 13, 30, 64}
each_size = pytest.mark.parametrize("n", [190, 300], ids=["small", "with held-out samples"])
each_task = pytest.mark.parametrize("task", ["classes", "numbers"])


def regressor(**parameters):
    return ResNetRegressor(device="cpu", **{"random_state": 0, **parameters})


def classifier(**parameters):
    return ResNetClassifier(device="cpu", **{"random_state": 0, **parameters})


def net_and_data(task):
    return (classifier(), PLANE, MOON) if task == "classes" else (regressor(), SMOOTH, VALUE)


@functools.cache
def fitted(task, n):
    """Net fitted on the first samples."""
    net, X, y = net_and_data(task)
    return net.fit(X[:n], y[:n])


def raw(net, X):
    """Predictions before they become classes."""
    return (net.decision_function if hasattr(net, "decision_function") else net.predict)(X)


# Known answers -----------------------------------------------------------------------------


@each_size
def test_curved_targets_are_learned_better_than_by_linear_models(n):
    for task, linear, most in (("numbers", RidgeCV(), 0.7), ("classes", LogisticRegression(), 0.5)):
        _, X, y = net_and_data(task)
        error, of_linear = (
            1 - one.score(X[TEST], y[TEST]) for one in (fitted(task, n), linear.fit(X[:n], y[:n]))
        )
        assert error < most * of_linear


@pytest.mark.parametrize("n", [190, 300])
def test_noisy_targets_are_learned_almost_as_well_as_by_linear_models(n):
    X, y = load_diabetes(return_X_y=True)
    order = np.random.default_rng(0).permutation(len(X))
    train, test = order[:n], order[n:]
    models = [RidgeCV(), *(regressor(random_state=seed) for seed in range(3))]
    of_linear, *scores = (one.fit(X[train], y[train]).score(X[test], y[test]) for one in models)
    assert np.mean(scores) > of_linear - 0.1


@pytest.mark.parametrize("seed", range(5))
def test_few_samples_are_learned_from_whatever_the_seed(seed):
    rows = np.random.default_rng(seed).permutation(1000)[:50]
    reg = regressor(random_state=seed).fit(SMOOTH[rows], VALUE[rows])
    assert reg.score(SMOOTH[TEST], VALUE[TEST]) > 0.6


@pytest.mark.parametrize("n", [190, 340], ids=["small", "with held-out samples"])
def test_steps_of_a_single_feature_are_learned(n):
    steps = np.floor(8 * SMOOTH[:, 0]) % 2
    clf = classifier().fit(SMOOTH[:n, :3], steps[:n])
    assert clf.score(SMOOTH[TEST, :3], steps[TEST]) > 0.75


# Features ----------------------------------------------------------------------------------


@each_size
@pytest.mark.parametrize("value", [1e6, -1e300])
@pytest.mark.matrix
def test_outliers_of_one_feature_do_not_spoil_the_others(n, value):
    spoilt = SMOOTH[:n].copy()
    spoilt[::20, 9] = value  # has no influence on the target
    reg = regressor().fit(spoilt, VALUE[:n])
    expected = fitted("numbers", n).score(SMOOTH[TEST], VALUE[TEST])
    assert reg.score(SMOOTH[TEST], VALUE[TEST]) > expected - 0.05


@each_size
@each_task
@pytest.mark.matrix
def test_samples_outside_of_the_training_data_have_no_extreme_predictions(task, n):
    net, (_, X, _) = fitted(task, n), net_and_data(task)
    inside = raw(net, X)
    for factor in (1.1, 2.0, 1e6):
        beyond = raw(net, (X - X.mean(axis=0)) * factor + X.mean(axis=0))
        assert np.abs(beyond - inside.mean()).max() < 3 * np.ptp(inside)


@each_size
@each_task
@pytest.mark.matrix
def test_constant_features_are_ignored(task, n):
    net, X, y = net_and_data(task)
    constant = np.column_stack([X, np.full(len(X), 7.0)])
    net.fit(constant[:n], y[:n])
    assert net.score(constant[TEST], y[TEST]) > fitted(task, n).score(X[TEST], y[TEST]) - 0.05
    # whatever it is in new samples
    np.testing.assert_array_equal(raw(net, np.column_stack([X, X[:, 0]])), raw(net, constant))


@each_size
def test_rare_values_and_categories_and_gaps_are_learned(n):
    rng = np.random.default_rng(0)
    frame = pd.DataFrame({"often": SMOOTH[:, 3], "rare": (rng.uniform(size=1400) < 0.04) * 1.0})
    kind = np.where(rng.uniform(size=1400) < 0.04, "rare", "often")
    frame["kind"] = pd.Categorical(kind)
    y = 5 * SMOOTH[:, 3] + 5 * frame["rare"] + 5 * (kind == "rare")
    frame.loc[rng.uniform(size=1400) < 0.1, "often"] = np.nan
    y = np.where(frame["often"].isna(), 0.0, y)
    reg = regressor(missing="indicator").fit(frame[:n], y[:n])
    assert reg.score(frame[TEST], y[TEST]) > 0.8
    new = pd.DataFrame({"often": [0.5] * 3, "rare": [0.0, 1.0, 0.0], "kind": ["often"] * 3})
    new.loc[2, "kind"] = "never seen"
    found = reg.predict(new)
    assert found[1] - found[0] > 2
    assert np.isfinite(found).all()


# Weights -----------------------------------------------------------------------------------


@each_task
def test_weights_are_repetitions_in_one_batch(task):
    net, X, y = net_and_data(task)
    weight = np.random.default_rng(0).integers(0, 3, size=120)
    order = np.repeat(np.arange(120), weight)
    weighted = clone(net).fit(X[:120], y[:120], sample_weight=weight)
    repeated = clone(net).fit(X[order], y[order])
    scale = np.std(raw(repeated, X[TEST]))
    np.testing.assert_allclose(raw(weighted, X[TEST]), raw(repeated, X[TEST]), atol=1e-2 * scale)
    unweighted = raw(net.fit(X[:120], y[:120]), X[TEST])
    assert np.abs(unweighted - raw(repeated, X[TEST])).max() > scale / 10


@each_task
def test_samples_without_weight_are_ignored(task):
    net, X, y = net_and_data(task)
    weighted = net.fit(X[:400], y[:400], sample_weight=np.repeat([1.0, 0.0], [300, 100]))
    removed = fitted(task, 300)
    assert (weighted.n_iter_, weighted.best_epoch_) == (removed.n_iter_, removed.best_epoch_)
    scale = np.std(raw(removed, X[TEST]))
    np.testing.assert_allclose(raw(weighted, X[TEST]), raw(removed, X[TEST]), atol=1e-2 * scale)


# Training ----------------------------------------------------------------------------------


@each_task
def test_training_ends_with_a_cycle_and_its_curves_tell_of_it(task):
    small = fitted(task, 190)
    assert small.n_iter_ == len(small.loss_curve_) == len(small.history_) == 64
    assert not hasattr(small, "best_epoch_") and not hasattr(small, "validation_loss_curve_")
    large = fitted(task, 300)
    assert large.n_iter_ == len(large.loss_curve_) == len(large.history_)
    assert large.n_iter_ in CYCLES
    curve = large.validation_loss_curve_
    assert large.n_iter_ <= len(curve) <= 64
    assert large.best_epoch_ == 1 + np.argmin(curve)
    assert large.n_iter_ == min(CYCLES & set(range(len(curve) + 1)), key=lambda end: curve[end - 1])
    for one in (small, large):
        assert one.loss_curve_[-1] < 0.7 * one.loss_curve_[0]


def test_noise_ends_training_earlier_than_smooth_targets():
    noise = np.random.default_rng(0).normal(size=1000)
    reg = regressor().fit(SMOOTH[:300], noise[:300])
    assert reg.n_iter_ < fitted("numbers", 300).n_iter_ == 64


def test_all_samples_take_part_in_the_last_training():
    kind = pd.DataFrame({"kind": pd.Categorical(np.arange(300))})
    values = regressor().fit(kind, np.arange(300.0)).predict(kind)
    # categories that were held out would share one prediction
    assert len(np.unique(values.round(3))) > 290


# scikit-learn ------------------------------------------------------------------------------


@each_size
@each_task
@pytest.mark.matrix
def test_clones_and_pickles_predict_the_same(task, n):
    net, (_, X, y) = fitted(task, n), net_and_data(task)
    for copied in (pickle.loads(pickle.dumps(net)), clone(net).fit(X[:n], y[:n])):
        np.testing.assert_array_equal(raw(copied, X), raw(net, X))
        assert copied.loss_curve_ == net.loss_curve_


@pytest.mark.parametrize(
    "task, n", [pytest.param("classes", 300, marks=pytest.mark.slow), ("numbers", 100)]
)
def test_a_batched_search_returns_what_a_grid_search_returns(task, n):
    net, X, y = net_and_data(task)
    split = [(np.arange(n), np.arange(n, n + 100))]
    grid = {"lr": [1e-3, net.lr]}
    theirs, ours = (
        Search(net, grid, cv=split, refit=False).fit(X[: n + 100], y[: n + 100])
        for Search in (GridSearchCV, BatchedGridSearchCV)
    )
    scores = "mean_test_score"
    np.testing.assert_array_equal(ours.cv_results_[scores], theirs.cv_results_[scores])
