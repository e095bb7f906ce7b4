"""DeepCluster."""

import copy
import pickle
import warnings

import numpy as np
import pytest
import scipy.sparse as sp
import torch
from sklearn.base import clone
from sklearn.datasets import load_digits, make_blobs
from sklearn.decomposition import PCA
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import adjusted_rand_score, normalized_mutual_info_score
from sklearn.neighbors import KNeighborsClassifier
from sklearn.pipeline import make_pipeline

from skdeep.cluster import DeepCluster
from skdeep.cluster._whitened import (
    balanced_weights,
    normalized_mutual_information,
    whitening,
)
from skdeep.nn._deep_cluster import whiten

BLOBS, BLOB = make_blobs(300, 10, centers=3, random_state=0)
DIGITS, DIGIT = load_digits(return_X_y=True)
SMALL = {"device": "cpu", "random_state": 0, "max_epochs": 4, "update_interval": 1}


@pytest.fixture(scope="module")
def clusterer():
    return DeepCluster(10, n_components=16, **SMALL).fit(DIGITS[:400])


# Known answers -----------------------------------------------------------------------------


@pytest.mark.parametrize("seed", range(5))
def test_labels_of_blobs_are_perfect_after_few_epochs(seed):
    params = {**SMALL, "max_epochs": 10, "random_state": seed}
    found = DeepCluster(3, **params).fit_predict(BLOBS)
    assert adjusted_rand_score(BLOB, found) == 1.0


def test_features_separate_blobs():
    Z = DeepCluster(9, **SMALL).fit_transform(BLOBS)
    assert KNeighborsClassifier(5).fit(Z[:200], BLOB[:200]).score(Z[200:], BLOB[200:]) == 1.0


def test_training_improves_the_features_of_images():
    params = {"image_shape": (8, 8), "random_state": 0, "device": "cpu"}
    scores = []
    for n_epochs in (1, 60):
        net = DeepCluster(50, max_epochs=n_epochs, **params)
        pipe = make_pipeline(net, KNeighborsClassifier(5)).fit(DIGITS[:900], DIGIT[:900])
        scores.append(pipe.score(DIGITS[900:], DIGIT[900:]))
    assert scores[1] > scores[0] + 0.02


def test_a_pipeline_can_classify_by_the_features():
    pipe = make_pipeline(DeepCluster(10, **SMALL), LogisticRegression(max_iter=1000))
    assert pipe.fit(BLOBS, BLOB).score(BLOBS, BLOB) == 1.0


def test_assignments_become_stable(clusterer):
    assert len(clusterer.assignment_nmi_) == clusterer.n_iter_ == 4
    assert [row["assignment_nmi"] for row in clusterer.history_] == clusterer.assignment_nmi_
    assert all(0 < one <= 1 for one in clusterer.assignment_nmi_)
    blobs = DeepCluster(3, **SMALL).fit(BLOBS)
    assert blobs.assignment_nmi_[-1] == pytest.approx(1.0)


@pytest.mark.parametrize(("interval", "n_updates"), [(1, 6), (4, 6), (5, 3), (9, 2), (10**6, 1)])
def test_clusters_are_updated_after_so_many_steps_and_at_the_end(interval, n_updates):
    params = {**SMALL, "update_interval": interval, "max_epochs": 6}
    net = DeepCluster(10, batch_size=100, **params).fit(DIGITS[:400])  # four steps per epoch
    assert len(net.assignment_nmi_) == n_updates
    assert "assignment_nmi" in net.history_[-1]


# Parts of the method -----------------------------------------------------------------------


@pytest.mark.parametrize("is_weighted", [False, True])
def test_weights_balance_clusters_as_uniform_sampling_over_clusters_does(is_weighted):
    rng = np.random.default_rng(0)
    labels = rng.choice([0, 1, 1, 1, 4], size=200)  # two clusters are empty
    weight = rng.uniform(0.5, 2, size=200) if is_weighted else np.ones(200)
    balance = balanced_weights(labels, weight if is_weighted else None)
    total = np.bincount(labels, balance * weight)
    np.testing.assert_allclose(total[[0, 1, 4]], weight.sum() / 3)
    assert np.average(balance, weights=weight) == pytest.approx(1.0)
    sizes = np.bincount(labels, weight)
    np.testing.assert_allclose(balance * sizes[labels] / (balance * sizes[labels])[0], 1.0)


def test_whitening_equals_pca_of_scikit_learn():
    rng = np.random.default_rng(0)
    Z = rng.normal(size=(500, 6)) @ rng.normal(size=(6, 6)) + 3
    for fraction in (0.5, 0.9, 1.0):
        mean, axes = whitening(Z, None, fraction)
        pca = PCA(fraction if fraction < 1 else None, whiten=True).fit(Z)
        assert axes.shape == (pca.n_components_, 6)
        expected = pca.transform(Z)
        expected /= np.linalg.norm(expected, axis=1, keepdims=True)
        actual = whiten(*(torch.from_numpy(a.astype(np.float32)) for a in (Z, mean, axes)))
        products = actual.numpy() @ actual.numpy().T  # do not depend on the signs of axes
        np.testing.assert_allclose(products, expected @ expected.T, atol=1e-4)


def test_whitening_of_weighted_features_equals_that_of_repeated_ones():
    rng = np.random.default_rng(0)
    Z, weight = rng.normal(size=(50, 4)), rng.integers(0, 4, size=50)
    weighted = whitening(Z, weight.astype(float), 1.0)
    for actual, expected in zip(
        weighted, whitening(np.repeat(Z, weight, axis=0), None, 1.0), strict=True
    ):
        np.testing.assert_allclose(np.abs(actual), np.abs(expected), rtol=1e-5, atol=1e-6)


def test_information_between_assignments_equals_that_of_scikit_learn():
    rng = np.random.default_rng(0)
    a = rng.integers(5, size=300)
    b = np.where(rng.random(300) < 0.5, a, rng.integers(7, size=300))
    weight = rng.integers(0, 4, size=300)
    expected = normalized_mutual_info_score(a, b)
    assert normalized_mutual_information(a, b) == pytest.approx(expected)
    repeated = normalized_mutual_info_score(np.repeat(a, weight), np.repeat(b, weight))
    assert normalized_mutual_information(a, b, weight) == pytest.approx(repeated)
    assert normalized_mutual_information(a, a) == pytest.approx(1.0)
    assert normalized_mutual_information(np.zeros(9, int), np.zeros(9, int)) == 1.0


def test_permuted_labels_are_the_same_assignment():
    rng = np.random.default_rng(0)
    a, b, order = rng.integers(5, size=300), rng.integers(5, size=300), rng.permutation(5)
    moved = normalized_mutual_information(order[a], b)
    assert moved == pytest.approx(normalized_mutual_information(a, b))
    np.testing.assert_allclose(balanced_weights(order[a]), balanced_weights(a))


# Prediction --------------------------------------------------------------------------------


def test_labels_are_those_of_the_nearest_centers(clusterer):
    X = DIGITS[:400]
    np.testing.assert_array_equal(clusterer.predict(X), clusterer.labels_)
    Z = torch.from_numpy(clusterer.transform(X).astype(np.float32))
    mean, axes = whitening(clusterer.transform(X), None, clusterer.explained_variance)
    assert clusterer.cluster_centers_.shape == (10, len(axes))
    assert len(axes) < 16
    space = whiten(Z, torch.from_numpy(mean), torch.from_numpy(axes)).numpy()
    distance = np.square(space[:, None] - clusterer.cluster_centers_).sum(axis=2)
    np.testing.assert_array_equal(distance.argmin(axis=1), clusterer.labels_)


def test_features_have_a_fixed_width_and_there_are_no_probabilities(clusterer):
    assert clusterer.transform(DIGITS).shape == (len(DIGITS), 16)
    assert len(clusterer.get_feature_names_out()) == 16
    assert not hasattr(clusterer, "predict_proba")


def test_a_pickle_predicts_the_same(clusterer):
    for copied in (pickle.loads(pickle.dumps(clusterer)), copy.deepcopy(clusterer)):
        np.testing.assert_array_equal(copied.predict(DIGITS), clusterer.predict(DIGITS))


def test_sparse_and_memory_mapped_samples_give_the_same_clusters(clusterer, tmp_path):
    file = np.memmap(tmp_path / "X", dtype=DIGITS.dtype, mode="w+", shape=(400, 64))
    file[:] = DIGITS[:400]
    for X in (file, sp.csr_array(DIGITS[:400])):
        other = clone(clusterer).fit(X)
        np.testing.assert_array_equal(other.labels_, clusterer.labels_)


# Weights and warm starts -------------------------------------------------------------------


@pytest.mark.parametrize("image_shape", [None, (8, 8)])
def test_weights_equal_repeated_samples(image_shape):
    params = {**SMALL, "batch_size": 1000, "image_shape": image_shape, "n_components": 8}
    weight = np.random.default_rng(0).integers(0, 3, size=80)
    weighted = DeepCluster(5, **params).fit(DIGITS[:80], sample_weight=weight)
    repeated = DeepCluster(5, **params).fit(np.repeat(DIGITS[:80], weight, axis=0))
    np.testing.assert_allclose(weighted.transform(DIGITS), repeated.transform(DIGITS), atol=1e-5)
    np.testing.assert_allclose(weighted.assignment_nmi_, repeated.assignment_nmi_)
    np.testing.assert_array_equal(weighted.predict(DIGITS), repeated.predict(DIGITS))


def test_a_warm_start_continues_as_if_it_had_not_stopped():
    params = {**SMALL, "lr_schedule": "constant", "n_components": 8}
    whole = DeepCluster(5, **params | {"max_epochs": 6}).fit(DIGITS[:300])
    parts = DeepCluster(5, warm_start=True, **params | {"max_epochs": 3}).fit(DIGITS[:300])
    parts = pickle.loads(pickle.dumps(parts)).fit(DIGITS[:300])
    np.testing.assert_array_equal(parts.labels_, whole.labels_)
    np.testing.assert_array_equal(parts.transform(DIGITS), whole.transform(DIGITS))
    assert parts.assignment_nmi_ == whole.assignment_nmi_


# Corner cases ------------------------------------------------------------------------------


def test_more_clusters_than_samples_are_an_error():
    with pytest.raises(ValueError, match=r"n_clusters must be <= .*n_clusters=51 and n_samples=50"):
        DeepCluster(51, **SMALL).fit(BLOBS[:50])
    weight = np.r_[np.ones(30), np.zeros(20)]
    with pytest.raises(ValueError, match=r"n_samples=30. Lower n_clusters"):
        DeepCluster(31, **SMALL).fit(BLOBS[:50], sample_weight=weight)


@pytest.mark.parametrize("n_samples", [1, 2, 129, 300])
def test_one_cluster_has_all_samples(n_samples):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        net = DeepCluster(1, **SMALL).fit(BLOBS[:n_samples])
    assert not net.labels_.any()
    assert net.assignment_nmi_ == [1.0] * 4


def test_as_many_clusters_as_samples_have_one_each():
    net = DeepCluster(20, **SMALL).fit(BLOBS[:20])
    assert len(np.unique(net.labels_)) > 15  # after random features of one half


@pytest.mark.parametrize("n_samples", [40, 300])
def test_constant_data_is_one_cluster_with_a_warning(n_samples):
    with pytest.warns(ConvergenceWarning, match="All samples are in one of 4 clusters"):
        net = DeepCluster(4, **SMALL).fit(np.ones((n_samples, 5)))
    assert len(np.unique(net.labels_)) == 1
    assert np.isfinite(net.transform(np.ones((2, 5)))).all()
    assert np.isfinite(net.loss_curve_).all()


def test_few_distinct_samples_are_their_own_clusters():
    X = np.repeat(np.eye(3), 100, axis=0)
    net = DeepCluster(8, **SMALL).fit(X)
    assert len(np.unique(net.labels_)) <= 3


@pytest.mark.parametrize(
    ("params", "message"),
    [
        ({"augment": "shift"}, r"augment needs image_shape; got augment='shift'.*augment=None"),
        ({"noise_kind": "masking", "noise": 1.5}, r"noise must be < 1.*noise=1.5.*Lower noise"),
        ({"explained_variance": 0.0}, r"explained_variance.*range \(0.0, 1.0\]"),
        ({"update_interval": 0}, r"update_interval.*range \[1, inf\)"),
        ({"n_clusters": "auto"}, r"n_clusters.*must be an int"),
    ],
)
def test_bad_combinations_are_errors_with_a_remedy(params, message):
    with pytest.raises(ValueError, match=message):
        DeepCluster(**{"n_clusters": 3, **SMALL, **params}).fit(BLOBS)
