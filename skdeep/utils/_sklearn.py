"""The only home of private scikit-learn imports."""

import inspect
from collections.abc import Callable
from typing import Any, TypeVar

import numpy as np
import sklearn.callback
from sklearn.base import _fit_context
from sklearn.model_selection._search import (
    _yield_masked_array_for_each_param as masked_parameters,
)
from sklearn.model_selection._validation import _aggregate_score_dicts as aggregate_score_dicts
from sklearn.model_selection._validation import _fit_and_score as fit_and_score
from sklearn.model_selection._validation import _insert_error_scores as insert_error_scores
from sklearn.model_selection._validation import _normalize_score_results as scores_by_name
from sklearn.model_selection._validation import (
    _warn_or_raise_about_fit_failures as report_fit_failures,
)
from sklearn.pipeline import Pipeline
from sklearn.utils import _safe_indexing as safe_indexing
from sklearn.utils._param_validation import HasMethods, Interval, StrOptions
from sklearn.utils.metadata_routing import _routing_enabled as is_routing_enabled
from sklearn.utils.metadata_routing import get_routing_for_object, process_routing
from sklearn.utils.metaestimators import _safe_split as safe_split
from sklearn.utils.validation import _check_categorical_features
from sklearn.utils.validation import _check_method_params as check_method_params
from sklearn.utils.validation import _check_sample_weight as check_sample_weight

__all__ = [
    "HasMethods",
    "Interval",
    "StrOptions",
    "accepts_sample_weight",
    "aggregate_score_dicts",
    "check_categorical_features",
    "check_method_params",
    "check_names_of_params",
    "check_sample_weight",
    "fit_and_score",
    "fit_context",
    "has_callbacks",
    "insert_error_scores",
    "is_routing_enabled",
    "is_valid_pipeline",
    "masked_parameters",
    "params_of_part",
    "params_of_step",
    "report_fit_failures",
    "safe_indexing",
    "safe_split",
    "scorers_by_name",
    "scores_by_name",
    "with_callbacks",
]

_Method = TypeVar("_Method", bound=Callable[..., Any])


def fit_context(*, prefer_skip_nested_validation: bool) -> Callable[[_Method], _Method]:
    """Give scikit-learn's decorator that validates parameters; the method keeps its type."""
    return _fit_context(prefer_skip_nested_validation=prefer_skip_nested_validation)


def with_callbacks(method: _Method) -> _Method:
    """Decorate with scikit-learn's ``with_callbacks``; the method keeps its type."""
    return sklearn.callback.with_callbacks(method)


def check_categorical_features(X, categorical_features):
    """Mask of the columns that hold categories, None where there are none.

    Raises
    ------
    ValueError
        If a column is not there, or is named twice.
    """
    if np.ndim(categorical_features) == 0 and not isinstance(categorical_features, str | None):
        raise ValueError(
            "categorical_features must be a list of names, of indices or of booleans; got "
            f"{categorical_features!r}."
        )
    mask = _check_categorical_features(X, categorical_features)
    if mask is None or isinstance(categorical_features, str):
        return mask
    columns = np.asarray(categorical_features).tolist()
    repeated = sorted({column for column in columns if columns.count(column) > 1})
    if repeated and not isinstance(columns[0], bool):
        raise ValueError(
            f"categorical_features must name each column once; got {repeated} more than once. "
            "Remove the repetitions."
        )
    return mask


def has_callbacks(estimator):
    """Whether callbacks of scikit-learn listen to the fit of an estimator."""
    return hasattr(estimator, "_skl_callbacks") or hasattr(estimator, "_parent_callback_ctx")


def accepts_sample_weight(scorer):
    """Whether a scorer, or any of several, takes weights of rows."""
    if hasattr(scorer, "_accept_sample_weight"):
        return scorer._accept_sample_weight()
    return "sample_weight" in inspect.signature(scorer).parameters


def scorers_by_name(scorer):
    """Scorers of a multi-metric scorer by name; None for a single one."""
    return getattr(scorer, "_scorers", None)


def is_valid_pipeline(pipeline):
    """Whether the ``fit`` of a pipeline would come as far as its first step."""
    try:
        pipeline._validate_params()
        pipeline._validate_steps()
    except (TypeError, ValueError):
        return False
    return True


def check_names_of_params(estimator, params):
    """Raise ``ValueError`` for metadata of a pipeline's ``fit`` that is of no step.

    With metadata routing scikit-learn says so itself.
    """
    if not isinstance(estimator, Pipeline) or is_routing_enabled():
        return
    names = [name for name, _ in estimator.steps]
    for key in params:
        name, separator, _ = key.partition("__")
        if not separator or name not in names:
            raise ValueError(
                "Metadata of a pipeline's fit must be named stepname__parameter, with a step of "
                f"{names}; got {key!r}."
            )


def params_of_step(estimator, params, name):
    """Metadata of ``fit`` for one step of a pipeline; for an estimator with the name None all."""
    if name is None or not params:
        return params
    if is_routing_enabled():
        routed = process_routing(estimator, "fit", **params)[name]
        return {**routed.get("fit_transform", {}), **routed.get("fit", {})}
    return {
        key.removeprefix(f"{name}__"): value
        for key, value in params.items()
        if key.startswith(f"{name}__")
    }


def params_of_part(part, params):
    """Metadata of ``fit`` for a pipeline of some of the steps of another."""
    if is_routing_enabled():
        consumed = get_routing_for_object(part).consumes(method="fit", params=params.keys())
        return {key: params[key] for key in consumed}
    names = {name for name, _ in part.steps}
    return {key: value for key, value in params.items() if key.partition("__")[0] in names}
