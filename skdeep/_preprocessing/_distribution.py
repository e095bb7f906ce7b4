"""Bounds, quantiles and bins of columns."""

import numpy as np

from skdeep.utils._slabs import dense, slabs

# Quantiles are learned from at most this many rows, and from at most this many bytes.
_SAMPLE_ROWS = 10_000
_SAMPLE_BYTES = 2**26


def column_bounds(X, sample_weight=None):
    """Minimum and maximum of each column over rows of positive weight; float64, twice (n,)."""
    low, high = np.full(X.shape[1], np.inf), np.full(X.shape[1], -np.inf)
    for rows in slabs(X):
        part = dense(X, rows).astype(np.float64, copy=False)
        if sample_weight is not None:
            part = part[sample_weight[rows] > 0]
        if len(part):
            low, high = np.minimum(low, part.min(axis=0)), np.maximum(high, part.max(axis=0))
    return low, high


def sample_rows(X, sample_weight, rng, most=_SAMPLE_ROWS):
    """Choose rows of positive weight, a random subset if X is large; ascending indices."""
    kept = np.arange(X.shape[0]) if sample_weight is None else np.flatnonzero(sample_weight)
    limit = max(1, min(most, _SAMPLE_BYTES // (8 * max(1, X.shape[1]))))
    if len(kept) <= limit:
        return kept
    return np.sort(rng.choice(kept, limit, replace=False))


def sample_columns(X, sample_weight, rng, read=dense):
    """Columns of rows that ``sample_rows`` chooses, and the weights of these rows or None.

    Parameters
    ----------
    X : ndarray or CSR matrix of shape (n_samples, n_features)
    sample_weight : ndarray of shape (n_samples,) or None
    rng : numpy.random.Generator
    read : callable
        ``read(X, rows)`` returns these rows as a dense array.
    """
    rows = sample_rows(X, sample_weight, rng)
    return read(X, rows).T, None if sample_weight is None else sample_weight[rows]


def distinct_values(column, weight):
    """Distinct values, ascending, and the total weight of each."""
    values, inverse = np.unique(column, return_inverse=True)
    return values, np.bincount(inverse, weights=weight)


def quantile_levels(column, weight):
    """Distinct values, ascending, and their quantile levels: the middles of their steps."""
    values, mass = distinct_values(column.astype(np.float64), weight)
    # with weights of very different size the last levels may be rounded to one
    smallest = np.finfo(np.float64).eps
    return values, _middles(mass).clip(smallest, 1 - smallest)


def _middles(mass):
    """Quantile levels in the middles of the steps of a cumulative distribution."""
    reached = np.cumsum(mass)
    return (reached - mass / 2) / reached[-1]


def _limit(mass, n_bins):
    """Limit masses such that none is more than one of ``n_bins`` equal parts of their sum."""
    ascending = np.sort(mass)
    total = np.cumsum(ascending)  # of each mass and smaller ones, which the largest do not round
    n_limited = 0
    while n_limited < n_bins - 1 and ascending[-1 - n_limited] > _part(total, n_limited, n_bins):
        n_limited += 1
    return np.minimum(mass, _part(total, n_limited, n_bins))


def _part(total, n_limited, n_bins):
    """Equal part of what is left for each bin, if some bins are for the largest masses."""
    return total[-1 - n_limited] / (n_bins - n_limited)


def bin_edges(column, weight, n_bins):
    """Edges of at least two bins, ascending.

    If there are few distinct values, they are the edges. Otherwise the bins have about equal
    weight, where a frequent value, such as zero, counts as much as one bin, so that the others are
    left for the remaining values.

    Returns
    -------
    edges : tuple of float, length 3 to n_bins + 1
        Distinct float32 values.
    """
    values, mass = distinct_values(column.astype(np.float64), weight)
    edges = values[mass > 0]
    if len(edges) > n_bins + 1:
        levels = _middles(_limit(mass, n_bins))
        edges = np.interp(np.linspace(0, 1, n_bins + 1), levels, values)
    edges = np.unique(edges.astype(np.float32))
    # the reciprocals of narrower bins are infinite in float32
    edges = edges[np.diff(edges, prepend=-np.inf) >= np.finfo(np.float32).tiny]
    if len(edges) < 3:  # wide enough to be distinct in float32
        reach = max((edges[-1] - edges[0]) / 2, 0.5, 4 * float(np.spacing(np.abs(edges).max())))
        edges = edges.mean() + np.float32(reach) * np.array([-1, 0, 1], dtype=np.float32)
    return tuple(edges.tolist())
