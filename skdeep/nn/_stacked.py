"""K modules of one shape as one module, whose tensors have a leading axis of members."""

import copy

import torch
from torch import nn
from torch.func import functional_call
from torch.nn import functional as F

from skdeep.nn._activation import ACTIVATIONS
from skdeep.nn._augment import Augment
from skdeep.nn._autoencoder import AutoencoderModule
from skdeep.nn._draw import MemberGenerators
from skdeep.nn._dropout import Dropout
from skdeep.nn._linear import WIDTH_MULTIPLE, Linear, TiedLinear
from skdeep.nn._norm import BatchNorm, LayerNorm, batch_norm
from skdeep.nn._residual import BasicBlock, ResidualBlock, ResidualConvBlock
from skdeep.nn._resnet import ImageTrunk, ResNet, TableTrunk
from skdeep.nn._table import CategoryEmbedding, TableInput
from skdeep.nn._variational import VariationalModule

__all__ = [
    "StackedBatch",
    "StackedWeights",
    "can_fill_up",
    "has_twins",
    "signature",
    "stack_modules",
]

# Matrix products with fewer multiply-adds are loops of torch's own where they come in batches.
_TINY = 400
# Numbers that members of a stack need not have in common, by the module that holds them.
_LIFTED = {AutoencoderModule: ("noise",), Dropout: ("rate",)}


class StackedBatch:
    """What the modules of a stack know of the present batch.

    Attributes
    ----------
    counts : tuple of int or None
        Rows of each member, where some have fewer than there is room for; they come first.
    """

    def __init__(self):
        self.counts = None


def signature(module):
    """Hashable description of everything that modules must share to be stacked.

    Types, shapes of tensors and settings, without the values of tensors, generators and the
    numbers that may differ from member to member.
    """
    parts = []
    for name, part in module.named_modules():
        shapes = tuple(
            tuple((key, tuple(tensor.shape), tensor.dtype) for key, tensor in tensors)
            for tensors in (part.named_parameters(recurse=False), part.named_buffers(recurse=False))
        )
        lifted = _LIFTED.get(type(part), ())
        settings = tuple(
            (key, repr(value))
            for key, value in sorted(vars(part).items())
            if not key.startswith("_") and key not in lifted and not _is_live(value)
        )
        parts.append((name, type(part), shapes, settings))
    return tuple(parts)


def has_twins(module):
    """Whether a stack has layers of its own for every layer of a module."""
    return type(module) in _TWINS or (
        type(module) in _RANK_FREE and all(has_twins(child) for child in module.children())
    )


def can_fill_up(module):
    """Whether members may have fewer rows than others, filled up with rows of weight zero.

    These would spoil the statistics of batch norm, and several draws for each row leave no place
    for them at the end.
    """
    return not any(
        isinstance(part, BatchNorm) or getattr(part, "n_samples", 1) > 1
        for part in module.modules()
    )


def _is_live(value):
    return isinstance(value, torch.Generator | torch.Tensor | nn.Module)


class StackedWeights:
    """Parameters and buffers of K modules of one shape, side by side in memory.

    The modules go on to own views of them: what is learned here is seen there at once.

    Parameters
    ----------
    modules : list of torch.nn.Module

    Attributes
    ----------
    flat : Tensor of shape (members, n_parameters)
    parameters : dict of str to Parameter of shape (members, ...)
        Views of ``flat``.
    buffers : dict of str to Tensor of shape (members, ...)
    """

    def __init__(self, modules):
        members = [dict(module.named_parameters()) for module in modules]
        self._shapes = {name: parameter.shape for name, parameter in members[0].items()}
        flat = [torch.cat([p.detach().flatten() for p in one.values()]) for one in members]
        self.flat = torch.stack(flat)
        views = self.views(self.flat)
        self.parameters = {name: nn.Parameter(view) for name, view in views.items()}
        buffers = [dict(module.named_buffers()) for module in modules]
        self.buffers = {name: torch.stack([one[name] for one in buffers]) for name in buffers[0]}
        everything = {**self.parameters, **self.buffers}
        for number, (parameters, rest) in enumerate(zip(members, buffers, strict=True)):
            for name, tensor in {**parameters, **rest}.items():
                tensor.data = everything[name].data[number]

    def views(self, flat):
        """Give views of a matrix like ``flat``, tensors of (members, ...) by parameter."""
        sizes = [shape.numel() for shape in self._shapes.values()]
        return {
            name: part.view(-1, *shape)
            for (name, shape), part in zip(
                self._shapes.items(), flat.split(sizes, dim=1), strict=True
            )
        }

    @staticmethod
    def release(module):
        """Give a module memory of its own again."""
        for tensor in [*module.parameters(), *module.buffers()]:
            tensor.data = tensor.data.clone()


def stack_modules(modules, weights, batch):
    """Build a module that does for K modules at once what each of them does alone.

    **Shape**: (members, batch, ...) where each module takes (batch, ...)

    Layers that are written for a stack take their place; others are mapped by ``torch.vmap``.

    Parameters
    ----------
    modules : list of torch.nn.Module
        Their signatures are equal.
    weights : StackedWeights
    batch : StackedBatch
    """
    names = {part: name for name, part in modules[0].named_modules()}
    return _Builder(weights, batch, names).build(modules)


class _Builder:
    """Walks through K modules of one shape side by side."""

    def __init__(self, weights, batch, names):
        self.weights, self.batch, self.names = weights, batch, names

    def tensors(self, module):
        """Stacked parameters and buffers of a module and of those below it, by their names."""
        prefix = f"{self.names[module]}." if self.names[module] else ""
        stacked = {**self.weights.parameters, **self.weights.buffers}
        own = [*module.named_parameters(), *module.named_buffers()]
        # a tied weight is listed with its owner only
        return {name: stacked[prefix + name] for name, _ in own}

    def build(self, members):
        """Stacked twin of modules that sit in the same place."""
        kind = type(members[0])
        if kind in _TWINS:
            return _TWINS[kind](members, self)
        if kind in _RANK_FREE:
            return self._shell(members)
        return _Mapped(members, self)

    def _shell(self, members):
        """Make a module whose own code runs on stacked tensors, with stacked children."""
        first = members[0]
        shell = copy.copy(first)
        shell._modules = {
            name: self.build([member._modules[name] for member in members])
            for name in first._modules
        }
        tensors = self.tensors(first)
        shell._parameters = {name: tensors.get(name) for name in first._parameters}
        shell._buffers = {name: tensors.get(name) for name in first._buffers}
        for name, value in vars(first).items():
            if isinstance(value, torch.Generator):
                generators = [getattr(member, name) for member in members]
                setattr(shell, name, MemberGenerators(generators, self.batch))
        for name in _LIFTED.get(type(first), ()):
            values = tuple(getattr(member, name) for member in members)
            setattr(shell, name, values if any(values) else 0.0)
        return shell


class _StackedLinear(nn.Module):
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


class _StackedTiedLinear(nn.Module):
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
        biases = (None,) * len(x) if bias is None else bias
        parts = zip(x, weight, biases, strict=True)
        return torch.stack([F.linear(rows, one.t(), shift) for rows, one, shift in parts])
    return torch.bmm(x, weight) if bias is None else torch.baddbmm(bias.unsqueeze(1), x, weight)


def _is_tiny(n_rows, in_features, out_features):
    """Whether torch forms a single product of that shape in another way than one of a batch."""
    return min(in_features, out_features) == 1 or n_rows * in_features * out_features < _TINY


class _StackedBatchNorm(nn.Module):
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
        values_per_channel = x[0].numel() // x.shape[2]
        y = batch_norm(
            _swap(x).flatten(1, 2),  # (batch, members * channels, ...)
            self.weight.flatten(),
            self.bias.flatten(),
            self.running_mean.view(-1),
            self.running_var.view(-1),
            training=self.training and values_per_channel > 1,
            momentum=self.momentum,
            eps=self.eps,
        )
        return _swap(y.unflatten(1, (len(x), x.shape[2])))


class _Swap(torch.autograd.Function):
    """Exchanges the first two axes in memory, forwards and backwards.

    Sums over the rows of a view that leaves members beside each other run over several members at
    once, in another order than over the rows of one.
    """

    @staticmethod
    def forward(ctx, x):
        """Give (b, a, ...) for (a, b, ...)."""
        return x.transpose(0, 1).contiguous()

    @staticmethod
    def backward(ctx, gradient):
        """Give (a, b, ...) for (b, a, ...)."""
        return gradient.transpose(0, 1).contiguous()


_swap = _Swap.apply


class _StackedLayerNorm(nn.Module):
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


class _StackedCategoryEmbedding(nn.Module):
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


class _Mapped(nn.Module):
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


class _OneByOne(nn.Module):
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


_TWINS = {
    Linear: _StackedLinear,
    TiedLinear: _StackedTiedLinear,
    BatchNorm: _StackedBatchNorm,
    LayerNorm: _StackedLayerNorm,
    CategoryEmbedding: _StackedCategoryEmbedding,
    Augment: _OneByOne,
}
# Modules whose code asks for the last axes only, so that it runs on stacked tensors as it is.
_RANK_FREE = {
    *ACTIVATIONS.values(),
    nn.Sequential,
    nn.Softmax,
    AutoencoderModule,
    BasicBlock,
    Dropout,
    ImageTrunk,
    ResNet,
    ResidualBlock,
    ResidualConvBlock,
    TableInput,
    TableTrunk,
    VariationalModule,
}
