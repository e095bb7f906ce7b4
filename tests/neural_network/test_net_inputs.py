"""Inputs of the net for a table: scaled numbers, missing indicators, category codes."""

import numpy as np
import pandas as pd
import pytest
import scipy.sparse as sp
import torch
from scipy import stats
from scipy.special import ndtri
from sklearn.impute import SimpleImputer

from skdeep.neural_network import ResNetRegressor

KINDS = ["global", "standard", "quantile", None]


def fit(X, weight=None, **parameters):
    """Net fitted on a table with hardly any training."""
    small = {"n_blocks": 1, "width": 2, "max_epochs": 1, "lr": 1e-6, "dropout": 0.0}
    small |= {"batch_size": 50_000, "early_stopping": False, "numerical_embedding": None}
    small |= {"device": "cpu", "random_state": 0}
    y = np.arange(X.shape[0]) % 7.0
    return ResNetRegressor(**{**small, **parameters}).fit(X, y, sample_weight=weight)


def given(net, X):
    """Input of the net for each sample, in order."""
    seen = []
    hook = net.module_.register_forward_pre_hook(lambda module, args: seen.append(args[0].clone()))
    net.predict(X)
    hook.remove()
    chunks = np.split(np.arange(X.shape[0]), np.cumsum([len(one) for one in seen])[:-1])
    parts = [one[: len(rows)].numpy() for one, rows in zip(seen, chunks, strict=True)]
    return np.concatenate(parts)


def scaled(X, new=None, weight=None, *, kind, **parameters):
    """Input of a net fitted on one table, for samples of another."""
    return given(fit(X, weight, feature_scaling=kind, **parameters), X if new is None else new)


@pytest.fixture
def rng():
    return np.random.default_rng(0)


# Mean and deviation ------------------------------------------------------------------------


@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("kind", ["global", "standard"])
def test_numbers_have_the_mean_zero_and_the_deviation_one(kind, weighted, rng):
    X = rng.normal([1, -2, 3], [1, 10, 0.1], size=(300, 3))
    weight = rng.integers(0, 3, size=300).astype(float) if weighted else None
    mean = np.average(X, axis=0, weights=weight)
    variance = np.average((X - mean) ** 2, axis=0, weights=weight)
    deviation = np.sqrt(variance if kind == "standard" else variance.mean())
    result = scaled(X, weight=weight, kind=kind)
    np.testing.assert_allclose(result, (X - mean) / deviation, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("kind", ["global", "standard"])
def test_many_numbers_are_scaled_as_few(kind, rng):
    # more samples than are read at once
    X = np.tile(rng.normal(size=(1000, 250)), (20, 1)).astype(np.float32)
    few, many = (scaled(rows, X[:50], kind=kind) for rows in (X[:1000], X))
    np.testing.assert_allclose(many, few, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("kind", ["global", "standard"])
def test_scaling_keeps_its_digits_far_from_zero(kind, rng):
    X = rng.normal(size=(3000, 4))
    # at 1e8 a float64 is known to 1.5e-8
    far = scaled(X + 1e8, kind=kind)
    np.testing.assert_allclose(far, scaled(X, kind=kind), rtol=1e-6, atol=1e-6)


def test_a_constant_feature_is_centred_and_keeps_its_scale():
    X = np.column_stack([np.full(50, 0.1), np.arange(50.0)])
    new = np.array([[0.1, 0], [2.1, 0]])
    np.testing.assert_allclose(scaled(X, new, kind="standard")[:, 0], [0, 2], atol=1e-6)


@pytest.mark.parametrize("kind", ["global", "standard", "quantile"])
def test_a_single_sample_is_all_zeros(kind, rng):
    X = rng.normal(size=(1, 4))
    np.testing.assert_array_equal(scaled(X, kind=kind), np.zeros((1, 4)))


# Quantiles ---------------------------------------------------------------------------------


def test_quantiles_are_normal_scores_of_mid_ranks(rng):
    X = rng.integers(0, 30, size=(200, 2)).astype(float)  # with ties
    ranks = stats.rankdata(X, axis=0)
    np.testing.assert_allclose(scaled(X, kind="quantile"), ndtri((ranks - 0.5) / 200), rtol=1e-5)
    tied = np.array([[1.0], [1.0], [2.0], [3.0]])
    expected = ndtri([[0.25], [0.25], [0.625], [0.875]])
    np.testing.assert_allclose(scaled(tied, kind="quantile"), expected, rtol=1e-5)


def test_quantiles_are_linear_between_values_and_constant_outside():
    new = np.array([[0.0], [1.0], [3.0], [-9.0], [2.0], [3.5], [1e300]])
    low, middle, high, *others = scaled(new[:3], new, kind="quantile").ravel()
    np.testing.assert_allclose(others, [low, (middle + high) / 2, high, high], rtol=1e-5)


def test_quantiles_are_monotone(rng):
    X = rng.normal(size=(300, 1))
    net = fit(X, feature_scaling="quantile")
    assert (np.diff(given(net, np.linspace(-5, 5, 2001)[:, None]), axis=0) >= 0).all()
    assert (np.diff(given(net, np.sort(X, axis=0)), axis=0) > 0).all()


def test_quantiles_are_not_harmed_by_outliers(rng):
    X = rng.normal(size=(300, 3))
    spoilt = X.copy()
    spoilt[:3] = [[1e30], [-1e30], [1e15]]
    result = scaled(spoilt, kind="quantile")
    assert np.abs(result).max() < 4
    # the others move by the three ranks at most that the outliers crossed
    moved = stats.norm.cdf(result[3:]) - stats.norm.cdf(scaled(X, kind="quantile")[3:])
    assert np.abs(moved).max() < 3.01 / 300


@pytest.mark.parametrize("value", [0.0, -3.7, 1e30])
def test_quantiles_of_a_constant_are_zero(value):
    new = np.array([[value], [value + 1], [-value - 1]])
    result = scaled(np.full((20, 1), value), new, kind="quantile")
    np.testing.assert_array_equal(result, np.zeros((3, 1)))


def test_quantiles_keep_the_distribution_of_many_values(rng):
    X = rng.lognormal(sigma=2, size=(10_000, 1))
    result = scaled(X, kind="quantile").ravel()
    exact = (stats.rankdata(X) - 0.5) / 10_000
    # a thousand knots over the ranks: none is off by more than a step between two of them
    assert np.abs(stats.norm.cdf(result) - exact).max() < 1 / 999
    np.testing.assert_allclose([result.min(), result.max()], ndtri([5e-5, 1 - 5e-5]), rtol=1e-5)


@pytest.mark.parametrize("weighted", [False, True])
def test_quantiles_of_very_many_values_are_those_of_a_sample(weighted, rng):
    X = rng.normal(size=(40_000, 1))
    weight = np.ones(40_000)
    weight[X[:, 0] > 1] = 0 if weighted else 1
    result = scaled(X, weight=weight, kind="quantile").ravel()
    kept = weight > 0
    # Dvoretzky-Kiefer-Wolfowitz: a sample of n is off by more than e with probability
    # 2 exp(-2 n e^2), 1e-6 for n = 10,000; and one step between a thousand knots
    exact = (stats.rankdata(X[kept]) - 0.5) / kept.sum()
    limit = np.sqrt(np.log(2 / 1e-6) / (2 * 10_000)) + 1 / 999
    assert 1e-4 < np.abs(stats.norm.cdf(result[kept]) - exact).max() < limit


@pytest.mark.parametrize("embedding", [None, "piecewise-linear"])
@pytest.mark.parametrize("rate", [0.01, 0.1, 1.0])
def test_weights_of_very_different_size_do_no_harm(rate, embedding):
    X = np.arange(2000.0)[:, None]
    net = fit(X, np.exp(-rate * np.arange(2000)), numerical_embedding=embedding)
    assert np.isfinite(given(net, X)).all()
    assert np.isfinite(net.predict(X)).all()


# Bins --------------------------------------------------------------------------------------


def assert_bins_hold_the_same_weight(n_bins, values, mass, X, weight=None, **parameters):
    """Check the bins of a net for the first column of X, which has these values."""
    # such a net is linear in the embedding, and bends where two bins meet
    options = {"numerical_embedding": "piecewise-linear", "activation": "identity", "norm": "batch"}
    net = fit(X, weight, feature_scaling=None, **options, **parameters)
    for seed, parameter in enumerate(net.module_.parameters()):
        torch.nn.init.normal_(parameter, generator=torch.Generator().manual_seed(seed))
    reached = (np.cumsum(mass) - mass / 2) / mass.sum()
    edges = np.interp(np.linspace(0, 1, n_bins + 1), reached, values)
    middles = (edges[:-1] + edges[1:]) / 2
    at_edges, at_middles = (
        net.predict(np.column_stack([at, np.tile(X[:1, 1:], (len(at), 1))]))
        for at in (edges, middles)
    )
    bends = np.abs(at_edges[1:-1] - (at_middles[:-1] + at_middles[1:]) / 2)
    scale = np.abs(at_edges).max()
    assert np.abs(at_middles - (at_edges[:-1] + at_edges[1:]) / 2).max() < 1e-4 * scale
    assert (bends > 1e-3 * scale).mean() > 0.9


@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize(
    "n_distinct, n_copies, n_bins", [(600, 1, 48), (2499, 1, 48), (2500, 1, 128), (1250, 2, 48)]
)
def test_bins_of_an_embedding_hold_the_same_weight(weighted, n_distinct, n_copies, n_bins, rng):
    x = np.repeat(np.sort(rng.normal(size=n_distinct)), n_copies)
    weight = np.repeat(rng.uniform(size=n_distinct) if weighted else np.ones(n_distinct), n_copies)
    mass = weight.reshape(-1, n_copies).sum(axis=1)
    assert_bins_hold_the_same_weight(n_bins, np.unique(x), mass, x[:, None], weight)


@pytest.mark.parametrize("n_categories, n_bins", [(2, 48), (10, 128)])
def test_samples_that_differ_only_in_categories_are_distinct(n_categories, n_bins, rng):
    values, kinds = np.sort(rng.normal(size=300)), np.arange(3000) % 10 % n_categories
    X = np.column_stack([np.repeat(values, 10), kinds])
    params = {"categorical_features": [1]}
    assert_bins_hold_the_same_weight(n_bins, values, np.ones(300), X, **params)


@pytest.mark.parametrize("value", [0.0, -3.7, 1e9, -1e12])
def test_bins_of_a_constant_or_of_neighbours_are_apart(value):
    neighbour = float(np.nextafter(np.float32(value), np.float32(np.inf)))
    for column in (np.full(60, value), np.where(np.arange(60) % 2, value, neighbour)):
        net = fit(column[:, None], feature_scaling=None, numerical_embedding="piecewise-linear")
        assert np.isfinite(net.predict(column[:, None])).all()


# Indicators and codes ----------------------------------------------------------------------


@pytest.fixture
def table(rng):
    """Numbers in columns 0, 2, 4; categories in columns 1 and 3; two numbers missing."""
    X = rng.normal(5, 3, size=(60, 5))
    X[:, 1], X[:, 3] = rng.choice([2, 5, 9], size=60), rng.choice([-1, 4], size=60)
    X[[3, 8], 2] = np.nan
    return X


@pytest.mark.parametrize("kind", KINDS)
def test_columns_are_numbers_then_indicators_then_codes(kind, table):
    result = scaled(table, kind=kind, missing="indicator", categorical_features=[1, 3])
    filled = SimpleImputer().fit_transform(table[:, [0, 2, 4]])
    np.testing.assert_allclose(result[:, :3], scaled(filled, kind=kind), atol=1e-6)
    np.testing.assert_array_equal(result[:, 3], np.isnan(table[:, 2]))
    codes = [np.unique(column, return_inverse=True)[1] + 1 for column in table[:, [1, 3]].T]
    np.testing.assert_array_equal(result[:, 4:], np.transpose(codes))
    assert result.shape == (60, 6)


@pytest.mark.parametrize("kind", KINDS)
def test_a_column_that_misses_everything_is_zero_with_an_indicator(kind):
    X = np.column_stack([np.full(20, np.nan), np.arange(20.0)])
    result = scaled(X, kind=kind, missing="indicator")
    np.testing.assert_array_equal(result[:, [0, 2]], [[0, 1]] * 20)


def test_indicators_and_codes_are_those_of_samples_with_a_weight(table):
    weight = np.ones(60)
    weight[[3, 8]] = 0
    weight[table[:, 1] == 5] = 0
    options = {"missing": "indicator", "categorical_features": [1, 3], "kind": "standard"}
    result = scaled(table, weight=weight, **options)
    assert result.shape == (60, 5)
    np.testing.assert_array_equal(
        result[:, 3], np.select([table[:, 1] == 2, table[:, 1] == 9], [1, 2])
    )


def test_a_column_whose_categories_are_all_missing_has_none():
    X = pd.DataFrame({"none": pd.Categorical([None] * 5, ["a"]), "number": np.arange(5.0)})
    np.testing.assert_array_equal(scaled(X, kind=None)[:, 1], np.zeros(5))


def test_an_unknown_category_counts_as_the_mean_of_the_known_ones():
    kinds = np.array(list("abc"))[np.arange(60) % 3]
    y = np.select([kinds == "a", kinds == "b"], [1.0, 5.0], -2.0)
    # such a net is linear in the embedding of the categories
    net = ResNetRegressor(n_blocks=1, width=4, activation="identity", dropout=0.0)
    net.set_params(max_epochs=30, lr=0.01, device="cpu", random_state=0)
    net.fit(pd.DataFrame({"kind": kinds}), y)
    known = net.predict(pd.DataFrame({"kind": list("abc")}))
    assert np.ptp(known) > 1
    unknown = net.predict(pd.DataFrame({"kind": ["new", None]}))
    np.testing.assert_allclose(unknown, known.mean(), rtol=1e-4)


@pytest.mark.parametrize("kind", KINDS)
def test_sparse_numbers_may_be_missing(kind):
    sparse = sp.random(200, 4, density=0.4, format="csr", random_state=0)
    sparse.data[::7] = np.nan
    X = sparse.toarray()
    options = {"kind": kind, "missing": "indicator"}
    expected = scaled(X, **options)
    assert expected.shape == (200, 8)
    np.testing.assert_array_equal(scaled(sparse, X, **options), expected)
    np.testing.assert_array_equal(scaled(X, sparse, **options), expected)


def test_numbers_whose_sum_overflows_are_refused():
    X = np.array([[1e308], [np.nan], [1e308]])
    with pytest.raises(ValueError, match=r"small enough for float32.*got values up to 1e\+308"):
        fit(X, missing="indicator", feature_scaling="standard")
    assert np.isfinite(fit(X, missing="indicator").predict(X)).all()  # not summed
