"""Differences between clusterers."""

from typing import Any

import numpy as np
from sklearn.cluster import BisectingKMeans, KMeans, MiniBatchKMeans
from sklearn.frozen import FrozenEstimator
from sklearn.pipeline import Pipeline


def last_step(clusterer):
    """Return the clusterer at the end of a pipeline, frozen or not."""
    clusterer = _unfrozen(clusterer)
    return last_step(clusterer[-1]) if isinstance(clusterer, Pipeline) else clusterer


def _unfrozen(clusterer):
    while isinstance(clusterer, FrozenEstimator):
        clusterer = clusterer.estimator
    return clusterer


def as_fitted(clusterer, X):
    """Convert samples to the dtype of the centers, the only one that scikit-learn's k-means takes.

    Other clusterers, such as pipelines, get the samples as they are.
    """
    fitted = _unfrozen(clusterer)
    if not isinstance(fitted, KMeans | MiniBatchKMeans | BisectingKMeans):
        return X
    X = np.asarray(X) if isinstance(X, list | tuple) else X
    found: Any = getattr(X, "dtypes", getattr(X, "dtype", None))
    dtypes, needed = np.ravel(found), fitted.cluster_centers_.dtype  # those of all columns
    is_numeric = all(getattr(one, "kind", "O") in "biuf" for one in dtypes)
    return X.astype(needed) if is_numeric and any(one != needed for one in dtypes) else X
