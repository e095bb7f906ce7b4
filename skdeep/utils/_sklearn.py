"""Imports from private modules of scikit-learn, all in one place."""

import inspect
from collections.abc import Callable
from typing import Any, TypeVar

import numpy as np
import sklearn.callback
from sklearn.base import _fit_context
from sklearn.metrics._scorer import _PassthroughScorer as PassthroughScorer
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
from sklearn.utils._metadata_requests import MetadataRequest, MethodMetadataRequest
from sklearn.utils._param_validation import HasMethods, Interval, MissingValues, StrOptions
from sklearn.utils._set_output import _get_output_config
from sklearn.utils.metadata_routing import _raise_for_params as raise_for_params
from sklearn.utils.metadata_routing import _routing_enabled as is_routing_enabled
from sklearn.utils.metadata_routing import get_routing_for_object, process_routing
from sklearn.utils.metaestimators import _safe_split as safe_split
from sklearn.utils.validation import _check_categorical_features
from sklearn.utils.validation import _check_feature_names_in as check_feature_names_in
from sklearn.utils.validation import _check_method_params as check_method_params
from sklearn.utils.validation import _check_sample_weight as check_sample_weight

__all__ = [
    "HasMethods",
    "Interval",
    "MetadataRequest",
    "MethodMetadataRequest",
    "MissingValues",
    "PassthroughScorer",
    "StrOptions",
    "accepts_sample_weight",
    "aggregate_score_dicts",
    "check_categorical_features",
    "check_feature_names_in",
    "check_method_params",
    "check_names_of_params",
    "check_sample_weight",
    "consumed_params",
    "fit_and_score",
    "fit_context",
    "has_callbacks",
    "insert_error_scores",
    "is_routing_enabled",
    "is_valid_composition",
    "masked_parameters",
    "output_container",
    "params_of_part",
    "params_of_step",
    "raise_for_params",
    "report_fit_failures",
    "safe_indexing",
    "safe_split",
    "scorers_by_name",
    "scores_by_name",
    "with_callbacks",
]

_Method = TypeVar("_Method", bound=Callable[..., Any])


def fit_context(*, prefer_skip_nested_validation: bool) -> Callable[[_Method], _Method]:
    """Return scikit-learn's decorator that validates parameters, typed."""
    return _fit_context(prefer_skip_nested_validation=prefer_skip_nested_validation)


def with_callbacks(method: _Method) -> _Method:
    """Decorate a method with scikit-learn's ``with_callbacks``, typed."""
    return sklearn.callback.with_callbacks(method)


def check_categorical_features(X, categorical_features):
    """Return the mask of categorical columns, None if there are none.

    Raises
    ------
    ValueError
        If a column does not exist or is listed twice.
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
            f"categorical_features must list each column once; got {repeated} more than once. "
            "Remove the duplicates."
        )
    return mask


def output_container(estimator):
    """Return the container of what ``transform`` returns: "default", "pandas" or "polars"."""
    return _get_output_config("transform", estimator)["dense"]


def has_callbacks(estimator):
    """Whether scikit-learn callbacks are attached to an estimator."""
    return hasattr(estimator, "_skl_callbacks") or hasattr(estimator, "_parent_callback_ctx")


def accepts_sample_weight(scorer):
    """Whether a scorer, or any of several scorers, accepts ``sample_weight``."""
    if hasattr(scorer, "_accept_sample_weight"):
        return scorer._accept_sample_weight()
    return "sample_weight" in inspect.signature(scorer).parameters


def scorers_by_name(scorer):
    """Return the scorers of a multi-metric scorer by name; None for a single scorer."""
    return getattr(scorer, "_scorers", None)


def is_valid_composition(estimator):
    """Whether the ``fit`` of a pipeline, union or column transformer would reach its parts."""
    try:
        if hasattr(estimator, "_parameter_constraints"):
            estimator._validate_params()
        for name in ("_validate_steps", "_validate_transformers", "_validate_transformer_weights"):
            getattr(estimator, name, bool)()
    except (TypeError, ValueError):
        return False
    return True


def check_names_of_params(estimator, params):
    """Raise ``ValueError`` for fit parameters of a pipeline that belong to no step.

    With metadata routing, scikit-learn raises the error.
    """
    if not isinstance(estimator, Pipeline) or is_routing_enabled():
        return
    names = [name for name, _ in estimator.steps]
    for key in params:
        name, separator, _ = key.partition("__")
        if not separator or name not in names:
            raise ValueError(
                "Fit parameters of a pipeline must be named stepname__parameter, where stepname "
                f"is one of {names}; got {key!r}."
            )


def params_of_step(estimator, params, name):
    """Return the fit parameters of one step of a pipeline; all of them for the name None."""
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


def consumed_params(estimator, params, method="fit"):
    """Return the metadata that a method passes on, as far as metadata routing tells."""
    if not is_routing_enabled():
        return params
    consumed = get_routing_for_object(estimator).consumes(method=method, params=params.keys())
    return {key: params[key] for key in consumed}


def params_of_part(part, params):
    """Return the fit parameters that apply to a pipeline with only some of the steps."""
    if is_routing_enabled():
        return consumed_params(part, params)
    names = {name for name, _ in part.steps}
    return {key: value for key, value in params.items() if key.partition("__")[0] in names}
