"""Deep embedded clustering: the formulas of the papers, known clusters, weights and parameters."""

import pickle

import numpy as np
import pandas as pd
import pytest
from sklearn.base import clone
from sklearn.cluster import KMeans
from sklearn.datasets import load_digits, make_blobs
from sklearn.decomposition import PCA
from sklearn.exceptions import ConvergenceWarning, NotFittedError
from sklearn.frozen import FrozenEstimator
from sklearn.metrics import adjusted_rand_score
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import MinMaxScaler

from skdeep.cluster import DeepEmbeddedClustering
from skdeep.decomposition import Autoencoder, VariationalAutoencoder
from skdeep.model_selection import BatchedGridSearchCV

X, BLOB = make_blobs(200, 6, centers=4, random_state=0)
FEW = {"device": "cpu", "random_state": 0}
AE = Autoencoder(3, hidden_layer_sizes=(16,), lr=1e-2, max_epochs=60, **FEW).fit(X)
# One batch, no momentum of Adam: a step follows the gradient.
STEP = {"autoencoder": FrozenEstimator(AE), "batch_size": 1000, "optimizer": "sgd", "lr": 1e-3}


def clusterer(n_clusters=4, **params):
    few = {"n_components": 3, "hidden_layer_sizes": (16,), "lr": 1e-2, **FEW}
    few |= {"pretrain_epochs": 20, "max_epochs": 10}
    return DeepEmbeddedClustering(n_clusters, **{**few, **params})


def assignments(Z, centers):
    """Eq. 1 of Xie et al. (2016) with one degree of freedom."""
    kernel = 1 / (1 + np.square(Z[:, None] - centers).sum(axis=2))
    return kernel / kernel.sum(axis=1, keepdims=True)


def targets(q, weight=None):
    """Eq. 3 of Xie et al. (2016), with frequencies that sum weights."""
    frequency = np.average(q, axis=0, weights=weight)
    return q**2 / frequency / (q**2 / frequency).sum(axis=1, keepdims=True)


def divergence(p, q, weight=None):
    """Mean KL divergence of q from p."""
    return np.average((p * np.log(p / q)).sum(axis=1), weights=weight)


def first_assignments(weight=None):
    """Assignments of the codes of ``AE`` to their k-means clusters, which are unambiguous."""
    Z = AE.transform(X)
    return assignments(Z, KMeans(4, n_init=20).fit(Z, sample_weight=weight).cluster_centers_)


# Known answers -----------------------------------------------------------------------------


@pytest.mark.parametrize("weight", [0.0, 0.1, 10.0])
def test_blobs_are_found(weight):
    dec = clusterer(reconstruction_weight=weight).fit(X)
    assert adjusted_rand_score(BLOB, dec.labels_) == 1
    np.testing.assert_array_equal(dec.predict(X), dec.labels_)
    np.testing.assert_array_equal(clone(dec).fit_predict(X), dec.labels_)
    assert dec.transform(X).shape == (200, 3)
    assert dec.inverse_transform(dec.cluster_centers_).shape == (4, 6)


def test_one_cluster_holds_all_samples():
    dec = clusterer(1).fit(X)
    assert set(dec.labels_) == {0}
    np.testing.assert_array_equal(dec.predict_proba(X), np.ones((200, 1)))


@pytest.mark.parametrize("n_clusters", [1, 3])
def test_constant_samples_are_one_cluster_and_others_are_reported(n_clusters):
    dec = clusterer(n_clusters)
    if n_clusters == 1:
        dec.fit(np.ones((20, 3)))
    else:
        with pytest.warns(ConvergenceWarning, match="All samples are in one of 3 clusters"):
            dec.fit(np.ones((20, 3)))
    assert set(dec.labels_) == {0}


# The papers' formulas ----------------------------------------------------------------------


def test_probabilities_are_assignments_by_student_t():
    dec = clusterer().fit(X)
    expected = assignments(dec.transform(X), dec.cluster_centers_)
    np.testing.assert_allclose(dec.predict_proba(X), expected, rtol=1e-5)
    np.testing.assert_array_equal(dec.predict(X), expected.argmax(axis=1))


@pytest.mark.parametrize("weight", [None, np.arange(200) % 5])
def test_the_loss_is_the_divergence_from_sharpened_assignments(weight):
    q = first_assignments(weight)
    expected = divergence(targets(q, weight), q, weight)
    dec = clusterer(reconstruction_weight=0, **{**STEP, "max_epochs": 1}).fit(
        X, sample_weight=weight
    )
    assert dec.loss_curve_ == pytest.approx([expected], rel=1e-4)


def test_the_reconstruction_loss_is_weighted_and_added():
    dec = clusterer(reconstruction_weight=3.0, **{**STEP, "max_epochs": 1}).fit(X)
    q = first_assignments()
    (row,) = dec.history_
    assert row["train_clustering"] == pytest.approx(divergence(targets(q), q), rel=1e-4)
    error = AE.reconstruction_error(X).mean() / X.var(axis=0).mean()
    assert row["train_reconstruction"] == pytest.approx(3 * error, rel=1e-4)
    assert row["train_loss"] == pytest.approx(
        row["train_clustering"] + row["train_reconstruction"], rel=1e-6
    )


def test_a_step_follows_the_gradient_of_the_paper():
    Z = AE.transform(X)
    before = KMeans(4, n_init=20).fit(Z).cluster_centers_
    q = assignments(Z, before)
    difference = Z[:, None] - before
    pull = (targets(q) - q) / (1 + np.square(difference).sum(axis=2))
    gradient = -2 * (pull[:, :, None] * difference).mean(axis=0)  # eq. 5, a mean over samples
    dec = clusterer(reconstruction_weight=0, **{**STEP, "max_epochs": 1, "lr": 0.1}).fit(X)
    step = 0.1 * 1.9 * gradient  # the first step with Nesterov's momentum of 0.9
    moved = {tuple(row) for row in (before - step).round(4)}
    assert moved == {tuple(row) for row in dec.cluster_centers_.round(4)}
    assert np.abs(step).max() > 1e-3


@pytest.mark.parametrize("interval", [1, 2, 3])
def test_targets_are_updated_after_every_few_steps(interval):
    params = {"reconstruction_weight": 0, "max_epochs": 6, "update_interval": interval, "tol": 0}
    dec = clusterer(**{**STEP, **params}).fit(X)
    updates = [row.get("target_updates", 0) for row in dec.history_]
    assert updates == [int(epoch % interval == 0) for epoch in range(1, 7)]
    assert [row.get("changed_labels") for row in dec.history_ if "target_updates" in row] == (
        [0.0] * (6 // interval)
    )


def test_steps_are_counted_and_not_epochs():
    dec = clusterer(batch_size=20, update_interval=4, max_epochs=2, tol=0).fit(X)  # 10 steps each
    phases = [(row["phase"], row.get("target_updates")) for row in dec.history_[-3:]]
    assert phases == [("pretraining", None), ("clustering", 2), ("clustering", 3)]


def test_updated_targets_are_those_of_the_current_assignments():
    params = {**STEP, "reconstruction_weight": 0, "update_interval": 1, "tol": 0}
    one, two = (clusterer(**{**params, "max_epochs": n}).fit(X) for n in (1, 2))
    q = one.predict_proba(X)
    assert two.loss_curve_[1] == pytest.approx(divergence(targets(q), q), rel=1e-4)


def test_training_sharpens_the_assignments():
    dec = clusterer(max_epochs=1).fit(X)
    more = clusterer(max_epochs=30, tol=0).fit(X)
    assert more.predict_proba(X).max(axis=1).mean() > dec.predict_proba(X).max(axis=1).mean()


def test_training_stops_when_labels_no_longer_change():
    assert clusterer(update_interval=1).fit(X).n_iter_ == 20 + 1
    assert clusterer(update_interval=5).fit(X).n_iter_ == 20 + 3  # two steps an epoch
    assert clusterer(update_interval=1, tol=0).fit(X).n_iter_ == 20 + 10


# Weights and order -------------------------------------------------------------------------


def test_weights_are_the_same_as_copies_and_zero_removes():
    weight = np.random.default_rng(0).integers(0, 4, size=200)
    options = {"batch_size": 1000, "update_interval": 3, "tol": 0}
    weighted = clusterer(**options).fit(X, sample_weight=weight)
    repeated = clusterer(**options).fit(np.repeat(X, weight, axis=0))
    np.testing.assert_allclose(weighted.predict_proba(X), repeated.predict_proba(X), rtol=1e-5)
    np.testing.assert_allclose(weighted.cluster_centers_, repeated.cluster_centers_, rtol=1e-5)
    assert weighted.loss_curve_ == pytest.approx(repeated.loss_curve_, rel=1e-5)


def test_the_order_of_samples_does_not_matter_in_one_batch():
    order = np.random.default_rng(0).permutation(len(X))
    options = {"batch_size": 1000, "update_interval": 3, "tol": 0}
    dec, other = clusterer(**options).fit(X), clusterer(**options).fit(X[order])
    np.testing.assert_array_equal(other.labels_, dec.labels_[order])
    np.testing.assert_allclose(other.predict_proba(X), dec.predict_proba(X), rtol=1e-5)


# An autoencoder that is already fitted -----------------------------------------------------


def test_a_given_autoencoder_is_used_and_not_changed():
    before = pickle.dumps(AE)
    dec = clusterer(**{**STEP, "max_epochs": 1, "lr": 1e-12}).fit(X)
    assert pickle.dumps(AE) == before
    assert dec.n_iter_ == 1
    np.testing.assert_allclose(dec.transform(X), AE.transform(X), rtol=1e-5)
    np.testing.assert_allclose(dec.reconstruct(X), AE.reconstruct(X), rtol=1e-5)
    dec.set_params(lr=0.1).fit(X)
    assert pickle.dumps(AE) == before
    assert not np.allclose(dec.transform(X), AE.transform(X))


@pytest.mark.parametrize(
    "params",
    [
        {"loss": "bce", "batch_norm": True},
        {"tied_weights": True, "noise": 0.2},
        {"loss": "huber", "sparsity": 1e-3, "contraction": 1e-3, "output_activation": "softplus"},
        {"image_shape": (8, 8), "hidden_layer_sizes": (4,), "dropout": 0.1},
    ],
    ids=["bce", "tied", "penalties", "images"],
)
def test_every_kind_of_autoencoder_can_be_given(params):
    images = load_digits().images[:200] / 16
    digits = images.reshape(200, 64)
    ae = Autoencoder(3, max_epochs=10, **FEW, **params).fit(digits)
    dec = clusterer(2, autoencoder=FrozenEstimator(ae), max_epochs=2, lr=1e-3).fit(digits)
    restored = pickle.loads(pickle.dumps(dec))
    np.testing.assert_array_equal(restored.predict_proba(digits), dec.predict_proba(digits))
    if "image_shape" in params:
        folded = clone(dec).fit(images)
        np.testing.assert_array_equal(folded.predict_proba(images), dec.predict_proba(digits))


def test_a_given_autoencoder_is_kept_by_clones_and_searches():
    dec = clusterer(autoencoder=FrozenEstimator(AE), max_epochs=2)
    grid = {"reconstruction_weight": [0.0, 1.0], "max_epochs": [1, 3]}
    options = {"scoring": lambda dec, X, y=None: dec.predict_proba(X).max(), "cv": 2}
    expected = GridSearchCV(dec, grid, **options).fit(X)
    found = BatchedGridSearchCV(dec, grid, **options).fit(X)
    np.testing.assert_array_equal(
        found.cv_results_["mean_test_score"], expected.cv_results_["mean_test_score"]
    )


@pytest.mark.parametrize(
    "autoencoder, error, match",
    [
        (Autoencoder(3), NotFittedError, "This Autoencoder instance is not fitted yet"),
        (PCA(3), TypeError, "autoencoder must be a FrozenEstimator of a fitted.*got one of PCA"),
        (VariationalAutoencoder(3), TypeError, "got one of VariationalAutoencoder"),
        (
            Autoencoder(3, noise=0.1, global_skip=True, max_epochs=1, **FEW).fit(X),
            ValueError,
            "from their codes alone",
        ),
        (
            Autoencoder(3, loss="multinomial", max_epochs=1, **FEW).fit(X**2),
            ValueError,
            "not as probabilities",
        ),
        (AE, ValueError, "X has 5 features, but Autoencoder is expecting 6 features"),
    ],
    ids=["unfitted", "no autoencoder", "variational", "skip", "multinomial", "features"],
)
def test_an_unsuitable_autoencoder_is_an_error(autoencoder, error, match):
    with pytest.raises(error, match=match):
        clusterer(autoencoder=FrozenEstimator(autoencoder)).fit(X[:, :5])


def test_an_autoencoder_that_is_not_frozen_is_an_error():
    with pytest.raises(ValueError, match=r"'autoencoder' parameter of .*FrozenEstimator"):
        clusterer(autoencoder=AE).fit(X)


# Parameters --------------------------------------------------------------------------------


def test_more_clusters_than_samples_are_an_error():
    with pytest.raises(ValueError, match="n_clusters must be <= the number of samples"):
        clusterer(20).fit(X[:10])
    with pytest.raises(ValueError, match="n_clusters=4 and n_samples=3"):
        clusterer(4).fit(X, sample_weight=np.arange(200) < 3)


@pytest.mark.parametrize("augment", ["shift", "shift+flip"])
def test_augmentation_is_drawn_in_both_phases(augment):
    images = load_digits().data[:200]
    shape = {"image_shape": (8, 8), "hidden_layer_sizes": (4,), "batch_size": 50}
    plain = clusterer(max_epochs=1, **shape).fit(images)
    moved = clusterer(max_epochs=1, augment=augment, **shape).fit(images)
    assert plain.loss_curve_[0] != moved.loss_curve_[0]
    np.testing.assert_array_equal(moved.predict(images), moved.labels_)
    ae = FrozenEstimator(Autoencoder(3, max_epochs=2, **FEW, **shape).fit(images))
    losses = [
        clusterer(autoencoder=ae, max_epochs=1, augment=kind).fit(images).loss_curve_
        for kind in (None, augment)
    ]
    assert losses[0] != losses[1]


@pytest.mark.parametrize("optimizer", ["adamw", "sgd"])
def test_a_warm_start_may_train_the_decoder_again(optimizer):
    params = {"optimizer": optimizer, "max_epochs": 2, "warm_start": True}
    dec = clusterer(reconstruction_weight=0.0, **params).fit(X)
    n_epochs = dec.n_iter_
    dec.set_params(reconstruction_weight=1.0).fit(X)
    assert dec.n_iter_ == n_epochs + 2
    assert np.isfinite(dec.score(X))


def test_augmentation_needs_images():
    with pytest.raises(ValueError, match="augment needs image_shape; got augment='shift'"):
        clusterer(augment="shift").fit(X)
    with pytest.raises(ValueError, match="augment needs image_shape"):
        clusterer(augment="shift", autoencoder=FrozenEstimator(AE), image_shape=(8, 8)).fit(X)


def test_noise_is_added_during_pretraining_only():
    plain, noisy = (clusterer(pretrain_noise=noise, max_epochs=1).fit(X) for noise in (0.0, 0.5))
    assert noisy.loss_curve_[0] != plain.loss_curve_[0]
    given = {**STEP, "max_epochs": 2}
    losses = [clusterer(pretrain_noise=noise, **given).fit(X).loss_curve_ for noise in (0.0, 0.5)]
    assert losses[0] == losses[1]


def test_without_pretraining_clustering_starts_from_random_codes():
    dec = clusterer(2, pretrain_epochs=0, max_epochs=3, lr=1e-3).fit(X)
    assert [row["phase"] for row in dec.history_] == ["clustering"] * 3


def test_a_warm_start_continues_to_cluster():
    dec = clusterer(max_epochs=2, tol=0, warm_start=True).fit(X)
    centers = dec.cluster_centers_
    dec.set_params(max_epochs=3, lr=1e-12).fit(X)
    assert [row["phase"] for row in dec.history_] == ["pretraining"] * 20 + ["clustering"] * 5
    np.testing.assert_allclose(dec.cluster_centers_, centers, rtol=1e-5)
    dec.set_params(reconstruction_weight=0, pretrain_noise=0.1).fit(X)
    with pytest.raises(ValueError, match=r"new values of \['n_clusters'\]"):
        dec.set_params(n_clusters=3).fit(X)


def test_dataframes_are_clustered_in_a_pipeline():
    frame = pd.DataFrame(X, columns=list("abcdef"))
    pipe = make_pipeline(MinMaxScaler().set_output(transform="pandas"), clusterer()).fit(frame)
    assert adjusted_rand_score(BLOB, pipe.predict(frame)) == 1
    codes = pipe.set_output(transform="pandas").transform(frame)
    assert list(codes) == [f"deepembeddedclustering{number}" for number in range(3)]
