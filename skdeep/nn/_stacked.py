"""K modules of one shape as one module, whose tensors have a leading axis of members."""

import copy

import torch
from torch import nn

from skdeep.nn._activation import ACTIVATIONS
from skdeep.nn._autoencoder import AutoencoderModule
from skdeep.nn._draw import MemberGenerators
from skdeep.nn._dropout import Dropout
from skdeep.nn._norm import BatchNorm
from skdeep.nn._residual import BasicBlock, ResidualBlock, ResidualConvBlock
from skdeep.nn._resnet import ImageTrunk, ResNet, TableTrunk
from skdeep.nn._stacked_layers import TWINS, Mapped
from skdeep.nn._table import TableInput
from skdeep.nn._variational import VariationalModule

__all__ = [
    "StackedBatch",
    "StackedWeights",
    "can_fill_up",
    "has_twins",
    "signature",
    "stack_modules",
]

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
    return type(module) in TWINS or (
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
        if kind in TWINS:
            return TWINS[kind](members, self)
        if kind in _RANK_FREE:
            return self._shell(members)
        return Mapped(members, self)

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
