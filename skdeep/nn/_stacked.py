"""K modules of one shape as one module whose tensors have a leading axis of members."""

import copy
from typing import NamedTuple

import torch
from torch import nn

from skdeep.nn._activation import ACTIVATIONS
from skdeep.nn._autoencoder import AutoencoderModule
from skdeep.nn._cluster_net import ClusterNet
from skdeep.nn._coder_trunk import CoderTrunk
from skdeep.nn._diffusion_time import DiffusionTimeNet
from skdeep.nn._draw import MemberGenerators
from skdeep.nn._dropout import Dropout
from skdeep.nn._imputer import GaussianConditional, ImputerNet
from skdeep.nn._linear import TiedLinear
from skdeep.nn._norm import BatchNorm
from skdeep.nn._residual import BasicBlock, ResidualBlock, ResidualConvBlock
from skdeep.nn._resnet import ImageTrunk, ResNet, TableTrunk
from skdeep.nn._stacked_layers import TWINS, Mapped
from skdeep.nn._stacked_products import ALIGNMENT, Threads
from skdeep.nn._table import PiecewiseLinearEmbeddings, TableInput
from skdeep.nn._variational import VariationalModule

# Settings that may differ between the members of a stack, by module class.
_LIFTED = {AutoencoderModule: ("noise",), Dropout: ("rate",)}


def signature(module):
    """Return a hashable description that must be equal for modules to be stacked.

    It contains types, shapes of tensors and settings, but not the values of tensors, generators and
    the settings that may differ between members.
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
    """Whether there is a stacked implementation for every layer of a module."""
    return type(module) in TWINS or (
        type(module) in _RANK_FREE and all(has_twins(child) for child in module.children())
    )


def sums_in_order(module):
    """Whether a stack sums the gradients of a weight in the same order as the module alone.

    The gradients of the contractive penalty (gradients of gradients) reach tied weights, and
    weights before a batch normalization, by several paths, which a stack processes in a different
    order.
    """
    parts = list(module.modules())
    is_contractive = any(getattr(part, "contractive", False) for part in parts)
    return not (is_contractive and any(isinstance(part, BatchNorm | TiedLinear) for part in parts))


def _is_live(value):
    return isinstance(value, torch.Generator | torch.Tensor | nn.Module)


class StackedTensors(NamedTuple):
    """Stacked parameters and buffers of modules of one shape, each (members, ...), by name."""

    parameters: dict[str, nn.Parameter]
    buffers: dict[str, torch.Tensor]


class StackedWeights:
    """Parameters and buffers of K modules of one shape in contiguous memory.

    The tensors of the modules become views of it, so that updates are visible in the modules.

    Parameters
    ----------
    modules : list of torch.nn.Module

    Attributes
    ----------
    flat : Tensor of shape (members, n_entries)
        Parameters of each member, each aligned like a separately allocated tensor.
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
        """Return the weights of some members as leaves of a separate graph; ``StackedTensors``."""
        return StackedTensors(
            {name: nn.Parameter(v) for name, v in self.views(self.flat[start:stop]).items()},
            {name: buffer[start:stop] for name, buffer in self._buffers.items()},
        )

    def join(self, parts, out=None):
        """Concatenate tensors (members, ...), one for each parameter, in the layout of ``flat``."""
        pieces = []
        for part in parts:
            pieces.append(part.flatten(1))
            if gap := -pieces[-1].shape[1] % ALIGNMENT:
                pieces.append(self._zero.expand(len(part), gap))
        return torch.cat(pieces, dim=1, out=out)

    def views(self, flat):
        """Return views of a matrix in the layout of ``flat``: (members, ...) by parameter."""
        views, start = {}, 0
        for name, shape in self._shapes.items():
            stop = start + shape.numel()
            views[name] = flat[:, start:stop].view(-1, *shape)
            start = stop + -stop % ALIGNMENT
        return views

    @staticmethod
    def release(module):
        """Copy the tensors of a module back to separate memory."""
        for tensor in [*module.parameters(), *module.buffers()]:
            tensor.data = tensor.data.clone()


def stack_modules(modules, tensors, *, alone_on_one_thread=False):
    """Build a module that computes K modules at once.

    **Shape**: (members, batch, ...), where each module takes (batch, ...)

    Layers are replaced by stacked implementations if there are any, else mapped by ``torch.vmap``.

    Parameters
    ----------
    modules : list of torch.nn.Module
        Modules with equal signatures.
    tensors : StackedTensors
        Stacked tensors of these modules.
    alone_on_one_thread : bool
        Whether each module, used alone, runs on one thread.
    """
    names = {part: name for name, part in modules[0].named_modules()}
    threads = Threads.present(alone_on_one=alone_on_one_thread)
    return _Builder(tensors, names, threads).build(modules)


class _Builder:
    """Builds a stacked module by traversing K modules of one shape in parallel."""

    def __init__(self, tensors, names, threads):
        self._tensors = {**tensors.parameters, **tensors.buffers}
        self._names = names
        self.threads = threads

    def tensors(self, module):
        """Return the stacked parameters and buffers of a module and its children, by name."""
        prefix = f"{self._names[module]}." if self._names[module] else ""
        own = [*module.named_parameters(), *module.named_buffers()]
        # a tied weight is listed with its owner only
        return {name: self._tensors[prefix + name] for name, _ in own}

    def build(self, members):
        """Build the stacked module for modules at the same position."""
        kind = type(members[0])
        if kind in TWINS:
            return TWINS[kind](members, self)
        if kind in _RANK_FREE:
            return self._shell(members)
        return Mapped(members, self)

    def _shell(self, members):
        """Copy a module whose code works on stacked tensors, with stacked children."""
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


# Modules whose code only uses the last axes and therefore works on stacked tensors unchanged.
_RANK_FREE = {
    *ACTIVATIONS.values(),
    nn.Sequential,
    nn.Softmax,
    AutoencoderModule,
    BasicBlock,
    ClusterNet,
    CoderTrunk,
    DiffusionTimeNet,
    Dropout,
    GaussianConditional,
    ImageTrunk,
    ImputerNet,
    PiecewiseLinearEmbeddings,
    ResNet,
    ResidualBlock,
    ResidualConvBlock,
    TableInput,
    TableTrunk,
    VariationalModule,
}
