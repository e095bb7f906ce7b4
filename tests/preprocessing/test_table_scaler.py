"""Tables on their way to the net: order of columns, marks, fill values, codes."""

import numpy as np
import pytest
import scipy.sparse as sp
from sklearn.impute import SimpleImputer
from sklearn.preprocessing import StandardScaler

from skdeep._preprocessing._quantile import QuantileScaler
from skdeep._preprocessing._scaler import scaler_from_state
from skdeep._preprocessing._table import TableScaler

KINDS = ["global", "standard", "quantile", None]


def fit(X, weight=None, *, kind="standard", categorical=None, fills=False, bins=False):
    mask = None
    if categorical is not None:
        mask = np.zeros(X.shape[1], dtype=bool)
        mask[categorical] = True
    return TableScaler.fit(
        X,
        weight,
        scaling=kind,
        is_categorical=mask,
        fills_missing=fills,
        has_bins=bins,
        rng=np.random.default_rng(0),
    )


@pytest.fixture
def X():
    """Numbers in columns 0, 2, 4; codes in columns 1 and 3; two numbers missing."""
    rng = np.random.default_rng(0)
    X = rng.normal(5, 3, size=(60, 5))
    X[:, 1], X[:, 3] = rng.integers(0, 4, size=60), rng.integers(1, 3, size=60)
    X[[3, 8], 2] = np.nan
    return X


def test_columns_are_numbers_then_marks_then_codes(X):
    scaler = fit(X, categorical=[1, 3], fills=True)
    result = scaler.to_tensor(X).numpy()
    filled = SimpleImputer().fit_transform(X[:, [0, 2, 4]])
    expected = StandardScaler().fit_transform(filled)
    np.testing.assert_allclose(result[:, :3], expected, atol=1e-5)
    np.testing.assert_array_equal(result[:, 3], np.isnan(X[:, 2]))
    np.testing.assert_array_equal(result[:, 4:], X[:, [1, 3]])
    assert result.shape == (60, 6) and result.dtype == np.float32
    assert scaler.cardinalities == (3, 2)


@pytest.mark.parametrize("kind", KINDS)
def test_filled_numbers_are_simple_imputers(kind, X):
    numbers = X[:, [0, 2, 4]]
    imputer = SimpleImputer(add_indicator=True).fit(numbers)
    filled = imputer.transform(numbers)
    by_hand = fit(filled[:, :3], kind=kind)
    result = fit(numbers, kind=kind, fills=True).to_tensor(numbers).numpy()
    np.testing.assert_allclose(result[:, :3], by_hand.to_tensor(filled[:, :3]), atol=1e-6)
    np.testing.assert_array_equal(result[:, 3:], filled[:, 3:])


def test_numbers_missing_at_predict_only_get_the_mean_and_no_mark(X):
    numbers = X[:, [0, 4]]
    scaler = fit(numbers, fills=True)
    result = scaler.to_tensor(np.array([[np.nan, 1.0]]))
    filled = scaler.to_tensor(np.array([[numbers[:, 0].mean(), 1.0]]))
    assert result.shape == (1, 2)
    np.testing.assert_allclose(result, filled, atol=1e-6)


def test_a_column_that_misses_everything_is_zero_with_a_mark():
    X = np.column_stack([np.full(20, np.nan), np.arange(20.0)])
    for kind in KINDS:
        result = fit(X, kind=kind, fills=True).to_tensor(X).numpy()
        np.testing.assert_array_equal(result[:, [0, 2]], [[0, 1]] * 20)


def test_fill_values_are_weighted_means_of_rows_with_a_weight(X):
    numbers, weight = X[:, [0, 2, 4]], np.random.default_rng(1).integers(0, 4, size=60)
    repeated = np.repeat(numbers, weight, axis=0)
    expected = fit(repeated, fills=True).to_tensor(numbers)
    actual = fit(numbers, weight.astype(float), fills=True).to_tensor(numbers)
    np.testing.assert_allclose(actual, expected, rtol=1e-5, atol=1e-5)


def test_numbers_missing_only_in_rows_without_weight_get_no_mark(X):
    weight = np.ones(60)
    weight[[3, 8]] = 0
    scaler = fit(X, weight, categorical=[1, 3], fills=True)
    assert scaler.to_tensor(X).shape == (60, 5)


@pytest.mark.parametrize("kind", KINDS)
def test_categories_only_in_rows_without_weight_are_as_good_as_unseen(kind):
    codes = np.array([[1.0], [2.0], [3.0], [4.0], [0.0]])
    scaler = fit(codes, np.array([1.0, 0, 2, 1, 1]), kind=kind, categorical=[0])
    assert scaler.cardinalities == (3,)
    np.testing.assert_array_equal(scaler.to_tensor(codes), [[1], [0], [2], [3], [0]])


def test_a_column_whose_categories_are_all_missing_has_none():
    scaler = fit(np.zeros((5, 1)), categorical=[0])
    assert scaler.cardinalities == (0,)
    np.testing.assert_array_equal(scaler.to_tensor(np.zeros((2, 1))), np.zeros((2, 1)))


@pytest.mark.parametrize("kind", KINDS)
def test_table_scaler_is_what_its_state_says(kind, X):
    scaler = fit(X, kind=kind, categorical=[1, 3], fills=True, bins=True)
    again = scaler_from_state(scaler.state())
    np.testing.assert_array_equal(again.to_tensor(X), scaler.to_tensor(X))
    assert again.cardinalities == scaler.cardinalities
    assert again.bins == scaler.bins
    assert isinstance(again.numbers, QuantileScaler) == (kind == "quantile")


@pytest.mark.parametrize("kind", KINDS)
def test_bins_span_the_scaled_numbers(kind, X):
    scaler = fit(X, kind=kind, categorical=[1, 3], fills=True, bins=True)
    numbers = scaler.to_tensor(X).numpy()[:, :3]
    assert len(scaler.bins) == 3
    for edges, column in zip(scaler.bins, numbers.T, strict=True):
        assert 3 <= len(edges) <= 49
        np.testing.assert_allclose([edges[0], edges[-1]], [column.min(), column.max()], rtol=1e-6)


@pytest.mark.parametrize("kind", KINDS)
def test_table_scaler_reads_sparse_rows_as_dense_ones(kind):
    sparse = sp.random(200, 4, density=0.4, format="csr", random_state=0)
    X = sparse.toarray()
    expected = fit(X, kind=kind, fills=True).to_tensor(X)
    np.testing.assert_array_equal(fit(sparse, kind=kind, fills=True).to_tensor(X), expected)


def test_table_scaler_reads_sparse_rows_with_missing_numbers():
    X = sp.random(200, 4, density=0.4, format="csr", random_state=0)
    X.data[::7] = np.nan
    dense = X.toarray()
    expected = fit(dense, fills=True).to_tensor(dense)
    np.testing.assert_array_equal(fit(X, fills=True).to_tensor(dense), expected)
    assert expected.shape == (200, 8)


def test_numbers_whose_sum_overflows_are_refused_where_gaps_are_filled():
    with pytest.raises(ValueError, match="small enough for float32"):
        fit(np.full((2, 1), 1e308), fills=True)
