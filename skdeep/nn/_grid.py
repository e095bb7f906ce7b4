"""Grids of units and the neighborhoods on them."""

from dataclasses import dataclass, replace
from functools import cached_property

import torch

# Distances between units that are kept, or else computed, at once.
_BLOCK_SIZE = 2**22
# Coordinates are rounded; this much more than a distance still counts as the same distance.
_SLACK = 1 + 1e-6
# Radii beyond these limits, whose squares would not be numbers of single precision, make no
# difference: neighborhoods are a single unit, or the whole map.
_SMALLEST_RADIUS, _LARGEST_RADIUS = 1e-12, 1e12
#: Reach of adjacent units: all that touch each other.
_ADJACENT = {"rectangular": 2.0, "hexagonal": 1.0}


def _gaussian(squared, radius):
    return torch.exp(squared * (-0.5 / radius**2))


def _mexican_hat(squared, radius):
    # the Laplacian of a Gaussian: its integral over the plane is zero
    scaled = squared * (0.5 / radius**2)
    return (1 - scaled) * torch.exp(-scaled)


def _bubble(squared, radius):
    return (squared <= radius**2 * _SLACK).to(squared.dtype)


def _triangle(squared, radius):
    return (1 - squared.sqrt() / radius).clamp(min=0)


#: Functions of the squared distance on the grid and of the radius.
NEIGHBORHOODS = {
    "gaussian": _gaussian,
    "mexican_hat": _mexican_hat,
    "bubble": _bubble,
    "triangle": _triangle,
}


@dataclass(eq=False)
class Grid:
    """Units of a self-organizing map on a rectangular or hexagonal grid.

    Units are numbered row by row. Adjacent units of a row are at distance one.

    Parameters
    ----------
    shape : (int, int)
        Number of rows and columns.
    topology : {"rectangular", "hexagonal"}
    periodic : bool
        Whether opposite sides are connected.
    neighborhood : str
        Key of ``NEIGHBORHOODS``.
    dtype : torch.dtype
    device : str
    """

    shape: tuple[int, int]
    topology: str = "rectangular"
    periodic: bool = False
    neighborhood: str = "gaussian"
    dtype: torch.dtype = torch.float64
    device: str = "cpu"

    @property
    def n_units(self):
        """Number of units."""
        return self.shape[0] * self.shape[1]

    @cached_property
    def coordinates(self):
        """Position of each unit, horizontal and vertical; (n_units, 2)."""
        row, column = self._rows_and_columns()
        if self.topology == "hexagonal":
            return torch.stack([column + 0.5 * (row % 2), row * 0.75**0.5], dim=1)
        return torch.stack([column, row], dim=1)

    def _rows_and_columns(self):
        axes = [torch.arange(length, dtype=self.dtype, device=self.device) for length in self.shape]
        row, column = torch.meshgrid(*axes, indexing="ij")
        return row.flatten(), column.flatten()

    def squared_distances(self, first, second):
        """Squared distances on the grid between pairs of units, whose indices are broadcast."""
        height = 0.75**0.5 if self.topology == "hexagonal" else 1.0
        sides = self.shape[1], self.shape[0] * height
        squared = torch.zeros((), dtype=self.dtype, device=self.device)
        for axis, side in zip(self.coordinates.unbind(dim=1), sides, strict=True):
            difference = (axis[first] - axis[second]).abs()
            if self.periodic:
                difference = torch.minimum(difference, side - difference)
            squared = squared + difference.square()
        return squared

    def _from_block(self, block):
        """Squared distances from consecutive units to all units; (n_block, n_units)."""
        units = torch.arange(self.n_units, device=self.device)
        return self.squared_distances(units[block, None], units)

    @cached_property
    def _blocks(self):
        """Slices of consecutive units whose distances to all units are computed at once."""
        step = max(1, _BLOCK_SIZE // self.n_units)
        return [slice(start, start + step) for start in range(0, self.n_units, step)]

    @cached_property
    def _all_squared_distances(self):
        return self._from_block(slice(None))

    def neighborhoods(self, units, radius):
        """Neighborhood function of a slice of units at all units; (n_slice, n_units)."""
        if len(self._blocks) == 1:
            squared = self._all_squared_distances[units]
        else:
            squared = self._from_block(units)
        return self._kernel(squared, radius)

    def _kernel(self, squared, radius):
        radius = min(max(radius, _SMALLEST_RADIUS), _LARGEST_RADIUS)
        kernel = NEIGHBORHOODS[self.neighborhood](squared, radius)
        # subnormal numbers are slow, and sums of them are inexact
        limits = torch.finfo(kernel.dtype)
        return torch.where(kernel.abs() < limits.tiny / limits.eps, 0.0, kernel)

    def smooth(self, values, radius, *, absolute=False):
        """Sum values of all units, weighted by the neighborhood function; (n_units, width).

        Parameters
        ----------
        values : Tensor of shape (n_units, width)
        radius : float
        absolute : bool
            Whether weights are absolute values of the function.
        """
        if self.topology == "rectangular" and self.neighborhood == "gaussian":
            return self._smooth_along_axes(values, radius)
        parts = []
        for block in self._blocks:
            kernel = self.neighborhoods(block, radius)
            parts.append((kernel.abs() if absolute else kernel) @ values)
        return torch.cat(parts)

    def _smooth_along_axes(self, values, radius):
        """Apply a Gaussian, which is the product of one for rows and one for columns."""
        n_rows, n_columns = self.shape
        row, column = self._lines
        # (n_rows, n_columns * width) -> (n_rows, n_columns, width)
        along_rows = self._kernel(row, radius) @ values.reshape(n_rows, -1)
        along_rows = along_rows.reshape(n_rows, n_columns, -1)
        return (self._kernel(column, radius) @ along_rows).flatten(0, 1)

    @cached_property
    def _lines(self):
        """Squared distances between rows, and between columns."""
        return [replace(self, shape=(1, length))._from_block(slice(None)) for length in self.shape]

    def are_adjacent(self, first, second):
        """Whether units of each pair touch each other, on a rectangular grid at least in a corner.

        Parameters
        ----------
        first, second : Tensor of int
            Indices, which are broadcast.
        """
        squared = self.squared_distances(first, second)
        return (squared > 0) & (squared <= _ADJACENT[self.topology] * _SLACK)

    def adjacent_pairs(self):
        """Return the indices of all ordered pairs of adjacent units; (2, n_pairs)."""
        units, pairs = torch.arange(self.n_units, device=self.device), []
        for block in self._blocks:
            first, second = self.are_adjacent(units[block, None], units).nonzero().T
            pairs.append(torch.stack([first + block.start, second]))
        return torch.cat(pairs, dim=1)
