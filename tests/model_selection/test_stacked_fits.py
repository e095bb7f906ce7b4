"""Nets that a batched search trains as one stack are equal in all parts to nets trained alone."""

import pickle

import numpy as np
import pandas as pd
import pytest
import torch
from sklearn.datasets import load_diabetes, load_digits
from sklearn.model_selection import GridSearchCV, KFold
from skorch.callbacks import Callback

from skdeep.decomposition import Autoencoder, VariationalAutoencoder
from skdeep.generative import TabularGANSampler
from skdeep.model_selection import BatchedGridSearchCV
from skdeep.neural_network import ResNetClassifier, ResNetRegressor

DIGITS, DIGIT = (part[:100] for part in load_digits(n_class=3, return_X_y=True))
DIABETES, PROGRESSION = (part[:100] for part in load_diabetes(return_X_y=True))
PIXELS = DIGITS / 16
# of 67, 67 and 66 samples to train on; and of 50 each
RAGGED, EVEN = KFold(3), KFold(2)

SMALL = {"max_epochs": 3, "batch_size": 32, "lr": 3e-3, "device": "cpu", "random_state": 0}
BLOCK = {"n_blocks": 1, "width": 16, "norm": "batch"}
SIZES = {
    Autoencoder: {"n_components": 3, "hidden_layer_sizes": (8,)},
    VariationalAutoencoder: {"n_components": 3, "hidden_layer_sizes": (8,)},
    ResNetClassifier: BLOCK,
    ResNetRegressor: BLOCK,
    TabularGANSampler: {"hidden_layer_sizes": (8,), "latent_dim": 4, "n_modes": 2},
}
DATA = {
    Autoencoder: (PIXELS, None),
    VariationalAutoencoder: (PIXELS, None),
    ResNetClassifier: (DIGITS, DIGIT),
    ResNetRegressor: (DIABETES, PROGRESSION),
    TabularGANSampler: (DIABETES[:, :2], None),
}
SEEDS, RATES = {"random_state": [0, 1]}, {"lr": [1e-3, 1e-2]}
# of the kinds that a batched search stacks
STACKED = (Autoencoder, VariationalAutoencoder, ResNetClassifier, ResNetRegressor)

each_class = pytest.mark.parametrize("Class", STACKED)
# generators do not converge in such a short training
pytestmark = pytest.mark.filterwarnings("ignore::skdeep.exceptions.ModeCollapseWarning")


def small(Class=Autoencoder, **parameters):
    return Class(**{**SMALL, **SIZES[Class], **parameters})


def fits_of(Search, estimator, grid, *, data=None, cv=RAGGED, weight=None, **options):
    """All nets that a search fits, by their parameters and the samples they are scored on."""
    kept = {}

    def keep(estimator, X, y=None, sample_weight=None):
        name = ",".join(f"{key}={getattr(estimator, key)}" for key in sorted(keys))
        kept[name, str(np.asarray(X).tolist())] = estimator
        return 0.0

    grids = grid if isinstance(grid, list) else [grid]
    keys = {key for one in grids for key in one}
    search = Search(estimator, grid, cv=cv, scoring=keep, refit=False, **options)
    weight = {} if weight is None else {"sample_weight": weight}
    X, y = DATA[type(estimator)] if data is None else data
    search.fit(X, y, **weight)
    assert kept
    return kept


@pytest.fixture
def fit_both(capsys, assert_same_state):
    """Function that fits in stacks and alone and compares; returns pairs and the printed output."""

    def fit_both(estimator, grid, *, max_batch_models="auto", **options):
        alone = fits_of(GridSearchCV, estimator, grid, **options)
        capsys.readouterr()
        batched = {"max_batch_models": max_batch_models, "verbose": 1}
        together = fits_of(BatchedGridSearchCV, estimator, grid, **batched, **options)
        assert together.keys() == alone.keys()
        for key, expected in alone.items():
            assert_same_state(together[key], expected)
        return [(together[key], alone[key]) for key in alone], capsys.readouterr().out

    return fit_both


# Every parameter that may differ -----------------------------------------------------------

CASES = {
    "weight_decay": ({}, {"weight_decay": [0.0, 1e-3, 0.1]}),
    "lr and max_epochs": ({}, {"lr": [1e-3, 1e-2], "max_epochs": [2, 5]}),
    "lr_schedule": ({}, {"lr_schedule": ["constant", "cosine", "onecycle", "plateau"]}),
    "lengths of schedules": (
        {},
        [
            {"lr_schedule": ["cosine"], "max_epochs": [2]},
            {"lr_schedule": ["onecycle"], "max_epochs": [5]},
        ],
    ),
    "plateaus": (
        {"lr_schedule": "plateau", "n_iter_no_change": 2, "tol": 10.0, "max_epochs": 9},
        RATES,
    ),
    "clipping": ({}, {"gradient_clip_value": [1e-3, 0.1, 10.0]}),
    "convergence": ({"max_epochs": 9, "n_iter_no_change": 1}, {"tol": [0.0, 10.0, 1e-3]}),
    "early stopping": (
        {"early_stopping": True, "max_epochs": 8, "lr": 0.1},
        {"n_iter_no_change": [1, 2, 10]},
    ),
    "adam": ({"optimizer": "adam", "weight_decay": 1e-3}, RATES),
    "sgd": ({"optimizer": "sgd", "weight_decay": 1e-3}, RATES),
    "several at once": (
        {},
        [
            {"lr": [1e-2], "max_epochs": [3], "lr_schedule": ["cosine"], "random_state": [4]},
            {"lr": [1e-3], "weight_decay": [1e-2], "tol": [10.0], "n_iter_no_change": [1]},
            {"lr": [1e-1], "random_state": [3]},
        ],
    ),
}
AUTOENCODERS = {
    "dropout": ({}, {"dropout": [0.1, 0.5]}),
    "noise": ({}, {"noise": [0.0, 0.1, 0.5]}),
    "masking": ({"noise_kind": "masking"}, {"noise": [0.0, 0.1, 0.5]}),
    "sparsity": ({}, {"sparsity": [1e-3, 0.1]}),
    "contraction": ({"activation": "tanh", "sparsity": 0.1}, {"contraction": [1e-3, 0.1]}),
    "contraction of a single unit": ({"n_components": 1}, {"contraction": [0.1, 1.0]}),
    "skip": ({"global_skip": True}, {"noise": [0.2, 0.4]}),
}
VARIATIONAL = {
    "beta": ({}, {"beta": [0.1, 1.0, 4.0]}),
    "learned scale": ({"scale": "learned"}, SEEDS),
}
CLASSIFIERS = {
    "dropouts": ({}, {"dropout": [0.0, 0.5], "residual_dropout": [0.0, 0.3]}),
    "refit": (
        {"early_stopping": True, "refit_full": True, "max_epochs": 8, "lr": 0.1},
        {"n_iter_no_change": [1, 2]},
    ),
    "class_weight": ({}, {"class_weight": ["balanced", {0: 1, 1: 2, 2: 3}]}),
}
ALL = {
    Autoencoder: {**CASES, **AUTOENCODERS},
    VariationalAutoencoder: VARIATIONAL,
    ResNetClassifier: CLASSIFIERS,
}


@pytest.mark.parametrize(
    "Class, shared, grid",
    [
        pytest.param(Class, *case, id=f"{Class.__name__}-{name}")
        for Class, cases in ALL.items()
        for name, case in cases.items()
    ],
)
def test_nets_of_a_stack_end_as_by_themselves_to_the_last_bit(Class, shared, grid, fit_both):
    pairs, printed = fit_both(small(Class, **shared), grid)
    assert "trained in stacks" in printed and "one by one" not in printed
    losses = {tuple(member.loss_curve_) for member, _ in pairs}
    assert len(losses) > 3 or "n_iter_no_change" in grid  # three folds would have as many


WIDE = {"n_components": 128, "hidden_layer_sizes": (256,), "batch_size": 128}
LARGE = {
    "autoencoder": (Autoencoder, WIDE),
    "tied": (Autoencoder, WIDE | {"tied_weights": True, "batch_norm": True}),
    "contraction": (Autoencoder, WIDE | {"contraction": 0.1, "activation": "tanh"}),
    "residual": (VariationalAutoencoder, WIDE | {"block": "residual", "dropout": 0.1}),
    "wide blocks": (ResNetClassifier, {"width": 192, "batch_size": 48}),
}


@pytest.mark.parametrize("Class, shared", LARGE.values(), ids=LARGE)
def test_large_products_in_a_stack_are_equal_to_those_of_nets_alone(Class, shared, fit_both):
    _, printed = fit_both(small(Class, **shared), SEEDS, max_batch_models=4)
    assert "trained in stacks" in printed and "one by one" not in printed


@each_class
@pytest.mark.parametrize("batch_size", [32, 200])
def test_samples_have_weights_of_their_own(Class, batch_size, fit_both):
    weight = np.random.default_rng(0).uniform(0.5, 2.0, size=100)
    weight[:10] = 0
    _, printed = fit_both(small(Class, batch_size=batch_size), SEEDS, weight=weight)
    assert "trained in stacks" in printed


def test_categories_can_be_stacked(fit_both):
    X = pd.DataFrame(DIABETES[:, :4]).rename(columns=str)
    X["kind"] = pd.Categorical(np.array(list("abc"))[np.arange(100) % 3])
    _, printed = fit_both(small(ResNetRegressor), RATES, data=(X, PROGRESSION))
    assert "trained in stacks" in printed


def test_nets_of_other_shapes_are_stacks_of_their_own(fit_both):
    grid = [{**RATES, "n_components": [2, 3]}, {**RATES, "loss": ["huber"], "activation": ["tanh"]}]
    _, printed = fit_both(small(), grid)
    assert "trained in stacks" in printed and "one by one" not in printed


@pytest.mark.parametrize(
    "kind, options", [("piecewise-linear", {}), ("periodic", {"max_batch_models": 8})]
)
def test_embeddings_of_numbers_are_stacked(kind, options, fit_both):
    net = small(ResNetRegressor, numerical_embedding=kind, embedding_dim=4, norm="layer")
    _, printed = fit_both(net, SEEDS, cv=EVEN, **options)
    assert "trained in stacks" in printed


@pytest.mark.parametrize("Class", [Autoencoder, ResNetClassifier])
def test_images_are_stacked_where_that_is_asked_for(Class, capsys):
    net = {"hidden_layer_sizes": (4,), "batch_norm": True} if Class is Autoencoder else {}
    net = Class(image_shape=(8, 8), **SMALL, **(net or {"n_blocks": 1, "stem_width": 4}))
    alone = fits_of(GridSearchCV, net, SEEDS, cv=EVEN)
    batched = {"max_batch_models": 8, "verbose": 1}
    together = fits_of(BatchedGridSearchCV, net, SEEDS, cv=EVEN, **batched)
    assert "trained in stacks" in capsys.readouterr().out
    for key, expected in alone.items():
        np.testing.assert_allclose(together[key].loss_curve_, expected.loss_curve_, rtol=1e-5)


# One that fails ----------------------------------------------------------------------------


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.FitFailedWarning")
@pytest.mark.filterwarnings("ignore:One or more of the test scores are non-finite")
@each_class
def test_nets_that_fail_leave_the_others_as_they_were(Class, fit_both):
    rates = {"lr": [1e30, 1e-3, -1.0, 1e-2]}
    pairs, _ = fit_both(small(Class, gradient_clip_value=1.0), rates, cv=EVEN)
    assert len(pairs) == 4


# Fitted nets of a stack --------------------------------------------------------------------


@each_class
def test_fitted_nets_continue_as_those_that_were_fitted_alone(Class, fit_both, assert_same_state):
    X, y = DATA[Class]
    pairs, _ = fit_both(small(Class, warm_start=True), RATES, cv=EVEN)
    for member, expected in pairs:
        before = pickle.dumps(pairs[-1][0])
        assert_same_state(member.fit(X, y), expected.fit(X, y))
        assert member.n_iter_ == 6
        if member is not pairs[-1][0]:
            assert pickle.dumps(pairs[-1][0]) == before


@each_class
def test_fitted_nets_learn_from_parts_as_those_that_were_fitted_alone(
    Class, fit_both, assert_same_state
):
    X, y = DATA[Class]
    pairs, _ = fit_both(small(Class), SEEDS, cv=EVEN)
    for member, expected in pairs[:2]:
        assert_same_state(member.partial_fit(X, y), expected.partial_fit(X, y))


@each_class
def test_a_fitted_net_holds_no_memory_of_the_others(Class, fit_both, assert_same_state):
    pairs, _ = fit_both(small(Class, warm_start=True), RATES, cv=EVEN)
    member, alone = pairs[1]
    assert len(pickle.dumps(member)) == pytest.approx(len(pickle.dumps(alone)), rel=0.01)
    assert_same_state(pickle.loads(pickle.dumps(member)), alone)
    moments = [value for one in member.net_.optimizer_.state.values() for value in one.values()]
    for tensor in [*member.module_.state_dict().values(), *moments]:
        assert tensor.untyped_storage().nbytes() == tensor.nbytes
    assert all(weight.grad is None for weight in member.module_.parameters())


# Which are stacked -------------------------------------------------------------------------


class Listen(Callback):
    """User-defined callback."""


ALONE = {
    "callbacks": (Autoencoder, {"callbacks": [Listen()]}, "callbacks"),
    "precision": (Autoencoder, {"precision": "bf16-mixed"}, "precision"),
    "optimizer": (Autoencoder, {"optimizer": torch.optim.RMSprop}, "optimizer"),
    "large": (Autoencoder, {"hidden_layer_sizes": (3000,), "max_epochs": 1}, "large"),
    "game": (TabularGANSampler, {}, "no step is a net that can be stacked"),
    "images": (Autoencoder, {"image_shape": (8, 8), "hidden_layer_sizes": (4,)}, "layers"),
    "embeddings": (ResNetRegressor, {"numerical_embedding": "periodic"}, "layers"),
    "penalty": (Autoencoder, {"contraction": 0.1, "batch_norm": True}, "contractive penalty"),
}


@pytest.mark.parametrize("Class, parameters, reason", ALONE.values(), ids=ALONE)
def test_nets_that_are_trained_one_by_one_end_as_by_themselves(Class, parameters, reason, fit_both):
    _, printed = fit_both(small(Class, **parameters), RATES, cv=EVEN)
    assert "one by one" in printed and reason in printed and "in stacks" not in printed
