"""Fits of several trainings inside searches, and what cannot be done with them."""

import numpy as np
import pytest
from sklearn.datasets import make_blobs
from sklearn.model_selection import GridSearchCV

from skdeep.cluster import DeepEmbeddedClustering
from skdeep.model_selection import BatchedGridSearchCV, BatchedHalvingSearchCV

X, _ = make_blobs(120, 5, centers=3, random_state=0)
SMALL = {"n_components": 2, "pretrain_epochs": 2, "max_epochs": 4, "batch_size": 32}
SMALL |= {"hidden_layer_sizes": (64,), "update_interval": 2, "tol": 0}


def clusterer(**params):
    return DeepEmbeddedClustering(3, **{**SMALL, "device": "cpu", "random_state": 0, **params})


def centers(estimator, X, y=None):
    """Score that depends on all phases."""
    return float(np.square(estimator.cluster_centers_).sum())


@pytest.mark.parametrize("max_models", [1, 4, "auto"])
@pytest.mark.parametrize(
    "grid", [{"update_interval": [1, 2, 3]}, {"lr": [1e-3, 1e-2]}, {"max_epochs": [2, 3]}]
)
def test_a_batched_search_over_phases_is_that_of_scikit_learn(grid, max_models):
    options = {"scoring": centers, "cv": 2, "refit": False}
    expected = GridSearchCV(clusterer(), grid, **options).fit(X)
    found = BatchedGridSearchCV(clusterer(), grid, max_batch_models=max_models, **options).fit(X)
    np.testing.assert_array_equal(
        found.cv_results_["mean_test_score"], expected.cv_results_["mean_test_score"]
    )


def test_halving_trains_all_phases_in_every_iteration():
    options = {"scoring": centers, "cv": 2, "factor": 2, "min_resources": 2, "n_candidates": "all"}
    search = BatchedHalvingSearchCV(clusterer(), {"lr": [1e-3, 1e-2]}, **options).fit(X)
    last = search.cv_results_["mean_test_score"][-1]
    params = search.cv_results_["params"][-1]
    single = GridSearchCV(clusterer(), {name: [v] for name, v in params.items()}, scoring=centers)
    assert last == single.set_params(cv=2).fit(X).cv_results_["mean_test_score"][0]


def test_phases_cannot_be_trained_by_single_epochs():
    assert not hasattr(clusterer(), "partial_fit")


@pytest.mark.parametrize("lr_schedule", ["cosine", "onecycle", "plateau"])
@pytest.mark.parametrize("epochs", [(6, 2), (2, 6), (1, 1)])
def test_every_phase_has_a_whole_schedule(lr_schedule, epochs):
    pretrain, rest = epochs
    params = {"pretrain_epochs": pretrain, "max_epochs": rest, "lr_schedule": lr_schedule}
    assert clusterer(**params).fit(X).n_iter_ == pretrain + rest


class Forgiving(DeepEmbeddedClustering):
    """Goes on with the next training after one that failed."""

    def _plan(self, fit):
        def fail(fit):
            raise RuntimeError("in the first epoch")

        try:
            yield from fit.train(5, on_epoch=fail)
        except RuntimeError:
            yield from fit.train(3)
        yield from fit.train(0)


def test_a_plan_may_go_on_after_an_error():
    net = Forgiving(3, **SMALL, device="cpu", random_state=0).fit(X)
    assert net.n_iter_ == 1 + 3


class Hopeless(DeepEmbeddedClustering):
    """Cannot say what it has learned."""

    def _record(self, fit):
        if self.verbose == 0 and self.lr == 0.002:
            raise RuntimeError("nothing to record")
        return super()._record(fit)


def test_an_error_at_the_very_end_leaves_the_earlier_fit():
    net = Hopeless(3, **SMALL, device="cpu", random_state=0).fit(X)
    labels = net.predict(X)
    with pytest.raises(RuntimeError, match="nothing to record"):
        net.set_params(lr=0.002).fit(X)
    np.testing.assert_array_equal(net.predict(X), labels)
