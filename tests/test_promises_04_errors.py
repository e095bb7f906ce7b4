"""Promise 4: errors state the rule and the value, and leave no partially fitted state."""

import copy
from inspect import signature

import numpy as np
import pandas as pd
import pytest
import scipy.sparse as sp
from sklearn.exceptions import NotFittedError
from sklearn.utils.validation import check_is_fitted

from skdeep.utils import all_estimators

X_ROWS = np.random.default_rng(0).normal(size=(20, 6))
Y = np.arange(20) % 2


def _with(value):
    X = X_ROWS.copy()
    X[3, 2] = value
    return X


BAD_ROWS = {
    "infinite": (_with(np.inf), "infinity"),
    "negative infinite": (_with(-np.inf), "infinity"),
    "no rows": (X_ROWS[:0], "0 sample"),
    "no features": (X_ROWS[:, :0], "0 feature"),
    "one dimension": (X_ROWS[0], "2D array"),
    "three dimensions": (X_ROWS.reshape(20, 3, 2), "dim 3"),
    "a number": (3.0, "array"),
    "nothing": (None, "array|NoneType"),
    "objects": (np.full((20, 6), {}, dtype=object), "argument|number"),
    "complex": (X_ROWS + 1j, "[Cc]omplex"),
    "a series": (pd.Series(X_ROWS[0]), "2-dimensional|2D"),
    "ragged": ([[1.0, 2.0], [3.0]], "inhomogeneous|sequence"),
}
# What an imputer may be given, but most others must not.
MISSING = {
    "nan": (_with(np.nan), "NaN"),
    "nan in float32": (_with(np.nan).astype(np.float32), "NaN"),
    "nan in a sparse matrix": (sp.csr_array(_with(np.nan)), "NaN"),
    "missing value in a frame": (pd.DataFrame(X_ROWS).mask(X_ROWS > 1), "NaN"),
}
# What a table of mixed columns may hold, but rows of numbers must not.
BAD_NUMBERS = {
    "strings": (np.full((20, 6), "a"), "numeric|string|str"),
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
    *[("feature_scaling", value) for value in ("min-max", 1, True)],
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
    *[("n_blocks", value) for value in (0, -1, 1.5, "two", None)],
    *[("width", value) for value in (0, -8, 16.0, "auto", None)],
    *[("hidden_factor", value) for value in (0, -0.5, np.nan, np.inf, "2", None)],
    *[("residual_dropout", value) for value in (-0.1, 1.0, np.nan, "some", None)],
    *[("norm", value) for value in ("group", True)],
    *[("numerical_embedding", value) for value in ("linear", True, 8)],
    *[("embedding_dim", value) for value in (0, -1, 2.0, None)],
    *[("frequency_scale", value) for value in (0, -1.0, np.nan, np.inf, None)],
    *[("stem_width", value) for value in (0, -16, 16.0, None)],
    *[("augment", value) for value in ("crop", True, "shift")],
    *[("categorical_features", value) for value in ("all", [9], [-8], ["kind"], [0.5], 3, {0})],
    *[("categorical_features", value) for value in ([1, 1], [0, 2, 0], [None])],
    *[("hidden_layer_sizes", value) for value in (np.array(2.5), np.array(0), {8})],
    *[("missing", value) for value in ("mean", None, True)],
    *[("label_smoothing", value) for value in (-0.1, 1.0, np.nan, "some", None)],
    *[("class_weight", value) for value in ("equal", 2.0, [1, 2])],
    *[("class_weight", value) for value in ({0: "a"}, {0: None}, {1: [1, 2]}, {0: np.inf})],
    *[("refit_full", value) for value in ("yes", 2, None)],
    *[("quantile", value) for value in (0, 1, -0.5, np.nan, "median")],
    *[("latent_dim", value) for value in (0, -1, 2.5, "auto", None)],
    *[("gradient_penalty", value) for value in (-1, np.nan, np.inf, "r1", None)],
    *[("n_critic", value) for value in (0, -1, 1.5, "auto", None)],
    *[("ema_decay", value) for value in (-0.1, 1, 1.5, np.nan, None)],
    *[("critic_lr", value) for value in (0, -1e-3, np.nan, np.inf, "fast")],
    *[("betas", value) for value in (0.5, (0.5,), (0.5, 1.0), (-0.1, 0.9), (0.5, 0.9, 0.9))],
    *[("betas", value) for value in (("a", "b"), (np.nan, 0.9), None)],
    *[("pac", value) for value in (0, -1, 1.5, "auto", None)],
    *[("n_modes", value) for value in (0, -1, 2.5, "auto", None)],
    *[("style_weight", value) for value in (-1, np.nan, np.inf, "auto", None)],
    *[("spectral_norm", value) for value in ("yes", 3, None)],
    *[("sampling_strategy", value) for value in (0, -0.5, 1.5, np.nan, "most", None, [0, 1])],
]

BAD_TARGETS = {
    "none": (None, "requires y|y cannot be None"),
    "nan": (np.r_[np.nan, np.ones(19)], "NaN"),
    "infinite": (np.r_[np.inf, np.ones(19)], "infinity"),
    "too few": (np.arange(19) % 2, "inconsistent"),
    "no rows": (np.ones(0), "inconsistent|0 sample"),
    "three dimensions": (np.ones((20, 2, 2)), "dim|label type|shape|type"),
    "objects": (np.full(20, {}, dtype=object), "label type|argument|number|unhashable|string"),
    "complex": (np.arange(20) + 1j, "[Cc]omplex|label type"),
}

BAD_PARAMETERS_OF_ALL = [
    pytest.param(cls, name, value, id=f"{cls.__name__}-{name}={value!r}")
    for _, cls in all_estimators()
    for name, value in BAD_PARAMETERS
    # None is no bad value where it is the default
    if name in signature(cls).parameters and (value is not None or getattr(cls(), name) is not None)
]

BAD_WEIGHTS = {
    "negative": (np.r_[-1.0, np.ones(19)], "[Nn]egative"),
    "nan": (np.r_[np.nan, np.ones(19)], "NaN"),
    "infinite": (np.r_[np.inf, np.ones(19)], "infinity"),
    "too few": (np.ones(19), "shape|inconsistent"),
    "two columns": (np.ones((20, 2)), "1D|2D"),
    "all zero": (np.zeros(20), "zero"),
    "too large": (np.full(20, 1e308), "sample_weight must have a finite sum.*Divide"),
    "strings": (np.full(20, "a"), "could not convert|numeric|str"),
}


each_with_rows = pytest.mark.having("transform", "embed", "score_samples")


def _is_unfitted(estimator):
    with pytest.raises(NotFittedError):
        check_is_fitted(estimator)
    return not [name for name in vars(estimator) if name.endswith("_")]


def _assert_refused(X, message, estimator, method):
    y = np.arange(getattr(X, "shape", [2])[0]) % 2
    with pytest.raises((ValueError, TypeError), match=message):
        getattr(estimator, method)(X, y)
    assert _is_unfitted(estimator)


@pytest.mark.parametrize("case", BAD_ROWS)
@pytest.mark.matrix
def test_rows_that_cannot_be_trained_on_are_refused(case, make):
    _assert_refused(*BAD_ROWS[case], make(), "fit")


@pytest.mark.parametrize("case", BAD_NUMBERS)
@each_with_rows
@pytest.mark.matrix
def test_rows_that_are_no_numbers_are_refused(case, make):
    _assert_refused(*BAD_NUMBERS[case], make(), "fit")


@pytest.mark.parametrize("case", MISSING)
@pytest.mark.taking(allow_nan=False)
@each_with_rows
@pytest.mark.matrix
def test_missing_values_are_refused(case, make):
    _assert_refused(*MISSING[case], make(), "fit")


@pytest.mark.parametrize("case", [*BAD_ROWS, *BAD_NUMBERS, *MISSING])
@pytest.mark.having("partial_fit")
@pytest.mark.matrix
def test_parts_that_cannot_be_trained_on_are_refused(case, make):
    _assert_refused(*{**BAD_ROWS, **BAD_NUMBERS, **MISSING}[case], make(), "partial_fit")


@pytest.mark.parametrize("case", [*BAD_ROWS, *BAD_NUMBERS, *NEW_ROWS])
@each_with_rows
@pytest.mark.matrix
def test_rows_that_cannot_be_mapped_are_refused(case, make, row_outputs):
    _assert_not_mapped(*{**BAD_ROWS, **BAD_NUMBERS, **NEW_ROWS}[case], make, row_outputs)


@pytest.mark.parametrize("case", MISSING)
@pytest.mark.taking(allow_nan=False)
@each_with_rows
@pytest.mark.matrix
def test_missing_values_are_not_mapped(case, make, row_outputs):
    _assert_not_mapped(*MISSING[case], make, row_outputs)


def _assert_not_mapped(X, message, make, row_outputs):
    estimator = make(max_epochs=1).fit(X_ROWS, Y)
    for name in row_outputs(estimator, X_ROWS):
        with pytest.raises((ValueError, TypeError), match=message):
            getattr(estimator, name)(X)


@pytest.mark.parametrize("method", ["fit", "partial_fit"])
@pytest.mark.parametrize("case", BAD_TARGETS)
@pytest.mark.having("embed")
@pytest.mark.matrix
def test_targets_that_cannot_be_learned_are_refused(case, method, make, assert_same):
    y, message = BAD_TARGETS[case]
    estimator = make()
    with pytest.raises((ValueError, TypeError), match=message):
        getattr(estimator, method)(X_ROWS, y)
    assert _is_unfitted(estimator)
    estimator.fit(X_ROWS, Y)
    before = copy.deepcopy(estimator)
    with pytest.raises((ValueError, TypeError), match=message):
        getattr(estimator, method)(X_ROWS, y)
    assert_same(estimator, before, X_ROWS)


@pytest.mark.having("embed")
def test_fit_without_targets_is_refused_in_the_name_of_the_estimator(make):
    estimator = make()
    name = type(estimator).__name__
    with pytest.raises(ValueError, match=f"{name} requires y to be passed"):
        estimator.fit(X_ROWS)
    with pytest.raises(TypeError, match=f"{name}.partial_fit.. missing .*'y'"):
        estimator.partial_fit(X_ROWS)
    assert _is_unfitted(estimator)


@pytest.mark.having("inverse_transform")
def test_codes_of_another_width_are_refused(make):
    estimator = make(n_components=3, max_epochs=1).fit(X_ROWS)
    with pytest.raises(ValueError, match=r"3 columns.*got 2"):
        estimator.inverse_transform(np.zeros((4, 2)))
    with pytest.raises(ValueError, match="NaN"):
        estimator.inverse_transform(np.full((4, 3), np.nan))


@pytest.mark.having("partial_fit")
def test_partial_fit_on_other_columns_is_refused_and_changes_nothing(make, assert_same):
    estimator = make().fit(X_ROWS, Y)
    before = copy.deepcopy(estimator)
    with pytest.raises(ValueError, match=r"4 features.*expecting 6"):
        estimator.partial_fit(X_ROWS[:, :4], Y)
    assert_same(estimator, before, X_ROWS)


@each_with_rows
def test_renamed_columns_are_refused(make, row_outputs):
    frame = pd.DataFrame(X_ROWS, columns=list("abcdef"))
    estimator = make(max_epochs=1).fit(frame, Y)
    for name in row_outputs(estimator, frame):
        with pytest.raises(ValueError, match="feature names should match"):
            getattr(estimator, name)(frame.rename(columns={"a": "z"}))


@pytest.mark.parametrize("Estimator, name, value", BAD_PARAMETERS_OF_ALL)
def test_absurd_parameter_is_refused_by_name(name, value, make):
    estimator = make(**{name: value})
    with pytest.raises((ValueError, TypeError), match=name):
        estimator.fit(X_ROWS, Y)
    assert _is_unfitted(estimator)
    assert estimator.get_params()[name] is value


@pytest.mark.parametrize("case", BAD_WEIGHTS)
@pytest.mark.matrix
def test_weights_that_make_no_sense_are_refused(case, make):
    weight, message = BAD_WEIGHTS[case]
    estimator = make()
    with pytest.raises((ValueError, TypeError), match=message):
        estimator.fit(X_ROWS, Y, sample_weight=weight)
    assert _is_unfitted(estimator)


# scikit-learn's own scores of classifiers and regressors take negative and very large weights
@pytest.mark.parametrize("case", sorted(BAD_WEIGHTS.keys() - {"negative", "too large"}))
@pytest.mark.having("score")
@pytest.mark.matrix
def test_scores_with_weights_that_make_no_sense_are_refused(case, make):
    weight, message = BAD_WEIGHTS[case]
    with pytest.raises((ValueError, TypeError), match=message):
        make(max_epochs=1).fit(X_ROWS, Y).score(X_ROWS, Y, sample_weight=weight)


@pytest.mark.having("inverse_transform")
def test_scores_with_negative_weights_are_refused(make):
    weight, message = BAD_WEIGHTS["negative"]
    with pytest.raises(ValueError, match=message):
        make(max_epochs=1).fit(X_ROWS, Y).score(X_ROWS, Y, sample_weight=weight)


def test_nothing_works_before_fit(Estimator, make):
    names = {"transform", "inverse_transform", "score", "score_samples", "predict", "sample"}
    names |= {"predict_proba", "predict_log_proba", "decision_function", "embed", "reconstruct"}
    names |= {"get_feature_names_out"}
    arguments = {"sample": (), "score": (X_ROWS, Y), "get_feature_names_out": ()}
    tried = [name for name in names if hasattr(Estimator, name)]
    assert tried
    for name in tried:
        with pytest.raises(NotFittedError, match="not fitted"):
            getattr(make(), name)(*arguments.get(name, (X_ROWS,)))


@pytest.mark.having("sample")
@pytest.mark.parametrize("n_samples", [0, -1, 2.5, "many", None, np.nan])
def test_absurd_number_of_samples_is_refused(n_samples, make):
    estimator = make(max_epochs=1).fit(X_ROWS)
    with pytest.raises((ValueError, TypeError), match="n_samples must be a positive integer"):
        estimator.sample(n_samples)


@pytest.mark.nets({"unscaled": {"feature_scaling": None}})
def test_rows_too_large_for_the_net_are_refused_instead_of_mapped_to_infinity(
    params, make, row_outputs
):
    estimator = make(**params).fit(X_ROWS, Y)
    for name in row_outputs(estimator, X_ROWS):
        with pytest.raises(ValueError, match=r"X must be small enough.*1e\+200"):
            getattr(estimator, name)(np.full((3, 6), 1e200))


@pytest.mark.nets(
    {
        "n_components": {"n_components": 3, "block": "dense"},
        "layer sizes": {"hidden_layer_sizes": (7,)},
        "latent_dim": {"latent_dim": 7},
        "spectral_norm": {"spectral_norm": True},
        "pac": {"pac": 3},
        "width": {"width": 17},
        "n_blocks": {"n_blocks": 3},
        "norm": {"norm": "layer"},
        "activation": {"activation": "silu"},
        "hidden_factor": {"hidden_factor": 0.5},
    }
)
def test_warm_start_with_another_shape_is_refused_and_changes_nothing(params, make, assert_same):
    estimator = make(warm_start=True).fit(X_ROWS, Y)
    before = copy.deepcopy(estimator)
    name = next(iter(params))
    with pytest.raises(ValueError, match=rf"new values of \[.*'{name}'.*Fit a clone"):
        estimator.set_params(**params).fit(X_ROWS, Y)
    assert_same(estimator, before, X_ROWS)


NEEDS = {
    "augment": ({"augment": "shift"}, "augment needs image_shape"),
    "image and embedding": (
        {"image_shape": (8, 8), "numerical_embedding": "periodic"},
        "numerical_embedding must be 'auto' or None with image_shape",
    ),
    "image without norm": ({"image_shape": (8, 8), "norm": None}, "norm must be 'auto'"),
    "image and gaps": ({"image_shape": (8, 8), "missing": "indicator"}, "missing must be 'error'"),
}


@pytest.mark.having("embed")
@pytest.mark.parametrize("case", NEEDS)
def test_parameters_that_contradict_each_other_are_refused(case, make):
    params, message = NEEDS[case]
    estimator = make(**params)
    with pytest.raises(ValueError, match=message):
        estimator.fit(X_ROWS, Y)
    assert _is_unfitted(estimator)
