"""Mixed tables as float64 and back."""

import datetime
import decimal
import pickle

import numpy as np
import pandas as pd
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pandas.testing import assert_frame_equal, assert_index_equal
from polars.testing import assert_frame_equal as assert_polars_equal

from skdeep._preprocessing._frames import FrameCodec

DAY, LATER = datetime.datetime(2020, 7, 1, 2), datetime.datetime(1960, 1, 3)
# The hour that Berlin had twice.
TIMES = pd.to_datetime(["2020-10-25 00:30", None, "2020-10-25 01:30"]).tz_localize("UTC")
PANDAS = {
    "float64": pd.Series([1.5, np.nan, -3e300]),
    "float32": pd.Series([0.1, np.nan, -3], dtype="float32"),
    "int8": pd.Series([1, -128, 127], dtype="int8"),
    "int64": pd.Series([1, -(2**63), 2**63 - 1]),
    "uint64": pd.Series([1, 0, 2**64 - 1], dtype="uint64"),
    "Int64": pd.Series([1, None, 3], dtype="Int64"),
    "UInt8, full": pd.Series([1, 2, 3], dtype="UInt8"),
    "Float32": pd.Series([1.25, None, 3], dtype="Float32"),
    "bool": pd.Series([True, False, True]),
    "boolean": pd.Series([True, None, False], dtype="boolean"),
    "category": pd.Series(pd.Categorical(["b", None, "a"], ["z", "b", "a"], ordered=True)),
    "category of ints": pd.Series(pd.Categorical([3, 1, None], [3, 2, 1])),
    "category of floats": pd.Series(pd.Categorical(np.array([0.1, 0.3], dtype="f4")).take([1, 0])),
    "category of booleans": pd.Series(pd.Categorical([True, False, None])),
    "category of mixed": pd.Series(pd.Categorical(["a", 1, None])),
    "category of objects": pd.Series(
        pd.Categorical.from_codes([0, 1, -1], pd.Index(["x", "y"], dtype=object))
    ),
    "str": pd.Series(["b", "a", None], dtype="str"),
    "string": pd.Series(["b", "a", None], dtype="string"),
    "object": pd.Series(["b", None, "a"], dtype=object),
    "object with NaN": pd.Series(["b", np.nan, "a"], dtype=object),
    "object with NA": pd.Series(["b", pd.NA, "a"], dtype=object),
    "object of booleans": pd.Series([True, None, False], dtype=object),
    "object of ints": pd.Series([2**60, None, 3], dtype=object),
    "object of numbers": pd.Series([1.5, None, 3], dtype=object),
    "object of nothing": pd.Series([None] * 3, dtype=object),
    "NaN only": pd.Series([np.nan] * 3),
    "NA only": pd.Series([None] * 3, dtype="Int64"),
    "NaT only": pd.Series([pd.NaT] * 3),
    "category of nothing": pd.Series(pd.Categorical([None] * 3)),
    "datetime64[ns]": pd.Series(np.array([1, "NaT", 2**60], dtype="M8[ns]")),
    "datetime64[s]": pd.Series(np.array(["2020-01-01", "NaT", "0600-01-01"], dtype="M8[s]")),
    "utc": pd.Series(TIMES),
    "berlin": pd.Series(TIMES.tz_convert("Europe/Berlin").as_unit("ms")),
    "two hours off": pd.Series(TIMES.tz_convert("UTC+02:00")),
    "timedelta64": pd.Series(pd.to_timedelta(["1s", None, "-3h"])),
    "all of 64 bits": pd.Series(np.array([1 - 2**63, 2**63 - 1, 0]).view("M8[ns]")),
    "sparse": pd.Series([0.0, 1, np.nan], dtype="Sparse[float64, nan]"),
}
POLARS = [
    ([1.5, None, 3.0], pl.Float64),
    ([1.5, float("nan"), 3.0], pl.Float32),
    ([1, None, 3], pl.Int8),
    ([1, None, 2**63], pl.UInt64),
    ([1, 2, 3], pl.Int64),
    ([True, None, False], pl.Boolean),
    ([True, True, False], pl.Boolean),
    (["b", None, "a"], pl.String),
    (["b", None, "a"], pl.Categorical),
    (["b", None, "a"], pl.Enum(["c", "b", "a"])),
    (["b", "b", "a"], pl.Enum(["c", "b", "a"])),
    ([None, None, None], pl.Null),
    ([None, None, None], pl.Int64),
    ([None, None, None], pl.Date),
    ([DAY.date(), None, LATER.date()], pl.Date),
    ([DAY, None, LATER], pl.Datetime("ms")),
    ([DAY, None, LATER], pl.Datetime("us", "Europe/Berlin")),
    ([DAY - LATER, None, LATER - DAY], pl.Duration("ns")),
    ([decimal.Decimal("1.23"), None, decimal.Decimal("-4.5")], pl.Decimal(10, 2)),
]
ARRAYS = [
    np.array([[1.5, np.nan], [0.1, -3]]),
    np.array([[1.5, np.nan], [0.1, -3]], dtype=np.float32),
    np.array([[1.5, 3]], dtype=np.float16),
    np.array([[1.5, 3]], dtype=">f8"),
    np.array([[1, 2], [255, 4]], dtype=np.uint8),
    np.array([[True], [False]]),
    np.array([["a", "bb"], ["b", "a"]]),
    np.array([["a", 1, None, True, 2.5], ["b", 2, None, False, 3]], dtype=object),
    np.array([["2020-01-01"], ["NaT"]], dtype="M8[D]"),
    np.array([[1], [5]], dtype="m8[ns]"),
]
MIXED = pd.DataFrame({name: PANDAS[name] for name in ("float64", "Int64", "str", "utc", "boolean")})


def round_trip(X):
    codec = FrameCodec.fit(X)
    state = pickle.loads(pickle.dumps(codec.state()))
    return FrameCodec(**state).decode(codec.encode(X))


def is_plain(value):
    if isinstance(value, dict):
        return is_plain(list(value)) and is_plain(list(value.values()))
    if isinstance(value, list | tuple):
        return all(map(is_plain, value))
    return value is None or type(value) in (bool, int, float, str)


@pytest.mark.parametrize("name", PANDAS)
def test_columns_of_pandas_come_back_as_they_were(name):
    X = PANDAS[name].to_frame(name)
    assert_frame_equal(round_trip(X), X)
    assert is_plain(FrameCodec.fit(X).state())


@pytest.mark.parametrize("values, dtype", POLARS, ids=str)
def test_columns_of_polars_come_back_as_they_were(values, dtype):
    if dtype == pl.Datetime("us", "Europe/Berlin"):
        X = pl.DataFrame({"x": pl.Series(values).dt.replace_time_zone("Europe/Berlin")})
    else:
        X = pl.DataFrame({"x": pl.Series(values, dtype=dtype)})
    assert X.schema["x"] == dtype
    assert_polars_equal(round_trip(X), X)
    assert is_plain(FrameCodec.fit(X).state())


@pytest.mark.parametrize("X", ARRAYS, ids=lambda X: X.dtype.str)
def test_arrays_come_back_as_they_were(X):
    result = round_trip(X)
    np.testing.assert_array_equal(result, X, strict=True)
    assert result.dtype == X.dtype


def test_lists_come_back_as_arrays():
    np.testing.assert_array_equal(round_trip([[1, 2], [3, 4]]), [[1, 2], [3, 4]])
    X = [[1, "a"], [None, "b"]]
    np.testing.assert_array_equal(round_trip(X), np.array(X, dtype=object), strict=True)


@settings(max_examples=50, deadline=None)
@given(
    st.lists(st.tuples(st.floats(allow_infinity=False), st.integers(-(2**53), 2**53)), min_size=1)
)
def test_any_numbers_come_back_as_they_were(rows):
    X = pd.DataFrame(rows, columns=["float", "integer"])
    assert_frame_equal(round_trip(X), X, check_exact=True)


@settings(max_examples=50, deadline=None)
@given(st.lists(st.one_of(st.none(), st.text()), min_size=1))
def test_any_strings_come_back_as_they_were(values):
    X = pd.DataFrame({"x": pd.Series(values, dtype=object)})
    assert_frame_equal(round_trip(X), X)


@settings(max_examples=50, deadline=None)
@given(st.lists(st.integers(-(2**52) + 1, 2**52 - 1), min_size=1), st.integers(1, 2**11))
def test_any_dates_come_back_as_they_were(steps, unit):
    X = pd.DataFrame({"x": (np.array(steps) * unit).view("M8[ns]")})
    assert_frame_equal(round_trip(X), X)


def test_kinds_numbers_of_categories_and_names_are_told():
    codec = FrameCodec.fit(MIXED.assign(d=PANDAS["category"]))
    assert codec.kinds == ("number", "integer", "category", "date", "boolean", "category")
    assert codec.n_categories == (0, 0, 2, 0, 2, 3)
    assert codec.names == (*MIXED.columns, "d")
    assert codec.n_columns == 6


def test_codes_count_from_zero_in_the_order_of_the_dtype_or_sorted():
    X = MIXED.assign(category=PANDAS["category"])
    table = FrameCodec.fit(X).encode(X)
    assert table.dtype == np.float64
    np.testing.assert_array_equal(table[:, 2], [1, 0, np.nan])
    np.testing.assert_array_equal(table[:, 4], [1, np.nan, 0])
    np.testing.assert_array_equal(table[:, 5], [1, np.nan, 2])


def test_dates_are_counted_in_their_own_unit_from_the_earliest_on():
    dates = pd.to_datetime(["2020-01-15", "2020-01-01", "2020-01-08", None]).as_unit("ns")
    X = pd.DataFrame({"weekly": dates})
    codec = FrameCodec.fit(X)
    np.testing.assert_array_equal(codec.encode(X)[:, 0], [2, 0, 1, np.nan])
    others = pd.DataFrame({"weekly": pd.to_datetime(["2019-12-25T00", "2020-01-04T12"])})
    np.testing.assert_array_equal(codec.encode(others)[:, 0], [-1, 0.5])


@pytest.mark.parametrize("named", [["b"], [1], [False, True, False]], ids=str)
def test_named_columns_are_categories_whatever_their_dtype(named):
    X = pd.DataFrame({"a": [1, 2, 3], "b": [30, 10, 30], "c": [0.5, 1.5, 2.5]})
    codec = FrameCodec.fit(X, named)
    assert codec.kinds == ("integer", "category", "number")
    np.testing.assert_array_equal(codec.encode(X)[:, 1], [1, 0, 1])
    assert_frame_equal(codec.decode(codec.encode(X)), X)
    codec = FrameCodec.fit(pl.from_dict(X.to_dict("list")), named)
    assert codec.decode(np.zeros((1, 3)))["b"].to_list() == [10]
    if named != ["b"]:
        codec = FrameCodec.fit(X.to_numpy(), named)
        np.testing.assert_array_equal(codec.decode(codec.encode(X)), X.to_numpy())


@pytest.mark.parametrize("library", [pd.DataFrame, pl.DataFrame])
def test_decoded_values_keep_to_the_range_and_grid_of_training(library):
    columns = {
        "number": [0.5, 2.5, 1.0],
        "integer": [-2, 5, 2**63 - 1],
        "boolean": [False, True, True],
        "string": ["b", "a", "c"],
        "date": [DAY, LATER, LATER],
    }
    codec = FrameCodec.fit(library(columns))
    for garbage, row in ((1e300, [2.5, 2**63 - 1, True, "c", DAY]), (-np.inf, None)):
        result = codec.decode(np.full((2, 5), garbage))
        expected = row or [0.5, -2, False, "a", LATER]
        assert [result[name].to_list()[1] for name in columns] == expected
    result = codec.decode(np.full((1, 5), 0.7))
    assert [result[name].to_list()[0] for name in columns] == [0.7, 1, True, "b", DAY]


def test_frames_get_a_fresh_index_and_their_own_columns():
    X = pd.DataFrame({"a": [1.5, 2.5]}, index=["x", "y"])
    assert_frame_equal(round_trip(X), X.reset_index(drop=True))
    for columns in (
        pd.Index([3, 1], name="number"),
        pd.Index(["a", "a"]),
        pd.Index(["a", 1], dtype=object),
        pd.MultiIndex.from_tuples([("a", 1), ("b", 2)], names=["one", "two"]),
    ):
        X = pd.DataFrame([[1, "x"]], columns=columns)
        assert_index_equal(round_trip(X).columns, columns)


def test_any_number_of_rows_is_encoded_and_decoded():
    codec = FrameCodec.fit(MIXED)
    assert codec.encode(MIXED.iloc[:0]).shape == (0, 5)
    assert_frame_equal(codec.decode(np.empty((0, 5))), MIXED.iloc[:0])
    assert len(codec.decode(np.zeros((7, 5)))) == 7


def test_equal_values_of_another_dtype_are_encoded_alike():
    codec = FrameCodec.fit(MIXED)
    others = MIXED.astype({"str": "category", "Int64": "float64", "boolean": object})
    np.testing.assert_array_equal(codec.encode(others), codec.encode(MIXED))
    others = pl.DataFrame({"str": ["b", "a", None], "float64": [1.5, None, -3e300]})
    table = FrameCodec.fit(MIXED[["str", "float64"]]).encode(others)
    np.testing.assert_array_equal(table, codec.encode(MIXED)[:, [2, 0]])


def test_many_categories_take_no_time():
    values = np.random.default_rng(0).integers(20_000, size=100_000)
    X = pd.DataFrame({"x": values.astype(str), "y": pd.Categorical(values)})
    assert_frame_equal(round_trip(X), X)


@pytest.mark.parametrize(
    "values, found",
    [
        (pd.Series([[1], [2]]), "list"),
        (pd.Series([1j]), "complex"),
        (pd.cut(pd.Series([1, 2]), [0, 1, 2]), "Interval"),
        (pd.Series(pd.period_range("2020", periods=2, freq="D")), "Period"),
        (pd.Series(pd.Categorical(pd.to_datetime(["2020-01-01"]))), "Timestamp"),
        (pd.Series([DAY.date()]), "date"),
        (pd.Series([b"a"]), "bytes"),
        (pd.Series([True, 2], dtype=object), "booleans beside numbers"),
        (pd.Series([2**64, 1], dtype=object), "beyond 64 bits"),
        (pl.Series("x", [[1]]), "List"),
        (pl.Series("x", [{"a": 1}]), "Struct"),
        (pl.Series("x", [datetime.time(1)]), "time"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_columns_of_other_kinds_are_refused(values, found):
    X = values.to_frame("x") if isinstance(values, pd.Series) else values.to_frame()
    with pytest.raises(TypeError, match=f"must be a table.*got .*{found}.*'x'.*Convert"):
        FrameCodec.fit(X)


def test_what_cannot_be_encoded_is_named():
    codec = FrameCodec.fit(MIXED)
    with pytest.raises(ValueError, match="categories that fit saw; got 'new' in column 'str'"):
        codec.encode(MIXED.assign(str=["a", "new", None]))
    with pytest.raises(ValueError, match=r"contains infinity.*'float64'"):
        codec.encode(MIXED.assign(float64=[1, np.inf, 2]))
    with pytest.raises(ValueError, match="contains infinity"):
        FrameCodec.fit(np.array([[np.inf]]))
    with pytest.raises(TypeError, match="'float64' must hold what fit saw, number; got datetime64"):
        codec.encode(MIXED.assign(float64=PANDAS["datetime64[ns]"]))
    with pytest.raises(TypeError, match="dates as categories"):
        FrameCodec.fit(MIXED, ["utc"])


@pytest.mark.parametrize(
    "X", [[1, 2], np.zeros((0, 2)), np.zeros((2, 0)), pl.LazyFrame({"a": [1]})]
)
def test_what_is_no_table_is_refused(X):
    with pytest.raises(ValueError, match="must be a dataframe or a dense array"):
        FrameCodec.fit(X)


@pytest.mark.parametrize("X", [pd.DataFrame({"x": [1, 2]}), np.array([[True]]), np.array([["a"]])])
def test_nothing_is_missing_in_a_dtype_that_cannot_miss_it(X):
    with pytest.raises(ValueError, match="cannot miss values; got NaN in 1 rows"):
        FrameCodec.fit(X).decode(np.full((1, 1), np.nan))


def test_arrays_need_neither_pandas_nor_polars(run_python):
    code = """
import sys, numpy as np
from skdeep._preprocessing._frames import FrameCodec
before = set(sys.modules)
codec = FrameCodec.fit(np.array([["a", 1.5, None]], dtype=object))
codec.decode(codec.encode([["a", 2, None]]))
print(sorted({"pandas", "polars"} & (set(sys.modules) - before)))
"""
    assert run_python(code).strip() == "[]"
