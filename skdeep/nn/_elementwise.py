"""Elementwise functions that give an entry the same result wherever it is in a tensor."""

import torch
from torch.nn import functional as F

__all__ = ["GRAIN", "in_whole_vectors"]

#: With this many entries or more, torch splits elementwise functions and sums over a whole tensor
#: between threads.
GRAIN = 2**15
# On a CPU torch computes an elementwise function by vectors, two at a time. The remainder of each
# thread's part is computed one by one, with another implementation of exp. The largest pair has 64
# entries.
_VECTORS = 64


def in_whole_vectors(function, *tensors):
    """Apply an elementwise function so that every entry is computed as part of a vector.

    Tensors are padded to whole vectors where necessary. Without it, functions with an exponential
    return other last digits for the same value at the end of a tensor than in the middle of it: a
    stack of nets would not be equal to the last bit to the nets trained one by one.

    Parameters
    ----------
    function : callable
        Elementwise function of as many tensors as are given.
    *tensors : Tensor
        Of equal shape.

    Returns
    -------
    result : Tensor
        Of the same shape.
    """
    x = tensors[0]
    if x.device.type != "cpu" or torch.compiler.is_compiling():
        return function(*tensors)
    missing = _missing(x.numel())
    if not missing:
        return function(*tensors)
    padded = [F.pad(tensor.flatten(), (0, missing)) for tensor in tensors]
    return function(*padded)[: x.numel()].view(x.shape)


def _missing(n_entries):
    """Count the entries that the parts of all threads lack to whole vectors."""
    n_parts = max(1, min(torch.get_num_threads(), -(-n_entries // GRAIN)))
    return -n_entries % (n_parts * _VECTORS)
