"""Early stopping, held-out samples, and the refit on all samples."""

import numpy as np
import pandas as pd
import pytest
import scipy.sparse as sp
from sklearn.base import clone
from sklearn.datasets import load_diabetes, load_iris, make_regression
from sklearn.frozen import FrozenEstimator
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from skorch.callbacks import Callback

from skdeep.neural_network import ResNetClassifier, ResNetRegressor


class RecordRates(Callback):
    """Appends the learning rate at the end of each epoch to a list."""

    def __init__(self, rates):
        self.rates = rates

    def on_epoch_end(self, net, **kwargs):
        self.rates.append(net.optimizer_.param_groups[0]["lr"])


IRIS, SPECIES = load_iris(return_X_y=True)
DIABETES, PROGRESSION = (part[:200] for part in load_diabetes(return_X_y=True))
NOISE = np.random.default_rng(0).integers(0, 3, size=150)


def net(Class, **parameters):
    """Net that overfits within a few epochs."""
    defaults = {"n_blocks": 1, "width": 16, "max_epochs": 30, "lr": 0.02, "batch_size": 32}
    defaults |= {"lr_schedule": "constant", "dropout": 0.1, "n_iter_no_change": 5}
    defaults |= {"validation_fraction": 0.2, "early_stopping": False, "refit_full": False}
    defaults |= {"norm": "batch", "numerical_embedding": None, "device": "cpu", "random_state": 0}
    return Class(**{**defaults, **parameters})


CASES = {
    "classes": (ResNetClassifier, IRIS, SPECIES),
    "noise": (ResNetClassifier, IRIS, NOISE),
    "labels": (ResNetClassifier, IRIS, np.eye(3, dtype=int)[SPECIES]),
    "numbers": (ResNetRegressor, DIABETES, PROGRESSION),
    "outputs": (ResNetRegressor, DIABETES, np.column_stack([PROGRESSION, DIABETES[:, 2]])),
}


@pytest.fixture(params=CASES.values(), ids=CASES)
def case(request):
    return request.param


def raw(estimator, X):
    name = "decision_function" if hasattr(estimator, "decision_function") else "predict"
    return getattr(estimator, name)(X)


def shares_of_classes_in_training(y, **parameters):
    """Prediction of a net that learns nothing: the class frequencies in the training set."""
    clf = net(ResNetClassifier, lr=1e-12, max_epochs=1, early_stopping=True, **parameters)
    return clf.fit(np.zeros((len(y), 1)), y).predict_proba([[0.0]])[0]


# The best epoch ----------------------------------------------------------------------------


def test_weights_are_those_of_the_best_epoch(case):
    Class, X, y = case
    stopped = net(Class, early_stopping=True).fit(X, y)
    losses = stopped.validation_loss_curve_
    assert len(losses) == len(stopped.loss_curve_) == stopped.n_iter_
    assert stopped.best_epoch_ == 1 + np.argmin(losses) < stopped.n_iter_
    # a net that trains for just as many epochs on the same rows ends at its best one
    as_long = net(Class, early_stopping=True, max_epochs=stopped.best_epoch_).fit(X, y)
    assert as_long.n_iter_ == as_long.best_epoch_ == stopped.best_epoch_
    np.testing.assert_array_equal(raw(stopped, X), raw(as_long, X))
    # the last epoch is not the best
    longer = net(Class, early_stopping=True, max_epochs=stopped.best_epoch_ + 1)
    assert longer.fit(X, y).n_iter_ == stopped.best_epoch_ + 1
    np.testing.assert_array_equal(raw(stopped, X), raw(longer, X))


def test_training_stops_when_the_loss_of_the_rows_held_out_has_not_fallen():
    stopped = net(ResNetClassifier, early_stopping=True, max_epochs=100).fit(IRIS, NOISE)
    assert stopped.n_iter_ < 30
    tail = stopped.validation_loss_curve_[-6:]
    best = min(stopped.validation_loss_curve_[:-6])
    assert min(tail) > best - 1e-4


def test_without_early_stopping_nothing_is_held_out():
    estimator = net(ResNetClassifier, max_epochs=2).fit(IRIS, SPECIES)
    assert not hasattr(estimator, "best_epoch_")
    assert not hasattr(estimator, "validation_loss_curve_")
    estimator.set_params(early_stopping=True).fit(IRIS, SPECIES)
    assert estimator.best_epoch_ in (1, 2)
    estimator.set_params(early_stopping=False).fit(IRIS, SPECIES)
    assert not hasattr(estimator, "best_epoch_")


# Held-out samples --------------------------------------------------------------------------


@pytest.mark.parametrize("seed", range(3))
def test_each_class_keeps_its_share(seed):
    y = np.random.default_rng(seed).permutation(np.repeat([0, 1, 2], [250, 200, 50]))
    shares = shares_of_classes_in_training(y, random_state=seed)
    # 400 samples to train on; each class differs by at most two from its expected number
    np.testing.assert_allclose(400 * shares, [200, 160, 40], atol=2.01)


@pytest.mark.parametrize("seed", range(5))
def test_classes_of_one_row_stay_in_training(seed):
    y = np.array(["a"] * 50 + ["b"] * 47 + ["x", "y", "z"])
    shares = shares_of_classes_in_training(y, random_state=seed)
    np.testing.assert_allclose(80 * shares[2:], [1, 1, 1], rtol=1e-3)
    np.testing.assert_allclose(80 * shares[:2], [40, 37], atol=2.01)


def test_rows_held_out_follow_the_random_state(case):
    Class, X, y = case
    first, second, other = (
        net(Class, early_stopping=True, random_state=seed, max_epochs=2).fit(X, y)
        for seed in (3, 3, 4)
    )
    assert first.validation_loss_curve_ == second.validation_loss_curve_
    assert first.validation_loss_curve_ != other.validation_loss_curve_


def test_share_held_out_is_validation_fraction():
    y = np.repeat([0, 1], [499, 1])
    for fraction in (0.1, 0.5, 0.75):
        shares = shares_of_classes_in_training(y, validation_fraction=fraction)
        # the only sample of its class stays in training; its frequency reveals how many there are
        assert 1 / shares[1] == pytest.approx(500 - np.ceil(fraction * 500), rel=1e-3)


def test_early_stopping_of_a_regressor_holds_rows_out_of_its_scaling():
    y = np.where(np.arange(200) < 20, 1e6, 1.0)
    reg = net(ResNetRegressor, early_stopping=True, lr=1e-12, max_epochs=1)
    mean = reg.fit(np.zeros((200, 1)), y).predict([[0.0]])[0]
    n_large = 160 * (mean - 1) / (1e6 - 1)
    # a whole number of the large ones among 160 rows, other than their share of 16 by chance only
    assert abs(n_large - round(n_large)) < 1e-3
    assert 8 <= n_large <= 20


def test_partial_fit_refuses_early_stopping():
    with pytest.raises(ValueError, match="early_stopping must be False for partial_fit"):
        net(ResNetClassifier, early_stopping=True).partial_fit(IRIS, SPECIES)


# Refit -------------------------------------------------------------------------------------


def assert_same_net(actual, expected, X):
    np.testing.assert_array_equal(raw(actual, X), raw(expected, X))
    np.testing.assert_array_equal(actual.embed(X), expected.embed(X))
    assert actual.loss_curve_ == expected.loss_curve_
    assert actual.n_iter_ == expected.n_iter_


@pytest.mark.parametrize("weighted", [False, True])
def test_refit_is_a_fresh_fit_of_all_rows_for_the_best_number_of_epochs(case, weighted):
    Class, X, y = case
    weight = np.arange(len(X)) % 3 if weighted else None
    refitted = net(Class, early_stopping=True, refit_full=True).fit(X, y, sample_weight=weight)
    stopped = net(Class, early_stopping=True).fit(X, y, sample_weight=weight)
    assert refitted.best_epoch_ == stopped.best_epoch_
    assert refitted.validation_loss_curve_ == stopped.validation_loss_curve_
    fresh = net(Class, max_epochs=refitted.best_epoch_, tol=0.0, n_iter_no_change=100)
    assert_same_net(refitted, fresh.fit(X, y, sample_weight=weight), X)
    assert not np.array_equal(raw(refitted, X), raw(stopped, X))


def test_refit_sees_all_rows():
    y = np.repeat([0, 1, 2], [71, 56, 23])
    shares = shares_of_classes_in_training(y, refit_full=True)
    np.testing.assert_allclose(shares, [71 / 150, 56 / 150, 23 / 150], rtol=1e-6)
    assert not np.allclose(shares_of_classes_in_training(y), shares, rtol=1e-6)


def test_refit_knows_the_categories_of_rows_that_were_held_out():
    X = pd.DataFrame({"kind": pd.Categorical(np.arange(40)), "number": np.arange(40.0)})
    y = np.arange(40) % 2
    outputs = {}
    for refit_full in (False, True):
        clf = net(ResNetClassifier, early_stopping=True, refit_full=refit_full, max_epochs=2)
        same_number = X.assign(number=1.0)
        outputs[refit_full] = clf.fit(X, y).decision_function(same_number)
    # the eight categories that were held out are all the same to the net without a refit
    assert len(np.unique(outputs[False].round(6))) == 33
    assert len(np.unique(outputs[True].round(6))) == 40


def test_refit_in_a_search_is_a_fresh_fit_of_all_rows():
    pipe = make_pipeline(StandardScaler(), net(ResNetClassifier, early_stopping=True))
    pipe.set_params(resnetclassifier__refit_full=True)
    search = GridSearchCV(pipe, {"resnetclassifier__lr": [1e-9, 0.02]}, cv=2).fit(IRIS, SPECIES)
    best = search.best_estimator_[-1]
    assert search.best_params_ == {"resnetclassifier__lr": 0.02}
    fresh = net(ResNetClassifier, max_epochs=best.best_epoch_, tol=0.0, n_iter_no_change=100)
    scaled = StandardScaler().fit_transform(IRIS)
    assert_same_net(best, fresh.fit(scaled, SPECIES), scaled)


def test_refit_without_held_out_samples_has_no_effect():
    clf = net(ResNetClassifier, refit_full=True).fit(IRIS, SPECIES)
    assert_same_net(clf, net(ResNetClassifier).fit(IRIS, SPECIES), IRIS)


def test_refit_draws_the_same_without_a_seed():
    clf = net(ResNetClassifier, early_stopping=True, refit_full=True, random_state=None)
    clf.set_params(max_epochs=3).fit(IRIS, SPECIES)
    assert clf.n_iter_ == clf.best_epoch_


def test_refit_has_no_effect_with_warm_start():
    options = {"early_stopping": True, "warm_start": True}
    clf = net(ResNetClassifier, refit_full=True, **options).fit(IRIS, SPECIES)
    assert_same_net(clf, net(ResNetClassifier, **options).fit(IRIS, SPECIES), IRIS)


# Defaults ----------------------------------------------------------------------------------


def large(n_samples):
    rng = np.random.default_rng(0)
    X = rng.normal(size=(n_samples, 3))
    return X, (X[:, 0] + rng.normal(size=n_samples) > 0).astype(int)


@pytest.mark.parametrize("n_samples", [199, 200])
def test_samples_are_held_out_from_200_on(n_samples):
    X, y = large(n_samples)
    clf = ResNetClassifier(width=8, max_epochs=4, random_state=0).fit(X, y)
    assert hasattr(clf, "best_epoch_") == (n_samples == 200)
    # samples without weight do not count
    weight = np.r_[np.zeros(1), np.ones(n_samples - 1)]
    clf.fit(X, y, sample_weight=weight)
    assert not hasattr(clf, "best_epoch_")


def test_nothing_is_held_out_where_training_continues_or_starts_from_a_fitted_net():
    X, y = large(600)
    clf = ResNetClassifier(width=8, max_epochs=2, random_state=0)
    assert not hasattr(clone(clf).set_params(warm_start=True).fit(X, y), "best_epoch_")
    assert not hasattr(clone(clf).partial_fit(X, y), "best_epoch_")
    tuned = clone(clf).set_params(pretrained=FrozenEstimator(clone(clf).fit(X, y))).fit(X, y)
    assert not hasattr(tuned, "best_epoch_")


def test_the_refit_ends_with_a_cycle_of_the_schedule():
    X, y = large(600)
    clf = ResNetClassifier(width=8, max_epochs=30, random_state=0).fit(X, y)
    curve = np.array(clf.validation_loss_curve_)
    ends = np.array([2, 6, 14, 30])  # a fifteenth, three, seven and all fifteenths, rounded
    assert clf.n_iter_ == ends[curve[ends - 1].argmin()]
    options = {"early_stopping": False, "n_iter_no_change": 100, "random_state": 0}
    rates = []
    clf = ResNetClassifier(width=8, max_epochs=30, callbacks=[RecordRates(rates)], **options)
    clf.fit(X, y)
    assert max(rates[end - 1] for end in ends) < 0.1 * max(rates)


@pytest.mark.parametrize(
    "params, n_epochs",
    [
        ({"n_iter_no_change": 1, "tol": 1e6}, 4),
        ({"n_iter_no_change": 4, "tol": 1e6}, 13),
        ({"n_iter_no_change": 30, "tol": 1e6, "max_epochs": 150}, 70),
        ({"n_iter_no_change": 1, "tol": 1e6, "lr_schedule": "constant", "max_epochs": 10**9}, 3),
        ({"n_iter_no_change": 1, "tol": 1e6, "early_stopping": False}, 4),
    ],
)
def test_training_only_stops_at_the_end_of_a_cycle(params, n_epochs):
    X, y = large(320)
    reg = ResNetRegressor(width=8, random_state=0, refit_full=False, **params).fit(X, y)
    assert reg.n_iter_ == len(reg.loss_curve_) == n_epochs


def test_continued_training_stops_at_the_end_of_a_cycle_of_its_own():
    X, y = large(320)
    options = {"early_stopping": True, "n_iter_no_change": 1, "tol": 1e6, "warm_start": True}
    reg = ResNetRegressor(width=8, random_state=0, **options).fit(X, y)
    assert reg.fit(X, y).n_iter_ == 8


@pytest.mark.parametrize("seed", range(3))
def test_the_last_cycle_is_not_cut_short(seed):
    # one batch per epoch: the loss hardly falls before the long last cycle
    X, y = make_regression(2200, 10, n_informative=1, noise=20.0, random_state=42)
    rows = np.random.default_rng(seed).permutation(2200)
    train, test = rows[:200], rows[200:]
    reg = ResNetRegressor(random_state=0).fit(X[train], y[train])
    assert reg.score(X[test], y[test]) > 0.7  # the noise leaves 0.8


def test_the_refit_does_not_end_before_fine_tuning():
    X, y = large(320)
    noise = np.random.default_rng(1).normal(size=320)
    start = FrozenEstimator(ResNetRegressor(width=8, max_epochs=2, random_state=0).fit(X, y))
    options = {"early_stopping": True, "freeze_epochs": 10, "max_epochs": 16, "random_state": 0}
    reg = ResNetRegressor(pretrained=start, **options).fit(X, noise)
    assert reg.n_iter_ > 10


@pytest.mark.parametrize("lr_schedule", ["constant", "coslog4", "cosine", "onecycle", "plateau"])
def test_a_single_step_changes_the_net(lr_schedule):
    X, y = large(100)
    options = {"max_epochs": 1, "lr_schedule": lr_schedule, "width": 8, "random_state": 0}
    outputs = [
        ResNetClassifier(lr=lr, **options).fit(X, y).decision_function(X) for lr in (1e-2, 1e-12)
    ]
    assert abs(outputs[0] - outputs[1]).max() > 1e-3


def test_dense_and_sparse_samples_may_follow_one_another():
    X, y = large(100)
    clf = ResNetClassifier(width=8, max_epochs=1, random_state=0).fit(X, y)
    clf.partial_fit(sp.csr_array(X), y)
    clf = ResNetClassifier(width=8, max_epochs=1, random_state=0).fit(sp.csr_array(X), y)
    clf.partial_fit(X, y)
