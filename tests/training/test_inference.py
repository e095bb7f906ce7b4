"""Results of fitted estimators: dtypes, shapes, chunks of samples."""

import numpy as np
import pandas as pd
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


FRAME = pd.DataFrame(IRIS, columns=list("abcd"))
COLUMNS = {
    "float32": dict.fromkeys("abcd", "float32"),
    "floats": {"a": "float32"},
    "objects and others": {"a": "object", "b": "float32"},
    "booleans": {"c": "bool"},
    "objects": {"a": "object"},
    "nullable": {"a": "Float64", "d": "Float32"},
    "all nullable": dict.fromkeys("abcd", "Float32"),
}


@pytest.fixture(scope="module")
def fitted_on_frame():
    return Autoencoder(3, max_epochs=3, device="cpu", random_state=0).fit(FRAME)


@pytest.mark.parametrize("dtypes", COLUMNS.values(), ids=COLUMNS)
def test_row_of_a_frame_gives_the_code_of_the_whole_frame(fitted_on_frame, dtypes):
    frame = FRAME.astype(dtypes)
    codes = fitted_on_frame.transform(pd.concat([frame] * 30))  # too large for a quick look
    for number in (0, 60, 149):
        code = fitted_on_frame.transform(frame.iloc[[number]])
        assert code.dtype == codes.dtype
        np.testing.assert_array_equal(code[0], codes[number])


def test_row_with_columns_in_another_order_is_refused(fitted_on_frame):
    with pytest.raises(ValueError, match="same order"):
        fitted_on_frame.transform(FRAME[:1][list("badc")])


def test_row_without_the_names_of_training_is_warned_of(fitted, fitted_on_frame):
    with pytest.warns(UserWarning, match="does not have valid feature names"):
        fitted_on_frame.transform(IRIS[:1])
    with pytest.warns(UserWarning, match="fitted without feature names"):
        fitted.transform(FRAME[:1])


@pytest.mark.parametrize(
    "row, message",
    [
        (np.full((1, 4), np.nan), "contains NaN"),
        (np.full((1, 4), np.inf), "contains infinity"),
        (IRIS[:1, :3], "3 features.*expecting 4"),
        (IRIS[0], "Expected 2D array"),
        (IRIS[:0], "0 sample"),
        (IRIS[:1].astype(complex), "complex"),
        (IRIS[:1].astype(str).astype(object) + "?", "must be numeric"),
    ],
)
def test_single_row_that_is_not_valid_is_refused(fitted, row, message):
    with pytest.raises(ValueError, match=message):
        fitted.transform(row)
