"""Features that are shifted and divided by a scale."""

import numpy as np
import pytest
import scipy.sparse as sp
from sklearn.datasets import load_iris
from sklearn.preprocessing import StandardScaler

from skdeep._preprocessing._linear import LinearScaler

IRIS = load_iris().data


@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("kind", ["global", "standard"])
def test_linear_scaler_learns_numpys_mean_and_deviation(kind, weighted):
    rng = np.random.default_rng(0)
    # more rows than are read at once
    X = rng.normal([1, -2, 3], [1, 10, 0.1], size=(2**20, 3))
    weight = rng.integers(0, 3, size=len(X)).astype(float) if weighted else None
    scaler = LinearScaler.fit(X, weight, scaling=kind)
    mean = np.average(X, axis=0, weights=weight)
    variance = np.average((X - mean) ** 2, axis=0, weights=weight)
    expected = np.sqrt(variance if kind == "standard" else np.full(3, variance.mean()))
    np.testing.assert_allclose(scaler.mean, mean, rtol=1e-10)
    np.testing.assert_allclose(scaler.scale, expected, rtol=1e-10)


def test_linear_scaler_equals_standard_scaler():
    scaler, reference = LinearScaler.fit(IRIS, scaling="standard"), StandardScaler().fit(IRIS)
    np.testing.assert_allclose(scaler.to_tensor(IRIS), reference.transform(IRIS), rtol=1e-5)
    np.testing.assert_allclose(scaler.inverse(reference.transform(IRIS)), IRIS)


@pytest.mark.parametrize("kind", ["global", "standard"])
def test_linear_scaler_keeps_its_digits_far_from_zero(kind):
    X = np.random.default_rng(0).normal(size=(300_000, 4))
    near, far = LinearScaler.fit(X, scaling=kind), LinearScaler.fit(X + 1e8, scaling=kind)
    # at 1e8 a float64 is known to 1.5e-8
    np.testing.assert_allclose(far.scale, near.scale, rtol=1e-7)
    np.testing.assert_allclose(far.to_tensor(X + 1e8), near.to_tensor(X), atol=1e-6)


def test_linear_scaler_reads_sparse_rows_as_dense_ones():
    sparse = sp.random(1000, 8, density=0.3, format="csr", random_state=0)
    X = sparse.toarray()
    for kind in ("global", "standard"):
        scaler, expected = LinearScaler.fit(sparse, scaling=kind), LinearScaler.fit(X, scaling=kind)
        np.testing.assert_array_equal(scaler.mean, expected.mean)
        np.testing.assert_array_equal(scaler.scale, expected.scale)


def test_linear_scaler_centres_a_constant_feature_and_leaves_its_scale():
    X = np.column_stack([np.full(50, 0.1), np.arange(50.0)])
    scaler = LinearScaler.fit(X, scaling="standard")
    assert scaler.scale[0] == 1.0
    np.testing.assert_allclose(scaler.to_tensor(X)[:, 0], 0.0, atol=1e-12)


def test_linear_scaler_of_one_row_gives_zeros():
    for kind in ("global", "standard"):
        tensor = LinearScaler.fit(IRIS[:1], scaling=kind).to_tensor(IRIS[:1])
        np.testing.assert_array_equal(tensor, np.zeros((1, 4)))
