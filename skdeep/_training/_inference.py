"""Applying a trained module to many rows, so that no row sees its neighbours."""

import numpy as np
import torch

from skdeep._training._data import dense

__all__ = ["CHUNK_IMAGES", "CHUNK_ROWS", "apply_in_chunks"]

#: Rows of a forward pass. Enough to fill a CPU's caches and a GPU, small enough for any memory.
CHUNK_ROWS = 1024
#: The same for images, whose feature maps are large: new memory for each of them would take three
#: times as long as the convolutions.
CHUNK_IMAGES = 128
# The last rows are padded to a multiple of this on a CPU, where equal shapes are not needed for
# equal results (benchmarks/row_independence.py), and to a whole chunk elsewhere.
_CPU_MULTIPLE = 16


def apply_in_chunks(function, X, *, scaler, device, n_outputs, dtype, chunk_rows=CHUNK_ROWS):
    """Apply a row-wise function of a module to all rows.

    The forward pass runs in float32, in chunks that are padded to one shape: a matrix product sums
    in an order that depends on its shape, and so would a row's result depend on how many rows come
    with it.

    Parameters
    ----------
    function : callable
        (chunk, n_features) tensor -> (chunk, n_outputs) tensor.
    X : ndarray or CSR matrix of shape (n_samples, n_features)
    scaler : RowScaler
        Applied to the rows first.
    device : str
    n_outputs : int
    dtype : dtype
        Of the result.
    chunk_rows : int

    Returns
    -------
    result : ndarray of shape (n_samples, n_outputs)

    Raises
    ------
    ValueError
        If a result is not finite because the rows are too large for float32.
    """
    result = np.empty((X.shape[0], n_outputs), dtype=dtype)
    with torch.inference_mode():
        for start in range(0, X.shape[0], chunk_rows):
            rows = scaler.to_tensor(dense(X, slice(start, start + chunk_rows)))
            n_rows = len(rows)
            multiple = _CPU_MULTIPLE if device == "cpu" else chunk_rows
            rows = torch.nn.functional.pad(rows, (0, 0, 0, -n_rows % multiple)).to(device)
            result[start : start + n_rows] = function(rows)[:n_rows].cpu().numpy()
    if not np.isfinite(result).all():
        raise ValueError(
            "X must be small enough for the net to stay within float32; a result is not finite, "
            f"largest absolute value of X: {abs(X).max()!r}. Scale X as the training data were."
        )
    return result
