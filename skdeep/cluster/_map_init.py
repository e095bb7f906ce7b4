"""Initial shape and unit weights of a self-organizing map."""

import numpy as np

from skdeep.utils._slabs import dense, slabs

# Number of features above which principal components are found by iteration.
_MOST_FEATURES = 512
_N_ITERATIONS, _N_EXTRA = 10, 6


class Parts:
    """Samples as float64, part by part.

    Parameters
    ----------
    X : ndarray or CSR matrix of shape (n_samples, n_features)
    weight : ndarray of shape (n_samples,) or None
    has_missing : bool
        Whether they may contain NaN.
    """

    def __init__(self, X, weight, has_missing):
        self.X, self.weight, self.has_missing = X, weight, has_missing
        self.n_features = X.shape[1]
        self.total_weight = X.shape[0] if weight is None else weight.sum()

    def __iter__(self):
        """Yield samples and their weights."""
        for rows in slabs(self.X):
            part = dense(self.X, rows).astype(np.float64, order="C")
            yield part, np.ones(len(part)) if self.weight is None else self.weight[rows]

    def sums(self, function, mean=0.0):
        """Sum a function of the samples minus a mean, with zeros for missing values.

        Parameters
        ----------
        function : callable
            ``function(samples, weights)`` returns an array.
        mean : ndarray of shape (n_features,)
        """
        total = 0.0
        for part, weight in self:
            part -= mean
            if self.has_missing:
                part[np.isnan(part)] = 0.0
            total = total + function(part, weight)
        return total

    def observed_weights(self):
        """Total weight of the samples in which each feature is observed; (n_features,)."""
        if not self.has_missing:
            return np.full(self.n_features, float(self.total_weight))
        return sum(weight @ ~np.isnan(part) for part, weight in self)


def feature_means(parts):
    """Weighted mean of the observed values of each feature; (n_features,).

    Raises
    ------
    ValueError
        If a feature has no observed values.
    """
    observed = parts.observed_weights()
    if not observed.all():
        raise ValueError(
            "X must have an observed value in each feature, in a sample of nonzero weight; got "
            f"none in features {np.flatnonzero(observed == 0).tolist()}. Drop them."
        )
    return parts.sums(lambda x, weight: weight @ x) / observed


def principal_axes(parts, mean, rng):
    """First two principal axes of the samples; missing values are replaced by means.

    Returns
    -------
    axes : ndarray of shape (2, n_features)
        Each multiplied by the standard deviation along it; zero if there is none. The signs are
        such that the largest entry is positive.
    """
    n_features = parts.n_features

    def times_covariance(Q):
        def product(x, weight):
            return (x.T if parts.weight is None else x.T * weight) @ (x if Q is None else x @ Q)

        return parts.sums(product, mean) / parts.total_weight

    if n_features <= _MOST_FEATURES:
        basis, covariance = np.eye(n_features), times_covariance(None)
    else:
        basis = rng.standard_normal((n_features, 2 + _N_EXTRA))
        for _ in range(_N_ITERATIONS):
            basis = np.linalg.qr(times_covariance(basis))[0]
        covariance = basis.T @ times_covariance(basis)
    variance, vectors = np.linalg.eigh((covariance + covariance.T) / 2)
    deviation = np.sqrt(np.maximum(variance[::-1], 0))[:2]
    axes = (basis @ vectors[:, ::-1][:, :2]).T
    largest = np.abs(axes).argmax(axis=1)[:, None]
    axes *= np.sign(np.take_along_axis(axes, largest, axis=1)) * deviation[:, None]
    return np.vstack([axes, np.zeros((2 - len(axes), n_features))])


def auto_shape(parts, axes, *, topology, periodic):
    """Choose sides in proportion to the two largest standard deviations [1]_.

    There are about 5 sqrt(n) units for n distinct samples.

    References
    ----------
    .. [1] Vesanto et al. (2000), "SOM Toolbox for Matlab 5", Helsinki University of Technology.
    """
    n_units = max(1, round(5 * count_distinct(parts) ** 0.5))
    long, short = np.linalg.norm(axes, axis=1)
    height = 0.75**0.5 if topology == "hexagonal" else 1.0
    # of a map of one row, at most, if there is no second axis
    ratio = min(long / short, n_units) if short > 0 else n_units if long > 0 else 1.0
    step = 2 if periodic and topology == "hexagonal" else 1
    n_rows = max(1, round((n_units / (ratio * height)) ** 0.5 / step) * step)
    return n_rows, max(1, round(n_units / n_rows))


def count_distinct(parts):
    """Count distinct samples of nonzero weight, by their hash values."""
    rng = np.random.default_rng(0)
    factors = rng.integers(2**64, size=parts.n_features, dtype=np.uint64) | np.uint64(1)
    found = []
    for part, weight in parts:
        part += 0.0  # turns -0.0 into 0.0
        part[np.isnan(part)] = np.nan
        words = part[weight > 0].view(np.uint64)
        words = (words ^ (words >> np.uint64(32))) * np.uint64(0x9E3779B97F4A7C15)
        found.append(np.unique((words ^ (words >> np.uint64(29))) @ factors))
    return len(np.unique(np.concatenate(found)))


def weights_on_plane(coordinates, mean, axes):
    """Place unit weights on a plane; (n_units, n_features).

    They are within one standard deviation of the mean.

    Parameters
    ----------
    coordinates : ndarray of shape (n_units, 2)
        Horizontal and vertical position of the units.
    mean : ndarray of shape (n_features,)
    axes : ndarray of shape (2, n_features)
        The first one is that of the longer side.
    """
    low, high = coordinates.min(axis=0), coordinates.max(axis=0)
    length = high - low
    position = (2 * coordinates - low - high) / np.where(length > 0, length, 1.0)
    is_tall = length[1] > length[0]
    return mean + position @ (axes[::-1] if is_tall else axes)


def random_weights(parts, n_units, mean, rng):
    """Draw unit weights from a normal distribution; (n_units, n_features).

    Mean and standard deviation of each feature are those of the samples.
    """
    variance = parts.sums(lambda x, weight: weight @ x**2, mean) / parts.observed_weights()
    return mean + rng.standard_normal((n_units, parts.n_features)) * np.sqrt(variance)
