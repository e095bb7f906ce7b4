"""Validation and encoding of class labels."""

import numpy as np
import scipy.sparse as sp
from sklearn.utils.multiclass import check_classification_targets, type_of_target
from sklearn.utils.validation import (
    assert_all_finite,
    check_array,
    check_consistent_length,
    column_or_1d,
)

from skdeep.utils._validation import is_missing


def check_labels(y):
    """Raise ``ValueError`` unless ``y`` holds class labels without missing values."""
    if not sp.issparse(y):
        values = np.asarray(y)
        if values.dtype.kind == "O" and any(map(is_missing, values.ravel().tolist())):
            raise ValueError(
                "Input y contains NaN or None; it must have a label for each sample. Drop the "
                "samples without a label."
            )
        assert_all_finite(values, input_name="y")
    check_classification_targets(y)


def encode_labels(y, X):
    """Validate labels and encode them as integers from zero.

    Parameters
    ----------
    y : array-like of shape (n_samples,), or indicator matrix of shape (n_samples, n_labels)
    X : ndarray or sparse matrix of shape (n_samples, n_features)
        Samples that the labels belong to.

    Returns
    -------
    labels : ndarray of shape (n_classes,)
        Distinct labels in ascending order; column indices of an indicator matrix.
    codes : ndarray of shape (n_samples,), int, or (n_samples, n_labels), float64
    """
    y = y.toarray() if sp.issparse(y) else y
    check_labels(y)
    check_consistent_length(X, y)
    kind = type_of_target(y, input_name="y")
    if kind == "multiclass-multioutput":
        raise ValueError(
            "y must have one label per sample, or be a matrix of zeros and ones; got several "
            "labels per sample. Use sklearn.multioutput.MultiOutputClassifier."
        )
    if kind == "multilabel-indicator":
        codes = check_array(y, dtype=np.float64, input_name="y")
        if not np.isin(codes, (0, 1)).all():
            raise ValueError(
                "y must contain only zeros and ones if it has several columns; got "
                f"{np.unique(codes).tolist()}. Use sklearn.preprocessing.MultiLabelBinarizer."
            )
        return np.arange(codes.shape[1]), codes
    return np.unique(column_or_1d(y, warn=True), return_inverse=True)


# Remedy for new classes in continued training.
_FIT_AGAIN = (
    "Fit a clone on samples of all classes, or pass all classes in the first call to partial_fit "
    "if the estimator has it."
)


def match_classes(labels, codes, known, remedy=_FIT_AGAIN):
    """Encode labels as indices into the known classes.

    Parameters
    ----------
    labels, codes : ndarray
        Distinct labels, and the index of each sample's label among them.
    known : ndarray of shape (n_classes,)
    remedy : str
        Advice in the error about unknown labels.
    """
    places = {label: place for place, label in enumerate(known.tolist())}
    labels = labels.tolist()
    unknown = [label for label in labels if label not in places]
    if unknown:
        raise ValueError(
            f"y must contain only labels seen in the first fit, {known.tolist()}; got {unknown} as "
            f"well. {remedy}"
        )
    return np.array([places[label] for label in labels], dtype=int)[codes]
