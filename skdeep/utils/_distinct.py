"""Rows without duplicates, and numbers for duplicates."""

import hashlib

import numpy as np

from skdeep.utils._slabs import dense, slabs


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


def number_equal(X, codes):
    """Return a number for each labelled sample, in order: the same for equal ones of one class.

    Parameters
    ----------
    X : ndarray or CSR matrix of shape (n_samples, n_features)
    codes : ndarray of shape (n_samples,)
        Class of each sample, -1 if it has no label.

    Returns
    -------
    numbers : list of int, length n_labelled
    """
    found: dict[tuple[int, bytes], int] = {}
    numbers = []
    for rows in slabs(X):
        places = rows.start + np.flatnonzero(codes[rows] >= 0)
        samples = dense(X, places) + 0.0  # makes 0.0 of -0.0, which has other bytes
        for code, sample in zip(codes[places].tolist(), samples, strict=True):
            key = code, hashlib.sha256(sample.tobytes()).digest()
            numbers.append(found.setdefault(key, len(found)))
    return numbers
