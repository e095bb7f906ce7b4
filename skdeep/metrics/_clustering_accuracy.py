"""Accuracy of a clustering under the best matching of clusters and classes."""

import numpy as np
from scipy.optimize import linear_sum_assignment
from scipy.sparse import coo_array
from sklearn.preprocessing import LabelEncoder
from sklearn.utils import check_consistent_length
from sklearn.utils.multiclass import type_of_target
from sklearn.utils.validation import column_or_1d

from skdeep.utils._validation import check_weights, is_missing


def clustering_accuracy(y_true, y_pred, *, sample_weight=None):
    """Accuracy of a clustering under the best one-to-one matching of clusters and classes.

    Cluster labels are arbitrary. Each cluster is matched with at most one class and each class with
    at most one cluster, so that as many samples as possible are in the cluster of their class. The
    Hungarian method [1]_ finds this matching. In the literature on deep clustering, the metric is
    known as ACC [2]_.

    Parameters
    ----------
    y_true : array-like of shape (n_samples,)
        Ground truth class labels: numbers, strings or booleans.
    y_pred : array-like of shape (n_samples,)
        Cluster labels. Their number and type may differ from those of the class labels.
    sample_weight : array-like of shape (n_samples,), default=None
        Sample weights.

    Returns
    -------
    accuracy : float
        Weighted fraction of samples whose cluster is matched with their class, in (0, 1]. It is 1
        if clusters and classes are equal. Samples in clusters without a class count as errors.

    Raises
    ------
    ValueError
        If there are no samples, lengths differ, or labels are missing or continuous.

    See Also
    --------
    sklearn.metrics.adjusted_rand_score : Similarity of two clusterings, adjusted for chance.
    sklearn.metrics.normalized_mutual_info_score : Needs no matching of clusters and classes.

    Notes
    -----
    Clustering accuracy is not adjusted for chance: a constant ``y_pred`` gets the fraction of the
    largest class. A label such as -1, which some clusterers assign to noise, is treated as one more
    cluster.

    References
    ----------
    .. [1] Kuhn (1955), "The Hungarian Method for the Assignment Problem", Naval Research Logistics
       Quarterly 2.
    .. [2] Xie, Girshick and Farhadi (2016), "Unsupervised Deep Embedding for Clustering Analysis",
       ICML.

    Examples
    --------
    >>> from skdeep.metrics import clustering_accuracy
    >>> clustering_accuracy(["a", "a", "b", "b"], [1, 1, 0, 0])
    1.0
    >>> clustering_accuracy(["a", "a", "b", "b"], [0, 1, 2, 2])
    0.75
    """
    check_consistent_length(y_true, y_pred, sample_weight)
    classes, clusters = _encode(y_true, "y_true"), _encode(y_pred, "y_pred")
    weight = check_weights(sample_weight, classes)
    weight = np.ones(len(classes)) if weight is None else weight
    # total weight of each pair of class and cluster, (n_classes, n_clusters)
    mass = coo_array((weight, (classes, clusters))).toarray()
    return float(mass[linear_sum_assignment(mass, maximize=True)].sum() / mass.sum())


def _encode(labels, name):
    """Labels as codes, starting at zero."""
    labels = column_or_1d(labels, input_name=name)
    if not len(labels):
        raise ValueError(f"{name} must have at least one label; got an empty array.")
    encoder = LabelEncoder()
    codes, distinct = encoder.fit_transform(labels), encoder.classes_
    if any(map(is_missing, distinct)):
        raise ValueError(f"{name} must not have missing labels; drop samples without a label.")
    if type_of_target(distinct) == "continuous":
        raise ValueError(
            f"{name} must be labels; got continuous values, for example {distinct[0]}. Pass what "
            "the predict method of a clusterer or classifier returns, or bin them first."
        )
    return codes
