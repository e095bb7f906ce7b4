"""Random masks and noise; every draw has a generator."""

import torch
from torch import nn

from skdeep.nn._draw import draw

__all__ = ["CORRUPTIONS", "Dropout", "corrupt"]

#: What ``corrupt`` can do.
CORRUPTIONS = ("gaussian", "masking")

# Numbers that 32 bits tell apart: an entry is kept where such a number is small enough. On a CPU a
# mask takes a third of the time of ``bernoulli_`` (benchmarks/dropout.py).
_LEVELS = 2**32


def _fill_mask(part, rate, generator):
    """Zeros with probability ``rate``, else ones."""
    if part.device.type != "cpu":
        part.bernoulli_(1 - rate, generator=generator)
        return
    words = torch.empty(-(-part.numel() // 2), dtype=torch.int64)
    words.random_(-(2**63), None, generator=generator)  # all 64 bits
    levels = words.view(torch.int32)[: part.numel()].view(part.shape)
    n_kept = max(1, round((1 - rate) * _LEVELS))
    torch.le(levels, n_kept - 1 - _LEVELS // 2, out=part)


def _fill_scaled_mask(part, rate, generator):
    """Zeros with probability ``rate``, else what keeps the mean at one."""
    _fill_mask(part, rate, generator)
    part.div_(1 - rate)


def _fill_noise(part, amount, generator):
    """Gaussian noise of that standard deviation."""
    part.normal_(generator=generator).mul_(amount)


def corrupt(x, amount, kind, generator):
    """Corrupted copy of ``x``, as denoising autoencoders see it [1]_.

    Parameters
    ----------
    x : Tensor, shape (batch, n_features)
    amount : float
        Standard deviation of the noise that is added (``"gaussian"``), or share of entries that
        are set to zero (``"masking"``).
    kind : {"gaussian", "masking"}
    generator : torch.Generator

    Returns
    -------
    corrupted : Tensor, shape (batch, n_features)

    References
    ----------
    .. [1] Vincent et al. (2008), "Extracting and Composing Robust Features with Denoising
       Autoencoders", ICML.
    """
    if kind == "masking":
        return x * draw(_fill_mask, x, amount, generator, idle=1.0)
    return x + draw(_fill_noise, x, amount, generator, idle=0.0)


class Dropout(nn.Module):
    """Zeroes entries with probability ``rate`` during training and scales the others up.

    **Shape**: (batch, ...) -> (batch, ...)

    Parameters
    ----------
    rate : float in [0, 1)
    generator : torch.Generator
        On the device of the data.
    """

    def __init__(self, rate, *, generator):
        super().__init__()
        self.rate = rate
        self.generator = generator

    def forward(self, x):
        """(batch, ...) -> (batch, ...), unchanged outside of training."""
        if not self.training or not self.rate:
            return x
        return x * draw(_fill_scaled_mask, x, self.rate, self.generator, idle=1.0)
