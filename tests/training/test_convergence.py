"""The warning if training ends while the validation loss is still decreasing."""

import warnings

import numpy as np
import pytest
from sklearn.datasets import load_iris
from sklearn.exceptions import ConvergenceWarning
from sklearn.model_selection import GridSearchCV
from skorch.callbacks import Callback

from skdeep.decomposition import Autoencoder
from skdeep.model_selection import BatchedGridSearchCV, BatchedHalvingSearchCV

stops_early = pytest.mark.having("early_stopping")

IRIS, SPECIES = load_iris(return_X_y=True)
# With so few epochs, the validation loss decreases in each of them.
FALLS = {"max_epochs": 5, "lr": 3e-4, "lr_schedule": "constant", "early_stopping": True}


@pytest.fixture
def Class(Estimator):
    return Estimator


def small(Class=Autoencoder, **parameters):
    """Estimator whose training ends while its validation loss is decreasing."""
    return Class(**{**FALLS, "device": "cpu", "random_state": 0, **parameters})


def messages(fit, *data):
    """Texts of the convergence warnings of a fit."""
    with warnings.catch_warnings(record=True) as seen:
        warnings.simplefilter("always")
        fit(*data)
    return [str(one.message) for one in seen if one.category is ConvergenceWarning]


@stops_early
@pytest.mark.parametrize("schedule", ["constant", "plateau"])
def test_training_that_ends_while_the_validation_loss_falls_warns(schedule, Class):
    estimator = small(Class, lr_schedule=schedule)
    with pytest.warns(ConvergenceWarning, match=r"still falling .* max_epochs=5\. Raise max_ep"):
        estimator.fit(IRIS, SPECIES)
    curve = np.array(estimator.validation_loss_curve_)
    assert estimator.best_epoch_ == 5 and curve[-1] <= curve[:-1].min() - estimator.tol


@stops_early
@pytest.mark.parametrize(
    "parameters",
    [
        {"early_stopping": False},
        {"lr_schedule": "cosine"},
        {"lr_schedule": "onecycle"},
        {"max_epochs": 1},
        {"tol": 10.0},
        {"lr": 0.1, "max_epochs": 300, "n_iter_no_change": 3},
    ],
    ids=lambda parameters: ",".join(parameters),
)
def test_other_training_does_not(parameters, Class):
    assert messages(small(Class, **parameters).fit, IRIS, SPECIES) == []


@stops_early
def test_training_that_a_callback_ends_does_not(Class):
    class StopAfterTwo(Callback):
        def on_epoch_end(self, net, **kwargs):
            if len(net.history) == 2:
                net.request_stop()

    estimator = small(Class, callbacks=[StopAfterTwo()])
    assert messages(estimator.fit, IRIS, SPECIES) == []
    assert estimator.n_iter_ == 2


@stops_early
def test_default_training_does_not(Class):
    assert messages(Class(random_state=0, device="cpu").fit, IRIS, SPECIES) == []


def test_a_part_of_the_data_does_not():
    assert messages(small(early_stopping=False).partial_fit, IRIS) == []


def test_each_warm_start_counts_its_own_epochs():
    ae = small(warm_start=True)
    assert len(messages(ae.fit, IRIS)) == 1
    assert len(messages(ae.set_params(max_epochs=3).fit, IRIS)) == 1
    assert ae.n_iter_ == 8
    assert messages(ae.set_params(max_epochs=1).fit, IRIS) == []


@pytest.mark.nets({"refit": {"refit_full": True}})
def test_a_refit_warns_once(params, Class):
    assert len(messages(small(Class, **params).fit, IRIS, SPECIES)) == 1


@pytest.mark.parametrize("max_batch_models", [1, 4])
def test_a_batched_search_warns_as_often_as_its_fits(max_batch_models):
    grid = {"lr": [1e-12, 3e-4, 1e-3], "lr_schedule": ["constant", "cosine"]}
    expected = messages(GridSearchCV(small(), grid, cv=2).fit, IRIS)
    batched = BatchedGridSearchCV(small(), grid, cv=2, max_batch_models=max_batch_models)
    # two rates in two folds, and the refit
    assert len(expected) == 5
    assert messages(batched.fit, IRIS) == expected


def test_nets_that_pause_between_the_iterations_of_a_halving_do_not_warn():
    options = {"param_distributions": {"lr": [1e-3, 3e-3]}, "min_resources": 2, "cv": 2}
    search = BatchedHalvingSearchCV(small(), max_resources=4, factor=2, refit=False, **options)
    assert messages(search.fit, IRIS) == []
