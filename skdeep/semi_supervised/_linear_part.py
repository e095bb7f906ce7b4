"""Logistic regression on labelled samples."""

import numpy as np
from sklearn.linear_model import LogisticRegression

from skdeep.nn._few_labels_net import CODE
from skdeep.utils._distinct import distinct_rows
from skdeep.utils._random import numpy_generator

# Maximum numbers of labelled samples and of their values, so that dense copies fit into memory.
_MOST_ROWS, _MOST_VALUES = 10_000, 2**21
# Intercept of a class without labelled samples.
_NEVER = -50.0


def fit_linear(fit):
    """Fit softmax regression with scikit-learn's default penalty to the scaled labelled samples.

    The penalty depends on their number, for which equal samples count once: weights are
    repetitions, and only their ratios matter.

    Parameters
    ----------
    fit : Fit
        Its targets are codes of classes, -1 without a label.

    Returns
    -------
    coef : ndarray of shape (n_classes, n_features)
    intercept : ndarray of shape (n_classes,)
    """
    codes, weight = fit.data.y[:, CODE].astype(int), fit.data.weight
    chosen = np.flatnonzero(codes >= 0 if weight is None else (codes >= 0) & (weight > 0))
    most = max(1, min(_MOST_ROWS, _MOST_VALUES // fit.data.X.shape[1]))
    if len(chosen) > most:
        chosen = np.sort(numpy_generator(fit.seed).choice(chosen, most, replace=False))
    x = fit.apply(_unchanged, fit.data.X[chosen])
    weight = None if weight is None else weight[chosen]
    rows, weight = distinct_rows(np.column_stack([codes[chosen], x]), weight)
    codes, x = rows[:, 0].astype(int), rows[:, 1:]
    n_classes, present = len(fit.data.attributes["classes_"]), np.unique(codes)
    coef, intercept = np.zeros((n_classes, x.shape[1])), np.full(n_classes, _NEVER)
    intercept[present] = 0.0
    if len(present) > 1:
        # no filter for its ConvergenceWarning, which would change the filters of all threads
        model = LogisticRegression(tol=1e-6, max_iter=10_000)
        model.fit(x, codes, sample_weight=weight / weight.mean())
        last = present if len(present) > 2 else present[1:]  # one row for two classes
        coef[last], intercept[last] = model.coef_, model.intercept_
    return coef, intercept


def _unchanged(x):
    return x
