"""DeepCluster."""

import copy
import pickle
import warnings

import numpy as np
import pytest
import scipy.sparse as sp
import torch
from sklearn.base import clone
from sklearn.cluster import KMeans
from sklearn.datasets import load_digits, make_blobs
from sklearn.decomposition import PCA
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import adjusted_rand_score, normalized_mutual_info_score
from sklearn.neighbors import KNeighborsClassifier
from sklearn.pipeline import make_pipeline
from skorch.callbacks import Callback

from skdeep.cluster import DeepCluster

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


@pytest.mark.parametrize("max_epochs", [1, 4])
def test_clusters_are_found_once_for_each_update(max_epochs, monkeypatch):
    found, fit = [], KMeans.fit

    def counted(self, *args, **params):
        found.append(self)
        return fit(self, *args, **params)

    monkeypatch.setattr(KMeans, "fit", counted)
    net = DeepCluster(10, **{**SMALL, "max_epochs": max_epochs}).fit(DIGITS[:200])
    assert len(found) == 1 + len(net.assignment_nmi_) == 1 + max_epochs


# Parts of the method -----------------------------------------------------------------------


class Batches(Callback):
    """Keeps the batches of training."""

    def __init__(self):
        self.seen = []

    def on_batch_end(self, net, batch=None, training=True, **kwargs):
        self.seen.append(batch)


@pytest.mark.parametrize("is_weighted", [False, True])
def test_clusters_have_equal_weights_as_if_sampled_uniformly(is_weighted):
    weight = np.random.default_rng(0).uniform(0.5, 2, size=200) if is_weighted else None
    batches = Batches()
    params = {**SMALL, "update_interval": 2, "batch_size": 1000, "callbacks": [batches]}
    DeepCluster(8, **params).fit(DIGITS[:200], sample_weight=weight)
    targets = [batch.y.numpy() for batch in batches.seen]  # cluster and weight of each sample
    assert len(targets) == 4
    for (labels, balance), batch in zip((y.T for y in targets), batches.seen, strict=True):
        total = balance * (batch.weight.numpy() if is_weighted else 1.0)
        per_cluster = np.bincount(labels.astype(int), total)
        np.testing.assert_allclose(per_cluster[per_cluster > 0], 200 / 8, rtol=1e-5)
        assert np.ptp(np.bincount(labels.astype(int))) > 5  # the numbers of samples differ
    np.testing.assert_array_equal(targets[0], targets[1])
    assert (targets[1] != targets[2]).any()


@pytest.mark.parametrize("explained_variance", [0.5, 0.9, 1.0])
def test_clusters_are_found_in_whitened_principal_components_of_length_one(explained_variance):
    params = {**SMALL, "explained_variance": explained_variance}
    net = DeepCluster(10, n_components=16, **params).fit(DIGITS[:400])
    Z, centers = net.transform(DIGITS[:400]), net.cluster_centers_
    pca = PCA(whiten=True).fit(Z)
    explained = np.cumsum(pca.explained_variance_ratio_)
    assert centers.shape[1] == np.count_nonzero(explained < explained_variance - 1e-6) + 1
    space = pca.transform(Z)[:, : centers.shape[1]]
    space /= np.linalg.norm(space, axis=1, keepdims=True)
    means = np.array([space[net.labels_ == k].mean(axis=0) for k in range(10)])
    space *= np.sign((means * centers).sum(axis=0))  # axes may point in either direction
    distance = np.square(space[:, np.newaxis] - centers).sum(axis=2)
    np.testing.assert_array_equal(distance.argmin(axis=1), net.labels_)


@pytest.mark.parametrize("is_weighted", [False, True])
def test_information_between_assignments_equals_that_of_scikit_learn(is_weighted):
    weight = np.random.default_rng(0).integers(1, 4, size=300) if is_weighted else np.ones(300, int)
    net = DeepCluster(10, warm_start=True, **SMALL | {"max_epochs": 1})
    labels = [net.fit(DIGITS[:300], sample_weight=weight).labels_ for _ in range(2)]
    expected = normalized_mutual_info_score(*(np.repeat(one, weight) for one in labels))
    assert net.assignment_nmi_[-1] == pytest.approx(expected)
    assert 0 < expected < 0.99


@pytest.mark.parametrize("optimizer", ["adamw", torch.optim.Rprop])
def test_the_optimizer_starts_from_scratch_for_a_new_classifier(optimizer):
    # Rprop, say, would start from tiny steps if its state was just zero
    params = {**SMALL, "max_epochs": 40, "update_interval": 20, "noise": 0.0, "batch_size": 1000}
    params |= {"lr": 0.01, "lr_schedule": "constant", "optimizer": optimizer}
    curve = DeepCluster(10, **params).fit(DIGITS[:300]).loss_curve_
    assert curve[20] - curve[22] > 0.5 * (curve[0] - curve[2])


# Prediction --------------------------------------------------------------------------------


def test_labels_are_the_predictions(clusterer):
    X = DIGITS[:400]
    np.testing.assert_array_equal(clusterer.predict(X), clusterer.labels_)


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


class StopAfter(Callback):
    """Ends training after some epochs."""

    def __init__(self, n_epochs):
        self.n_epochs = n_epochs

    def on_epoch_end(self, net, **kwargs):
        if len(net.history) == self.n_epochs:
            net.request_stop()


def test_a_warm_start_after_an_early_stop_has_a_new_classifier():
    params = {**SMALL, "lr_schedule": "constant", "update_interval": 100, "warm_start": True}
    whole = DeepCluster(10, **params | {"max_epochs": 5}).fit(DIGITS[:300])
    stopped = DeepCluster(10, callbacks=[StopAfter(5)], **params | {"max_epochs": 50})
    stopped.fit(DIGITS[:300]).set_params(callbacks=None, max_epochs=5)
    for _ in range(2):
        assert stopped.loss_curve_ == whole.loss_curve_
        assert stopped.assignment_nmi_ == whole.assignment_nmi_
        np.testing.assert_array_equal(stopped.labels_, whole.labels_)
        stopped.fit(DIGITS[:300])
        whole.fit(DIGITS[:300])


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


@pytest.mark.parametrize("params", [{}, {"n_components": 1}])
def test_a_single_axis_has_two_clusters_with_a_warning(params):
    X = BLOBS.copy()
    if not params:
        X[0] *= 1e6  # an outlier
    with pytest.warns(ConvergenceWarning, match=r"only 2 of 9 clusters.*Increase n_comp"):
        net = DeepCluster(9, **SMALL, **params).fit(X)
    assert len(np.unique(net.labels_)) == 2
    DeepCluster(2, **SMALL, **params).fit(X)  # has as many as asked for


def test_features_that_vary_mostly_along_one_axis_can_have_three_clusters():
    net = DeepCluster(3, explained_variance=0.01, **SMALL).fit(BLOBS)
    assert adjusted_rand_score(BLOB, net.labels_) == 1.0


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
