"""Rows without duplicates."""

import numpy as np


def distinct_rows(rows, weight=None):
    """Find distinct rows of nonzero weight; they depend on neither order nor repetitions.

    Parameters
    ----------
    rows : ndarray of shape (n, width)
    weight : ndarray of shape (n,) or None

    Returns
    -------
    rows : ndarray of shape (n_distinct, width)
        In ascending order.
    weight : ndarray of shape (n_distinct,)
        Total weight of each.
    """
    rows, inverse = np.unique(rows, axis=0, return_inverse=True)
    weight = np.bincount(inverse.ravel(), weight, minlength=len(rows)).astype(np.float64)
    return rows[weight > 0], weight[weight > 0]
