"""Members of a stack: one fails without the others, goes on alone, is pickled by itself."""

import copy
import pickle
import random

import numpy as np
import pytest
import torch
from sklearn.base import clone
from sklearn.datasets import load_digits
from sklearn.exceptions import NotFittedError
from sklearn.utils.validation import check_is_fitted
from skorch.callbacks import Callback

from skdeep._stacking import Fit, fit_together, most_models
from skdeep._training._stacked import train_together
from skdeep.decomposition import Autoencoder, VariationalAutoencoder
from skdeep.exceptions import DivergenceError
from skdeep.generative import TabularGANSampler
from skdeep.neural_network import ResNetClassifier, ResNetRegressor

X, Y = (part[:100] for part in load_digits(return_X_y=True))
N_EPOCHS = 4

SMALL = {"max_epochs": N_EPOCHS, "batch_size": 32, "device": "cpu", "random_state": 0}
SIZES = {
    Autoencoder: {"n_components": 3, "hidden_layer_sizes": (8,), "dropout": 0.1},
    VariationalAutoencoder: {"n_components": 3, "hidden_layer_sizes": (8,)},
    ResNetClassifier: {"n_blocks": 1, "width": 32, "lr_schedule": "constant"},
    ResNetRegressor: {"n_blocks": 1, "width": 32, "lr_schedule": "constant"},
}

each_class = pytest.mark.parametrize("Class", SIZES)


def small(Class=Autoencoder, **parameters):
    return Class(**{**SMALL, **SIZES.get(Class, {}), **parameters})


def together(estimators, max_models=8, on_epoch=None):
    """Fit to the same rows; what each fit raised."""
    return fit_together([Fit(one, X, Y) for one in estimators], "cpu", max_models, on_epoch)


def global_states():
    name, keys, *rest = np.random.get_state()  # noqa: NPY002
    return random.getstate(), name, keys.tolist(), rest, torch.get_rng_state().tolist()


# One that fails ----------------------------------------------------------------------------


@each_class
@pytest.mark.parametrize("place", [0, 1, 2])
def test_a_member_that_diverges_leaves_the_others_as_they_were(Class, place, assert_same_state):
    rates = [1e-3, 1e-2, 3e-3]
    rates[place] = 1e30
    estimators = [small(Class, lr=lr, gradient_clip_value=1.0) for lr in rates]
    errors = together(estimators)
    for lr, estimator, error in zip(rates, estimators, errors, strict=True):
        if lr == 1e30:
            assert isinstance(error, DivergenceError)
            with pytest.raises(DivergenceError) as alone:
                clone(estimator).fit(X, Y)
            assert str(error) == str(alone.value)
            assert not hasattr(estimator, "net_")
        else:
            assert error is None
            assert_same_state(estimator, clone(estimator).fit(X, Y))


def test_all_members_may_diverge():
    estimators = [small(lr=lr, optimizer="sgd") for lr in (1e30, 1e29)]
    assert [type(error) for error in together(estimators)] == [DivergenceError] * 2
    assert not any(hasattr(estimator, "net_") for estimator in estimators)


@pytest.mark.parametrize(
    "parameters, message",
    [
        ({"lr": -1}, "'lr' parameter of Autoencoder must be"),
        ({"noise_kind": "masking", "noise": 2.0}, "noise must be < 1"),
        ({"random_state": -1}, "random_state"),
    ],
)
def test_an_invalid_parameter_is_that_members_error_only(parameters, message, assert_same_state):
    estimators = [small(), small(**parameters), small(lr=1e-2)]
    first, invalid, last = together(estimators)
    assert first is None and last is None
    assert isinstance(invalid, ValueError) and message in str(invalid)
    assert_same_state(estimators[0], small().fit(X))
    assert_same_state(estimators[2], small(lr=1e-2).fit(X))


def test_invalid_rows_are_that_members_error_only(assert_same_state):
    estimators = [small() for _ in range(3)]
    fits = [Fit(one, X) for one in estimators]
    fits[1] = fits[1]._replace(X=np.full((5, 3), np.nan))
    first, invalid, last = fit_together(fits, "cpu", 8)
    assert first is None and last is None
    assert isinstance(invalid, ValueError) and "NaN" in str(invalid)
    assert_same_state(estimators[2], small().fit(X))


def test_a_failed_fit_leaves_a_fitted_member_as_it_was(assert_same_state):
    fitted = small(warm_start=True).fit(X)
    before = copy.deepcopy(fitted)
    errors = together([fitted.set_params(lr=1e30), small(), small()])
    assert isinstance(errors[0], DivergenceError)
    assert_same_state(fitted, before)


# Interruptions -----------------------------------------------------------------------------


@pytest.mark.parametrize("epoch", [1, 3])
def test_an_interrupt_leaves_all_estimators_unfitted(epoch):
    epochs = []

    def interrupt():
        epochs.append(1)
        if len(epochs) == epoch:
            raise KeyboardInterrupt

    estimators = [small(random_state=seed) for seed in range(3)]
    # while the exception, and with it all that was under way, is still alive
    with pytest.raises(KeyboardInterrupt) as caught:
        together(estimators, on_epoch=interrupt)
    for estimator in estimators:
        with pytest.raises(NotFittedError):
            check_is_fitted(estimator)
    assert caught.value is not None
    errors = together(estimators)
    assert errors == [None] * 3


def test_an_interrupt_leaves_fitted_estimators_as_they_were(assert_same_state):
    estimators = [small(random_state=seed, warm_start=True).fit(X) for seed in range(3)]
    before = copy.deepcopy(estimators)

    def interrupt():
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt) as caught:
        together(estimators, on_epoch=interrupt)
    for estimator, expected in zip(estimators, before, strict=True):
        assert_same_state(estimator, expected)
    assert caught.value is not None


def test_training_ends_in_good_order_where_the_callable_returns_true(assert_same_state):
    epochs = []

    def stop():
        epochs.append(1)
        return len(epochs) == 2

    estimators = [small(lr=lr) for lr in (1e-3, 1e-2)]
    assert together(estimators, on_epoch=stop) == [None, None]
    for estimator in estimators:
        shorter = clone(estimator).set_params(max_epochs=2)
        assert_same_module(estimator, shorter.fit(X))


def assert_same_module(actual, expected):
    state = expected.module_.state_dict()
    assert actual.n_iter_ == expected.n_iter_
    for name, value in actual.module_.state_dict().items():
        assert torch.equal(value, state[name]), name


# Going on alone ----------------------------------------------------------------------------


@each_class
def test_warm_start_of_a_member_goes_on_as_of_one_trained_alone(Class, assert_same_state):
    estimators = [small(Class, lr=lr, warm_start=True) for lr in (1e-3, 1e-2, 3e-3)]
    alone = [clone(estimator).fit(X, Y) for estimator in estimators]
    together(estimators)
    for member, expected in zip(estimators, alone, strict=True):
        assert_same_state(member.fit(X, Y), expected.fit(X, Y))
        assert member.n_iter_ == 2 * N_EPOCHS


@each_class
def test_partial_fit_of_a_member_goes_on_as_of_one_trained_alone(Class, assert_same_state):
    estimators = [small(Class, lr=lr) for lr in (1e-3, 1e-2, 3e-3)]
    alone = [clone(estimator).fit(X, Y) for estimator in estimators]
    together(estimators)
    for member, expected in zip(estimators, alone, strict=True):
        assert_same_state(member.partial_fit(X, Y), expected.partial_fit(X, Y))


@each_class
@pytest.mark.parametrize("optimizer", ["adamw", "adam", "sgd"])
def test_fitted_estimators_go_on_in_a_stack(Class, optimizer, assert_same_state):
    options = {"warm_start": True, "optimizer": optimizer}
    estimators = [small(Class, lr=lr, **options).fit(X, Y) for lr in (1e-3, 1e-2)]
    alone = [copy.deepcopy(estimator).fit(X, Y) for estimator in estimators]
    assert together(estimators) == [None, None]
    for member, expected in zip(estimators, alone, strict=True):
        assert_same_state(member, expected)


def test_members_that_made_other_numbers_of_steps_go_on_in_a_stack(assert_same_state):
    estimators = [small(max_epochs=n, warm_start=True).fit(X) for n in (1, 5, 3)]
    alone = [copy.deepcopy(one).set_params(max_epochs=2).fit(X) for one in estimators]
    assert together([one.set_params(max_epochs=2) for one in estimators]) == [None] * 3
    for member, expected in zip(estimators, alone, strict=True):
        assert_same_state(member, expected)


def test_training_one_member_on_leaves_the_others_alone(assert_same_state):
    estimators = [small(random_state=seed, warm_start=True) for seed in range(3)]
    together(estimators)
    before = copy.deepcopy(estimators[1:])
    estimators[0].fit(X)
    for member, expected in zip(estimators[1:], before, strict=True):
        assert_same_state(member, expected)


# Memory ------------------------------------------------------------------------------------


@each_class
def test_a_pickled_member_is_as_large_as_one_trained_alone(Class, assert_same_state):
    estimators = [
        small(Class, lr=lr, warm_start=True) for lr in np.geomspace(1e-3, 1e-2, 8).tolist()
    ]
    together(estimators)
    pickled, alone = (pickle.dumps(one) for one in (estimators[3], clone(estimators[3]).fit(X, Y)))
    assert len(pickled) == pytest.approx(len(alone), rel=0.01)
    assert_same_state(pickle.loads(pickled), estimators[3])


@each_class
def test_tensors_of_a_member_share_no_memory_with_the_others(Class):
    estimators = [small(Class, random_state=seed) for seed in range(3)]
    together(estimators)
    net = estimators[1].net_
    moments = [value for state in net.optimizer_.state.values() for value in state.values()]
    for tensor in [*net.module_.state_dict().values(), *moments]:
        assert tensor.untyped_storage().nbytes() == tensor.nbytes
    assert all(parameter.grad is None for parameter in net.module_.parameters())


# What it leaves alone ----------------------------------------------------------------------


@each_class
def test_global_random_states_and_threads_are_as_before(Class):
    before, n_threads = global_states(), torch.get_num_threads()
    together([small(Class, random_state=seed) for seed in range(3)])
    together([small(Class, random_state=None) for _ in range(2)])
    assert global_states() == before
    assert torch.get_num_threads() == n_threads
    assert torch.is_grad_enabled()


def test_a_random_state_instance_is_advanced_as_by_a_fit(assert_same_state):
    one, other = np.random.RandomState(0), np.random.RandomState(0)
    estimators = [small(random_state=one) for _ in range(2)]
    together(estimators)
    for estimator in estimators:
        assert_same_state(estimator, small(random_state=other).fit(X))
    assert one.randint(10**6) == other.randint(10**6)


def test_nothing_is_printed(capfd):
    together([small(random_state=seed) for seed in range(3)])
    assert capfd.readouterr() == ("", "")


# Which are stacked -------------------------------------------------------------------------


class Listen(Callback):
    """Callback of the user's own."""


NOT_STACKED = {
    "callbacks": (small(callbacks=[Listen()]), "callbacks"),
    "verbose": (small(verbose=2), "verbose"),
    "precision": (small(precision="bf16-mixed"), "precision"),
    "optimizer": (small(optimizer=torch.optim.RMSprop), "optimizer"),
    "game": (small(TabularGANSampler, hidden_layer_sizes=(8,)), "steps of its own"),
    "images": (small(image_shape=(8, 8), hidden_layer_sizes=(4,)), "layers"),
    "large": (small(hidden_layer_sizes=(3000,)), "large"),
}


@pytest.mark.parametrize("estimator, reason", NOT_STACKED.values(), ids=NOT_STACKED)
def test_reason_why_a_net_is_trained_by_itself(estimator, reason):
    limit, why = most_models(Fit(clone(estimator), X, Y), "cpu")
    assert limit == 1
    assert reason in why


def test_a_fit_that_fails_says_nothing_about_stacks():
    assert most_models(Fit(small(lr=-1), X), "cpu") == (None, None)


@each_class
def test_small_nets_are_stacked_and_asking_leaves_the_estimator_unfitted(Class):
    estimator = small(Class)
    limit, why = most_models(Fit(estimator, X, Y), "cpu")
    assert limit > 1 and why is None
    assert most_models(Fit(estimator, X, Y), "cpu", 3) == (3, None)
    assert vars(estimator) == vars(small(Class))


def test_nets_that_cannot_be_stacked_are_fitted_in_the_ordinary_way(assert_same_state, capfd):
    kinds = [{"callbacks": [Listen()]}, {"optimizer": torch.optim.RMSprop}, {"verbose": 2}]
    estimators = [small(**kind, random_state=seed) for kind in kinds for seed in range(2)]
    epochs = []
    assert together(estimators, on_epoch=lambda: epochs.append(1)) == [None] * 6
    assert not epochs
    for estimator in estimators:
        assert_same_state(estimator, clone(estimator).fit(X))
    assert "train_loss" in capfd.readouterr().out


def test_runs_of_one_shape_train_together(assert_same_state):
    estimators = [small(random_state=seed) for seed in range(3)]
    trainings = [one._runs(X, None, None, "cpu") for one in estimators]
    assert train_together([next(training) for training in trainings]) == [None] * 3
    for estimator, training in zip(estimators, trainings, strict=True):
        assert next(training, None) is None
        assert_same_state(estimator, clone(estimator).fit(X))
