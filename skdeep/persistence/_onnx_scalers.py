"""Scalers and category codes as torch modules, for export."""

import functools

import numpy as np
import torch
from torch import nn

from skdeep._preprocessing._gaps import GapScaler
from skdeep._preprocessing._linear import LinearScaler
from skdeep._preprocessing._quantile import QuantileScaler
from skdeep._preprocessing._robust import FAR, LIMIT, RobustScaler
from skdeep._preprocessing._table import TableScaler


class Search(nn.Module):
    """Binary search of each column among ascending values of its own.

    **Shape**: (batch, n_columns), float64 -> the same, indices into ``table``

    Parameters
    ----------
    columns : list of ndarray
        Ascending values, at least one per column.
    """

    table: torch.Tensor
    starts: torch.Tensor

    def __init__(self, columns):
        super().__init__()
        longest = max(map(len, columns))
        self.size = 1 << (longest - 1).bit_length()  # a power of two, padded by infinity
        self.register_buffer("table", self.spread(columns, np.inf))
        self.register_buffer("starts", torch.arange(len(columns)) * self.size)

    def spread(self, columns, fill=0.0):
        """Return values of each column in the layout of ``table``, float64."""
        table = np.full((len(columns), self.size), fill)
        for row, values in zip(table, columns, strict=True):
            row[: len(values)] = values
        return torch.tensor(table.ravel())

    def forward(self, x):
        """Find the last value that is not larger; the first one if all are larger."""
        at = (torch.zeros_like(x, dtype=torch.int64) + self.starts).flatten()
        flat, step = x.flatten(), self.size // 2
        while step:
            further = at + step
            at = torch.where(self.table.index_select(0, further) <= flat, further, at)
            step //= 2
        return at.view(x.shape)


class Interpolation(nn.Module):
    """Piecewise linear functions of the columns, constant outside of their knots.

    **Shape**: (batch, n_columns), float64 -> the same

    Parameters
    ----------
    knots, values : list of ndarray
        Ascending points of each column, and the values there.
    """

    def __init__(self, knots, values):
        super().__init__()
        self.search = Search(knots)
        slopes = [
            np.divide(np.diff(b), np.diff(a), out=np.zeros(len(a) - 1), where=np.diff(a) > 0)
            for a, b in zip(knots, values, strict=True)
        ]
        self.register_buffer("values", self.search.spread(values))
        self.register_buffer("slopes", self.search.spread(slopes))
        self.register_buffer("low", torch.tensor([one[0] for one in knots], dtype=torch.float64))
        self.register_buffer("high", torch.tensor([one[-1] for one in knots], dtype=torch.float64))

    def forward(self, x):
        """(batch, n_columns) -> (batch, n_columns)."""
        x = torch.minimum(torch.maximum(x, self.low), self.high)
        at = self.search(x)
        beyond = x - pick(self.search.table, at)
        return pick(self.values, at) + pick(self.slopes, at) * beyond


class CategoryCodes(nn.Module):
    """Codes of the numeric categories in a table; other columns stay as they are.

    **Shape**: (batch, n_features) -> (batch, n_features), float64

    Parameters
    ----------
    categories : dict of int to list
        Known categories, numbers in ascending order, of some columns.
    """

    def __init__(self, categories):
        super().__init__()
        self.columns = list(categories)
        known = [np.array(one, dtype=np.float64) for one in categories.values()]
        self.search = Search(known)

    def forward(self, X):
        """(batch, n_features) -> (batch, n_features)."""
        X = X.double()
        found = X[:, self.columns]
        at = self.search(found)
        is_known = pick(self.search.table, at) == found
        codes = torch.where(is_known, at - self.search.starts + 1, 0).double()
        parts = list(X.unbind(dim=1))
        for place, column in enumerate(self.columns):
            parts[column] = codes[:, place]
        return torch.stack(parts, dim=1)


class LinearLayer(nn.Module):
    """A ``LinearScaler`` as a module.

    **Shape**: (batch, n_features), float32 or float64 -> the same, float32
    """

    def __init__(self, scaler):
        super().__init__()
        self.is_identity = scaler.mean is None
        if not self.is_identity:
            self.register_buffer("mean", torch.tensor(np.asarray(scaler.mean, np.float64)))
            self.register_buffer("scale", torch.tensor(np.asarray(scaler.scale, np.float64)))

    def forward(self, X):
        """(batch, n_features) -> (batch, n_features)."""
        if self.is_identity:
            return X.float()
        return ((X - self.mean.to(X.dtype)) / self.scale.to(X.dtype)).float()

    def inverse(self, x):
        """Bring scaled samples back to the units of the data, float64."""
        return x.double() if self.is_identity else x.double() * self.scale + self.mean


class QuantileLayer(nn.Module):
    """A ``QuantileScaler`` as a module.

    **Shape**: (batch, n_features), float32 or float64 -> the same, float32
    """

    def __init__(self, scaler):
        super().__init__()
        self.forth = Interpolation(scaler.values, scaler.positions)
        self.back = Interpolation(scaler.positions, scaler.values)

    def forward(self, X):
        """(batch, n_features) -> (batch, n_features)."""
        return self.forth(X.double()).float()

    def inverse(self, x):
        """Bring scaled samples back to the units of the data, float64."""
        return self.back(x.double())


class RobustLayer(nn.Module):
    """A ``RobustScaler`` as a module.

    **Shape**: (batch, n_features), float32 or float64 -> the same, float32
    """

    def __init__(self, scaler):
        super().__init__()
        self.register_buffer("center", torch.tensor(scaler.center))
        self.register_buffer("scale", torch.tensor(scaler.scale))
        self.register_buffer("varies", torch.tensor(np.isfinite(scaler.scale)))

    def forward(self, X):
        """(batch, n_features) -> (batch, n_features)."""
        scaled = ((X.double() - self.center) / self.scale).clamp(-FAR, FAR)
        scaled = torch.where(self.varies, scaled, 0.0)
        return (scaled / (1.0 + (scaled / LIMIT).square()).sqrt()).float()


class TableLayer(nn.Module):
    """A ``TableScaler`` as a module.

    **Shape**: (batch, n_features), float32 or float64 -> (batch, width), float32
    """

    def __init__(self, scaler):
        super().__init__()
        self.numbers = scaler_layer(scaler.numbers) if len(scaler.numeric) else None
        self.numeric, self.categorical = scaler.numeric.tolist(), scaler.categorical.tolist()
        self.marked = scaler.marked.tolist()
        fill = None if scaler.fill is None else torch.tensor(scaler.fill)
        self.register_buffer("fill", fill)
        if self.categorical:
            self.register_buffer("new_codes", _flat(scaler.code_maps))
            self.register_buffer("starts", _starts(scaler.code_maps))

    def forward(self, X):
        """(batch, n_features) -> (batch, width)."""
        parts = []
        numbers = X[:, self.numeric] if self.categorical else X
        if self.fill is not None:
            is_missing = numbers.isnan()
            numbers = torch.where(is_missing, self.fill, numbers.double())
        if self.numbers is not None:
            parts.append(self.numbers(numbers))
        if self.marked:
            parts.append(is_missing[:, self.marked].float())
        if self.categorical:
            codes = X[:, self.categorical].long() + self.starts
            parts.append(pick(self.new_codes, codes))
        return torch.cat(parts, dim=1)


class GapLayer(nn.Module):
    """A ``GapScaler`` as a module.

    **Shape**: (batch, n_features), and a mask of missing entries -> (batch, width), float32
    """

    def __init__(self, scaler):
        super().__init__()
        self.numbers = scaler_layer(scaler.numbers)
        self.numeric, self.categorical = scaler.numeric.tolist(), scaler.categorical.tolist()
        self.register_buffer("low", torch.tensor(np.asarray(scaler.low, np.float64)))
        self.register_buffer("high", torch.tensor(np.asarray(scaler.high, np.float64)))
        if self.categorical:
            self.register_buffer("new_codes", _flat(scaler.code_maps))
            self.register_buffer("starts", _starts(scaler.code_maps))
            old_codes = [np.flatnonzero(one) for one in scaler.code_maps]
            self.register_buffer("old_codes", _flat(old_codes))
            self.register_buffer("old_starts", _starts(old_codes))

    def forward(self, X, is_missing):
        """(batch, n_features) twice -> (batch, width)."""
        parts = []
        if self.numeric:
            mask = is_missing[:, self.numeric]
            parts = [torch.where(mask, 0.0, self.numbers(X[:, self.numeric])), (~mask).float()]
        if self.categorical:
            codes = torch.where(is_missing, 0, X)[:, self.categorical].long()
            parts.append(pick(self.new_codes, codes + self.starts))
        return torch.cat(parts, dim=1)

    def inverse(self, found):
        """Bring predictions of all columns to numbers within bounds and given codes, float64."""
        n_numeric, parts = len(self.numeric), []
        if n_numeric:
            numbers = self.numbers.inverse(found[:, :n_numeric])
            parts = [torch.minimum(torch.maximum(numbers, self.low), self.high)]
        if self.categorical:
            codes = found[:, n_numeric:].long() - 1
            parts.append(pick(self.old_codes, codes + self.old_starts).double())
        return torch.cat(parts, dim=1)


def _flat(columns):
    """Values of all columns, one after the other, for ``pick``."""
    return torch.tensor(np.concatenate(columns).astype(np.float32))


def _starts(columns):
    """Index of the first value of each column."""
    sizes = np.array([len(one) for one in columns])
    return torch.tensor(np.cumsum(sizes) - sizes)


def pick(table, at):
    """Take entries of a vector by index, of any shape."""
    return table.index_select(0, at.flatten()).view(at.shape)


@functools.singledispatch
def scaler_layer(scaler):
    """Make the torch module of a fitted scaler."""
    raise TypeError(
        f"scaler must be linear, quantile, robust or table; got {type(scaler).__name__}."
    )


scaler_layer.register(LinearScaler, LinearLayer)
scaler_layer.register(QuantileScaler, QuantileLayer)
scaler_layer.register(RobustScaler, RobustLayer)
scaler_layer.register(TableScaler, TableLayer)
scaler_layer.register(GapScaler, GapLayer)
