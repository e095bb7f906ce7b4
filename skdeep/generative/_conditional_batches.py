"""Batches of samples drawn by a condition on one of their categories."""

import numpy as np
import torch

from skdeep._training._data import Batch


def log_frequencies(counts):
    """Probabilities in proportion to the logarithm of one plus the count [1]_.

    Parameters
    ----------
    counts : array-like of float, shape (n_categories,)

    Returns
    -------
    probabilities : ndarray of shape (n_categories,)
        Zero for a category that does not occur.

    References
    ----------
    .. [1] Xu et al. (2019), "Modeling Tabular data using Conditional GAN", NeurIPS, section 4.3.
    """
    logs = np.log1p(np.asarray(counts, dtype=np.float64))
    return logs / logs.sum()


class Conditions:
    """Draws conditions, each a category of a column, and samples that meet them.

    The column is drawn uniformly, its category by ``log_frequencies``, and the sample among those
    of the category in proportion to the weights. Without columns only samples are drawn.

    Conditions are numbered consecutively: the categories of the first column, then of the second.

    Parameters
    ----------
    codes : ndarray of int, shape (n_rows, n_columns)
    sizes : tuple of int
        Number of categories of each column.
    weight : ndarray of shape (n_rows,) or None
    """

    def __init__(self, codes, sizes, weight=None):
        n_rows = len(codes)
        weight = np.ones(n_rows) if weight is None else np.asarray(weight, dtype=np.float64)
        # sums of such weights are the same for a sample of weight two and for the sample twice
        weight = weight * (n_rows / weight.sum())
        self.sizes = sizes
        rows, self.counts = [], []
        for column, size in enumerate(sizes):
            rows.append(np.argsort(codes[:, column], kind="stable"))
            self.counts.append(np.bincount(codes[:, column], weights=weight, minlength=size))
        # rows sorted by condition, and the cumulative weight after each of them
        self._rows = np.concatenate(rows) if rows else np.arange(n_rows)
        self._ends = np.cumsum(weight[self._rows])
        masses = np.concatenate(self.counts) if rows else np.array([float(n_rows)])
        self._masses, self._starts = masses, np.cumsum(masses) - masses
        chances = [log_frequencies(counts) / len(sizes) for counts in self.counts]
        self._chance_ends = np.cumsum(np.concatenate(chances)) if rows else np.ones(1)

    def draw(self, n, generator):
        """Draw conditions and samples.

        Parameters
        ----------
        n : int
        generator : torch.Generator
            On the CPU.

        Returns
        -------
        rows : Tensor of int, shape (n,)
        conditions : Tensor of int, shape (n,), or None where there are no columns
        """
        uniform = torch.rand(2, n, generator=generator, dtype=torch.float64).numpy()
        conditions = _place(self._chance_ends, uniform[0])
        wanted = self._starts[conditions] + uniform[1] * self._masses[conditions]
        rows = torch.from_numpy(self._rows[_place(self._ends, wanted)])
        return rows, torch.from_numpy(conditions) if self.sizes else None


def _place(ends, values):
    """Index of the interval that each value is in, for intervals with these ends."""
    # a value rounded up to the last end belongs to the last interval that is not empty
    last = np.searchsorted(ends, ends[-1], side="left")
    return np.minimum(np.searchsorted(ends, values, side="right"), last)


class DrawnBatches:
    """Iterator over one epoch of batches of equal size, drawn with replacement.

    An epoch has as many batches as are needed to draw as many samples as there are.

    Parameters
    ----------
    rows : TensorRows or StreamedRows
    conditions : Conditions
    batch_size : int
    generator : torch.Generator
    """

    def __init__(self, rows, conditions, batch_size, generator):
        self.rows, self.conditions = rows, conditions
        self.batch_size, self.generator = batch_size, generator

    def __len__(self):
        return -(-len(self.rows) // self.batch_size)

    def __iter__(self):
        index, conditions = self.conditions.draw(len(self) * self.batch_size, self.generator)
        index = self.rows.place(index)
        parts = [None] * len(self)
        if conditions is not None:
            parts = conditions.to(self.rows.device).split(self.batch_size)
        for part, condition in zip(index.split(self.batch_size), parts, strict=True):
            yield Batch(self.rows.fetch(part).x, condition, None)
