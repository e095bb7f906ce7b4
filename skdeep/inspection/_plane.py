"""Samples in a plane."""

import numpy as np
from sklearn.decomposition import PCA

# Multiples of the golden ratio, modulo one, are spread evenly wherever they end.
_GOLDEN_RATIO = (1 + 5**0.5) / 2


def project(Z, components):
    """Project samples to the plane of two components; also return the names of its axes.

    Parameters
    ----------
    Z : ndarray of shape (n_samples, n_components)
    components : (int, int) or None
        Columns of ``Z``. None for both of two, and the two principal components of more. A single
        component is drawn as a strip, in which the height of a point has no meaning.

    Returns
    -------
    points : ndarray of shape (n_samples, 2)
    names : list of str, length 2, or 1 for a strip
    """
    if Z.ndim != 2 or Z.shape[1] < 1:
        raise ValueError(
            f"Codes must be an array of shape (n_samples, n_components); got shape {Z.shape}."
        )
    if components is None and Z.shape[1] == 1:
        heights = np.arange(1, len(Z) + 1) * _GOLDEN_RATIO % 1
        return np.column_stack([Z, heights]), ["component 0"]
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


def name_axes(ax, names):
    """Name the axes of a plane, or the horizontal one of a strip."""
    ax.set_xlabel(names[0])
    if len(names) == 1:
        ax.set_yticks([])
    else:
        ax.set_ylabel(names[1])
