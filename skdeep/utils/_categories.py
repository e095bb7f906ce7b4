"""Columns of categories as columns of codes."""

import numpy as np
from sklearn.utils import check_array

from skdeep.utils._sklearn import safe_indexing
from skdeep.utils._validation import as_numbers

__all__ = ["encode_table", "find_categories"]

# How the missing values of NumPy, pandas and polars print; their types need not be known for that.
_MISSING = ("nan", "NaT", "<NA>")


def find_categories(X, is_categorical):
    """List the categories of each categorical column, in a fixed order.

    Parameters
    ----------
    X : dataframe or ndarray of shape (n_samples, n_features)
    is_categorical : ndarray of bool of shape (n_features,)

    Returns
    -------
    categories : list of list
        Strings, numbers and booleans; other categories (intervals, say) by their text.
    """
    return [
        sorted(set(_keys(X, column)) - {None}, key=_sort_key)
        for column in np.flatnonzero(is_categorical)
    ]


def encode_table(X, is_categorical, categories, *, allow_nan):
    """Table of numbers with a code from one on for each category.

    Parameters
    ----------
    X : dataframe or ndarray of shape (n_samples, n_features)
    is_categorical : ndarray of bool of shape (n_features,)
    categories : list of list
    allow_nan : bool
        Whether numbers may be missing; categories always may.

    Returns
    -------
    table : ndarray of shape (n_samples, n_features), float64
        Code 0 for missing categories and for those that are not listed.
    """
    if not X.shape[0]:
        raise ValueError(
            f"X must have a row at least; found array with 0 sample(s), shape={tuple(X.shape)}."
        )
    numeric = np.flatnonzero(~is_categorical)
    table = np.empty((X.shape[0], len(is_categorical)))
    if len(numeric):
        numbers_of_X = check_array(
            safe_indexing(X, numeric, axis=1),
            dtype="numeric",
            ensure_all_finite="allow-nan" if allow_nan else True,
            input_name="X",
        )
        table[:, numeric] = as_numbers(numbers_of_X)
    for column, known in zip(np.flatnonzero(is_categorical), categories, strict=True):
        codes = {category: code for code, category in enumerate(known, start=1)}
        table[:, column] = [codes.get(key, 0) for key in _keys(X, column)]
    return table


def _keys(X, column):
    """Entries of a column as strings, numbers and booleans; None for missing ones."""
    values = np.asarray(safe_indexing(X, column, axis=1), dtype=object).tolist()
    return [_key(value) for value in values]


def _key(value):
    if isinstance(value, str):
        return str(value)
    if value is None or str(value) in _MISSING:
        return None
    if isinstance(value, np.generic):
        value = value.item()
    return value if isinstance(value, int | float) else str(value)


def _sort_key(value):
    """Order for categories of several types: numbers before strings."""
    return isinstance(value, str), value
