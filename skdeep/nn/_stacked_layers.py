"""Layers of K nets as one layer, whose tensors have a leading axis of members.

A twin is made of the layers that it stands for and of the builder that knows their tensors.
"""

import torch
from torch import nn
from torch.func import functional_call
from torch.nn import functional as F

from skdeep.nn._augment import Augment
from skdeep.nn._linear import WIDTH_MULTIPLE, Linear, TiedLinear
from skdeep.nn._norm import BatchNorm, LayerNorm, batch_norm, stacked_batch_norm
from skdeep.nn._table import CategoryEmbedding

__all__ = ["TWINS", "Mapped"]

# Matrix products with fewer multiply-adds are loops of torch's own where they come in batches.
_TINY = 400


class StackedLinear(nn.Module):
    """K affine layers."""

    def __init__(self, members, builder):
        super().__init__()
        tensors = builder.tensors(members[0])
        self.is_transposed = members[0].is_transposed
        self.weight, self.bias = tensors["weight"], tensors.get("bias")

    def forward(self, x):
        """(members, batch, in_features) -> (members, batch, out_features)."""
        weight = self.weight if self.is_transposed else self.weight.transpose(1, 2)
        return _affine(x, weight, self.bias, self.training)


class StackedTiedLinear(nn.Module):
    """K affine layers with the weights of K others, transposed."""

    def __init__(self, members, builder):
        super().__init__()
        source = members[0]._source[0]
        self.is_transposed = source.is_transposed
        self.weight = builder.tensors(source)["weight"]
        self.bias = builder.tensors(members[0]).get("bias")

    def forward(self, x):
        """(members, batch, source.out_features) -> (members, batch, source.in_features)."""
        weight = self.weight.transpose(1, 2) if self.is_transposed else self.weight
        return _affine(x, weight, self.bias, self.training)


def _affine(x, weight, bias, training):
    """Products of K matrices, to the last bit those that each member forms."""
    if not training:  # as ``linear`` does
        missing = -x.shape[-1] % WIDTH_MULTIPLE
        x, weight = F.pad(x, (0, missing)), F.pad(weight.transpose(1, 2), (0, missing))
        x, weight = x.contiguous(), weight.contiguous().transpose(1, 2)
    if _is_tiny(x.shape[1], *weight.shape[1:]):
        return _TinyProducts.apply(x, weight, bias)
    return torch.bmm(x, weight) if bias is None else torch.baddbmm(bias.unsqueeze(1), x, weight)


def _is_tiny(n_rows, in_features, out_features):
    """Whether torch forms a single product of that shape in another way than one of a batch."""
    return min(in_features, out_features) == 1 or n_rows * in_features * out_features < _TINY


class _TinyProducts(torch.autograd.Function):
    """Products that are formed member by member, in a graph as small as that of a batched one."""

    @staticmethod
    def forward(ctx, x, weight, bias):
        """(members, batch, in_features) -> (members, batch, out_features)."""
        ctx.save_for_backward(x, weight)
        if bias is None:
            return _stacked(torch.mm, x, weight)
        return _stacked(torch.addmm, bias, x, weight)

    @staticmethod
    def backward(ctx, gradient):
        """Gradients of ``x``, ``weight`` and ``bias``."""
        x, weight = ctx.saved_tensors
        of_x = of_bias = None
        if ctx.needs_input_grad[0]:
            of_x = _stacked(torch.mm, gradient, weight.transpose(1, 2))
        if ctx.needs_input_grad[2]:
            of_bias = gradient.sum(1)
        return of_x, _stacked(torch.mm, x.transpose(1, 2), gradient), of_bias


def _stacked(function, *tensors):
    """Results of a function for each of the members."""
    return torch.stack(list(map(function, *(tensor.unbind() for tensor in tensors))))


class StackedBatchNorm(nn.Module):
    """K batch normalisations: one over K times the channels."""

    running_mean: torch.Tensor
    running_var: torch.Tensor
    weight: nn.Parameter
    bias: nn.Parameter

    def __init__(self, members, builder):
        super().__init__()
        tensors = builder.tensors(members[0])
        self.momentum, self.eps = members[0].momentum, members[0].eps
        self.weight, self.bias = tensors["weight"], tensors["bias"]
        self.register_buffer("running_mean", tensors["running_mean"])
        self.register_buffer("running_var", tensors["running_var"])

    def forward(self, x):
        """(members, batch, channels, ...) -> the same."""
        tensors = self.weight, self.bias, self.running_mean, self.running_var
        options = {
            "training": self.training and x[0].numel() > x.shape[2],
            "momentum": self.momentum,
            "eps": self.eps,
        }
        if x.shape[2] % WIDTH_MULTIPLE and not x.is_cuda:
            # the last channels of each, which fill no vector, are computed apart from the others
            members = zip(x, *tensors, strict=True)
            return torch.stack([batch_norm(*member, **options) for member in members])
        return stacked_batch_norm(x, *tensors, **options)


class StackedLayerNorm(nn.Module):
    """K layer normalisations."""

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
    """K tables of vectors, one below the other."""

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
    """K modules of any other kind, one of which ``torch.vmap`` runs for all."""

    def __init__(self, members, builder):
        super().__init__()
        self.tensors = builder.tensors(members[0])
        self._template = (members[0],)  # in a tuple: no child of this module

    def forward(self, x):
        """(members, batch, ...) -> (members, batch, ...)."""
        self._template[0].train(self.training)
        return torch.vmap(self._one, randomness="error")(self.tensors, x)

    def _one(self, tensors, x):
        return functional_call(self._template[0], tensors, (x,))


class OneByOne(nn.Module):
    """K modules without weights that draw at random in ways of their own."""

    def __init__(self, members, builder):
        super().__init__()
        self.members = nn.ModuleList(members)
        self.batch = builder.batch

    def forward(self, x):
        """(members, batch, ...) -> (members, batch, ...)."""
        counts = self.batch.counts or (None,) * len(x)
        result = x.clone()
        for part, rows, n_rows, member in zip(result, x, counts, self.members, strict=True):
            part[:n_rows] = member(rows[:n_rows])
        return result


#: Twins by the layer that they stand for.
TWINS = {
    Linear: StackedLinear,
    TiedLinear: StackedTiedLinear,
    BatchNorm: StackedBatchNorm,
    LayerNorm: StackedLayerNorm,
    CategoryEmbedding: StackedCategoryEmbedding,
    Augment: OneByOne,
}
