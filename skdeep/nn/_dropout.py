"""Random masks and noise; every draw has a generator."""

import torch
from torch import nn

__all__ = ["CORRUPTIONS", "Dropout", "corrupt", "keep_mask"]

#: What ``corrupt`` can do.
CORRUPTIONS = ("gaussian", "masking")


def keep_mask(x, rate, generator):
    """Zeros with probability ``rate``, else ones, in the shape of ``x``."""
    return torch.empty_like(x).bernoulli_(1 - rate, generator=generator)


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
        return x * keep_mask(x, amount, generator)
    return x + amount * torch.empty_like(x).normal_(generator=generator)


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
        return x * keep_mask(x, self.rate, self.generator).div_(1 - self.rate)
