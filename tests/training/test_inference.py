"""Results of fitted estimators: dtypes, shapes, chunks of samples."""

import numpy as np
import pytest
import scipy.sparse as sp
from sklearn.datasets import load_iris

from skdeep.decomposition import Autoencoder, VariationalAutoencoder

IRIS = load_iris().data
METHODS = ("transform", "reconstruct", "score_samples", "reconstruction_error")


@pytest.fixture(scope="module", params=[Autoencoder, VariationalAutoencoder])
def fitted(request):
    return request.param(3, max_epochs=3, device="cpu", random_state=0).fit(IRIS)


@pytest.mark.parametrize(
    "given, expected",
    [("float64", "float64"), ("float32", "float32"), ("float16", "float64"), ("int64", "float64")],
)
def test_codes_and_rows_keep_float32_and_are_float64_else(fitted, given, expected):
    X = IRIS.astype(given)
    codes = fitted.transform(X)
    assert codes.dtype == expected and codes.shape == (150, 3)
    assert fitted.reconstruct(X).dtype == expected
    assert fitted.inverse_transform(codes).dtype == expected
    # errors and scores are numbers about rows, not rows
    assert fitted.score_samples(X).dtype == fitted.reconstruction_error(X).dtype == np.float64
    assert type(fitted.score(X)) is float


def test_float32_rows_give_the_codes_of_float64_rows(fitted):
    codes = fitted.transform(IRIS.astype(np.float32))
    np.testing.assert_allclose(codes, fitted.transform(IRIS), rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("n_rows", [1, 17, 1025])
def test_any_number_of_rows_gives_each_row_its_own_result(fitted, method, n_rows):
    X = np.tile(IRIS, (20, 1))[:n_rows]
    result = getattr(fitted, method)(X)
    assert len(result) == n_rows
    expected = getattr(fitted, method)(IRIS)
    np.testing.assert_array_equal(result, np.resize(expected, (n_rows, *expected.shape[1:])))


@pytest.mark.parametrize("container", [sp.csr_matrix, sp.csr_array, sp.csc_array, sp.coo_array])
def test_sparse_rows_give_the_results_of_dense_ones(fitted, container):
    for method in METHODS:
        expected = getattr(fitted, method)(IRIS)
        np.testing.assert_array_equal(getattr(fitted, method)(container(IRIS)), expected)


def test_results_are_the_callers_own(fitted):
    before = IRIS.copy()
    for method in METHODS:
        first = getattr(fitted, method)(IRIS)
        expected = first.copy()
        first[:] = 0
        np.testing.assert_array_equal(getattr(fitted, method)(IRIS), expected)
    np.testing.assert_array_equal(IRIS, before)


def test_rows_too_large_for_float32_are_refused(fitted):
    with pytest.raises(ValueError, match=r"X must be small enough for .*float32"):
        fitted.transform(np.full((2, 4), 1e200))


def test_calls_after_fit_do_not_change_the_estimator(fitted):
    expected = fitted.transform(IRIS)
    fitted.score(IRIS)
    fitted.reconstruct(IRIS[:7])
    np.testing.assert_array_equal(fitted.transform(IRIS), expected)
