"""Expected fractions of classes, estimated from labelled samples."""

import numpy as np

from skdeep.utils._distinct import number_equal

# Added to the fractions of the classes, none of which is certain.
_RARE = 0.01


def estimate_prior(codes, X, weight, n_classes):
    """Estimate the fractions of classes among all samples.

    With four classes or more they are shrunk towards equal fractions by the James-Stein estimator
    [1]_. Classes without positive weight are not counted.

    Parameters
    ----------
    codes : ndarray of shape (n_samples,)
        Class of each sample, -1 if it is not known.
    X : ndarray or CSR matrix of shape (n_samples, n_features)
        Samples; equal ones of one class count once, with their total weight.
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
    is_labelled = codes >= 0
    weight = None if weight is None else weight[is_labelled]
    counts = np.bincount(codes[is_labelled], weight, minlength=n_classes)
    fractions, is_present = counts / counts.sum(), counts > 0
    group_weight = np.bincount(number_equal(X, codes), weight)
    group_weight = group_weight / group_weight.max()
    n_labels = group_weight.sum() ** 2 / (group_weight**2).sum()  # Kish's effective sample size
    shrinkage = _shrinkage(fractions[is_present], n_labels)
    prior = (1 - shrinkage) * fractions + shrinkage * is_present / is_present.sum() + _RARE
    return prior / prior.sum()


def _shrinkage(fractions, n_labels):
    """Return the weight of equal fractions, at most 1; 0 for up to three classes.

    The shrinkage intensity of [1]_ times ``(d - 2) / d``, as in the estimator of James and Stein
    for normal means, for the ``d = n_classes - 1`` free fractions.
    """
    n_classes = len(fractions)
    if n_classes <= 3:
        return 0.0
    variance = (n_classes - 3) / (n_classes - 1) * (1 - (fractions**2).sum())
    distance = (n_labels - 1) * ((fractions - 1 / n_classes) ** 2).sum()
    return variance / distance if distance > variance else 1.0
