"""Levels of quantiles as users pass them."""

import math

import numpy as np
from scipy.special import ndtri

_RULE = "numbers between 0 and 1, both excluded"


def check_levels(name, values, *, increasing=False):
    """Return levels of quantiles as a tuple of float.

    Parameters
    ----------
    name : str
        Name of the argument.
    values : array-like of shape (n_quantiles,)
    increasing : bool
        Whether they must be in increasing order, and distinct.
    """
    levels = np.asarray(values)
    is_vector = levels.ndim == 1 and len(levels) and levels.dtype.kind in "iuf"
    if not is_vector or not ((levels > 0) & (levels < 1)).all():
        raise ValueError(f"{name} must be a sequence of {_RULE}; got {values!r}.")
    if increasing and (np.diff(levels) <= 0).any():
        raise ValueError(f"{name} must be increasing {_RULE}; got {values!r}.")
    return tuple(levels.astype(np.float64).tolist())


def within(fitted, level):
    """Return a level within the range of the fitted ones, without rounding to float32.

    Parameters
    ----------
    fitted : tuple of float
        Increasing.
    level : float
    """
    nearest = min(fitted, key=lambda one: abs(one - level))
    if math.isclose(nearest, level, rel_tol=2**-24):
        return nearest
    if fitted[0] < level < fitted[-1]:
        return level
    raise ValueError(
        "quantiles must be within the range of the fitted ones, from "
        f"{fitted[0]} to {fitted[-1]}; got {level}. Fit with a lower or higher quantile."
    )


def check_request(return_std, quantiles):
    """Raise ``ValueError`` if both standard deviation and quantiles are wanted."""
    if return_std and quantiles is not None:
        raise ValueError(
            "return_std must be False if quantiles are given; got return_std=True and "
            f"quantiles={quantiles!r}. Call predict twice."
        )


def normal_quantiles(mean, std, levels):
    """Return quantiles of normal distributions, (...) -> (..., n_quantiles).

    Parameters
    ----------
    mean, std : ndarray
    levels : tuple of float
    """
    return mean[..., np.newaxis] + std[..., np.newaxis] * ndtri(levels)
