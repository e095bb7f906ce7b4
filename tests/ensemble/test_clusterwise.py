"""A model for each cluster: predictions, inputs and errors."""

import pickle

import numpy as np
import pandas as pd
import pytest
import scipy.sparse as sp
from sklearn.base import clone
from sklearn.cluster import (
    DBSCAN,
    AffinityPropagation,
    Birch,
    BisectingKMeans,
    KMeans,
    MeanShift,
    MiniBatchKMeans,
)
from sklearn.datasets import load_diabetes, load_iris, make_blobs
from sklearn.dummy import DummyClassifier
from sklearn.exceptions import NotFittedError
from sklearn.frozen import FrozenEstimator
from sklearn.linear_model import LinearRegression, LogisticRegression, Ridge, RidgeClassifier
from sklearn.mixture import GaussianMixture
from sklearn.neighbors import KNeighborsClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer, OneHotEncoder, StandardScaler
from sklearn.utils import get_tags

from skdeep.cluster import IMSAT
from skdeep.ensemble import ClusterwiseClassifier, ClusterwiseRegressor
from skdeep.neural_network import ResNetClassifier, ResNetRegressor

X, Y = load_iris(return_X_y=True)
NAMES = load_iris().target_names[Y]
LABELS = np.eye(3, dtype=int)[Y] | np.eye(3, dtype=int)[(np.arange(len(Y))) % 3]
DIABETES = load_diabetes(return_X_y=True)
SMALL = {"n_blocks": 1, "width": 8, "max_epochs": 4, "batch_size": 32, "device": "cpu"}
SMALL |= {"random_state": 0}
WEIGHT = np.linspace(0.0, 2.0, len(X)).round()
MIXTURE = GaussianMixture(3, random_state=0)


def kmeans(n_clusters=3):
    return KMeans(n_clusters, random_state=0)


def classifier(estimator=None, clusterer=None, **params):
    estimator = LogisticRegression(max_iter=1000) if estimator is None else estimator
    return ClusterwiseClassifier(kmeans() if clusterer is None else clusterer, estimator, **params)


def regressor(estimator=None, clusterer=None, **params):
    clusterer = kmeans() if clusterer is None else clusterer
    return ClusterwiseRegressor(clusterer, Ridge() if estimator is None else estimator, **params)


def frozen(labels):
    """Clusterer that has been fitted to the iris data with given clusters."""
    return FrozenEstimator(KNeighborsClassifier(1).fit(X, labels))


# Predictions -------------------------------------------------------------------------------

CASES = {
    "classifier": (classifier(), (X, NAMES), "predict_proba"),
    "without probabilities": (classifier(RidgeClassifier()), (X, NAMES), "predict"),
    "deep classifier": (classifier(ResNetClassifier(**SMALL)), (X, NAMES), "predict_proba"),
    "labels": (classifier(ResNetClassifier(**SMALL)), (X, LABELS), "predict_proba"),
    "regressor": (regressor(), DIABETES, "predict"),
    "deep regressor": (regressor(ResNetRegressor(**SMALL)), DIABETES, "predict"),
    "outputs": (regressor(), (DIABETES[0], np.c_[DIABETES[1], -DIABETES[1]]), "predict"),
    "deep clusterer": (
        classifier(clusterer=IMSAT(3, n_init=1, max_epochs=5, device="cpu", random_state=0)),
        (X, NAMES),
        "predict",
    ),
    "pipelines": (
        classifier(
            make_pipeline(StandardScaler(), LogisticRegression()),
            make_pipeline(StandardScaler(), kmeans()),
        ),
        (X, NAMES),
        "predict_proba",
    ),
    "frozen": (classifier(clusterer=FrozenEstimator(kmeans().fit(X))), (X, NAMES), "predict_proba"),
}
each_case = pytest.mark.parametrize("model, data, method", CASES.values(), ids=CASES)


@each_case
def test_every_cluster_has_an_estimator_as_in_a_loop(model, data, method):
    X, y = data
    model = clone(model).fit(X, y)
    clusters = clone(model.clusterer).fit(X, None).predict(X)
    new = X + 0.01
    assigned = clone(model.clusterer).fit(X, None).predict(new)
    found = getattr(model, method)(new)
    for cluster in np.unique(clusters):
        rows = assigned == cluster
        assert sum(clusters == cluster) >= 10
        if len(np.unique(y[clusters == cluster], axis=0)) == 1:
            assert isinstance(model.estimators_[cluster], DummyClassifier)
            continue
        single = clone(model.estimator).fit(X[clusters == cluster], y[clusters == cluster])
        expected = getattr(single, method)(new[rows])
        if expected.shape[1:] == found.shape[1:]:
            np.testing.assert_array_equal(found[rows], expected, strict=True)
        else:  # classes that the cluster does not have
            columns = np.searchsorted(model.classes_, single.classes_)
            np.testing.assert_array_equal(found[rows][:, columns], expected)
            np.testing.assert_allclose(found[rows].sum(axis=1), 1.0)


def test_classes_are_those_of_all_clusters():
    model = classifier().fit(X, NAMES)
    assert model.classes_.tolist() == ["setosa", "versicolor", "virginica"]
    assert [len(one.classes_) for one in model.estimators_.values()] != [3, 3, 3]
    assert set(model.predict(X)) == set(NAMES)
    assert model.predict_proba(X).shape == (150, 3)
    assert not hasattr(classifier(RidgeClassifier()), "predict_proba")
    assert classifier(RidgeClassifier()).fit(X, NAMES).score(X, NAMES) > 0.9


def test_a_cluster_of_one_class_predicts_it():
    model = classifier(clusterer=frozen(Y > 0), min_cluster_size=5).fit(X, NAMES)
    assert isinstance(model.estimators_[False], DummyClassifier)
    proba = model.predict_proba(X)
    np.testing.assert_array_equal(proba[Y == 0], [[1.0, 0.0, 0.0]] * 50)
    np.testing.assert_array_equal(proba[Y > 0, 0], 0.0)
    assert (model.predict(X[:50]) == "setosa").all()


def test_targets_of_one_class_need_no_estimator():
    model = classifier(ResNetClassifier(**SMALL)).fit(X, np.repeat("a", len(X)))
    assert (model.predict(X) == "a").all()
    np.testing.assert_array_equal(model.predict_proba(X), 1.0)


def test_labels_of_one_combination_predict_it():
    y = LABELS.copy()
    y[Y == 0] = [1, 0, 1]
    model = classifier(ResNetClassifier(**SMALL), frozen(Y)).fit(X, y)
    assert isinstance(model.estimators_[0], DummyClassifier)
    np.testing.assert_array_equal(model.predict(X[Y == 0]), y[Y == 0])
    np.testing.assert_array_equal(model.predict_proba(X[Y == 0]), y[Y == 0])
    neighbors = classifier(KNeighborsClassifier(1), frozen(Y)).fit(X, y)
    assert model.predict_proba(X).shape == neighbors.predict_proba(X).shape == (150, 3)
    assert model.classes_.tolist() == [0, 1, 2]


@pytest.mark.parametrize("make", [classifier, regressor])
@pytest.mark.parametrize("size", [1, 4])
def test_small_clusters_use_a_global_estimator(make, size):
    clusters = np.where(np.arange(len(X)) < size, 7, Y)
    model = make(clusterer=frozen(clusters), min_cluster_size=5).fit(X, Y)
    everything = clone(model.estimator).fit(X, Y)
    assert sorted(model.estimators_) == [0, 1, 2]
    np.testing.assert_array_equal(model.predict(X[:size]), everything.predict(X[:size]))
    np.testing.assert_array_equal(model.global_estimator_.predict(X), everything.predict(X))
    at_least = make(clusterer=frozen(clusters), min_cluster_size=size).fit(X, Y)
    assert sorted(at_least.estimators_) == [0, 1, 2, 7]


def test_clusters_without_samples_use_a_global_estimator():
    model = classifier(clusterer=FrozenEstimator(kmeans().fit(X)), min_cluster_size=1)
    half = X[:, 2] < 3  # setosa
    model.fit(X[half], np.arange(half.sum()) % 2)
    assert len(model.estimators_) < 3
    np.testing.assert_array_equal(
        model.predict(X[~half]), model.global_estimator_.predict(X[~half])
    )


def test_a_global_estimator_is_fitted_only_if_it_may_be_needed():
    assert classifier().fit(X, Y).global_estimator_ is None
    assert classifier(clusterer=MIXTURE, soft=True).fit(X, Y).global_estimator_ is None
    assert classifier(min_cluster_size=60).fit(X, Y).global_estimator_ is not None
    pipe = make_pipeline(StandardScaler(), kmeans())
    assert classifier(clusterer=pipe).fit(X, Y).global_estimator_ is None
    frozen = FrozenEstimator(pipe.fit(X))
    assert classifier(clusterer=frozen).fit(X, Y).global_estimator_ is None
    # of some clusterers it is not known how many clusters there are
    assert classifier(clusterer=Birch(n_clusters=3)).fit(X, Y).global_estimator_ is not None


def test_fitted_estimators_can_be_frozen():
    estimator = LinearRegression().fit(X, Y)
    model = regressor(FrozenEstimator(estimator)).fit(X, Y)
    np.testing.assert_allclose(model.predict(X), estimator.predict(X))


@pytest.mark.parametrize(
    "clusterer", [MeanShift(), MiniBatchKMeans(3), BisectingKMeans(3), AffinityPropagation()]
)
def test_clusterers_of_scikit_learn(clusterer):
    model = classifier(clusterer=clusterer).fit(X, NAMES)
    assert model.score(X, NAMES) > 0.8


@pytest.mark.parametrize("fitted, new", [("f4", "f8"), ("f8", "f4"), ("f4", "i8")])
@pytest.mark.parametrize("container", [np.asarray, sp.csr_array])
def test_new_samples_may_have_another_dtype(fitted, new, container):
    model = classifier().fit(container(X.round().astype(fitted)), NAMES)
    expected = model.predict(container(X.round().astype(fitted)))
    np.testing.assert_array_equal(model.predict(container(X.round().astype(new))), expected)
    np.testing.assert_array_equal(model.predict(X.round().tolist()), expected)


def test_samples_of_a_pipeline_are_converted_by_its_own_steps_only():
    rows = [[1, "a"], [2, "b"]] * 20
    clusterer = make_pipeline(OneHotEncoder(), KMeans(2, n_init=1, random_state=0))
    estimator = make_pipeline(OneHotEncoder(), LogisticRegression())
    model = ClusterwiseClassifier(clusterer, estimator).fit(rows, ["no", "yes"] * 20)
    assert model.predict(rows).tolist() == ["no", "yes"] * 20
    far = 1.7e9 + X  # float32 would round all samples to the same numbers
    single = FunctionTransformer(np.asarray, kw_args={"dtype": np.float32})
    pipe = make_pipeline(StandardScaler(), single, kmeans()).fit(far)
    model = classifier(clusterer=FrozenEstimator(pipe)).fit(far, Y)
    assert len(model.estimators_) == 3


# Soft clusters -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    "estimator", [LogisticRegression(max_iter=1000), ResNetClassifier(**SMALL)]
)
def test_soft_probabilities_are_a_mixture(estimator):
    model = classifier(estimator, MIXTURE, soft=True).fit(X, NAMES)
    weights = clone(MIXTURE).fit(X).predict_proba(X)
    expected = np.zeros((len(X), 3))
    for cluster, one in model.estimators_.items():
        columns = np.searchsorted(model.classes_, one.classes_)
        expected[:, columns] += weights[:, [cluster]] * one.predict_proba(X)
    np.testing.assert_allclose(model.predict_proba(X), expected, rtol=1e-12, atol=1e-300)
    np.testing.assert_array_equal(model.predict(X), model.classes_[expected.argmax(axis=1)])


@pytest.mark.parametrize("n_outputs", [1, 2])
def test_soft_predictions_are_a_mixture(n_outputs):
    data, y = DIABETES
    y = y if n_outputs == 1 else np.c_[y, y**2]
    clusterer = GaussianMixture(3, random_state=0)
    model = regressor(clusterer=clusterer, soft=True, min_cluster_size=150).fit(data, y)
    assert 1 <= len(model.estimators_) < 3
    weights = clone(clusterer).fit(data).predict_proba(data)
    expected = sum(
        (weights[:, k] * model.estimators_.get(k, model.global_estimator_).predict(data).T).T
        for k in range(3)
    )
    np.testing.assert_allclose(model.predict(data), expected, rtol=1e-12)


def test_soft_labels_are_those_of_probability_above_one_half():
    model = classifier(ResNetClassifier(**SMALL), MIXTURE, soft=True).fit(X, LABELS)
    np.testing.assert_array_equal(model.predict(X), model.predict_proba(X) > 0.5)


# Weights -----------------------------------------------------------------------------------


@pytest.mark.parametrize("make", [classifier, regressor])
def test_weights_reach_clusterer_and_estimators(make):
    model = make().fit(X, Y, sample_weight=WEIGHT)
    kept = WEIGHT > 0
    clusterer = kmeans().fit(X[kept], sample_weight=WEIGHT[kept])
    np.testing.assert_array_equal(model.clusterer_.cluster_centers_, clusterer.cluster_centers_)
    clusters = clusterer.predict(X)
    for cluster, estimator in model.estimators_.items():
        rows = kept & (clusters == cluster)
        single = estimator if isinstance(estimator, DummyClassifier) else clone(model.estimator)
        single.fit(X[rows], Y[rows], sample_weight=WEIGHT[rows])
        new = X[clusters == cluster]
        np.testing.assert_array_equal(model.predict(new), single.predict(new))


@pytest.mark.parametrize("clusterer", [kmeans(), MIXTURE])
def test_samples_of_weight_zero_are_left_out(clusterer):
    kept = np.arange(len(X)) % 3 > 0
    y = np.where(kept, NAMES, "never")
    weighted = classifier(clusterer=clusterer).fit(X, y, sample_weight=kept.astype(float))
    alone = classifier(clusterer=clusterer).fit(X[kept], y[kept])
    assert "never" not in weighted.classes_
    np.testing.assert_allclose(weighted.predict_proba(X), alone.predict_proba(X), atol=1e-6)


# Samples -----------------------------------------------------------------------------------


def test_dataframes_and_sparse_samples_are_passed_on():
    frame = pd.DataFrame(X, columns=list("abcd"))
    model = classifier().fit(frame, pd.Series(NAMES))
    assert model.feature_names_in_.tolist() == list("abcd")
    assert model.n_features_in_ == 4
    assert all(
        one.feature_names_in_.tolist() == list("abcd")
        for one in model.estimators_.values()
        if not isinstance(one, DummyClassifier)
    )
    expected = classifier().fit(X, NAMES)
    # slices of dataframes are in column order, in which sums differ in the last bits
    np.testing.assert_allclose(model.predict_proba(frame), expected.predict_proba(X), rtol=1e-10)
    sparse = classifier().fit(sp.csr_array(X), NAMES)
    np.testing.assert_allclose(
        sparse.predict_proba(sp.csr_array(X)), expected.predict_proba(X), atol=1e-3
    )
    assert not hasattr(expected, "feature_names_in_")


def test_a_copy_from_a_pickle_predicts_the_same():
    model = classifier(ResNetClassifier(**SMALL)).fit(X, NAMES)
    copied = pickle.loads(pickle.dumps(model))
    np.testing.assert_array_equal(copied.predict_proba(X), model.predict_proba(X))


def test_parameters_of_both_parts_can_be_set():
    model = classifier().set_params(clusterer__n_clusters=2, estimator__C=0.5).fit(X, NAMES)
    assert len(model.estimators_) == 2
    assert not hasattr(model.clusterer, "cluster_centers_")
    assert not hasattr(model.estimator, "classes_")


def test_tags_are_those_that_both_parts_have():
    tags = get_tags(classifier(ResNetClassifier()))
    assert tags.classifier_tags.multi_label
    assert tags.input_tags.sparse
    assert not get_tags(classifier(clusterer=MIXTURE)).input_tags.sparse
    assert not get_tags(classifier(ResNetClassifier(missing="indicator"))).input_tags.allow_nan
    assert get_tags(regressor(LinearRegression())).target_tags.multi_output


# Errors ------------------------------------------------------------------------------------

WRONG = {
    "no predict": (classifier(clusterer=DBSCAN()), "method predict that assigns.*DBSCAN"),
    "no probabilities of clusters": (classifier(soft=True), "predict_proba if soft=True; got KM"),
    "no probabilities of classes": (
        classifier(RidgeClassifier(), MIXTURE, soft=True),
        "predict_proba if soft=True; got RidgeClassifier",
    ),
    "no classifier": (classifier(Ridge()), r"a classifier such as .*; got Ridge\(\)"),
    "no regressor": (regressor(RidgeClassifier()), r"a regressor such as .*; got RidgeCl"),
    "a class": (regressor(Ridge), "a regressor such as .*; got <class"),
    "no estimator": (regressor("ridge"), "'estimator' parameter of ClusterwiseRegressor must be"),
    "no clusterer": (regressor(clusterer="kmeans"), "'clusterer' parameter of"),
    "size": (regressor(min_cluster_size=0), "'min_cluster_size' parameter of"),
    "soft": (regressor(soft="yes"), "'soft' parameter of"),
}


@pytest.mark.parametrize("model, message", WRONG.values(), ids=WRONG)
def test_wrong_arguments_are_refused(model, message):
    with pytest.raises((ValueError, TypeError), match=message):
        model.fit(X, Y)
    assert not hasattr(model, "estimators_")


@pytest.mark.parametrize("model", [classifier(), regressor()])
def test_an_unfitted_model_says_so(model):
    with pytest.raises(NotFittedError):
        model.predict(X)


def test_several_labels_per_sample_are_refused():
    with pytest.raises(ValueError, match="MultiOutputClassifier"):
        classifier().fit(X, np.c_[Y, Y])


def test_a_failed_fit_changes_nothing():
    model = classifier().fit(X, NAMES)
    expected = model.predict_proba(X)
    with pytest.raises(ValueError, match="n_samples"):
        model.set_params(clusterer__n_clusters=500).fit(X, NAMES)
    np.testing.assert_array_equal(model.predict_proba(X), expected)


def test_clusters_make_a_linear_classifier_flexible():
    data, clusters = make_blobs(400, centers=8, cluster_std=0.5, random_state=0)
    y = clusters % 2
    alone = LogisticRegression().fit(data[::2], y[::2]).score(data[1::2], y[1::2])
    model = classifier(LogisticRegression(), kmeans(8)).fit(data[::2], y[::2])
    assert model.score(data[1::2], y[1::2]) > alone + 0.1
