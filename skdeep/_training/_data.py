"""Batches of float32 tensors from dense, sparse or memory-mapped data."""

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import scipy.sparse as sp
import torch
from torch.utils.data import Dataset

from skdeep.utils._slabs import dense, slabs

# Maximum size of a float32 copy of the data on the CPU; larger data is converted batch by batch.
_COPY_LIMIT = 2**28


class Batch(NamedTuple):
    """A batch of rows."""

    #: (batch, n_features), float32
    x: torch.Tensor
    #: (batch, ...) or None
    y: torch.Tensor | None
    #: (batch,) or None, weights whose mean over all rows is one
    weight: torch.Tensor | None
    #: (batch, n_features) or None, another row for each row
    partner: torch.Tensor | None = None


def is_memory_mapped(X):
    """Whether the memory of an array is mapped to a file."""
    while X is not None:
        if isinstance(X, np.memmap):
            return True
        X = getattr(X, "base", None)
    return False


class TensorRows(Dataset):
    """Rows that are stored as tensors on the device.

    Parameters
    ----------
    x : Tensor of shape (n_samples, n_features)
    y : Tensor of shape (n_samples, ...) or None
    weight : Tensor of shape (n_samples,) or None
    source : ndarray of int, shape (n_samples,), or None
        Index of each row among the samples passed by the user; None for all of them in order.

    Attributes
    ----------
    partners : Tensor of int, shape (n_samples,), or None
        Index of another row for each row, see ``Batch``.
    """

    def __init__(self, x, y=None, weight=None, source=None):
        self.x, self.y, self.weight, self.source = x, y, weight, source
        self.partners = None
        self.device = x.device
        self.origin = None  # what shares its tensors

    def share(self, other):
        """Take the tensors of other rows if they are equal; whether they are."""
        if not self.equals(other):
            return False
        self.x, self.y, self.weight = other.x, other.y, other.weight
        self.origin = other.origin
        return True

    def equals(self, other):
        """Whether the tensors of other rows have the same values."""
        pairs = [(self.x, other.x), (self.y, other.y), (self.weight, other.weight)]
        return all(_are_equal(*pair) for pair in pairs)

    def set_targets(self, targets):
        """Replace ``y``; ``targets``, (n, ...), are those of all samples passed by the user."""
        self.y = _tensor(targets if self.source is None else targets[self.source], self.device)

    def __len__(self):
        return len(self.x)

    def all(self):
        """Return all rows, in order, as one batch."""
        partner = None if self.partners is None else self.x[self.partners]
        return Batch(self.x, self.y, self.weight, partner)

    def place(self, order):
        """Move indices to the device of the rows, as ``fetch`` expects them; once per epoch."""
        return order.to(self.device)

    def fetch(self, index):
        """Return the batch of rows with the indices that ``place`` returned."""
        y = None if self.y is None else self.y[index]
        weight = None if self.weight is None else self.weight[index]
        partner = None if self.partners is None else self.x[self.partners[index]]
        return Batch(self.x[index], y, weight, partner)


class StreamedRows(Dataset):
    """Rows that are not copied but converted batch by batch.

    Parameters
    ----------
    X : ndarray or CSR matrix of shape (n_samples, n_features)
    y, weight : Tensor of length n_samples or None
    scaler : Scaler
    device : str
    index : ndarray of int or None
        Indices of the rows to use; None for all.
    """

    def __init__(self, X, y=None, weight=None, *, scaler, device, index=None):
        self.X, self.y, self.weight = X, y, weight
        self.scaler, self.device = scaler, device
        self.index = np.arange(X.shape[0]) if index is None else index
        self.partners = None

    def set_targets(self, targets):
        """Replace ``y``; ``targets``, (n, ...), are those of all samples passed by the user."""
        self.y = _tensor(targets[self.index], "cpu")

    def __len__(self):
        return len(self.index)

    def all(self):
        """Return all rows, in order, as one batch."""
        return self.fetch(torch.arange(len(self)))

    def place(self, order):
        """Leave indices on the CPU, as ``fetch`` expects them."""
        return order

    def fetch(self, index):
        """Return the batch of rows with the indices that ``place`` returned, in their order."""
        y = None if self.y is None else self.y[index].to(self.device)
        weight = None if self.weight is None else self.weight[index].to(self.device)
        partner = None if self.partners is None else self._read(self.partners[index])
        return Batch(self._read(index), y, weight, partner)

    def _read(self, index):
        on_disk, order = index.sort()  # read the file sequentially
        read = self.scaler.to_tensor(dense(self.X, self.index[on_disk.numpy()]))
        x = torch.empty_like(read)
        x[order] = read
        return x.to(self.device)


@dataclass
class Batches:
    """Iterator over the batches of one epoch, for skorch's ``iterator_train`` and ``_valid``.

    Parameters
    ----------
    rows : TensorRows or StreamedRows
    n_batches : int
        Number of batches, at most one for each row; they differ by at most one row in size.
    generator : torch.Generator or None
        Shuffles the rows in each epoch; None keeps their order.
    """

    rows: TensorRows | StreamedRows
    n_batches: int
    generator: torch.Generator | None = None

    def __len__(self):
        return self.n_batches

    def __iter__(self):
        n_rows = len(self.rows)
        if self.n_batches == 1:
            yield self.rows.all()
            return
        if self.generator is None:
            order = torch.arange(n_rows)
        else:
            order = torch.randperm(n_rows, generator=self.generator)
        for index in self.rows.place(order).split(equal_sizes(n_rows, self.n_batches)):
            yield self.rows.fetch(index)


def equal_sizes(n_rows, n_batches):
    """Return the number of rows in each batch of an epoch; they differ by at most one.

    The gradient of a small last batch would be noisy, at the learning rate of all the others.
    """
    size, n_larger = divmod(n_rows, n_batches)
    return [size + 1] * n_larger + [size] * (n_batches - n_larger)


def fits(n_rows, width, device):
    """Whether the device has enough memory for a float32 copy of the rows."""
    n_bytes = 4 * n_rows * width
    if device.startswith("cuda"):
        return n_bytes <= torch.cuda.mem_get_info(device)[0] // 2
    return n_bytes <= _COPY_LIMIT


def _canonical(x, y, weight):
    """Sort rows and merge duplicates, whose weights are summed; return indices, x, y and weights.

    A batch of all rows then does not depend on their order, and a row of weight two is exactly
    equivalent, to the last bit, to two copies of the row.
    """
    parts = [x] if y is None else [x, y.reshape(len(y), -1).astype(np.float64)]
    keys = np.hstack([np.ascontiguousarray(part).view(np.uint8) for part in parts])
    whole_rows = np.ascontiguousarray(keys).view(np.dtype((np.void, keys.shape[1]))).ravel()
    _, first, inverse = np.unique(whole_rows, return_index=True, return_inverse=True)
    total = np.bincount(inverse, weights=weight, minlength=len(first))
    weight = None if np.ptp(total) == 0 else total
    return first, x[first], None if y is None else y[first], weight


def make_rows(X, y=None, sample_weight=None, *, scaler, device, batch_size, index=None):
    """Make rows to train on: on the device if they fit, else converted batch by batch.

    Parameters
    ----------
    X : ndarray or CSR matrix of shape (n_samples, n_features)
    y : ndarray of shape (n_samples, ...) or None
    sample_weight : ndarray of shape (n_samples,) or None
    scaler : Scaler
    device : str
    batch_size : int
        Maximum number of rows in a batch. If all rows fit into one, they are sorted and equal ones
        are merged.
    index : ndarray of int or None
        Indices of the rows to use, in this order; None for all.

    Returns
    -------
    rows : TensorRows or StreamedRows
    """
    if index is not None:
        y = None if y is None else y[index]
        sample_weight = None if sample_weight is None else sample_weight[index]
    y = None if y is None else scaler.targets(y)
    n_rows = X.shape[0] if index is None else len(index)
    keep = slice(None) if index is None else index
    if n_rows <= batch_size:
        rows = scaler.to_tensor(dense(X, keep)).numpy()
        first, rows, y, sample_weight = _canonical(rows, y, sample_weight)
        index = first if index is None else index[first]
        x = torch.tensor(rows)
    elif not (sp.issparse(X) or is_memory_mapped(X)) and fits(
        n_rows, width := scaler.width, device
    ):
        x = torch.empty((n_rows, width), dtype=torch.float32, device="cpu")
        for rows in slabs(x):
            part = rows if index is None else index[rows]
            x[rows] = scaler.to_tensor(dense(X, part))
    else:
        weight = _tensor(_normalised(sample_weight), "cpu")
        return StreamedRows(X, _tensor(y, "cpu"), weight, scaler=scaler, device=device, index=index)
    # in memory aligned by torch: the last digits of matrix products depend on the alignment
    return TensorRows(
        x.to(device),
        _tensor(y, device),
        _tensor(_normalised(sample_weight), device),
        source=index,
    )


def _normalised(sample_weight):
    """Scale weights to mean one, so that the size of an update does not depend on their scale."""
    return None if sample_weight is None else sample_weight / sample_weight.mean()


def _are_equal(a, b):
    """Whether two tensors, or None and None, are equal."""
    if a is b or a is None or b is None:
        return a is b
    return a.shape == b.shape and torch.equal(a[:1], b[:1]) and torch.equal(a, b)


def _tensor(array, device):
    """Convert an array to a tensor on the device, floats to float32."""
    if array is None:
        return None
    if array.dtype.kind == "f":
        array = array.astype(np.float32)
    return torch.from_numpy(np.array(array)).to(device)
