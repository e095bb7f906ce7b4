"""An ensemble of denoising autoencoders as one torch module."""

import itertools

import torch
from torch import nn

from skdeep.nn._activation import ACTIVATIONS
from skdeep.nn._linear import init_uniform, linear

# Bound of the mean scaled error of a sample, so that samples at any distance have a finite one.
_LARGEST = 1e30


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
        if self.training:
            return torch.baddbmm(self.bias.unsqueeze(1), x, self.weight.mT)
        # a batched product of a row may depend on the other rows
        nets = zip(x, self.weight, self.bias, strict=True)
        return torch.stack([linear(*net) for net in nets])


class AutoencoderEnsemble(nn.Module):
    """Denoising autoencoders that differ in their initial weights and in their noise.

    Samples are scaled by ``1 / sqrt(1 + noise ** 2)``, so that noisy samples have unit variance.

    **Shape**: (batch, n_features) -> (n_estimators, batch, n_features)

    Parameters
    ----------
    n_features : int
    streams : dict of str to torch.Generator
    n_estimators : int
    hidden_layer_sizes : tuple of int
        Widths of the layers from the input to the code. ``()`` makes the nets linear.
    activation : str
        Key of ``ACTIVATIONS``.
    noise : tuple of float, length n_estimators
        Standard deviation of the noise of each net.
    """

    noise: torch.Tensor

    def __init__(self, n_features, streams, *, n_estimators, hidden_layer_sizes, activation, noise):
        super().__init__()
        decoder = hidden_layer_sizes[-2::-1]
        pairs = itertools.pairwise([n_features, *hidden_layer_sizes, *decoder, n_features])
        layers = [LinearEnsemble(n_estimators, *pair) for pair in pairs]
        for number in range(n_estimators):  # net by net: a larger ensemble has the same first nets
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
        """Mean over features of squared errors divided by a scale, bounded; (batch, n_estimators).

        Parameters
        ----------
        x : Tensor, shape (batch, n_features)
        scale : Tensor, shape (n_estimators, 1, n_features)
        """
        scaled = (self.reconstruct(x) - x).square() / scale.to(x.device)
        return scaled.clamp(max=_LARGEST).mean(dim=-1).T

    def forward(self, x):
        """(batch, n_features) -> (n_estimators, batch, n_features)."""
        x = self._copies(x)
        if self.training:
            x = x + self.noise * _normal_like(x, self.generator)
        return self._denoise(x)

    def _copies(self, x):
        """Return the samples once for each net."""
        return x.expand(len(self.noise), *x.shape)

    def _denoise(self, x):
        return self.layers(x / (1 + self.noise.square()).sqrt())


def loss_terms(output, batch, hyperparameters):
    """Mean squared error of the samples, averaged over nets: (batch,), or scalar if trimmed."""
    errors = (output - batch.x).square().mean(dim=-1)  # (n_estimators, batch)
    trim = hyperparameters["trim"]
    if not trim:
        return {"reconstruction": errors.mean(dim=0)}
    weight = torch.ones_like(errors) if batch.weight is None else batch.weight.expand_as(errors)
    return {"reconstruction": _trimmed_mean(errors, weight, trim).mean()}


def _trimmed_mean(errors, weight, trim):
    """Mean over the last axis without the largest entries, a fraction ``trim`` of the weight."""
    errors, order = errors.sort(dim=-1)
    weight = weight.gather(-1, order)
    reached = weight.cumsum(dim=-1)
    kept = ((1 - trim) * reached[..., -1:] - (reached - weight)).clamp(min=0).minimum(weight)
    return (kept * errors).sum(dim=-1) / kept.sum(dim=-1)


def _normal_like(x, generator):
    return torch.empty_like(x, memory_format=torch.contiguous_format).normal_(generator=generator)
