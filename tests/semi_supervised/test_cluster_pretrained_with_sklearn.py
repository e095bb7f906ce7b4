"""Nets that are pretrained on clusters with scikit-learn's checks, callbacks and searches."""

import numpy as np
import pytest
import sklearn
from initial_centers import Extremes
from sklearn.callback import ProgressBar
from sklearn.cluster import KMeans
from sklearn.datasets import load_iris
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.utils.estimator_checks import parametrize_with_checks

from skdeep.cluster import IMSAT
from skdeep.model_selection import BatchedGridSearchCV
from skdeep.neural_network import ResNetClassifier, ResNetRegressor
from skdeep.semi_supervised import ClusterPretrainedClassifier, ClusterPretrainedRegressor

X, Y = load_iris(return_X_y=True)
FEW = np.where(np.arange(150) % 5 == 0, Y, -1)
SMALL = {"n_blocks": 1, "width": 8, "max_epochs": 3, "batch_size": 32, "device": "cpu"}


def classifier(clusterer=None, **params):
    clusterer = KMeans(5) if clusterer is None else clusterer
    few = {"pretrain_epochs": 2, "freeze_epochs": 1, "random_state": 0}
    return ClusterPretrainedClassifier(clusterer, ResNetClassifier(**SMALL), **{**few, **params})


def _instances():
    two = KMeans(2, init=Extremes(), n_init=1, tol=0, random_state=0)
    small = {**SMALL, "width": 32, "lr": 1e-2, "max_epochs": 40, "batch_size": 128}
    few = {"pretrain_epochs": 10, "freeze_epochs": 5, "trunk_lr": 1e-2}
    yield ClusterPretrainedClassifier(two, ResNetClassifier(**small), **few)
    yield ClusterPretrainedRegressor(two, ResNetRegressor(**small), **few)


@parametrize_with_checks(list(_instances()))
def test_scikit_learn_check(estimator, check):
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


def test_callbacks_see_the_three_parts():
    record = Record()
    classifier().set_callbacks(record).fit(X, FEW)
    parts = ["fit-clusterer", "pretrain", "fine-tune"]
    inner = [f"{when} {part}" for part in parts for when in ("begin", "end")]
    assert record.calls == ["setup", "begin fit", *inner, "end fit", "teardown"]


def test_callbacks_that_are_handed_on_see_all_epochs():
    record = Record(None)
    imsat = IMSAT(3, n_init=1, max_epochs=4, device="cpu")
    fitted = classifier(imsat).set_callbacks(record).fit(X, FEW)
    assert record.calls.count("end epoch") == fitted.clusterer_.n_iter_ + 2 + 3
    assert record.calls.count("setup") == record.calls.count("teardown") == 1


def test_callbacks_change_nothing(capsys):
    imsat = IMSAT(3, n_init=1, max_epochs=4, device="cpu")
    expected = classifier(imsat).fit(X, FEW).predict_proba(X)
    found = classifier(imsat).set_callbacks(ProgressBar()).fit(X, FEW).predict_proba(X)
    np.testing.assert_array_equal(found, expected)


# Searches, pipelines and routing -----------------------------------------------------------


@pytest.mark.parametrize("in_pipeline", [False, True])
def test_batched_search_returns_what_grid_search_returns(in_pipeline, assert_same_search):
    grid = {"clusterer__n_clusters": [3, 6], "estimator__lr": [1e-3, 1e-2], "freeze_epochs": [0, 2]}
    model = classifier()
    if in_pipeline:
        model = make_pipeline(StandardScaler(), model)
        grid = {f"clusterpretrainedclassifier__{name}": grid[name] for name in grid}
    expected = GridSearchCV(model, grid, cv=2).fit(X, FEW)
    assert_same_search(BatchedGridSearchCV(model, grid, cv=2).fit(X, FEW), expected)


def test_weights_are_requested_by_the_model():
    weight = np.linspace(0.5, 2.0, 150)
    expected = classifier().fit(X, FEW, weight).predict_proba(X)
    with sklearn.config_context(enable_metadata_routing=True):
        model = classifier().set_fit_request(sample_weight=True)
        fitted = make_pipeline(
            StandardScaler(with_mean=False, with_std=False).set_fit_request(sample_weight=False),
            model,
        )
        found = fitted.fit(X, FEW, sample_weight=weight).predict_proba(X)
    np.testing.assert_array_equal(found, expected)
