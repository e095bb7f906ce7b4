"""Nets of torch layers, and a hand-written training loop."""

import itertools

import torch
from torch import nn
from torch.nn import functional as F

__all__ = [
    "PlainAutoencoder",
    "PlainResNet",
    "Residual",
    "conv_encoder",
    "copy_weights",
    "count_weights",
    "dense",
    "train",
]


# Nets --------------------------------------------------------------------------------------


class Residual(nn.Sequential):
    """Residual block."""

    def forward(self, x):
        return x + super().forward(x)


def dense(widths, *, activation=nn.ReLU, residual=False):
    """Linear layers of these widths, with an activation between them.

    With ``residual``, a residual block of two layers stands before each activation.
    """
    layers = []
    for n_inputs, n_outputs in itertools.pairwise(widths[:-1]):
        layers.append(nn.Linear(n_inputs, n_outputs))
        if residual:
            inner = nn.Linear(n_outputs, n_outputs), activation(), nn.Linear(n_outputs, n_outputs)
            layers.append(Residual(*inner))
        layers.append(activation())
    return nn.Sequential(*layers, nn.Linear(widths[-2], widths[-1]))


class PlainAutoencoder(nn.Sequential):
    """Encoder with layers of the given widths, and a mirrored decoder."""

    def __init__(self, widths, *, residual=False):
        super().__init__(dense(widths, residual=residual), dense(widths[::-1], residual=residual))


def conv_encoder(image_shape, channels, n_components):
    """Convolutions of stride 2 with the given numbers of channels, and a linear layer."""
    n_inputs, *size = image_shape
    layers = [nn.Unflatten(1, image_shape)]
    for n_outputs in channels:
        layers += [nn.Conv2d(n_inputs, n_outputs, 3, stride=2, padding=1), nn.ReLU()]
        n_inputs, size = n_outputs, [-(-side // 2) for side in size]
    head = nn.Linear(n_inputs * size[0] * size[1], n_components)
    return nn.Sequential(*layers, nn.Flatten(), head)


class PlainResNet(nn.Sequential):
    """Residual net for tables."""

    def __init__(self, n_features, n_outputs, *, n_blocks, width, norm, dropout, hidden_width=None):
        make_norm = {"batch": nn.BatchNorm1d, "layer": nn.LayerNorm}[norm]
        hidden_width = hidden_width or width
        # batch norm would subtract a bias again
        has_bias = norm != "batch"
        layers = [nn.Linear(n_features, width, bias=has_bias)]
        for _ in range(n_blocks):
            inner = [nn.Linear(width, hidden_width), nn.ReLU(), nn.Dropout(dropout)]
            last = nn.Linear(hidden_width, width, bias=has_bias)
            layers.append(Residual(make_norm(width), *inner, last))
        super().__init__(*layers, make_norm(width), nn.ReLU(), nn.Linear(width, n_outputs))


def count_weights(*nets):
    return sum(weight.numel() for net in nets for weight in net.parameters())


# Weights -----------------------------------------------------------------------------------


@torch.no_grad()
def copy_weights(source, target):
    """Give a net of torch's own modules the weights and statistics of one of skdeep's; return it.

    Both have the same layers with weights, in the same order.
    """
    pairs = zip(_layers_with_weights(source), _layers_with_weights(target), strict=True)
    for layer, plain in pairs:
        if isinstance(plain, nn.Linear):
            # layers may store their matrix in any layout, which their outputs reveal
            identity = torch.eye(plain.in_features, device=next(layer.parameters()).device)
            bias = layer(torch.zeros_like(identity[:1]))
            weights = {"weight": (layer(identity) - bias).T, "bias": bias[0]}
        else:
            weights = layer.state_dict()
        plain.load_state_dict({**plain.state_dict(), **_known(weights, plain)})
    return target


def _known(weights, plain):
    return {name: value for name, value in weights.items() if name in plain.state_dict()}


def _layers_with_weights(net):
    return [layer for layer in net.modules() if layer.state_dict() and not list(layer.children())]


# Training ----------------------------------------------------------------------------------


def train(net, x, y=None, *, epochs, batch_size, optimizer=torch.optim.AdamW, curve=None, **steps):
    """Train a net in a loop by hand, by default to reconstruct the samples; return it.

    Parameters
    ----------
    net : Module
    x : Tensor, shape (n_samples, n_features)
    y : Tensor of int, shape (n_samples,), or None
        Classes; None for the squared error of the reconstruction.
    epochs, batch_size : int
    optimizer : type
        Takes the weights, ``fused`` and ``steps``.
    curve : list or None
        Gets the mean loss of each epoch, read once at its end.
    **steps : float
        Parameters of the optimizer.
    """
    step = optimizer(net.parameters(), fused=True, **steps)
    loss_function = F.mse_loss if y is None else F.cross_entropy
    for _ in range(epochs):
        total = x.new_zeros(())
        for index in torch.randperm(len(x), device=x.device).split(batch_size):
            batch = x.index_select(0, index)
            target = batch if y is None else y.index_select(0, index)
            step.zero_grad()
            loss = loss_function(net(batch), target)
            loss.backward()
            step.step()
            if curve is not None:
                total += loss.detach() * len(index)
        if curve is not None:
            curve.append(total.item() / len(x))
    return net
