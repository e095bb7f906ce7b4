"""ResNetRegressor: several quantiles, and normal distributions."""

import pickle

import numpy as np
import pytest
from scipy import stats
from sklearn import metrics
from sklearn.base import clone
from sklearn.datasets import load_diabetes
from sklearn.frozen import FrozenEstimator
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from small_regressors import full_batch, small

from skdeep.model_selection import BatchedGridSearchCV
from skdeep.persistence import load, save

X, Y = (part[:200] for part in load_diabetes(return_X_y=True))
SEVERAL = np.column_stack([Y, 1e-3 * X[:, 2] - 5, 1e6 * X[:, 3]])
LEVELS = [0.05, 0.5, 0.95]
LOSSES = {
    "quantiles": {"loss": "quantile", "quantile": LEVELS},
    "two quantiles": {"loss": "quantile", "quantile": (0.1, 0.9)},
    "gaussian": {"loss": "gaussian"},
}
each_loss = pytest.mark.parametrize("loss", LOSSES.values(), ids=LOSSES)
each_target = pytest.mark.parametrize("y", [Y, SEVERAL], ids=["one output", "three outputs"])


def quantiles(reg, rows=X):
    """Quantiles that every net with one of the losses predicts."""
    return reg.predict(rows, quantiles=[0.1, 0.3, 0.9])


def assert_equal_nets(actual, expected, rtol=1e-6):
    scale = np.ptp(expected.predict(X), axis=0)
    gap = np.abs(quantiles(actual) - quantiles(expected)) / scale[..., np.newaxis]
    assert gap.max() < rtol


# Known answers -----------------------------------------------------------------------------


@pytest.fixture(scope="module")
def noisy():
    """Normally distributed targets whose spread depends on the sample, and their parameters."""
    rng = np.random.default_rng(0)
    rows = rng.uniform(-2, 2, size=(6000, 1))
    spread = 0.3 + np.abs(rows[:, 0])
    return rows, rows[:, 0] + spread * rng.normal(size=6000), spread


@each_loss
def test_quantiles_cover_their_fraction_where_the_spread_is_not_constant(loss, noisy):
    rows, y, spread = noisy
    options = {"batch_size": 64, "lr": 5e-3, "lr_schedule": "cosine", "dropout": 0.0}
    reg = small(max_epochs=15, **options, **loss).fit(rows[:3000], y[:3000])
    for level in (0.1, 0.9):
        found = reg.predict(rows[3000:], quantiles=[level])[:, 0]
        covered = y[3000:] <= found
        deviation = np.sqrt(level * (1 - level))
        for third in np.array_split(np.argsort(spread[3000:]), 3):
            error = abs(covered[third].mean() - level)
            assert error < 4 * deviation * np.sqrt(2 / len(third))
        truth = rows[3000:, 0] + spread[3000:] * stats.norm.ppf(level)
        assert np.corrcoef(truth, found)[0, 1] > 0.95


def test_mean_and_standard_deviation_of_groups_are_learned():
    rng = np.random.default_rng(0)
    group = np.arange(1000) % 2
    y = 50 + 20 * group + (1 + 4 * group) * rng.normal(size=1000)
    options = {"dropout": 0.0, "norm": "layer", "lr_schedule": "cosine", "max_epochs": 300}
    options |= {"tol": 0.0, "n_iter_no_change": 300}
    reg = full_batch(loss="gaussian", **options).fit(group[:, None], y)
    mean, std = reg.predict([[0], [1]], return_std=True)
    groups = [y[group == number] for number in (0, 1)]
    np.testing.assert_allclose(mean, [np.mean(one) for one in groups], rtol=0.01)
    np.testing.assert_allclose(std, [np.std(one) for one in groups], rtol=0.05)


@each_target
def test_loss_curve_of_quantiles_is_the_mean_pinball_loss_of_standardized_targets(y):
    options = {"norm": "layer", "dropout": 0.0, "warm_start": True}
    reg = small(**LOSSES["quantiles"], **options).fit(X, y)
    reg.set_params(lr=1e-12, max_epochs=1, batch_size=1000).fit(X, y)
    found = np.moveaxis(reg.predict(X, quantiles=LEVELS), -1, 0)
    mean, scale = y.mean(axis=0), y.std(axis=0)
    expected = [
        metrics.mean_pinball_loss((y - mean) / scale, (one - mean) / scale, alpha=level)
        for one, level in zip(found, LEVELS, strict=True)
    ]
    assert reg.loss_curve_[-1] == pytest.approx(np.mean(expected), rel=1e-4)


@each_target
def test_loss_curve_of_normal_distributions_is_the_negative_log_likelihood(y):
    options = {"norm": "layer", "dropout": 0.0, "warm_start": True}
    reg = small(loss="gaussian", **options).fit(X, y)
    reg.set_params(lr=1e-12, max_epochs=1, batch_size=1000).fit(X, y)
    mean, std = reg.predict(X, return_std=True)
    expected = -stats.norm.logpdf(y, mean, std) - np.log(y.std(axis=0))
    assert reg.loss_curve_[-1] == pytest.approx(expected.mean(), rel=1e-4)


# Predictions -------------------------------------------------------------------------------


@pytest.mark.parametrize("lr", [1e-3, 0.3])
@pytest.mark.parametrize("n_quantiles", [1, 2, 3, 4, 20])
def test_quantiles_never_cross(n_quantiles, lr):
    levels = np.linspace(0.01, 0.99, n_quantiles + 2)[1:-1]
    reg = small(loss="quantile", quantile=levels, lr=lr, max_epochs=20).fit(X, Y)
    far = 1e3 * np.random.default_rng(0).normal(size=(500, 10))
    wanted = np.sort(np.r_[levels, np.linspace(levels[0], levels[-1], 50)])
    for rows in (X, far):
        found = reg.predict(rows, quantiles=wanted)
        assert found.shape == (len(rows), len(wanted))
        assert (np.diff(found, axis=1) >= 0).all()


@pytest.mark.parametrize(
    "quantile, level",
    [(0.8, 0.8), ([0.8], 0.8), ([0.8, 0.9], 0.8), ([0.1, 0.2, 0.3], 0.3), (LEVELS, 0.5),
     ((0.1, 0.9), 0.5), ([0.1, 0.4, 0.8, 0.9], 0.5)],
)  # fmt: skip
def test_predict_returns_the_median_or_the_quantile_closest_to_it(quantile, level):
    reg = small(loss="quantile", quantile=quantile).fit(X, Y)
    np.testing.assert_array_equal(reg.predict(X), reg.predict(X, quantiles=[level])[:, 0])


def test_quantiles_between_fitted_ones_are_those_of_a_normal_distribution():
    reg = small(loss="quantile", quantile=[0.1, 0.6]).fit(X, Y)
    low, high, between = reg.predict(X, quantiles=[0.1, 0.6, 0.4]).T
    z_low, z, z_high = stats.norm.ppf([0.1, 0.4, 0.6])
    np.testing.assert_allclose(between, low + (high - low) * (z - z_low) / (z_high - z_low))


def test_quantiles_of_a_normal_distribution_follow_from_mean_and_standard_deviation():
    reg = small(loss="gaussian").fit(X, Y)
    mean, std = reg.predict(X, return_std=True)
    np.testing.assert_array_equal(mean, reg.predict(X))
    expected = stats.norm.ppf([[0.001, 0.5, 0.9]], mean[:, None], std[:, None])
    np.testing.assert_allclose(reg.predict(X, quantiles=[0.001, 0.5, 0.9]), expected)


@each_loss
def test_several_outputs_have_quantiles_of_their_own(loss):
    reg = full_batch(max_epochs=80, **loss).fit(X, SEVERAL)
    found = quantiles(reg)
    assert found.shape == (200, 3, 3)
    assert reg.predict(X).shape == (200, 3)
    covered = (SEVERAL[..., None] <= found[..., ::2]).mean(axis=0)
    np.testing.assert_allclose(covered, [[0.1, 0.9]] * 3, atol=0.15)
    if loss["loss"] == "gaussian":
        mean, std = reg.predict(X, return_std=True)
        assert mean.shape == std.shape == (200, 3)


@pytest.mark.parametrize("loss", ["squared_error", "absolute_error", "huber", "quantile"])
def test_a_net_without_standard_deviations_names_the_remedy(loss):
    reg = small(loss=loss, quantile=0.5).fit(X, Y).set_params(loss="gaussian")
    with pytest.raises(ValueError, match=f"requires loss='gaussian'.*loss='{loss}'"):
        reg.predict(X, return_std=True)


def test_wrong_quantiles_are_errors():
    mean = small().fit(X, Y)
    with pytest.raises(ValueError, match="require loss='quantile' or loss='gaussian'; got"):
        mean.predict(X, quantiles=[0.5])
    one = small(loss="quantile", quantile=0.9).fit(X, Y)
    assert one.predict(X, quantiles=[0.9]).shape == (200, 1)
    several = small(loss="quantile", quantile=LEVELS).fit(X, Y)
    for reg, level in ((one, 0.8), (several, 0.01), (several, 0.99)):
        with pytest.raises(ValueError, match=f"within the range of the fitted.*got {level}"):
            reg.predict(X, quantiles=[level])
    for reg in (several, small(loss="gaussian").fit(X, Y)):
        for wrong in (0.5, [], [0.0], [1.0], [np.nan], ["half"], [[0.5]]):
            with pytest.raises(ValueError, match="quantiles must be a sequence of numbers between"):
                reg.predict(X, quantiles=wrong)
        with pytest.raises(ValueError, match="return_std must be False if quantiles are given"):
            reg.predict(X, return_std=True, quantiles=[0.5])


@pytest.mark.parametrize("levels", [LEVELS, [0.1, 0.3, 0.9], [1e-9, 1e-8, 0.999], [0.9, 0.95]])
def test_levels_may_be_rounded_to_single_precision(levels):
    rounded = np.array(levels, dtype=np.float32)
    for fitted, asked in ((levels, rounded), (rounded, levels)):
        reg = small(loss="quantile", quantile=fitted).fit(X, Y)
        expected = reg.predict(X, quantiles=fitted)
        np.testing.assert_array_equal(reg.predict(X, quantiles=asked), expected)
        assert (np.diff(expected) > 0).all()
    for outside in (levels[0] * (1 - 1e-6), levels[-1] * (1 + 1e-6)):
        with pytest.raises(ValueError, match="within the range of the fitted"):
            reg.predict(X, quantiles=[outside])


@each_loss
@each_target
def test_samples_and_targets_in_single_precision_are_treated_as_in_double(loss, y):
    rows, y = X.astype(np.float32), y.astype(np.float32)
    reg = small(**loss).fit(rows, y)
    expected = small(**loss).fit(rows.astype(np.float64), y.astype(np.float64))
    assert reg.loss_curve_ == expected.loss_curve_
    assert reg.predict(rows).dtype == quantiles(reg, rows).dtype == np.float64
    np.testing.assert_array_equal(quantiles(reg, rows), quantiles(expected, rows))
    assert (np.diff(quantiles(reg, rows)) >= 0).all()


@pytest.mark.parametrize(
    "quantile", [[], [0.5, 0.5], [0.9, 0.1], [0.0, 0.5], [0.5, 1], [np.nan], ["a"], [[0.5]]]
)
def test_quantiles_to_fit_must_increase_between_zero_and_one(quantile):
    with pytest.raises(ValueError, match="quantile must be"):
        small(loss="quantile", quantile=quantile).fit(X, Y)


# Targets -----------------------------------------------------------------------------------


@each_loss
@pytest.mark.parametrize("unit, origin", [(1e-9, 0), (1e9, 0), (1, 1e6), (1e-30, 1e-25)])
def test_quantiles_follow_unit_and_origin_of_the_targets(loss, unit, origin):
    expected = full_batch(**loss).fit(X, Y)
    moved = full_batch(**loss).fit(X, unit * Y + origin)
    back = (quantiles(moved) - origin) / unit
    np.testing.assert_allclose(back, quantiles(expected), rtol=1e-3)


@each_loss
@pytest.mark.parametrize("value", [0.0, 7.0, -1e30, 1e-30])
@pytest.mark.parametrize("n_samples", [1, 200])
def test_constant_targets_are_predicted(loss, value, n_samples):
    reg = small(max_epochs=50, **loss).fit(X[:n_samples], np.full(n_samples, value))
    assert np.isfinite(reg.loss_curve_).all()
    np.testing.assert_allclose(quantiles(reg), value, rtol=1e-6, atol=0.05)
    assert (np.diff(quantiles(reg)) >= 0).all()


def test_the_likelihood_of_exact_targets_is_bounded():
    rows = np.linspace(-1, 1, 200)[:, None]
    options = {"lr": 0.02, "max_epochs": 500, "batch_size": 50, "tol": 0.0, "dropout": 0.0}
    reg = small(loss="gaussian", **options).fit(rows, rows[:, 0] > 0)
    _, std = reg.predict(rows, return_std=True)
    assert np.isfinite(reg.loss_curve_).all()
    assert (std >= 1e-3 * 0.5).all() and std.min() < 0.05


@each_loss
def test_far_targets_and_samples_have_finite_results(loss):
    y = np.where(np.arange(200) == 3, 1e30, Y)
    reg = small(**loss).fit(X, y)
    assert np.isfinite(quantiles(reg)).all()
    assert np.isfinite(quantiles(small(**loss).fit(X, Y), 1e20 * X)).all()


# Weights -----------------------------------------------------------------------------------


@each_loss
@each_target
def test_weights_are_repetitions_and_zero_is_removal(loss, y):
    weight = np.random.default_rng(0).integers(0, 4, size=200)
    order = np.repeat(np.arange(200), weight)
    weighted = full_batch(**loss).fit(X, y, sample_weight=weight)
    assert_equal_nets(weighted, full_batch(**loss).fit(X[order], y[order]))
    with pytest.raises(AssertionError):
        assert_equal_nets(weighted, full_batch(**loss).fit(X, y))


@each_loss
@pytest.mark.parametrize("weight", [0.0, 1e-300])
def test_targets_of_hardly_any_weight_may_be_anything(weight, loss):
    rows, weights = np.vstack([X[:1], X]), np.r_[weight, np.ones(len(Y))]
    near, far = (
        full_batch(**loss).fit(rows, np.r_[target, Y], sample_weight=weights)
        for target in (0.0, 1e100)
    )
    assert near.loss_curve_ == far.loss_curve_
    np.testing.assert_array_equal(quantiles(near), quantiles(far))


# Training in parts, copies and searches ----------------------------------------------------


@each_loss
def test_warm_start_and_partial_fit_continue(loss):
    reg = small(warm_start=True, batch_size=32, **loss).fit(X, Y).set_params(max_epochs=4).fit(X, Y)
    whole = small(batch_size=32, max_epochs=9, **loss).fit(X, Y)
    assert reg.loss_curve_ == whole.loss_curve_
    np.testing.assert_array_equal(quantiles(reg), quantiles(whole))
    parts = small(**loss)
    for _ in range(3):
        parts.partial_fit(X, Y)
    np.testing.assert_array_equal(
        quantiles(parts), quantiles(small(max_epochs=3, **loss).fit(X, Y))
    )


@pytest.mark.parametrize(
    "other",
    [{"loss": "squared_error"}, {"quantile": 0.5}, {"quantile": (0.1, 0.9)}, {"loss": "gaussian"}],
)
def test_training_does_not_continue_with_another_number_of_results(other):
    reg = small(warm_start=True, **LOSSES["quantiles"]).fit(X, Y)
    before = quantiles(reg)
    reg.set_params(**other)
    for method in (reg.fit, reg.partial_fit):
        with pytest.raises(ValueError, match=r"quantile=\(0.05, 0.5, 0.95\); got loss=.*clone"):
            method(X, Y)
    np.testing.assert_array_equal(quantiles(reg), before)


def test_predictions_are_those_of_the_fitted_quantiles_until_the_next_fit():
    reg = small(warm_start=True, **LOSSES["quantiles"]).fit(X, Y)
    before = reg.predict(X, quantiles=LEVELS)
    reg.set_params(quantile=[0.2, 0.5, 0.8])
    np.testing.assert_array_equal(reg.predict(X, quantiles=LEVELS), before)
    reg.fit(X, Y)
    with pytest.raises(ValueError, match="within the range"):
        reg.predict(X, quantiles=LEVELS)


@each_loss
def test_copies_predict_the_same(loss, tmp_path):
    reg = small(**loss).fit(X, Y)
    save(reg, tmp_path / "net.skdeep")
    for copied in (pickle.loads(pickle.dumps(reg)), load(tmp_path / "net.skdeep")):
        np.testing.assert_array_equal(quantiles(copied), quantiles(reg))
        assert copied.get_params()["quantile"] == reg.quantile
    np.testing.assert_array_equal(quantiles(clone(reg).fit(X, Y)), quantiles(reg))
    np.testing.assert_array_equal(quantiles(reg, X[7:8]), quantiles(reg)[7:8])


@each_loss
def test_early_stopping_refit_and_pretrained_trunks(loss):
    options = {"early_stopping": True, "refit_full": True, "max_epochs": 20, "lr": 0.01}
    reg = small(**options, **loss).fit(X, Y)
    curve = reg.validation_loss_curve_
    assert reg.best_epoch_ == np.argmin(curve) + 1
    tuned = small(pretrained=FrozenEstimator(reg), freeze_epochs=2, loss="quantile", quantile=0.5)
    assert tuned.fit(X, Y).predict(X).shape == (200,)
    start = FrozenEstimator(small().fit(X, Y))
    assert quantiles(small(pretrained=start, freeze_epochs=2, **loss).fit(X, Y)).shape == (200, 3)


@each_loss
@each_target
def test_a_batched_search_returns_what_a_grid_search_returns(loss, y, capsys):
    grid = {"lr": [0.01, 0.03], "dropout": [0.0, 0.1]}
    net = small(batch_size=31, early_stopping=True, **loss)
    theirs = GridSearchCV(net, grid, cv=3).fit(X, y)
    ours = BatchedGridSearchCV(net, grid, cv=3, verbose=1).fit(X, y)
    assert "trained in stacks" in capsys.readouterr().out
    scores = "mean_test_score"
    np.testing.assert_array_equal(ours.cv_results_[scores], theirs.cv_results_[scores])
    np.testing.assert_array_equal(
        quantiles(ours.best_estimator_), quantiles(theirs.best_estimator_)
    )


def test_a_search_over_losses_and_quantiles_returns_what_a_grid_search_returns():
    grid = [{"quantile": [0.5, LEVELS, [0.1, 0.5]], "lr": [0.01, 0.03]}, {"loss": ["gaussian"]}]
    net = small(loss="quantile")
    theirs, ours = (
        Search(net, grid, cv=2, refit=False).fit(X, Y)
        for Search in (GridSearchCV, BatchedGridSearchCV)
    )
    scores = "mean_test_score"
    np.testing.assert_array_equal(ours.cv_results_[scores], theirs.cv_results_[scores])


def test_a_pipeline_passes_the_arguments_of_predict():
    pipe = make_pipeline(StandardScaler(), small(loss="gaussian")).fit(X, Y)
    mean, std = pipe.predict(X, return_std=True)
    assert mean.shape == std.shape == (200,)
    assert pipe.predict(X, quantiles=[0.1, 0.9]).shape == (200, 2)
