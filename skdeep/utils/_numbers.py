"""What to say of columns that should hold numbers and do not."""

import contextlib
import datetime
import numbers
import reprlib
from decimal import Decimal

import numpy as np
import scipy.sparse as sp

__all__ = ["as_numbers", "column_of", "is_missing", "must_be_numbers"]

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
