"""Features divided by their spread, with large values compressed."""

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import torch

from skdeep._preprocessing._distribution import distinct_values, quantile_levels, sample_columns
from skdeep._preprocessing._scaler import Scaler
from skdeep.utils._slabs import dense

#: Scaled values lie between minus and plus this number.
LIMIT = 3.0
# A compressed value at which ``inverse`` ends, as no number is mapped to the limit itself.
_LARGEST = LIMIT * (1 - 1e-12)
#: Distance in interquartile ranges that is compressed to the limit; its square is finite, and it is
#: a float32, as all constants of an ONNX graph.
FAR = 1e30


@dataclass(eq=False, repr=False)
class RobustScaler(Scaler, kind="robust"):
    """Subtracts medians, divides by interquartile ranges and compresses large values [1]_.

    A scaled value z becomes ``z / sqrt(1 + (z / 3)^2)``, which is close to z near zero and within
    +-3 everywhere. A feature whose interquartile range is zero is divided by half of its range.

    Parameters
    ----------
    center, scale : ndarray of shape (n_features,)
        The scale of a constant feature is infinite.

    References
    ----------
    .. [1] Holzmüller et al. (2024), "Better by Default: Strong Pre-Tuned MLPs and Boosted Trees on
       Tabular Data", NeurIPS.
    """

    ignores_missing: ClassVar[bool] = True

    center: np.ndarray
    scale: np.ndarray

    @classmethod
    def fit(cls, X, sample_weight=None, *, rng, read=dense):
        """Learn the quartiles of each feature; the arguments are those of ``sample_columns``.

        NaN is ignored. The median of a feature without other values is zero.
        """
        columns, weight = sample_columns(X, sample_weight, rng, read)
        found = np.array([_center_and_scale(column, weight) for column in columns])
        center, scale = found.reshape(-1, 2).T
        return cls(center.copy(), scale.copy())

    @property
    def width(self):
        """Number of columns of what ``to_tensor`` returns."""
        return len(self.center)

    def to_tensor(self, X):
        """Scale samples, (n, n_features) array -> (n, n_features) float32 tensor."""
        with np.errstate(over="ignore", invalid="ignore"):
            scaled = (np.subtract(X, self.center, dtype=np.float64) / self.scale).clip(-FAR, FAR)
        scaled[:, np.isinf(self.scale)] = 0.0  # infinite differences are not a number there
        compressed = scaled / np.sqrt(1.0 + np.square(scaled / LIMIT))
        return torch.from_numpy(np.ascontiguousarray(compressed, dtype=np.float32))

    def inverse(self, array):
        """Bring an array of shape (n, n_features) back to the units of the data, float64."""
        compressed = np.asarray(array, dtype=np.float64).clip(-_LARGEST, _LARGEST)
        scaled = compressed / np.sqrt(1.0 - np.square(compressed / LIMIT))
        return scaled * np.where(np.isinf(self.scale), 0.0, self.scale) + self.center


def _center_and_scale(column, weight):
    """Median, and interquartile range or half of the range; infinite for a constant column."""
    is_known = ~np.isnan(column)
    if not is_known.any():
        return 0.0, np.inf
    column, weight = column[is_known], None if weight is None else weight[is_known]
    values, levels = quantile_levels(column, weight)
    quartiles = np.array([0.25, 0.5, 0.75])
    _, mass = distinct_values(column.astype(np.float64), weight)
    # slightly earlier, so that rounding of the weights does not count
    steps = values[np.searchsorted(np.cumsum(mass) / mass.sum(), quartiles - 1e-9)]
    # a quarter of the values, as differences of the largest numbers are infinite
    if steps[0] < steps[2]:
        low, center, high = np.interp(quartiles, levels, values / 4)
        scale = high - low
    else:  # half of the samples or more have one value
        center, scale = steps[1] / 4, (values[-1] / 4 - values[0] / 4) / 2
    return 4 * center, 4 * min(scale, np.finfo(np.float64).max / 4) if scale > 0 else np.inf
