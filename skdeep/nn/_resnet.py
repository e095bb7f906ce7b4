"""Residual nets: a trunk that extracts features, and a linear head."""

import torch
from torch import nn

from skdeep.nn._activation import ACTIVATIONS
from skdeep.nn._augment import Augment
from skdeep.nn._coder import CoderShape, stage_sizes
from skdeep.nn._coder_trunk import CoderTrunk
from skdeep.nn._conv import Conv2d
from skdeep.nn._linear import Linear
from skdeep.nn._norm import make_norm
from skdeep.nn._residual import BasicBlock, ResidualBlock
from skdeep.nn._table import TableInput

_N_STAGES = 3
#: Phase of training in which the trunk stays as it is.
FROZEN = "frozen"


class TableTrunk(nn.Module):
    """Trunk of the residual net for tables, section 3.2 of [1]_.

    Input layer, ``n_blocks`` residual blocks, norm, activation.

    **Shape**: (batch, n_columns) -> (batch, width)

    Parameters
    ----------
    n_blocks, width : int
    hidden_factor : float
        Hidden width of a block as a multiple of ``width``.
    dropout, residual_dropout : float
    norm : {"batch", "layer"} or None
    activation : str
        Key of ``ACTIVATIONS``.
    streams : dict of str to torch.Generator
    **columns
        Arguments of ``TableInput``.

    References
    ----------
    .. [1] Gorishniy et al. (2021), "Revisiting Deep Learning Models for Tabular Data", NeurIPS.
    """

    def __init__(
        self,
        *,
        n_blocks,
        width,
        hidden_factor,
        dropout,
        residual_dropout,
        norm,
        activation,
        streams,
        **columns,
    ):
        super().__init__()
        self.out_features = width
        table = TableInput(**columns, generator=streams["weights"])
        # The outputs of the input layer and of the blocks are only used after a norm. Batch norm
        # removes constants, so that the gradients of biases would be rounding noise.
        needs_bias = norm != "batch"
        blocks = [
            ResidualBlock(
                width,
                hidden_width=max(1, int(width * hidden_factor)),
                activation=activation,
                dropout=dropout,
                residual_dropout=residual_dropout,
                norm=norm,
                output_bias=needs_bias,
                streams=streams,
            )
            for _ in range(n_blocks)
        ]
        self.layers = nn.Sequential(
            table,
            Linear(table.out_features, width, generator=streams["weights"], bias=needs_bias),
            *blocks,
            *([] if norm is None else [make_norm(norm, width)]),
            ACTIVATIONS[activation](),
        )

    def forward(self, x):
        """(batch, n_columns) -> (batch, width)."""
        return self.layers(x)


class ImageTrunk(nn.Module):
    """Trunk of the residual net for small images, section 4.2 of [1]_.

    A convolution, three stages of ``n_blocks`` basic blocks, and global average pooling. The second
    and third stages halve height and width and double the number of channels.

    **Shape**: (batch, channels * height * width) -> (batch, 4 * stem_width)

    Parameters
    ----------
    image_shape : (int, int, int)
        Channels, height and width.
    n_blocks, stem_width : int
        Number of blocks per stage, and number of channels of the first stage.
    dropout, residual_dropout : float
    norm : {"batch", "layer"}
    activation : str
        Key of ``ACTIVATIONS``.
    augment : {"shift", "shift+flip"} or None
    streams : dict of str to torch.Generator

    References
    ----------
    .. [1] He et al. (2016), "Deep Residual Learning for Image Recognition", CVPR.
    """

    def __init__(
        self,
        image_shape,
        *,
        n_blocks,
        stem_width,
        dropout,
        residual_dropout,
        norm,
        activation,
        augment,
        streams,
    ):
        super().__init__()
        channels = stem_width
        sizes = stage_sizes(image_shape, _N_STAGES - 1)
        options = {"size": sizes[0], "stride": 1, "generator": streams["weights"], "bias": False}
        layers = [
            nn.Unflatten(1, image_shape),
            Augment(augment, generator=streams["noise"]),
            Conv2d(image_shape[0], channels, **options),
            make_norm(norm, channels),
            ACTIVATIONS[activation](),
        ]
        for number in range(_N_STAGES * n_blocks):
            is_transition = number > 0 and number % n_blocks == 0
            out_channels = 2 * channels if is_transition else channels
            block = BasicBlock(
                channels,
                out_channels,
                size=sizes[number // n_blocks],
                stride=2 if is_transition else 1,
                activation=activation,
                norm=norm,
                dropout=dropout,
                residual_dropout=residual_dropout,
                streams=streams,
            )
            layers.append(block)
            channels = out_channels
        self.out_features = channels
        self.layers = nn.Sequential(*layers)

    def forward(self, x):
        """(batch, channels * height * width) -> (batch, out_features)."""
        return self.layers(x).mean(dim=(-2, -1))


def make_trunk(options, streams):
    """Make a trunk from a dict of options.

    It is an encoder if they have a ``coder``, else a residual net: for images if they have an
    ``image_shape``.
    """
    if "coder" in options:
        shape, rest = CoderShape.take_from(options)
        return CoderTrunk(rest["coder"], shape, augment=rest["augment"], streams=streams)
    options = {name: value for name, value in options.items() if name != "n_features"}
    trunk = ImageTrunk if "image_shape" in options else TableTrunk
    return trunk(**options, streams=streams)


class ResNet(nn.Module):
    """Residual net: trunk and linear head.

    The weights of the head are initialized to zero, so that the initial output is ``baseline`` for
    every sample, as in gradient boosting. It stays close to that unless the data imply otherwise.

    In the phase ``FROZEN`` the trunk has no gradients, and it is in evaluation mode, so that it
    drops nothing and batch statistics stay as they are.

    **Shape**: (batch, n_columns) -> (batch, n_outputs)

    Parameters
    ----------
    trunk : TableTrunk, ImageTrunk or CoderTrunk
    baseline : tuple of float, length n_outputs
        Initial bias of the head.
    generator : torch.Generator
    """

    phase: str | None = None

    def __init__(self, trunk, baseline, *, generator):
        super().__init__()
        self.trunk = trunk
        self.head = Linear(trunk.out_features, len(baseline), generator=generator)
        nn.init.zeros_(self.head.weight)
        self.head.bias = nn.Parameter(torch.tensor(baseline, dtype=torch.float32))

    def train(self, mode=True):
        """Switch to training or evaluation mode."""
        super().train(mode)
        if self.phase == FROZEN:
            self.trunk.eval()
        return self

    def forward(self, x):
        """(batch, n_columns) -> (batch, n_outputs)."""
        with torch.set_grad_enabled(torch.is_grad_enabled() and self.phase != FROZEN):
            z = self.trunk(x)
        return self.head(z)
