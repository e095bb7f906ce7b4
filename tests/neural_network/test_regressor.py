"""ResNetRegressor: losses, units, several outputs, weights, errors."""

import numpy as np
import pandas as pd
import polars as pl
import pytest
import sklearn
from scipy import stats
from sklearn import metrics
from sklearn.datasets import load_diabetes, make_regression
from sklearn.exceptions import DataConversionWarning
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from small_regressors import full_batch, small

X, Y = (part[:200] for part in load_diabetes(return_X_y=True))
SHIFTED = np.column_stack([Y, 1e-3 * X[:, 2] - 5, 1e6 * X[:, 3]])


def assert_equal_nets(actual, expected, rtol=1e-6):
    scale = np.ptp(expected.predict(X), axis=0)
    gap = np.abs(actual.predict(X) - expected.predict(X)) / scale
    assert gap.max() < rtol


# Known answers -----------------------------------------------------------------------------


def test_a_smooth_function_is_learned():
    rng = np.random.default_rng(0)
    points = rng.uniform(-2, 2, size=(2000, 3))
    y = np.sin(2 * points[:, 0]) * points[:, 1] + points[:, 2] ** 2
    train, test = slice(0, 1000), slice(1000, 2000)
    options = {"n_blocks": 2, "width": 32, "dropout": 0.0, "lr_schedule": "cosine"}
    reg = small(max_epochs=40, batch_size=64, lr=5e-3, **options).fit(points[train], y[train])
    assert reg.score(points[test], y[test]) > 0.97


@pytest.mark.parametrize("quantile", [0.1, 0.5, 0.9])
def test_quantile_loss_covers_its_quantile_where_the_spread_is_not_constant(quantile):
    rng = np.random.default_rng(0)
    n_rows = 3000
    rows = rng.uniform(-2, 2, size=(2 * n_rows, 1))
    spread = 0.3 + np.abs(rows[:, 0])
    y = rows[:, 0] + spread * rng.normal(size=2 * n_rows)
    train, test = slice(0, n_rows), slice(n_rows, None)
    options = {"batch_size": 64, "lr": 5e-3, "lr_schedule": "cosine", "dropout": 0.0}
    reg = small(loss="quantile", quantile=quantile, max_epochs=15, **options)
    reg.fit(rows[train], y[train])
    covered = y[test] <= reg.predict(rows[test])
    deviation = np.sqrt(quantile * (1 - quantile))
    # the fraction of new samples below the quantile of as many others: both parts are random
    assert abs(covered.mean() - quantile) < 4 * deviation * np.sqrt(2 / n_rows)
    # in each third of the rows as well, which a quantile of constant width does not
    for third in np.array_split(np.argsort(np.abs(rows[test, 0])), 3):
        assert abs(covered[third].mean() - quantile) < 4 * deviation * np.sqrt(2 / len(third))
    truth = rows[test, 0] + spread[test] * stats.norm.ppf(quantile)
    assert np.corrcoef(truth, reg.predict(rows[test]))[0, 1] > 0.95


@pytest.fixture(scope="module")
def skewed():
    """Two groups of rows with skewed targets, and what each loss predicts for them."""
    rng = np.random.default_rng(0)
    group = np.arange(1000) % 2
    y = rng.lognormal(sigma=1.0, size=1000) * (1 + 2 * group)
    options = {"dropout": 0.0, "norm": "layer", "lr_schedule": "cosine", "max_epochs": 300}
    options |= {"tol": 0.0, "n_iter_no_change": 300}
    predictions = {
        loss: full_batch(loss=loss, quantile=0.8, **options)
        .fit(group[:, None], y)
        .predict([[0], [1]])
        for loss in ("squared_error", "absolute_error", "huber", "quantile")
    }
    return predictions, [y[group == number] for number in (0, 1)]


@pytest.mark.parametrize(
    "loss, best",
    [
        ("squared_error", np.mean),
        ("absolute_error", np.median),
        ("quantile", lambda y: np.quantile(y, 0.8)),
    ],
)
def test_predictions_are_what_is_best_for_the_loss(loss, best, skewed):
    predictions, groups = skewed
    expected = [best(y) for y in groups]
    np.testing.assert_allclose(predictions[loss], expected, rtol=0.03)


def test_huber_predicts_between_median_and_mean(skewed):
    predictions, groups = skewed
    for number, y in enumerate(groups):
        assert np.median(y) < predictions["huber"][number] < np.mean(y)
    low, middle, high = (predictions[loss] for loss in ("absolute_error", "huber", "squared_error"))
    assert (1.02 * low < middle).all() and (1.02 * middle < high).all()


def mean_huber(y, y_hat):
    distance = np.abs(y - y_hat)
    return np.where(distance < 1, distance**2 / 2, distance - 1 / 2).mean()


@pytest.mark.parametrize(
    "loss, metric",
    [
        ("squared_error", metrics.mean_squared_error),
        ("absolute_error", metrics.mean_absolute_error),
        ("huber", mean_huber),
        ("quantile", lambda y, y_hat: metrics.mean_pinball_loss(y, y_hat, alpha=0.7)),
    ],
)
@pytest.mark.parametrize("target", [Y, SHIFTED], ids=["one output", "three outputs"])
def test_loss_curve_is_the_loss_of_standardised_targets(target, loss, metric):
    options = {"norm": "layer", "dropout": 0.0, "warm_start": True}
    reg = small(loss=loss, quantile=0.7, **options).fit(X, target)
    # a step of next to nothing: the loss of the epoch is that of the fitted net
    reg.set_params(lr=1e-12, max_epochs=1, batch_size=1000).fit(X, target)
    mean, scale = target.mean(axis=0), target.std(axis=0)
    expected = metric((target - mean) / scale, (reg.predict(X) - mean) / scale)
    assert reg.loss_curve_[-1] == pytest.approx(expected, rel=1e-4)


def test_head_on_what_embed_gives_is_the_prediction():
    reg = small().fit(X, SHIFTED)
    Z = reg.embed(X)
    assert Z.shape == (200, 16)
    head = reg.module_.head
    outputs = Z @ head.weight.detach().numpy().T + head.bias.detach().numpy()
    expected = outputs * SHIFTED.std(axis=0) + SHIFTED.mean(axis=0)
    np.testing.assert_allclose((reg.predict(X) - expected) / SHIFTED.std(axis=0), 0, atol=1e-5)


# Targets -----------------------------------------------------------------------------------


@pytest.mark.parametrize("unit, origin", [(1e-9, 0), (1e9, 0), (-1, 0), (1, 1e6), (1e-30, 1e-25)])
def test_predictions_follow_unit_and_origin_of_the_targets(unit, origin):
    expected = full_batch(max_epochs=30).fit(X, Y)
    moved = full_batch(max_epochs=30).fit(X, unit * Y + origin)
    np.testing.assert_allclose(moved.loss_curve_, expected.loss_curve_, rtol=1e-4)
    back = (moved.predict(X) - origin) / unit
    np.testing.assert_allclose(back, expected.predict(X), rtol=1e-3)
    assert moved.score(X, unit * Y + origin) > 0.3


@pytest.mark.parametrize("value", [0.0, 7.0, -1e30, 1e-30])
def test_constant_targets_are_predicted(value):
    reg = small().fit(X, np.full(200, value))
    np.testing.assert_allclose(reg.predict(X), np.full(200, value), rtol=1e-6, atol=1e-6)
    assert all(np.isfinite(reg.loss_curve_))


def test_targets_that_are_too_large_are_an_error_that_names_them():
    with pytest.raises(ValueError, match="y must be"):
        small().fit(X, 1e300 * Y)


@pytest.mark.parametrize(
    "make", [pd.Series, pl.Series, list, lambda y: y.astype(np.float32), lambda y: y.astype(int)]
)
def test_targets_of_any_container(make):
    target = np.round(Y)
    expected = small().fit(X, target).predict(X)
    np.testing.assert_allclose(small().fit(X, make(target)).predict(X), expected, rtol=1e-6)


def test_column_of_targets_is_taken_with_a_warning():
    with pytest.warns(DataConversionWarning, match="column-vector y was passed"):
        reg = small().fit(X, Y[:, None])
    assert reg.predict(X).shape == (200,)
    np.testing.assert_array_equal(reg.predict(X), small().fit(X, Y).predict(X))


@pytest.mark.parametrize("make", [np.asarray, pd.DataFrame, pl.DataFrame, np.ndarray.tolist])
def test_several_outputs_have_units_of_their_own(make):
    reg = full_batch(max_epochs=80).fit(X, make(SHIFTED))
    predictions = reg.predict(X)
    assert predictions.shape == (200, 3) and predictions.dtype == np.float64
    scores = metrics.r2_score(SHIFTED, predictions, multioutput="raw_values")
    assert scores.min() > 0.4
    units = np.array([1e3, 1e-3, 1.0])
    moved = full_batch(max_epochs=80).fit(X, SHIFTED * units).predict(X)
    np.testing.assert_allclose(moved / units / SHIFTED.std(0), predictions / SHIFTED.std(0),
                               rtol=1e-3, atol=1e-3)  # fmt: skip


def test_constant_output_beside_others_is_predicted():
    target = np.column_stack([Y, np.full(200, 3.0)])
    predictions = small(max_epochs=20, lr=1e-2).fit(X, target).predict(X)
    np.testing.assert_allclose(predictions[:, 1], 3.0, atol=1e-3)
    assert metrics.r2_score(Y, predictions[:, 0]) > 0.4


@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.int64])
def test_predictions_are_float64_for_any_rows(dtype):
    rows = np.round(20 * X).astype(dtype)
    predictions = small().fit(rows, Y).predict(rows)
    assert predictions.dtype == np.float64
    expected = small().fit(rows.astype(float), Y).predict(rows.astype(float))
    np.testing.assert_allclose(predictions, expected, rtol=1e-4)


@pytest.mark.parametrize(
    "target, match",
    [
        (None, "requires y to be passed"),
        (np.full(200, "2020", dtype="datetime64[D]"), "y must be numeric; got dates or times"),
        (np.where(Y > 100, np.nan, Y), "y contains NaN"),
        (np.where(Y > 100, np.inf, Y), "y contains infinity"),
        (np.where(Y > 100, "a", "b"), "could not convert string"),
        (Y[:50], "inconsistent numbers of samples"),
        (np.zeros((200, 2, 2)), "dim 3"),
    ],
    ids=["None", "dates", "NaN", "infinite", "strings", "short", "three-dimensional"],
)
def test_targets_that_are_no_numbers_are_refused(target, match):
    reg = small()
    with pytest.raises((TypeError, ValueError), match=match):
        reg.fit(X, target)
    assert not hasattr(reg, "module_")


def test_quantile_loss_needs_a_quantile():
    with pytest.raises(ValueError, match=r"quantile must be .* for loss='quantile'; got None"):
        small(loss="quantile").fit(X, Y)
    for quantile in (0, 1, -0.1, "half"):
        with pytest.raises(ValueError, match="'quantile' parameter"):
            small(loss="quantile", quantile=quantile).fit(X, Y)


# Weights -----------------------------------------------------------------------------------


@pytest.mark.parametrize("loss", ["squared_error", "absolute_error", "huber", "quantile"])
def test_weights_are_repetitions_and_zero_is_removal(loss):
    weight = np.random.default_rng(0).integers(0, 4, size=200)
    order = np.repeat(np.arange(200), weight)
    options = {"loss": loss, "quantile": 0.7}
    for target in (Y, SHIFTED):
        weighted = full_batch(**options).fit(X, target, sample_weight=weight)
        assert_equal_nets(weighted, full_batch(**options).fit(X[order], target[order]))
        with pytest.raises(AssertionError):
            assert_equal_nets(weighted, full_batch(**options).fit(X, target))


@pytest.mark.parametrize("loss", ["squared_error", "absolute_error", "huber"])
@pytest.mark.parametrize("weight", [0.0, 1e-300])
def test_targets_of_hardly_any_weight_may_be_anything(weight, loss):
    rows, weights = np.vstack([X[:1], X]), np.r_[weight, np.ones(len(Y))]
    near, far = (
        full_batch(loss=loss).fit(rows, np.r_[target, Y], sample_weight=weights)
        for target in (0.0, 1e100)
    )
    assert near.loss_curve_ == far.loss_curve_
    np.testing.assert_array_equal(near.predict(X), far.predict(X))


def test_weights_are_routed_through_a_pipeline_and_a_search():
    weight = np.random.default_rng(0).uniform(0.1, 5, size=200)
    scaled = StandardScaler().fit_transform(X)
    expected = full_batch().fit(scaled, Y, sample_weight=weight).predict(scaled)
    with sklearn.config_context(enable_metadata_routing=True):
        net = full_batch().set_fit_request(sample_weight=True).set_score_request(sample_weight=True)
        pipe = make_pipeline(StandardScaler().set_fit_request(sample_weight=False), net)
        grid = {"resnetregressor__loss": ["squared_error"]}
        for routed in (pipe, GridSearchCV(pipe, grid, cv=2, error_score="raise")):
            predictions = routed.fit(X, Y, sample_weight=weight).predict(X)
            np.testing.assert_allclose(predictions, expected, rtol=1e-6)


# Continued training ------------------------------------------------------------------------


def test_warm_start_goes_on_in_the_units_of_the_first_fit():
    reg = small(warm_start=True, batch_size=32).fit(X, Y).set_params(max_epochs=4).fit(X, Y)
    whole = small(batch_size=32, max_epochs=9).fit(X, Y)
    assert reg.n_iter_ == 9 and reg.loss_curve_ == whole.loss_curve_
    np.testing.assert_array_equal(reg.predict(X), whole.predict(X))
    # a loss in the old units: targets ten times as large are far from what was learned
    reg.fit(X, 10 * Y)
    assert reg.loss_curve_[9] > 50


def test_partial_fit_is_an_epoch_in_the_units_of_the_first_call():
    reg = small(lr=0.01)
    for _ in range(60):
        reg.partial_fit(X, Y)
    assert reg.n_iter_ == 60 and reg.score(X, Y) > 0.4
    expected = small(max_epochs=1).fit(X, Y).predict(X)
    np.testing.assert_array_equal(small().partial_fit(X, Y).predict(X), expected)


def test_other_number_of_outputs_is_refused_behind_the_first_fit():
    reg = small(warm_start=True).fit(X, SHIFTED)
    for method in (reg.fit, reg.partial_fit):
        with pytest.raises(ValueError, match="y must have 3 columns"):
            method(X, Y)
    assert reg.n_iter_ == 5


def test_more_features_than_rows_work():
    rows, target = make_regression(20, 300, random_state=0)
    assert np.isfinite(small().fit(rows, target).predict(rows)).all()
