"""A net that predicts how much noise was added to a sample."""

import itertools
from typing import NamedTuple

import numpy as np
import torch
from torch import nn

from skdeep.nn._activation import ACTIVATIONS
from skdeep.nn._draw import draw
from skdeep.nn._dropout import Dropout
from skdeep.nn._linear import Linear

# Variance that the first and the last step of the diffusion add.
_FIRST, _LAST = 1e-4, 1e-2


def noise_levels(n_steps):
    r"""Return the standard deviation of the noise after each step of the diffusion, (n_steps,).

    :math:`\sigma_t = (1 - \prod_{s \le t} (1 - \beta_s))^{1/2}` with :math:`\beta` linear in
    :math:`t`.
    """
    return np.sqrt(1 - np.cumprod(1 - np.linspace(_FIRST, _LAST, n_steps)))


class DiffusionTimeOutput(NamedTuple):
    """Output of the forward pass of ``DiffusionTimeNet``."""

    #: (batch, n_bins)
    logits: torch.Tensor
    #: (batch,) int, the bin of the step up to which noise was added
    bins: torch.Tensor


class DiffusionTimeNet(nn.Module):
    """Classifier of the step of a diffusion, in bins.

    **Shape**: (batch, n_features) -> ``DiffusionTimeOutput``

    Parameters
    ----------
    n_features : int
    streams : dict of str to torch.Generator
    hidden_layer_sizes : tuple of int
    activation : str
        Key of ``ACTIVATIONS``.
    dropout : float
        Fraction of the units of all hidden layers but the first one that are set to zero.
    n_steps, n_bins : int
    """

    levels: torch.Tensor

    def __init__(
        self, n_features, streams, *, hidden_layer_sizes, activation, dropout, n_steps, n_bins
    ):
        super().__init__()
        widths = n_features, *hidden_layer_sizes
        layers: list[nn.Module] = []
        for number, pair in enumerate(itertools.pairwise(widths)):
            layers += [Linear(*pair, generator=streams["weights"]), ACTIVATIONS[activation]()]
            if number and dropout:
                layers.append(Dropout(dropout, generator=streams["dropout"]))
        last = Linear(widths[-1], n_bins, generator=streams["weights"])
        self.layers = nn.Sequential(*layers, last)
        self.n_bins = n_bins
        self.n_steps = n_steps
        self.generator = streams["noise"]
        levels = torch.tensor(noise_levels(n_steps), dtype=torch.float32)
        self.register_buffer("levels", levels, persistent=False)

    def predict(self, x):
        """(batch, n_features) -> (batch, 1), expected bin as a fraction of the last one."""
        p = self.layers(x).softmax(dim=-1)
        bins = torch.linspace(0, 1, self.n_bins, dtype=x.dtype, device=x.device)
        return (p * bins).sum(dim=-1, keepdim=True)

    def forward(self, x):
        """(batch, n_features) -> DiffusionTimeOutput, of samples to which noise is added."""
        share = draw(_fill_uniform, x[..., :1], 1.0, self.generator, idle=0.0)
        step = (share * self.n_steps).long().clamp(max=self.n_steps - 1)  # (batch, 1)
        noise = draw(_fill_normal, x, 1.0, self.generator, idle=0.0)
        level = self.levels.gather(-1, step.flatten(-2)).unsqueeze(-1)
        bins = step.squeeze(-1) * self.n_bins // self.n_steps
        return DiffusionTimeOutput(self.layers(x + level * noise), bins)


def _fill_uniform(part, amount, generator):
    part.uniform_(generator=generator)


def _fill_normal(part, amount, generator):
    part.normal_(generator=generator)
