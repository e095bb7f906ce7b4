"""Batch normalisation that a batch of one row cannot break."""

import torch
from torch import nn
from torch.nn import functional as F

__all__ = ["BatchNorm"]


class BatchNorm(nn.Module):
    """Batch normalisation over rows, or over rows and pixels.

    A training batch that has a single value per channel has no variance; it is normalised by the
    running statistics, which it leaves as they are.

    **Shape**: (batch, channels) or (batch, channels, height, width) -> the same

    Parameters
    ----------
    channels : int
    momentum : float, default=0.1
        Weight of the newest batch in the running mean and variance.
    eps : float, default=1e-5

    References
    ----------
    .. [1] Ioffe and Szegedy (2015), "Batch Normalization: Accelerating Deep Network Training by
       Reducing Internal Covariate Shift", ICML.
    """

    running_mean: torch.Tensor
    running_var: torch.Tensor

    def __init__(self, channels, *, momentum=0.1, eps=1e-5):
        super().__init__()
        self.momentum = momentum
        self.eps = eps
        self.weight = nn.Parameter(torch.ones(channels))
        self.bias = nn.Parameter(torch.zeros(channels))
        self.register_buffer("running_mean", torch.zeros(channels))
        self.register_buffer("running_var", torch.ones(channels))

    def forward(self, x):
        """(batch, channels, ...) -> (batch, channels, ...)."""
        return F.batch_norm(
            x,
            self.running_mean,
            self.running_var,
            self.weight,
            self.bias,
            training=self.training and x.numel() > x.shape[1],
            momentum=self.momentum,
            eps=self.eps,
        )
