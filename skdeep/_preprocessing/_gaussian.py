"""Mean and covariance of columns with missing entries."""

import numpy as np

# Correlations are multiplied by one minus this, so that covariances have an inverse.
_SHRINKAGE = 0.02
_JITTER = 1e-4
_N_ITERATIONS = 15
# Number of entries of the matrices that are inverted at once.
_SLAB_ENTRIES = 2**20


def fit_gaussian(X, is_observed, weight):
    """Estimate mean and covariance by expectation maximization [1]_, with shrunk correlations.

    Parameters
    ----------
    X : ndarray of shape (n_rows, n_columns), float64
        Standardized numbers, zero where they are missing.
    is_observed : ndarray of shape (n_rows, n_columns), float64
        One for observed entries, else zero.
    weight : ndarray of shape (n_rows,)

    Returns
    -------
    mean : ndarray of shape (n_columns,)
    covariance : ndarray of shape (n_columns, n_columns)

    References
    ----------
    .. [1] Little and Rubin (2019), "Statistical Analysis with Missing Data", Wiley, chapter 11.
    """
    n_columns = X.shape[1]
    mean, covariance = np.zeros(n_columns), np.eye(n_columns)
    for _ in range(_N_ITERATIONS):
        filled, precision = _expect(X, is_observed, weight, mean, covariance)
        mean = weight @ filled / weight.sum()
        filled -= mean
        rest = covariance - covariance @ precision @ covariance  # of missing entries
        covariance = (weight * filled.T) @ filled / weight.sum() + rest
        variance = np.diag(np.diag(covariance))
        covariance = (1 - _SHRINKAGE) * covariance + _SHRINKAGE * variance
        covariance = (covariance + covariance.T) / 2 + _JITTER * np.eye(n_columns)
    return mean, covariance


def _expect(X, is_observed, weight, mean, covariance):
    """Fill in the means of missing entries given observed ones.

    Returns
    -------
    filled : ndarray of shape (n_rows, n_columns)
    precision : ndarray of shape (n_columns, n_columns)
        Mean over rows of the inverse covariance of the observed entries, zero elsewhere.
    """
    n_rows, n_columns = X.shape
    filled, precision = np.empty(X.shape), np.zeros(covariance.shape)
    step = max(1, _SLAB_ENTRIES // n_columns**2)
    for start in range(0, n_rows, step):
        rows = slice(start, start + step)
        seen = is_observed[rows]
        pairs = seen[:, :, np.newaxis] * seen[:, np.newaxis]  # (rows, n_columns, n_columns)
        unseen = (1 - seen)[:, :, np.newaxis] * np.eye(n_columns)
        inverse = pairs * np.linalg.inv(covariance * pairs + unseen)
        scores = np.einsum("ij,ijk->ik", (X[rows] - mean) * seen, inverse)
        filled[rows] = np.where(seen > 0, X[rows], mean + scores @ covariance)
        precision += np.einsum("i,ijk->jk", weight[rows], inverse)
    return filled, precision / weight.sum()
