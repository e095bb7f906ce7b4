"""Estimators whose nets are trained as one stack end as each would by itself."""

import numpy as np
import pandas as pd
import pytest
from sklearn.base import clone
from sklearn.datasets import load_diabetes, load_digits

from skdeep._stacking import Fit, fit_together
from skdeep.decomposition import Autoencoder, VariationalAutoencoder
from skdeep.neural_network import ResNetClassifier, ResNetRegressor

DIGITS, DIGIT = (part[:150] for part in load_digits(n_class=3, return_X_y=True))
DIABETES, PROGRESSION = (part[:150] for part in load_diabetes(return_X_y=True))
PIXELS = DIGITS / 16
N_EPOCHS = 4

SMALL = {"max_epochs": N_EPOCHS, "batch_size": 32, "lr": 3e-3, "device": "cpu", "random_state": 0}
SIZES = {
    Autoencoder: {"n_components": 3, "hidden_layer_sizes": (8,)},
    VariationalAutoencoder: {"n_components": 3, "hidden_layer_sizes": (8,)},
    ResNetClassifier: {"n_blocks": 1, "width": 32},
    ResNetRegressor: {"n_blocks": 1, "width": 32},
}
DATA = {
    Autoencoder: (PIXELS, None),
    VariationalAutoencoder: (PIXELS, None),
    ResNetClassifier: (DIGITS, DIGIT),
    ResNetRegressor: (DIABETES, PROGRESSION),
}

CODER_CLASSES = (Autoencoder, VariationalAutoencoder)

each_class = pytest.mark.parametrize("Class", SIZES)


def small(Class=Autoencoder, **parameters):
    return Class(**{**SMALL, **SIZES[Class], **parameters})


def fold(number, Class, *, n_rows=100):
    """Rows of a fold and their targets."""
    X, y = DATA[Class]
    rows = np.random.default_rng(number).permutation(len(X))[:n_rows]
    return X[rows], None if y is None else y[rows]


def fits_of(estimators, **options):
    """Each estimator with the rows of another fold."""
    return [Fit(one, *fold(n, type(one), **options)) for n, one in enumerate(estimators)]


def fit_alone(fits):
    """Twins of the estimators, each fitted by its own ``fit``."""
    twins = [clone(fit.estimator) for fit in fits]
    for twin, fit in zip(twins, fits, strict=True):
        weight = {} if fit.sample_weight is None else {"sample_weight": fit.sample_weight}
        twin.fit(fit.X, fit.y, **weight)
    return twins


def fit_stacked(fits, max_models=8):
    """Fit together; the number of epochs that stacks had."""
    epochs = []
    errors = fit_together(fits, "cpu", max_models, lambda: epochs.append(1))
    assert errors == [None] * len(fits)
    return len(epochs)


def values(name, *options):
    return [{name: option} for option in options]


SEEDS = values("random_state", 0, 1, 2)
CASES = {
    "lr": ({}, values("lr", 1e-3, 1e-2, 3e-2)),
    "weight_decay": ({}, values("weight_decay", 0.0, 1e-3, 0.1)),
    "random_state": ({}, SEEDS),
    "max_epochs": ({}, values("max_epochs", 2, 5, 3)),
    "lr_schedule": ({}, values("lr_schedule", "constant", "cosine", "onecycle", "plateau")),
    "lengths of schedules": (
        {},
        [{"lr_schedule": "cosine", "max_epochs": 2}, {"lr_schedule": "onecycle", "max_epochs": 5}],
    ),
    "plateaus": (
        {"lr_schedule": "plateau", "n_iter_no_change": 2, "tol": 10.0, "max_epochs": 9},
        values("lr", 1e-3, 1e-2),
    ),
    "clipping": ({}, values("gradient_clip_value", 1e-3, 0.1, 10.0)),
    "convergence": (
        {"max_epochs": 9, "n_iter_no_change": 1},
        values("tol", 0.0, 10.0, 1e-3),
    ),
    "early stopping": (
        {"early_stopping": True, "max_epochs": 8, "lr": 0.1},
        values("n_iter_no_change", 1, 2, 10),
    ),
    "adam": ({"optimizer": "adam", "weight_decay": 1e-3}, values("lr", 1e-3, 1e-2)),
    "sgd": ({"optimizer": "sgd", "weight_decay": 1e-3}, values("lr", 1e-3, 1e-2)),
    "full batch": ({"batch_size": 200}, values("lr", 1e-3, 1e-2)),
    "one row left over": ({"batch_size": 33}, SEEDS),
    "several at once": (
        {},
        [
            {"lr": 1e-2, "max_epochs": 3, "lr_schedule": "cosine", "random_state": 4},
            {"lr": 1e-3, "weight_decay": 1e-2, "tol": 10.0, "n_iter_no_change": 1},
            {"lr": 1e-1, "random_state": 3},
        ],
    ),
}
CODERS = {
    "dropout": ({}, values("dropout", 0.1, 0.5)),
    "batch norm": ({"batch_norm": True, "dropout": 0.1}, SEEDS),
    "residual": ({"block": "residual", "batch_norm": True, "dropout": 0.1}, SEEDS),
    "linear": ({"hidden_layer_sizes": ()}, SEEDS),
    "scaled": ({"feature_scaling": "standard"}, SEEDS),
    "tanh": ({"activation": "tanh"}, SEEDS),
}
AUTOENCODERS = {
    "noise": ({}, values("noise", 0.0, 0.1, 0.5)),
    "masking": ({"noise_kind": "masking"}, values("noise", 0.0, 0.1, 0.5)),
    "sparsity": ({}, values("sparsity", 1e-3, 0.1)),
    "contraction": ({"activation": "tanh"}, values("contraction", 1e-3, 0.1)),
    "contraction, a single unit": ({"n_components": 1}, values("contraction", 0.1, 1.0)),
    "both penalties": ({"sparsity": 0.1}, values("contraction", 1e-3, 0.1)),
    "tied": ({"tied_weights": True}, SEEDS),
    "huber": ({"loss": "huber"}, SEEDS),
    "bce": ({"loss": "bce"}, SEEDS),
    "multinomial": ({"loss": "multinomial"}, SEEDS),
    "skip": ({"global_skip": True}, values("noise", 0.2, 0.4)),
}
VARIATIONAL = {
    "beta": ({}, values("beta", 0.1, 1.0, 4.0)),
    "draws": ({"n_samples": 3}, SEEDS),
    "bernoulli": ({"likelihood": "bernoulli"}, SEEDS),
    "learned scale": ({"scale": "learned"}, SEEDS),
}
RESNETS = {
    "dropouts": ({}, [{"dropout": 0.0}, {"residual_dropout": 0.3}, {"dropout": 0.5}]),
    "layer norm": ({"norm": "layer", "n_blocks": 2}, SEEDS),
    "refit": (
        {"early_stopping": True, "refit_full": True, "max_epochs": 8, "lr": 0.1},
        values("n_iter_no_change", 1, 2),
    ),
    "periodic": ({"numerical_embedding": "periodic", "embedding_dim": 4, "norm": "layer"}, SEEDS),
    "piecewise": ({"numerical_embedding": "piecewise-linear", "embedding_dim": 4}, SEEDS),
}
CLASSIFIERS = {
    "class_weight": ({}, [{"class_weight": "balanced"}, {"class_weight": {0: 1, 1: 2, 2: 3}}]),
    "label_smoothing": ({"label_smoothing": 0.1}, SEEDS),
}
REGRESSORS = {
    "huber": ({"loss": "huber"}, SEEDS),
    "absolute": ({"loss": "absolute_error"}, SEEDS),
    "quantile": ({"loss": "quantile", "quantile": 0.9}, SEEDS),
}


ALL = {
    Autoencoder: {**CASES, **CODERS, **AUTOENCODERS},
    VariationalAutoencoder: {**CODERS, **VARIATIONAL},
    ResNetClassifier: {**CASES, **RESNETS, **CLASSIFIERS},
    ResNetRegressor: REGRESSORS,
}
each_case = pytest.mark.parametrize(
    "Class, shared, members",
    [
        pytest.param(Class, *case, id=f"{Class.__name__}-{name}")
        for Class, cases in ALL.items()
        for name, case in cases.items()
    ],
)


# Equal numbers of rows ---------------------------------------------------------------------


@each_case
def test_members_end_as_by_themselves_to_the_last_bit(Class, shared, members, assert_same_state):
    fits = fits_of([small(Class, **{**shared, **one}) for one in members])
    expected = fit_alone(fits)
    assert fit_stacked(fits) >= max(estimator.n_iter_ for estimator in expected)
    for fit, twin in zip(fits, expected, strict=True):
        assert_same_state(fit.estimator, twin)
        assert fit.estimator.get_params() == twin.get_params()


@pytest.mark.parametrize("max_models", [2, 3, 8, "auto"])
def test_number_of_nets_in_a_stack_changes_nothing(max_models, assert_same_state):
    fits = fits_of([small(noise=0.1, random_state=seed) for seed in range(5)])
    expected = fit_alone(fits)
    fit_stacked(fits, max_models)
    for fit, twin in zip(fits, expected, strict=True):
        assert_same_state(fit.estimator, twin)


def test_nets_of_other_shapes_are_stacks_of_their_own(assert_same_state):
    shapes = [{"n_components": 2}, {"n_components": 3}, {"activation": "tanh"}, {"loss": "huber"}]
    fits = fits_of([small(lr=lr, **one) for lr in (1e-3, 1e-2) for one in shapes])
    expected = fit_alone(fits)
    assert fit_stacked(fits) == len(shapes) * N_EPOCHS
    for fit, twin in zip(fits, expected, strict=True):
        assert_same_state(fit.estimator, twin)


@pytest.mark.parametrize("options", [{"batch_norm": True}, {"tied_weights": True}])
def test_nets_whose_penalty_a_stack_would_sum_in_another_order_are_trained_by_themselves(
    options, assert_same_state
):
    options = {"activation": "tanh", "hidden_layer_sizes": (16,), **options}
    fits = fits_of([small(contraction=amount, **options) for amount in (0.1, 1.0)])
    expected = fit_alone(fits)
    assert fit_stacked(fits) == 0
    for fit, twin in zip(fits, expected, strict=True):
        assert_same_state(fit.estimator, twin)


@each_class
def test_batch_norm_of_any_width_is_stacked_to_the_last_bit(Class, assert_same_state):
    # sums over rows have other last bits where channels fill a vector of the CPU in another way
    wide = {"batch_norm": True} if Class in CODER_CLASSES else {"width": 10, "n_blocks": 2}
    fits = fits_of([small(Class, random_state=seed, **wide) for seed in range(6)])
    expected = fit_alone(fits)
    assert fit_stacked(fits) == N_EPOCHS
    for fit, twin in zip(fits, expected, strict=True):
        assert_same_state(fit.estimator, twin)


def test_images_can_be_stacked():
    shape = {"image_shape": (8, 8), "hidden_layer_sizes": (4,), "batch_norm": True}
    fits = fits_of([small(random_state=seed, **shape) for seed in range(3)])
    expected = fit_alone(fits)
    assert fit_stacked(fits) == N_EPOCHS
    for fit, twin in zip(fits, expected, strict=True):
        np.testing.assert_allclose(fit.estimator.loss_curve_, twin.loss_curve_, rtol=1e-5)


def test_categories_can_be_stacked(assert_same_state):
    tables = []
    for seed in range(3):
        X, y = fold(seed, ResNetRegressor)
        kinds = pd.Categorical(np.array(list("abc"))[np.arange(len(X)) % 3])
        tables.append((pd.DataFrame(X[:, :4]).assign(kind=kinds).rename(columns=str), y))
    fits = [Fit(small(ResNetRegressor, lr=10.0 ** -(2 + n)), *t) for n, t in enumerate(tables)]
    expected = fit_alone(fits)
    assert fit_stacked(fits) == N_EPOCHS
    for fit, twin in zip(fits, expected, strict=True):
        assert_same_state(fit.estimator, twin)


# Weights -----------------------------------------------------------------------------------


@each_class
@pytest.mark.parametrize("batch_size", [32, 200])
def test_members_have_weights_of_their_own(Class, batch_size, assert_same_state):
    fits = [
        fit._replace(sample_weight=np.random.default_rng(number).uniform(0.5, 2.0, size=100))
        for number, fit in enumerate(fits_of([small(Class, batch_size=batch_size)] * 3))
    ]
    fits = [fit._replace(estimator=clone(fit.estimator)) for fit in fits]
    expected = fit_alone(fits)
    assert fit_stacked(fits) == N_EPOCHS
    for fit, twin in zip(fits, expected, strict=True):
        assert_same_state(fit.estimator, twin)


def test_rows_of_weight_zero_are_left_out_of_a_member(assert_same_state):
    weights = [np.repeat([1.0, 0.0], [90, 10]), np.repeat([0.0, 1.0], [10, 90])]
    fits = [
        fit._replace(sample_weight=weight)
        for fit, weight in zip(fits_of([small(), small()]), weights, strict=True)
    ]
    expected = fit_alone(fits)
    assert fit_stacked(fits) == N_EPOCHS
    for fit, twin in zip(fits, expected, strict=True):
        assert_same_state(fit.estimator, twin)


@pytest.mark.parametrize("Class", [ResNetClassifier, Autoencoder])
def test_a_row_twice_in_a_full_batch_is_a_row_of_weight_two(Class, assert_same_state):
    X, y = fold(0, Class, n_rows=60)
    twice = np.r_[np.arange(60), np.arange(20)]
    weight = np.repeat([2.0, 1.0], [20, 40])
    options = {"batch_size": 100, **({} if Class is Autoencoder else {"feature_scaling": None})}
    labels = None if y is None else y[twice]
    fits = [
        Fit(small(Class, **options), X[twice], labels),
        Fit(small(Class, **options), X, y, weight),
    ]
    expected = fit_alone(fits)
    assert fit_stacked(fits) == N_EPOCHS
    for fit, twin in zip(fits, expected, strict=True):
        assert_same_state(fit.estimator, twin)


# Unequal numbers of rows -------------------------------------------------------------------

RAGGED = {
    "plain": (Autoencoder, {}),
    "noise": (Autoencoder, {"noise": 0.2, "dropout": 0.1}),
    "masking": (Autoencoder, {"noise": 0.2, "noise_kind": "masking"}),
    "penalties": (Autoencoder, {"sparsity": 0.1, "contraction": 0.1, "activation": "tanh"}),
    "variational": (VariationalAutoencoder, {}),
    "draws": (VariationalAutoencoder, {"n_samples": 3, "dropout": 0.1}),
    "classifier": (ResNetClassifier, {"norm": "layer"}),
    "batch norm": (ResNetClassifier, {"norm": "batch"}),
    "class_weight": (ResNetClassifier, {"norm": "layer", "class_weight": "balanced"}),
    "regressor": (ResNetRegressor, {"norm": "layer", "dropout": 0.2}),
    "cosine": (ResNetRegressor, {"norm": "layer", "lr_schedule": "cosine"}),
    "early stopping": (Autoencoder, {"early_stopping": True, "n_iter_no_change": 2, "lr": 0.03}),
}


@pytest.mark.parametrize("Class, options", RAGGED.values(), ids=RAGGED)
@pytest.mark.parametrize("lengths", [(100, 99, 98), (100, 97, 97), (30, 29, 20)])
def test_members_with_other_numbers_of_rows_end_as_by_themselves_to_the_last_bit(
    Class, options, lengths, assert_same_state
):
    fits = [
        Fit(small(Class, random_state=seed, **options), *fold(seed, Class, n_rows=n_rows))
        for seed, n_rows in enumerate(lengths)
    ]
    expected = fit_alone(fits)
    assert fit_stacked(fits) >= max(estimator.n_iter_ for estimator in expected)
    for fit, twin in zip(fits, expected, strict=True):
        assert_same_state(fit.estimator, twin)
