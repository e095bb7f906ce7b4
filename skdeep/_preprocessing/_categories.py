"""Columns of categories as columns of codes."""

from typing import Any

import numpy as np
from sklearn.utils import check_array

from skdeep.utils._sklearn import check_categorical_features, safe_indexing
from skdeep.utils._validation import as_numbers, is_missing

# A column with more distinct strings than this, and nearly as many as it has entries, contains
# names or free text.
_FEW_STRINGS = 20
_MOST_DIFFERENT = 0.9


class CategoryCodec:
    """Encodes tables of numbers and categories as float64, with a code for each category.

    Parameters
    ----------
    is_categorical : ndarray of bool of shape (n_features,)
    categories : list of list
        Categories of each categorical column; their codes start at one.
    """

    def __init__(self, is_categorical, categories):
        self.is_categorical = is_categorical
        self.categories = categories

    @classmethod
    def fit(cls, X, categorical_features="from_dtype"):
        """Find the categorical columns and their categories; None if there are no such columns.

        Parameters
        ----------
        X : ndarray, sparse matrix or dataframe of shape (n_samples, n_features)
        categorical_features : "from_dtype", None, or array-like of str, int or bool
            ``"from_dtype"``: the columns of a dataframe that have a categorical dtype or contain
            only strings.

        Raises
        ------
        ValueError
            If nearly all entries of a column of strings are distinct.
        """
        is_categorical = _categorical_columns(X, categorical_features)
        if is_categorical is None:
            return None
        return cls(is_categorical, find_categories(X, is_categorical))

    def encode(self, X, *, allow_nan):
        """Encode a table; the codes of categories start at one.

        Parameters
        ----------
        X : dataframe or ndarray of shape (n_samples, n_features)
        allow_nan : bool
            Whether numbers may be missing; categories always may.

        Returns
        -------
        table : ndarray of shape (n_samples, n_features), float64
            Code 0 for missing categories and for those that were not in training.

        Raises
        ------
        ValueError
            If there are no samples, or if a column contains only numbers where all categories are
            strings, or only strings where all are numbers.
        """
        if not X.shape[0]:
            raise ValueError(
                f"X must have a row at least; found array with 0 sample(s), shape={tuple(X.shape)}."
            )
        numeric = np.flatnonzero(~self.is_categorical)
        table = np.empty((X.shape[0], len(self.is_categorical)))
        if len(numeric):
            numbers_of_X = safe_indexing(X, numeric, axis=1)
            numbers_of_X = check_array(
                _with_dense_columns(numbers_of_X),
                dtype="numeric",
                ensure_all_finite="allow-nan" if allow_nan else True,
                input_name="X",
            )
            table[:, numeric] = as_numbers(numbers_of_X)
        for column, known in zip(np.flatnonzero(self.is_categorical), self.categories, strict=True):
            keys = category_keys(X, column)
            _check_kind(keys, known, X.columns[column] if hasattr(X, "columns") else int(column))
            codes = {category: code for code, category in enumerate(known, start=1)}
            table[:, column] = [codes.get(key, 0) for key in keys]
        return table

    def state(self):
        """Plain values from which ``CategoryCodec(**state)`` rebuilds the codec."""
        return dict(vars(self))


def find_categories(X, is_categorical):
    """List the categories of each categorical column, in a fixed order.

    Parameters
    ----------
    X : dataframe or ndarray of shape (n_samples, n_features)
    is_categorical : ndarray of bool of shape (n_features,)

    Returns
    -------
    categories : list of list
        Strings, numbers and booleans; other categories, such as intervals, as their text.
    """
    return [
        sorted(set(category_keys(X, column)) - {None}, key=_sort_key)
        for column in np.flatnonzero(is_categorical)
    ]


def _categorical_columns(X, categorical_features):
    """Mask of the categorical columns, None if there are none."""
    mask = check_categorical_features(X, categorical_features)
    is_frame = hasattr(X, "dtypes") and len(X.shape) == 2
    if isinstance(categorical_features, str) and is_frame:
        mask = np.zeros(X.shape[1], dtype=bool) if mask is None else mask
        places = np.flatnonzero(~mask).tolist()
        mask[places] = [_holds_categories(X, place) for place in places]
    return mask if mask is not None and mask.any() else None


def _holds_categories(X, place):
    """Whether a column of a dataframe contains strings and otherwise only missing values."""
    column = safe_indexing(X, place, axis=1)
    values = np.asarray(column)
    if values.dtype.kind not in "OTU":
        return False
    strings = [value for value in values.tolist() if not is_missing(value)]
    if not strings:  # the dtype decides, of pandas or polars
        return getattr(column.dtype, "type", None) is str or str(column.dtype) == "String"
    if not all(isinstance(value, str) for value in strings):
        return False
    n_different = len(set(strings))
    if n_different > max(_FEW_STRINGS, _MOST_DIFFERENT * len(strings)):
        raise ValueError(
            "A column of strings must contain categories that samples share; got "
            f"{n_different} different strings in {len(strings)} rows of column "
            f"{X.columns[place]!r}. Drop the column, encode it, by TfidfVectorizer for example, or "
            "name it in categorical_features."
        )
    return True


def _with_dense_columns(X):
    """Make sparse columns of a dataframe of pandas dense."""
    dtypes: Any = getattr(X, "dtypes", None)
    if not hasattr(dtypes, "items"):
        return X
    sparse = {name: one.subtype for name, one in dtypes.items() if str(one).startswith("Sparse")}
    return X.astype(sparse) if sparse else X


def _check_kind(keys, known, name):
    """Raise ``ValueError`` where no entry of a column can be a known category, by its type."""
    found = [key for key in keys if key is not None]
    kinds, known_kinds = ({isinstance(value, str) for value in values} for values in (found, known))
    if kinds and known_kinds and kinds.isdisjoint(known_kinds):
        wanted, other = ("strings", "numbers") if True in known_kinds else ("numbers", "strings")
        raise ValueError(
            f"Categories in column {name!r} must be {wanted}, as in training; got only {other}, "
            f"{found[0]!r} for example. Convert the column, by astype for example."
        )


def category_keys(X, column):
    """List the entries of a column as strings, numbers and booleans; None for missing ones."""
    return [category_key(value) for value in _column_values(X, column)]


def _column_values(X, column):
    """List the entries of a column of an array or a dataframe."""
    entries = safe_indexing(X, column, axis=1)
    # an array of a column of polars with gaps would turn its integers into floats
    return entries.tolist() if hasattr(entries, "tolist") else entries.to_list()


def check_categories(X, is_categorical):
    """Raise ``ValueError`` for categories that are known by their text only, such as dates.

    A categorical dtype can declare any category.
    """
    for column in np.flatnonzero(is_categorical).tolist():
        if hasattr(getattr(safe_indexing(X, column, axis=1), "dtype", None), "categories"):
            continue
        for value in _column_values(X, column):
            if isinstance(category_key(value), str) and not isinstance(value, str):
                name = X.columns[column] if hasattr(X, "columns") else column
                raise ValueError(
                    "Categories must be strings, numbers or booleans, or have a categorical dtype; "
                    f"got {value!r} in column {name!r}. Convert the column to strings."
                )


def category_key(value):
    """Return a category as a string, number or boolean; None if it is missing."""
    if isinstance(value, str):
        return str.__str__(value)
    if is_missing(value):
        return None
    if isinstance(value, np.generic):
        value = value.item()
    return value if isinstance(value, int | float) else str(value)


def _sort_key(value):
    """Order for categories of several types: numbers before strings."""
    return isinstance(value, str), value
