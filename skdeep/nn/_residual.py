"""Residual blocks: the identity plus a small net."""

from torch import nn

from skdeep.nn._activation import make_activation
from skdeep.nn._conv import Conv2d
from skdeep.nn._dropout import Dropout
from skdeep.nn._linear import Linear
from skdeep.nn._norm import BatchNorm

__all__ = ["ResidualBlock", "ResidualConvBlock"]


class ResidualBlock(nn.Module):
    """Dense residual block, ``x + W2 dropout(f(W1 norm(x)))``, as in [1]_.

    **Shape**: (batch, width) -> (batch, width)

    Parameters
    ----------
    width : int
    activation : str
        Key of ``ACTIVATIONS``.
    dropout : float
        Share of hidden entries that training zeroes.
    batch_norm : bool
    streams : dict of str to torch.Generator
        ``"weights"`` and ``"dropout"`` are read.

    References
    ----------
    .. [1] Gorishniy et al. (2021), "Revisiting Deep Learning Models for Tabular Data", NeurIPS.
    """

    def __init__(self, width, *, activation, dropout, batch_norm, streams):
        super().__init__()
        layers: list[nn.Module] = [BatchNorm(width)] if batch_norm else []
        layers += [
            Linear(width, width, generator=streams["weights"]),
            make_activation(activation),
        ]
        if dropout:
            layers.append(Dropout(dropout, generator=streams["dropout"]))
        layers.append(Linear(width, width, generator=streams["weights"]))
        self.branch = nn.Sequential(*layers)

    def forward(self, x):
        """(batch, width) -> (batch, width)."""
        return x + self.branch(x)


class ResidualConvBlock(nn.Module):
    """Convolutional residual block of two 3 x 3 convolutions in pre-activation order [1]_.

    **Shape**: (batch, channels, height, width) -> the same

    Parameters
    ----------
    channels : int
    activation : str
        Key of ``ACTIVATIONS``.
    batch_norm : bool
    streams : dict of str to torch.Generator
        ``"weights"`` is read.

    References
    ----------
    .. [1] He et al. (2016), "Identity Mappings in Deep Residual Networks", ECCV.
    """

    def __init__(self, channels, *, activation, batch_norm, streams):
        super().__init__()
        layers: list[nn.Module] = []
        for _ in range(2):
            layers += [BatchNorm(channels)] if batch_norm else []
            layers += [
                make_activation(activation),
                Conv2d(channels, channels, stride=1, generator=streams["weights"]),
            ]
        self.branch = nn.Sequential(*layers)

    def forward(self, x):
        """(batch, channels, height, width) -> the same."""
        return x + self.branch(x)
