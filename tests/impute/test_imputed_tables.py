"""AutoencoderImputer on dataframes and on tables with categories."""

import enum
import pickle

import numpy as np
import pandas as pd
import polars as pl
import pytest
from sklearn.compose import make_column_transformer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder

from skdeep.impute import AutoencoderImputer
from skdeep.neural_network import ResNetClassifier

N = 120
COLORS = np.array(["red", "green", "blue"], dtype=object)
CODES = np.arange(N) % 3
SIZES = CODES + 0.1 * np.random.default_rng(0).normal(size=N)
NO_COLOR = np.arange(N) % 5 == 0
NO_SIZE = np.arange(N) % 7 == 3


def table():
    """Color and size determine each other; both have gaps."""
    return pd.DataFrame(
        {
            "count": np.arange(N),
            "color": pd.Series(np.where(NO_COLOR, None, COLORS[CODES]), dtype=object),
            "size": np.where(NO_SIZE, np.nan, SIZES).astype(np.float32),
            "shape": pd.Categorical(
                np.where(CODES == 1, "round", "flat"), ["round", "flat", "odd"]
            ),
            "name": pd.Series(COLORS[CODES], dtype="str"),
        }
    )


def small(**params):
    fast = {"max_epochs": 3, "hidden_layer_sizes": (16,), "device": "cpu", "random_state": 0}
    return AutoencoderImputer(**{**fast, **params})


def trained(**params):
    """Imputer that is trained for long enough to find categories."""
    return small(max_epochs=100, lr=1e-2, dropout=0.0, **params)


def test_categories_are_found_from_numbers_and_numbers_from_categories():
    frame = table()[["color", "size"]]
    found = trained().fit_transform(frame)
    both = NO_COLOR & NO_SIZE  # nothing is known of them
    assert (found["color"] == COLORS[CODES])[NO_COLOR & ~both].mean() > 0.9
    assert np.abs(found["size"] - SIZES)[NO_SIZE & ~both].mean() < 0.3


def test_columns_dtypes_index_and_observed_entries_stay():
    frame = table().set_index(np.arange(N)[::-1] * 2)
    found = small().fit_transform(frame)
    assert not found.isna().any().any()
    assert found.dtypes.tolist() == frame.dtypes.tolist()
    assert found.columns.tolist() == frame.columns.tolist()
    assert found.index.tolist() == frame.index.tolist()
    pd.testing.assert_frame_equal(found.where(frame.notna()), frame.where(frame.notna()))
    assert found["color"].isin(COLORS).all()


def test_polars_frames_stay_polars_frames():
    frame = pl.from_pandas(table()[["count", "size"]]).with_columns(
        color=pl.Series(table()["color"].tolist(), dtype=pl.String),
        kind=pl.Series(table()["color"].tolist(), dtype=pl.Enum(["green", "blue", "red", "odd"])),
        group=pl.Series(table()["color"].tolist(), dtype=pl.Categorical),
        rank=pl.Series([None if gap else 1 for gap in NO_SIZE]),
    )
    found = small().fit_transform(frame)
    assert sum(found.null_count().row(0)) == 0
    assert found.columns == frame.columns
    kept = ["count", "size", "color", "kind", "group"]
    assert found[kept].dtypes == frame[kept].dtypes
    assert found["rank"].dtype == pl.Float64  # an integer cannot hold an imputed number
    for name in kept:
        is_known = frame[name].is_not_null() & ~frame[name].cast(pl.String).eq("NaN")
        assert found[name].filter(is_known).to_list() == frame[name].filter(is_known).to_list()


def test_arrays_of_objects_stay_arrays_of_objects():
    X = table()[["color", "size"]].to_numpy()
    found = trained(categorical_features=[0]).fit_transform(X)
    assert isinstance(found, np.ndarray) and found.dtype == object
    np.testing.assert_array_equal(found[~NO_COLOR, 0], X[~NO_COLOR, 0])
    assert set(found[:, 0]) == set(COLORS)


def test_numbers_may_be_categories_of_an_array():
    X = np.column_stack([np.where(NO_COLOR, np.nan, CODES), SIZES])
    found = trained(categorical_features=[0]).fit_transform(X)
    assert found.dtype == np.float64
    assert set(found[:, 0]) == {0.0, 1.0, 2.0}
    assert (found[NO_COLOR, 0] == CODES[NO_COLOR]).mean() > 0.9


@pytest.mark.parametrize("dtype", [np.float32, np.float64, "Float64", "Int64"])
def test_numbers_may_be_categories_of_a_dataframe(dtype):
    frame = pd.DataFrame({"code": pd.Series(CODES).where(~NO_COLOR).astype(dtype), "size": SIZES})
    found = trained(categorical_features=["code"]).fit_transform(frame)
    assert found["code"].dtype == dtype
    assert (found["code"] == CODES)[NO_COLOR].mean() > 0.9
    np.testing.assert_array_equal(found["code"][~NO_COLOR], CODES[~NO_COLOR])


@pytest.mark.parametrize("dtype", [np.int8, np.int64, np.uint8, "UInt16", bool])
def test_integers_may_be_categories_and_keep_their_dtype(dtype):
    first = 0 if dtype is bool else 1
    codes = pd.Series(CODES % 2 + first, name="code").astype(dtype)
    frame = pd.DataFrame({"code": codes, "size": CODES % 2 + 0.5})
    imputer = trained(categorical_features=["code"]).fit(frame)
    pd.testing.assert_series_equal(imputer.reconstruct(frame)["code"], codes)
    if dtype is not bool:
        marked = frame.assign(code=frame["code"].mask(NO_COLOR, 9))
        found = trained(categorical_features=["code"], missing_values=9).fit_transform(marked)
        pd.testing.assert_frame_equal(found, frame)


@pytest.mark.parametrize("dtype", [pl.Int64, pl.UInt8, pl.Float32, pl.Boolean])
def test_numbers_may_be_categories_of_a_polars_frame(dtype):
    full = pl.DataFrame({"code": pl.Series(CODES % 2).cast(dtype), "size": CODES % 2 + 0.5})
    codes = [None if gap else code for gap, code in zip(NO_COLOR, full["code"], strict=True)]
    frame = full.with_columns(code=pl.Series(codes, dtype=dtype))
    imputer = trained(categorical_features=["code"])
    assert imputer.fit_transform(frame).equals(full)
    assert imputer.reconstruct(frame).schema == full.schema


@pytest.mark.parametrize("dtype", [np.uint8, np.float16, bool])
@pytest.mark.parametrize("codes", [[2, 300], [0.5, 1.5], [-1, 70_000], [2**40, 2**40 + 1]], ids=str)
def test_categories_may_exceed_the_dtype_of_new_samples(codes, dtype):
    rows = {"code": [codes[1], codes[0]] * 60, "size": [9.0, 0.0] * 60}
    imputer = trained(categorical_features=["code"], missing_values=1).fit(pd.DataFrame(rows))
    row = {"code": np.array([1], dtype), "size": [9.0]}
    for frame in (pd.DataFrame(row), pl.DataFrame(row)):
        found = imputer.transform(frame)["code"]
        assert found.to_list() == [codes[1]]
        assert found.to_numpy().dtype.kind in "if"


def test_columns_of_strings_may_get_categories_that_are_numbers():
    frame = pd.DataFrame({"code": [2.0, "b"] * 60, "size": [9.0, 0.0] * 60})
    imputer = trained(categorical_features=["code"]).fit(frame)
    for series in (pd.Series(["b", None], dtype="str"), pd.Series(["b", None], dtype="string")):
        found = imputer.transform(pd.DataFrame({"code": series, "size": [0.0, 9.0]}))
        assert found["code"].tolist() == ["b", 2.0]
    found = imputer.transform(pl.DataFrame({"code": ["b", None], "size": [0.0, 9.0]}))
    assert found["code"].to_list() == ["b", "2.0"]  # polars has no columns of both
    nothing = pl.DataFrame({"code": pl.Series([None], dtype=pl.Float64), "size": [0.0]})
    assert imputer.transform(nothing)["code"].to_list() == ["b"]
    digits = trained().fit(frame.assign(code=["02", "01"] * 60))
    assert digits.transform(nothing)["code"].to_list() == ["01"]


def test_members_of_an_enumeration_of_strings_are_their_strings():
    Color = enum.StrEnum("Color", ["RED", "BLUE"])
    colors = pd.Series([Color.RED, Color.BLUE, None] * 40, dtype=object)
    frame = pd.DataFrame({"color": colors, "size": [0.0, 9.0, 9.0] * 40})
    assert set(trained(categorical_features=["color"]).fit_transform(frame)["color"]) == {*Color}


DATES = pd.to_datetime(["2020-01-01", "2021-01-01", None] * 40)


@pytest.mark.parametrize(
    "frame",
    [
        pd.DataFrame({"day": DATES, "size": SIZES}),
        pd.DataFrame({"day": pd.Series(DATES.date, dtype=object), "size": SIZES}),
        pd.DataFrame({"day": pd.interval_range(0, N), "size": SIZES}),
        pd.DataFrame({"day": pd.Series([b"a", b"b"] * 60, dtype=object), "size": SIZES}),
        pl.DataFrame({"day": pl.Series(["2020-01-01"] * N).str.to_date(), "size": SIZES}),
        pl.DataFrame({"day": [[1], [2]] * 60, "size": SIZES}),
    ],
    ids=["dates", "objects", "intervals", "bytes", "polars dates", "polars lists"],
)
def test_categories_that_have_no_dtype_of_categories_are_refused(frame):
    with pytest.raises(ValueError, match=r"must be strings, numbers or booleans.* in column 'day'"):
        small(categorical_features=["day"]).fit(frame)


def test_dates_may_be_categories_of_a_categorical_dtype():
    frame = pd.DataFrame({"day": pd.Series(DATES.astype("category")), "size": [0.0, 9.0, 9.0] * 40})
    imputer = trained().fit(frame)
    found = imputer.transform(frame)["day"]
    assert found.dtype == frame["day"].dtype
    assert set(found[2::3]) == {DATES[1]}
    with pytest.raises(ValueError, match="or have a categorical dtype; got Timestamp"):
        imputer.transform(frame.astype({"day": object}))


@pytest.mark.parametrize("others", [[], ["one"]], ids=["all columns", "some columns"])
def test_sparse_columns_of_a_dataframe_become_dense_where_numbers_are_imputed(others):
    dense = table().assign(count=np.arange(N) % 2 * 1.0, one=CODES)
    dense = dense[["color", "size", "count", *others]]
    sparse = dense.astype({"size": pd.SparseDtype("float32"), "count": pd.SparseDtype("float64")})
    found, expected = small().fit_transform(sparse), small().fit_transform(dense)
    assert found["count"].dtype == sparse["count"].dtype
    pd.testing.assert_frame_equal(found.astype(expected.dtypes), expected)


def test_numbers_and_strings_may_be_categories_of_a_column():
    frame = pd.DataFrame({"code": [1.0, "b"] * 60, "size": [0.0, 9.0] * 60})
    imputer = trained(categorical_features=["code"]).fit(frame)
    new = pd.DataFrame({"code": [1.0, np.nan], "size": [0.0, 9.0]})
    assert imputer.transform(new)["code"].tolist() == [1.0, "b"]


@pytest.mark.parametrize("fit_on", ["pandas", "polars"])
@pytest.mark.parametrize("container", ["default", "pandas", "polars"])
def test_set_output_chooses_the_container(container, fit_on):
    frame = table()[["size", "count"]]
    frame = frame if fit_on == "pandas" else pl.from_pandas(frame)
    imputer = small(add_indicator=True).set_output(transform=container)
    found = imputer.fit_transform(frame)
    kinds = {"default": np.ndarray, "pandas": pd.DataFrame, "polars": pl.DataFrame}
    assert isinstance(found, kinds[container])
    names = ["size", "count", "missingindicator_size"]
    assert imputer.get_feature_names_out().tolist() == names
    if container != "default":
        assert list(found.columns) == names
        assert {str(dtype).lower() for dtype in found.dtypes} == {"float64"}
    np.testing.assert_array_equal(np.asarray(found)[:, 2], NO_SIZE)


@pytest.mark.parametrize("container", ["pandas", "polars"])
def test_set_output_keeps_float32(container):
    X = np.where(NO_SIZE, np.nan, SIZES).astype(np.float32).reshape(-1, 1)
    found = small().set_output(transform=container).fit_transform(X)
    assert [str(dtype).lower() for dtype in found.dtypes] == ["float32"]


def test_columns_of_frames_of_another_library_have_the_types_of_their_entries():
    frame = table().assign(
        small=pd.array([0.5] * N, dtype="Float32"),
        rank=pd.array([1, 2] * (N // 2), dtype="Int64"),
        mixed=pd.Series([1, "a", None] * (N // 3), dtype=object),
        width=pd.cut(SIZES, 2),
    )
    named = ["color", "shape", "name", "mixed", "width"]
    imputer = small(add_indicator=True, categorical_features=named)
    own = imputer.fit_transform(frame)
    found = imputer.set_output(transform="polars").transform(frame)
    assert found.columns == own.columns.tolist()
    numbers = {"count": pl.Int64, "size": pl.Float32, "small": pl.Float32, "rank": pl.Int64}
    kinds = {**numbers, **dict.fromkeys(named, pl.String)}
    indicators = dict.fromkeys(found.columns[len(kinds) :], pl.Boolean)
    assert dict(found.schema) == {**kinds, **indicators}
    for name in ["count", "size", "color", "shape", "missingindicator_size"]:
        assert found[name].to_list() == own[name].tolist()


def test_polars_frames_become_pandas_frames_with_the_types_of_their_entries():
    frame = pl.DataFrame({"color": np.where(NO_COLOR, None, COLORS[CODES]).tolist(), "size": SIZES})
    imputer = small(add_indicator=True).fit(frame)
    found = imputer.set_output(transform="pandas").transform(frame)
    kinds = {"color": "str", "size": "float64", "missingindicator_color": "bool"}
    assert found.dtypes.astype(str).to_dict() == kinds
    assert isinstance(imputer.reconstruct(frame), pl.DataFrame)
    assert isinstance(imputer.draw_imputations(frame, 1)[0], pl.DataFrame)


def test_indicators_of_frames_without_column_names_suit_the_next_step():
    frame = table()[["color", "size"]].set_axis([0, 1], axis=1)
    imputer = small(add_indicator=True)
    found = imputer.fit_transform(frame)
    assert found.columns.tolist() == imputer.get_feature_names_out().tolist()
    assert small().fit(found).feature_names_in_.tolist() == found.columns.tolist()
    assert small().fit_transform(frame).columns.tolist() == [0, 1]


def test_frames_with_categories_have_indicators_and_chosen_containers():
    imputer = small(add_indicator=True).fit(table())
    found = imputer.transform(table())
    assert found.columns[-2:].tolist() == ["missingindicator_color", "missingindicator_size"]
    np.testing.assert_array_equal(found["missingindicator_color"], NO_COLOR)
    pandas = imputer.set_output(transform="pandas").transform(table())
    pd.testing.assert_frame_equal(pandas, found)
    polars = imputer.set_output(transform="polars").transform(table())
    assert isinstance(polars, pl.DataFrame)
    assert polars.columns == found.columns.tolist()


@pytest.mark.parametrize("container", [pd.DataFrame, pl.DataFrame])
def test_indicators_never_replace_a_column(container):
    columns = {"missingindicator_size": CODES, "size": [np.nan, 1.0] * 60, "name": ["a", "b"] * 60}
    for fit in (small(add_indicator=True).fit, small().fit):
        with pytest.raises(ValueError, match="got a feature 'missingindicator_size'"):
            fit(container(columns)).set_params(add_indicator=True).transform(container(columns))
    empty = {**columns, "missingindicator_size": [np.nan] * N}
    with pytest.warns(UserWarning, match="are dropped"):
        found = small(add_indicator=True).fit_transform(container(empty))
    assert list(found.columns)[:3] == ["size", "name", "missingindicator_missingindicator_size"]


def test_the_warning_about_empty_features_points_to_the_call():
    frame = table()[["color", "size"]].assign(nothing=np.nan)
    imputer = small().fit(frame)
    with pytest.warns(UserWarning, match=r"\['nothing'\]") as record:
        imputer.transform(frame)
    assert record[0].filename == __file__


def test_categories_that_were_not_in_training_are_kept_and_ignored():
    frame = table()[["color", "size"]]
    imputer = trained().fit(frame)
    new = pd.DataFrame({"color": ["violet", "violet", None], "size": [np.nan, 2.0, 2.0]})
    found = imputer.transform(new)
    assert found["color"].tolist() == ["violet", "violet", "blue"]
    unknown = imputer.transform(pd.DataFrame({"color": [None], "size": [np.nan]}))
    assert found["size"][0] == pytest.approx(unknown["size"][0])


def test_categories_that_the_dtype_of_new_samples_lacks_are_added_to_it():
    frame = table()[["shape", "size"]]
    imputer = trained().fit(frame)
    new = pd.DataFrame({"shape": pd.Categorical([None], ["flat"]), "size": [1.0]})
    assert imputer.transform(new)["shape"].tolist() == ["round"]


def test_a_string_may_mark_missing_categories():
    frame = table()[["color", "count"]]
    marked = frame.fillna({"color": "?"})
    found = trained(missing_values="?").fit_transform(marked)
    assert set(found["color"]) == set(COLORS)
    pd.testing.assert_frame_equal(found, trained().fit_transform(frame))


def test_empty_columns_of_categories_are_dropped_or_stay_empty():
    nothing = pd.Series([None] * N, dtype="str")
    frame = table()[["color", "size"]].assign(nothing=nothing)
    with pytest.warns(UserWarning, match=r"\['nothing'\]"):
        assert small().fit_transform(frame).columns.tolist() == ["color", "size"]
    kept = small(keep_empty_features=True).fit_transform(frame)
    assert kept["nothing"].isna().all()
    assert not kept[["color", "size"]].isna().any().any()


def test_integer_columns_become_float_only_where_numbers_are_imputed():
    frame = table()[["color", "count"]].astype({"count": "Int64"})
    assert small().fit_transform(frame)["count"].dtype == "Int64"
    frame.loc[::4, "count"] = pd.NA
    found = small().fit_transform(frame)["count"]
    assert found.dtype == np.float64
    np.testing.assert_array_equal(found[1::4], frame["count"][1::4].astype(float))


def test_completed_tables_suit_the_next_step():
    y = CODES == 1
    encode = make_column_transformer((OneHotEncoder(), ["color", "shape"]), remainder="passthrough")
    frame = table().drop(columns="name")
    pipe = make_pipeline(small(), encode, LogisticRegression(max_iter=10_000))
    assert pipe.fit(frame, y).score(frame, y) > 0.9
    net = ResNetClassifier(1, width=16, max_epochs=40, lr=1e-2, device="cpu", random_state=0)
    assert make_pipeline(small(), net).fit(frame, y).score(frame, y) > 0.9


def test_draws_of_categories_have_their_frequencies():
    frame = pd.DataFrame({"color": np.where(np.arange(N) % 4 < 3, "red", "blue"), "one": 1.0})
    imputer = trained(sample_posterior=True, n_imputations=31).fit(frame)
    empty = pd.DataFrame({"color": pd.Series([None] * 400, dtype=object), "one": 1.0})
    drawn = imputer.draw_imputations(empty, 1, random_state=0)[0]
    assert (drawn["color"] == "red").mean() == pytest.approx(0.75, abs=0.1)
    assert (imputer.transform(empty)["color"] == "red").mean() > 0.95


def test_copies_of_imputers_of_categories_are_plain_and_equal():
    imputer = small().fit(table())
    copied = pickle.loads(pickle.dumps(imputer))
    pd.testing.assert_frame_equal(copied.transform(table()), imputer.transform(table()))


def test_score_and_reconstruction_take_tables_with_categories():
    frame = table()[["color", "size"]]
    imputer = trained().fit(frame)
    assert imputer.score(frame) > small(max_epochs=1, lr=1e-9).fit(frame).score(frame)
    found = imputer.reconstruct(frame)
    assert (found["color"] == COLORS[CODES])[~NO_COLOR & ~NO_SIZE].mean() > 0.9


def test_a_column_of_numbers_with_strings_is_refused_by_name():
    frame = table()[["count", "color"]].astype({"count": object})
    frame.loc[3, "count"] = "many"
    with pytest.raises(ValueError, match="the string 'many' in column 'count'"):
        small().fit(frame)
