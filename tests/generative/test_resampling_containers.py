"""fit_resample returns samples and labels in the containers and dtypes of its input."""

import numpy as np
import pandas as pd
import polars as pl
import pytest
import scipy.sparse as sp
from imblearn.over_sampling import SMOTE
from numpy.testing import assert_array_equal
from pandas.testing import assert_frame_equal, assert_series_equal
from polars.testing import assert_frame_equal as assert_polars_equal

from skdeep.generative import GANSampler, TabularGANSampler

pytestmark = pytest.mark.filterwarnings("ignore::skdeep.exceptions.ModeCollapseWarning")

RNG = np.random.default_rng(0)
X = RNG.normal(size=(70, 3))
Y = np.repeat([0, 1, 2], [40, 20, 10])
BINARY = np.repeat([0, 1], [50, 20])


@pytest.fixture(params=[GANSampler, TabularGANSampler], ids=lambda cls: cls.__name__)
def make(request):
    """Function that makes a small sampler of either kind."""

    def make(**params):
        base = {"latent_dim": 4, "hidden_layer_sizes": (8,), "batch_size": 30, "max_epochs": 1}
        base |= {"n_modes": 1, "pac": 10} if request.param is TabularGANSampler else {}
        return request.param(**{**base, "device": "cpu", "random_state": 0, **params})

    return make


def resample(given, **params):
    """Samples and labels resampled by a small GANSampler."""
    params |= {"latent_dim": 4, "hidden_layer_sizes": (8,), "batch_size": 30, "max_epochs": 1}
    return GANSampler(**params, device="cpu", random_state=0).fit_resample(given, Y)


FRAME = pd.DataFrame(
    {
        "price": X[:, 0],
        "rooms": RNG.integers(1, 5, size=70),
        "is_new": RNG.uniform(size=70) < 0.5,
        "size": X[:, 1].astype(np.float32),
        "floor": pd.array(RNG.integers(0, 9, size=70), dtype="Int16"),
        "age": pd.array(RNG.integers(0, 99, size=70), dtype="UInt8"),
        "tax": pd.array(X[:, 2], dtype="Float32"),
        "is_sold": pd.array(RNG.uniform(size=70) < 0.5, dtype="boolean"),
    },
    index=np.arange(70) + 500,
)


def test_pandas_frames_keep_names_order_and_dtypes_and_get_a_new_index(make):
    rows, labels = make().fit_resample(FRAME, Y)
    assert_frame_equal(rows[:70], FRAME.reset_index(drop=True))
    assert rows.index.equals(pd.RangeIndex(120)) and len(labels) == 120
    assert (rows.dtypes == FRAME.dtypes).all()
    new = rows[70:]
    assert new["rooms"].between(1, 4).all() and new["floor"].between(0, 8).all()
    assert new["price"].between(FRAME["price"].min(), FRAME["price"].max()).all()


def test_polars_frames_keep_names_order_and_dtypes(make):
    schema = {"price": pl.Float64, "rooms": pl.Int8, "is_new": pl.Boolean, "size": pl.Float32}
    frame = pl.DataFrame({name: FRAME[name].to_numpy() for name in schema}, schema=schema)
    rows, labels = make().fit_resample(frame, Y)
    assert rows.schema == frame.schema and len(labels) == len(rows) == 120
    assert_polars_equal(rows[:70], frame)
    assert rows["rooms"][70:].is_between(1, 4).all()


@pytest.mark.parametrize("dtype", ["float16", "float32", "float64", "int64", "uint8", "bool"])
def test_arrays_keep_their_dtype(dtype, make):
    given = X > 0 if dtype == "bool" else (30 * np.abs(X)).astype(dtype)
    rows, _ = make().fit_resample(given, Y)
    assert rows.dtype == dtype and rows.shape == (120, 3)
    assert_array_equal(rows[:70], given)
    assert (rows >= given.min(axis=0)).all() and (rows <= given.max(axis=0)).all()


@pytest.mark.parametrize("dtype", ["int8", "int64", "uint8", "bool", "csr", "list"])
def test_whole_numbers_are_those_of_floats_rounded(dtype):
    whole = np.rint(np.abs(2 * X) if dtype == "uint8" else 2 * X)
    whole = whole > 0 if dtype == "bool" else whole.astype(int)
    makers = {"csr": sp.csr_array, "list": np.ndarray.tolist}
    rows, _ = resample(makers.get(dtype, lambda one: one.astype(dtype))(whole))
    floats, _ = resample(whole.astype(float))
    rows = rows.toarray() if dtype == "csr" else np.array(rows)
    assert rows.dtype == (int if dtype in makers else dtype)
    assert (floats[70:] != np.rint(floats[70:])).any()
    assert_array_equal(rows, np.rint(floats).astype(rows.dtype))


@pytest.mark.parametrize("dtype", ["int64", "uint64"])
def test_the_largest_integers_do_not_wrap_around(dtype):
    limits = np.iinfo(dtype)
    given = np.where(X > 0, *np.array([limits.max, limits.min], dtype=dtype))
    rows, _ = resample(given)
    assert rows.dtype == dtype
    assert_array_equal(rows[:70], given)
    np.testing.assert_allclose(rows.astype(float), resample(given.astype(float))[0], rtol=1e-15)


def test_lists_stay_lists(make):
    rows, labels = make().fit_resample(X.tolist(), Y.tolist())
    assert isinstance(rows, list) and isinstance(rows[-1], list) and rows[:70] == X.tolist()
    assert isinstance(labels, list) and labels[:70] == Y.tolist() and len(labels) == 120
    assert type(labels[-1]) is int and type(rows[-1][0]) is float


def test_lists_of_integers_get_integers():
    given = np.rint(X).astype(int).tolist()
    rows, _ = resample(given)
    assert rows[:70] == given and {type(entry) for row in rows for entry in row} == {int}


def test_given_samples_are_neither_changed_nor_shared(make):
    given, y = X.copy(), Y.copy()
    rows, labels = make().fit_resample(given, y)
    rows[:], labels[:] = 7, 7
    assert_array_equal(given, X)
    assert_array_equal(y, Y)


SPARSE = ["csr_array", "csc_array", "coo_array", "csr_matrix", "csc_matrix", "lil_matrix"]


@pytest.mark.parametrize("kind", SPARSE)
def test_sparse_rows_keep_their_kind(kind):
    given = getattr(sp, kind)(np.where(X > 0, X, 0).astype(np.float32))
    rows, _ = resample(given)
    assert type(rows) is type(given) and rows.dtype == np.float32 and rows.shape == (120, 3)
    assert_array_equal(rows.toarray()[:70], given.toarray())


@pytest.mark.parametrize("shape", [(8, 8), (1, 8, 8)], ids=["grey", "channels"])
def test_images_stay_images(shape):
    images = np.random.default_rng(0).uniform(size=(70, *shape)).astype(np.float32)
    rows, _ = resample(images, image_shape=shape)
    assert rows.shape == (120, *shape) and rows.dtype == np.float32
    assert_array_equal(rows[:70], images)
    assert_array_equal(
        rows.reshape(120, -1), resample(images.reshape(70, -1), image_shape=shape)[0]
    )


@pytest.mark.parametrize("columns", [[0, 1, 2], pd.MultiIndex.from_tuples(["ab", "cd", "ef"])])
def test_column_labels_of_any_kind_are_kept(columns, make):
    given = pd.DataFrame(X, columns=columns)
    rows, _ = make().fit_resample(given, Y)
    assert rows.columns.equals(given.columns)
    assert_array_equal(rows, make().fit_resample(X, Y)[0])


def test_sparse_columns_of_pandas_stay_such():
    given = pd.DataFrame(np.where(X > 0, X, 0), columns=list("abc"))
    given = given.astype(pd.SparseDtype("float64", 0.0))
    rows, _ = resample(given)
    assert (rows.dtypes == given.dtypes).all()
    assert_frame_equal(rows[:70], given)


@pytest.mark.parametrize("categories", [["a", "b"], ["1", "2"], [1, 2]], ids=str)
def test_categories_are_an_error(categories):
    frame = FRAME[["price"]].assign(kind=pd.Categorical(categories * 35))
    with pytest.raises(ValueError, match=r"could not convert|TabularGANSampler"):
        resample(frame)


# Containers of y ---------------------------------------------------------------------------

NAMES = np.array(["few", "more", "most"])[2 - Y]
SERIES = {
    "int": pd.Series(Y, name="t", index=np.arange(70) + 9),
    "int8": pd.Series(Y, dtype="int8"),
    "str": pd.Series(NAMES, name="t"),
    "object": pd.Series(NAMES, dtype=object),
    "categorical": pd.Series(pd.Categorical(NAMES, ["most", "more", "few", "none"]), name="t"),
    "bool": pd.Series(BINARY.astype(bool)),
    "float": pd.Series(Y.astype(float)),
    "Int64": pd.Series(Y, dtype="Int64"),
}


@pytest.mark.parametrize("name", SERIES)
def test_series_keep_their_name_and_dtype_and_get_a_new_index(name, make):
    y = SERIES[name]
    _, labels = make().fit_resample(X, y)
    assert_series_equal(labels[:70], y.reset_index(drop=True))
    assert labels.index.equals(pd.RangeIndex(len(labels)))
    assert labels.value_counts()[y.unique()].nunique() == 1


POLARS = {
    "int": pl.Series("t", Y, dtype=pl.Int8),
    "str": pl.Series("t", NAMES),
    "categorical": pl.Series("t", NAMES, dtype=pl.Categorical),
}


@pytest.mark.parametrize("name", POLARS)
def test_polars_series_stay_such(name, make):
    y = POLARS[name]
    _, labels = make().fit_resample(X, y)
    assert isinstance(labels, pl.Series) and labels.dtype == y.dtype and labels.name == "t"
    assert labels[:70].equals(y) and len(labels) == 120


@pytest.mark.parametrize("values", [Y, NAMES], ids=["int", "str"])
def test_dataframes_of_one_column_stay_such(values, make):
    y = pd.DataFrame({"t": values}, index=np.arange(70) + 9)
    _, labels = make().fit_resample(X, y)
    assert_frame_equal(labels[:70], y.reset_index(drop=True))
    assert labels["t"].value_counts().tolist() == [40, 40, 40]
    _, labels = make().fit_resample(X, pl.DataFrame({"t": values}))
    assert_polars_equal(labels[:70], pl.DataFrame({"t": values}))
    assert labels["t"].value_counts()["count"].to_list() == [40, 40, 40]


@pytest.mark.parametrize("dtype", ["int64", "U4", object])
def test_arrays_of_labels_keep_their_dtype(dtype, make):
    y = NAMES.astype(dtype) if dtype != "int64" else Y
    _, labels = make().fit_resample(X, y)
    assert labels.dtype == y.dtype and len(labels) == 120
    assert_array_equal(labels[:70], y)


def test_one_column_per_class_stays_such(make):
    y = np.eye(3, dtype=int)[Y]
    rows, labels = make().fit_resample(X, y)
    expected = SMOTE(k_neighbors=3, random_state=0).fit_resample(X, y)[1]
    assert labels.shape == expected.shape == (120, 3)
    assert_array_equal(labels[:70], y)
    assert labels.sum(axis=0).tolist() == [40, 40, 40] and set(labels.sum(axis=1)) == {1}
    assert_array_equal(rows[:70], X)


@pytest.mark.parametrize("container", [np.asarray, pd.DataFrame, pl.DataFrame, np.ndarray.tolist])
@pytest.mark.parametrize("y", [Y, BINARY], ids=["three", "two"])
def test_one_column_per_class_may_come_in_any_container(y, container, make):
    columns = np.eye(1 + y.max(), dtype=int)[y]
    _, labels = make().fit_resample(X, container(columns))
    assert type(labels) is type(container(columns))
    assert_array_equal(np.asarray(labels)[:70], columns)
    assert np.ptp(np.asarray(labels).sum(axis=0)) == 0


@pytest.mark.parametrize("missing", [np.nan, None, pd.NA], ids=str)
@pytest.mark.parametrize("method", ["fit", "fit_resample"])
def test_missing_labels_are_an_error(method, missing, make):
    values = [missing, *np.array(["no", "yes"])[BINARY[1:]]]
    for y in (pd.Series(values), pd.Series(values, dtype=object), np.array(values, dtype=object)):
        with pytest.raises(ValueError, match="y contains NaN"):
            getattr(make(), method)(X, y)
