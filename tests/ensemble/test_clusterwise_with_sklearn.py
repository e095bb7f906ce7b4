"""A model for each cluster with scikit-learn's checks, callbacks, searches and metadata routing."""

import numpy as np
import pytest
import sklearn
from initial_centers import Extremes
from sklearn.base import BaseEstimator, ClassifierMixin, ClusterMixin, clone
from sklearn.callback import ProgressBar
from sklearn.cluster import KMeans
from sklearn.datasets import load_iris
from sklearn.exceptions import UnsetMetadataPassedError
from sklearn.frozen import FrozenEstimator
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.mixture import GaussianMixture
from sklearn.model_selection import GridSearchCV, KFold
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.utils.estimator_checks import parametrize_with_checks

from skdeep.cluster import IMSAT
from skdeep.ensemble import ClusterwiseClassifier, ClusterwiseRegressor
from skdeep.exceptions import DivergenceError
from skdeep.model_selection import BatchedGridSearchCV
from skdeep.neural_network import ResNetClassifier, ResNetRegressor

X, Y = load_iris(return_X_y=True)
SMALL = {"n_blocks": 1, "width": 8, "max_epochs": 3, "batch_size": 32, "device": "cpu"}
SMALL |= {"random_state": 0}
WEIGHT = np.linspace(0.5, 2.0, len(X))


def kmeans(n_clusters=3):
    return KMeans(n_clusters, random_state=0)


def imsat():
    return IMSAT(3, n_init=1, max_epochs=5, device="cpu", random_state=0)


def classifier(clusterer=None, **params):
    net = ResNetClassifier(**{**SMALL, **params})
    return ClusterwiseClassifier(kmeans() if clusterer is None else clusterer, net)


# scikit-learn's suite ----------------------------------------------------------------------


TWO = KMeans(2, init=Extremes(), n_init=1, tol=0, random_state=0)


def _nets():
    small = {**SMALL, "width": 32, "lr": 1e-2, "max_epochs": 20, "batch_size": 128}
    one = KMeans(1, random_state=0)
    yield ClusterwiseClassifier(one, ResNetClassifier(**small))
    yield ClusterwiseRegressor(one, ResNetRegressor(**small))


def _soft():
    mixture = GaussianMixture(1, random_state=0)
    yield ClusterwiseClassifier(mixture, LogisticRegression(), soft=True)
    yield ClusterwiseRegressor(mixture, Ridge(), soft=True)


@parametrize_with_checks(
    [
        ClusterwiseClassifier(TWO, LogisticRegression(), min_cluster_size=1),
        ClusterwiseRegressor(TWO, Ridge(), min_cluster_size=1),
    ]
)
def test_scikit_learn_check(estimator, check):
    check(estimator)


@pytest.mark.slow
@parametrize_with_checks([*_nets(), *_soft()])
def test_scikit_learn_check_of_nets_and_of_weights_of_clusters(estimator, check):
    check(estimator)


# Callbacks ---------------------------------------------------------------------------------


class Record:
    """Fit callback that records tasks; with a ``depth`` it is propagated to the parts."""

    def __init__(self, depth="none"):
        if depth != "none":
            self.max_propagation_depth = depth
        self.calls = []

    def setup(self, estimator, context):
        self.calls.append("setup")

    def teardown(self, estimator, context):
        self.calls.append("teardown")

    def on_fit_task_begin(self, estimator, context):
        self.calls.append(f"begin {context.task_name}")

    def on_fit_task_end(self, estimator, context):
        self.calls.append(f"end {context.task_name}")


def test_callbacks_see_the_clusterer_and_every_estimator():
    record = Record()
    fitted = classifier().set_callbacks(record).fit(X, Y)
    n_nets = sum(hasattr(one, "net_") for one in fitted.estimators_.values())
    assert n_nets == 2  # the other one is constant
    assert record.calls[:4] == ["setup", "begin fit", "begin fit-clusterer", "end fit-clusterer"]
    assert record.calls.count("end fit-estimator") == n_nets
    assert record.calls[-2:] == ["end fit", "teardown"]


@pytest.mark.parametrize("is_frozen", [False, True])
def test_callbacks_that_are_handed_on_see_all_epochs(is_frozen):
    record = Record(None)
    clusterer = FrozenEstimator(imsat().fit(X)) if is_frozen else imsat()
    fitted = classifier(clusterer).set_callbacks(record).fit(X, Y)
    estimators = [*fitted.estimators_.values(), fitted.global_estimator_]
    nets = [one for one in estimators if hasattr(one, "net_")]
    n_epochs = sum(net.n_iter_ for net in nets) + (0 if is_frozen else fitted.clusterer_.n_iter_)
    assert record.calls.count("end epoch") == n_epochs
    assert record.calls.count("setup") == record.calls.count("teardown") == 1
    for part in (fitted.clusterer_, *nets):
        assert not hasattr(part, "_skl_callbacks")


def test_callbacks_change_nothing(capsys):
    expected = classifier(imsat()).fit(X, Y).predict_proba(X)
    bar = ProgressBar(max_propagation_depth=None)
    watched = classifier(imsat()).set_callbacks(bar).fit(X, Y)
    np.testing.assert_array_equal(watched.predict_proba(X), expected)
    assert "ClusterwiseClassifier - fit" in capsys.readouterr().out


def test_a_failed_fit_tears_its_callbacks_down():
    record = Record()
    model = classifier(norm="layer", lr=1e30).set_callbacks(record)
    with pytest.raises(DivergenceError):
        model.fit(X, Y)
    assert record.calls[-1] == "teardown"
    assert not hasattr(model, "clusterer_")


# Searches ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "estimator, grid",
    [
        (classifier(), {"estimator__lr": [1e-3, 1e-1], "clusterer__n_clusters": [2, 3]}),
        (
            make_pipeline(StandardScaler(), classifier()),
            {"clusterwiseclassifier__min_cluster_size": [10, 40]},
        ),
        (
            ClusterwiseRegressor(kmeans(), ResNetRegressor(**SMALL)),
            {"estimator": [Ridge(), ResNetRegressor(**SMALL)]},
        ),
    ],
    ids=["parameters", "pipeline", "estimators"],
)
def test_a_batched_search_scores_as_grid_search_does(estimator, grid, assert_same_search):
    options = {"cv": KFold(3, shuffle=True, random_state=0)}
    expected = GridSearchCV(clone(estimator), grid, **options).fit(X, Y)
    found = BatchedGridSearchCV(clone(estimator), grid, **options).fit(X, Y)
    assert_same_search(found, expected)
    np.testing.assert_array_equal(found.predict(X), expected.predict(X))


# Metadata ----------------------------------------------------------------------------------


class Recording(BaseEstimator):
    """Records the metadata of ``fit``."""

    def fit(self, X, y=None, sample_weight=None, tag=None):
        self.seen_ = [None if one is None else np.asarray(one) for one in (sample_weight, tag)]
        self.n_features_in_, self.classes_ = X.shape[1], np.unique([0] if y is None else y)
        return self

    def predict(self, X):
        return (X[:, 2] > 2.5).astype(int)


class RecordingClusterer(ClusterMixin, Recording):
    """Two clusters."""


class RecordingClassifier(ClassifierMixin, Recording):
    """Two classes."""


def recording(**requests):
    """A model whose parts request metadata."""
    parts = RecordingClusterer(), RecordingClassifier()
    for part, request in zip(parts, (requests["clusterer"], requests["estimator"]), strict=True):
        part.set_fit_request(**request)
    return ClusterwiseClassifier(*parts)


def test_metadata_is_routed_to_those_that_request_it():
    tags = np.arange(len(X))
    with sklearn.config_context(enable_metadata_routing=True):
        both = recording(
            clusterer={"sample_weight": True, "tag": False},
            estimator={"sample_weight": True, "tag": True},
        ).fit(X, Y, sample_weight=WEIGHT, tag=tags)
        apart = recording(
            clusterer={"sample_weight": "other", "tag": True},
            estimator={"sample_weight": True, "tag": False},
        ).fit(X, Y, sample_weight=WEIGHT, other=WEIGHT[::-1].copy(), tag=tags)
        with pytest.raises(UnsetMetadataPassedError, match=r"RecordingClassifier\.fit"):
            recording(clusterer={"tag": True}, estimator={}).fit(X, Y, tag=tags)
    np.testing.assert_array_equal(both.clusterer_.seen_[0], WEIGHT)
    assert both.clusterer_.seen_[1] is None
    rows = X[:, 2] > 2.5
    np.testing.assert_array_equal(both.estimators_[1].seen_[0], WEIGHT[rows])
    np.testing.assert_array_equal(both.estimators_[1].seen_[1], tags[rows])
    np.testing.assert_array_equal(apart.clusterer_.seen_[0], WEIGHT[::-1])
    np.testing.assert_array_equal(apart.clusterer_.seen_[1], tags)
    np.testing.assert_array_equal(apart.estimators_[1].seen_[0], WEIGHT[rows])
    assert apart.estimators_[1].seen_[1] is None


def test_a_clusterer_that_ignores_weights_sees_all_samples():
    weight = np.where(np.arange(len(X)) % 2, 1.0, 0.0)
    with sklearn.config_context(enable_metadata_routing=True):
        net = ResNetClassifier(**SMALL).set_fit_request(sample_weight=True)
        clusterer = kmeans().set_fit_request(sample_weight=False)
        model = ClusterwiseClassifier(clusterer, net).fit(X, Y, sample_weight=weight)
    np.testing.assert_array_equal(
        model.clusterer_.cluster_centers_, kmeans().fit(X).cluster_centers_
    )


def test_other_metadata_needs_routing():
    with pytest.raises(ValueError, match="only supported if enable_metadata_routing=True"):
        classifier().fit(X, Y, tag=WEIGHT)


def test_weights_that_an_estimator_does_not_take_are_refused():
    pipe = make_pipeline(StandardScaler(), LogisticRegression())
    with pytest.raises(ValueError, match="stepname__parameter"):
        ClusterwiseClassifier(kmeans(), pipe).fit(X, Y, sample_weight=WEIGHT)


# Settings ----------------------------------------------------------------------------------


def test_errors_of_numpy_do_not_stop_a_mixture():
    mixture = GaussianMixture(3, random_state=0)
    model = ClusterwiseClassifier(mixture, ResNetClassifier(**SMALL), soft=True)
    expected = model.fit(X, Y).predict_proba(1e3 * X)
    with np.errstate(all="raise"):
        np.testing.assert_array_equal(model.fit(X, Y).predict_proba(1e3 * X), expected)
