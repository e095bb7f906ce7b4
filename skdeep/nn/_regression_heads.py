"""What a regression net predicts of each target: a number, quantiles or a normal distribution."""

import itertools
import math
from abc import ABC, abstractmethod
from collections.abc import Callable
from statistics import NormalDist
from typing import ClassVar

import torch
from torch.nn import functional as F

from skdeep.nn import losses
from skdeep.nn._elementwise import in_whole_vectors

#: Point losses by name.
POINT_LOSSES: dict[str, Callable[..., torch.Tensor]] = {
    "squared_error": losses.squared_error,
    "absolute_error": losses.absolute_error,
    "huber": losses.huber,
    "quantile": losses.pinball,
}

#: Smallest standard deviation, as a fraction of that of the targets. The likelihood of targets that
#: can be predicted exactly would otherwise be unbounded. The largest one is its reciprocal.
STD_FLOOR = 1e-3
# Initial standard deviation for constant targets, whose scale is one.
_STD_OF_CONSTANTS = 1e-2
# Initial distance between quantiles of constant targets: softplus is positive.
_ALMOST_ZERO = 1e-6

_normal_quantile = NormalDist().inv_cdf


class RegressionHead(ABC):
    """Meaning of the outputs of a net for standardized targets.

    Outputs of a net have the shape (..., n_outputs * width), results (..., n_outputs, width).
    """

    #: number of outputs of the net per target
    width: int
    #: whether the results are quantiles, of the levels ``levels``
    levels: tuple[float, ...] | None = None
    #: whether the results are mean and standard deviation
    has_std: ClassVar[bool] = False

    @abstractmethod
    def loss(self, raw, y):
        """Return the loss of each sample; (..., n_outputs * width), (..., n_outputs) -> (...)."""

    @abstractmethod
    def results(self, raw):
        """Map outputs of a net to results, in units of the standardized targets."""

    def point(self, results):
        """Return one number per target: the mean, or the quantile that is closest to the median.

        Parameters
        ----------
        results : ndarray or Tensor of shape (..., n_outputs, width)
        """
        if self.levels is None:
            return results[..., 0]
        return interpolate(results, self.levels, min(max(0.5, self.levels[0]), self.levels[-1]))

    @abstractmethod
    def baseline(self, *, is_constant):
        """Return the outputs of a net before training, for one standardized target.

        They are those of a standard normal distribution, unless the target is constant.

        Returns
        -------
        outputs : tuple of float, length width
        """


class PointHead(RegressionHead):
    """One number, such as the mean or a single quantile.

    Parameters
    ----------
    name : str
        Key of ``POINT_LOSSES``.
    level : float or None
        Level of the quantile, for ``"quantile"``.
    """

    width = 1

    def __init__(self, name, level=None):
        self.name = name
        self.options = {} if level is None else {"quantile": level}
        self.levels = None if level is None else (level,)

    def loss(self, raw, y):
        """Return the loss of each sample."""
        return POINT_LOSSES[self.name](raw, y, **self.options)

    def results(self, raw):
        """Map outputs of a net to results."""
        return raw.unsqueeze(-1)

    def baseline(self, *, is_constant):
        """Return zero, the mean of standardized targets."""
        return (0.0,)


class QuantileHead(RegressionHead):
    """Several quantiles that cannot cross.

    The net returns the middle quantile and, mapped by softplus, the distances between neighbors.

    Parameters
    ----------
    levels : tuple of float
        Increasing.
    """

    levels: tuple[float, ...]

    def __init__(self, levels):
        self.levels = levels
        self.width = len(levels)
        self.middle = (self.width - 1) // 2

    def loss(self, raw, y):
        """Return the mean pinball loss over outputs and quantiles."""
        levels = raw.new_tensor(self.levels)
        return losses.pinball(self.results(raw), y.unsqueeze(-1), levels).mean(dim=-1)

    def results(self, raw):
        """Return quantiles in increasing order."""
        steps = in_whole_vectors(F.softplus, raw.contiguous()).unflatten(-1, (-1, self.width))
        below, above = steps[..., : self.middle], steps[..., self.middle + 1 :]
        middle = raw.unflatten(-1, (-1, self.width))[..., self.middle : self.middle + 1]
        below = below.flip(-1).cumsum(dim=-1).flip(-1)
        return torch.cat([middle - below, middle, middle + above.cumsum(dim=-1)], dim=-1)

    def baseline(self, *, is_constant):
        """Return the quantiles of the standard normal distribution, or almost zero."""
        # NOTE: not the quantiles of the targets, which can be targets themselves. The gradient of
        # the loss has a jump there, so that rounding errors would grow.
        values = [0.0 if is_constant else _normal_quantile(level) for level in self.levels]
        steps = [
            _inverse_softplus(max(high - low, _ALMOST_ZERO))
            for low, high in itertools.pairwise(values)
        ]
        return (*steps[: self.middle], values[self.middle], *steps[self.middle :])


class GaussianHead(RegressionHead):
    """Mean and standard deviation of a normal distribution.

    The net returns the mean and, mapped by softplus, the reciprocal of the standard deviation.
    """

    # NOTE[DIFF]: Nix and Weigend have the logarithm of the variance. Nets then overfit to small
    # standard deviations: with the reciprocal, the log-likelihood of new samples is higher by .7 on
    # diabetes and by .17 on 2000 samples of California housing.

    width = 2
    has_std = True

    def loss(self, raw, y):
        """Return the mean negative log-likelihood over outputs."""
        mean, scale = raw.unflatten(-1, (-1, 2)).movedim(-1, 0).contiguous()
        return in_whole_vectors(_likelihood_of_entries, mean, scale, y).mean(dim=-1)

    def results(self, raw):
        """Return mean and standard deviation."""
        std = in_whole_vectors(_std, raw.contiguous())
        mean, std = (part.unflatten(-1, (-1, 2)) for part in (raw, std))
        return torch.stack([mean[..., 0], std[..., 1]], dim=-1)

    def baseline(self, *, is_constant):
        """Return mean zero and standard deviation one, or a small one for a constant target."""
        std = _STD_OF_CONSTANTS if is_constant else 1.0
        return (0.0, _inverse_softplus(1 / (std - STD_FLOOR) - STD_FLOOR))


def _std(scale):
    return STD_FLOOR + 1 / (STD_FLOOR + F.softplus(scale))


def _likelihood_of_entries(mean, scale, y):
    return losses.gaussian_error(mean, _std(scale), y)


def _inverse_softplus(x):
    """Return the number that softplus maps to ``x`` > 0."""
    return x + math.log(-math.expm1(-x))


def make_head(hyperparameters):
    """Make the head for ``loss`` and ``quantile``, a number or a tuple of numbers."""
    name, quantile = hyperparameters["loss"], hyperparameters["quantile"]
    if name == "gaussian":
        return GaussianHead()
    if name != "quantile":
        return PointHead(name)
    return QuantileHead(quantile) if isinstance(quantile, tuple) else PointHead(name, quantile)


def interpolate(values, fitted, level):
    """Interpolate between quantiles, linearly in the quantiles of the normal distribution.

    It is exact if targets are normally distributed. Quantiles at fitted levels are unchanged.

    Parameters
    ----------
    values : ndarray or Tensor of shape (..., n_quantiles)
        Quantiles in increasing order.
    fitted : tuple of float
        Their levels.
    level : float
        Level of the result, within the range of ``fitted``.

    Returns
    -------
    quantile : ndarray or Tensor of shape (...)
    """
    index = max(number for number, one in enumerate(fitted) if one <= level)
    low = values[..., index]
    if fitted[index] == level:
        return low
    below, wanted, above = map(_normal_quantile, (fitted[index], level, fitted[index + 1]))
    high = values[..., index + 1]
    # at most high, whatever is rounded
    return (low + (high - low) * ((wanted - below) / (above - below))).clip(max=high)
