"""Quantile scaling, bins, and the sample of rows that they are learned from."""

import numpy as np
import pytest
import scipy.sparse as sp
from scipy import stats
from scipy.special import ndtri

from skdeep._preprocessing._distribution import bin_edges, sample_rows
from skdeep._preprocessing._quantile import QuantileScaler
from skdeep._preprocessing._scaler import scaler_from_state


def generator(seed=0):
    return np.random.default_rng(seed)


def fit(X, weight=None, seed=0):
    return QuantileScaler.fit(X, weight, rng=generator(seed))


@pytest.fixture
def X():
    return generator().normal(size=(300, 3))


# Quantiles ---------------------------------------------------------------------------------


def test_quantile_scaler_gives_normal_scores_of_mid_ranks():
    X = generator().integers(0, 30, size=(200, 2)).astype(float)  # with ties
    ranks = stats.rankdata(X, axis=0)
    np.testing.assert_allclose(fit(X).to_tensor(X), ndtri((ranks - 0.5) / 200), rtol=1e-6)


def test_quantile_scaler_puts_ties_at_the_middle_of_their_step():
    X = np.array([[1.0], [1.0], [2.0], [3.0]])
    expected = ndtri([[0.25], [0.25], [0.625], [0.875]])
    np.testing.assert_allclose(fit(X).to_tensor(X), expected, rtol=1e-6)


def test_quantile_scaler_is_linear_between_values_and_constant_outside(X):
    scaler = fit(np.array([[0.0], [1.0], [3.0]]))
    low, middle, high = scaler.to_tensor(np.array([[0.0], [1.0], [3.0]])).ravel().tolist()
    new = scaler.to_tensor(np.array([[-9.0], [2.0], [3.5], [1e300]])).ravel()
    np.testing.assert_allclose(new, [low, (middle + high) / 2, high, high], rtol=1e-6)


def test_quantile_scaler_is_monotone(X):
    grid = np.linspace(-5, 5, 2001)[:, None]
    scaler = fit(X[:, :1])
    assert (np.diff(scaler.to_tensor(grid).numpy(), axis=0) >= 0).all()
    known = np.sort(X[:, :1], axis=0)
    assert (np.diff(scaler.to_tensor(known).numpy(), axis=0) > 0).all()


@pytest.mark.parametrize(
    "transform",
    [np.exp, lambda X: X**3, lambda X: 1e6 * X - 4, np.arctan, lambda X: np.sinh(100 * X)],
    ids=["exp", "cube", "affine", "arctan", "sinh"],
)
def test_quantile_scaler_does_not_see_increasing_transforms_of_a_feature(transform, X):
    expected = fit(X).to_tensor(X)
    moved = transform(X)
    np.testing.assert_array_equal(fit(moved).to_tensor(moved), expected)


def test_quantile_scaler_does_not_depend_on_the_order_of_rows(X):
    order = generator(1).permutation(300)
    np.testing.assert_array_equal(fit(X[order]).to_tensor(X), fit(X).to_tensor(X))


@pytest.mark.parametrize("n_values", [20, 10_000], ids=["ties", "no ties"])
def test_quantile_scaler_takes_a_weight_for_a_repetition(n_values):
    X = generator().integers(0, n_values, size=(400, 2)).astype(float)
    weight = generator(1).integers(0, 4, size=400)
    weighted = fit(X, weight.astype(float)).to_tensor(X)
    np.testing.assert_allclose(
        weighted, fit(np.repeat(X, weight, axis=0)).to_tensor(X), rtol=1e-6, atol=1e-6
    )
    assert not np.allclose(weighted, fit(X).to_tensor(X), atol=1e-3)


def test_quantile_scaler_is_not_harmed_by_outliers(X):
    spoilt = X.copy()
    spoilt[:3] = [[1e30], [-1e30], [1e15]]
    scaled = fit(spoilt).to_tensor(spoilt).numpy()
    assert np.abs(scaled).max() < 4
    # the others move by the three ranks at most that the outliers crossed
    shares = stats.norm.cdf(scaled[3:]) - stats.norm.cdf(fit(X).to_tensor(X).numpy()[3:])
    assert np.abs(shares).max() < 3.01 / 300


@pytest.mark.parametrize("value", [0.0, -3.7, 1e30])
def test_quantile_scaler_of_a_constant_is_zero(value):
    scaler = fit(np.full((20, 1), value))
    rows = np.array([[value], [value + 1], [-value - 1]])
    np.testing.assert_array_equal(scaler.to_tensor(rows), np.zeros((3, 1)))


def test_quantile_scaler_of_one_row_is_zero(X):
    np.testing.assert_array_equal(fit(X[:1]).to_tensor(X), np.zeros((300, 3)))


def test_quantile_scaler_keeps_the_distribution_of_many_values():
    X = generator().lognormal(sigma=2, size=(10_000, 1))
    scaled = fit(X).to_tensor(X).numpy().ravel()
    exact = (stats.rankdata(X) - 0.5) / 10_000
    # a thousand knots over the ranks: no share is off by more than a step between two of them
    assert np.abs(stats.norm.cdf(scaled) - exact).max() < 1 / 999
    np.testing.assert_allclose([scaled.min(), scaled.max()], ndtri([5e-5, 1 - 5e-5]), rtol=1e-6)


def test_quantile_scaler_of_sparse_rows_equals_that_of_dense_ones():
    sparse = sp.random(500, 4, density=0.3, format="csr", random_state=0)
    X = sparse.toarray()
    np.testing.assert_array_equal(fit(sparse).to_tensor(X), fit(X).to_tensor(X))


def test_quantile_scaler_is_what_its_state_says(X):
    scaler = fit(X)
    again = scaler_from_state(scaler.state())
    np.testing.assert_array_equal(again.to_tensor(X), scaler.to_tensor(X))


@pytest.mark.parametrize("dtype", ["float16", "float32", "int64", "uint8", "bool"])
def test_quantile_scaler_takes_any_dtype(dtype, X):
    X = (10 * np.abs(X)).astype(dtype)
    expected = fit(X.astype(np.float64)).to_tensor(X.astype(np.float64))
    np.testing.assert_array_equal(fit(X).to_tensor(X), expected)


# Sample ------------------------------------------------------------------------------------


def test_sample_is_all_rows_with_a_weight_where_they_are_few():
    X, weight = np.zeros((9, 2)), np.array([0, 1, 0.5, 0, 2, 1, 1, 0, 0])
    np.testing.assert_array_equal(sample_rows(X, None, generator()), np.arange(9))
    np.testing.assert_array_equal(sample_rows(X, weight, generator()), [1, 2, 4, 5, 6])


def test_sample_of_many_rows_is_spread_over_them_and_repeats_with_the_seed():
    X = np.zeros((50_000, 2))
    weight = (np.arange(50_000) >= 10_000).astype(float)
    rows = sample_rows(X, weight, generator(3))
    assert len(rows) == len(np.unique(rows)) < 50_000
    assert (np.diff(rows) > 0).all() and rows.min() >= 10_000
    assert stats.kstest(rows, stats.uniform(10_000, 40_000).cdf).pvalue > 1e-3
    np.testing.assert_array_equal(sample_rows(X, weight, generator(3)), rows)
    assert not np.array_equal(sample_rows(X, weight, generator(4)), rows)


def test_sample_of_wide_rows_is_smaller():
    narrow, wide = np.broadcast_to(0.0, (20_000, 2)), np.broadcast_to(0.0, (20_000, 20_000))
    assert len(sample_rows(wide, None, generator())) < len(sample_rows(narrow, None, generator()))


def test_quantiles_of_a_sample_are_close_to_those_of_all_rows():
    X = generator().normal(size=(40_000, 1))
    scaled = fit(X).to_tensor(X).numpy().ravel()
    # Dvoretzky-Kiefer-Wolfowitz: a sample of n is off by more than e with probability
    # 2 exp(-2 n e^2), 1e-6 for n = 10,000; and one step between a thousand knots
    exact = (stats.rankdata(X) - 0.5) / 40_000
    limit = np.sqrt(np.log(2 / 1e-6) / (2 * 10_000)) + 1 / 999
    assert np.abs(stats.norm.cdf(scaled) - exact).max() < limit


# Bins --------------------------------------------------------------------------------------


def test_bins_hold_about_the_same_weight():
    column, weight = generator().normal(size=3000), generator(1).uniform(size=3000)
    edges = bin_edges(column, weight, 12)
    assert len(edges) == 13
    mass, _ = np.histogram(column, np.array(edges), weights=weight)
    np.testing.assert_allclose(mass, weight.sum() / 12, rtol=0.02)
    uneven, _ = np.histogram(column, np.array(bin_edges(column, None, 12)), weights=weight)
    assert np.abs(uneven - mass).max() > 1


def test_bins_take_a_weight_for_a_repetition():
    column = generator().normal(size=300)
    weight = generator(1).integers(1, 4, size=300)
    expected = bin_edges(np.repeat(column, weight), None, 8)
    np.testing.assert_allclose(bin_edges(column, weight.astype(float), 8), expected, rtol=1e-6)


@pytest.mark.parametrize(
    "column",
    [np.zeros(5), np.full(5, 1e4), np.array([0.0, 1.0] * 9), np.array([2.0]), np.arange(3.0)],
    ids=["zeros", "constant", "two values", "one row", "three values"],
)
def test_there_are_two_bins_at_least_with_edges_that_ascend_and_span_the_values(column):
    edges = bin_edges(column, None, 48)
    assert len(edges) >= 3
    assert (np.diff(np.float32(edges)) > 0).all()
    assert edges[0] <= column.min() and edges[-1] >= column.max()


@pytest.mark.parametrize("rate", [0.01, 0.03, 0.1, 1.0])
def test_quantiles_are_finite_under_weights_of_very_different_size(rate):
    rows = np.arange(2000.0)[:, None]
    weight = np.exp(-rate * np.arange(2000))
    scaler = QuantileScaler.fit(rows, weight, rng=generator())
    assert np.isfinite(scaler.to_tensor(rows).numpy()).all()
    edges = bin_edges(rows[:, 0], weight, 48)
    assert np.isfinite(edges).all() and (np.diff(edges) > 0).all()


@pytest.mark.parametrize("value", [0.0, -3.7, 1e9, -1e30])
def test_bins_of_a_constant_or_of_neighbours_are_apart(value):
    neighbour = float(np.nextafter(np.float32(value), np.float32(np.inf)))
    for column in (np.full(60, value), np.where(np.arange(60) % 2, value, neighbour)):
        edges = np.array(bin_edges(column, None, 48), dtype=np.float32)
        assert len(edges) >= 3
        assert (np.diff(edges) > 0).all()
