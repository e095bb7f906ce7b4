"""Subclasses that users write of our estimators."""

import copy
import inspect
import pickle

import numpy as np
import pytest
from sklearn.base import clone

from skdeep.decomposition import Autoencoder, VariationalAutoencoder
from skdeep.generative import GANSampler
from skdeep.utils._params import param

X = np.random.default_rng(0).normal(size=(40, 4))
FEW = {"max_epochs": 2, "device": "cpu", "random_state": 0}


class WithInit(Autoencoder):
    """Has an ``__init__`` of its own, as scikit-learn's users write it."""

    def __init__(self, n_components=2, *, extra=1, **params):
        super().__init__(n_components, **params)
        self.extra = extra


class BelowInit(WithInit):
    """Inherits that ``__init__``."""


class OwnLoss(Autoencoder):
    """Has a loss that reads a parameter of a hand-written ``__init__``."""

    def __init__(self, margin=0.5, max_epochs=2):
        super().__init__(max_epochs=max_epochs, device="cpu", random_state=0)
        self.margin = margin

    def _objective(self, phase):
        objective = super()._objective(phase)
        objective.hyperparameters["margin"] = 2 * self.margin
        return objective


class Annotated(Autoencoder):
    """Has annotations that are no parameters."""

    note: str = "text"
    helper: int
    cache: dict = {}


class Underscored(Autoencoder):
    """Has a parameter whose name ends like a fitted attribute."""

    lambda_: float = param(default=1.0)


class Defaults(Autoencoder):
    """Has other defaults."""

    n_components: int = param(default=3)
    lr: float = param(default=1e-2)


def test_an_init_written_by_hand_is_kept_and_inherited():
    assert WithInit(extra=3).extra == BelowInit(extra=3).extra == 3
    assert BelowInit(3, extra=2, max_epochs=1, device="cpu").fit(X).transform(X).shape == (40, 3)


def test_other_annotations_are_no_parameters():
    assert set(Annotated().get_params()) == set(Autoencoder().get_params())
    assert Annotated(**FEW).fit(X).note == "text"


def test_fit_leaves_a_parameter_that_looks_fitted():
    net = Underscored(lambda_=3.0, **FEW).fit(X)
    assert net.lambda_ == net.fit(X).lambda_ == clone(net).lambda_ == 3.0


def test_a_new_default_keeps_position_and_constraint():
    assert Defaults(5).n_components == 5
    assert (Defaults().n_components, Defaults().lr) == (3, 1e-2)
    kinds = inspect.signature(Defaults).parameters
    assert kinds["n_components"].kind is inspect.Parameter.POSITIONAL_OR_KEYWORD
    with pytest.raises(ValueError, match="'lr' parameter of Defaults"):
        Defaults(lr=-1.0).fit(X)


@pytest.mark.parametrize("body", [{"lr": 1e-4}, {"lr": 1e-4, "__annotations__": {"lr": float}}])
def test_a_default_that_would_be_ignored_is_an_error(body):
    with pytest.raises(TypeError, match="another default of 'lr' by lr: "):
        type("Plain", (Autoencoder,), dict(body))


def test_parameters_below_an_init_written_by_hand_are_an_error():
    body = {"more": param(default=1), "__annotations__": {"more": int}}
    with pytest.raises(TypeError, match="inherits an __init__ that is written by hand"):
        type("More", (WithInit,), body)


@pytest.mark.parametrize(
    "Class, name",
    [(Autoencoder, "sparsity"), (VariationalAutoencoder, "beta"), (GANSampler, "loss")],
)
@pytest.mark.filterwarnings("ignore::skdeep.exceptions.ModeCollapseWarning")
def test_parameters_that_became_invalid_do_not_hinder_copies(Class, name):
    net = Class(**FEW).fit(X)
    net.set_params(**{name: None, "verbose": None})
    for other in (copy.copy(net), copy.deepcopy(net), pickle.loads(pickle.dumps(net))):
        np.testing.assert_array_equal(other.score_samples(X), net.score_samples(X))


def test_a_loss_may_read_parameters_of_an_init_written_by_hand():
    net = OwnLoss(0.25).fit(X)
    for other in (copy.copy(net), copy.deepcopy(net), pickle.loads(pickle.dumps(net))):
        np.testing.assert_array_equal(other.transform(X), net.transform(X))


class Predict:
    """Callback of scikit-learn that uses the estimator after every epoch."""

    def setup(self, estimator, context):
        self.drawn = []

    def on_fit_task_begin(self, estimator, context):
        pass

    def on_fit_task_end(self, estimator, context, *, fitted_estimator=None):
        if context.task_name == "epoch":
            self.drawn.append(fitted_estimator.sample(2, random_state=0))

    teardown = setup_done = lambda self, estimator, context: None


@pytest.mark.filterwarnings("ignore::skdeep.exceptions.ModeCollapseWarning")
def test_callbacks_see_nothing_of_an_earlier_fit():
    net = GANSampler(**FEW).fit(X, np.arange(40) % 2)
    callback = Predict()
    net.set_callbacks(callback).fit(X)
    assert [one.shape for one in callback.drawn] == [(2, 4)] * 2
