"""What a net sees of numbers: features shifted and divided by a scale, or their quantiles."""

import functools

import numpy as np
import torch
from scipy.special import ndtri

from skdeep._training._data import dense, slabs

__all__ = [
    "QuantileScaler",
    "RowScaler",
    "bin_edges",
    "column_bounds",
    "overflow_is_an_error",
    "sample_rows",
]

# Rows from which quantiles are learned: at most so many, of so many megabytes together.
_SAMPLE_ROWS = 10_000
_SAMPLE_BYTES = 2**26
# Points of a feature's distribution function that are kept.
_MAX_KNOTS = 1000


def overflow_is_an_error(function):
    """Decorate a method so that rows too large for its arithmetic are a ``ValueError``."""

    @functools.wraps(function)
    def checked(owner, X, *args, **kwargs):
        try:
            with np.errstate(over="raise", invalid="raise"):
                return function(owner, X, *args, **kwargs)
        except FloatingPointError as error:
            raise ValueError(
                "X must be small enough for float32 after scaling; got values up to "
                f"{abs(X).max():g}. Divide X by a constant, or bring new rows to the scale of the "
                "training data."
            ) from error

    return checked


class RowScaler:
    """Shifts each feature and divides it by a scale, row by row.

    Parameters
    ----------
    mean : ndarray of shape (n_features,) or None
        None leaves rows as they are.
    scale : ndarray of shape (n_features,) or None
    kind : {"global", "range", "standard", None}
        How they were learned, see ``fit``.
    """

    def __init__(self, mean=None, scale=None, kind=None):
        self.mean = mean
        self.scale = scale
        self.kind = kind

    @classmethod
    @overflow_is_an_error
    def fit(cls, X, sample_weight=None, *, kind, read=dense):
        """Learn mean and scale in one pass over the rows.

        Parameters
        ----------
        X : ndarray or CSR matrix of shape (n_samples, n_features)
        sample_weight : ndarray of shape (n_samples,) or None
        kind : {"global", "range", "standard", None}
            ``"global"``: one scale for all features, the square root of their mean variance;
            ``"standard"``: each feature its own; ``"range"``: one shift and one scale for all,
            which bring them to [-1, 1].
        read : callable
            ``read(X, rows)`` gives those rows as a dense array.
        """
        if kind is None:
            return cls()
        if kind == "range":
            low, high = column_bounds(X, sample_weight)
            middle, reach = (low.min() + high.max()) / 2, (high.max() - low.min()) / 2
            return cls(np.full(len(low), middle), np.full(len(low), reach or 1.0), kind)
        total, mean, squares = 0.0, np.zeros(()), np.zeros(())  # of any width
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
        variance = squares / total
        if kind == "global":
            variance = np.full_like(variance, variance.mean())
        # a constant feature is centred and otherwise left alone, as StandardScaler does
        noise_floor = np.square(10 * np.finfo(np.float64).eps * mean)
        scale = np.sqrt(np.where(variance <= noise_floor, 1.0, variance))
        return cls(mean, scale, kind)

    @overflow_is_an_error
    def to_tensor(self, rows):
        """Rows, scaled, as a float32 tensor; (n, n_features) array -> (n, n_features)."""
        if self.mean is None:
            return torch.from_numpy(np.array(rows, dtype=np.float32, order="C"))
        # float32 rows carry no more digits than float32 arithmetic keeps
        dtype = np.float32 if np.can_cast(rows.dtype, np.float32) else np.float64
        scaled = np.subtract(rows, self.mean.astype(dtype), dtype=dtype)
        scaled /= self.scale.astype(dtype)
        return torch.from_numpy(np.ascontiguousarray(scaled, dtype=np.float32))

    def inverse(self, rows):
        """Rows in the units of the data, float64; (n, n_features) -> (n, n_features)."""
        if self.mean is None:
            return rows
        return rows * self.scale + self.mean

    def state(self):
        """Arguments that make the same scaler again, as plain values."""
        return dict(vars(self))


class QuantileScaler:
    """Maps each feature to the standard normal distribution by its ranks.

    The distribution function of the training rows, ties at the middle of their step, becomes
    that of the standard normal; between the values of training it is linear, outside of them
    constant. Unlike scikit-learn's ``QuantileTransformer`` it knows weights: a row of weight two
    is the row twice.

    Parameters
    ----------
    values, positions : list of ndarray, length n_features
        Values of a feature, ascending, and where each of them goes.
    """

    kind = "quantile"

    def __init__(self, values, positions):
        self.values = values
        self.positions = positions

    @classmethod
    def fit(cls, X, sample_weight=None, *, generator, read=dense):
        """Learn the distribution functions from a sample of the rows.

        Parameters
        ----------
        X : ndarray or CSR matrix of shape (n_samples, n_features)
        sample_weight : ndarray of shape (n_samples,) or None
        generator : numpy.random.Generator
            Chooses the sample where there are too many rows.
        read : callable
            ``read(X, rows)`` gives those rows as a dense array.
        """
        rows = sample_rows(X, sample_weight, generator)
        weight = None if sample_weight is None else sample_weight[rows]
        knots = [_normal_positions(column, weight) for column in read(X, rows).T]
        # columns without ties have the same positions, which are kept once
        distinct = {positions.tobytes(): positions for _, positions in knots}
        return cls(
            [values for values, _ in knots],
            [distinct[positions.tobytes()] for _, positions in knots],
        )

    def to_tensor(self, rows):
        """Rows, scaled, as a float32 tensor; (n, n_features) array -> (n, n_features)."""
        result = np.empty(rows.shape, dtype=np.float32)
        for number, (values, positions) in enumerate(zip(self.values, self.positions, strict=True)):
            column = rows[:, number].astype(np.float64, copy=False)
            result[:, number] = np.interp(column, values, positions)
        return torch.from_numpy(result)

    def inverse(self, rows):
        """Rows in the units of the data, float64; (n, n_features) -> (n, n_features)."""
        result = np.empty(rows.shape)
        for number, (values, positions) in enumerate(zip(self.values, self.positions, strict=True)):
            result[:, number] = np.interp(rows[:, number], positions, values)
        return result

    def state(self):
        """Arguments that make the same scaler again, as plain values."""
        return dict(vars(self))


def column_bounds(X, sample_weight=None):
    """Smallest and largest value of each column, over rows with a weight; float64, twice (n,)."""
    low, high = np.full(X.shape[1], np.inf), np.full(X.shape[1], -np.inf)
    for rows in slabs(X):
        part = dense(X, rows).astype(np.float64, copy=False)
        if sample_weight is not None:
            part = part[sample_weight[rows] > 0]
        if len(part):
            low, high = np.minimum(low, part.min(axis=0)), np.maximum(high, part.max(axis=0))
    return low, high


def sample_rows(X, sample_weight, generator):
    """Choose rows with a weight: all of them, or a random part of a large X; indices, ascending."""
    kept = np.arange(X.shape[0]) if sample_weight is None else np.flatnonzero(sample_weight)
    limit = max(1, min(_SAMPLE_ROWS, _SAMPLE_BYTES // (8 * max(1, X.shape[1]))))
    if len(kept) <= limit:
        return kept
    return np.sort(generator.choice(kept, limit, replace=False))


def _distribution(column, weight):
    """Distinct values, ascending, and the middle of each one's step in the distribution."""
    values, inverse = np.unique(column.astype(np.float64), return_inverse=True)
    mass = np.bincount(inverse, weights=weight)
    reached = np.cumsum(mass)
    # weights of very different size round the last shares to one
    smallest = np.finfo(np.float64).eps
    return values, ((reached - mass / 2) / reached[-1]).clip(smallest, 1 - smallest)


def _normal_positions(column, weight):
    """Values of a feature and where on a standard normal axis they lie."""
    values, shares = _distribution(column, weight)
    if len(values) > _MAX_KNOTS:
        wanted = np.linspace(shares[0], shares[-1], _MAX_KNOTS)
        knots = np.unique(np.searchsorted(shares, wanted).clip(max=len(values) - 1))
        values, shares = values[knots], shares[knots]
    return values, ndtri(shares)


def bin_edges(column, weight, n_bins):
    """Edges of bins with about the same weight, ascending; at least two bins, also of a constant.

    Returns
    -------
    edges : tuple of float, length 3 to n_bins + 1
        Distinct float32 values.
    """
    values, shares = _distribution(column, weight)
    edges = np.interp(np.linspace(0, 1, n_bins + 1), shares, values)
    edges = np.unique(edges.astype(np.float32))
    if len(edges) < 3:  # wide enough for float32 to tell them apart
        reach = max((edges[-1] - edges[0]) / 2, 0.5, 4 * float(np.spacing(np.abs(edges).max())))
        edges = edges.mean() + np.float32(reach) * np.array([-1, 0, 1], dtype=np.float32)
    return tuple(edges.tolist())
