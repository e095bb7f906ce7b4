"""Clusters of whitened features."""

from typing import NamedTuple

import numpy as np
import torch
from scipy.stats import entropy
from sklearn.cluster import KMeans
from sklearn.metrics import mutual_info_score

from skdeep._preprocessing._linear import LinearScaler
from skdeep._training._inference import apply_in_chunks
from skdeep.nn._deep_cluster import nearness, whiten
from skdeep.utils._distinct import distinct_rows
from skdeep.utils._threads import one_thread

# Maximum number of iterations of k-means.
_MAX_ITER = 20
# Minimum number of axes, unless the others are rounding errors.
_MIN_AXES = 2
# Variances below this fraction of the largest one are rounding errors.
_EPS = 1e-6


class Clusters(NamedTuple):
    """Clusters of features, and the space in which they were found."""

    #: (n_components,), see ``whiten``
    mean: np.ndarray
    #: (n_axes, n_components)
    axes: np.ndarray
    #: (n_clusters, n_axes)
    centers: np.ndarray
    #: (n_samples,)
    labels: np.ndarray


def find_clusters(fit, n_clusters, explained_variance):
    """Cluster the training samples by k-means on their whitened features [1]_.

    The seed depends on that of the fit and on the number of epochs.

    Parameters
    ----------
    fit : Fit
        Its module has a method ``encode``.
    n_clusters : int
    explained_variance : float

    Returns
    -------
    clusters : Clusters

    References
    ----------
    .. [1] Caron et al. (2018), "Deep Clustering for Unsupervised Learning of Visual Features",
       ECCV.
    """
    features, weight = fit.apply(fit.module.encode), fit.data.weight
    mean, axes = whitening(features, weight, explained_variance)
    n_epochs = 0 if fit.net is None else len(fit.net.history)

    def apply(function, z, *arrays):
        tensors = [torch.from_numpy(array).to(fit.device) for array in arrays]
        scaler = LinearScaler(z.shape[1])
        options = {"module": fit.module, "scaler": scaler, "device": fit.device}
        return apply_in_chunks(lambda x: function(x, *tensors), z, **options)

    z = apply(whiten, features.astype(np.float32), mean, axes)
    centers = _kmeans(z, weight, n_clusters, (fit.seed, n_epochs))
    return Clusters(mean, axes, centers, apply(nearness, z, centers).argmax(axis=1))


def whitening(features, weight, explained_variance):
    """Principal component analysis of weighted features.

    Parameters
    ----------
    features : ndarray of shape (n_samples, n_components)
    weight : ndarray of shape (n_samples,) or None
    explained_variance : float
        Fraction of the variance that the kept axes must explain.

    Returns
    -------
    mean : ndarray of shape (n_components,), float32
    axes : ndarray of shape (n_axes, n_components), float32
        See ``whiten``.
    """
    features = features.astype(np.float64)
    weight = np.ones(len(features)) if weight is None else weight
    mean = np.average(features, axis=0, weights=weight)
    centered = features - mean
    weighted = centered * (weight / weight.sum())[:, np.newaxis]
    with one_thread():  # those of NumPy cannot be limited to this thread and slow each other down
        covariance = torch.from_numpy(centered).T @ torch.from_numpy(weighted)
        variance, axes = (one.numpy() for one in torch.linalg.eigh(covariance))
    variance, axes = variance[::-1], axes.T[::-1]
    explained = np.cumsum(variance) - variance  # by the axes before
    is_kept = explained < explained_variance * variance.sum()
    is_kept[:_MIN_AXES] = True  # on a single axis, samples of length one are only two points
    is_kept &= variance > _EPS * variance[0]
    if is_kept.any():
        axes = axes[is_kept] / np.sqrt(variance[is_kept, np.newaxis])
    else:  # all features are the same
        axes = np.zeros((1, len(mean)))
    return mean.astype(np.float32), axes.astype(np.float32)


def _kmeans(z, weight, n_clusters, seed):
    """Return cluster centers; k-means moves the centers of empty clusters to distant samples."""
    z, weight = distinct_rows(z.astype(np.float32), weight)
    if len(z) <= n_clusters:
        return np.resize(z, (n_clusters, z.shape[1]))
    state = int(np.random.SeedSequence(seed).generate_state(1)[0])
    kmeans = KMeans(n_clusters, n_init=1, max_iter=_MAX_ITER, random_state=state)
    with one_thread():  # several threads sum in any order
        return kmeans.fit(z, sample_weight=weight).cluster_centers_


def balanced_weights(labels, weight=None):
    """Weight of each sample in the loss such that all clusters have equal total weights.

    In proportion to one over the size of the cluster; ``weight``, (n_samples,) or None, has the
    weights of samples that the result is multiplied by. Then the (weighted) mean is one.
    """
    size = np.bincount(labels, weight)
    return (size.sum() / (np.count_nonzero(size) * np.where(size > 0, size, 1.0)))[labels]


def normalized_mutual_information(labels, earlier, weight=None):
    """Return the mutual information of two assignments over their mean entropy, weighted."""
    # NOTE[DIFF]: arithmetic mean, as in scikit-learn; the paper has the geometric one
    shape = labels.max() + 1, earlier.max() + 1
    cells = np.ravel_multi_index((labels, earlier), shape)
    table = np.bincount(cells, weight, minlength=shape[0] * shape[1]).reshape(shape)
    normalizer = 0.5 * (entropy(table.sum(axis=0)) + entropy(table.sum(axis=1)))
    if normalizer == 0:
        return 1.0
    return float(mutual_info_score(None, None, contingency=table) / normalizer)
