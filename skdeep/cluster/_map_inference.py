"""Results of a self-organizing map, each of which depends on its own sample only."""

import numpy as np
import torch

from skdeep.cluster._map_rows import MapRows, chunk_length, padded
from skdeep.nn._unit_distances import UnitDistances
from skdeep.utils._slabs import largest_magnitude
from skdeep.utils._threads import work_scope
from skdeep.utils._validation import output_dtype

# Units are padded to a multiple of this number, so that processors treat all rows of a matrix
# product alike, wherever they stand.
_MULTIPLE = 48


@torch.inference_mode()
def apply_to_samples(function, X, weights, *, center, metric, has_missing, device):
    """Apply a row-wise function of ``UnitDistances`` to all samples.

    Parameters
    ----------
    function : callable
        ``UnitDistances``, (chunk, n_features) tensor -> tensor of length chunk.
    X : ndarray or CSR matrix of shape (n_samples, n_features), or MapRows
    weights : ndarray of shape (n_units, n_features)
        Unit weights, from which the center has been subtracted.
    center : ndarray of shape (n_features,)
    metric : str
    has_missing : bool
    device : str

    Returns
    -------
    result : ndarray of length n_samples
        Of ints; or float32 for float32 samples, else float64.

    Raises
    ------
    ValueError
        If a result is not finite because the samples are too large.
    """
    rows = X if isinstance(X, MapRows) else MapRows(X, center=center, device=device)
    weights = torch.tensor(weights, dtype=rows.dtype, device=device)
    units = UnitDistances(weights, metric, has_missing=has_missing, multiple=_MULTIPLE)
    length = chunk_length(*weights.shape)
    with work_scope(length * weights.numel(), device):
        result, start = None, 0
        for x, *_ in rows.chunks(length):
            chunk = function(units, padded(x, length))[: len(x)].cpu().numpy()
            if result is None:  # if small arrays were kept, memory would become fragmented
                result = np.empty((len(rows), *chunk.shape[1:]), dtype=chunk.dtype)
            result[start : start + len(x)] = chunk
            start += len(x)
    if result.dtype.kind != "f":
        return result
    if not np.isfinite(result).all():
        raise ValueError(
            "X must be small enough for finite distances; a distance is not finite for a maximum "
            f"absolute value of {largest_magnitude(X):g}. Scale X like the training data."
        )
    return result.astype(output_dtype(X), copy=False)
