"""Random masks and noise; every draw has a generator."""

import torch
from torch import nn

from skdeep.nn._draw import draw

__all__ = ["CORRUPTIONS", "Dropout", "corrupt"]

#: What ``corrupt`` can do.
CORRUPTIONS = ("gaussian", "masking")

# On a CPU an entry is kept where a random number of 16 bits is small enough, which takes less time
# than ``bernoulli_`` (benchmarks/dropout.py). Rates are multiples of 1 / _LEVELS.
_LEVELS = 2**16


def _draw_mask(x, rate, generator, *, is_scaled):
    """Zeros with probability ``rate``, else ones, or what keeps the mean at one.

    Parameters
    ----------
    x : Tensor
        The mask has its shape.
    rate : float, or tuple of float, one for each member of a stack
    generator : torch.Generator or MemberGenerators
    is_scaled : bool

    Returns
    -------
    mask : Tensor
    """
    if x.device.type != "cpu":
        fill = _fill_scaled_mask if is_scaled else _fill_mask
        return draw(fill, x, rate, generator, idle=1.0)
    words = x.new_empty((*x.shape[:-1], -(-x.shape[-1] // 4)), dtype=torch.int64)
    words = draw(_fill_words, words, rate, generator, idle=0)
    levels = words.view(torch.int16)[..., : x.shape[-1]]
    rates = rate if isinstance(rate, tuple) else (rate,)
    n_kept = [max(1, round((1 - one) * _LEVELS)) for one in rates]
    bounds = _column([number - 1 - _LEVELS // 2 for number in n_kept], levels)
    mask = torch.le(levels, bounds, out=torch.empty_like(x))
    return mask.div_(_column([number / _LEVELS for number in n_kept], x)) if is_scaled else mask


def _column(values, x):
    """Values of the members in the rank of ``x``; a single one as it is."""
    if len(values) == 1:
        return values[0]
    return x.new_tensor(values).view(-1, *(1,) * (x.ndim - 1))


def _fill_words(part, rate, generator):
    """Random bits, whatever the rate."""
    part.random_(-(2**63), None, generator=generator)


def _fill_mask(part, rate, generator):
    """Zeros with probability ``rate``, else ones."""
    part.bernoulli_(1 - rate, generator=generator)


def _fill_scaled_mask(part, rate, generator):
    """Zeros with probability ``rate``, else what keeps the mean at one."""
    part.bernoulli_(1 - rate, generator=generator).div_(1 - rate)


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
        return x * _draw_mask(x, amount, generator, is_scaled=False)
    return x + draw(_fill_noise, x, amount, generator, idle=0.0)


class Dropout(nn.Module):
    """Zeroes entries with probability ``rate`` during training and scales the others up.

    **Shape**: (batch, ...) -> (batch, ...)

    Parameters
    ----------
    rate : float in [0, 1)
        On a CPU rounded to a multiple of 2 ** -16.
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
        return x * _draw_mask(x, self.rate, self.generator, is_scaled=True)
