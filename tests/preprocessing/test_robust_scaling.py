"""Features scaled by ``feature_scaling="robust"``: quartiles, and large values compressed."""

import numpy as np
import pytest
import scipy.sparse as sp
import torch

from skdeep.neural_network import ResNetRegressor

RNG = np.random.default_rng(0)
X = RNG.normal(size=(80, 3)) * [1.0, 1e-6, 1e6] + [0.0, 1.0, -1e7]


def scaled(X, new=None, sample_weight=None, **options):
    """What a net fitted on samples is given for new ones, by default for the same."""
    options |= {"feature_scaling": "robust", "numerical_embedding": None, "width": 4}
    options |= {"max_epochs": 1, "device": "cpu", "random_state": 0}
    reg = ResNetRegressor(**options).fit(X, np.arange(X.shape[0]), sample_weight)
    seen = []
    reg.module_.register_forward_pre_hook(lambda module, given: seen.append(given[0]))
    predictions = reg.predict(X if new is None else new)
    assert np.isfinite(predictions).all()
    return torch.cat(seen).numpy()[: len(predictions)]  # without padding


def compressed(z):
    return z / np.sqrt(1 + (z / 3) ** 2)


def test_features_are_divided_by_their_interquartile_range_and_compressed():
    low, median, high = np.quantile(X, [0.25, 0.5, 0.75], axis=0, method="hazen")
    expected = compressed((X - median) / (high - low))
    np.testing.assert_allclose(scaled(X), expected, rtol=1e-4, atol=1e-6)


def test_outliers_are_compressed_in_order_and_leave_the_others_as_they_are():
    spoilt = X.copy()
    largest, smallest = X.argmax(axis=0), X.argmin(axis=0)
    columns = np.arange(3)
    spoilt[largest, columns], spoilt[smallest, columns] = 1e15, -1e12
    before, result = scaled(X), scaled(spoilt)
    np.testing.assert_array_equal(result[largest, columns], 3)
    np.testing.assert_allclose(result[smallest, columns], -3, rtol=1e-6)
    others = np.setdiff1d(np.arange(len(X)), [*largest, *smallest])
    np.testing.assert_array_equal(result[others], before[others])
    order = np.sort(X, axis=0)
    assert (np.diff(scaled(X, order), axis=0) > 0).all()


def test_weights_are_repetitions():
    weight = RNG.integers(0, 4, size=len(X))
    repeated = np.repeat(X, weight, axis=0)
    weighted = scaled(X, sample_weight=weight)
    np.testing.assert_allclose(weighted, scaled(repeated, X), rtol=1e-6, atol=1e-7)
    twice = scaled(X, sample_weight=np.full(len(X), 2.0))
    np.testing.assert_array_equal(twice, scaled(X))


@pytest.mark.parametrize("value", [0.0, -7.0, 0.1, 1e300, -1e308])
def test_constant_features_are_zero_for_all_samples(value):
    rows = np.column_stack([X, np.full(len(X), value)])
    new = rows.copy()
    new[::2, 3] = [1e308, -1e308, 0.0, 5.0] * 10
    assert not scaled(rows)[:, 3].any()
    assert not scaled(rows, new)[:, 3].any()


def test_values_of_features_that_are_mostly_one_value_stay_apart():
    rows = np.zeros((40, 1))
    rows[:3, 0] = [5.0, 8.0, -2.0]
    assert (np.diff(scaled(rows, np.array([[-2.0], [0.0], [5.0], [8.0]])), axis=0) > 0.1).all()


@pytest.mark.parametrize("unit", [1e-300, 1e-30, 1e30, 1e300])
def test_units_do_not_matter(unit):
    np.testing.assert_allclose(scaled(X[:, :1] * unit), scaled(X[:, :1]), rtol=1e-5, atol=1e-7)


def test_the_largest_numbers_stay_finite():
    largest = np.finfo(np.float64).max
    rows = X.copy()
    rows[0] = [largest, -largest, largest]
    np.testing.assert_allclose(scaled(rows)[0], [3, -3, 3])
    ends = np.array([[-largest], [largest], [-largest], [largest]])
    result = scaled(ends)
    assert (result[::2] < -0.5).all() and (result[1::2] > 0.5).all()
    tiny = np.arange(40.0)[:, None] * 5e-324
    np.testing.assert_allclose(scaled(tiny, ends), 3 * np.sign(ends))


def test_float32_samples_are_scaled_as_float64_ones():
    rows = X.astype(np.float32)
    np.testing.assert_array_equal(scaled(rows), scaled(rows.astype(np.float64)))


def test_sparse_samples_are_scaled_as_dense_ones():
    rows = np.where(np.abs(X - np.median(X, axis=0)) < 0.3 * X.std(axis=0), 0, X)
    np.testing.assert_array_equal(scaled(sp.csr_array(rows)), scaled(rows))


def test_features_that_mostly_have_one_value_are_divided_by_half_of_their_range():
    X = np.zeros((100, 1))
    X[:20, 0] = np.linspace(-1, 9, 20)
    np.testing.assert_allclose(scaled(X), compressed(X / 5), rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("weight", [0.1, 0.3, 7.0])
def test_a_common_weight_changes_nothing(weight):
    X = np.repeat([0.0, 1.0, 2.0], [10, 20, 10])[:, np.newaxis]  # quartiles at the ends of steps
    np.testing.assert_allclose(scaled(X, sample_weight=np.full(40, weight)), scaled(X), rtol=1e-6)


# Missing values ----------------------------------------------------------------------------

GAPS = np.where(RNG.uniform(size=X.shape) < 0.4, np.nan, X)


def test_gaps_leave_the_scaling_as_it_is_and_are_filled_by_the_median():
    result = scaled(GAPS, missing="indicator")
    for number, column in enumerate(GAPS.T):
        known = ~np.isnan(column)
        expected = scaled(column[known][:, np.newaxis])[:, 0]
        np.testing.assert_array_equal(result[known, number], expected)
        assert not result[~known, number].any()
    np.testing.assert_array_equal(result[:, 3:], np.isnan(GAPS))


@pytest.mark.parametrize("value", [1e12, 1e308, -1e308])
def test_outliers_beside_gaps_leave_the_others_as_they_are(value):
    spoilt = GAPS.copy()
    largest = np.nanargmax(GAPS[:, 0]) if value > 0 else np.nanargmin(GAPS[:, 0])
    spoilt[largest, 0] = value
    before, result = (scaled(rows, missing="indicator") for rows in (GAPS, spoilt))
    others = np.arange(len(X)) != largest
    np.testing.assert_array_equal(result[others], before[others])
    assert result[largest, 0] == 3 * np.sign(value)


def test_weights_are_repetitions_beside_gaps():
    weight = RNG.integers(0, 4, size=len(X))
    weighted = scaled(GAPS, sample_weight=weight, missing="indicator")
    repeated = scaled(np.repeat(GAPS, weight, axis=0), GAPS, missing="indicator")
    np.testing.assert_allclose(weighted, repeated, rtol=1e-6, atol=1e-7)


def test_features_without_any_value_are_zero():
    rows = np.column_stack([X[:, 0], np.full(len(X), np.nan)])
    new = np.nan_to_num(rows, nan=5.0)
    np.testing.assert_array_equal(scaled(rows, missing="indicator")[:, 1:], [[0, 1]] * len(X))
    np.testing.assert_array_equal(scaled(rows, new, missing="indicator")[:, 1:], [[0, 0]] * len(X))
