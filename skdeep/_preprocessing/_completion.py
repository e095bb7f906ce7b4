"""Tables whose missing entries are filled in, in the container and with the dtypes of the user."""

import importlib

import numpy as np

from skdeep._preprocessing._categories import category_key, category_keys
from skdeep.utils._sklearn import safe_indexing
from skdeep.utils._validation import output_dtype


def fill_entries(X, missing, values, columns):
    """Return a table with new values in place of missing ones; everything else stays as it is.

    Parameters
    ----------
    X : ndarray or dataframe of shape (n_rows, n_features)
    missing : ndarray of bool of shape (n_rows, n_features)
    values : list of ndarray
        New values of the missing entries of each of ``columns``, in order.
    columns : ndarray of int
        Columns of ``X`` to return.

    Returns
    -------
    table : of the type of ``X``
        Columns of integers become float64 if numbers are filled in, and sparse columns dense.
    """
    if not hasattr(X, "columns"):
        return _fill_array(X, missing, values, columns)
    fill = _fill_polars if hasattr(X, "get_column") else _fill_pandas
    table = safe_indexing(X, columns.tolist(), axis=1)
    filled = [
        fill(safe_indexing(X, column, axis=1), missing[:, column], new)
        for column, new in zip(columns.tolist(), values, strict=True)
    ]
    if fill is _fill_polars:
        return table.with_columns(filled)
    table = table.copy()
    for place, series in enumerate(filled):
        table.isetitem(place, series)
    return table


def _fill_array(X, missing, values, columns):
    table = X[:, columns].astype(output_dtype(X) if X.dtype.kind in "biuf" else object)
    for place, (column, new) in enumerate(zip(columns, values, strict=True)):
        table[missing[:, column], place] = new
    return table


def _fill_pandas(series, missing, new):
    if not len(new):
        return series
    if hasattr(series, "sparse"):
        series = series.sparse.to_dense()
    dtype = getattr(series.dtype, "numpy_dtype", series.dtype)
    if hasattr(dtype, "categories"):
        series, new = _as_declared(series, new)
    elif new.dtype.kind == "O":
        series, new = _as_stored(series, missing, new, dtype)
    elif getattr(dtype, "kind", "O") == "f":
        series, new = series.copy(), new.astype(dtype)
    else:
        series = series.astype(object).mask(missing).astype(np.float64)
    series.iloc[np.flatnonzero(missing)] = new
    return series


def _as_stored(series, missing, new, dtype):
    """Bring categories, and a copy of their column, to a dtype that holds both."""
    kind = getattr(dtype, "kind", "O")
    if kind not in "biuf":
        is_text = getattr(dtype, "type", None) is str
        is_held = not is_text or all(isinstance(one, str) for one in new)
        return series.copy() if is_held else series.astype(object), new
    numbers = np.asarray(new.tolist())
    if numbers.dtype.kind not in "biuf":
        return series.astype(object), new
    with np.errstate(invalid="ignore", over="ignore"):
        stored = numbers.astype(dtype)
    is_rounded = kind == numbers.dtype.kind == "f" and np.isfinite(stored).all()
    if is_rounded or np.array_equal(stored, numbers):
        return series.copy(), stored
    # categories of the training samples may exceed the dtype of new ones
    common = np.result_type(dtype, numbers.dtype)
    return series.astype(object).mask(missing, 0).astype(common), numbers


def _as_declared(series, new):
    """Bring categories to the form in which the dtype of a column declares them."""
    declared = {category_key(one): one for one in series.dtype.categories}
    unknown = sorted(set(new.tolist()) - declared.keys(), key=str)
    series = series.cat.add_categories(unknown) if unknown else series.copy()
    originals = np.empty(len(new), dtype=object)
    originals[:] = [declared.get(one, one) for one in new.tolist()]
    return series, originals


def _fill_polars(series, missing, new):
    if not len(new):
        return series
    entries = np.array([*series.to_list(), None], dtype=object)[:-1]
    entries[missing] = new
    dtype = series.dtype
    if new.dtype.kind == "f":
        entries, dtype = entries.astype(np.float64), dtype if dtype.is_float() else None
    filled = type(series)(series.name, entries.tolist(), dtype=dtype, strict=False)
    is_float = dtype is not None and dtype.is_float() and not filled.is_infinite().any()
    is_rounded = is_float and all(isinstance(one, float) for one in new.tolist())
    if not is_rounded and filled.to_list() != entries.tolist():
        return type(series)(series.name, entries.tolist(), strict=False)
    return filled


def append_columns(X, columns, names):
    """Append columns of booleans to a table; as numbers, if it is an array of them.

    Parameters
    ----------
    X : ndarray or dataframe of shape (n_rows, n_features)
    columns : ndarray of bool of shape (n_rows, n_columns)
    names : list of str
        Names of all columns of the result. Dataframes get them, as scikit-learn refuses those that
        have strings and numbers as column names.
    """
    if not hasattr(X, "columns"):
        return np.hstack([X, columns.astype(X.dtype)])
    own, new = names[: X.shape[1]], names[X.shape[1] :]
    if hasattr(X, "get_column"):
        return X.with_columns(**dict(zip(new, columns.T, strict=True)))
    return X.set_axis(own, axis=1).assign(**dict(zip(new, columns.T, strict=True)))


def to_container(X, container):
    """Convert a dataframe to one of another library; anything else is returned as it is.

    Parameters
    ----------
    X : ndarray or dataframe of shape (n_rows, n_features)
    container : {"default", "pandas", "polars"}
        scikit-learn itself makes dataframes of arrays.
    """
    is_own = container == "default" or type(X).__module__.startswith(container)
    if is_own or not hasattr(X, "columns"):
        return X
    columns = {str(name): _entries(X, place) for place, name in enumerate(X.columns)}
    # categories of several types become strings in polars
    options = {"strict": False} if container == "polars" else {}
    return importlib.import_module(container).DataFrame(columns, **options)


def _entries(X, column):
    """Entries of a column as an array of numbers or booleans, else as a list."""
    entries = np.asarray(safe_indexing(X, column, axis=1))
    return entries if entries.dtype.kind in "biuf" else category_keys(X, column)
