"""Preparation of samples for the net: streaming, merging of duplicates."""

import numpy as np
import pytest
import scipy.sparse as sp
from sklearn.datasets import load_iris

from skdeep.decomposition import Autoencoder, VariationalAutoencoder

IRIS = load_iris().data


def small(Class=Autoencoder, **parameters):
    """Estimator that trains in a moment."""
    return Class(**{"max_epochs": 5, "device": "cpu", "random_state": 0, **parameters})


def sparse_rows(n_rows, n_features=8):
    X = sp.random(n_rows, n_features, density=0.3, format="csr", random_state=0)
    return X, X.toarray()


# Streaming ---------------------------------------------------------------------------------

OPTIONS = [
    {},
    {"batch_size": 2000},
    {"early_stopping": True},
    {"feature_scaling": None},
    {"feature_scaling": "standard"},
    # not Adam: it makes steps of full size from the rounding errors that are the whole gradient
    # of a bias before a normalization
    {"batch_norm": True, "optimizer": "sgd"},
]


def smooth(**parameters):
    """Autoencoder without kinks, at which a last digit could decide about a whole step."""
    return small(activation="tanh", **parameters)


def assert_alike(actual, expected, X):
    # batches hold the same rows in another order, so that float32 sums differ in the last digits
    np.testing.assert_allclose(actual.loss_curve_, expected.loss_curve_, rtol=1e-5)
    np.testing.assert_allclose(actual.transform(X), expected.transform(X), rtol=1e-3, atol=1e-4)


@pytest.mark.parametrize("options", OPTIONS, ids=str)
def test_sparse_rows_train_as_dense_ones_do(options):
    sparse, X = sparse_rows(1000)
    expected, streamed = smooth(**options).fit(X), smooth(**options).fit(sparse)
    assert_alike(streamed, expected, X)
    for method in ("transform", "reconstruct", "score_samples"):
        outcome = getattr(streamed, method)
        np.testing.assert_array_equal(outcome(sparse), outcome(X))


@pytest.mark.parametrize("options", OPTIONS, ids=str)
def test_memory_mapped_rows_train_as_rows_in_memory_do(options, tmp_path):
    _, X = sparse_rows(1000)
    mapped = np.memmap(tmp_path / "rows", dtype=X.dtype, shape=X.shape, mode="w+")
    mapped[:] = X
    mapped.flush()
    mapped = np.memmap(tmp_path / "rows", dtype=X.dtype, shape=X.shape, mode="r")
    expected, streamed = smooth(**options).fit(X), smooth(**options).fit(mapped)
    assert_alike(streamed, expected, X)
    np.testing.assert_array_equal(streamed.transform(mapped), streamed.transform(X))


def test_weights_follow_their_rows_when_streamed():
    sparse, X = sparse_rows(1000)
    weight = np.random.default_rng(0).integers(0, 3, size=1000)
    for options in ({}, {"early_stopping": True}):
        expected = smooth(**options).fit(X, sample_weight=weight)
        streamed = smooth(**options).fit(sparse, sample_weight=weight)
        assert_alike(streamed, expected, X)
        unweighted = smooth(**options).fit(X)
        assert not np.allclose(expected.loss_curve_, unweighted.loss_curve_, rtol=1e-4)


def test_variational_training_streams_too():
    sparse, X = sparse_rows(1000)
    vae = small(VariationalAutoencoder, lr=1e-12, n_samples=64).fit(sparse)
    # rows meet other draws than in memory: equal but for the error of 64000 draws
    expected = small(VariationalAutoencoder, lr=1e-12, n_samples=64).fit(X)
    np.testing.assert_allclose(vae.loss_curve_, expected.loss_curve_, rtol=1e-2)
    np.testing.assert_array_equal(vae.transform(sparse), vae.transform(X))


# Full batches ------------------------------------------------------------------------------


@pytest.fixture(params=[Autoencoder, VariationalAutoencoder])
def Class(request):
    return request.param


def assert_same(actual, expected):
    assert actual.loss_curve_ == expected.loss_curve_
    np.testing.assert_array_equal(actual.transform(IRIS), expected.transform(IRIS))


@pytest.mark.parametrize("feature_scaling", ["global", None])
def test_order_of_rows_does_not_matter_in_a_full_batch(Class, feature_scaling):
    options = {"batch_size": 500, "feature_scaling": feature_scaling}
    order = np.random.default_rng(0).permutation(len(IRIS))
    assert_same(small(Class, **options).fit(IRIS[order]), small(Class, **options).fit(IRIS))


def test_a_weight_may_be_split_over_equal_rows_in_a_full_batch(Class):
    weight = np.random.default_rng(0).integers(0, 4, size=len(IRIS))
    expected = small(Class, batch_size=500).fit(IRIS, sample_weight=weight)
    repeated = small(Class, batch_size=500).fit(np.repeat(IRIS, weight, axis=0))
    assert_same(repeated, expected)
    halves = small(Class, batch_size=500).fit(
        np.concatenate([IRIS, IRIS]), sample_weight=np.concatenate([weight, weight]) / 2
    )
    assert_same(halves, expected)
    assert expected.loss_curve_ != small(Class, batch_size=500).fit(IRIS).loss_curve_


def test_unit_of_weights_does_not_matter(Class):
    weight = np.random.default_rng(0).integers(1, 4, size=len(IRIS))
    expected = small(Class, batch_size=20).fit(IRIS, sample_weight=weight)
    assert_same(small(Class, batch_size=20).fit(IRIS, sample_weight=1024 * weight), expected)


def test_order_of_rows_matters_in_small_batches():
    # what makes the two tests above more than a tautology
    order = np.random.default_rng(0).permutation(len(IRIS))
    codes = small(batch_size=20).fit(IRIS).transform(IRIS)
    assert not np.allclose(small(batch_size=20).fit(IRIS[order]).transform(IRIS), codes, rtol=1e-3)


def test_sparse_rows_in_a_full_batch_train_to_the_same_bits_as_dense_ones():
    sparse, X = sparse_rows(100)
    np.testing.assert_array_equal(small().fit(sparse).transform(X), small().fit(X).transform(X))
