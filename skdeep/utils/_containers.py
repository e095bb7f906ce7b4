"""Data and columns of any library: NumPy, dask, pandas, polars."""

import numpy as np

__all__ = ["column_of", "in_memory"]


def in_memory(data):
    """Compute what dask and polars have not computed yet, and make masked numbers missing ones."""
    if hasattr(data, "__dask_graph__"):
        return data.compute()
    if type(data).__name__ == "LazyFrame":
        return data.collect()
    if isinstance(data, np.ma.MaskedArray) and data.dtype.kind in "biuf":
        return np.ma.filled(data.astype(np.float64), np.nan) if np.any(data.mask) else data.data
    return data


def column_of(X, place):
    """Take the column at that place."""
    return (X.iloc if hasattr(X, "iloc") else X)[:, place]
