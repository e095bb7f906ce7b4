"""Random draws from generators of ours, also in a stack of modules and in other people's."""

import torch
from torch.overrides import TorchFunctionMode

__all__ = ["DrawFrom", "MemberGenerators", "draw"]


class MemberGenerators:
    """One generator for each of the stacked modules, in place of the one that each of them has.

    Parameters
    ----------
    generators : sequence of torch.Generator
    batch : StackedBatch
        Says how many rows of the present batch are each member's.
    """

    def __init__(self, generators, batch):
        self.generators = generators
        self.batch = batch

    def fill(self, fill, x, amounts, idle, batch_dim):
        """Draw each member's slice of ``x``, (members, ...), as the member would alone."""
        result = torch.empty_like(x, memory_format=torch.contiguous_format)
        amounts = amounts if isinstance(amounts, tuple) else (amounts,) * len(self.generators)
        counts = self.batch.counts or (None,) * len(self.generators)
        for part, amount, n_rows, generator in zip(
            result, amounts, counts, self.generators, strict=True
        ):
            if not amount:
                part.fill_(idle)
                continue
            if n_rows is None:
                fill(part, amount, generator)
                continue
            own = part.narrow(batch_dim, 0, n_rows)
            drawn = torch.empty_like(own, memory_format=torch.contiguous_format)
            fill(drawn, amount, generator)
            part.fill_(idle)
            own.copy_(drawn)
        return result


def draw(fill, x, amount, generator, *, idle, batch_dim=0):
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
    batch_dim : int
        Axis of the rows in what a single module draws.
    """
    if isinstance(generator, MemberGenerators):
        return generator.fill(fill, x, amount, idle, batch_dim)
    result = torch.empty_like(x)
    fill(result, amount, generator)
    return result


class DrawFrom(TorchFunctionMode):
    """Context in which draws that name no generator come from this one.

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
        return function(*args, **kwargs)
