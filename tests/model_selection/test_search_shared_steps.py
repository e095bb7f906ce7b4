"""Fitted steps shared by candidates are not affected by the scoring of another candidate."""

import threading

import numpy as np
import pytest
from sklearn.base import BaseEstimator, TransformerMixin
from sklearn.datasets import load_iris
from sklearn.experimental import (
    enable_halving_search_cv,  # noqa: F401
    enable_iterative_imputer,  # noqa: F401
)
from sklearn.impute import IterativeImputer
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV, HalvingGridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from skdeep.decomposition import Autoencoder
from skdeep.model_selection import BatchedGridSearchCV, BatchedHalvingSearchCV
from skdeep.neural_network import ResNetClassifier

X, Y = (part[::2] for part in load_iris(return_X_y=True))
GAPS = np.where(np.random.default_rng(0).random(X.shape) < 0.2, np.nan, X)
SMALL = {"max_epochs": 4, "batch_size": 16, "lr_schedule": "constant", "random_state": 0}


def net(**params):
    block = {"width": 8, "norm": "layer", "numerical_embedding": None}
    return ResNetClassifier(**{**SMALL, **block, **params})


def coder():
    return Autoencoder(2, hidden_layer_sizes=(8,), **SMALL)


def drawing():
    """Imputer that draws random numbers from its own generator in ``transform``."""
    return IterativeImputer(sample_posterior=True, max_iter=1, random_state=0)


class Growing(TransformerMixin, BaseEstimator):
    """Adds the number of calls to ``transform``."""

    def fit(self, X, y=None):
        self.n_calls_ = 0
        return self

    def transform(self, X):
        self.n_calls_ += 1
        return np.nan_to_num(X) + self.n_calls_


RATES = [1e-3, 1e-2, 1e-1]
CASES = {
    "before a net": (lambda step: make_pipeline(step, net()), "resnetclassifier__lr"),
    "before another step": (
        lambda step: make_pipeline(step, StandardScaler(), net()),
        "resnetclassifier__lr",
    ),
    "with a net between": (
        lambda step: make_pipeline(step, coder(), LogisticRegression(max_iter=1000)),
        "logisticregression__C",
    ),
    "after a net": (
        lambda step: make_pipeline(StandardScaler(), coder(), step, net()),
        "resnetclassifier__lr",
    ),
}


@pytest.mark.parametrize("step", [drawing(), Growing()], ids=["drawing", "growing"])
@pytest.mark.parametrize("make, name", CASES.values(), ids=CASES)
def test_a_step_that_transforms_in_another_way_each_time(step, make, name, assert_same_search):
    rows = X if name == "resnetclassifier__lr" and len(make(step)) == 4 else GAPS
    options = {"cv": 3, "return_train_score": True, "scoring": "accuracy"}
    searches = [
        Search(make(step), {name: RATES}, **options).fit(rows, Y)
        for Search in (BatchedGridSearchCV, GridSearchCV)
    ]
    assert_same_search(*searches)


@pytest.mark.parametrize("step", [drawing(), Growing()], ids=["drawing", "growing"])
def test_halving_continues_with_the_steps_as_they_were_fitted(step):
    pipe = make_pipeline(step, net())
    options = {"resource": "resnetclassifier__max_epochs", "max_resources": 4, "factor": 2}
    options |= {"min_resources": 1, "cv": 3, "random_state": 0}
    space = {"resnetclassifier__lr": [*RATES, 3e-2]}
    found = BatchedHalvingSearchCV(pipe, space, n_candidates="all", **options).fit(GAPS, Y)
    expected = HalvingGridSearchCV(pipe, space, **options).fit(GAPS, Y)
    assert found.cv_results_["params"] == expected.cv_results_["params"]
    np.testing.assert_array_equal(
        found.cv_results_["mean_test_score"], expected.cv_results_["mean_test_score"]
    )


class Locked(TransformerMixin, BaseEstimator):
    """Has an attribute that cannot be copied."""

    def fit(self, X, y=None):
        self.lock_ = threading.Lock()
        return self

    def transform(self, X):
        with self.lock_:
            return X


@pytest.mark.parametrize("scoring", [None, lambda estimator, X, y: estimator.score(X, y)])
def test_a_step_that_cannot_be_copied_is_shared(scoring, assert_same_search):
    pipe = make_pipeline(Locked(), net())
    searches = [
        Search(pipe, {"resnetclassifier__lr": RATES}, cv=3, scoring=scoring).fit(X, Y)
        for Search in (BatchedGridSearchCV, GridSearchCV)
    ]
    assert_same_search(*searches)


def test_a_verbose_pipeline_counts_no_steps_that_it_does_not_have(capsys):
    pipe = make_pipeline(StandardScaler(), coder(), LogisticRegression(max_iter=1000))
    grid = {"autoencoder__lr": RATES}
    search = BatchedGridSearchCV(pipe.set_params(verbose=True), grid, cv=3, refit=False).fit(X, Y)
    assert capsys.readouterr().out == ""
    search.set_params(refit=True).fit(X, Y)
    assert capsys.readouterr().out.count("of 3) Processing") == 3
