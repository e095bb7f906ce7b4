"""Promise 4: errors about non-numeric columns state name, dtype and a remedy."""

import datetime

import numpy as np
import pandas as pd
import polars as pl
import pytest

N = 20
Y = np.arange(N) % 2
NUMBERS = np.random.default_rng(0).normal(size=N)
DAYS = pd.date_range("2020-01-01", periods=N)
MIXED = pd.Series([1.5, "x"] * (N // 2), dtype=object)


def pandas_frame(column):
    return pd.DataFrame({"a": NUMBERS, "odd": column, "b": NUMBERS})


def polars_frame(column):
    return pl.DataFrame({"a": NUMBERS, "odd": pl.Series(column), "b": NUMBERS})


TIMES = {"time": datetime.time(1), "span": datetime.timedelta(hours=1)}
DATES = {
    "dates": pandas_frame(DAYS),
    "dates with zone": pandas_frame(DAYS.tz_localize("UTC")),
    "dates alone": pd.DataFrame({"odd": DAYS}),
    "date objects": pandas_frame(pd.Series(DAYS.date, dtype=object)),
    "polars dates": polars_frame(DAYS.to_pydatetime().tolist()),
    "polars days": polars_frame(DAYS.date.tolist()),
    "array": DAYS.to_numpy().reshape(-1, 1),
}
SPANS = {
    "spans": pandas_frame(DAYS - DAYS[0]),
    "spans beside integers": pd.DataFrame({"a": np.arange(N), "odd": DAYS - DAYS[0]}),
    "span objects": pandas_frame(pd.Series([TIMES["span"]] * N, dtype=object)),
    "polars spans": polars_frame([TIMES["span"]] * N),
    "polars times": polars_frame([TIMES["time"]] * N),
    "array": (DAYS - DAYS[0]).to_numpy().reshape(-1, 1),
}
OTHERS = {
    "period": (pandas_frame(DAYS.to_period("D")), r"Period\(.*of type Period"),
    "interval": (pandas_frame(pd.cut(NUMBERS, N).astype(object)), "of type Interval"),
    "complex": (pandas_frame(NUMBERS + 1j), "complex numbers"),
    "mixed": (pandas_frame(MIXED), "the string 'x'"),
    "bytes": (pandas_frame(pd.Series([b"x"] * N)), "the string b'x'"),
    "lists": (pandas_frame(pd.Series([[1]] * N)), r"\[1\] of type list"),
    "dicts": (pandas_frame(pd.Series([{}] * N)), "{} of type dict"),
    "polars lists": (polars_frame([[1]] * N), "of type ndarray"),
    "polars long lists": (polars_frame([[1, 2]] * N), "of type ndarray"),
    "polars structs": (polars_frame([{"a": 1}] * N), "entries with several values"),
    "polars bytes": (polars_frame([b"x"] * N), "the string b'x'"),
    "polars objects": (pl.DataFrame({"odd": pl.Series([object()] * N, dtype=pl.Object)}), "object"),
}
STRINGS = {
    "strings": pandas_frame(["x", "y"] * (N // 2)),
    "string objects": pandas_frame(pd.Series(["x", None] * (N // 2), dtype=object)),
    "polars strings": polars_frame(["x", "y"] * (N // 2)),
}

each_with_rows = pytest.mark.having("transform", "embed", "score_samples")


def _check(estimator, X, what, remedy):
    place = r"column ('odd'|0) of dtype .+"
    with pytest.raises((TypeError, ValueError), match=rf"be numeric; got {what} in {place}") as e:
        estimator.fit(X, Y)
    message = str(e.value)
    assert remedy in message
    assert "\n" not in message and message.endswith(".") and ". ." not in message
    assert not hasattr(estimator, "n_iter_")


@each_with_rows
@pytest.mark.parametrize("case", DATES)
@pytest.mark.matrix
def test_dates_are_refused_with_a_remedy(case, make):
    _check(make(), DATES[case], "dates", "Convert it to numbers, such as days since a date")


@each_with_rows
@pytest.mark.parametrize("case", SPANS)
@pytest.mark.matrix
def test_times_are_refused_with_a_remedy(case, make):
    _check(make(), SPANS[case], "times", "Convert it to numbers, such as seconds")


@each_with_rows
@pytest.mark.parametrize("case", OTHERS)
@pytest.mark.matrix
def test_other_objects_are_refused_with_a_remedy(case, make):
    _check(make(), OTHERS[case][0], rf".*{OTHERS[case][1]}.*", "or drop it.")


@pytest.mark.having("transform")
@pytest.mark.taking(categorical=False)
@pytest.mark.parametrize("case", STRINGS)
def test_strings_are_refused_with_a_remedy(case, make):
    _check(make(), STRINGS[case], ".*", "OneHotEncoder")


@each_with_rows
def test_column_that_turns_up_after_fit_is_named(make, row_outputs):
    estimator = make(max_epochs=1).fit(pandas_frame(NUMBERS), Y)
    for name in row_outputs(estimator, pandas_frame(NUMBERS)):
        with pytest.raises(TypeError, match="got dates in column 'odd' of dtype datetime64"):
            getattr(estimator, name)(pandas_frame(DAYS))


@each_with_rows
def test_objects_that_are_numbers_are_numbers(make, row_outputs):
    X = pandas_frame(np.arange(N))
    estimator = make(max_epochs=1).fit(X, Y)
    expected = row_outputs(estimator, X)
    for dtype in (object, "Int64", "float32", "u1"):
        for name, result in row_outputs(estimator, X.astype({"odd": dtype})).items():
            np.testing.assert_array_equal(result, expected[name])
