"""Samples in a plane."""

import numpy as np
from sklearn.decomposition import PCA


def project(Z, components):
    """Project samples to the plane of two components; also return the names of its axes.

    Parameters
    ----------
    Z : ndarray of shape (n_samples, n_components)
    components : (int, int) or None
        Columns of ``Z``. None for both of two, and the two principal components of more.

    Returns
    -------
    points : ndarray of shape (n_samples, 2)
    names : list of str, length 2
    """
    if Z.ndim != 2 or Z.shape[1] < 2:
        raise ValueError(
            f"At least two components are needed for a plane; got an array of shape {Z.shape}."
        )
    if components is None and Z.shape[1] > 2:
        points = PCA(2, svd_solver="covariance_eigh").fit_transform(Z)
        return points, ["first principal component", "second principal component"]
    chosen = [0, 1] if components is None else list(components)
    if len(chosen) != 2 or not all(0 <= one < Z.shape[1] for one in chosen):
        raise ValueError(
            f"components must be two indices below {Z.shape[1]}, the number of components; got "
            f"{components!r}."
        )
    return np.asarray(Z)[:, chosen], [f"component {one}" for one in chosen]
