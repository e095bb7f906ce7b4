"""Large tables in chunks of consecutive rows."""

import numpy as np
import scipy.sparse as sp

# Size of the rows that are converted or summed at once.
_SLAB_BYTES = 2**24


def slabs(X):
    """Return consecutive slices of rows, each a few megabytes as dense float64."""
    step = max(1, _SLAB_BYTES // (8 * max(1, X.shape[1])))
    return [slice(start, start + step) for start in range(0, X.shape[0], step)]


def dense(X, rows):
    """Return rows as a dense array, as a view if possible."""
    return X[rows].toarray() if sp.issparse(X) else X[rows]


def largest_magnitude(X):
    """Return the largest absolute value that is not NaN; large tables are not copied."""
    return max(np.nanmax(abs(dense(X, rows))) for rows in slabs(X))
