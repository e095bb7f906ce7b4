"""Labels in any container, for all classifiers that take missing ones."""

import numpy as np
import pandas as pd
import polars as pl
import pytest
from sklearn.cluster import KMeans
from sklearn.datasets import make_blobs
from sklearn.model_selection import cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from skdeep.ensemble import ClusterwiseClassifier, DeepEnsembleClassifier
from skdeep.neural_network import ResNetClassifier
from skdeep.semi_supervised import ClusterPretrainedClassifier, FewLabelsClassifier

X, BLOB = make_blobs(60, 4, centers=3, random_state=0)
IS_LABELLED = np.arange(60) % 4 == 0
STRINGS, NUMBERS = ["cat", "dog", "owl"], [0, 1, 7]


def few_labels(**params):
    return FewLabelsClassifier(n_components=8, max_epochs=2, device="cpu", random_state=0, **params)


def cluster_pretrained(**params):
    net = ResNetClassifier(n_blocks=1, width=8, max_epochs=2, device="cpu")
    clusterer = KMeans(3, n_init=1)
    return ClusterPretrainedClassifier(clusterer, net, pretrain_epochs=2, random_state=0, **params)


both = pytest.mark.parametrize("make", [few_labels, cluster_pretrained])


def labels(classes, missing):
    """Labels of the blobs, a list in which most of them are missing."""
    pairs = zip(BLOB.tolist(), IS_LABELLED, strict=True)
    return [classes[blob] if given else missing for blob, given in pairs]


def array(classes, missing, dtype=object):
    y = np.empty(60, dtype=dtype)
    y[:] = labels(classes, missing)
    return y


CASES = {
    "list of strings and -1": (labels(STRINGS, -1), -1),
    "list of strings and None": (labels(STRINGS, None), None),
    "list of strings and NaN": (labels(STRINGS, np.nan), None),
    "list of strings": (labels(STRINGS, ""), ""),
    "list of integers": (labels(NUMBERS, -1), -1),
    "list of integers and None": (labels(NUMBERS, None), None),
    "list of floats and NaN": (labels([0.0, 1.0, 7.0], np.nan), np.nan),
    "masked strings": (np.ma.masked_array(np.array(STRINGS)[BLOB], ~IS_LABELLED), None),
    "masked integers": (np.ma.masked_array(np.array(NUMBERS)[BLOB], ~IS_LABELLED), None),
    "tuple": (tuple(labels(STRINGS, -1)), -1),
    "objects: strings and -1": (array(STRINGS, -1), -1),
    "objects: integers": (array(NUMBERS, -1), -1),
    "objects: integers and None": (array(NUMBERS, None), None),
    "objects: booleans and None": (array([False, True, False], None), None),
    "Int64": (pd.Series(labels(NUMBERS, -1), dtype="Int64"), -1),
    "Int64 and NA": (pd.Series(labels(NUMBERS, None), dtype="Int64"), None),
    "boolean and NA": (pd.Series(labels([False, True, False], None), dtype="boolean"), None),
    "string and NA": (pd.Series(labels(STRINGS, None), dtype="string"), None),
    "categories and NA": (pd.Series(labels(STRINGS, None), dtype="category"), None),
    "polars strings": (pl.Series(labels(STRINGS, None)), None),
    "polars integers": (pl.Series(labels(NUMBERS, None)), None),
}


@both
@pytest.mark.parametrize(("y", "unlabeled"), CASES.values(), ids=CASES)
def test_labels_in_any_container_can_be_fitted_and_scored(make, y, unlabeled):
    fitted = make(unlabeled=unlabeled).fit(X, y)
    given = [label for label, is_given in zip(y, IS_LABELLED, strict=True) if is_given]
    assert fitted.classes_.tolist() == sorted(set(given))
    assert fitted.transduction_[IS_LABELLED].tolist() == given
    assert fitted.score(X, y) == np.mean(fitted.predict(X[IS_LABELLED]) == np.array(given))


@both
def test_a_list_of_strings_gives_what_an_array_of_strings_gives(make):
    found = make(unlabeled="").fit(X, labels(STRINGS, "")).predict(X)
    expected = make(unlabeled="").fit(X, array(STRINGS, "", "U3")).predict(X)
    assert found.dtype == expected.dtype
    np.testing.assert_array_equal(found, expected)


@both
def test_models_with_missing_labels_can_be_cross_validated(make):
    scores = cross_val_score(make(unlabeled=None), X, array(NUMBERS, None), cv=2)
    assert np.isfinite(scores).all()


@both
def test_a_score_needs_a_label_for_each_sample(make):
    fitted = make().fit(X, labels(NUMBERS, -1))
    with pytest.raises(ValueError, match="inconsistent numbers of samples"):
        fitted.score(X, labels(NUMBERS, -1)[:20])


@pytest.mark.parametrize(("y", "unlabeled"), CASES.values(), ids=CASES)
def test_members_of_an_ensemble_may_miss_labels(y, unlabeled):
    ensemble = DeepEnsembleClassifier(few_labels(unlabeled=unlabeled), 2, random_state=0).fit(X, y)
    given = [label for label, is_given in zip(y, IS_LABELLED, strict=True) if is_given]
    assert ensemble.classes_.tolist() == sorted(set(given))
    expected = np.mean(ensemble.predict(X[IS_LABELLED]) == np.array(given))
    assert ensemble.score(X, y) == expected
    assert ensemble.score(X, y, IS_LABELLED.astype(float)) == expected


@both
@pytest.mark.parametrize(("y", "unlabeled"), CASES.values(), ids=CASES)
def test_every_sample_needs_a_label_if_there_is_a_model_for_each_cluster(make, y, unlabeled):
    net = make(unlabeled=unlabeled)
    for estimator in (net, make_pipeline(StandardScaler(), net)):
        model = ClusterwiseClassifier(KMeans(2, n_init=1, random_state=0), estimator)
        with pytest.raises(ValueError, match="got 45 missing ones, marked by unlabeled="):
            model.fit(X, y)
        assert model.fit(X, BLOB).classes_.tolist() == [0, 1, 2]


@both
@pytest.mark.parametrize("unlabeled", [[-1], object()])
def test_what_stands_for_a_missing_label_must_be_a_label(make, unlabeled):
    with pytest.raises(ValueError, match="'unlabeled' parameter of"):
        make(unlabeled=unlabeled).fit(X, labels(NUMBERS, -1))


class Targets:
    """Fit callback that keeps the targets of all tasks."""

    def __init__(self):
        self.seen = []

    def setup(self, estimator, context):
        pass

    def teardown(self, estimator, context):
        pass

    def on_fit_task_begin(self, estimator, context, *, y=None):
        self.seen.append(y)

    def on_fit_task_end(self, estimator, context, *, y=None):
        self.seen.append(y)


@both
def test_callbacks_get_the_labels_as_they_were_passed(make):
    y, callback = array(NUMBERS, -1, int), Targets()
    make().set_callbacks(callback).fit(X, y)
    assert len(callback.seen) > 2
    for seen in callback.seen:
        np.testing.assert_array_equal(seen, y)
