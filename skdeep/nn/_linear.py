"""Linear layers with initial weights from a generator and rows that do not see each other."""

import torch
from torch import nn
from torch.nn import functional as F

__all__ = ["Linear", "TiedLinear", "linear"]

# Matrix products pick another kernel, which sums in another order, where the summed width is no
# multiple of the vector width: the result of a row then depends on its place among the others.
# With the width padded by zeros to this multiple it does not (benchmarks/row_independence.py).
_WIDTH_MULTIPLE = 16


def linear(x, weight, bias=None):
    """Affine map whose result for a row does not depend on the other rows.

    Parameters
    ----------
    x : Tensor, shape (batch, in_features)
    weight : Tensor, shape (out_features, in_features)
    bias : Tensor or None, shape (out_features,)

    Returns
    -------
    y : Tensor, shape (batch, out_features)
    """
    missing = -x.shape[-1] % _WIDTH_MULTIPLE
    if missing:
        x, weight = F.pad(x, (0, missing)), F.pad(weight, (0, missing))
    return F.linear(x, weight, bias)


def _empty_weight(out_features, in_features):
    """Weights in the memory order that makes their gradient the same on any number of threads.

    Autograd forms the gradient as a product whose left side is the one that the order in memory
    puts first. With few rows there, 5 or 10, the kernel splits the sum over the batch between
    threads, and the result depends on their number.
    """
    if out_features < in_features:
        return torch.empty(in_features, out_features).t()
    return torch.empty(out_features, in_features)


class Linear(nn.Module):
    """Affine layer ``y = x W^T + b``.

    Initial weights and biases are uniform in ``+-1/sqrt(in_features)``, torch's default.

    **Shape**: (batch, in_features) -> (batch, out_features)

    Parameters
    ----------
    in_features, out_features : int
    generator : torch.Generator
        Source of the initial weights.
    bias : bool, default=True
    """

    def __init__(self, in_features, out_features, *, generator, bias=True):
        super().__init__()
        self.weight = nn.Parameter(_empty_weight(out_features, in_features))
        self.bias = nn.Parameter(torch.empty(out_features)) if bias else None
        self.reset_parameters(generator)

    def reset_parameters(self, generator):
        """Draw the weights anew from ``generator``."""
        bound = self.weight.shape[1] ** -0.5
        nn.init.uniform_(self.weight, -bound, bound, generator=generator)
        if self.bias is not None:
            nn.init.uniform_(self.bias, -bound, bound, generator=generator)

    def forward(self, x):
        """(batch, in_features) -> (batch, out_features)."""
        if self.training:
            return F.linear(x, self.weight, self.bias)
        return linear(x, self.weight, self.bias)


class TiedLinear(nn.Module):
    """Affine layer that uses the transposed weights of another one and a bias of its own.

    **Shape**: (batch, source.out_features) -> (batch, source.in_features)

    Parameters
    ----------
    source : Linear
        Layer whose weights are shared. It stays the owner of them.
    generator : torch.Generator
        Source of the initial bias.
    """

    def __init__(self, source, *, generator):
        super().__init__()
        # in a tuple, so that the weights are registered once, with their owner
        self._source = (source,)
        out_features, in_features = source.weight.shape
        self.bias = nn.Parameter(torch.empty(in_features))
        nn.init.uniform_(self.bias, -(out_features**-0.5), out_features**-0.5, generator=generator)

    def forward(self, x):
        """(batch, source.out_features) -> (batch, source.in_features)."""
        weight = self._source[0].weight.T
        if self.training:
            return F.linear(x, weight, self.bias)
        return linear(x, weight, self.bias)
