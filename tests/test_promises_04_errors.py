"""Promise 4: no silent nonsense; errors state the rule and the value, and leave no half-fit."""

import copy

import numpy as np
import pandas as pd
import pytest
import scipy.sparse as sp
from sklearn.exceptions import NotFittedError

from skdeep.exceptions import DivergenceError
from skdeep.utils import all_estimators

X_ROWS = np.random.default_rng(0).normal(size=(20, 6))


def _with(value):
    X = X_ROWS.copy()
    X[3, 2] = value
    return X


BAD_ROWS = {
    "nan": (_with(np.nan), "NaN"),
    "infinite": (_with(np.inf), "infinity"),
    "negative infinite": (_with(-np.inf), "infinity"),
    "nan in float32": (_with(np.nan).astype(np.float32), "NaN"),
    "nan in a sparse matrix": (sp.csr_array(_with(np.nan)), "NaN"),
    "missing value in a frame": (pd.DataFrame(X_ROWS).mask(X_ROWS > 1), "NaN"),
    "no rows": (X_ROWS[:0], "0 sample"),
    "no features": (X_ROWS[:, :0], "0 feature"),
    "one dimension": (X_ROWS[0], "2D array"),
    "three dimensions": (X_ROWS.reshape(20, 3, 2), "dim 3"),
    "a number": (3.0, "array"),
    "nothing": (None, "array|NoneType"),
    "strings": (np.full((20, 6), "a"), "numeric|string|str"),
    "objects": (np.full((20, 6), {}, dtype=object), "argument|number"),
    "complex": (X_ROWS + 1j, "[Cc]omplex"),
    "ragged": ([[1.0, 2.0], [3.0]], "inhomogeneous|sequence"),
    "dates": (np.full((20, 6), "2020-01-01", dtype="datetime64[D]"), "numeric|dtype|DType"),
}
NEW_ROWS = {
    "too few columns": (X_ROWS[:, :5], "5 features.*expecting 6"),
    "too many columns": (np.hstack([X_ROWS, X_ROWS]), "12 features.*expecting 6"),
}

# Values that a parameter of this name must not have, whichever estimator it belongs to.
BAD_PARAMETERS = [
    *[("max_epochs", value) for value in (0, -1, 1.5, "3", None, np.nan)],
    *[("batch_size", value) for value in (0, -8, 2.0, "auto", None)],
    *[("lr", value) for value in (0, -1e-3, np.nan, np.inf, "fast", None)],
    *[("optimizer", value) for value in ("rmsprop", "", None, int, 3)],
    *[("weight_decay", value) for value in (-1, np.nan, np.inf, None)],
    *[("lr_schedule", value) for value in ("linear", None, 0.5)],
    *[("gradient_clip_value", value) for value in (0, -1.0, np.nan, np.inf, "1")],
    *[("early_stopping", value) for value in ("yes", 2, None)],
    *[("validation_fraction", value) for value in (0, 1, -0.1, 1.5, np.nan)],
    *[("n_iter_no_change", value) for value in (0, -1, 2.5, None)],
    *[("tol", value) for value in (-1e-4, np.nan, "small")],
    *[("warm_start", value) for value in ("no", 2)],
    *[("precision", value) for value in ("float16", 32, None)],
    *[("compile", value) for value in ("yes", 2)],
    *[("random_state", value) for value in (-1, 1.5, "seed", np.nan)],
    *[("verbose", value) for value in (-1, "loud")],
    *[("callbacks", value) for value in ("bar", 3, [3], ["bar"])],
    *[("device", value) for value in ("", "gpu", 0, None, [], [0])],
    *[("n_components", value) for value in (0, -2, 1.5, "all", None)],
    *[("hidden_layer_sizes", value) for value in (0, (8, 0), (-1,), (2.5,), "wide", ("a",), None)],
    *[("activation", value) for value in ("swish2", None, 3)],
    *[("block", value) for value in ("conv", None)],
    *[("dropout", value) for value in (-0.1, 1.0, 2, np.nan, "some")],
    *[("batch_norm", value) for value in ("yes", 3)],
    *[("feature_scaling", value) for value in ("minmax", 1, True)],
    *[("image_shape", value) for value in ((8,), (4, 4), (0, 8, 8), "8x8", (8, 8), 64, (8.0, 8.0))],
    *[("loss", value) for value in ("mae", None)],
    *[("output_activation", value) for value in ("sigmoid", None)],
    *[("noise", value) for value in (-0.5, np.nan, np.inf)],
    *[("noise_kind", value) for value in ("salt", None)],
    *[("sparsity", value) for value in (-1, np.nan)],
    *[("contraction", value) for value in (-1, np.nan)],
    *[("global_skip", value) for value in (True, "yes")],
    *[("tied_weights", value) for value in ("yes", 2)],
    *[("likelihood", value) for value in ("poisson", None)],
    *[("scale", value) for value in (0, -1.0, "fixed", np.nan)],
    *[("beta", value) for value in (-1, np.nan, "high")],
    *[("n_samples", value) for value in (0, -1, 1.5)],
]

BAD_PARAMETERS_OF_ALL = [
    pytest.param(cls, name, value, id=f"{cls.__name__}-{name}={value!r}")
    for _, cls in all_estimators()
    for name, value in BAD_PARAMETERS
    if name in cls._get_param_names()
]

BAD_WEIGHTS = {
    "negative": (np.r_[-1.0, np.ones(19)], "[Nn]egative"),
    "nan": (np.r_[np.nan, np.ones(19)], "NaN"),
    "infinite": (np.r_[np.inf, np.ones(19)], "infinity"),
    "too few": (np.ones(19), "shape"),
    "two columns": (np.ones((20, 2)), "1D|2D"),
    "all zero": (np.zeros(20), "zero"),
    "strings": (np.full(20, "a"), "could not convert|numeric|str"),
}


def _is_unfitted(estimator):
    with pytest.raises(NotFittedError):
        estimator.score(X_ROWS)
    return not [name for name in vars(estimator) if name.endswith("_")]


@pytest.mark.parametrize("method", ["fit", "partial_fit"])
@pytest.mark.parametrize("case", BAD_ROWS)
def test_rows_that_cannot_be_trained_on_are_refused(case, method, make):
    X, message = BAD_ROWS[case]
    estimator = make()
    y = np.arange(getattr(X, "shape", [2])[0]) % 2
    with pytest.raises((ValueError, TypeError), match=message):
        getattr(estimator, method)(X, y)
    assert _is_unfitted(estimator)


@pytest.mark.parametrize("case", [*BAD_ROWS, *NEW_ROWS])
def test_rows_that_cannot_be_mapped_are_refused(case, make, outputs):
    X, message = {**BAD_ROWS, **NEW_ROWS}[case]
    estimator = make(max_epochs=1).fit(X_ROWS, np.arange(20) % 2)
    for name in outputs(estimator, X_ROWS):
        with pytest.raises((ValueError, TypeError), match=message):
            getattr(estimator, name)(X)


def test_codes_of_another_width_are_refused(make):
    estimator = make(n_components=3, max_epochs=1).fit(X_ROWS)
    with pytest.raises(ValueError, match=r"3 columns.*got 2"):
        estimator.inverse_transform(np.zeros((4, 2)))
    with pytest.raises(ValueError, match="NaN"):
        estimator.inverse_transform(np.full((4, 3), np.nan))


def test_partial_fit_on_other_columns_is_refused_and_changes_nothing(make, assert_same):
    estimator = make().fit(X_ROWS)
    before = copy.deepcopy(estimator)
    with pytest.raises(ValueError, match=r"4 features.*expecting 6"):
        estimator.partial_fit(X_ROWS[:, :4])
    assert_same(estimator, before, X_ROWS)


def test_renamed_columns_are_refused(make):
    frame = pd.DataFrame(X_ROWS, columns=list("abcdef"))
    estimator = make(max_epochs=1).fit(frame, np.arange(20) % 2)
    with pytest.raises(ValueError, match="feature names should match"):
        estimator.score(frame.rename(columns={"a": "z"}))


@pytest.mark.parametrize("Estimator, name, value", BAD_PARAMETERS_OF_ALL)
def test_absurd_parameter_is_refused_by_name(name, value, make):
    estimator = make(**{name: value})
    with pytest.raises((ValueError, TypeError), match=name):
        estimator.fit(X_ROWS, np.arange(20) % 2)
    assert _is_unfitted(estimator)
    assert estimator.get_params()[name] is value


@pytest.mark.parametrize("case", BAD_WEIGHTS)
def test_weights_that_make_no_sense_are_refused(case, make):
    weight, message = BAD_WEIGHTS[case]
    estimator = make()
    with pytest.raises((ValueError, TypeError), match=message):
        estimator.fit(X_ROWS, np.arange(20) % 2, sample_weight=weight)
    assert _is_unfitted(estimator)
    estimator.fit(X_ROWS, np.arange(20) % 2)
    with pytest.raises((ValueError, TypeError), match=message):
        estimator.score(X_ROWS, np.arange(20) % 2, sample_weight=weight)


def test_nothing_works_before_fit(Estimator, make):
    for name in ("transform", "inverse_transform", "score", "score_samples", "predict", "sample"):
        if hasattr(Estimator, name):
            arguments = () if name == "sample" else (X_ROWS,)
            with pytest.raises(NotFittedError, match="not fitted"):
                getattr(make(), name)(*arguments)


@pytest.mark.parametrize(
    "Estimator", [cls for _, cls in all_estimators() if hasattr(cls, "sample")]
)
@pytest.mark.parametrize("n_samples", [0, -1, 2.5, "many", None, np.nan])
def test_absurd_number_of_samples_is_refused(n_samples, make):
    estimator = make(max_epochs=1).fit(X_ROWS)
    with pytest.raises((ValueError, TypeError), match="n_samples must be a positive integer"):
        estimator.sample(n_samples)


@pytest.mark.parametrize("early_stopping", [False, True])
@pytest.mark.parametrize("batch_size", [5, 100])
def test_divergence_names_epoch_and_lr(batch_size, early_stopping, make):
    estimator = make(lr=1e30, batch_size=batch_size, early_stopping=early_stopping)
    with pytest.raises(DivergenceError, match=r"epoch \d+ with lr=1e\+30.*Lower lr"):
        estimator.fit(X_ROWS, np.arange(20) % 2)
    assert _is_unfitted(estimator)


def test_divergence_in_the_last_step_is_noticed(make):
    estimator = make(lr=1e38, max_epochs=1, batch_size=100, weight_decay=10.0)
    with pytest.raises(DivergenceError, match="epoch 1 "):
        estimator.fit(X_ROWS, np.arange(20) % 2)
    assert _is_unfitted(estimator)


@pytest.mark.parametrize("way", ["fit", "warm start", "partial_fit"])
def test_divergence_leaves_a_fitted_estimator_as_it_was(way, make_random, assert_same):
    y = np.arange(20) % 2
    estimator = make_random().fit(X_ROWS, y).partial_fit(X_ROWS, y)
    before = copy.deepcopy(estimator)
    method = estimator.partial_fit if way == "partial_fit" else estimator.fit
    estimator.set_params(lr=1e35, warm_start=way == "warm start")
    with pytest.raises(DivergenceError, match="epoch"):
        for _ in range(3):
            method(X_ROWS, y)
    assert_same(estimator, before, X_ROWS)
    for one in (estimator, before):
        one.set_params(lr=1e-3).partial_fit(X_ROWS, y)
    assert_same(estimator, before, X_ROWS)


def test_divergence_is_a_value_error_that_searches_survive():
    assert issubclass(DivergenceError, ValueError)


def test_rows_too_large_for_the_net_are_refused_instead_of_mapped_to_infinity(make, outputs):
    estimator = make(feature_scaling=None).fit(X_ROWS, np.arange(20) % 2)
    for name in outputs(estimator, X_ROWS):
        with pytest.raises(ValueError, match=r"X must be small enough.*1e\+200"):
            getattr(estimator, name)(np.full((3, 6), 1e200))


def test_warm_start_with_another_shape_is_refused_and_changes_nothing(make, assert_same):
    estimator = make(n_components=2, warm_start=True).fit(X_ROWS)
    before = copy.deepcopy(estimator)
    with pytest.raises(ValueError, match=r"new values of \['n_components'\].*Fit a clone"):
        estimator.set_params(n_components=3).fit(X_ROWS)
    assert_same(estimator, before, X_ROWS)
