"""Encoders and mirrored decoders."""

import itertools
import math
from dataclasses import dataclass, fields, replace

from torch import nn

from skdeep.nn._activation import ACTIVATIONS
from skdeep.nn._conv import KERNEL_SIZE, Conv2d, ConvTranspose2d
from skdeep.nn._dropout import Dropout
from skdeep.nn._linear import Linear, TiedLinear
from skdeep.nn._norm import BatchNorm
from skdeep.nn._residual import ResidualBlock, ResidualConvBlock


@dataclass(frozen=True)
class CoderShape:
    """All settings of the layers of an encoder and its mirrored decoder.

    Parameters
    ----------
    n_features : int
        Number of input features.
    n_components : int
        Dimension of the codes.
    hidden_layer_sizes : tuple of int
        Widths of the dense layers, or channels of the convolutional stages, from input to code.
    activation : str
        Key of ``ACTIVATIONS``.
    block : {"dense", "residual"}
        ``"residual"`` adds a residual block after each layer or stage.
    image_shape : (int, int, int) or None
        Channels, height and width; None if samples are not images.
    tied_weights : bool
        Whether the decoder uses the transposed weights of the encoder.
    dropout : float
    batch_norm : bool
    first_kernel_size : int or None
        Height and width of the kernel of the encoder's first convolution; None for the default.
    """

    n_features: int
    n_components: int
    hidden_layer_sizes: tuple = ()
    activation: str = "relu"
    block: str = "dense"
    image_shape: tuple | None = None
    tied_weights: bool = False
    dropout: float = 0.0
    batch_norm: bool = False
    first_kernel_size: int | None = None

    @property
    def needs_bias(self):
        """Whether hidden layers have a bias.

        Batch normalization right after a layer removes its bias. The gradient of the bias would be
        rounding noise, which Adam would turn into full-size steps.
        """
        return not (self.batch_norm and self.block == "dense")

    @classmethod
    def take_from(cls, options):
        """Split a dict into a ``CoderShape`` and a dict of the other entries."""
        names = {field.name for field in fields(cls)}
        return (
            cls(**{name: options[name] for name in names & options.keys()}),
            {name: value for name, value in options.items() if name not in names},
        )


def make_encoder(shape, streams, *, n_outputs=None, bias=True):
    """Build an encoder, (batch, n_features) -> (batch, n_outputs).

    Parameters
    ----------
    shape : CoderShape
    streams : dict of str to torch.Generator
    n_outputs : int or None
        Number of outputs; None for ``shape.n_components``.
    bias : bool
        Whether the last layer has a bias.
    """
    n_outputs = shape.n_components if n_outputs is None else n_outputs
    if shape.image_shape is not None:
        return _conv_encoder(shape, n_outputs, streams, bias)
    widths = [shape.n_features, *shape.hidden_layer_sizes, n_outputs]
    return _dense(shape, widths, streams, bias)


def make_features(shape, streams):
    """Build an encoder whose last layer is a hidden layer: with norm, activation and dropout.

    Parameters
    ----------
    shape : CoderShape
        ``n_components`` is the number of features.
    streams : dict of str to torch.Generator
    """
    hidden = replace(shape, image_shape=None, block="dense")
    encoder = make_encoder(shape, streams, bias=hidden.needs_bias)
    return nn.Sequential(*encoder, *_after(hidden, shape.n_components, streams))


def make_decoder(shape, streams, *, encoder=None):
    """Build a decoder, (batch, n_components) -> (batch, n_features).

    It has no activation function after the last layer.

    Parameters
    ----------
    shape : CoderShape
    streams : dict of str to torch.Generator
    encoder : Module or None
        Encoder that owns the weights if they are tied.
    """
    if shape.image_shape is not None:
        return _conv_decoder(shape, streams)
    if shape.tied_weights:
        return _tied_decoder(shape, encoder, streams)
    widths = [shape.n_components, *shape.hidden_layer_sizes[::-1], shape.n_features]
    return _dense(shape, widths, streams)


def _dense(shape, widths, streams, bias=True):
    """Return dense layers of these widths, without an activation function after the last one."""
    layers: list[nn.Module] = []
    *hidden, last = itertools.pairwise(widths)
    for width, size in hidden:
        layers.append(Linear(width, size, generator=streams["weights"], bias=shape.needs_bias))
        layers += _after(shape, size, streams)
    return nn.Sequential(*layers, Linear(*last, generator=streams["weights"], bias=bias))


def _after(shape, width, streams, size=None):
    """Return the modules after a dense layer, or a convolution, of the given width.

    ``size`` is height and width of the output of a convolution.
    """
    layers: list[nn.Module] = []
    dropout = shape.dropout
    if shape.block == "dense":
        layers += [BatchNorm(width)] if shape.batch_norm else []
    elif shape.image_shape is None:
        norm = "batch" if shape.batch_norm else None
        options = {"activation": shape.activation, "dropout": dropout, "norm": norm}
        layers.append(ResidualBlock(width, **options, streams=streams))
        dropout = 0.0  # the block has it
    else:
        options = {"activation": shape.activation, "batch_norm": shape.batch_norm}
        layers.append(ResidualConvBlock(width, size=size, **options, streams=streams))
    layers.append(ACTIVATIONS[shape.activation]())
    if dropout:
        layers.append(Dropout(dropout, generator=streams["dropout"]))
    return layers


def _tied_decoder(shape, encoder, streams):
    """Build a decoder with the transposed weights of the encoder, in reverse order."""
    sources = [layer for layer in encoder if isinstance(layer, Linear)][::-1]
    layers = []
    for source, size in zip(sources, shape.hidden_layer_sizes[::-1], strict=False):
        layers.append(TiedLinear(source, generator=streams["weights"], bias=shape.needs_bias))
        layers += _after(shape, size, streams)
    return nn.Sequential(*layers, TiedLinear(sources[-1], generator=streams["weights"]))


def stage_sizes(image_shape, n_stages):
    """Return height and width before the first and after each stage, which halves them."""
    sizes = [tuple(image_shape[1:])]
    for _ in range(n_stages):
        sizes.append(tuple(-(-side // 2) for side in sizes[-1]))
    return sizes


def _conv_encoder(shape, n_outputs, streams, bias):
    channels = shape.image_shape[0]
    sizes = stage_sizes(shape.image_shape, len(shape.hidden_layer_sizes))
    options = {"stride": 2, "generator": streams["weights"], "bias": shape.needs_bias}
    options["kernel_size"] = shape.first_kernel_size or KERNEL_SIZE
    layers: list[nn.Module] = [nn.Unflatten(1, shape.image_shape)]
    for out_channels, size in zip(shape.hidden_layer_sizes, sizes[1:], strict=True):
        layers.append(Conv2d(channels, out_channels, size=size, **options))
        layers += _after(shape, out_channels, streams, size)
        channels, options["kernel_size"] = out_channels, KERNEL_SIZE
    n_inputs = channels * math.prod(sizes[-1])
    head = Linear(n_inputs, n_outputs, generator=streams["weights"], bias=bias)
    return nn.Sequential(*layers, nn.Flatten(), head)


def _conv_decoder(shape, streams):
    stages = shape.hidden_layer_sizes[::-1]
    sizes = stage_sizes(shape.image_shape, len(stages))[::-1]
    channels, (height, width) = stages[0] if stages else shape.image_shape[0], sizes[0]
    start = Linear(shape.n_components, channels * height * width, generator=streams["weights"])
    layers = [start, nn.Unflatten(1, (channels, height, width))]
    for number, size in enumerate(sizes[1:]):
        layers += _after(shape, channels, streams, sizes[number])
        is_last = number == len(stages) - 1
        out_channels = shape.image_shape[0] if is_last else stages[number + 1]
        layers.append(
            ConvTranspose2d(
                channels,
                out_channels,
                size=size,
                generator=streams["weights"],
                bias=is_last or shape.needs_bias,
            )
        )
        channels = out_channels
    return nn.Sequential(*layers, nn.Flatten())
