"""Only the checks that scikit-learn lacks."""

import contextlib
import datetime
import math
import numbers
import reprlib
from decimal import Decimal
from numbers import Integral

import numpy as np
import scipy.sparse as sp
from sklearn.utils import get_tags
from sklearn.utils.validation import validate_data

from skdeep.utils._sklearn import check_sample_weight

__all__ = [
    "as_numbers",
    "check_image_shape",
    "check_layer_sizes",
    "check_n_samples",
    "check_range",
    "check_rows",
    "check_target_is_given",
    "check_weights",
    "column_of",
    "in_memory",
    "is_missing",
    "must_be_numbers",
    "output_dtype",
]

_SMALLEST_SIDE = 8
# How the missing values of NumPy, pandas and polars print; their types need not be known for that.
_MISSING = ("nan", "NaT", "<NA>")
# What errors of NumPy and scikit-learn say of entries that are no numbers.
_SIGNS = (
    "could not convert",
    "DTypePromotion",
    "Cannot cast",
    "argument must be",
    "Complex data",
    "must hold numbers",
    "of bytes/strings",
    "setting an array element",
)
_KINDS = {"M": "dates", "m": "times", "c": "complex numbers"}
_REMEDIES = {
    "M": "Turn it into numbers, such as days since a date, or drop it.",
    "m": "Turn it into numbers, such as seconds, or drop it.",
    "c": "Take real and imaginary parts as two columns, or drop it.",
    "s": "Encode it, by sklearn.preprocessing.OneHotEncoder for example, or drop it.",
    "O": "Convert it to numbers, or drop it.",
}


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
    image_shape = check_image_shape(image_shape)
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


def column_of(X, place):
    """Take the column at that place."""
    return (X.iloc if hasattr(X, "iloc") else X)[:, place]


def is_missing(value):
    """Whether an entry of a column is a missing value of Python or of any library."""
    return value is None or (not isinstance(value, str) and str(value) in _MISSING)


def as_numbers(X):
    """Rows of a numeric dtype, from what scikit-learn lets through as numeric.

    Raises
    ------
    TypeError
        If they hold dates or time spans.
    ValueError
        If they hold strings, as dataframes with columns of several types can.
    """
    if X.dtype.kind in "mM":
        raise TypeError(f"X must hold numbers; got dtype {X.dtype}.")
    return X.astype(np.float64) if X.dtype.kind == "O" else X


@contextlib.contextmanager
def must_be_numbers(X, hints=None, is_categorical=None):
    """Context whose errors about entries that are no numbers name a column and a remedy.

    Parameters
    ----------
    X : array-like, sparse matrix or dataframe
    hints : dict of str to str or None
        What else the user can do about strings (key ``"s"``), dates (``"M"``), time spans
        (``"m"``), complex numbers (``"c"``) and other objects (``"O"``).
    is_categorical : ndarray of bool of shape (n_features,) or None
        Columns that may hold anything.
    """
    try:
        if _has_dates_of_polars(X, is_categorical):
            raise TypeError("X must hold numbers; got dates.")
        yield
    except (TypeError, ValueError) as error:
        is_about_numbers = any(sign in f"{type(error).__name__}: {error}" for sign in _SIGNS)
        found = _first_misfit(X, is_categorical) if is_about_numbers else None
        if found is None:
            raise
        kind, what = found
        # the messages about other kinds are long, or say the same
        reason = f": {str(error).splitlines()[0]}" if kind in "cO" else ""
        remedies = " ".join([_REMEDIES[kind], *filter(None, [(hints or {}).get(kind)])])
        text = f"X must hold numbers; got {what}{reason.rstrip('.')}. {remedies}"
        raise (ValueError if isinstance(error, ValueError) else TypeError)(text) from error


def _places(X, is_categorical):
    """Places of the columns that must be numbers; none where columns cannot be taken by place."""
    has_columns = hasattr(X, "dtype") or hasattr(X, "dtypes")
    if sp.issparse(X) or not has_columns or len(X.shape) != 2:
        return []
    everything = np.arange(X.shape[1])
    return (everything if is_categorical is None else everything[~is_categorical]).tolist()


def _has_dates_of_polars(X, is_categorical):
    """Whether there are dates or time spans that NumPy would turn into numbers silently."""
    dtypes = getattr(X, "dtypes", None)
    return isinstance(dtypes, list) and any(
        dtypes[place].is_temporal() for place in _places(X, is_categorical)
    )


def _first_misfit(X, is_categorical):
    """Kind of what is no number in the first such column, and its description; None for none."""
    X = X if hasattr(X, "shape") else np.asarray(X, dtype=object)
    for place in _places(X, is_categorical):
        column, name = column_of(X, place), getattr(X, "columns", range(X.shape[1]))[place]
        kind, what = _misfit(np.asarray(column))
        if kind:
            return kind, f"{what} in column {name!r} of dtype {column.dtype}"
    return None


def _misfit(values):
    """Kind of what is no number in a column, and its description; twice None for numbers."""
    kind = values.dtype.kind
    if values.ndim > 1:
        return "O", "entries of several values"
    if kind in _KINDS:
        return kind, _KINDS[kind]
    for value in values.tolist() if kind in "OSTU" else ():
        if isinstance(value, str | bytes):
            return "s", f"the string {reprlib.repr(value)}"
        if isinstance(value, datetime.date | datetime.time | datetime.timedelta):
            kind = "M" if isinstance(value, datetime.date) else "m"
            return kind, _KINDS[kind]
        if not isinstance(value, numbers.Real | Decimal | np.bool_) and not is_missing(value):
            return "O", f"{reprlib.repr(value)} of type {type(value).__name__}"
    return None, None
