"""Distances between adjacent units of a self-organizing map, and clusters of units."""

import numpy as np
from scipy.sparse import coo_array
from sklearn.cluster import AgglomerativeClustering
from sklearn.metrics.pairwise import paired_distances
from sklearn.utils import gen_batches

_PAIRS_AT_ONCE = 4096


def mean_adjacent_distances(grid, weights, metric):
    """Mean distance between the weights of each unit and those of adjacent ones; (n_units,)."""
    first, second = grid.adjacent_pairs().cpu().numpy()
    total = np.zeros(len(weights))
    for part in gen_batches(len(first), _PAIRS_AT_ONCE):
        pairs = weights[first[part]], weights[second[part]]
        total += np.bincount(first[part], paired_distances(*pairs, metric=metric), len(weights))
    return total / np.maximum(np.bincount(first, minlength=len(weights)), 1)


def unit_clusters(grid, weights, metric, n_clusters):
    """Agglomerative clusters of units, each of them connected on the map; (n_units,)."""
    if n_clusters == 1:
        return np.zeros(len(weights), dtype=np.int64)
    first, second = grid.adjacent_pairs().cpu().numpy()
    shape = len(weights), len(weights)
    clusters = AgglomerativeClustering(
        n_clusters,
        metric=metric,
        linkage="ward" if metric == "euclidean" else "average",
        connectivity=coo_array((np.ones(len(first)), (first, second)), shape=shape).tocsr(),
    )
    # scaled by a power of two, which only shifts exponents: squares of large numbers overflow
    _, exponent = np.frexp(np.abs(weights).max())
    return clusters.fit_predict(np.ldexp(weights, -exponent)).astype(np.int64)
