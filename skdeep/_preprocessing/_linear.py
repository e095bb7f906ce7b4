"""Features shifted and divided by a scale."""

import functools

import numpy as np
import scipy.sparse as sp
import torch

from skdeep._preprocessing._distribution import column_bounds
from skdeep._preprocessing._scaler import Scaler
from skdeep.utils._slabs import dense, slabs


def overflow_is_an_error(function):
    """Decorate a method to raise ``ValueError`` for samples too large for its arithmetic."""

    @functools.wraps(function)
    def checked(owner, X, *args, **kwargs):
        try:
            with np.errstate(over="raise", invalid="raise"):
                return function(owner, X, *args, **kwargs)
        except FloatingPointError as error:
            largest = abs(X).nanmax() if sp.issparse(X) else np.nanmax(np.abs(X))
            raise ValueError(
                "X must be small enough for float32 after scaling; got values up to "
                f"{largest:g}. Divide X by a constant, or bring new samples to the scale of "
                "the training data."
            ) from error

    return checked


class LinearScaler(Scaler, kind="linear"):
    """Shifts each feature and divides it by a scale.

    Parameters
    ----------
    n_features : int
    mean : ndarray of shape (n_features,) or None
        None leaves samples as they are.
    scale : ndarray of shape (n_features,) or None
    scaling : {"global", "image", "minmax", "mixed", "range", "standard", None}
        How mean and scale were learned, see ``fit``.
    """

    def __init__(self, n_features, mean=None, scale=None, scaling=None):
        self.n_features = n_features
        self.mean = mean
        self.scale = scale
        self.scaling = scaling

    @classmethod
    @overflow_is_an_error
    def fit(cls, X, sample_weight=None, *, rng=None, scaling="standard", read=dense):
        """Learn mean and scale in one pass over the samples.

        Parameters
        ----------
        X : ndarray or CSR matrix of shape (n_samples, n_features)
        sample_weight : ndarray of shape (n_samples,) or None
        rng : Ignored
            Nothing is random here.
        scaling : {"global", "image", "minmax", "mixed", "range", "standard", None}
            ``"global"``: one scale for all features, the square root of their mean variance;
            ``"image"``: one mean and one standard deviation for all features; ``"standard"``: one
            scale for each feature; ``"minmax"``: features of equal range,
            where outliers beyond five standard deviations do not count, and of mean variance one;
            ``"mixed"``: the same for features of more than two values, and a range of one for the
            others;
            ``"range"``: one shift and one scale for all features, which map the data to [-1, 1].
        read : callable
            ``read(X, rows)`` returns these rows as a dense array.
        """
        if scaling is None:
            return cls(read(X, slice(0, 1)).shape[1])
        if scaling == "range":
            low, high = column_bounds(X, sample_weight)
            middle, reach = (low.min() + high.max()) / 2, (high.max() - low.min()) / 2
            mean, scale = np.full_like(low, middle), np.full_like(low, reach or 1.0)
            return cls(len(mean), mean, scale, scaling)
        mean, variance = _mean_and_variance(X, sample_weight, read)
        if scaling == "image":
            variance = np.full_like(variance, variance.mean() + mean.var())
            mean = np.full_like(mean, mean.mean())
        if scaling == "global":
            variance = np.full_like(variance, variance.mean())
        # a constant feature is centred but not scaled, as in StandardScaler
        noise_floor = np.square(10 * np.finfo(np.float64).eps * mean)
        scale = np.sqrt(np.where(variance <= noise_floor, 1.0, variance))
        if scaling in ("minmax", "mixed"):
            low, high = column_bounds(X, sample_weight)
            varies = variance > noise_floor
            is_dummy = varies & _has_two_values(mean, variance, low, high)
            if scaling == "minmax" or is_dummy.sum() == varies.sum():
                is_dummy = np.zeros_like(varies)
            others = varies & ~is_dummy
            reach = np.minimum(high, mean + 5 * scale) - np.maximum(low, mean - 5 * scale)
            if others.any():
                reach *= np.sqrt(np.mean(variance[others] / reach[others] ** 2))
            scale = np.select([others, is_dummy], [reach, high - low], 1.0)
        return cls(len(mean), mean, scale, scaling)

    @property
    def width(self):
        """Number of columns of what ``to_tensor`` returns."""
        return self.n_features

    @overflow_is_an_error
    def to_tensor(self, X):
        """Scale samples, (n, n_features) array -> (n, n_features) float32 tensor."""
        if self.mean is None:
            return torch.from_numpy(np.array(X, dtype=np.float32, order="C"))
        # float32 arithmetic loses no digits of float32 samples
        dtype = np.float32 if np.can_cast(X.dtype, np.float32) else np.float64
        scaled = np.subtract(X, self.mean.astype(dtype, copy=False), dtype=dtype)
        scaled /= self.scale.astype(dtype, copy=False)
        return torch.from_numpy(np.ascontiguousarray(scaled, dtype=np.float32))

    def inverse(self, array):
        """Bring an array of shape (n, n_features) back to the units of the data, float64."""
        array = np.asarray(array, dtype=np.float64)
        return array if self.mean is None else array * self.scale + self.mean


def _has_two_values(mean, variance, low, high):
    """Whether each feature has two values: only then the Bhatia-Davis inequality is an equality."""
    return variance > (1 - 1e-6) * (high - mean) * (mean - low)


def _mean_and_variance(X, sample_weight, read):
    """Weighted mean and variance of each feature, float64, twice (n_features,)."""
    total, mean, squares = 0.0, np.zeros(()), np.zeros(())  # broadcast to any width
    for rows in slabs(X):
        part = read(X, rows).astype(np.float64, order="C")
        weight = np.ones(len(part)) if sample_weight is None else sample_weight[rows]
        part_total = weight.sum()
        if part_total == 0:
            continue
        part_mean = weight @ part / part_total
        # Chan et al. (1979): sums of squares of two sets, without cancellation
        shift = part_mean - mean
        part -= part_mean
        squares = squares + weight @ np.square(part, out=part)
        squares += shift**2 * (total * part_total / (total + part_total))
        total += part_total
        mean = mean + shift * (part_total / total)
    return mean, squares / total
