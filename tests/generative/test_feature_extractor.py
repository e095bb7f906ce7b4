"""GANFeatureExtractor: features of the critic."""

import pickle

import numpy as np
import pandas as pd
import pytest
import scipy.sparse as sp
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.cluster import KMeans
from sklearn.datasets import load_digits
from sklearn.metrics import adjusted_rand_score
from sklearn.pipeline import make_pipeline

from skdeep.exceptions import DivergenceError
from skdeep.generative import GANFeatureExtractor

pytestmark = pytest.mark.filterwarnings("ignore::skdeep.exceptions.ModeCollapseWarning")

X = np.random.default_rng(0).normal(size=(60, 4)) * [1, 2, 3, 4]
DIGITS = load_digits()


def extractor(n_components=None, **params):
    base = {"latent_dim": 4, "hidden_layer_sizes": (16, 8), "loss": "non-saturating"}
    base |= {"gradient_penalty": 1.0, "n_critic": 1, "lr": 1e-3, "lr_schedule": "constant"}
    base |= {"batch_size": 30, "max_epochs": 2, "device": "cpu", "random_state": 0}
    return GANFeatureExtractor(n_components, **{**base, **params})


@pytest.fixture(scope="module")
def fitted():
    return extractor().fit(X)


def test_by_default_features_are_the_last_hidden_layer(fitted):
    Z = fitted.transform(X)
    assert Z.shape == (60, 8) and Z.dtype == np.float64 and np.isfinite(Z).all()
    assert fitted.transform(X.astype(np.float32)).dtype == np.float32
    assert (Z.std(axis=0) > 0).any()


@pytest.mark.parametrize("n_components", [1, 5, 24])
def test_n_components_chooses_among_all_layers(n_components):
    Z = extractor(n_components).fit(X).transform(X)
    assert Z.shape == (60, n_components)
    assert np.isfinite(Z).all() and Z.std(axis=0).max() > 0


def test_the_features_that_are_kept_vary_most():
    every, some = (extractor(n).fit(X).transform(X) for n in (24, 5))
    variance = every.var(axis=0)
    kept = np.sort(np.argsort(-variance)[:5])
    assert_array_equal(some, every[:, kept])


def test_rows_of_weight_zero_do_not_choose_features():
    far = np.vstack([X, 1000 * X])
    weight = np.repeat([1.0, 0.0], 60)
    weighted = extractor(5).fit(far, sample_weight=weight)
    assert_allclose(weighted.transform(X), extractor(5).fit(X).transform(X), rtol=1e-5, atol=1e-6)


def test_more_features_than_the_critic_has_are_an_error():
    with pytest.raises(ValueError, match="n_components must be at most 24, the number of feat"):
        extractor(25).fit(X)
    with pytest.raises(ValueError, match="n_components must be at most 128"):
        extractor(129, image_shape=(8, 8), hidden_layer_sizes=(8,)).fit(DIGITS.data[:50])


@pytest.mark.parametrize("n_components", [0, -1, 1.5, "all"])
def test_n_components_must_be_a_positive_integer(n_components):
    with pytest.raises(ValueError, match="n_components"):
        extractor(n_components).fit(X)


@pytest.mark.parametrize("n_components, n_features", [(None, 8), (3, 3)])
def test_features_have_names(n_components, n_features):
    fitted = extractor(n_components).fit(X)
    names = [f"ganfeatureextractor{number}" for number in range(n_features)]
    assert fitted.get_feature_names_out().tolist() == names
    frame = fitted.set_output(transform="pandas").transform(pd.DataFrame(X, index=range(7, 67)))
    assert frame.columns.tolist() == names and frame.index[0] == 7


def test_classes_are_not_looked_at(fitted):
    Z = fitted.transform(X)
    for y in (np.arange(60) % 3, ["a"] * 60, np.full(60, np.nan)):
        assert_array_equal(extractor().fit(X, y).transform(X), Z)
    assert_array_equal(extractor().fit_transform(X), Z)


def test_features_of_a_row_do_not_depend_on_the_others(fitted):
    Z = fitted.transform(X)
    assert_array_equal(fitted.transform(X[::-1]), Z[::-1])
    assert_array_equal(fitted.transform(X[7:8]), Z[7:8])


def test_features_survive_pickling():
    for n_components in (None, 5):
        fitted = extractor(n_components).fit(X)
        copy = pickle.loads(pickle.dumps(fitted))
        assert_array_equal(copy.transform(X), fitted.transform(X))
        assert_array_equal(copy.get_feature_names_out(), fitted.get_feature_names_out())


def test_sparse_rows_give_the_features_of_dense_ones():
    rows = np.where(X > 0, X, 0)
    fitted = extractor(5).fit(sp.csr_array(rows))
    assert_allclose(fitted.transform(sp.csr_array(rows)), fitted.transform(rows), rtol=1e-6)


def test_curves_and_warm_starts_are_those_of_a_game():
    fitted = extractor(warm_start=True).fit(X).fit(X)
    assert len(fitted.loss_curve_) == len(fitted.critic_loss_curve_) == fitted.n_iter_ == 4
    with pytest.raises(DivergenceError):
        fitted.set_params(lr=1e25, max_epochs=10).fit(X)
    assert fitted.n_iter_ == 4


def test_spectral_norm_keeps_features_apart_no_more_than_rows():
    fitted = extractor(spectral_norm=True, feature_scaling=None, max_epochs=20, lr=0.01).fit(X)
    Z = fitted.transform(X)
    rows, features = (np.linalg.norm(one[:, None] - one, axis=2) for one in (X, Z))
    # two layers, each with a residual block of at most 1 + 1 * 1 in slope
    assert (features <= 4.5 * rows + 1e-6).all()


@pytest.mark.parametrize("n_components, score", [(None, 0.2), (40, 0.35)])
def test_clusters_of_digits_are_far_from_chance(n_components, score):
    gan = extractor(
        n_components,
        image_shape=(8, 8),
        hidden_layer_sizes=(8, 16),
        latent_dim=16,
        batch_size=128,
        max_epochs=3,
        feature_scaling="range",
    )
    pipe = make_pipeline(gan, KMeans(10, n_init=3, random_state=0))
    labels = pipe.fit_predict(DIGITS.data)
    assert adjusted_rand_score(DIGITS.target, labels) > score
    assert pipe[:-1].transform(DIGITS.images).shape == (1797, gan.n_components or 64)
