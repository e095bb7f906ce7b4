"""An ensemble of denoising autoencoders as one torch module."""

import itertools

import torch
from torch import nn

from skdeep.nn._activation import ACTIVATIONS
from skdeep.nn._draw import draw
from skdeep.nn._linear import init_uniform, linear


class LinearEnsemble(nn.Module):
    """Affine layers of several nets, as one batched product.

    Initial weights are those of ``Linear``, drawn net by net.

    **Shape**: (n_estimators, batch, in_features) -> (n_estimators, batch, out_features)

    Parameters
    ----------
    n_estimators, in_features, out_features : int
    """

    def __init__(self, n_estimators, in_features, out_features):
        super().__init__()
        size = (n_estimators, out_features, in_features)
        self.weight = nn.Parameter(torch.empty(size, dtype=torch.float32))
        self.bias = nn.Parameter(torch.empty(size[:2], dtype=torch.float32))

    def draw(self, number, generator):
        """Draw the initial weights of a net."""
        init_uniform(self.weight.shape[-1], generator, self.weight[number], self.bias[number])

    def forward(self, x):
        """(n_estimators, batch, in_features) -> (n_estimators, batch, out_features)."""
        nets = x.flatten(0, -3), self.weight.flatten(0, -3), self.bias.flatten(0, -2)
        if self.training:
            rows, weight, bias = nets
            y = torch.baddbmm(bias.unsqueeze(1), rows, weight.mT)
        else:  # a batched product of a row may depend on the other rows
            y = torch.stack([linear(*net) for net in zip(*nets, strict=True)])
        return y.unflatten(0, x.shape[:-2])


class AutoencoderEnsemble(nn.Module):
    """Denoising autoencoders that differ in their initial weights and in their noise.

    Samples are scaled by ``1 / sqrt(1 + noise ** 2)``, so that noisy samples have unit variance.

    **Shape**: (batch, n_features) -> (n_estimators, batch, n_features)

    Parameters
    ----------
    n_features : int
    streams : dict of str to torch.Generator
    n_components : int
        Width of the middle layer.
    hidden_layer_sizes : tuple of int
        Widths of the layers between the input and the middle layer.
    activation : str
        Key of ``ACTIVATIONS``.
    noise : tuple of float, length n_estimators
        Standard deviation of the noise of each net.
    """

    noise: torch.Tensor

    def __init__(
        self, n_features, streams, *, n_components, hidden_layer_sizes, activation, noise
    ):
        super().__init__()
        widths = n_features, *hidden_layer_sizes, n_components
        pairs = itertools.pairwise([*widths, *widths[-2::-1]])
        layers = [LinearEnsemble(len(noise), *pair) for pair in pairs]
        for number in range(len(noise)):  # net by net: a larger ensemble has the same first nets
            for layer in layers:
                layer.draw(number, streams["weights"])
        *hidden, last = layers
        parts = [part for layer in hidden for part in (layer, ACTIVATIONS[activation]())]
        self.layers = nn.Sequential(*parts, last)
        self.generator = streams["noise"]
        levels = torch.tensor(noise, dtype=torch.float32).view(-1, 1, 1)
        self.register_buffer("noise", levels, persistent=False)

    def reconstruct(self, x):
        """(batch, n_features) -> (n_estimators, batch, n_features), without noise."""
        return self._denoise(self._copies(x))

    def squared_errors(self, x):
        """(batch, n_features) -> (batch, n_estimators * n_features)."""
        return (self.reconstruct(x) - x).square().movedim(0, 1).flatten(1)

    def errors(self, x, scale):
        """Mean over features of squared errors divided by a scale; (batch, n_estimators).

        Parameters
        ----------
        x : Tensor, shape (batch, n_features)
        scale : Tensor, shape (n_estimators, 1, n_features)
        """
        scaled = (self.reconstruct(x) - x).square() / scale.to(x.device)
        return scaled.mean(dim=-1).T

    def forward(self, x):
        """(batch, n_features) -> (n_estimators, batch, n_features)."""
        x = self._copies(x)
        if self.training:
            x = x + self.noise * draw(_fill_normal, x, 1.0, self.generator, idle=0.0)
        return self._denoise(x)

    def _copies(self, x):
        """Return the samples once for each net."""
        return x.unsqueeze(-3).expand(*x.shape[:-2], self.noise.shape[-3], *x.shape[-2:])

    def _denoise(self, x):
        return self.layers(x / (1 + self.noise.square()).sqrt())


def loss_terms(output, batch, hyperparameters):
    """Mean squared error of the samples, averaged over nets: (batch,), or scalar if trimmed."""
    errors = (output - batch.x.unsqueeze(-3)).square().mean(dim=-1)  # (n_estimators, batch)
    trim = hyperparameters["trim"]
    if not trim:
        return {"reconstruction": errors.mean(dim=-2)}
    weight = torch.ones_like(errors) if batch.weight is None else batch.weight.unsqueeze(-2)
    return {"reconstruction": _trimmed_mean(errors, weight, trim).mean(dim=-1)}


def _trimmed_mean(errors, weight, trim):
    """Mean over the last axis without the largest entries, a fraction ``trim`` of the weight."""
    errors, order = errors.sort(dim=-1)
    weight = weight.expand_as(errors).gather(-1, order)
    reached = weight.cumsum(dim=-1)
    kept = ((1 - trim) * reached[..., -1:] - (reached - weight)).clamp(min=0).minimum(weight)
    return (kept * errors).sum(dim=-1) / kept.sum(dim=-1)


def _fill_normal(part, amount, generator):
    part.normal_(generator=generator)
