"""Categories of any kind as codes."""

import datetime
import pickle

import numpy as np
import pandas as pd
import polars as pl
import pytest

from skdeep._preprocessing._categories import CategoryCodec, find_categories

MASK = np.array([False, True])
LEFT, RIGHT = pd.Interval(0, 1), pd.Interval(1, 2)
DAY, NEXT = datetime.date(2020, 1, 1), datetime.date(2020, 1, 2)


def frame(values):
    return pd.DataFrame({"number": np.arange(len(values)), "kind": values})


def codes(X, categories):
    return CategoryCodec(MASK, categories).encode(X, allow_nan=False)[:, 1].tolist()


@pytest.mark.parametrize(
    "values, expected",
    [
        (["b", "a", "b", "c"], ["a", "b", "c"]),
        ([3, 1, 2, 3], [1, 2, 3]),
        ([0.5, -1.0, 2.5, 0.5], [-1.0, 0.5, 2.5]),
        ([True, False, True, True], [False, True]),
        (["2", 1, "10", 3], [1, 3, "10", "2"]),
    ],
    ids=["strings", "ints", "floats", "booleans", "mixed"],
)
@pytest.mark.parametrize("container", ["category", "object", "array"])
def test_categories_are_found_in_a_fixed_order_and_counted_from_one(container, values, expected):
    X = frame(pd.Series(values, dtype=object))
    X = X.astype({"kind": "category"}) if container == "category" else X
    X = X.to_numpy() if container == "array" else X
    categories = find_categories(X, MASK)
    assert categories == [expected]
    assert codes(X, categories) == [1 + expected.index(value) for value in values]


@pytest.mark.parametrize(
    "missing", [None, np.nan, pd.NA, pd.NaT, float("nan"), np.float32("nan")], ids=repr
)
@pytest.mark.parametrize("value", ["a", 1, 1.5])
def test_missing_categories_have_code_zero(missing, value):
    X = frame(pd.Series([value, missing, value], dtype=object))
    assert find_categories(X, MASK) == [[value]]
    assert codes(X, [[value]]) == [1, 0, 1]


@pytest.mark.parametrize("text", ["nan", "NaT", "<NA>", "None", ""])
def test_strings_that_look_like_missing_values_are_categories(text):
    X = frame(pd.Categorical([text, None, "other"]))
    assert codes(X, find_categories(X, MASK)).count(0) == 1
    assert text in find_categories(X, MASK)[0]


def test_unknown_categories_have_code_zero():
    assert codes(frame(["a", "z", "b"]), [["a", "b"]]) == [1, 0, 2]


@pytest.mark.parametrize(
    "values",
    [
        pd.Categorical([LEFT, RIGHT, None, LEFT]),
        pd.cut(pd.Series([0.5, 1.5, np.nan, 0.5]), [0, 1, 2]),
        pd.Categorical(pd.to_datetime(["2020-01-01", "2020-01-02", None, "2020-01-01"])),
        pd.Categorical(pd.to_timedelta(["1h", "2h", None, "1h"])),
        pd.Categorical([(1, 2), (3, 4), None, (1, 2)]),
    ],
    ids=["intervals", "cut", "times", "durations", "tuples"],
)
def test_categories_of_other_kinds_go_by_their_text(values):
    X = frame(values)
    categories = find_categories(X, MASK)
    assert len(categories[0]) == 2 and all(isinstance(one, str) for one in categories[0])
    assert codes(X, categories) == [1, 2, 0, 1]


@pytest.mark.parametrize("dtype", [pl.Categorical, pl.Enum(["c", "b", "a"])], ids=str)
def test_polars_categories_are_those_of_pandas(dtype):
    values = ["b", None, "a", "b"]
    X = pl.DataFrame({"number": range(4), "kind": pl.Series(values, dtype=dtype)})
    assert find_categories(X, MASK) == [["a", "b"]]
    assert codes(X, [["a", "b"]]) == [2, 0, 1, 2]


def test_order_and_number_of_declared_categories_do_not_matter():
    values = ["b", "a", "b"]
    plain = frame(pd.Categorical(values))
    declared = frame(pd.Categorical(values, categories=["z", "b", "y", "a"], ordered=True))
    assert find_categories(declared, MASK) == find_categories(plain, MASK)
    assert codes(declared, [["a", "b"]]) == codes(plain, [["a", "b"]])


def test_equal_numbers_of_other_types_are_the_same_category():
    categories = find_categories(np.array([[0, 1], [0, 2]]), MASK)
    for values in ([1.0, 2.0], np.array([1, 2], dtype=np.uint8), np.float32([1, 2])):
        assert codes(frame(values), categories) == [1, 2]


def test_numbers_of_the_table_stay_in_their_columns():
    X = pd.DataFrame({"a": [1.5, 2.5], "kind": ["x", "y"], "b": pd.array([3, None], dtype="Int64")})
    mask = np.array([False, True, False])
    table = CategoryCodec.fit(X, mask).encode(X, allow_nan=True)
    np.testing.assert_array_equal(table, [[1.5, 1, 3], [2.5, 2, np.nan]])
    assert table.dtype == np.float64
    with pytest.raises(ValueError, match="X contains NaN"):
        CategoryCodec(mask, [["x", "y"]]).encode(X, allow_nan=False)


@pytest.mark.parametrize(
    "make",
    [pd.DataFrame, pl.DataFrame, lambda columns: np.array(list(columns.values()), dtype=object).T],
    ids=["pandas", "polars", "array"],
)
def test_a_table_may_hold_categories_only(make):
    X = make({"first": ["x", "y"], "second": ["u", "u"]})
    mask = np.array([True, True])
    table = CategoryCodec.fit(X, mask).encode(X, allow_nan=False)
    np.testing.assert_array_equal(table, [[1, 1], [2, 1]])


def test_codecs_are_what_their_states_say():
    X = frame(pd.Series(["b", 2, None, True], dtype=object))
    codec = CategoryCodec.fit(X, ["kind"])
    again = CategoryCodec(**pickle.loads(pickle.dumps(codec.state())))
    np.testing.assert_array_equal(again.is_categorical, MASK)
    np.testing.assert_array_equal(
        again.encode(X, allow_nan=False), codec.encode(X, allow_nan=False)
    )


@pytest.mark.parametrize("categorical_features", ["from_dtype", None])
def test_tables_without_categories_need_no_codec(categorical_features):
    assert CategoryCodec.fit(np.eye(3), categorical_features) is None
    assert CategoryCodec.fit(pd.DataFrame(np.eye(3)), categorical_features) is None
