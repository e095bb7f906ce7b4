"""Tables of mixed columns as numbers, on a common scale for several tables."""

import numpy as np

from skdeep._preprocessing._categories import CategoryCodec, find_categories
from skdeep.utils._sklearn import check_categorical_features, safe_indexing

_DAY = 86_400e6  # microseconds


def check_columns(tables):
    """Names of the columns, indices for arrays; they must be the same in all tables."""
    names = {}
    for name, X in tables.items():
        shape = getattr(X, "shape", ())
        if len(shape) != 2 or 0 in shape:
            raise ValueError(f"{name} must be a non-empty table with two dimensions; got {shape=}.")
        names[name] = list(getattr(X, "columns", range(shape[1])))
        if names[name] != names["X"] or len(set(names["X"])) < len(names["X"]):
            raise ValueError(
                f"{name} must have unique column names, the same as X in the same order; got "
                f"{names[name]} and in X {names['X']}. Select them by {name}[X.columns]."
            )
    return names["X"]


def encode_tables(tables, target, categorical_features):
    """Encode tables that have passed ``check_columns``.

    Parameters
    ----------
    tables : dict of str to dataframe or ndarray
        Tables by name; the dtypes of that named ``"X"`` apply to all of them.
    target : int or None
        Position of a column that is categorical whatever its dtype.
    categorical_features : "from_dtype", None, or array-like of str, int or bool

    Returns
    -------
    tables : dict of str to ndarray of shape (n_rows, n_columns)
        Numbers, NaN if missing, and codes of categories starting at 1, 0 if missing.
    is_categorical : ndarray of bool of shape (n_columns,)
    categories : list of list
        Categories of each categorical column.
    """
    kinds, is_categorical = _find_kinds(tables["X"], target, categorical_features)
    categories = _list_categories(tables, is_categorical, target)
    tables = {key: _encode(key, X, kinds, is_categorical, categories) for key, X in tables.items()}
    return tables, is_categorical, categories


def _find_kinds(X, target, categorical_features):
    """NumPy's letters for the kinds of the columns, and a mask of the categorical columns."""
    kinds = np.array([_kind(X, column) for column in range(X.shape[1])])
    is_categorical = np.isin(kinds, list("bOSU")) & hasattr(X, "columns")
    found = check_categorical_features(X, categorical_features)
    is_categorical |= False if found is None else found
    if target is not None:
        is_categorical[target] = True
    return kinds, is_categorical


def _kind(X, column):
    # pandas has the letter, also for its extension dtypes; polars does not
    values = safe_indexing(X, column, axis=1)
    return getattr(values.dtype, "kind", None) or np.asarray(values).dtype.kind


def _list_categories(tables, is_categorical, target):
    """Sorted categories of each categorical column, over all tables."""
    found = zip(*(find_categories(X, is_categorical) for X in tables.values()), strict=True)
    categories = [
        sorted(set().union(*lists), key=lambda x: (isinstance(x, str), x)) for lists in found
    ]
    if target is not None:
        labels = categories[np.count_nonzero(is_categorical[:target])]
        if any(isinstance(label, float) and label % 1 for label in labels):
            raise ValueError(
                f"target must be a column of classes; got {len(labels)} numbers. Bin them first."
            )
    return categories


def _encode(name, X, kinds, is_categorical, categories):
    """Array of numbers, NaN if missing, and of codes starting at 1, 0 if missing."""
    table = np.empty(X.shape)
    is_date = ~is_categorical & np.isin(kinds, ["m", "M"])
    try:
        for column in np.flatnonzero(is_date):
            if _kind(X, column) != kinds[column]:
                raise TypeError(f"no dates or time spans in column {column}.")
            dates = np.asarray(safe_indexing(X, column, axis=1), dtype=f"{kinds[column]}8[us]")
            table[:, column] = np.where(np.isnat(dates), np.nan, dates.astype(np.int64) / _DAY)
        if not is_date.all():
            rest = safe_indexing(X, np.flatnonzero(~is_date), axis=1)
            codec = CategoryCodec(is_categorical[~is_date], categories)
            table[:, ~is_date] = codec.encode(rest, allow_nan=True)
    except (TypeError, ValueError) as error:
        raise ValueError(
            f"{name} must hold finite numbers, dates or categories where X does; got "
            f'"{str(error).splitlines()[0]}". Convert its columns to the dtypes that they have in '
            "X, or name categorical columns in categorical_features."
        ) from error
    return table
