"""Dropout and corruption with explicit generators."""

import torch
from torch import nn

from skdeep.nn._draw import draw

#: Kinds of corruption.
CORRUPTIONS = ("gaussian", "masking")

# On a CPU, an entry is kept if a random 16-bit number is small enough, which is faster than
# ``bernoulli_`` (benchmarks/dropout.py). Rates are multiples of 1 / _LEVELS.
_LEVELS = 2**16


def _draw_mask(x, rate, generator, *, is_scaled):
    """Draw a mask of zeros with probability ``rate`` and of ones otherwise.

    Parameters
    ----------
    x : Tensor
        Tensor whose shape the mask has.
    rate : float, or tuple of float, one for each member of a stack
    generator : torch.Generator or MemberGenerators
    is_scaled : bool
        Whether the nonzero entries are scaled so that the mean is one.

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
    """Make the members' values broadcast with ``x``; a single value is returned unchanged."""
    if len(values) == 1:
        return values[0]
    return x.new_tensor(values).view(-1, *(1,) * (x.ndim - 1))


def _fill_words(part, rate, generator):
    """Fill with random bits; the rate is not used."""
    part.random_(-(2**63), None, generator=generator)


def _fill_mask(part, rate, generator):
    """Fill with zeros with probability ``rate``, else ones."""
    part.bernoulli_(1 - rate, generator=generator)


def _fill_scaled_mask(part, rate, generator):
    """Fill with zeros with probability ``rate``, else with the value that makes the mean one."""
    part.bernoulli_(1 - rate, generator=generator).div_(1 - rate)


def _fill_noise(part, amount, generator):
    """Fill with Gaussian noise of standard deviation ``amount``."""
    part.normal_(generator=generator).mul_(amount)


def corrupt(x, amount, kind, generator):
    """Return a corrupted copy of ``x`` as the input of a denoising autoencoder [1]_.

    Parameters
    ----------
    x : Tensor, shape (batch, n_features)
    amount : float
        Standard deviation of additive noise (``"gaussian"``), or fraction of the entries that are
        set to zero (``"masking"``).
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
    """Zeroes entries with probability ``rate`` during training and scales up the others.

    **Shape**: (batch, ...) -> (batch, ...)

    Parameters
    ----------
    rate : float in [0, 1)
        On a CPU, rounded to a multiple of 2 ** -16.
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
