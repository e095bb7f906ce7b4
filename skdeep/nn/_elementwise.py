"""Functions whose result for an entry or a row does not depend on its position."""

import torch
from torch.nn import functional as F

#: From this number of entries on, torch splits elementwise functions and sums over a whole tensor
#: between threads.
GRAIN = 2**15
# On a CPU, torch computes elementwise functions on two SIMD vectors at a time. The remainder of
# each thread's part is computed entry by entry, with a different implementation of exp. The largest
# pair of vectors has 64 entries.
_VECTORS = 64
# On a GPU, torch sums long rows four entries at a time, where the first of four is aligned: rows of
# other lengths would be summed in orders that depend on their places.
_ALIGNED = 4


def in_whole_vectors(function, *tensors):
    """Apply an elementwise function so that every entry is computed as part of a SIMD vector.

    Tensors are padded to whole vectors if necessary. Without padding, functions with an exponential
    differ in the last digits between the end of a tensor and its middle, and a stack of nets would
    not be equal to the last bit to nets trained one by one.

    Parameters
    ----------
    function : callable
        Elementwise function of the given tensors.
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


def sum_rows(x):
    """Sum over the last axis, so that equal rows have equal sums."""
    if x.is_cuda and x.shape[-1] % _ALIGNED:
        x = F.pad(x, (0, -x.shape[-1] % _ALIGNED))
    return x.sum(dim=-1)


def _missing(n_entries):
    """Return the number of entries to pad so that each thread's part consists of whole vectors."""
    n_parts = max(1, min(torch.get_num_threads(), -(-n_entries // GRAIN)))
    return -n_entries % (n_parts * _VECTORS)
