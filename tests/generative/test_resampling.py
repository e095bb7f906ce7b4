"""fit_resample beside imbalanced-learn's SMOTE, in its pipelines and in searches."""

import random

import numpy as np
import pandas as pd
import polars as pl
import pytest
import scipy.sparse as sp
import torch
from imblearn.over_sampling import SMOTE
from imblearn.pipeline import make_pipeline
from numpy.testing import assert_array_equal
from pandas.testing import assert_frame_equal, assert_series_equal
from polars.testing import assert_frame_equal as assert_polars_equal
from sklearn.compose import make_column_transformer
from sklearn.datasets import make_classification
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV, cross_val_score
from sklearn.preprocessing import OneHotEncoder, StandardScaler

from skdeep.generative import GANSampler, TabularGANSampler

pytestmark = pytest.mark.filterwarnings("ignore::skdeep.exceptions.ModeCollapseWarning")

RNG = np.random.default_rng(0)
X = RNG.normal(size=(70, 3))
Y = np.repeat([0, 1, 2], [40, 20, 10])
BINARY = np.repeat([0, 1], [50, 20])
STRATEGIES = {
    "auto": "auto",
    "minority": "minority",
    "not minority": "not minority",
    "not majority": "not majority",
    "all": "all",
    "dict": {1: 30, 2: 10},
    "empty dict": {},
    "callable": lambda y: {2: int(np.sum(y == 0))},
}


@pytest.fixture(params=[GANSampler, TabularGANSampler], ids=lambda cls: cls.__name__)
def make(request):
    """Function that makes a small sampler of either kind."""

    def make(sampling_strategy="auto", **params):
        base = {"latent_dim": 4, "hidden_layer_sizes": (8,), "batch_size": 30, "max_epochs": 1}
        base |= {"device": "cpu", "random_state": 0}
        base |= {"n_modes": 2, "pac": 10} if request.param is TabularGANSampler else {}
        return request.param(sampling_strategy, **{**base, **params})

    return make


def small_gan(sampling_strategy="auto", **params):
    base = {"latent_dim": 4, "hidden_layer_sizes": (8,), "batch_size": 30, "max_epochs": 1}
    return GANSampler(sampling_strategy, **{**base, "device": "cpu", "random_state": 0, **params})


def smote_counts(sampling_strategy, y):
    smote = SMOTE(sampling_strategy=sampling_strategy, k_neighbors=3, random_state=0)
    return np.unique(smote.fit_resample(X, y)[1], return_counts=True)


# Which rows --------------------------------------------------------------------------------


@pytest.mark.parametrize("name", STRATEGIES)
def test_classes_have_the_sizes_that_smote_gives_them(name, make):
    rows, labels = make(STRATEGIES[name]).fit_resample(X, Y)
    for actual, expected in zip(
        np.unique(labels, return_counts=True), smote_counts(STRATEGIES[name], Y), strict=True
    ):
        assert_array_equal(actual, expected)
    assert len(rows) == len(labels)
    assert_array_equal(rows[:70], X, strict=True)
    assert_array_equal(labels[:70], Y, strict=True)


def test_a_float_is_the_ratio_that_smote_gives(make):
    rows, labels = make(0.7).fit_resample(X, BINARY)
    assert_array_equal(np.bincount(labels), smote_counts(0.7, BINARY)[1])
    assert len(rows) == 85


def test_new_rows_lie_within_the_bounds_of_training(make):
    rows, _ = make().fit_resample(X, Y)
    assert (rows.min(axis=0) >= X.min(axis=0)).all()
    assert (rows.max(axis=0) <= X.max(axis=0)).all()
    assert len(np.unique(rows, axis=0)) == len(rows)  # no copies


def test_two_calls_give_the_same(make):
    sampler = make()
    before = global_states()
    (rows, labels), (again, same_labels) = (sampler.fit_resample(X, Y) for _ in range(2))
    assert_array_equal(rows, again)
    assert_array_equal(labels, same_labels)
    other, _ = make(random_state=1).fit_resample(X, Y)
    assert (other[70:] != rows[70:]).any()
    assert global_states() == before


def global_states():
    keys = np.random.get_state()[1].tolist()  # noqa: NPY002
    return random.getstate(), keys, torch.get_rng_state().tolist()


def test_the_plan_is_an_attribute_and_the_fit_stays(make):
    sampler = make()
    sampler.fit_resample(X, Y)
    assert dict(sampler.sampling_strategy_) == {1: 20, 2: 30}
    assert sampler.classes_.tolist() == [0, 1, 2] and len(sampler.sample(3, 1)[0]) == 3


def test_balanced_data_come_back_as_they_are(make):
    y = np.arange(70) % 2
    rows, labels = make().fit_resample(X, y)
    assert_array_equal(rows, X)
    assert_array_equal(labels, y)


def test_one_class_cannot_be_balanced(make):
    with pytest.raises(ValueError, match="more than 1 class"):
        make().fit_resample(X, np.zeros(70))


@pytest.mark.parametrize("strategy", ["nonsense", 0.0, 1.5, 3])
def test_strategies_that_are_none_are_an_error(strategy, make):
    with pytest.raises(ValueError, match="sampling_strategy"):
        make(strategy).fit_resample(X, BINARY)


@pytest.mark.parametrize("strategy", [{0: 10}, {7: 50}], ids=["fewer than there are", "unknown"])
def test_sizes_that_no_class_can_have_are_an_error(strategy, make):
    with pytest.raises(ValueError, match=r"should be greater|target class"):
        make(strategy).fit_resample(X, Y)


def test_numbers_to_predict_are_an_error(make):
    with pytest.raises(ValueError, match="Unknown label type"):
        make().fit_resample(X, X[:, 0])


# Containers of X ---------------------------------------------------------------------------

FRAME = pd.DataFrame(
    {
        "price": X[:, 0],
        "rooms": RNG.integers(1, 5, size=70),
        "is_new": RNG.uniform(size=70) < 0.5,
        "size": X[:, 1].astype(np.float32),
        "floor": pd.array(RNG.integers(0, 9, size=70), dtype="Int16"),
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


@pytest.mark.parametrize("dtype", ["float32", "float64", "int64", "int8", "bool"])
def test_arrays_keep_their_dtype(dtype, make):
    given = X > 0 if dtype == "bool" else (5 * X).astype(dtype)
    rows, _ = make().fit_resample(given, Y)
    assert rows.dtype == dtype and rows.shape == (120, 3)
    assert_array_equal(rows[:70], given)
    assert (rows >= given.min(axis=0)).all() and (rows <= given.max(axis=0)).all()


def test_lists_stay_lists(make):
    rows, labels = make().fit_resample(X.tolist(), Y.tolist())
    assert isinstance(rows, list) and isinstance(rows[-1], list) and rows[:70] == X.tolist()
    assert isinstance(labels, list) and labels[:70] == Y.tolist() and len(labels) == 120


@pytest.mark.parametrize("kind", [sp.csr_matrix, sp.csc_matrix, sp.csr_array, sp.csc_array])
def test_sparse_rows_keep_their_kind(kind):
    given = kind(np.where(X > 0, X, 0).astype(np.float32))
    rows, _ = small_gan().fit_resample(given, Y)
    assert type(rows) is kind and rows.dtype == np.float32 and rows.shape == (120, 3)
    assert_array_equal(rows.toarray()[:70], given.toarray())


def test_images_stay_images():
    images = np.random.default_rng(0).uniform(size=(70, 8, 8)).astype(np.float32)
    rows, _ = small_gan(image_shape=(8, 8)).fit_resample(images, Y)
    assert rows.shape == (120, 8, 8) and rows.dtype == np.float32
    assert_array_equal(rows[:70], images)


@pytest.mark.parametrize("categories", [["a", "b"], ["1", "2"], [1, 2]], ids=str)
def test_categories_are_an_error(categories):
    frame = FRAME[["price"]].assign(kind=pd.Categorical(categories * 35))
    with pytest.raises(ValueError, match=r"could not convert|TabularGANSampler"):
        small_gan().fit_resample(frame, Y)


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
}


@pytest.mark.parametrize("name", SERIES)
def test_series_keep_their_name_and_dtype_and_get_a_new_index(name, make):
    y = SERIES[name]
    _, labels = make().fit_resample(X, y)
    assert_series_equal(labels[:70], y.reset_index(drop=True))
    assert labels.index.equals(pd.RangeIndex(len(labels)))
    assert labels.value_counts()[y.unique()].nunique() == 1


@pytest.mark.parametrize("values", [Y, NAMES], ids=["int", "str"])
def test_polars_series_stay_such(values, make):
    y = pl.Series("t", values)
    _, labels = make().fit_resample(X, y)
    assert isinstance(labels, pl.Series) and labels.dtype == y.dtype and labels.name == "t"
    assert labels[:70].equals(y) and len(labels) == 120


@pytest.mark.parametrize("values", [Y, NAMES], ids=["int", "str"])
def test_dataframes_of_one_column_stay_such(values, make):
    y = pd.DataFrame({"t": values}, index=np.arange(70) + 9)
    _, labels = make().fit_resample(X, y)
    assert_frame_equal(labels[:70], y.reset_index(drop=True))
    assert labels["t"].value_counts().tolist() == [40, 40, 40]


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


# Pipelines ---------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def imbalanced():
    return make_classification(200, 5, weights=[0.85], class_sep=2, random_state=0)


def test_pipelines_of_imbalanced_learn_and_searches_take_it(imbalanced):
    X, y = imbalanced
    pipe = make_pipeline(
        StandardScaler(), small_gan("minority", max_epochs=2), LogisticRegression()
    )
    assert pipe.fit(X, y).score(X, y) > 0.7
    assert pipe.predict(X[:3]).shape == (3,)
    search = GridSearchCV(pipe, {"gansampler__lr": [1e-4, 1e-3]}, cv=2, error_score="raise")
    search.fit(X, y)
    assert set(search.best_params_) == {"gansampler__lr"} and search.best_score_ > 0.7


def test_pipelines_of_mixed_frames_take_the_tabular_sampler(imbalanced):
    X, y = imbalanced
    frame = pd.DataFrame(X, columns=list("abcde"))
    frame["kind"] = pd.Categorical(np.where(X[:, 0] > 0, "up", "down"))
    frame["word"] = np.where(X[:, 1] > 0, "long", "short")
    encode = make_column_transformer(
        (OneHotEncoder(), ["kind", "word"]), remainder=StandardScaler()
    )
    sampler = TabularGANSampler(
        "minority",
        hidden_layer_sizes=(16,),
        latent_dim=8,
        batch_size=50,
        max_epochs=2,
        pac=5,
        n_modes=3,
        device="cpu",
        random_state=0,
    )
    pipe = make_pipeline(sampler, encode, LogisticRegression())
    scores = cross_val_score(pipe, frame, y, cv=2, error_score="raise")
    assert scores.shape == (2,) and scores.mean() > 0.7
    resampled, labels = sampler.fit_resample(frame, pd.Series(y, name="t"))
    assert_frame_equal(resampled[:200], frame)
    assert (resampled.dtypes == frame.dtypes).all() and labels.name == "t"
    assert set(resampled["kind"]) == {"up", "down"} == set(frame["kind"])
    assert set(resampled["word"]) == {"long", "short"}
