"""Columns of arrays and of dataframes of pandas and polars as NumPy arrays, and back."""

import contextlib
import importlib
import sys
from typing import NamedTuple

import numpy as np

from skdeep.utils._sklearn import safe_indexing

_SCALARS = (bool, str, int, float, np.bool_, np.integer, np.floating)
# Types of the missing values of Python and pandas, which need not be imported to know them.
_MARKERS = {"NoneType": "None", "NAType": "NA", "NaTType": "NaT"}


class Entries(NamedTuple):
    """A column of any library as a NumPy array."""

    #: booleans, integers, floats, dates (UTC) or time spans, or strings and such as objects
    values: np.ndarray
    #: mask of the missing entries
    missing: np.ndarray
    #: the categories of the dtype, in its order; None if it declares none
    declared: list | None = None
    #: how missing values look: "None", "NA", "NaT" or "nan"; needed for dtypes that allow several
    marker: str = "None"


def as_table(X, min_rows=1):
    """Dataframe or 2-D array from what users pass, and the name of its library."""
    for container in ("pandas", "polars"):  # imported by whoever has made one of their frames
        if container in sys.modules and isinstance(X, sys.modules[container].DataFrame):
            break
    else:
        container, array = "numpy", np.asarray(X)
        # strings beside numbers in a list would turn these into strings
        is_plain = hasattr(X, "__array__") or array.dtype.kind in "biuf"
        X = array if is_plain else np.asarray(X, dtype=object)
    if len(X.shape) != 2 or X.shape[0] < min_rows or not X.shape[1]:
        raise ValueError(
            "X must be a dataframe or a dense array of at least one row and column. Expected 2D "
            f"array, got shape {X.shape}; reshape your data, by X.reshape(-1, 1) say."
        )
    return X, container


def describe_table(X, container):
    """Describe the result of ``as_table`` by plain values.

    Returns
    -------
    header : dict
        Dtype of an array, or dtype and levels of the column names in pandas.
    columns : list of dict
        Name and dtype of each column, and whether the dtype has no missing values.
    """
    is_array = container == "numpy"
    names = range(X.shape[1]) if is_array else [plain(name, name) for name in X.columns]
    header = {"dtype": X.dtype.str} if is_array else {}
    if container == "pandas":
        header = {"dtype": str(X.columns.dtype), "levels": list(X.columns.names)}
    columns = []
    for place, name in enumerate(names):
        dtype = safe_indexing(X, place, axis=1).dtype
        is_full = isinstance(dtype, np.dtype) and dtype.kind in "biuU"
        columns.append({"name": name, "dtype": _DTYPES[container](dtype, name), "is_full": is_full})
    return header, columns


def read_columns(X, container, names):
    """Read all columns of the result of ``as_table``; list of ``Entries``."""
    read = _READERS[container]
    return [read(safe_indexing(X, place, axis=1), name) for place, name in enumerate(names)]


def refuse(what, name):
    """Raise ``TypeError`` for something in a column that cannot be encoded as numbers."""
    raise TypeError(
        "X as an argument must be a table of strings, numbers, booleans, dates and categories that "
        f"are no dates; got {what} in column {name!r}. Convert the column, by astype or "
        "pandas.to_datetime say, or drop it."
    )


def plain(value, name):
    """Category or name as Python's own string, boolean, number, or tuple of these."""
    value = value.item() if isinstance(value, np.generic) else value
    if isinstance(value, tuple) and value is name:
        return tuple(plain(part, part) for part in value)
    for kind, make in ((bool, bool), (str, str.__str__), (int, int), (float, float)):
        if isinstance(value, kind):
            return make(value)
    return refuse(f"{value!r}, of type {type(value).__name__},", name)


def _read_array(values, name):
    kind = values.dtype.kind
    if kind in "OU":
        return _read_objects(values.astype(object), name)
    if kind not in "biufmM":
        refuse(f"dtype {values.dtype}", name)
    return Entries(values, np.isnat(values) if kind in "mM" else values != values)


def _read_objects(values, name):
    markers = {kind: _MARKERS.get(kind.__name__) for kind in set(map(type, values))}
    for kind, marker in markers.items():
        if marker is None and not issubclass(kind, _SCALARS):
            refuse(f"entries of type {kind.__name__}", name)
    # NaN alone differs from itself
    found = [markers[type(v)] or (v != v and "nan") for v in values.tolist()]
    missing = np.array(list(map(bool, found)), dtype=bool)
    return Entries(values, missing, None, next(filter(None, found), "None"))


def _read_pandas(series, name):
    if hasattr(series.dtype, "categories"):
        declared = [plain(category, name) for category in series.dtype.categories]
        values = np.array([*declared, None], dtype=object).take(series.cat.codes)
        return Entries(values, series.isna().to_numpy(), declared)
    if hasattr(series.dtype, "fill_value"):
        series = series.sparse.to_dense()
    if hasattr(series.dtype, "tz"):
        series = series.dt.tz_convert("UTC").dt.tz_localize(None)
    # integers and booleans that may be missing would become floats
    needs_objects = getattr(series.dtype, "kind", "O") in "biu" and series.hasnans
    return _read_array(series.to_numpy(dtype=object if needs_objects else None), name)


def _read_polars(series, name):
    polars, dtype = sys.modules["polars"], series.dtype
    if dtype.is_nested():
        refuse(f"dtype {dtype}", name)
    series = series.cast(polars.Float64) if dtype.is_decimal() else series
    is_array = series.dtype.is_float() or dtype.is_temporal() or not series.null_count()
    values = series.to_numpy() if is_array else np.array([*series.to_list(), None], object)[:-1]
    declared = dtype.categories.to_list() if dtype == polars.Enum else None
    # floats may be NaN without being null
    marker = "nan" if dtype.is_float() and not series.null_count() else "None"
    return _read_array(values, name)._replace(declared=declared, marker=marker)


def _to_array(parts, columns, header):
    return np.stack([v.astype(header["dtype"]) for v in parts], axis=1, dtype=header["dtype"])


def _to_pandas(parts, columns, header):
    pandas = importlib.import_module("pandas")
    frame = {}
    for place, (values, column) in enumerate(zip(parts, columns, strict=True)):
        dtype = column["dtype"]
        if isinstance(dtype, dict) and "sparse" in dtype:
            dtype = pandas.SparseDtype(dtype["sparse"], dtype["fill_value"])
        elif isinstance(dtype, dict):
            categories = pandas.Index(column["categories"], dtype=dtype["categories"])
            dtype = pandas.CategoricalDtype(categories, ordered=dtype["ordered"])
        series = pandas.Series(values, dtype=dtype if values.dtype.kind == "O" else None)
        if values.dtype.kind == "M" and hasattr(pandas.api.types.pandas_dtype(dtype), "tz"):
            series = series.dt.tz_localize("UTC")
        frame[place] = series.astype(dtype)
    frame = pandas.DataFrame(frame)
    names = pandas.Index([column["name"] for column in columns])
    frame.columns = names.astype(header["dtype"]).set_names(header["levels"])
    return frame


def _to_polars(parts, columns, header):
    polars = importlib.import_module("polars")
    frame = []
    for values, column in zip(parts, columns, strict=True):
        kind, *arguments = column["dtype"]
        arguments = [column["categories"]] if kind == "Enum" else arguments
        dtype = getattr(polars, kind)
        dtype = dtype(*arguments) if arguments else dtype
        if values.dtype.kind == "O":
            series = polars.Series(column["name"], values.tolist(), dtype=dtype)
        else:
            series = polars.Series(column["name"], values, nan_to_null=column["marker"] != "nan")
            series = series.to_physical().cast(dtype)
        frame.append(series)
    return polars.DataFrame(frame)


def _pandas_dtype(dtype, name):
    if hasattr(dtype, "fill_value"):
        return {"sparse": str(dtype.subtype), "fill_value": plain(dtype.fill_value, name)}
    if hasattr(dtype, "categories"):
        categories = _pandas_dtype(dtype.categories.dtype, name)
        return {"categories": categories, "ordered": bool(dtype.ordered)}
    text = str(dtype)
    if hasattr(dtype, "storage"):  # of strings; "str" leaves to pandas which library holds them
        return f"string[{dtype.storage}]" if text == "string" else text
    with contextlib.suppress(TypeError):
        if sys.modules["pandas"].api.types.pandas_dtype(text) == dtype:
            return text
    return refuse(f"dtype {text}, which cannot be made from its name,", name)


def _polars_dtype(dtype, name):
    arguments = ("time_unit", "time_zone", "precision", "scale")
    found = [getattr(dtype, argument) for argument in arguments if hasattr(dtype, argument)]
    return [dtype.base_type().__name__, *found]


# How to read a column, by the library of its table.
_READERS = {"numpy": _read_array, "pandas": _read_pandas, "polars": _read_polars}
# How to write a dtype as plain values.
_DTYPES = {"numpy": lambda dtype, _: str(dtype), "pandas": _pandas_dtype, "polars": _polars_dtype}
#: How to make a table of columns that were decoded.
BUILDERS = {"numpy": _to_array, "pandas": _to_pandas, "polars": _to_polars}
