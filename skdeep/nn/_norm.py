"""Normalization layers for dense and convolutional nets."""

import torch
from torch import nn
from torch.nn import functional as F


class BatchNorm(nn.Module):
    """Batch normalization over rows, or over rows and pixels.

    A training batch with a single value per channel has no variance. It is normalized with the
    running statistics, which are not updated.

    **Shape**: (batch, channels) or (batch, channels, height, width) -> the same

    Parameters
    ----------
    channels : int
    momentum : float, default=0.1
        Weight of the current batch in the running mean and variance.
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
        self.weight = nn.Parameter(torch.ones(channels, dtype=torch.float32))
        self.bias = nn.Parameter(torch.zeros(channels, dtype=torch.float32))
        self.register_buffer("running_mean", torch.zeros(channels, dtype=torch.float32))
        self.register_buffer("running_var", torch.ones(channels, dtype=torch.float32))

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


class LayerNorm(nn.Module):
    """Layer normalization of each row, or of each image over all channels.

    **Shape**: (batch, channels) or (batch, channels, height, width) -> the same

    Parameters
    ----------
    channels : int
    eps : float, default=1e-5

    References
    ----------
    .. [1] Ba, Kiros and Hinton (2016), "Layer Normalization", arXiv:1607.06450.
    """

    def __init__(self, channels, *, eps=1e-5):
        super().__init__()
        self.eps = eps
        self.weight = nn.Parameter(torch.ones(channels, dtype=torch.float32))
        self.bias = nn.Parameter(torch.zeros(channels, dtype=torch.float32))

    def forward(self, x):
        """(batch, channels, ...) -> (batch, channels, ...)."""
        x = F.layer_norm(x, x.shape[1:], eps=self.eps)
        # the same operation as in a stack of nets, where each net has its own weights
        shape = (-1,) + (1,) * (x.ndim - 2)
        return torch.addcmul(self.bias.view(shape), x, self.weight.view(shape))


#: Normalization layers by name.
NORMS = {"batch": BatchNorm, "layer": LayerNorm}


def make_norm(name, channels):
    """Make a normalization layer by name; None for None."""
    return None if name is None else NORMS[name](channels)
