"""Layers of K nets as one layer whose tensors have a leading axis of members.

A twin is the stacked implementation of a layer. It is made from the layers that it replaces and
from the builder that holds their tensors.
"""

import torch
from torch import nn
from torch.func import functional_call
from torch.nn import functional as F

from skdeep.nn._augment import Augment
from skdeep.nn._linear import WIDTH_MULTIPLE, Linear, TiedLinear, padded
from skdeep.nn._norm import BatchNorm, LayerNorm
from skdeep.nn._stacked_products import affine
from skdeep.nn._table import CategoryEmbedding


class _Affine(nn.Module):
    """Matrix products with the weights of K layers."""

    def __init__(self, layer, source, builder):
        super().__init__()
        self.weight = builder.tensors(source)["weight"]
        self.bias = builder.tensors(layer).get("bias")
        self.threads = builder.threads

    def _product(self, x, matrix):
        """``x @ matrix.T + bias``, as in each layer; matrix is (members, out, in)."""
        if self.training:
            return affine(x, matrix.mT, self.bias, self.threads)
        out_features = matrix.shape[1]
        x, matrix, bias = padded(x, matrix, self.bias)  # as in ``linear``
        y = affine(x.contiguous(), matrix.contiguous().mT, bias, self.threads)
        return y if y.shape[-1] == out_features else y[..., :out_features].contiguous()


class StackedLinear(_Affine):
    """K affine layers."""

    def __init__(self, members, builder):
        super().__init__(members[0], members[0], builder)

    def forward(self, x):
        """(members, batch, in_features) -> (members, batch, out_features)."""
        return self._product(x, self.weight)


class StackedTiedLinear(_Affine):
    """K affine layers with the transposed weights of K others."""

    def __init__(self, members, builder):
        super().__init__(members[0], members[0]._source[0], builder)

    def forward(self, x):
        """(members, batch, source.out_features) -> (members, batch, source.in_features)."""
        return self._product(x, self.weight.mT)


class _BatchNormOfRows(torch.autograd.Function):
    """Batch normalization of the rows of K members, with the number of threads of a single member.

    torch splits the sums over rows between threads, so that they depend on the number of threads.

    The rows of the members are copied next to each other in memory, and back. The kernel would
    accept a view, but other layers would then sum over the rows of such a view, across several
    members at once, in a different order than over the rows of a single member.
    """

    @staticmethod
    def forward(ctx, x, weight, bias, mean, var, momentum, eps, threads):
        """(members, batch, channels) -> the same; updates ``mean`` and ``var``."""
        scale, shift, mean, var = (tensor.flatten() for tensor in (weight, bias, mean, var))
        with threads.scope():
            y, *saved = torch.native_batch_norm(
                _side_by_side(x), scale, shift, mean, var, True, momentum, eps
            )
        ctx.save_for_backward(x, weight, *saved)
        ctx.eps, ctx.threads = eps, threads
        return _apart(y, x.shape)

    @staticmethod
    def backward(ctx, gradient):
        """Gradients of ``x``, ``weight`` and ``bias``."""
        x, weight, mean, spread = ctx.saved_tensors
        rows = _side_by_side(gradient), _side_by_side(x), weight.flatten()
        with ctx.threads.scope():
            of_x, of_weight, of_bias = torch.ops.aten.native_batch_norm_backward(
                *rows, None, None, mean, spread, True, ctx.eps, [True, True, True]
            )
        return (
            _apart(of_x, x.shape),
            of_weight.view_as(weight),
            of_bias.view_as(weight),
            *[None] * 5,
        )


def _side_by_side(x):
    """(members, batch, channels, ...) -> (batch, members * channels, ...)."""
    return x.transpose(0, 1).flatten(1, 2)


def _apart(rows, shape):
    """(batch, members * channels, ...) -> (members, batch, channels, ...)."""
    return rows.unflatten(1, (shape[0], shape[2])).transpose(0, 1).contiguous()


class StackedBatchNorm(nn.Module):
    """K batch normalizations as one over K times the channels."""

    running_mean: torch.Tensor
    running_var: torch.Tensor
    weight: nn.Parameter
    bias: nn.Parameter

    def __init__(self, members, builder):
        super().__init__()
        tensors = builder.tensors(members[0])
        self.momentum, self.eps = members[0].momentum, members[0].eps
        self.weight, self.bias = tensors["weight"], tensors["bias"]
        self.threads = builder.threads
        self.register_buffer("running_mean", tensors["running_mean"])
        self.register_buffer("running_var", tensors["running_var"])

    def forward(self, x):
        """(members, batch, channels, ...) -> the same."""
        tensors = x, self.weight, self.bias, self.running_mean, self.running_var
        if x.shape[2] % WIDTH_MULTIPLE and not x.is_cuda:
            # the remaining channels of each member, which do not fill a SIMD vector, are computed
            # separately by the kernel
            parts = zip(*(tensor.split(1) for tensor in tensors), strict=True)
            return torch.cat([self._normalise(*part) for part in parts])
        return self._normalise(*tensors)

    def _normalise(self, x, weight, bias, mean, var):
        """Normalize some of the members as one."""
        is_training = self.training and x[0].numel() > x.shape[2]
        if is_training and x.ndim == 3 and x.device.type == "cpu":
            return _BatchNormOfRows.apply(
                x, weight, bias, mean, var, self.momentum, self.eps, self.threads
            )
        mean, var, weight, bias = (tensor.flatten() for tensor in (mean, var, weight, bias))
        options = is_training, self.momentum, self.eps
        y = F.batch_norm(_side_by_side(x), mean, var, weight, bias, *options)
        return _apart(y, x.shape)


class StackedLayerNorm(nn.Module):
    """K layer normalizations."""

    def __init__(self, members, builder):
        super().__init__()
        tensors = builder.tensors(members[0])
        self.eps = members[0].eps
        self.weight, self.bias = tensors["weight"], tensors["bias"]

    def forward(self, x):
        """(members, batch, channels, ...) -> the same."""
        shape = (len(x), 1, x.shape[2]) + (1,) * (x.ndim - 3)
        normal = F.layer_norm(x, x.shape[2:], eps=self.eps)
        return torch.addcmul(self.bias.reshape(shape), normal, self.weight.reshape(shape))


class StackedCategoryEmbedding(nn.Module):
    """K embedding tables, concatenated along the rows."""

    def __init__(self, members, builder):
        super().__init__()
        tensors = builder.tensors(members[0])
        self.weight = tensors["weight"]
        self.offsets = tensors["offsets"]
        self.members = list(members)

    def forward(self, codes):
        """(members, batch, n_categorical) -> (members, batch, n_categorical * dim)."""
        weight = self.weight
        if not self.training:
            weight = torch.stack([member._with_means() for member in self.members])
        n_vectors = weight.shape[1]
        first = torch.arange(len(weight), device=weight.device).view(-1, 1, 1) * n_vectors
        places = codes.long() + self.offsets.unsqueeze(1) + first
        return F.embedding(places, weight.flatten(0, 1)).flatten(-2)


class Mapped(nn.Module):
    """K modules of any other class, computed by ``torch.vmap`` of one of them."""

    def __init__(self, members, builder):
        super().__init__()
        self.tensors = builder.tensors(members[0])
        self._template = (members[0],)  # in a tuple, so that it is not a child of this module

    def forward(self, x):
        """(members, batch, ...) -> (members, batch, ...)."""
        self._template[0].train(self.training)
        return torch.vmap(self._one, randomness="error")(self.tensors, x)

    def _one(self, tensors, x):
        return functional_call(self._template[0], tensors, (x,))


class OneByOne(nn.Module):
    """K modules without weights that draw random numbers, called one by one."""

    def __init__(self, members, builder):
        super().__init__()
        self.members = nn.ModuleList(members)

    def forward(self, x):
        """(members, batch, ...) -> (members, batch, ...)."""
        return torch.stack([member(part) for part, member in zip(x, self.members, strict=True)])


#: Twins by the layer that they replace.
TWINS = {
    Linear: StackedLinear,
    TiedLinear: StackedTiedLinear,
    BatchNorm: StackedBatchNorm,
    LayerNorm: StackedLayerNorm,
    CategoryEmbedding: StackedCategoryEmbedding,
    Augment: OneByOne,
}
