"""Tables of numbers, missing numbers and category codes as input for a net."""

from dataclasses import dataclass

import numpy as np
import torch

from skdeep._preprocessing._distribution import bin_edges, sample_rows
from skdeep._preprocessing._features import feature_scaler_class, fit_feature_scaler
from skdeep._preprocessing._linear import LinearScaler, overflow_is_an_error
from skdeep._preprocessing._scaler import Scaler, scaler_from_state
from skdeep.utils._distinct import distinct_rows
from skdeep.utils._slabs import dense, slabs

# Bins of each column, in small tables and in others: narrow ones follow steps more closely, but
# each has fewer samples.
_N_BINS, _MANY_BINS = 48, 128
_MANY_ROWS = 2_500
# In standard deviations, squared still within float32. Targets that lie farther away have less than
# 1e-36 of all weight, if any.
_FARTHEST = 1e18


@dataclass(eq=False, repr=False)
class TableScaler(Scaler, kind="table"):
    """Scales numbers, imputes missing ones and adds indicators for them, and recodes categories.

    The columns of the result: first numbers, then missing indicators, then category codes.

    Parameters
    ----------
    numbers : LinearScaler, QuantileScaler or RobustScaler
        Scaler of the numeric columns.
    numeric, categorical : ndarray of int
        Indices of the numeric and of the categorical columns.
    fill : ndarray of shape (n_numeric,) or None
        Imputed for missing numbers; None if numbers must not be missing.
    marked : ndarray of int
        Indices among the numeric columns of those with a missing indicator.
    code_maps : list of ndarray of int
        New code of each code of a categorical column, 0 for codes that were not in training.
    gaps : tuple of bool
        Whether categories were missing in training, for each categorical column.
    bins : tuple of tuple of float
        Edges of bins for each numeric column, in scaled units; empty without ``has_bins``.
    target : LinearScaler or None
        Scaler of numeric targets; None for those that are encoded already.
    baseline : tuple of float
        Outputs that a net starts from.
    """

    numbers: Scaler
    numeric: np.ndarray
    categorical: np.ndarray
    fill: np.ndarray | None
    marked: np.ndarray
    code_maps: list[np.ndarray]
    gaps: tuple[bool, ...]
    bins: tuple[tuple[float, ...], ...] = ()
    target: LinearScaler | None = None
    baseline: tuple[float, ...] = ()

    @classmethod
    def fit(
        cls,
        X,
        sample_weight=None,
        *,
        rng,
        scaling="standard",
        is_categorical=None,
        fills_missing=False,
        has_bins=False,
    ):
        """Learn scales, imputed values, codes and bins.

        Parameters
        ----------
        X : ndarray or CSR matrix of shape (n_samples, n_features)
            Category codes in the categorical columns.
        sample_weight : ndarray of shape (n_samples,) or None
            Samples of weight zero are ignored.
        rng : numpy.random.Generator
            Chooses the samples that quantiles are learned from.
        scaling : {"global", "standard", "quantile", "robust", None}
            How numbers are scaled.
        is_categorical : ndarray of bool or None
        fills_missing : bool
            Whether numbers may be missing. They are imputed by the mean of their column, or by its
            median if ``scaling="robust"``, which is learned from the other numbers. Columns with
            missing numbers in training get a missing indicator.
        has_bins : bool
            Whether to compute ``bins``.
        """
        if is_categorical is None:
            is_categorical = np.zeros(X.shape[1], dtype=bool)
        numeric, categorical = np.flatnonzero(~is_categorical), np.flatnonzero(is_categorical)
        code_maps = [make_code_map(X[:, column], sample_weight) for column in categorical]
        gaps = tuple(_has_gap(X[:, column], sample_weight) for column in categorical)
        unscaled = LinearScaler(len(numeric))
        scaler = cls(unscaled, numeric, categorical, None, np.arange(0), code_maps, gaps)
        ignores_missing = len(numeric) > 0 and feature_scaler_class(scaling).ignores_missing
        if fills_missing:
            scaler._learn_gaps(X, sample_weight)
            if not ignores_missing:
                scaler._learn_means(X, sample_weight)
        if len(numeric):
            scaler.numbers = fit_feature_scaler(
                X, sample_weight, rng=rng, scaling=scaling, read=scaler._read
            )
        if fills_missing and ignores_missing:
            scaler.fill = scaler.numbers.center.copy()
        if has_bins:
            chosen = sample_rows(X, sample_weight, rng)
            weight = None if sample_weight is None else sample_weight[chosen]
            rows = scaler.to_tensor(dense(X, chosen)).numpy()
            # copies of a row count once, like a row of greater weight
            is_small = len(distinct_rows(rows)[0]) < _MANY_ROWS
            n_bins = _N_BINS if is_small else _MANY_BINS
            scaler.bins = tuple(
                bin_edges(column, weight, n_bins) for column in rows[:, : len(numeric)].T
            )
        return scaler

    @classmethod
    def of_numbers(cls, scaler):
        """Make a scaler of numeric columns only from a fitted one."""
        nothing = np.arange(0)
        return cls(scaler, np.arange(scaler.width), nothing, None, nothing, [], ())

    def _learn_gaps(self, X, sample_weight):
        """Find the numeric columns with missing numbers."""
        is_marked = np.zeros(len(self.numeric), dtype=bool)
        for rows in slabs(X):
            missing = np.isnan(dense(X, rows)[:, self.numeric])
            if sample_weight is not None:
                missing = missing[sample_weight[rows] > 0]
            is_marked |= missing.any(axis=0)
        self.marked = np.flatnonzero(is_marked)

    @overflow_is_an_error
    def _learn_means(self, X, sample_weight):
        """Find the mean of each numeric column, to be imputed."""
        total, mass = (np.zeros(len(self.numeric)) for _ in range(2))
        for rows in slabs(X):
            numbers = dense(X, rows)[:, self.numeric].astype(np.float64)
            weight = np.ones(len(numbers)) if sample_weight is None else sample_weight[rows]
            missing = np.isnan(numbers)
            total += weight @ np.where(missing, 0.0, numbers)
            mass += weight @ ~missing
        self.fill = total / np.where(mass > 0, mass, 1.0)

    def _read(self, X, rows):
        """Numbers of these rows, dense, missing ones imputed if it is known by what."""
        numbers = dense(X, rows)
        if len(self.categorical):
            numbers = numbers[:, self.numeric]
        return numbers if self.fill is None else np.where(np.isnan(numbers), self.fill, numbers)

    @property
    def cardinalities(self):
        """Number of categories in training, for each categorical column."""
        return tuple(int(code_map.max()) for code_map in self.code_maps)

    @property
    def width(self):
        """Number of columns of what ``to_tensor`` returns."""
        return len(self.numeric) + len(self.marked) + len(self.categorical)

    def to_tensor(self, X):
        """Scale samples, (n, n_features) array -> (n, width) float32 tensor."""
        everything = slice(None)
        numbers = self.numbers.to_tensor(self._read(X, everything))
        if not len(self.marked) and not len(self.categorical):
            return numbers
        parts = [numbers]
        if len(self.marked):
            marks = np.isnan(X[:, self.numeric[self.marked]])
            parts.append(torch.from_numpy(marks.astype(np.float32)))
        if len(self.categorical):
            codes = [
                code_map[X[:, column].astype(int)]
                for column, code_map in zip(self.categorical, self.code_maps, strict=True)
            ]
            parts.append(torch.from_numpy(np.stack(codes, axis=1).astype(np.float32)))
        return torch.cat(parts, dim=1)

    def targets(self, y):
        """Scale targets to the units of the loss, (n, n_outputs)."""
        if self.target is None:
            return y
        scaled = (y - self.target.mean) / self.target.scale
        return scaled.clip(-_FARTHEST, _FARTHEST).astype(np.float32)

    def inverse(self, array):
        """Raise ``NotImplementedError``: the tensor does not determine the samples."""
        raise NotImplementedError(
            "TableScaler has no inverse: the tensor does not tell which numbers were imputed, and "
            "all categories that were not in training have the same code."
        )

    def state(self):
        """Plain values from which ``scaler_from_state`` rebuilds the scaler."""
        nested = {"numbers": self.numbers, "target": self.target}
        states = {name: one and one.state() for name, one in nested.items()}
        return {**super().state(), **states}

    @classmethod
    def _from_state(cls, state):
        nested = {name: state[name] for name in ("numbers", "target")}
        scalers = {name: one and scaler_from_state(one) for name, one in nested.items()}
        return cls(**{**state, **scalers})


def make_code_map(codes, sample_weight):
    """Map codes of samples of positive weight to codes from one on, all others to 0."""
    codes = codes.astype(int)
    seen = np.unique(codes if sample_weight is None else codes[sample_weight > 0])
    seen = seen[seen > 0]
    code_map = np.zeros(codes.max() + 1, dtype=int)
    code_map[seen] = np.arange(1, len(seen) + 1)
    return code_map


def _has_gap(codes, sample_weight):
    """Whether the category of a sample of positive weight is missing."""
    return bool((codes[slice(None) if sample_weight is None else sample_weight > 0] == 0).any())
