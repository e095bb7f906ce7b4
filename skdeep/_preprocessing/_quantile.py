"""Features mapped to the standard normal distribution by their ranks, or scaled linearly."""

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import torch
from scipy.special import ndtri

from skdeep._preprocessing._distribution import quantile_levels, sample_columns
from skdeep._preprocessing._scaler import Scaler
from skdeep.utils._slabs import dense

# Maximum number of points of a feature's distribution function.
_MAX_KNOTS = 1000


@dataclass(eq=False, repr=False)
class QuantileScaler(Scaler, kind="quantile"):
    """Maps each feature to the standard normal distribution by its ranks.

    The map takes the distribution of the training samples to the standard normal one; ties go to
    the middle of their step. It is linear between training values and constant outside of them.
    Unlike scikit-learn's ``QuantileTransformer`` it supports weights: a sample of weight two counts
    as the sample twice.

    Parameters
    ----------
    values, positions : list of ndarray, length n_features
        Values of each feature, ascending, and what they are mapped to.
    """

    scaling: ClassVar[str] = "quantile"

    values: list[np.ndarray]
    positions: list[np.ndarray]

    @classmethod
    def fit(cls, X, sample_weight=None, *, rng, read=dense):
        """Learn the distribution of each feature; the arguments are those of ``sample_columns``."""
        columns, weight = sample_columns(X, sample_weight, rng, read)
        knots = [_normal_positions(column, weight) for column in columns]
        # features without ties share their positions, which are stored once
        distinct = {positions.tobytes(): positions for _, positions in knots}
        return cls(
            [values for values, _ in knots],
            [distinct[positions.tobytes()] for _, positions in knots],
        )

    @property
    def width(self):
        """Number of columns of what ``to_tensor`` returns."""
        return len(self.values)

    def to_tensor(self, X):
        """Scale samples, (n, n_features) array -> (n, n_features) float32 tensor."""
        result = np.empty(X.shape, dtype=np.float32)
        columns = X.T.astype(np.float64, copy=False)
        for column, values, positions, scaled in zip(
            columns, self.values, self.positions, result.T, strict=True
        ):
            scaled[:] = np.interp(column, values, positions)
        return torch.from_numpy(result)

    def inverse(self, array):
        """Bring an array of shape (n, n_features) back to the units of the data, float64."""
        result = np.empty(array.shape)
        for number, (values, positions) in enumerate(zip(self.values, self.positions, strict=True)):
            result[:, number] = np.interp(array[:, number], positions, values)
        return result


def _normal_positions(column, weight):
    """Values of a feature and the standard normal quantiles that they are mapped to."""
    values, levels = quantile_levels(column, weight)
    if len(values) > _MAX_KNOTS:
        wanted = np.linspace(levels[0], levels[-1], _MAX_KNOTS)
        knots = np.unique(np.searchsorted(levels, wanted).clip(max=len(values) - 1))
        values, levels = values[knots], levels[knots]
    return values, ndtri(levels)
