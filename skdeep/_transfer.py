"""Fitted estimators whose layers another estimator starts from."""

import math

import numpy as np
from sklearn.utils.validation import check_is_fitted, validate_data


def fitted_start(name, frozen, is_suitable, kinds):
    """Return the fitted estimator in a ``FrozenEstimator``.

    Parameters
    ----------
    name : str
        Name of the parameter.
    frozen : FrozenEstimator
    is_suitable : callable
        ``is_suitable(estimator)`` is whether its layers can be used.
    kinds : str
        Description of suitable estimators for the error message.

    Raises
    ------
    TypeError
        If the estimator is not suitable.
    NotFittedError
        If it is not fitted.
    """
    given = frozen.estimator
    if not is_suitable(given):
        raise TypeError(
            f"{name} must be a FrozenEstimator of a fitted {kinds}; got one of "
            f"{type(given).__name__}."
        )
    check_is_fitted(given)
    return given


def check_features(name, given, X):
    """Raise ``ValueError`` unless samples have the features that an estimator was fitted on.

    Parameters
    ----------
    name : str
        Name of the parameter that the fitted estimator was passed as.
    given : DeepEstimator
    X : array-like of shape (n_samples, n_features), or images
    """
    shape = X.shape if hasattr(X, "shape") else np.shape(X)
    n_features = math.prod(shape[1:])
    if len(shape) > 1 and n_features != given.n_features_in_:
        raise ValueError(
            f"X must have the {given.n_features_in_} features that {name} was fitted on; got "
            f"{n_features}. Pass a {type(given).__name__} that was fitted on samples like X."
        )
    if len(shape) == 2:
        validate_data(given, X, reset=False, skip_check_array=True)  # names of the features
