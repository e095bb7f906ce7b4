"""Nets that are pretrained on clusters: known answers, missing labels, weights, errors."""

import pickle

import numpy as np
import pandas as pd
import pytest
import scipy.sparse as sp
from sklearn.base import BaseEstimator, ClusterMixin, clone
from sklearn.cluster import DBSCAN, AgglomerativeClustering, KMeans
from sklearn.datasets import load_digits, make_blobs
from sklearn.exceptions import NotFittedError
from sklearn.frozen import FrozenEstimator
from sklearn.mixture import GaussianMixture
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from skdeep.cluster import IMSAT
from skdeep.decomposition import Autoencoder
from skdeep.exceptions import DivergenceError
from skdeep.neural_network import ResNetClassifier, ResNetRegressor
from skdeep.semi_supervised import ClusterPretrainedClassifier, ClusterPretrainedRegressor

X, BLOB = make_blobs(120, 4, centers=3, random_state=0)
# the first samples of all blobs
LABELLED = np.concatenate([np.flatnonzero(BLOB == one)[:2] for one in range(3)])
FEW_LABELS = np.full(120, -1)
FEW_LABELS[LABELLED] = BLOB[LABELLED]
FEW_TARGETS = np.where(FEW_LABELS < 0, np.nan, BLOB)
NAMES = np.array(["cat", "dog", "owl"])
SMALL = {"n_blocks": 1, "width": 16, "max_epochs": 20, "lr": 1e-2, "device": "cpu"}


class Named(ClusterMixin, BaseEstimator):
    """Clusterer of given labels, whose ``fit`` takes weights but not its ``fit_predict``."""

    def __init__(self, names=()):
        self.names = names

    def fit(self, X, y=None, sample_weight=None):
        self.labels_ = np.asarray(self.names)
        return self

    def fit_predict(self, X, y=None):
        return self.fit(X).labels_


def kmeans(n_clusters=3, **params):
    return KMeans(n_clusters, n_init=5, random_state=0, **params)


def classifier(clusterer=None, net=None, **params):
    small = {"pretrain_epochs": 20, "freeze_epochs": 10, "random_state": 0}
    net = {**SMALL, **(net or {})}
    clusterer = kmeans() if clusterer is None else clusterer
    return ClusterPretrainedClassifier(clusterer, ResNetClassifier(**net), **{**small, **params})


def regressor(clusterer=None, net=None, **params):
    small = {"pretrain_epochs": 20, "freeze_epochs": 10, "random_state": 0}
    net = ResNetRegressor(**{**SMALL, **(net or {})})
    clusterer = kmeans() if clusterer is None else clusterer
    return ClusterPretrainedRegressor(clusterer, net, **{**small, **params})


# Known answers -----------------------------------------------------------------------------


def test_few_labels_of_digits_suffice_after_pretraining():
    X, y = load_digits(return_X_y=True)
    few = np.full(1200, -1)
    few[:50] = y[:50]
    net = ResNetClassifier(lr=1e-2, device="cpu")
    clusterer = IMSAT(10, n_init=1, max_epochs=20, device="cpu")
    pretrained = ClusterPretrainedClassifier(clusterer, net, random_state=0).fit(X[:1200], few)
    scratch = clone(net).set_params(random_state=0).fit(X[:50], y[:50])
    assert pretrained.score(X[1200:], y[1200:]) > scratch.score(X[1200:], y[1200:]) + 0.05


def test_the_net_is_that_of_two_trainings_by_hand():
    given = np.isin(np.arange(120), LABELLED)
    clusters = kmeans(5).fit_predict(X)
    shared = {**SMALL, "random_state": 3}
    first = ResNetClassifier(**{**shared, "max_epochs": 20}, class_weight="balanced")
    start = FrozenEstimator(first.fit(X, clusters))
    for make, Net, y in (
        (classifier, ResNetClassifier, FEW_LABELS),
        (regressor, ResNetRegressor, FEW_TARGETS),
    ):
        second = Net(pretrained=start, freeze_epochs=4, trunk_lr=1e-3, **shared)
        expected = second.fit(X[given], y[given]).predict(X)
        fitted = make(kmeans(5), freeze_epochs=4, trunk_lr=1e-3)
        fitted.estimator.set_params(random_state=3)
        np.testing.assert_array_equal(fitted.fit(X, y).predict(X), expected)
        np.testing.assert_array_equal(fitted.cluster_labels_, clusters)


def test_the_trunk_stays_that_of_the_clusters_if_all_epochs_are_frozen():
    for fitted in (
        classifier(freeze_epochs=20).fit(X, FEW_LABELS),
        regressor(freeze_epochs=20).fit(X, FEW_TARGETS),
    ):
        first = fitted.estimator_.pretrained.estimator
        np.testing.assert_array_equal(fitted.embed(X), first.embed(X))
        np.testing.assert_array_equal(first.classes_, np.unique(fitted.cluster_labels_))


@pytest.mark.parametrize("y", [FEW_TARGETS, np.column_stack([FEW_TARGETS, -FEW_TARGETS])])
def test_standard_deviations_and_quantiles_are_those_of_the_net(y):
    levels = [0.2, 0.4, 0.8]
    fitted = regressor(net={"loss": "gaussian"}).fit(X, y)
    net = fitted.estimator_
    mean, std = fitted.predict(X, return_std=True)
    for found, expected in zip((mean, std), net.predict(X, return_std=True), strict=True):
        np.testing.assert_array_equal(found, expected)
    np.testing.assert_array_equal(mean, fitted.predict(X))
    np.testing.assert_array_equal(
        fitted.predict(X, quantiles=levels), net.predict(X, quantiles=levels)
    )
    with pytest.raises(ValueError, match="return_std must be False if quantiles are given"):
        fitted.predict(X, return_std=True, quantiles=levels)
    fitted = regressor(net={"loss": "quantile", "quantile": (0.2, 0.8)}).fit(X, y)
    found = fitted.predict(X, quantiles=levels)
    assert found.shape == (*y.shape, 3)
    assert (np.diff(found) >= 0).all()
    # without them, the median is predicted
    np.testing.assert_array_equal(fitted.predict(X), fitted.predict(X, quantiles=[0.5])[..., 0])
    assert np.isfinite(fitted.transduction_).all()
    with pytest.raises(ValueError, match="return_std=True requires loss='gaussian'"):
        fitted.predict(X, return_std=True)


def test_a_pipeline_passes_the_arguments_of_predict():
    fitted = regressor(make_pipeline(StandardScaler(), kmeans()), net={"loss": "gaussian"})
    pipe = make_pipeline(StandardScaler(), fitted).fit(X, FEW_TARGETS)
    mean, std = pipe.predict(X, return_std=True)
    assert mean.shape == std.shape == (120,)
    assert pipe.predict(X, quantiles=[0.1, 0.9]).shape == (120, 2)


# Labels ------------------------------------------------------------------------------------


def test_labelled_samples_are_never_relabelled():
    rows, y = np.vstack([X, X[:1], X[:1], X[:1]]), np.concatenate([FEW_LABELS, [0, 1, 2]])
    fitted = classifier().fit(rows, y)
    expected = fitted.predict(rows)
    assert len(set(expected[120:])) == 1
    expected[y >= 0] = y[y >= 0]
    np.testing.assert_array_equal(fitted.transduction_, expected)
    targets = np.concatenate([FEW_TARGETS, [5.0, 6.0, 7.0]])
    transduction = regressor().fit(rows, targets).transduction_
    given = ~np.isnan(targets)
    np.testing.assert_array_equal(transduction[given], targets[given])
    assert np.isfinite(transduction).all()


@pytest.mark.parametrize(
    ("missing", "unlabeled", "dtype"),
    [("", "", "U3"), (None, None, object), (np.nan, None, object), (-1, -1, object)],
)
def test_strings_may_be_missing_in_many_ways(missing, unlabeled, dtype):
    y = np.full(120, missing, dtype=dtype)
    y[LABELLED] = NAMES[BLOB[LABELLED]]
    fitted = classifier(unlabeled=unlabeled).fit(X, y)
    assert fitted.classes_.tolist() == NAMES.tolist()
    assert fitted.score(X, NAMES[BLOB]) > 0.98
    assert fitted.score(X, y) == 1.0


def test_minus_one_and_one_are_two_classes():
    y = np.where(BLOB == 0, -1, 1)
    with pytest.warns(UserWarning, match="taken as two classes although unlabeled=-1.*=None"):
        classifier(net={"max_epochs": 80}).fit(X, y)
    fitted = classifier(net={"max_epochs": 80}, unlabeled=None).fit(X, y)
    assert fitted.classes_.tolist() == [-1, 1]
    assert fitted.score(X, y) > 0.95
    assert fitted.score(X[BLOB == 0], y[BLOB == 0]) > 0.95


def test_one_label_of_each_class_and_one_class_are_enough():
    y = np.full(120, -1)
    y[LABELLED[::2]] = 0, 1, 2
    assert classifier().fit(X, y).score(X, BLOB) > 0.98
    y = np.full(120, -1)
    y[:3] = 5
    assert set(classifier().fit(X, y).predict(X)) == {5}


def test_several_targets_count_as_missing_if_one_of_them_is():
    y = np.column_stack([BLOB, 2.0 * BLOB])
    y[6:, 1], y[:, 0][7:9] = np.nan, np.nan
    fitted = regressor().fit(X, y)
    assert fitted.predict(X).shape == (120, 2)
    np.testing.assert_array_equal(fitted.transduction_[:6], y[:6])
    np.testing.assert_array_equal(fitted.transduction_[6:], fitted.predict(X)[6:])
    assert fitted.score(X, y) == fitted.score(X[:6], y[:6])


@pytest.mark.parametrize(
    ("model", "y", "error", "match"),
    [
        (classifier(), np.full(120, -1), ValueError, "y must have a label for at least one sample"),
        (regressor(), np.full(120, np.nan), ValueError, "y must have a target for at least one"),
        (classifier(), BLOB[:5], ValueError, "inconsistent numbers of samples"),
        (classifier(), np.eye(3)[BLOB], ValueError, "y should be a 1d array"),
        (classifier(), np.where(BLOB, np.nan, 1.0), ValueError, "Pass unlabeled=None"),
        (regressor(), np.where(BLOB, np.nan, np.inf), ValueError, "contains infinity"),
        (regressor(), np.full(120, "2020-01-01", "M8[D]"), TypeError, "y must be numeric"),
        (classifier(KMeans(1)), BLOB, ValueError, "at least two clusters; got 1"),
        (classifier(DBSCAN(1e-9)), BLOB, ValueError, "at least two clusters; got 0"),
        (classifier(StandardScaler()), BLOB, TypeError, "clusterer must have a method"),
        (classifier(KMeans), BLOB, TypeError, "clusterer must have a method"),
        (classifier(Named(["a"])), BLOB, ValueError, r"each of 120 samples; got .*\(1,\)"),
        (classifier(Named(np.where(BLOB, 1, np.nan))), BLOB, ValueError, "got a missing or inf"),
        (classifier(Named(np.where(BLOB, "a", None))), BLOB, ValueError, "got a missing or inf"),
        (
            ClusterPretrainedClassifier(kmeans(), ResNetRegressor()),
            BLOB,
            TypeError,
            "estimator must be None or a ResNetClassifier",
        ),
        (
            classifier(net={"pretrained": FrozenEstimator(ResNetClassifier())}),
            BLOB,
            ValueError,
            "estimator must have pretrained=None",
        ),
    ],
)
def test_wrong_targets_and_parts_are_errors(model, y, error, match):
    with pytest.raises(error, match=match):
        model.fit(X, y)


def test_only_labelled_samples_are_scored():
    fitted = classifier().fit(X, FEW_LABELS)
    y = np.full(120, -1)
    y[:4] = fitted.predict(X[:4])
    y[0] = (y[0] + 1) % 3
    assert fitted.score(X, y) == 0.75
    assert fitted.score(X, y, sample_weight=np.arange(120)) == 1.0
    y[0] = 9
    assert fitted.score(X, y) == 0.75
    with pytest.raises(ValueError, match="at least one sample to score"):
        fitted.score(X, np.full(120, -1))


# Clusterers --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "clusterer",
    [
        DBSCAN(2.0),
        AgglomerativeClustering(4),
        GaussianMixture(3),
        make_pipeline(StandardScaler(), KMeans(4)),
        make_pipeline(Autoencoder(2, max_epochs=5, device="cpu"), KMeans(4)),
        IMSAT(3, n_init=1, max_epochs=30, device="cpu"),
        FrozenEstimator(kmeans().fit(X)),
    ],
    ids=lambda one: type(one).__name__,
)
def test_any_clusterer_will_do_and_one_seed_is_enough(clusterer, assert_same):
    fitted = classifier(clusterer).fit(X, FEW_LABELS)
    assert fitted.score(X, BLOB) > 0.95
    again = clone(fitted).fit(X, FEW_LABELS)
    np.testing.assert_array_equal(again.cluster_labels_, fitted.cluster_labels_)
    assert_same(again.estimator_, fitted.estimator_, X)


@pytest.mark.parametrize("names", [[*"abc"], [0.1, 0.2, 0.3], [-1.0, 0.0, 1.0], [-1, 2**63, 2**64]])
@pytest.mark.parametrize("weight", [None, np.ones(120)], ids=["no weights", "weights"])
def test_clusters_may_have_any_names(names, weight):
    expected = BLOB - 1 if names[0] == -1 else BLOB  # -1 is noise
    labels = np.array(names)[BLOB]
    scalars = np.empty(120, dtype=object)
    scalars[:] = list(labels)  # of types of NumPy
    for one in (labels, scalars):
        fitted = classifier(Named(one)).fit(X, FEW_LABELS, weight)
        np.testing.assert_array_equal(fitted.cluster_labels_, expected)


@pytest.mark.parametrize("rows", [slice(None, None, -1), slice(80)], ids=["other order", "fewer"])
@pytest.mark.parametrize("weight", [None, np.ones(120)], ids=["no weights", "weights"])
def test_a_frozen_clusterer_may_have_seen_other_samples(rows, weight):
    frozen = kmeans().fit(X[rows])
    fitted = classifier(FrozenEstimator(frozen)).fit(X, FEW_LABELS, weight)
    np.testing.assert_array_equal(fitted.cluster_labels_, frozen.predict(X))


@pytest.mark.parametrize("make", [classifier, regressor])
def test_samples_may_be_lists(make, assert_same):
    few = FEW_LABELS if make is classifier else FEW_TARGETS
    fitted = make().fit(X.tolist(), few.tolist())
    assert_same(fitted.estimator_, make().fit(X, few).estimator_, X)


@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.int64])
@pytest.mark.parametrize("as_frame", [False, True])
def test_a_frozen_clusterer_takes_samples_of_another_dtype(dtype, as_frame):
    container = pd.DataFrame if as_frame else np.asarray
    clusterer = FrozenEstimator(kmeans().fit(container(X)))
    rows = container(X.astype(dtype))
    fitted = classifier(clusterer).fit(rows, FEW_LABELS)
    expected = clusterer.predict(rows.astype(np.float64))
    np.testing.assert_array_equal(fitted.cluster_labels_, expected)


def test_noise_takes_no_part_in_pretraining():
    dbscan = DBSCAN(1.5)
    noise = dbscan.fit_predict(X) < 0
    assert 5 < noise.sum() < 60
    first = classifier(dbscan).fit(X, FEW_LABELS).estimator_.pretrained.estimator
    assert -1 not in first.classes_


# Weights -----------------------------------------------------------------------------------


@pytest.mark.parametrize("make", [classifier, regressor])
def test_samples_of_weight_zero_are_not_there(make):
    y = FEW_LABELS if make is classifier else FEW_TARGETS
    weight = 1.0 * (np.arange(120) % 4 > 0)
    weight[LABELLED] = 1.0
    kept = weight > 0
    weighted, removed = make().fit(X, y, sample_weight=weight), make().fit(X[kept], y[kept])
    np.testing.assert_array_equal(weighted.predict(X), removed.predict(X))
    np.testing.assert_array_equal(weighted.cluster_labels_[kept], removed.cluster_labels_)
    assert set(weighted.cluster_labels_[~kept]) == {-1}
    weight[LABELLED] = 0
    with pytest.raises(ValueError, match="positive for at least one labelled sample"):
        make().fit(X, y, sample_weight=weight)


def test_weights_reach_all_parts():
    weight = np.linspace(0.5, 2.0, 120)
    fitted = classifier(kmeans(5)).fit(X, FEW_LABELS, weight)
    expected = kmeans(5).fit(X, sample_weight=weight)
    np.testing.assert_array_equal(fitted.cluster_labels_, expected.labels_)
    plain = classifier(FrozenEstimator(expected)).fit(X, FEW_LABELS)
    first, other = (one.estimator_.pretrained.estimator for one in (fitted, plain))
    assert first.loss_curve_ != other.loss_curve_
    assert fitted.estimator_.loss_curve_ != plain.estimator_.loss_curve_


# Containers and persistence ----------------------------------------------------------------


class KeepsSamples(KMeans):
    """k-means that keeps a reference to the samples that it was fitted to."""

    def fit(self, X, y=None, sample_weight=None):
        self.samples_ = X
        return super().fit(X, sample_weight=sample_weight)


def test_samples_that_all_take_part_are_not_copied(tmp_path):
    np.save(tmp_path / "X.npy", X)
    rows = np.load(tmp_path / "X.npy", mmap_mode="r")
    fitted = classifier(KeepsSamples(3, random_state=0)).fit(rows, FEW_LABELS, np.ones(120))
    assert np.shares_memory(fitted.clusterer_.samples_, rows)


def test_dataframes_sparse_samples_and_images_are_passed_on():
    frame = pd.DataFrame(X, columns=list("abcd"))
    fitted = classifier().fit(frame, pd.Series(FEW_LABELS))
    assert fitted.feature_names_in_.tolist() == list("abcd")
    assert fitted.score(frame, BLOB) > 0.98
    dense = np.where(abs(X) > 2, X, 0)
    params = {"net": {"feature_scaling": "standard"}}
    found = classifier(**params).fit(sp.csr_array(dense), FEW_LABELS)
    np.testing.assert_array_equal(found.predict(dense), found.predict(sp.csr_array(dense)))
    digits, digit = load_digits(return_X_y=True)
    net = {"image_shape": (8, 8), "stem_width": 4, "augment": "shift", "max_epochs": 2}
    fitted = classifier(kmeans(10), net, pretrain_epochs=2).fit(digits[:200], digit[:200])
    assert fitted.embed(digits[:3]).shape == (3, 16)


def test_a_copy_from_a_pickle_predicts_the_same():
    fitted = classifier().fit(X, FEW_LABELS)
    restored = pickle.loads(pickle.dumps(fitted))
    np.testing.assert_array_equal(restored.predict_proba(X), fitted.predict_proba(X))
    np.testing.assert_array_equal(restored.transduction_, fitted.transduction_)


def test_an_unfitted_model_says_so():
    with pytest.raises(NotFittedError):
        classifier().predict(X)
    with pytest.raises(NotFittedError):
        classifier().score(X, BLOB)


def test_a_failed_fit_changes_nothing():
    fitted = classifier().fit(X, FEW_LABELS)
    before = fitted.predict_proba(X)
    with pytest.raises(DivergenceError):
        fitted.set_params(estimator__lr=1e30, estimator__optimizer="sgd").fit(X, FEW_LABELS)
    np.testing.assert_array_equal(fitted.predict_proba(X), before)
