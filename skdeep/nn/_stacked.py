"""K modules of one shape as one module, whose tensors have a leading axis of members."""

import copy
from typing import NamedTuple

import torch
from torch import nn

from skdeep.nn._activation import ACTIVATIONS
from skdeep.nn._autoencoder import AutoencoderModule
from skdeep.nn._draw import MemberGenerators
from skdeep.nn._dropout import Dropout
from skdeep.nn._linear import TiedLinear
from skdeep.nn._norm import BatchNorm
from skdeep.nn._residual import BasicBlock, ResidualBlock, ResidualConvBlock
from skdeep.nn._resnet import ImageTrunk, ResNet, TableTrunk
from skdeep.nn._stacked_layers import TWINS, Mapped
from skdeep.nn._stacked_products import ALIGNMENT, Threads
from skdeep.nn._table import TableInput
from skdeep.nn._variational import VariationalModule

__all__ = [
    "StackedWeights",
    "has_twins",
    "signature",
    "stack_modules",
    "sums_in_order",
]

# Numbers that members of a stack need not have in common, by the module that holds them.
_LIFTED = {AutoencoderModule: ("noise",), Dropout: ("rate",)}


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


def sums_in_order(module):
    """Whether a stack adds up the gradients of a weight in the order of the module by itself.

    Those of the contractive penalty, gradients of gradients, reach tied weights and weights before
    a batch normalisation by several paths, which a stack takes in another order.
    """
    parts = list(module.modules())
    is_contractive = any(getattr(part, "contractive", False) for part in parts)
    return not (is_contractive and any(isinstance(part, BatchNorm | TiedLinear) for part in parts))


def _is_live(value):
    return isinstance(value, torch.Generator | torch.Tensor | nn.Module)


class StackedTensors(NamedTuple):
    """Parameters and buffers of some modules of one shape, each (members, ...), by name."""

    parameters: dict[str, nn.Parameter]
    buffers: dict[str, torch.Tensor]


class StackedWeights:
    """Parameters and buffers of K modules of one shape, side by side in memory.

    The modules go on to own views of them: what is learned here is seen there at once.

    Parameters
    ----------
    modules : list of torch.nn.Module

    Attributes
    ----------
    flat : Tensor of shape (members, n_entries)
        Parameters of each member, every one aligned as in memory of its own.
    """

    def __init__(self, modules):
        members = [dict(module.named_parameters()) for module in modules]
        self._shapes = {name: parameter.shape for name, parameter in members[0].items()}
        self._zero = next(modules[0].parameters()).new_zeros(1)
        self.flat = self.join(
            [
                torch.stack([one[name].detach().flatten() for one in members])
                for name in self._shapes
            ]
        )
        buffers = [dict(module.named_buffers()) for module in modules]
        self._buffers = {name: torch.stack([one[name] for one in buffers]) for name in buffers[0]}
        everything = {**self.views(self.flat), **self._buffers}
        for number, (parameters, rest) in enumerate(zip(members, buffers, strict=True)):
            for name, tensor in {**parameters, **rest}.items():
                tensor.data = everything[name][number]

    def tensors(self, start, stop):
        """Weights of some members, as leaves of a graph of their own; ``StackedTensors``."""
        return StackedTensors(
            {name: nn.Parameter(v) for name, v in self.views(self.flat[start:stop]).items()},
            {name: buffer[start:stop] for name, buffer in self._buffers.items()},
        )

    def join(self, parts, out=None):
        """Join tensors of (members, ...), one for each parameter, in the way of ``flat``."""
        pieces = []
        for part in parts:
            pieces.append(part.flatten(1))
            if gap := -pieces[-1].shape[1] % ALIGNMENT:
                pieces.append(self._zero.expand(len(part), gap))
        return torch.cat(pieces, dim=1, out=out)

    def views(self, flat):
        """Give views of a matrix like ``flat``, tensors of (members, ...) by parameter."""
        views, start = {}, 0
        for name, shape in self._shapes.items():
            stop = start + shape.numel()
            views[name] = flat[:, start:stop].view(-1, *shape)
            start = stop + -stop % ALIGNMENT
        return views

    @staticmethod
    def release(module):
        """Give a module memory of its own again."""
        for tensor in [*module.parameters(), *module.buffers()]:
            tensor.data = tensor.data.clone()


def stack_modules(modules, tensors, *, alone_on_one_thread=False):
    """Build a module that does for K modules at once what each of them does alone.

    **Shape**: (members, batch, ...) where each module takes (batch, ...)

    Layers that are written for a stack take their place; others are mapped by ``torch.vmap``.

    Parameters
    ----------
    modules : list of torch.nn.Module
        Their signatures are equal.
    tensors : StackedTensors
        Those of these modules.
    alone_on_one_thread : bool
        Whether each module runs on one thread when it is by itself.
    """
    names = {part: name for name, part in modules[0].named_modules()}
    threads = Threads.present(alone_on_one=alone_on_one_thread)
    return _Builder(tensors, names, threads).build(modules)


class _Builder:
    """Walks through K modules of one shape side by side."""

    def __init__(self, tensors, names, threads):
        self._tensors = {**tensors.parameters, **tensors.buffers}
        self._names = names
        self.threads = threads

    def tensors(self, module):
        """Stacked parameters and buffers of a module and of those below it, by their names."""
        prefix = f"{self._names[module]}." if self._names[module] else ""
        own = [*module.named_parameters(), *module.named_buffers()]
        # a tied weight is listed with its owner only
        return {name: self._tensors[prefix + name] for name, _ in own}

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
                setattr(shell, name, MemberGenerators(generators))
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
