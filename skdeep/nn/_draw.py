"""Random draws from given generators, also in stacked modules and in third-party code."""

import torch
from torch.overrides import TorchFunctionMode


class MemberGenerators:
    """The generators of stacked modules, in place of a single generator.

    Parameters
    ----------
    generators : sequence of torch.Generator
    """

    def __init__(self, generators):
        self.generators = generators

    def fill(self, fill, x, amounts, idle):
        """Draw for each member's slice of ``x``, (members, ...), as the member would alone."""
        result = torch.empty_like(x, memory_format=torch.contiguous_format)
        amounts = amounts if isinstance(amounts, tuple) else (amounts,) * len(self.generators)
        for part, amount, generator in zip(result, amounts, self.generators, strict=True):
            if amount:
                fill(part, amount, generator)
            else:
                part.fill_(idle)
        return result


def draw(fill, x, amount, generator, *, idle):
    """Return a tensor of the shape of ``x`` filled with random numbers.

    Parameters
    ----------
    fill : callable
        ``fill(tensor, amount, generator)`` fills a tensor in place.
    x : Tensor
    amount : float, or tuple of float, one for each member of a stack
    generator : torch.Generator or MemberGenerators
    idle : float
        Value for members with an amount of zero, which do not draw.
    """
    if isinstance(generator, MemberGenerators):
        return generator.fill(fill, x, amount, idle)
    result = torch.empty_like(x)
    fill(result, amount, generator)
    return result


class DrawFrom(TorchFunctionMode):
    """Context manager that sets the generator of random draws without an explicit one.

    New tensors without an explicit dtype are float32.

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
