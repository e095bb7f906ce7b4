"""Batches for K nets at once, each with its own rows and order."""

import itertools

import torch
from torch.nn import functional as F

from skdeep._training._data import Batch, TensorRows, equal_sizes


class StackedRows:
    """Rows of K members in one tensor, stored once if several members have equal rows.

    Parameters
    ----------
    members : list of TensorRows
        May differ in length.
    n_batches : int
        Number of batches of an epoch, for all members.
    generators : list of torch.Generator or None
        Shuffle the rows of each member in every epoch; None keeps their order.

    Attributes
    ----------
    sizes : list of list of int
        Number of rows of each batch, for each member.
    batch_rows : int
        Number of rows of the largest batch.
    """

    def __init__(self, members, n_batches, generators=None):
        distinct: list[TensorRows] = []
        shared: list[TensorRows] = []
        for rows in members:
            equal = next((other for other in distinct if rows.equals(other)), None)
            if equal is None:
                distinct.append(rows)
            shared.append(rows if equal is None else equal)
        n_rows, starts = 0, {}
        for rows in distinct:
            starts[id(rows)] = n_rows
            n_rows += len(rows)
        self.starts = [starts[id(rows)] for rows in shared]
        self.lengths = [len(rows) for rows in members]
        self.members = members
        self.generators = generators
        self.x = _cat([rows.x for rows in distinct])
        self.y = None if distinct[0].y is None else _cat([rows.y for rows in distinct])
        has_weights = distinct[0].weight is not None
        self.weight = _cat([rows.weight for rows in distinct]) if has_weights else None
        self.sizes = [equal_sizes(length, n_batches) for length in self.lengths]
        self.widths = [max(column) for column in zip(*self.sizes, strict=True)]
        self.batch_rows = max(self.widths)
        self.places = _places(self.sizes)
        self.is_shuffled = generators is not None and n_batches > 1

    def epoch(self):
        """Yield each batch in parts: (start, stop, Batch) for the members from start to stop.

        A part consists of adjacent members with the same number of rows in the batch.
        """
        order = self._order().to(self.x.device)
        orders = [order] if self.members[0].partners is None else [order, self._partners(order)]
        batches = zip(*(one.split(self.widths, dim=1) for one in orders), strict=True)
        for places, indices in zip(self.places, batches, strict=True):
            yield [
                (start, stop, self._fetch(*(index[start:stop, :n_rows] for index in indices)))
                for start, stop, n_rows in places
            ]

    def _order(self):
        """Return the indices of the rows in the order of an epoch, (members, sum of widths)."""
        orders = []
        for number, (start, length) in enumerate(zip(self.starts, self.lengths, strict=True)):
            if self.is_shuffled:
                order = torch.randperm(length, generator=self.generators[number])
            else:
                order = torch.arange(length)
            orders.append(self._padded(order, self.sizes[number]) + start)
        return torch.stack(orders)

    def _padded(self, order, sizes):
        """Return an order with zeros, which are never fetched, after batches that are smaller."""
        if sizes == self.widths:
            return order
        parts = zip(order.split(sizes), self.widths, strict=True)
        return torch.cat([F.pad(part, (0, width - len(part))) for part, width in parts])

    def _partners(self, order):
        """Return the indices of the partners of rows, which may change between epochs."""
        members = zip(order, self.members, self.starts, strict=True)
        return torch.stack([rows.partners[one - start] + start for one, rows, start in members])

    def _fetch(self, index, partners=None):
        """Return the batch of rows with the given indices, (members, n_rows)."""
        x, y, weight = (self._take(part, index) for part in (self.x, self.y, self.weight))
        return Batch(x, y, weight, self._take(self.x if partners is not None else None, partners))

    @staticmethod
    def _take(part, index):
        """Return entries of a tensor of all rows, (members, n_rows, ...); None for None."""
        if part is None:
            return None
        return part.index_select(0, index.flatten()).unflatten(0, index.shape)


def _places(sizes):
    """Group adjacent members by their number of rows in each batch: (start, stop, number)."""
    places = []
    for column in zip(*sizes, strict=True):
        runs, start = [], 0
        for n_rows, members in itertools.groupby(column):
            stop = start + len(list(members))
            runs.append((start, stop, n_rows))
            start = stop
        places.append(runs)
    return places


def _cat(parts):
    return parts[0] if len(parts) == 1 else torch.cat(parts)
