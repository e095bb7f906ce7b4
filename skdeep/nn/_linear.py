"""Linear layers with explicit generators, whose rows are independent at inference."""

import torch
from torch import nn
from torch.nn import functional as F

from skdeep.nn._products import training_linear

# If the inner dimension is not a multiple of the SIMD width, matrix products use a different kernel
# with a different order of summation, and the result for a row depends on its position in the
# batch. If the outer one is not, it depends on the number of threads, which may be one for a few
# rows. Zero-padding to this multiple avoids both (benchmarks/row_independence.py).
WIDTH_MULTIPLE = 16


def padded(x, weight, bias):
    """Pad the factors of ``x @ weight.T + bias`` with zeros such that rows are independent.

    The product has further columns at the end, which have to be removed.

    Parameters
    ----------
    x : Tensor, shape (..., batch, in_features)
    weight : Tensor, shape (..., out_features, in_features)
    bias : Tensor or None, shape (..., out_features)
    """
    n_inputs, n_outputs = -x.shape[-1] % WIDTH_MULTIPLE, weight.shape[-2]
    # products with fewer columns are not split between threads
    n_outputs = -n_outputs % WIDTH_MULTIPLE if n_outputs > WIDTH_MULTIPLE else 0
    x = F.pad(x, (0, n_inputs)) if n_inputs else x
    weight = F.pad(weight, (0, n_inputs, 0, n_outputs)) if n_inputs or n_outputs else weight
    return x, weight, F.pad(bias, (0, n_outputs)) if n_outputs and bias is not None else bias


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
    out_features = weight.shape[0]
    if not torch.compiler.is_compiling():
        x, weight, bias = padded(x, weight, bias)
    # transposed views use such a kernel, too
    y = F.linear(x.contiguous(), weight.contiguous(), bias)
    return y if y.shape[-1] == out_features else y[..., :out_features].contiguous()


def init_uniform(fan_in, generator, *parameters):
    """Draw the initial values of parameters, uniform in ``+-1/sqrt(fan_in)``; ignores None."""
    for parameter in parameters:
        if parameter is not None:
            nn.init.uniform_(parameter, -(fan_in**-0.5), fan_in**-0.5, generator=generator)


class Linear(nn.Module):
    """Affine layer ``y = x W^T + b``.

    Initial weights and biases are uniform in ``+-1/sqrt(in_features)``, as in torch.

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
        size = (out_features, in_features)
        self.weight = nn.Parameter(torch.empty(size, dtype=torch.float32))
        self.bias = nn.Parameter(torch.empty(out_features, dtype=torch.float32)) if bias else None
        init_uniform(in_features, generator, self.weight, self.bias)

    def forward(self, x):
        """(batch, in_features) -> (batch, out_features)."""
        product = training_linear if self.training else linear
        return product(x, self.weight, self.bias)


class TiedLinear(nn.Module):
    """Affine layer with the transposed weights of another layer and a separate bias.

    **Shape**: (batch, source.out_features) -> (batch, source.in_features)

    Parameters
    ----------
    source : Linear
        Layer that owns the weights.
    generator : torch.Generator
        Source of the initial bias.
    bias : bool, default=True
    """

    def __init__(self, source, *, generator, bias=True):
        super().__init__()
        # in a tuple, so that the weights are only registered by their owner
        self._source = (source,)
        out_features, in_features = source.weight.shape
        self.bias = nn.Parameter(torch.empty(in_features, dtype=torch.float32)) if bias else None
        init_uniform(out_features, generator, self.bias)

    def forward(self, x):
        """(batch, source.out_features) -> (batch, source.in_features)."""
        product = training_linear if self.training else linear
        return product(x, self._source[0].weight.t(), self.bias)
