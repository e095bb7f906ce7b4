"""Inference whose result for a sample does not depend on the other samples."""

import numpy as np
import torch
from torch.nn import functional as F

from skdeep.utils._slabs import dense, largest_magnitude
from skdeep.utils._threads import is_convolutional, thread_scope
from skdeep.utils._validation import output_dtype

#: Samples per forward pass. Enough to use a CPU's caches and a GPU well, and small enough for any
#: memory.
CHUNK_ROWS = 1024
# The same for images, whose feature maps are large: allocating their memory would take three times
# as long as the convolutions.
_CHUNK_IMAGES = 128
# The last chunk is padded to a multiple of this on a CPU, where equal results do not require equal
# shapes (benchmarks/row_independence.py), and to a whole chunk on other devices. Of the multiples
# that suffice, 4 is hardly faster for a single row, and 16 takes half as long again.
_CPU_MULTIPLE = 8


class NotFiniteError(ValueError):
    """Raised if a result of a net is not finite."""


def apply_in_chunks(function, X, *, module, scaler, device, chunk_rows=None):
    """Apply a row-wise function of a module to all samples.

    The forward pass runs in float32, in chunks that are padded to the same shape: the order of
    summation in a matrix product depends on its shape, so that the result for a sample would
    otherwise depend on the number of samples.

    Parameters
    ----------
    function : callable
        (chunk, width) tensor -> (chunk, n_outputs) tensor.
    X : ndarray or CSR matrix of shape (n_samples, n_features)
    module : torch.nn.Module
        Module that the function belongs to.
    scaler : Scaler
        Applied to the samples first.
    device : str
    chunk_rows : int or None
        Samples per forward pass; None for a default that depends on the module.

    Returns
    -------
    result : ndarray of shape (n_samples, n_outputs)
        float32 for float32 samples, else float64.

    Raises
    ------
    NotFiniteError
        If a result is not finite because the samples are too large for float32.
    """
    if chunk_rows is None:
        chunk_rows = _CHUNK_IMAGES if device == "cpu" and is_convolutional(module) else CHUNK_ROWS
    multiple = _CPU_MULTIPLE if device == "cpu" else chunk_rows
    chunks = []
    # a few rows run on one thread, whatever the net
    with torch.inference_mode(), thread_scope(module, min(chunk_rows, X.shape[0]), device):
        for start in range(0, X.shape[0], chunk_rows):
            rows = scaler.to_tensor(dense(X, slice(start, start + chunk_rows)))
            n_rows = rows.shape[0]
            padded = F.pad(rows, (0, 0, 0, -n_rows % multiple)).to(device)
            chunks.append(function(padded)[:n_rows].cpu().numpy())
    result = np.concatenate(chunks, dtype=output_dtype(X))
    if not np.isfinite(result).all():
        raise NotFiniteError(
            "X must not exceed the range of the net in float32; a result is not finite for a "
            f"maximum absolute value of {largest_magnitude(X):g}. Scale X like the training data."
        )
    return result
