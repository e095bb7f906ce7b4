"""Expected fractions of classes, estimated from labelled samples."""

import numpy as np

from skdeep.utils._distinct import distinct_rows
from skdeep.utils._slabs import dense

# Maximum number of values that are copied to find equal samples.
_MOST_VALUES = 2**21
# Added to the fractions of the classes, none of which is certain.
_RARE = 0.01


def estimate_prior(codes, X, weight, n_classes):
    """Estimate the fractions of classes among all samples.

    With four classes or more they are shrunk towards equal fractions by the James-Stein estimator
    [1]_.

    Parameters
    ----------
    codes : ndarray of shape (n_samples,)
        Class of each sample, -1 if it is not known.
    X : ndarray or CSR matrix of shape (n_samples, n_features)
        Samples; equal ones of the same class count once, with their total weight.
    weight : ndarray of shape (n_samples,) or None
    n_classes : int

    Returns
    -------
    prior : ndarray of shape (n_classes,)
        Positive, with a sum of 1.

    References
    ----------
    .. [1] Hausser and Strimmer (2009), "Entropy Inference and the James-Stein Estimator, with
       Application to Nonlinear Gene Association Networks", JMLR 10.
    """
    places = np.flatnonzero(codes >= 0)
    codes, weight = codes[places], None if weight is None else weight[places]
    counts = np.bincount(codes, weight, minlength=n_classes)
    fractions = counts / counts.sum()
    shrinkage = _shrinkage(fractions, _n_independent(codes, X, places, weight))
    prior = (1 - shrinkage) * fractions + shrinkage / n_classes + _RARE
    return prior / prior.sum()


def _shrinkage(fractions, n_labels):
    """Return the weight of equal fractions, at most 1; 0 for up to three classes.

    That of [1]_ times ``(d - 2) / d`` for the ``d = n_classes - 1`` free fractions, as in the
    original estimator, which has no larger expected error than the fractions themselves.
    """
    n_classes = len(fractions)
    if n_classes <= 3:
        return 0.0
    variance = (n_classes - 3) / (n_classes - 1) * (1 - (fractions**2).sum())
    distance = (n_labels - 1) * ((fractions - 1 / n_classes) ** 2).sum()
    return variance / distance if distance > variance else 1.0


def _n_independent(codes, X, places, weight):
    """Return the effective number of labelled samples, which are at ``places``; Kish (1965)."""
    if len(places) * X.shape[1] <= _MOST_VALUES:
        _, weight = distinct_rows(np.column_stack([codes, dense(X, places)]), weight)
    elif weight is None:
        return len(places)
    share = weight / weight.max()
    return share.sum() ** 2 / (share**2).sum()
