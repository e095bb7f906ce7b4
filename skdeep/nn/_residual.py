"""Residual blocks."""

from torch import nn
from torch.nn import functional as F

from skdeep.nn._activation import ACTIVATIONS
from skdeep.nn._conv import Conv2d
from skdeep.nn._dropout import Dropout
from skdeep.nn._linear import Linear
from skdeep.nn._norm import BatchNorm, make_norm


def _sequence(*layers):
    """Make a sequence of the layers that are not None."""
    return nn.Sequential(*(layer for layer in layers if layer is not None))


class ResidualBlock(nn.Module):
    """Dense residual block, ``x + dropout(W2 dropout(f(W1 norm(x))))``, as in [1]_.

    **Shape**: (batch, width) -> (batch, width)

    Parameters
    ----------
    width : int
    hidden_width : int or None
        Width between the two layers; None for ``width``.
    activation : str
        Key of ``ACTIVATIONS``.
    dropout : float
        Fraction of hidden entries that are zeroed during training.
    residual_dropout : float
        Fraction of the entries of the residual branch's output that are zeroed during training.
    norm : {"batch", "layer"} or None
    output_bias : bool
        Whether the last layer has a bias.
    streams : dict of str to torch.Generator
        ``"weights"`` and ``"dropout"`` are used.

    References
    ----------
    .. [1] Gorishniy et al. (2021), "Revisiting Deep Learning Models for Tabular Data", NeurIPS.
    """

    def __init__(
        self,
        width,
        *,
        activation,
        dropout,
        streams,
        norm=None,
        hidden_width=None,
        residual_dropout=0.0,
        output_bias=True,
    ):
        super().__init__()
        hidden_width = width if hidden_width is None else hidden_width
        self.branch = _sequence(
            make_norm(norm, width),
            Linear(width, hidden_width, generator=streams["weights"]),
            ACTIVATIONS[activation](),
            Dropout(dropout, generator=streams["dropout"]),
            Linear(hidden_width, width, generator=streams["weights"], bias=output_bias),
            Dropout(residual_dropout, generator=streams["dropout"]),
        )

    def forward(self, x):
        """(batch, width) -> (batch, width)."""
        return x + self.branch(x)


class ResidualConvBlock(nn.Module):
    """Convolutional residual block of two 3 x 3 convolutions in pre-activation order [1]_.

    **Shape**: (batch, channels, height, width) -> the same

    Parameters
    ----------
    channels : int
    size : (int, int)
        Height and width of the images.
    activation : str
        Key of ``ACTIVATIONS``.
    batch_norm : bool
    streams : dict of str to torch.Generator
        ``"weights"`` is used.

    References
    ----------
    .. [1] He et al. (2016), "Identity Mappings in Deep Residual Networks", ECCV.
    """

    def __init__(self, channels, *, size, activation, batch_norm, streams):
        super().__init__()
        options = {"size": size, "stride": 1, "generator": streams["weights"]}
        layers: list[nn.Module] = []
        # no bias before a batch normalization, which would remove it
        for bias in (not batch_norm, True):
            layers += [BatchNorm(channels)] if batch_norm else []
            layers += [
                ACTIVATIONS[activation](),
                Conv2d(channels, channels, **options, bias=bias),
            ]
        self.branch = nn.Sequential(*layers)

    def forward(self, x):
        """(batch, channels, height, width) -> the same."""
        return x + self.branch(x)


class BasicBlock(nn.Module):
    """Basic block of a residual net for small images [1]_, ``f(shortcut(x) + branch(x))``.

    The branch is convolution, norm, activation, dropout, convolution, norm, dropout. The shortcut
    has no weights: it takes every ``stride``-th pixel and pads additional channels with zeros
    (option A in the paper).

    **Shape**: (batch, in_channels, H, W) -> (batch, out_channels, ceil(H/stride), ceil(W/stride))

    Parameters
    ----------
    in_channels, out_channels : int
    size : (int, int)
        Height and width of the output.
    stride : int
    activation : str
        Key of ``ACTIVATIONS``.
    norm : {"batch", "layer"}
    dropout, residual_dropout : float
        Fraction of entries that are zeroed during training, between the convolutions and after
        them.
    streams : dict of str to torch.Generator
        ``"weights"`` and ``"dropout"`` are used.

    References
    ----------
    .. [1] He et al. (2016), "Deep Residual Learning for Image Recognition", CVPR.
    """

    def __init__(
        self,
        in_channels,
        out_channels,
        *,
        size,
        stride,
        activation,
        norm,
        dropout,
        residual_dropout,
        streams,
    ):
        super().__init__()
        # no biases: the norm after each convolution would remove them
        options = {"size": size, "generator": streams["weights"], "bias": False}
        self.stride = stride
        self.missing_channels = out_channels - in_channels
        self.branch = _sequence(
            Conv2d(in_channels, out_channels, stride=stride, **options),
            make_norm(norm, out_channels),
            ACTIVATIONS[activation](),
            Dropout(dropout, generator=streams["dropout"]),
            Conv2d(out_channels, out_channels, stride=1, **options),
            make_norm(norm, out_channels),
            Dropout(residual_dropout, generator=streams["dropout"]),
        )
        self.activation = ACTIVATIONS[activation]()

    def shortcut(self, x):
        """(batch, in_channels, H, W) -> (batch, out_channels, H', W')."""
        x = x[..., :: self.stride, :: self.stride]
        return F.pad(x, (0, 0, 0, 0, 0, self.missing_channels))

    def forward(self, x):
        """(batch, in_channels, H, W) -> (batch, out_channels, H', W')."""
        return self.activation(self.shortcut(x) + self.branch(x))
