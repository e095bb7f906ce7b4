"""Large tables in parts: consecutive rows, dense ones of sparse matrices."""

import scipy.sparse as sp

__all__ = ["dense", "slabs"]

# Rows that are converted or summed up at once.
_SLAB_BYTES = 2**24


def slabs(X):
    """Consecutive slices of rows, each some megabytes as dense float64."""
    step = max(1, _SLAB_BYTES // (8 * max(1, X.shape[1])))
    return [slice(start, start + step) for start in range(0, X.shape[0], step)]


def dense(X, rows):
    """Those rows as a dense array, a view where that is possible."""
    return X[rows].toarray() if sp.issparse(X) else X[rows]
