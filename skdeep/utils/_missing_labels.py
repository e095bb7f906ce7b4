"""Labels of which some are missing."""

from numbers import Real

import numpy as np
from sklearn.metrics import accuracy_score
from sklearn.utils.validation import check_consistent_length, column_or_1d

from skdeep.utils._labels import encode_labels, match_classes
from skdeep.utils._validation import check_weights, in_memory, is_missing
from skdeep.utils._warn import warn_user

# Two labels of which the first is usually not a missing one.
_SIGNS = {-1, 1}


def find_labelled(y, unlabeled, known=None):
    """Return the labels that are given, (n_labelled,), and a mask of their samples, (n_samples,).

    Parameters
    ----------
    y : array-like of shape (n_samples,)
    unlabeled : int, float, str or None
        Value that marks a missing label; None and NaN match any missing value.
    known : ndarray or None
        Classes of an earlier fit.
    """
    is_array = hasattr(y, "dtype")
    # an array of strings could not hold missing values, and would turn -1 and NaN into strings
    y = column_or_1d(np.asarray(y, dtype=None if is_array else object), warn=True)
    values = y.tolist()
    is_labelled = np.array([not is_missing(value) for value in values], dtype=bool)
    if not is_missing(unlabeled):
        if not is_labelled.all():
            raise ValueError(
                f"Input y contains NaN or None; missing labels must be {unlabeled!r}. Pass "
                "unlabeled=None if NaN and None mark missing labels."
            )
        if _are_signs(values if known is None else known.tolist(), unlabeled):
            if known is None:
                warn_user(
                    "y contains only -1 and 1, which are taken as two classes although "
                    f"{unlabeled=}. Set unlabeled=None if they are classes; if -1 marks missing "
                    "labels, mark them by another value.",
                    UserWarning,
                )
        else:
            is_labelled = np.array([not _is_equal(value, unlabeled) for value in values], bool)
    given = y[is_labelled]
    if given.dtype.kind == "O" and not (is_array and any(isinstance(one, str) for one in given)):
        given = np.array(given.tolist())
    return given, is_labelled


def encode_some_labels(y, X, unlabeled, known=None):
    """Validate labels and encode them as integers from zero, missing ones as -1.

    Parameters
    ----------
    y : array-like of shape (n_samples,)
    X : ndarray or sparse matrix of shape (n_samples, n_features)
    unlabeled, known
        See ``find_labelled``.

    Returns
    -------
    classes : ndarray of shape (n_classes,)
        ``known``, or the distinct labels in ascending order.
    codes : ndarray of int, shape (n_samples,)
    """
    given, is_labelled = find_labelled(y, unlabeled, known)
    check_consistent_length(X, is_labelled)
    if not is_labelled.any():
        raise ValueError(
            f"y must have a label for at least one sample; got {len(is_labelled)} times a missing "
            f"one, {unlabeled!r}. Label some samples, or use skdeep.cluster."
        )
    classes, found = encode_labels(given, given)
    if known is not None:
        classes, found = known, match_classes(classes, found, known)
    codes = np.full(len(is_labelled), -1)
    codes[is_labelled] = found
    return classes, codes


def accuracy_on_labelled(y, found, unlabeled, classes, sample_weight=None):
    """Return the fraction of the labelled samples for which the label has been found.

    Parameters
    ----------
    y : array-like of shape (n_samples,)
    found : ndarray of shape (n_samples,)
        Predicted labels.
    unlabeled, classes
        See ``find_labelled``; the latter is ``known``.
    sample_weight : array-like of shape (n_samples,) or None
    """
    weight = check_weights(sample_weight, found)
    given, is_labelled = find_labelled(in_memory(y), unlabeled, classes)
    check_consistent_length(found, is_labelled)
    if not is_labelled.any():
        raise ValueError(
            "y must have a label for at least one sample to score; got only missing ones, "
            f"{unlabeled!r}."
        )
    weight = None if weight is None else weight[is_labelled]
    return accuracy_score(given, found[is_labelled], sample_weight=weight)


def _are_signs(values, unlabeled):
    return _is_equal(-1, unlabeled) and set(values) == _SIGNS


def _is_equal(value, unlabeled):
    """Whether two labels are equal and of the same kind."""
    if isinstance(unlabeled, Real) != isinstance(value, Real):
        return False
    return value == unlabeled
