"""Encoders from rows to codes and the decoders that mirror them."""

from dataclasses import dataclass, fields

from torch import nn

from skdeep.nn._activation import ACTIVATIONS
from skdeep.nn._conv import Conv2d, ConvTranspose2d
from skdeep.nn._dropout import Dropout
from skdeep.nn._linear import Linear, TiedLinear
from skdeep.nn._norm import BatchNorm
from skdeep.nn._residual import ResidualBlock, ResidualConvBlock

__all__ = ["CoderShape", "make_decoder", "make_encoder", "stage_sizes"]


@dataclass(frozen=True)
class CoderShape:
    """Everything that decides the layers of an encoder and its mirrored decoder.

    Parameters
    ----------
    n_features : int
        Width of the rows.
    n_components : int
        Width of the codes.
    hidden_layer_sizes : tuple of int
        Widths of the dense layers, or channels of the convolutional stages, in the encoder's order.
    activation : str
        Key of ``ACTIVATIONS``.
    block : {"dense", "residual"}
        ``"residual"`` puts a residual block after each layer or stage.
    image_shape : (int, int, int) or None
        Channels, height and width; None for rows that are no images.
    tied_weights : bool
        Whether the decoder's layers are the transposed ones of the encoder.
    dropout : float
    batch_norm : bool
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

    @property
    def needs_bias(self):
        """Whether hidden layers have a bias.

        Batch normalisation right after a layer subtracts its bias again. The gradient of the bias
        is then rounding noise, of which Adam makes full steps.
        """
        return not (self.batch_norm and self.block == "dense")

    @classmethod
    def take_from(cls, options):
        """Shape from the entries of a dict that describe it, and a dict of the others."""
        names = {field.name for field in fields(cls)}
        return (
            cls(**{name: options[name] for name in names & options.keys()}),
            {name: value for name, value in options.items() if name not in names},
        )


def make_encoder(shape, streams, *, n_outputs=None):
    """Build the module from rows to codes, (batch, n_features) -> (batch, n_outputs).

    Parameters
    ----------
    shape : CoderShape
    streams : dict of str to torch.Generator
    n_outputs : int or None
        Width of the result, ``shape.n_components`` for None.
    """
    n_outputs = shape.n_components if n_outputs is None else n_outputs
    if shape.image_shape is not None:
        return _conv_encoder(shape, n_outputs, streams)
    layers, width = [], shape.n_features
    for size in shape.hidden_layer_sizes:
        layers += [Linear(width, size, generator=streams["weights"], bias=shape.needs_bias)]
        layers += _after_linear(shape, size, streams)
        width = size
    return nn.Sequential(*layers, Linear(width, n_outputs, generator=streams["weights"]))


def make_decoder(shape, streams, *, encoder=None):
    """Build the module from codes to rows, (batch, n_components) -> (batch, n_features).

    It ends without an activation function.

    Parameters
    ----------
    shape : CoderShape
    streams : dict of str to torch.Generator
    encoder : Module or None
        Owner of the weights when they are tied.
    """
    if shape.image_shape is not None:
        return _conv_decoder(shape, streams)
    if shape.tied_weights:
        return _tied_decoder(shape, encoder, streams)
    layers, width = [], shape.n_components
    for size in shape.hidden_layer_sizes[::-1]:
        layers += [Linear(width, size, generator=streams["weights"], bias=shape.needs_bias)]
        layers += _after_linear(shape, size, streams)
        width = size
    return nn.Sequential(*layers, Linear(width, shape.n_features, generator=streams["weights"]))


def _after_linear(shape, width, streams):
    """Modules that follow a dense layer of that width."""
    if shape.block == "residual":
        block = ResidualBlock(
            width,
            activation=shape.activation,
            dropout=shape.dropout,
            norm="batch" if shape.batch_norm else None,
            streams=streams,
        )
        return [block, ACTIVATIONS[shape.activation]()]
    layers: list[nn.Module] = [BatchNorm(width)] if shape.batch_norm else []
    layers.append(ACTIVATIONS[shape.activation]())
    if shape.dropout:
        layers.append(Dropout(shape.dropout, generator=streams["dropout"]))
    return layers


def _tied_decoder(shape, encoder, streams):
    """Build a decoder whose layers are the encoder's, transposed and in reverse order."""
    sources = [layer for layer in encoder if isinstance(layer, Linear)][::-1]
    layers = []
    for source, size in zip(sources, shape.hidden_layer_sizes[::-1], strict=False):
        layers.append(TiedLinear(source, generator=streams["weights"], bias=shape.needs_bias))
        layers += _after_linear(shape, size, streams)
    return nn.Sequential(*layers, TiedLinear(sources[-1], generator=streams["weights"]))


def stage_sizes(image_shape, n_stages):
    """Height and width before the first stage and after each, every stage halving them."""
    sizes = [tuple(image_shape[1:])]
    for _ in range(n_stages):
        sizes.append(tuple(-(-side // 2) for side in sizes[-1]))
    return sizes


def _conv_encoder(shape, n_outputs, streams):
    channels = shape.image_shape[0]
    layers: list[nn.Module] = [nn.Unflatten(1, shape.image_shape)]
    for size in shape.hidden_layer_sizes:
        layers.append(
            Conv2d(channels, size, stride=2, generator=streams["weights"], bias=shape.needs_bias)
        )
        layers += _after_conv(shape, size, streams)
        channels = size
    height, width = stage_sizes(shape.image_shape, len(shape.hidden_layer_sizes))[-1]
    head = Linear(channels * height * width, n_outputs, generator=streams["weights"])
    return nn.Sequential(*layers, nn.Flatten(), head)


def _conv_decoder(shape, streams):
    stages = shape.hidden_layer_sizes[::-1]
    sizes = stage_sizes(shape.image_shape, len(stages))[::-1]
    channels, (height, width) = stages[0] if stages else shape.image_shape[0], sizes[0]
    start = Linear(shape.n_components, channels * height * width, generator=streams["weights"])
    layers = [start, nn.Unflatten(1, (channels, height, width))]
    for number, size in enumerate(sizes[1:]):
        layers += _after_conv(shape, channels, streams)
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


def _after_conv(shape, channels, streams):
    """Modules that follow a convolution of that many channels."""
    layers: list[nn.Module] = []
    if shape.block == "residual":
        layers.append(
            ResidualConvBlock(
                channels,
                activation=shape.activation,
                batch_norm=shape.batch_norm,
                streams=streams,
            )
        )
    elif shape.batch_norm:
        layers.append(BatchNorm(channels))
    layers.append(ACTIVATIONS[shape.activation]())
    if shape.dropout:
        layers.append(Dropout(shape.dropout, generator=streams["dropout"]))
    return layers
