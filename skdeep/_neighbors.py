"""Near neighbors of the rows that a net is trained on."""

import numpy as np
import torch
from sklearn.neighbors import NearestNeighbors

# Neighbors are searched among at most this many rows, so that the time is linear in their number,
# and in blocks of this many values, so that little memory is used.
_BLOCK_ROWS, _BLOCK_SIZE = 10_000, 2**21
# Rows are rounded to this fraction, so that ties are the same whatever the order of the samples, in
# which means are summed.
_GRAIN = 2.0**-12


class NeighborGraph:
    """The nearest neighbors of each row, and random walks from row to row.

    More than 10,000 rows, or fewer if they have thousands of features, are split into random blocks
    of equal size, and neighbors are searched within each block.

    Parameters
    ----------
    rows : TensorRows or StreamedRows
    n_neighbors : int
        At most; there may be fewer rows.
    rng : numpy.random.Generator

    Attributes
    ----------
    index : ndarray of int, shape (n_rows, n_neighbors)
    radius : ndarray of shape (n_rows, 1)
        Distance to the farthest of these neighbors.
    """

    def __init__(self, rows, n_neighbors, rng):
        n_rows = len(rows)
        width = rows.fetch(rows.place(torch.zeros(1, dtype=torch.long))).x.shape[1]
        size = min(_BLOCK_ROWS, max(10 * n_neighbors, _BLOCK_SIZE // width))
        blocks = np.array_split(rng.permutation(n_rows), -(-n_rows // size))
        n_neighbors = min(n_neighbors, len(blocks[-1]) - 1)
        self.index = np.arange(n_rows)[:, np.newaxis].repeat(max(1, n_neighbors), axis=1)
        self.radius = np.zeros((n_rows, 1), dtype=np.float32)
        if n_neighbors == 0:
            return
        for block in blocks:
            block.sort()
            x = rows.fetch(rows.place(torch.from_numpy(block))).x.cpu().numpy()
            x = np.rint(x / _GRAIN, out=x)
            x *= _GRAIN
            distances, found = NearestNeighbors(n_neighbors=n_neighbors).fit(x).kneighbors()
            self.index[block] = block[found]
            self.radius[block, 0] = distances[:, -1]

    def draw_partners(self, rows, n_steps, rng):
        """Set the partner of each row to the end of a random walk from it."""
        at = np.arange(len(self.index))
        for _ in range(n_steps):
            at = self.index[at, rng.integers(self.index.shape[1], size=len(at))]
        rows.partners = rows.place(torch.from_numpy(at))
