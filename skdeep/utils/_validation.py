"""Validation that scikit-learn does not provide."""

import contextlib
import datetime
import math
import numbers
import reprlib
import sys
from decimal import Decimal
from numbers import Integral

import numpy as np
import scipy.sparse as sp
from sklearn.utils import get_tags
from sklearn.utils.validation import validate_data

from skdeep.utils._sklearn import check_sample_weight, safe_indexing

_SMALLEST_SIDE = 8
# Kinds of dtypes of numbers, and number of entries up to which a quick look is worthwhile.
_PLAIN_KINDS = "fiu"
_FEW_ENTRIES = 2**14
# String forms of the missing values of NumPy, pandas and polars, to avoid imports of their types.
_MISSING = ("nan", "NaT", "<NA>")
#: Advice about strings in samples that may have categorical features; for ``must_be_numbers``.
CATEGORY_HINTS = {
    "s": (
        "Dataframe columns that contain only strings are categories under "
        'categorical_features="from_dtype". For an array, pass the indices of the categorical '
        "features as categorical_features."
    )
}
# Phrases in the errors of NumPy and scikit-learn about non-numeric entries.
_SIGNS = (
    "could not convert",
    "DTypePromotion",
    "Cannot cast",
    "argument must be",
    "Complex data",
    "must be numeric",
    "of bytes/strings",
    "setting an array element",
    "truth value of an array",
)
_KINDS = {"M": "dates", "m": "times", "c": "complex numbers"}
_REMEDIES = {
    "M": "Convert it to numbers, such as days since a date, or drop it.",
    "m": "Convert it to numbers, such as seconds, or drop it.",
    "c": "Split it into two columns, real and imaginary parts, or drop it.",
    "s": "Encode it, for example with sklearn.preprocessing.OneHotEncoder, or drop it.",
    "O": "Convert it to numbers, or drop it.",
}


def in_memory(data):
    """Compute lazy data of dask and polars, and replace masked entries by NaN or None."""
    if hasattr(data, "__dask_graph__"):
        return data.compute()
    if type(data).__name__ == "LazyFrame":
        return data.collect()
    if isinstance(data, np.ma.MaskedArray) and data.dtype.kind in "biufOSU":
        if not np.any(data.mask):
            return data.data
        is_number = data.dtype.kind in "biuf"
        filled = data.data.astype(np.float64 if is_number else object)
        filled[np.ma.getmaskarray(data)] = np.nan if is_number else None
        return filled
    return data


def check_image_shape(image_shape):
    """Convert ``(height, width)`` or ``(channels, height, width)`` to the latter.

    Raises
    ------
    ValueError
        If there are not two or three positive integers, or a side is below 8 pixels.
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
            f"image_shape must have at least one channel and sides of at least {_SMALLEST_SIDE} "
            f"pixels; got {image_shape!r}. Use image_shape=None for smaller images."
        )
    return tuple(int(side) for side in shape)


def check_layer_sizes(hidden_layer_sizes, *, auto):
    """Convert an integer, a sequence of integers or ``"auto"`` to a tuple of layer widths.

    Raises
    ------
    ValueError
        If one of them is not a positive integer.
    """
    if isinstance(hidden_layer_sizes, str):
        return auto
    is_single = np.ndim(hidden_layer_sizes) == 0
    sizes = (hidden_layer_sizes,) if is_single else tuple(hidden_layer_sizes)
    if not all(isinstance(size, int | np.integer) and size > 0 for size in sizes):
        raise ValueError(
            f"hidden_layer_sizes must contain positive integers; got {hidden_layer_sizes!r}."
        )
    return tuple(int(size) for size in sizes)


def check_n_samples(n_samples, name="n_samples"):
    """Raise ``ValueError`` unless a number of samples to draw is a positive integer."""
    if isinstance(n_samples, bool) or not isinstance(n_samples, Integral) or n_samples < 1:
        raise ValueError(f"{name} must be a positive integer; got {n_samples!r}.")


def check_rows(
    estimator,
    X,
    *,
    reset,
    image_shape=None,
    allow_nan=False,
    accept_sparse="csr",
    hints=None,
):
    """Validate samples without copying or converting them, if possible.

    Parameters
    ----------
    estimator : BaseEstimator
        With ``reset=True``, ``n_features_in_`` and ``feature_names_in_`` are set; otherwise the
        samples must agree with them.
    X : array-like or sparse matrix of shape (n_samples, n_features)
        With ``image_shape`` also an array of shape (n_samples, [channels,] height, width).
    reset : bool
    image_shape : (int, int, int) or None
    allow_nan : bool
    accept_sparse : "csr" or False
    hints : dict of str to str or None
        Additional advice about non-numeric entries, see ``must_be_numbers``.

    Returns
    -------
    X : ndarray or CSR matrix of shape (n_samples, n_features), of any real dtype
    """
    if not reset and (rows := _plain_rows(estimator, X)) is not None:
        return rows
    image_shape = check_image_shape(image_shape)
    if image_shape is not None:
        X = _as_rows(X, image_shape)
    with must_be_numbers(X, hints):
        X = validate_data(
            estimator,
            X,
            accept_sparse=accept_sparse,
            dtype="numeric",
            ensure_all_finite="allow-nan" if allow_nan else True,
            reset=reset,
        )
        X = as_numbers(X)
    if image_shape is not None and math.prod(image_shape) != X.shape[1]:
        raise ValueError(
            f"image_shape must have as many pixels as X has features; got {image_shape=} with "
            f"{math.prod(image_shape)} pixels and X with {X.shape[1]} features."
        )
    return X


def _plain_rows(estimator, X):
    """Return few rows that are evidently valid for a fitted estimator, None for all others.

    scikit-learn's validation takes longer than a forward pass of one row. What it would warn of,
    convert or refuse is left to it.
    """
    names = getattr(estimator, "feature_names_in_", None)
    if names is not None:
        if not _has_plain_columns(X, names):
            return None
        X = X.to_numpy()
    if type(X) is not np.ndarray or X.ndim != 2 or X.dtype.kind not in _PLAIN_KINDS:
        return None
    is_small = 0 < X.size <= _FEW_ENTRIES and X.shape[1] == vars(estimator).get("n_features_in_")
    return X if is_small and np.isfinite(X).all() else None


def _has_plain_columns(X, names):
    """Whether X is a dataframe of pandas with columns of these names and of NumPy's numbers."""
    pandas = sys.modules.get("pandas")  # imported by whoever has made one of its dataframes
    if pandas is None or type(X) is not pandas.DataFrame or X.columns.tolist() != names.tolist():
        return False
    return all(isinstance(one, np.dtype) and one.kind in _PLAIN_KINDS for one in X.dtypes.tolist())


def _as_rows(X, image_shape):
    """Flatten images to rows of pixels; rows are returned unchanged."""
    X = X if hasattr(X, "shape") else np.asarray(X)
    if len(X.shape) < 3:
        return X
    if X.shape[1:] not in (image_shape, image_shape[1:]):
        raise ValueError(
            f"X must contain images of shape {image_shape}, or flattened images of "
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
            f"{largest:g}. Scale X to that range or choose another {reason.split('=')[0]}."
        )


def check_weights(sample_weight, X):
    """Validate weights, one per sample and not all zero, as float64; None stays None."""
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
    """Raise ``ValueError`` if ``y`` is None but required by the estimator."""
    if y is None and get_tags(estimator).target_tags.required:
        raise ValueError(
            f"{type(estimator).__name__} requires y to be passed, but the target y is None."
        )


def output_dtype(X):
    """Return the dtype of results: float32 for float32 samples, else float64."""
    return np.float32 if X.dtype == np.float32 else np.float64


def is_missing(value):
    """Whether a value is missing: None, NaN, NaT or NA of any library."""
    return value is None or (not isinstance(value, str) and str(value) in _MISSING)


def as_numbers(X):
    """Convert samples that scikit-learn accepts as numeric to a numeric dtype.

    Raises
    ------
    TypeError
        If they contain dates or time spans.
    ValueError
        If they contain strings, as dataframes with mixed columns can.
    """
    if X.dtype.kind in "mM":
        raise TypeError(f"X must be numeric; got dtype {X.dtype}.")
    return X.astype(np.float64) if X.dtype.kind == "O" else X


@contextlib.contextmanager
def must_be_numbers(X, hints=None, is_categorical=None):
    """Context manager that adds the column and a remedy to errors about non-numeric entries.

    Parameters
    ----------
    X : array-like, sparse matrix or dataframe
    hints : dict of str to str or None
        Additional advice about strings (key ``"s"``), dates (``"M"``), time spans (``"m"``),
        complex numbers (``"c"``) and other objects (``"O"``).
    is_categorical : ndarray of bool of shape (n_features,) or None
        Columns that may contain values of any type.
    """
    try:
        if _has_dates_of_polars(X, is_categorical):
            raise TypeError("X must be numeric; got dates.")
        yield
    except (TypeError, ValueError) as error:
        is_about_numbers = any(sign in f"{type(error).__name__}: {error}" for sign in _SIGNS)
        found = _first_misfit(X, is_categorical) if is_about_numbers else None
        if found is None:
            raise
        kind, what = found
        # the messages about other kinds are long or redundant
        reason = f": {str(error).splitlines()[0]}" if kind in "cO" else ""
        remedies = " ".join([_REMEDIES[kind], *filter(None, [(hints or {}).get(kind)])])
        text = f"X must be numeric; got {what}{reason.rstrip('.')}. {remedies}"
        raise (ValueError if isinstance(error, ValueError) else TypeError)(text) from error


def _places(X, is_categorical):
    """Return the positions of numeric columns; none if columns have no positions."""
    has_columns = hasattr(X, "dtype") or hasattr(X, "dtypes")
    if sp.issparse(X) or not has_columns or len(X.shape) != 2:
        return []
    everything = np.arange(X.shape[1])
    return (everything if is_categorical is None else everything[~is_categorical]).tolist()


def _has_dates_of_polars(X, is_categorical):
    """Whether there are dates or time spans that NumPy would silently convert to numbers."""
    dtypes = getattr(X, "dtypes", None)
    return isinstance(dtypes, list) and any(
        dtypes[place].is_temporal() for place in _places(X, is_categorical)
    )


def _first_misfit(X, is_categorical):
    """Return kind and description of the first non-numeric entry, None if there is none."""
    X = X if hasattr(X, "shape") else np.asarray(X, dtype=object)
    for place in _places(X, is_categorical):
        column = safe_indexing(X, place, axis=1)
        name = getattr(X, "columns", range(X.shape[1]))[place]
        kind, what = _misfit(np.asarray(column))
        if kind:
            return kind, f"{what} in column {name!r} of dtype {column.dtype}"
    return None


def _misfit(values):
    """Return kind and description of the first non-numeric value, (None, None) if none is."""
    kind = values.dtype.kind
    if values.ndim > 1:
        return "O", "entries with several values"
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
