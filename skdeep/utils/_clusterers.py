"""Differences between clusterers."""

import numpy as np
from sklearn.cluster import BisectingKMeans, KMeans, MiniBatchKMeans
from sklearn.frozen import FrozenEstimator


def as_fitted(clusterer, X):
    """Convert samples to the dtype of the centers, the only one that scikit-learn's k-means takes.

    Other clusterers get the samples as they are.
    """
    fitted = clusterer.estimator if isinstance(clusterer, FrozenEstimator) else clusterer
    if not isinstance(fitted, KMeans | MiniBatchKMeans | BisectingKMeans):
        return X
    X = np.asarray(X) if isinstance(X, list | tuple) else X
    dtypes = np.ravel(getattr(X, "dtypes", getattr(X, "dtype", None)))  # of columns or of an array
    needed = fitted.cluster_centers_.dtype
    is_numeric = all(getattr(one, "kind", "O") in "biuf" for one in dtypes)
    return X.astype(needed) if is_numeric and any(one != needed for one in dtypes) else X
