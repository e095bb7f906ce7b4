"""Samples for a self-organizing map, chunk by chunk."""

import numpy as np
import scipy.sparse as sp
import torch

from skdeep._training._data import fits, is_memory_mapped
from skdeep.nn._unit_distances import row_norms
from skdeep.utils._slabs import dense, slabs
from skdeep.utils._validation import output_dtype

# Maximum size of the distances and of the samples that are computed and read at once.
_MOST_DISTANCES, _MOST_VALUES = 2**19, 2**21
# Maximum number of rows of a chunk; chunks are padded to a multiple of the second number, so that
# results do not depend on other rows, see ``apply_in_chunks``.
_MOST_ROWS, _MULTIPLE = 4096, 16


def chunk_length(n_units, n_features):
    """Return the number of samples whose distances to all units are computed at once."""
    length = min(_MOST_DISTANCES // n_units, _MOST_VALUES // n_features, _MOST_ROWS)
    return max(_MULTIPLE, length // _MULTIPLE * _MULTIPLE)


def tensor_dtype(X, device):
    """Floating-point type of distances: float32 for float32 samples and where there is no other."""
    is_single = output_dtype(X) == np.float32 or device == "mps"
    return torch.float32 if is_single else torch.float64


class MapRows:
    """Samples of nonzero weight, as tensors from which a vector is subtracted.

    They are converted chunk by chunk, or once if they are stored.

    Parameters
    ----------
    X : ndarray or CSR matrix of shape (n_samples, n_features)
    weight : ndarray of shape (n_samples,) or None
    center : ndarray of shape (n_features,)
    device : str
    stores : bool
        Whether to store all of them if they fit on the device; never from a file or from sparse
        samples to the memory of the CPU.
    """

    def __init__(self, X, weight=None, *, center, device, stores=False):
        self.X, self.center, self.device = X, center, device
        self.dtype = tensor_dtype(X, device)
        n_bytes = self.dtype.itemsize
        self.index, self.weight = None, None
        if weight is not None:
            kept = np.flatnonzero(weight)
            self.index = kept if len(kept) < len(weight) else None
            mean = weight[kept].mean()
            self.weight = torch.as_tensor(weight[kept] / mean, dtype=self.dtype, device=device)
        self._stored = self._norms = None
        is_in_memory = not (sp.issparse(X) or is_memory_mapped(X))
        may_be_stored = stores and (is_in_memory or device != "cpu")
        if may_be_stored and fits(len(self), n_bytes // 4 * X.shape[1], device):
            parts = [self._read(rows) for rows in slabs(X) if rows.start < len(self)]
            self._stored = torch.cat(parts)
            self._norms = row_norms(self._stored)

    def __len__(self):
        return self.X.shape[0] if self.index is None else len(self.index)

    def chunks(self, length, order=None):
        """Yield the results of ``fetch``; in an order of indices, if given."""
        for start in range(0, len(self), length):
            rows = slice(start, min(start + length, len(self)))
            yield self.fetch(rows if order is None else order[rows])

    def fetch(self, rows):
        """Return samples and, or else None, their weights and squared norms.

        Returns
        -------
        x : Tensor of shape (n, n_features)
        weight : Tensor of shape (n,) or None
        squared_norms : Tensor of shape (n, 1) or None
        """
        x = self._read(rows) if self._stored is None else self._stored[rows]
        weight = None if self.weight is None else self.weight[rows]
        return x, weight, None if self._norms is None else self._norms[rows]

    def _read(self, rows):
        """Convert samples; a file is read sequentially."""
        at = rows if self.index is None else self.index[rows]
        if isinstance(at, slice):
            part = dense(self.X, at)
        else:
            places, inverse = np.unique(at, return_inverse=True)
            part = dense(self.X, places)[inverse]
        dtype = np.float32 if self.dtype == torch.float32 else np.float64
        centered = np.subtract(part, self.center, dtype=dtype, order="C")
        return torch.from_numpy(centered).to(self.device)


def padded(x, length):
    """Pad samples by zeros to a shape that does not change the results of others."""
    multiple = _MULTIPLE if x.device.type == "cpu" else length
    return torch.nn.functional.pad(x, (0, 0, 0, -len(x) % multiple))
