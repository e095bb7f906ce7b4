"""The only home of private scikit-learn imports."""

from sklearn.base import _fit_context as fit_context
from sklearn.utils import _safe_indexing as safe_indexing
from sklearn.utils._param_validation import Interval, StrOptions
from sklearn.utils.validation import _check_categorical_features as check_categorical_features
from sklearn.utils.validation import _check_sample_weight as check_sample_weight

__all__ = [
    "Interval",
    "StrOptions",
    "check_categorical_features",
    "check_sample_weight",
    "fit_context",
    "has_callbacks",
    "safe_indexing",
]


def has_callbacks(estimator):
    """Whether callbacks of scikit-learn listen to the fit of an estimator."""
    return hasattr(estimator, "_skl_callbacks") or hasattr(estimator, "_parent_callback_ctx")
