"""Random draws from generators of ours, also in a stack of modules and in other people's."""

import torch
from torch.overrides import TorchFunctionMode

__all__ = ["DrawFrom", "MemberGenerators", "draw"]


class MemberGenerators:
    """One generator for each of the stacked modules, in place of the one that each of them has.

    Parameters
    ----------
    generators : sequence of torch.Generator
    """

    def __init__(self, generators):
        self.generators = generators

    def fill(self, fill, x, amounts, idle):
        """Draw each member's slice of ``x``, (members, ...), as the member would alone."""
        result = torch.empty_like(x, memory_format=torch.contiguous_format)
        amounts = amounts if isinstance(amounts, tuple) else (amounts,) * len(self.generators)
        for part, amount, generator in zip(result, amounts, self.generators, strict=True):
            if amount:
                fill(part, amount, generator)
            else:
                part.fill_(idle)
        return result


def draw(fill, x, amount, generator, *, idle):
    """Tensor in the shape of ``x`` that is filled at random.

    Parameters
    ----------
    fill : callable
        ``fill(tensor, amount, generator)`` fills a tensor in place.
    x : Tensor
    amount : float, or tuple of float, one for each member of a stack
    generator : torch.Generator or MemberGenerators
    idle : float
        What members with an amount of zero get, who draw nothing.
    """
    if isinstance(generator, MemberGenerators):
        return generator.fill(fill, x, amount, idle)
    result = torch.empty_like(x)
    fill(result, amount, generator)
    return result


class DrawFrom(TorchFunctionMode):
    """Context in which draws that name no generator come from this one.

    New tensors that name no dtype are float32.

    Parameters
    ----------
    generator : torch.Generator
    """

    def __init__(self, generator):
        super().__init__()
        self.generator = generator

    def __torch_function__(self, function, types, args=(), kwargs=None):
        kwargs = dict(kwargs or {})
        draws = "generator" in kwargs or function is torch.Tensor.normal_
        if draws and kwargs.get("generator") is None:
            kwargs["generator"] = self.generator
        if function in (torch.empty, torch.zeros):
            kwargs.setdefault("dtype", torch.float32)
        return function(*args, **kwargs)
