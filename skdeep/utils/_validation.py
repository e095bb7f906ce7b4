"""Only the checks that scikit-learn lacks."""

import math
from numbers import Integral

import numpy as np
from sklearn.utils import get_tags
from sklearn.utils.validation import validate_data

from skdeep.utils._numbers import as_numbers, must_be_numbers
from skdeep.utils._sklearn import check_sample_weight

__all__ = [
    "check_image_shape",
    "check_layer_sizes",
    "check_n_samples",
    "check_range",
    "check_rows",
    "check_target_is_given",
    "check_weights",
    "in_memory",
    "output_dtype",
]

_SMALLEST_SIDE = 8


def in_memory(data):
    """Compute what dask and polars have not computed yet, and make masked numbers missing ones."""
    if hasattr(data, "__dask_graph__"):
        return data.compute()
    if type(data).__name__ == "LazyFrame":
        return data.collect()
    if isinstance(data, np.ma.MaskedArray) and data.dtype.kind in "biuf":
        return np.ma.filled(data.astype(np.float64), np.nan) if np.any(data.mask) else data.data
    return data


def check_image_shape(image_shape):
    """Channels, height and width from ``(height, width)`` or ``(channels, height, width)``.

    Raises
    ------
    ValueError
        If there are not two or three positive numbers, or a side is below 8 pixels.
    """
    if image_shape is None:
        return None
    shape = tuple(image_shape)
    shape = (1, *shape) if len(shape) == 2 else shape
    if len(shape) != 3 or not all(isinstance(side, int | np.integer) for side in shape):
        raise ValueError(
            "image_shape must be (height, width) or (channels, height, width); "
            f"got {image_shape!r}."
        )
    if shape[0] < 1 or min(shape[1:]) < _SMALLEST_SIDE:
        raise ValueError(
            f"image_shape must have sides of at least {_SMALLEST_SIDE} pixels and a channel; "
            f"got {image_shape!r}. Leave image_shape=None for smaller images."
        )
    return tuple(int(side) for side in shape)


def check_layer_sizes(hidden_layer_sizes, *, auto):
    """Tuple of layer widths from a number, several, or ``"auto"``.

    Raises
    ------
    ValueError
        If one of them is no positive integer.
    """
    if isinstance(hidden_layer_sizes, str):
        return auto
    is_single = np.ndim(hidden_layer_sizes) == 0
    sizes = (hidden_layer_sizes,) if is_single else tuple(hidden_layer_sizes)
    if not all(isinstance(size, int | np.integer) and size > 0 for size in sizes):
        raise ValueError(
            f"hidden_layer_sizes must hold positive integers; got {hidden_layer_sizes!r}."
        )
    return tuple(int(size) for size in sizes)


def check_n_samples(n_samples):
    """Raise ``ValueError`` unless a number of rows to draw is a positive integer."""
    if isinstance(n_samples, bool) or not isinstance(n_samples, Integral) or n_samples < 1:
        raise ValueError(f"n_samples must be a positive integer; got {n_samples!r}.")


def check_rows(estimator, X, *, reset, image_shape=None, allow_nan=False, hints=None):
    """Validate rows, neither copied nor converted where that can be avoided.

    Parameters
    ----------
    estimator : BaseEstimator
        Gets ``n_features_in_`` and ``feature_names_in_`` for ``reset=True``, is asked else.
    X : array-like or sparse matrix of shape (n_samples, n_features)
        With ``image_shape`` also an array of shape (n_samples, [channels,] height, width).
    reset : bool
    image_shape : (int, int, int) or None
    allow_nan : bool
    hints : dict of str to str or None
        What else the user can do about entries that are no numbers, see ``must_be_numbers``.

    Returns
    -------
    X : ndarray or CSR matrix of shape (n_samples, n_features), of any real dtype
    """
    if image_shape is not None:
        X = _as_rows(X, image_shape)
    with must_be_numbers(X, hints):
        X = validate_data(
            estimator,
            X,
            accept_sparse="csr",
            dtype="numeric",
            ensure_all_finite="allow-nan" if allow_nan else True,
            reset=reset,
        )
        X = as_numbers(X)
    if image_shape is not None and math.prod(image_shape) != X.shape[1]:
        raise ValueError(
            f"image_shape must hold as many pixels as X has features; got {image_shape=} with "
            f"{math.prod(image_shape)} pixels and X with {X.shape[1]} features."
        )
    return X


def _as_rows(X, image_shape):
    """Images as rows of pixels; rows stay as they are."""
    X = X if hasattr(X, "shape") else np.asarray(X)
    if len(X.shape) < 3:
        return X
    if X.shape[1:] not in (image_shape, image_shape[1:]):
        raise ValueError(
            f"X must hold images of the image_shape {image_shape}, or rows of "
            f"{math.prod(image_shape)} pixels; found array with dim {len(X.shape)}, "
            f"shape={tuple(X.shape)}. Resize the images, or change image_shape."
        )
    return X.reshape(X.shape[0], -1)


def check_range(X, *, low, high, reason):
    """Raise ``ValueError`` unless every entry lies in ``[low, high]``."""
    smallest, largest = X.min(), X.max()
    if smallest < low or largest > high:
        raise ValueError(
            f"X must lie in [{low}, {high}] for {reason}; got values from {smallest:g} to "
            f"{largest:g}. Bring X into that range or choose another {reason.split('=')[0]}."
        )


def check_weights(sample_weight, X):
    """Float64 weights, one per row and not all zero; None stays None."""
    if sample_weight is None:
        return None
    options = {"dtype": np.float64, "ensure_non_negative": True}
    weight = check_sample_weight(in_memory(sample_weight), X, **options)
    with np.errstate(over="ignore"):
        if not np.isfinite(weight.sum()):
            raise ValueError(
                f"sample_weight must have a finite sum; got weights up to {weight.max():g}. Divide "
                "them by a constant."
            )
    return weight


def check_target_is_given(estimator, y):
    """Raise ``ValueError`` where ``y`` is None and the estimator learns from it."""
    if y is None and get_tags(estimator).target_tags.required:
        raise ValueError(
            f"{type(estimator).__name__} requires y to be passed, but the target y is None."
        )


def output_dtype(X):
    """Dtype of results for those rows: float32 stays, everything else becomes float64."""
    return np.float32 if X.dtype == np.float32 else np.float64
