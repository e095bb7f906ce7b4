"""TabularGANSampler preserves the dtype of every column.

Every value that at least a twentieth of the samples share is generated exactly, so a table of few
samples shows the whole way from a dataframe to numbers and back.
"""

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

from skdeep.generative import TabularGANSampler

pytestmark = pytest.mark.filterwarnings("ignore::skdeep.exceptions.ModeCollapseWarning")

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
    np.array([["a", 1, None, True, 2.5], ["b", 2, None, False, 3.5]], dtype=object),
    np.array([["2020-01-01"], ["NaT"]], dtype="M8[D]"),
    np.array([[1], [5]], dtype="m8[ns]"),
]
MIXED = pd.DataFrame({name: PANDAS[name] for name in ("float64", "Int64", "str", "utc", "boolean")})


def sampler(**params):
    base = {"latent_dim": 2, "hidden_layer_sizes": (4,), "n_modes": 1, "max_epochs": 1}
    return TabularGANSampler(**{**base, "device": "cpu", "random_state": 0, **params})


def generate(X, **params):
    """Samples of a hardly trained generator, in which each value is frequent."""
    fitted = sampler(**params).fit(X)
    rows = fitted.sample(300, random_state=0)
    again = pickle.loads(pickle.dumps(fitted)).sample(300, random_state=0)
    assert entries(again) == entries(rows)
    return rows


def entries(table):
    """Different entries of each column, with their types."""
    columns = table.T if isinstance(table, np.ndarray) else [table[name] for name in table.columns]
    lists = [one.to_list() if isinstance(one, pl.Series) else one.tolist() for one in columns]
    return [{(type(value), str(value)) for value in values} for values in lists]


@pytest.mark.parametrize("name", PANDAS)
def test_columns_of_pandas_keep_their_dtype_and_values(name):
    X = PANDAS[name].to_frame(name)
    rows = generate(X)
    assert_frame_equal(rows[:0], X[:0])
    assert rows.index.equals(pd.RangeIndex(300))
    assert entries(rows) == entries(X)


@pytest.mark.parametrize("values, dtype", POLARS, ids=str)
def test_columns_of_polars_keep_their_dtype_and_values(values, dtype):
    if dtype == pl.Datetime("us", "Europe/Berlin"):
        X = pl.DataFrame({"x": pl.Series(values).dt.replace_time_zone("Europe/Berlin")})
    else:
        X = pl.DataFrame({"x": pl.Series(values, dtype=dtype)})
    assert X.schema["x"] == dtype
    rows = generate(X)
    assert_polars_equal(rows[:0], X[:0])
    assert entries(rows) == entries(X)


@pytest.mark.parametrize("X", ARRAYS, ids=lambda X: X.dtype.str)
def test_arrays_keep_their_dtype_and_values(X):
    rows = generate(X)
    assert rows.dtype == X.dtype
    assert entries(rows) == entries(X)


def test_lists_become_arrays():
    assert generate([[1, 2], [3, 4]]).dtype == int
    rows = generate([[1, "a"], [None, "b"]])
    assert rows.dtype == object
    assert entries(rows) == entries(np.array([[1, "a"], [None, "b"]], dtype=object))


@settings(max_examples=20, deadline=None)
@given(
    st.lists(
        st.tuples(
            st.floats(allow_infinity=False),
            st.integers(-(2**53), 2**53),
            st.one_of(st.none(), st.text()),
        ),
        min_size=1,
        max_size=15,
    )
)
def test_any_numbers_and_strings_are_generated_exactly(rows):
    X = pd.DataFrame(rows, columns=["float", "integer", "string"])
    X = X.assign(float=X["float"] + 0.0, string=X["string"].astype(object))  # no negative zero
    assert all(new <= old for new, old in zip(entries(generate(X)), entries(X), strict=True))


@settings(max_examples=20, deadline=None)
@given(
    st.lists(st.integers(-(2**52) + 1, 2**52 - 1), min_size=1, max_size=15), st.integers(1, 2**11)
)
def test_any_dates_are_generated_exactly(steps, unit):
    X = pd.DataFrame({"x": (np.array(steps) * unit).view("M8[ns]")})
    assert entries(generate(X))[0] <= entries(X)[0]


@pytest.mark.parametrize("library", [pd.DataFrame, pl.DataFrame])
def test_generated_values_stay_within_the_range_and_on_the_grid_of_training(library):
    rng = np.random.default_rng(0)
    days = np.datetime64("1960-01-03") + 7 * rng.integers(0, 5000, 200)
    X = library(
        {"number": rng.uniform(size=200), "integer": rng.integers(-900, 900, 200), "date": days}
    )
    wild = sampler(lr=10.0).fit(X).sample(9, random_state=0)
    assert set(wild["number"].to_list()) <= {X["number"].min(), X["number"].max()}
    rows = sampler(latent_dim=8).fit(X).sample(300, random_state=0)
    for name in X.columns:
        assert rows[name].dtype == X[name].dtype
        assert X[name].min() <= rows[name].min() < rows[name].max() <= X[name].max()
        assert not set(rows[name].to_list()) <= set(X[name].to_list())
    distance = rows["date"].to_numpy().astype("M8[D]") - days.min()
    assert not (distance.astype(int) % 7).any()


@pytest.mark.parametrize("named", [["b"], [1], [False, True, False]], ids=str)
def test_named_columns_are_categories_whatever_their_dtype(named):
    X = pd.DataFrame({"a": [1, 2, 3], "b": [30, 10, 30], "c": [0.5, 1.5, 2.5]})
    tables = [X, pl.from_dict(X.to_dict("list"))] + [X.to_numpy()] * (named != ["b"])
    for table in tables:
        fitted = sampler(categorical_features=named).fit(table)
        name = 1 if isinstance(table, np.ndarray) else "b"
        rows = fitted.sample(50, random_state=0, conditions={name: 10})
        assert set(np.asarray(rows)[:, 1]) == {10}
        with pytest.raises(
            ValueError, match=rf"conditions must name categorical columns.*, \[{name!r}\]"
        ):
            fitted.sample(conditions={0: 1})
        with pytest.raises(ValueError, match=rf"categories of {name!r} .*10.*30.*; got 20"):
            fitted.sample(conditions={name: 20})


def test_columns_keep_their_labels():
    for columns in (
        pd.Index([3, 1], name="number"),
        pd.MultiIndex.from_tuples([("a", 1), ("b", 2)], names=["one", "two"]),
    ):
        X = pd.DataFrame([[1, "x"]], columns=columns, index=["row"])
        rows = sampler().fit(X).sample(2)
        assert_index_equal(rows.columns, columns)
        assert_index_equal(rows.index, pd.RangeIndex(2))


def test_training_continues_on_equal_values_of_another_dtype():
    def trained_on(X):
        return sampler(warm_start=True).fit(MIXED).fit(X).sample(50, random_state=0)

    others = MIXED.astype({"str": "category", "Int64": "float64", "boolean": object})
    assert_frame_equal(trained_on(others), trained_on(MIXED))
    assert not trained_on(MIXED.iloc[:1]).equals(trained_on(MIXED))


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
        sampler().fit(X)


def test_what_cannot_be_read_is_named():
    fitted = sampler(warm_start=True).fit(MIXED)
    with pytest.raises(
        ValueError, match="categories of the training data; got 'new' in column 'str'"
    ):
        fitted.fit(MIXED.assign(str=["a", "new", None]))
    with pytest.raises(ValueError, match=r"contains infinity.*'float64'"):
        fitted.fit(MIXED.assign(float64=[1, np.inf, 2]))
    with pytest.raises(ValueError, match="contains infinity"):
        sampler().fit(np.array([[np.inf]]))
    with pytest.raises(
        TypeError, match="'float64' must be of kind 'number', as in training; got datetime64"
    ):
        fitted.fit(MIXED.assign(float64=PANDAS["datetime64[ns]"]))
    with pytest.raises(TypeError, match="dates as categories"):
        sampler(categorical_features=["utc"]).fit(MIXED)
