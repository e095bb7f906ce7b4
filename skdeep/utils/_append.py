"""Append generated samples to those of the user, keeping container and dtypes."""

import sys

import numpy as np
import scipy.sparse as sp


def append_rows(X, new):
    """Append new rows to the unchanged rows of ``X``.

    Parameters
    ----------
    X : array-like, sparse matrix or dataframe of shape (n_rows, n_features)
        Also images, of shape (n_rows, [channels,] height, width).
    new : ndarray of shape (n_new_rows, n_features), or a dataframe with the columns of ``X``

    Returns
    -------
    rows : of the type of ``X``
        New values in integer and boolean columns are rounded. Dataframes get a new index.
    """
    if sp.issparse(X):
        new = sp.csr_array(_as_dtype(new, X.dtype))
        return type(X)(sp.vstack([sp.csr_array(X), new], format="csr"))
    library = _library(X)
    if library is None and not hasattr(X, "dtype"):
        is_whole = all(isinstance(entry, int | np.integer) for row in X for entry in np.ravel(row))
        new = _as_dtype(new, np.dtype(int)) if is_whole else new
        return [*X, *new.reshape(-1, *np.shape(X[0])).tolist()]
    if library is None:
        rows = np.asarray(X)
        return np.concatenate([rows, _as_dtype(new, rows.dtype).reshape(-1, *rows.shape[1:])])
    if isinstance(new, np.ndarray):
        new = _frame(new, X, library)
    if library.__name__ == "polars":
        return library.concat([X, new])
    return library.concat([X, new], ignore_index=True)


def append_labels(y, labels):
    """Convert labels to the container type of ``y``.

    Parameters
    ----------
    y : array-like, series or dataframe of shape (n_rows,) or (n_rows, n_columns)
    labels : ndarray of shape (n_rows + n_new_rows,) or (n_rows + n_new_rows, n_columns)
    """
    library = _library(y)
    if library is None:
        return labels if hasattr(y, "dtype") else labels.tolist()
    if hasattr(y, "columns"):
        columns = labels.reshape(len(labels), -1)
        return _frame(columns, y, library)
    if library.__name__ == "polars":
        return library.Series(y.name, labels, dtype=y.dtype)
    return library.Series(labels, name=y.name, dtype=y.dtype)


def _library(table):
    """Return the module pandas or polars if the table is one of theirs, else None."""
    name = type(table).__module__.partition(".")[0]
    return sys.modules[name] if name in ("pandas", "polars") else None


def _as_dtype(values, dtype):
    """Convert values to a dtype, rounded for integers and booleans."""
    if dtype.kind in "iu":
        # the float64 nearest to the largest 64-bit integers exceeds them
        limits = np.iinfo(dtype)
        highest = np.nextafter(float(limits.max), 0) if dtype.itemsize == 8 else limits.max
        return np.rint(values).clip(limits.min, highest).astype(dtype)
    return (np.rint(values) if dtype.kind == "b" else values).astype(dtype)


def _frame(new, like, library):
    """Make a dataframe of an array's columns, with the names and dtypes of another."""
    if library.__name__ == "polars":
        return library.DataFrame(list(map(_polars_series, like, new.T)))
    columns = [
        library.Series(np.rint(values) if dtype.kind in "iub" else values).astype(dtype)
        for dtype, values in zip(like.dtypes, new.T, strict=True)
    ]
    frame = library.concat(columns, axis=1)
    frame.columns = like.columns
    return frame


def _polars_series(like, values):
    """Make a series of values, with the name and dtype of another."""
    if like.dtype.is_float() or values.dtype.kind not in "biuf":
        return type(like)(like.name, values, dtype=like.dtype)
    return type(like)(like.name, np.rint(values).astype(np.int64)).cast(like.dtype)
