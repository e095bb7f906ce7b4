"""Tables of mixed columns, dataframes or arrays, as float64 and back."""

import importlib
from dataclasses import dataclass
from typing import Any

import numpy as np

from skdeep._preprocessing._containers import (
    BUILDERS,
    as_table,
    describe_table,
    plain,
    read_columns,
    refuse,
)
from skdeep.utils._sklearn import check_categorical_features


@dataclass(eq=False, repr=False)
class FrameCodec:
    """Encodes tables of mixed columns as float64, and decodes them to tables as they were.

    Numbers stay as they are, booleans are 0 and 1, and categories are codes from zero on, in the
    order of their dtype or else sorted. Dates are counted from the earliest one of their column, in
    the largest unit that divides all differences. Missing values are NaN.

    Integers and counts of units beyond 2 ** 53 are rounded to what float64 can represent.

    Parameters
    ----------
    container : {"pandas", "polars", "numpy"}
    columns : list of dict
        What ``fit`` learned of each column, plain values.
    header : dict
        What ``describe_table`` tells of the table as a whole.
    """

    container: str
    columns: list[dict[str, Any]]
    header: dict[str, Any]

    @classmethod
    def fit(cls, X, categorical_features="from_dtype"):
        """Learn kinds, categories, units and bounds of the columns, and encode the table.

        Parameters
        ----------
        X : pandas or polars DataFrame, or array-like of shape (n_rows, n_columns)
        categorical_features : "from_dtype", None, or array-like of str, int or bool
            Names, indices or mask of columns that are categorical whatever their dtype. Columns of
            strings and of categorical dtype always are.

        Returns
        -------
        codec : FrameCodec
        table : ndarray of shape (n_rows, n_columns), float64
        """
        X, container = as_table(X)
        is_default = str(categorical_features) in ("from_dtype", "None")
        named = None if is_default else check_categorical_features(X, categorical_features)
        header, columns = describe_table(X, container)
        entries = read_columns(X, container, [column["name"] for column in columns])
        for place, (column, read) in enumerate(zip(columns, entries, strict=True)):
            is_named = named is not None and bool(named[place])
            column |= _describe(read, column["name"], is_named)
        codec = cls(container, columns, header)
        return codec, codec._encode(entries)

    @property
    def names(self):
        """Names of the columns, indices for arrays."""
        return tuple(column["name"] for column in self.columns)

    @property
    def kinds(self):
        """For each column "number", "integer", "boolean", "category" or "date"."""
        return tuple(column["kind"] for column in self.columns)

    @property
    def n_categories(self):
        """Number of categories of each column, 2 for booleans, 0 for others."""
        return tuple(len(column.get("categories", ())) for column in self.columns)

    def encode(self, X):
        """Encode a table, -> (n_rows, n_columns) array of float64.

        Raises
        ------
        ValueError
            If a category was not in training, or a number is infinite.
        """
        X, container = as_table(X, min_rows=0)
        assert X.shape[1] == len(self.columns), X.shape
        return self._encode(read_columns(X, container, self.names))

    def _encode(self, entries):
        """Encode the ``Entries`` of all columns."""
        return np.column_stack([_encode(*pair) for pair in zip(entries, self.columns, strict=True)])

    def decode(self, table):
        """Decode numbers to a table like that of training.

        Numbers are clipped to the range of training; integers, dates and codes are rounded first.

        Parameters
        ----------
        table : ndarray of shape (n_rows, n_columns)
            Any real numbers; NaN for missing entries.
        """
        table = np.asarray(table, dtype=np.float64)
        assert table.ndim == 2 and table.shape[1] == len(self.columns), table.shape
        parts = [_decode(*pair) for pair in zip(table.T, self.columns, strict=True)]
        return BUILDERS[self.container](parts, self.columns, self.header)

    def state(self):
        """Plain values from which ``FrameCodec(**state)`` rebuilds the codec."""
        return dict(vars(self))


def _kind(present):
    """Kind of a column, from those of its entries that are not missing."""
    types = set(map(type, present)) if present.dtype.kind == "O" else {present.dtype}
    letters = {np.dtype(one).kind for one in types}
    kinds = {"category": "", "boolean": "b", "date": "mM", "integer": "iu", "number": "iuf"}
    return next((kind for kind, allowed in kinds.items() if letters <= set(allowed)), "category")


def _describe(entries, name, is_named):
    """Kind, categories, bounds and unit of a column."""
    present, declared = entries.values[~entries.missing], entries.declared
    kind = "category" if is_named or declared is not None else _kind(present)
    column: dict[str, Any] = {"kind": kind, "name": name, "marker": entries.marker}
    if kind == "boolean":
        return column | {"categories": [False, True]}
    if is_named and present.dtype.kind in "mM":
        refuse("dates as categories", name)
    if kind == "category":
        if declared is None:
            found = {plain(value, name) for value in set(present.tolist())}
            declared = sorted(found, key=lambda value: (isinstance(value, str), value))
        types = set(map(type, declared))
        if bool in types and not types.isdisjoint({int, float}):
            refuse("booleans beside numbers", name)
        return column | {"categories": declared}
    if kind == "date":
        dates = present.astype(np.int64)
        origin = dates.min(initial=np.iinfo(np.int64).max)
        steps = (dates - origin).view(np.uint64)  # a range of 64 bits does not overflow
        unit = max(1, int(np.gcd.reduce(steps)))
        column |= {"resolution": entries.values.dtype.str, "origin": int(origin), "unit": unit}
        present = steps // np.uint64(unit)
    else:
        _encode(entries, column)  # raises for infinity
    number = float if kind == "number" else int
    bounds = [number(end) for end in (present.min(), present.max())] if len(present) else [0, -1]
    if kind == "integer" and bounds[1] >= 2 ** (63 + (bounds[0] >= 0)):
        refuse(f"integers beyond 64 bits, {bounds[1]},", name)
    return column | {"bounds": bounds}


def _encode(entries, column):
    """Entries as numbers, NaN for missing ones."""
    values, missing = entries.values, entries.missing
    kind, name = column["kind"], column["name"]
    numbers = np.full(len(values), np.nan)
    if missing.all():
        return numbers
    if "categories" in column:
        codes = {category: code for code, category in enumerate(column["categories"])}
        numbers[:] = list(map(codes.get, values.tolist()))
        unknown = values[np.isnan(numbers) & ~missing]
        if len(unknown):
            raise ValueError(
                f"X must hold categories of the training data; got {unknown.tolist()[0]!r} in "
                f"column {name!r}. Fit on samples with this category, or drop these samples."
            )
    elif (values.dtype.kind in "mM") != (kind == "date"):
        raise TypeError(
            f"Column {name!r} must be of kind {kind!r}, as in training; got {values.dtype}."
        )
    elif kind == "date":
        dates, origin = values.astype(column["resolution"]).astype(np.int64), column["origin"]
        sign = np.where(dates < origin, -1, 1)
        distance = (sign * (dates - origin)).view(np.uint64)
        whole, rest = np.divmod(distance, np.uint64(column["unit"]))
        numbers = sign * (whole + rest / column["unit"])
    else:
        numbers[~missing] = values[~missing].astype(np.float64)
        if np.isinf(numbers).any():
            raise ValueError(
                "Input X contains infinity or a value too large for dtype('float64'), in column "
                f"{name!r}. Replace it, by NaN say."
            )
    numbers[missing] = np.nan
    return numbers


def _decode(numbers, column):
    """Entries of a column: numbers or dates, or objects where that is not enough."""
    missing, kind = np.isnan(numbers), column["kind"]
    categories = column.get("categories", ())
    lowest, highest = column.get("bounds", (0, len(categories) - 1))
    if highest < lowest:  # fit saw no value
        lowest, highest, missing = 0, 0, np.ones(len(numbers), dtype=bool)
    if column["is_full"] and missing.any():
        raise ValueError(
            f"Column {column['name']!r} has dtype {column['dtype']}, which cannot miss values; "
            f"got NaN in {missing.sum()} rows."
        )
    if kind == "number":
        values = np.where(missing, np.nan, np.clip(numbers, lowest, highest))
    else:
        values = _whole(numbers, lowest, highest)
    if kind == "date":
        steps = (values * np.uint64(column["unit"])).view(np.int64)
        values = (steps + column["origin"]).view(column["resolution"])
        values[missing] = "NaT"
    elif "categories" in column:
        values = np.array([*categories, None], dtype=object).take(values)
    if column["dtype"] == "object" or (missing.any() and values.dtype.kind in "iuO"):
        marker, values = column["marker"], values.astype(object)
        is_pandas = marker in ("NA", "NaT")
        own = getattr(importlib.import_module("pandas"), marker) if is_pandas else None
        values[missing] = np.nan if marker == "nan" else own
    return values


def _whole(numbers, lowest, highest):
    """Round to integers within bounds, which are put in: they may be too long for float64."""
    rounded = np.rint(numbers)
    inside = (rounded > float(lowest)) & (rounded < float(highest))
    values = np.full(len(numbers), lowest, dtype=np.int64 if lowest < 0 else np.uint64)
    values[inside] = rounded[inside].astype(values.dtype)
    values[rounded >= float(highest)] = highest
    return values
