"""Columns of strings in dataframes are categories."""

import pickle

import numpy as np
import pandas as pd
import polars as pl
import pytest

from skdeep.model_selection import BatchedGridSearchCV
from skdeep.neural_network import ResNetClassifier, ResNetRegressor

RNG = np.random.default_rng(0)
NUMBERS = RNG.normal(size=120)
KIND = np.array(["x", "y", "z"])[RNG.integers(0, 3, size=120)].astype(object)
GAPS = np.where(RNG.random(120) < 0.2, None, KIND)
Y = ((KIND == "x") ^ (NUMBERS > 0.5)).astype(int)
PANDAS = ["str", "string", "string[python]", object, "category"]
# in pandas 2, "str" is object, which also holds other values
STRINGS = [name for name in PANDAS if isinstance(pd.Series([], dtype=name).dtype, pd.StringDtype)]


def small(Class=ResNetClassifier, **parameters):
    defaults = {"n_blocks": 1, "width": 16, "max_epochs": 5, "embedding_dim": 4}
    defaults |= {"norm": "batch", "numerical_embedding": None, "early_stopping": False}
    defaults |= {"lr": 1e-3, "weight_decay": 1e-5, "device": "cpu", "random_state": 0}
    return Class(**{**defaults, **parameters})


def pandas_frame(dtype, kind):
    return pd.DataFrame({"a": NUMBERS, "kind": pd.Series(kind, dtype=dtype)})


def polars_frame(dtype, kind):
    return pl.DataFrame({"a": NUMBERS, "kind": pl.Series(list(kind), dtype=dtype)})


@pytest.mark.parametrize("kind", [KIND, GAPS], ids=["full", "gaps"])
@pytest.mark.parametrize("Class", [ResNetClassifier, ResNetRegressor])
def test_strings_are_categories_whatever_their_dtype(Class, kind):
    expected = small(Class).fit(pandas_frame("category", kind), Y)
    outputs = expected.predict(pandas_frame("category", kind))
    rows = [pandas_frame(dtype, kind) for dtype in PANDAS]
    rows += [polars_frame(dtype, kind) for dtype in (pl.String, pl.Categorical)]
    for one in rows:
        net = small(Class).fit(one, Y)
        np.testing.assert_array_equal(net.is_categorical_, [False, True])
        for other in rows:
            if isinstance(other, type(one)):
                np.testing.assert_array_equal(net.predict(other), outputs)


@pytest.mark.parametrize(
    "rows",
    [
        *(pandas_frame(dtype, [None] * 120) for dtype in STRINGS),
        polars_frame(pl.String, [None] * 120),
    ],
    ids=[*STRINGS, "polars"],
)
def test_column_of_strings_that_are_all_missing_holds_categories(rows):
    clf = small().fit(rows, Y)
    np.testing.assert_array_equal(clf.is_categorical_, [False, True])
    assert np.isfinite(clf.predict_proba(rows)).all()


def test_strings_are_learned():
    rows = pandas_frame("str", KIND)
    clf = small(max_epochs=60, lr=0.01).fit(rows, Y)
    assert clf.score(rows, Y) > 0.95
    again = pickle.loads(pickle.dumps(clf))
    np.testing.assert_array_equal(again.predict_proba(rows), clf.predict_proba(rows))


def test_new_and_missing_strings_are_the_same_and_no_error():
    clf = small().fit(pandas_frame("str", KIND), Y)
    new, gone = (clf.predict_proba(pandas_frame("str", [value] * 120)) for value in ("w", None))
    np.testing.assert_array_equal(new, gone)


def test_dtype_may_change_after_fit_but_numbers_must_not_become_strings():
    clf = small().fit(pandas_frame("str", KIND), Y)
    swapped = pandas_frame("str", KIND).assign(a=KIND)
    with pytest.raises(ValueError, match=r"must be numeric; got the string '.' in column 'a'"):
        clf.predict(swapped)


@pytest.mark.parametrize("value", [1, 2.5, b"x", {}, pd.Timestamp("2020")], ids=repr)
def test_strings_beside_other_things_are_no_categories(value):
    mixed = KIND.copy()
    mixed[-1] = value
    with pytest.raises((TypeError, ValueError), match=r"must be numeric; got .*column 'kind'"):
        small().fit(pandas_frame(object, mixed), Y)


@pytest.mark.parametrize(
    "make", [lambda s: pd.DataFrame({"n": s}), lambda s: pl.DataFrame({"n": s})]
)
def test_names_and_free_text_are_refused_unless_they_are_declared_categories(make):
    names = [f"name {number}" for number in range(120)]
    with pytest.raises(ValueError, match="got 120 different strings in 120 rows of column 'n'"):
        small().fit(make(names), Y)
    small(categorical_features=["n"]).fit(make(names), Y)
    declared = make(names)
    dtype = pl.Categorical if isinstance(declared, pl.DataFrame) else "category"
    declared = declared.cast(dtype) if dtype is pl.Categorical else declared.astype(dtype)
    assert small().fit(declared, Y).is_categorical_.all()
    shared = [f"name {number // 2}" for number in range(120)]
    assert small().fit(make(shared), Y).is_categorical_.all()
    assert small().fit(make(names[:12]), Y[:12]).is_categorical_.all()  # too few to say


def test_batched_search_takes_strings():
    rows = pandas_frame("str", KIND)
    search = BatchedGridSearchCV(small(), {"lr": [1e-3, 1e-2]}, cv=2).fit(rows, Y)
    assert search.predict(rows).shape == (120,)


@pytest.mark.parametrize(
    "trained, new, message",
    [
        (KIND, np.ones(120), "'kind' must be strings, as in training; got only numbers, 1.0"),
        (np.arange(120) % 3, KIND, "'kind' must be numbers, as in training; got only strings"),
    ],
    ids=["numbers", "strings"],
)
def test_a_column_that_changes_between_strings_and_numbers_is_refused(trained, new, message):
    clf = small().fit(pandas_frame("category", trained), Y)
    with pytest.raises(ValueError, match=message):
        clf.predict(pandas_frame("category", new))


def test_a_column_of_missing_and_unknown_strings_is_not_refused():
    clf = small().fit(pandas_frame("str", KIND), Y)
    unknown = np.where(NUMBERS > 0, "new", None)
    assert len(clf.predict(pandas_frame(object, unknown))) == 120
    assert len(clf.predict(pandas_frame(object, np.full(120, None)))) == 120
