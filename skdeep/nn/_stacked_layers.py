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
from skdeep.nn._stacked_products import affine
from skdeep.nn._table import CategoryEmbedding

__all__ = ["TWINS", "Mapped"]


class _Affine(nn.Module):
    """Products with the weights of K layers."""

    def __init__(self, layer, source, builder):
        super().__init__()
        self.weight = builder.tensors(source)["weight"]
        self.bias = builder.tensors(layer).get("bias")
        self.threads = builder.threads

    def _product(self, x, matrix):
        """``x @ matrix.T + bias`` as each layer forms it; matrix is (members, out, in)."""
        if not self.training:  # as ``linear`` does
            missing = -x.shape[-1] % WIDTH_MULTIPLE
            x, matrix = (F.pad(part, (0, missing)).contiguous() for part in (x, matrix))
        return affine(x, matrix.mT, self.bias, self.threads)


class StackedLinear(_Affine):
    """K affine layers."""

    def __init__(self, members, builder):
        super().__init__(members[0], members[0], builder)

    def forward(self, x):
        """(members, batch, in_features) -> (members, batch, out_features)."""
        return self._product(x, self.weight)


class StackedTiedLinear(_Affine):
    """K affine layers with the weights of K others, transposed."""

    def __init__(self, members, builder):
        super().__init__(members[0], members[0]._source[0], builder)

    def forward(self, x):
        """(members, batch, source.out_features) -> (members, batch, source.in_features)."""
        return self._product(x, self.weight.mT)


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

    def forward(self, x):
        """(members, batch, ...) -> (members, batch, ...)."""
        return torch.stack([member(part) for part, member in zip(x, self.members, strict=True)])


#: Twins by the layer that they stand for.
TWINS = {
    Linear: StackedLinear,
    TiedLinear: StackedTiedLinear,
    BatchNorm: StackedBatchNorm,
    LayerNorm: StackedLayerNorm,
    CategoryEmbedding: StackedCategoryEmbedding,
    Augment: OneByOne,
}
