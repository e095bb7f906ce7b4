"""Tables with missing numbers and categories as input for a net that fills them in, and back."""

from dataclasses import dataclass

import numpy as np
import torch

from skdeep._preprocessing._distribution import sample_rows
from skdeep._preprocessing._gaussian import fit_gaussian
from skdeep._preprocessing._linear import LinearScaler
from skdeep._preprocessing._scaler import Scaler, scaler_from_state
from skdeep._preprocessing._table import make_code_map
from skdeep.utils._slabs import dense, slabs

# With more columns than this, covariances take too long to invert.
_MOST_COVARIANCES = 100
# Multiply-adds of their inversion in all rows; they are learned from fewer rows if necessary.
_MOST_PRODUCTS = 2e9


@dataclass(eq=False, repr=False)
class GapScaler(Scaler, kind="gaps"):
    """Scales observed numbers, marks them, and recodes categories.

    The columns of the result: numbers, zero if missing; for each number one if it is observed, else
    zero; category codes, zero if missing.

    Parameters
    ----------
    numbers : LinearScaler
        Scaler of the numeric columns, learned from their observed entries.
    numeric, categorical : ndarray of int
        Indices of the numeric and of the categorical columns that have an observed entry.
    code_maps : list of ndarray of int
        New code of each code of a categorical column, 0 for codes that were not in training.
    low, high : ndarray of shape (n_numeric,)
        Smallest and largest observed number of each numeric column.
    rates : tuple of float
        Fraction of missing entries of each column: first the numeric, then the categorical ones.
    baseline : tuple of float
        Logarithms of the frequencies of all categories, column by column.
    gaussian : (tuple, tuple) or None
        Mean and covariance of the scaled numbers; None for very many columns.
    """

    numbers: Scaler
    numeric: np.ndarray
    categorical: np.ndarray
    code_maps: list[np.ndarray]
    low: np.ndarray
    high: np.ndarray
    rates: tuple[float, ...]
    baseline: tuple[float, ...] = ()
    gaussian: tuple[tuple, tuple] | None = None

    @classmethod
    def fit(cls, X, sample_weight=None, *, rng, is_categorical=None):
        """Learn scales, codes, bounds, rates and covariances from the observed entries.

        Parameters
        ----------
        X : ndarray of shape (n_samples, n_features)
            NaN for missing numbers; codes of categories, 0 for missing ones.
        sample_weight : ndarray of shape (n_samples,) or None
            Samples of weight zero are ignored.
        rng : numpy.random.Generator
            Chooses the samples that covariances are learned from.
        is_categorical : ndarray of bool or None
        """
        if is_categorical is None:
            is_categorical = np.zeros(X.shape[1], dtype=bool)
        rates, has_entries = _missing_rates(X, sample_weight, is_categorical)
        numeric = np.flatnonzero(~is_categorical & has_entries)
        categorical = np.flatnonzero(is_categorical & has_entries)
        fits = [_fit_column(X, column, sample_weight) for column in numeric]
        bounds = np.array([bounds for _, bounds in fits]).reshape(-1, 2)
        code_maps = [make_code_map(X[:, column], sample_weight) for column in categorical]
        scaler = cls(
            _merge([scaler for scaler, _ in fits]),
            numeric,
            categorical,
            code_maps,
            bounds[:, 0],
            bounds[:, 1],
            tuple(rates[np.concatenate([numeric, categorical])].tolist()),
            tuple(
                log_frequency
                for column, codes in zip(categorical, code_maps, strict=True)
                for log_frequency in _log_frequencies(
                    codes[X[:, column].astype(int)], sample_weight
                )
            ),
        )
        if 0 < len(numeric) <= _MOST_COVARIANCES:
            scaler._learn_covariances(X, sample_weight, rng)
        return scaler

    def _learn_covariances(self, X, sample_weight, rng):
        rows = sample_rows(X, sample_weight, rng)
        n_numeric = len(self.numeric)
        limit = max(10 * n_numeric, int(_MOST_PRODUCTS / n_numeric**3))
        if len(rows) > limit:
            rows = np.sort(rng.choice(rows, limit, replace=False))
        weight = np.ones(len(rows)) if sample_weight is None else sample_weight[rows]
        scaled = self.to_tensor(X[rows]).numpy()[:, : 2 * n_numeric].astype(np.float64)
        mean, covariance = fit_gaussian(scaled[:, :n_numeric], scaled[:, n_numeric:], weight)
        self.gaussian = tuple(mean.tolist()), tuple(map(tuple, covariance.tolist()))

    @property
    def cardinalities(self):
        """Number of categories in training, for each categorical column."""
        return tuple(int(one.max()) for one in self.code_maps)

    @property
    def columns(self):
        """Indices of the columns, in the order of the outputs of a net."""
        return np.concatenate([self.numeric, self.categorical])

    @property
    def width(self):
        """Number of columns of what ``to_tensor`` returns."""
        return 2 * len(self.numeric) + len(self.categorical)

    def to_tensor(self, X):
        """Scale samples, (n, n_features) array -> (n, width) float32 tensor."""
        n_numeric = len(self.numeric)
        result = torch.zeros((len(X), self.width), dtype=torch.float32)
        if n_numeric:
            numbers = X if n_numeric == X.shape[1] else X[:, self.numeric]
            is_observed = ~np.isnan(numbers)
            scaled = self.numbers.to_tensor(np.where(is_observed, numbers, self._middle(numbers)))
            mask = torch.from_numpy(is_observed)
            result[:, :n_numeric] = torch.where(mask, scaled, 0.0)
            result[:, n_numeric : 2 * n_numeric] = mask
        for place, column in enumerate(self.categorical, start=2 * n_numeric):
            codes = self.code_maps[place - 2 * n_numeric][X[:, column].astype(int)]
            result[:, place] = torch.from_numpy(codes)
        return result

    def _middle(self, numbers):
        """Return a number of each column in the dtype of the data, in place of missing ones."""
        return (self.low / 2 + self.high / 2).astype(numbers.dtype)

    def inverse(self, array):
        """Bring outputs of a net back to numbers within bounds and codes of categories.

        (n, n_columns) array -> the same, float64.
        """
        n_numeric = len(self.numeric)
        result = np.empty(array.shape)
        numbers = self.numbers.inverse(array[:, :n_numeric])
        result[:, :n_numeric] = np.clip(numbers, self.low, self.high)
        for place, one in enumerate(self.code_maps, start=n_numeric):
            codes = np.flatnonzero(one)  # in the order of the new codes
            result[:, place] = codes[array[:, place].astype(int) - 1]
        return result

    def state(self):
        """Plain values from which ``scaler_from_state`` rebuilds the scaler."""
        return {**super().state(), "numbers": self.numbers.state()}

    @classmethod
    def _from_state(cls, state):
        return cls(**{**state, "numbers": scaler_from_state(state["numbers"])})


def find_gaps(X, is_categorical=None):
    """Find missing entries, slab by slab.

    Parameters
    ----------
    X : ndarray of shape (n_samples, n_features)
        NaN for missing numbers; codes of categories, 0 for missing ones.
    is_categorical : ndarray of bool or None

    Yields
    ------
    rows : slice
    is_missing : ndarray of bool of shape (n_rows, n_features)
    """
    for rows in slabs(X):
        part = dense(X, rows)
        is_missing = np.isnan(part)
        if is_categorical is not None:
            is_missing[:, is_categorical] = part[:, is_categorical] == 0
        yield rows, is_missing


def _missing_rates(X, sample_weight, is_categorical):
    """Weighted fraction of missing entries of each column, and whether it has an observed one."""
    missing, has_entries = np.zeros(X.shape[1]), np.zeros(X.shape[1], dtype=bool)
    total = 0.0
    for rows, is_missing in find_gaps(X, is_categorical):
        weight = np.ones(len(is_missing)) if sample_weight is None else sample_weight[rows]
        missing += weight @ is_missing
        has_entries |= ~is_missing[weight > 0].all(axis=0)
        total += weight.sum()
    return missing / total, has_entries


def _fit_column(X, column, sample_weight):
    """Scaler and bounds of the observed numbers of a column."""
    values = np.asarray(X[:, column])
    kept = ~np.isnan(values)
    if sample_weight is not None:
        kept &= sample_weight > 0
    weight = None if sample_weight is None else sample_weight[kept]
    values = values[kept].reshape(-1, 1)
    scaler = LinearScaler.fit(values, weight, scaling="standard")
    return scaler, (float(values.min()), float(values.max()))


def _log_frequencies(codes, sample_weight):
    """Logarithms of the frequencies of the codes from one on."""
    mass = np.bincount(codes, weights=sample_weight)[1:]
    return np.log(mass / mass.sum()).tolist()


def _merge(scalers):
    """Make a scaler of several columns from the scalers of each."""
    mean, scale = (
        np.concatenate([np.empty(0), *(getattr(one, name) for one in scalers)])
        for name in ("mean", "scale")
    )
    return LinearScaler(len(scalers), mean, scale, "standard")
