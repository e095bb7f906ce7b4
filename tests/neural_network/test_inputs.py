"""Inputs of residual nets: dataframes, categories, missing values, scaling."""

import pickle

import numpy as np
import pandas as pd
import polars as pl
import pytest
import skops.io
from sklearn.datasets import load_diabetes
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.impute import SimpleImputer
from sklearn.preprocessing import StandardScaler

from skdeep.neural_network import ResNetClassifier, ResNetRegressor

RNG = np.random.default_rng(0)
NUMBERS = RNG.normal(size=(120, 3))
KIND = np.array(["x", "y", "z"])[RNG.integers(0, 3, size=120)]
SIZE = np.array(["l", "m"])[RNG.integers(0, 2, size=120)]
Y = ((KIND == "x") ^ (NUMBERS[:, 0] > 0.5)).astype(int)
X, TARGET = (part[:150] for part in load_diabetes(return_X_y=True))


def small(Class=ResNetClassifier, **parameters):
    """Fast net."""
    defaults = {"n_blocks": 1, "width": 16, "max_epochs": 3, "embedding_dim": 4}
    defaults |= {"norm": "batch", "numerical_embedding": None, "early_stopping": False}
    defaults |= {"lr": 1e-3, "weight_decay": 1e-5, "device": "cpu", "random_state": 0}
    return Class(**{**defaults, **parameters})


def frame(kind=KIND, size=SIZE):
    """Two numbers and two categories."""
    kind = pd.Categorical(kind) if isinstance(kind, np.ndarray) else kind
    columns = {"a": NUMBERS[:, 0], "kind": kind, "b": NUMBERS[:, 1], "size": pd.Categorical(size)}
    return pd.DataFrame(columns)


def polars_frame(dtype=pl.Categorical, kind=KIND):
    kind, size = (pl.Series(list(values), dtype=dtype) for values in (kind, SIZE))
    return pl.DataFrame({"a": NUMBERS[:, 0], "kind": kind, "b": NUMBERS[:, 1], "size": size})


@pytest.fixture(scope="module")
def fitted():
    return small(max_epochs=20).fit(frame(), Y)


@pytest.fixture(scope="module")
def expected(fitted):
    return fitted.predict_proba(frame())


# Which columns are categories --------------------------------------------------------------


def test_categories_are_learned(fitted):
    clf = small(max_epochs=60, lr=0.01).fit(frame(), Y)
    assert clf.score(frame(), Y) > 0.95
    # nothing else in the rows tells what the categories tell
    blind = small(max_epochs=60, lr=0.01).fit(frame(np.full(120, "x")), Y)
    assert blind.score(frame(np.full(120, "x")), Y) < 0.85
    np.testing.assert_array_equal(fitted.is_categorical_, [False, True, False, True])


OBJECTS = frame().to_numpy(dtype=object)
CONTAINERS = {
    "mask": (frame(), [False, True, False, True]),
    "indices": (frame(), [1, 3]),
    "indices in another order": (frame(), np.array([3, 1])),
    "names": (frame(), ["kind", "size"]),
    "names of objects": (frame().astype({"kind": object, "size": object}), ["kind", "size"]),
    "names of strings": (frame().astype({"kind": "str", "size": "str"}), ["size", "kind"]),
    "object array": (OBJECTS, [1, 3]),
    "list": (OBJECTS.tolist(), [1, 3]),
    "polars": (polars_frame(), "from_dtype"),
    "polars Enum": (polars_frame(pl.Enum(["z", "y", "x", "m", "l"])), "from_dtype"),
    "polars strings by name": (polars_frame(pl.String), ["kind", "size"]),
}


@pytest.mark.parametrize("rows, categorical", CONTAINERS.values(), ids=CONTAINERS)
def test_categories_may_be_named_in_many_ways(rows, categorical, expected):
    clf = small(max_epochs=20, categorical_features=categorical).fit(rows, Y)
    np.testing.assert_array_equal(clf.is_categorical_, [False, True, False, True])
    np.testing.assert_array_equal(clf.predict_proba(rows), expected)


MIXED = frame().assign(flag=NUMBERS[:, 2] > 0, count=np.arange(120))


@pytest.mark.parametrize("categorical", ["from_dtype", [1, 3], ["kind", "size", "count"]], ids=str)
def test_the_same_columns_are_categories_as_for_boosted_trees(categorical):
    clf = small(categorical_features=categorical).fit(MIXED, Y)
    trees = HistGradientBoostingClassifier(categorical_features=categorical, max_iter=1)
    trees.fit(MIXED, Y)
    np.testing.assert_array_equal(clf.is_categorical_, trees.is_categorical_)


def test_a_data_frame_without_categories_has_none():
    clf = small().fit(frame()[["a", "b"]], Y)
    assert clf.is_categorical_ is None
    assert small().fit(NUMBERS, Y).is_categorical_ is None


@pytest.mark.parametrize(
    "make", [pd.DataFrame, pl.DataFrame, lambda c: np.array(list(c.values())).T]
)
def test_rows_may_hold_categories_only(make):
    dtype = {pd.DataFrame: "category", pl.DataFrame: pl.Categorical}.get(make)
    columns = {"kind": KIND, "size": SIZE}
    if make is pd.DataFrame:
        rows = make(columns).astype(dtype)
    elif make is pl.DataFrame:
        rows = make(columns, schema_overrides=dict.fromkeys(columns, dtype))
    else:
        rows = make(columns)
    clf = small(max_epochs=50, lr=0.01, categorical_features=[0, 1]).fit(rows, KIND == "x")
    assert clf.score(rows, KIND == "x") == 1.0


# Categories at predict ---------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["x", "z"])
def test_order_and_declaration_of_categories_do_not_matter(kind, fitted, expected):
    moved = frame(pd.Categorical(KIND, categories=["z", "w", "y", "x"], ordered=True))
    np.testing.assert_array_equal(fitted.predict_proba(moved), expected)
    alone = moved[KIND == kind]
    alone = alone.assign(kind=alone["kind"].cat.remove_unused_categories())
    np.testing.assert_array_equal(fitted.predict_proba(alone), expected[KIND == kind])
    np.testing.assert_array_equal(fitted.predict_proba(moved.astype({"kind": str})), expected)


def test_columns_in_another_order_are_refused(fitted):
    with pytest.raises(ValueError, match="feature names should match"):
        fitted.predict(frame()[["kind", "a", "b", "size"]])
    with pytest.raises(ValueError, match="feature names should match"):
        fitted.predict(frame().rename(columns={"kind": "sort"}))


def test_unseen_and_missing_categories_are_the_same_and_no_error(fitted, expected):
    outputs = [
        fitted.predict_proba(frame(pd.Categorical(values, categories=declared)))
        for values, declared in [
            (["new"] * 120, ["new"]),
            ([None] * 120, ["x", "y", "z"]),
            ([np.nan] * 120, ["other"]),
            (["w"] * 120, ["w", "x"]),
        ]
    ]
    outputs.append(fitted.predict_proba(frame(pd.Series([None] * 120, dtype=object))))
    for output in outputs:
        np.testing.assert_array_equal(output, outputs[0])
    assert np.isfinite(outputs[0]).all()
    assert not np.array_equal(outputs[0], expected)


@pytest.mark.parametrize(
    "dtype", [pl.Categorical, pl.Enum(["new", "x", "y", "z", "l", "m"])], ids=str
)
def test_unseen_and_missing_categories_of_polars(dtype, fitted):
    reference = fitted.predict_proba(frame(pd.Categorical([None] * 120)))
    clf = small(max_epochs=20).fit(polars_frame(), Y)
    for values in (["new"] * 120, [None] * 120):
        np.testing.assert_array_equal(clf.predict_proba(polars_frame(dtype, values)), reference)


def test_categories_that_are_missing_in_training_have_a_meaning_of_their_own():
    kind = KIND.astype(object)
    kind[KIND == "x"] = None
    rows = frame(pd.Categorical(kind))
    clf = small(max_epochs=60, lr=0.01).fit(rows, KIND == "x")
    assert clf.score(rows, KIND == "x") == 1.0


DAYS = pd.Series(np.where(KIND == "x", "2020-01-01", "2021-01-01")).astype("datetime64[s]")
STEPS = pd.Series(np.select([KIND == "x", KIND == "y"], [0.5, 1.5], 2.5))
OTHER_KINDS = {
    "ints": pd.Categorical((KIND == "x") + 2 * (KIND == "y")),
    "floats": pd.Categorical(-STEPS),
    "booleans": pd.Categorical(KIND == "x"),
    "cut": pd.cut(STEPS, [0, 1, 2, 3]),
    "dates": pd.Categorical(DAYS),
}


@pytest.mark.parametrize("kind", OTHER_KINDS.values(), ids=OTHER_KINDS)
def test_categories_need_not_be_strings(kind):
    clf = small(max_epochs=60, lr=0.01).fit(frame(kind), KIND == "x")
    assert clf.score(frame(kind), KIND == "x") == 1.0
    again = pickle.loads(pickle.dumps(clf))
    np.testing.assert_array_equal(again.predict_proba(frame(kind)), clf.predict_proba(frame(kind)))


def test_category_of_rows_without_weight_is_as_good_as_unseen():
    weight = (KIND != "z").astype(float)
    clf = small(max_epochs=20).fit(frame(), Y, sample_weight=weight)
    without = small(max_epochs=20).fit(frame()[KIND != "z"], Y[KIND != "z"])
    np.testing.assert_allclose(
        clf.predict_proba(frame()), without.predict_proba(frame()), rtol=1e-5
    )
    unseen = frame(pd.Categorical(["new"] * 120))
    as_z = frame(pd.Categorical(["z"] * 120))
    np.testing.assert_array_equal(clf.predict_proba(as_z), clf.predict_proba(unseen))


@pytest.mark.parametrize("kind", [KIND, *OTHER_KINDS.values()], ids=["strings", *OTHER_KINDS])
def test_model_with_categories_survives_skops(kind):
    clf = small().fit(frame(kind), Y)
    data = skops.io.dumps(clf)
    unknown = skops.io.get_untrusted_types(data=data)
    assert all(name.startswith("skdeep.") for name in unknown)
    again = skops.io.loads(data, trusted=unknown)
    np.testing.assert_array_equal(again.predict_proba(frame(kind)), clf.predict_proba(frame(kind)))


# Invalid samples ---------------------------------------------------------------------------


@pytest.mark.parametrize("rows", [OBJECTS, OBJECTS[:, [1, 3]].astype(str), OBJECTS.tolist()])
def test_strings_in_arrays_are_refused_with_a_remedy(rows):
    with pytest.raises(ValueError, match=r"got the string '.' in column .*categorical_features"):
        small().fit(rows, Y)


@pytest.mark.parametrize("rows", [frame(), frame().astype({"kind": str}), polars_frame(pl.String)])
def test_categories_that_the_user_switched_off_are_refused_as_strings(rows):
    with pytest.raises(ValueError, match=r"'kind'.*categorical_features"):
        small(categorical_features=None).fit(rows, Y)


@pytest.mark.parametrize(
    "categorical, match",
    [
        (["nose"], "nose"),
        ([9], "indices"),
        ([True], "mask"),
        ([0.5], "int"),
        (["kind", "size", "kind"], r"once; got \['kind'\] more than once. Remove"),
        (np.array([3, 1, 1, 3]), r"once; got \[1, 3\] more than once. Remove"),
        (["kind", 1], "'1' which is not a valid feature name"),
    ],
    ids=str,
)
def test_wrong_names_and_indices_of_categories_are_refused(categorical, match):
    with pytest.raises(ValueError, match=match):
        small(categorical_features=categorical).fit(frame(), Y)


# Missing numbers ---------------------------------------------------------------------------

GAPS = X.copy()
GAPS[RNG.uniform(size=GAPS.shape) < 0.2] = np.nan
GAPS[:, 4] = X[:, 4]


@pytest.mark.parametrize("kind", [None, "standard"])
def test_indicator_is_imputer_and_scaler_by_hand(kind):
    # the order of rows, and with it what dropout strikes, depends on their last digits
    options = {"feature_scaling": kind, "max_epochs": 10, "norm": "layer", "dropout": 0.0}
    net = small(ResNetRegressor, missing="indicator", **options).fit(GAPS, TARGET)
    imputer = SimpleImputer(add_indicator=True).fit(GAPS)
    rows = imputer.transform(GAPS)
    if kind == "standard":
        rows[:, :10] = StandardScaler().fit_transform(rows[:, :10])
    by_hand = small(ResNetRegressor, **{**options, "feature_scaling": None}).fit(rows, TARGET)
    np.testing.assert_allclose(net.predict(GAPS), by_hand.predict(rows), rtol=1e-4)
    np.testing.assert_allclose(net.loss_curve_, by_hand.loss_curve_, rtol=1e-5)


@pytest.mark.parametrize("batch_size", [32, 1000])
@pytest.mark.parametrize("kind", [None, "global", "standard", "quantile"])
def test_what_is_missing_can_be_learned(kind, batch_size):
    gaps = np.isnan(GAPS[:, 0])
    options = {"max_epochs": 40, "lr": 0.01, "missing": "indicator"}
    clf = small(feature_scaling=kind, batch_size=batch_size, **options).fit(GAPS, gaps)
    assert clf.score(GAPS, gaps) > 0.97


def test_numbers_missing_at_predict_only_count_as_the_mean():
    reg = small(ResNetRegressor, missing="indicator", feature_scaling="standard").fit(X, TARGET)
    rows = X[:5].copy()
    rows[:, 3] = X[:, 3].mean()
    new = rows.copy()
    new[:, 3] = np.nan
    np.testing.assert_allclose(reg.predict(new), reg.predict(rows), rtol=1e-5)


@pytest.mark.parametrize("weight", [1.0, 5.0])
def test_values_beside_a_very_frequent_one_are_told_apart(weight):
    # most of the weight is on zero, so that few quantiles lie between the other values
    rng = np.random.default_rng(0)
    x = np.where(rng.random(1600) < 0.9, 0, rng.uniform(size=1600))
    rows, target = x[:, np.newaxis], np.floor(8 * x) % 2
    reg = ResNetRegressor(early_stopping=False, device="cpu", random_state=0)
    reg.fit(rows[:800], target[:800], np.where(x == 0, weight, 1.0)[:800])
    rare = np.flatnonzero(x[800:]) + 800
    assert reg.score(rows[rare], target[rare]) > 0.5


@pytest.mark.parametrize("kind", [None, "global", "standard", "quantile"])
@pytest.mark.parametrize("embedding", [None, "periodic", "piecewise-linear"])
def test_a_column_that_misses_everything_does_no_harm(embedding, kind):
    rows = X.copy()
    rows[:, 2] = np.nan
    options = {"missing": "indicator", "feature_scaling": kind, "numerical_embedding": embedding}
    reg = small(ResNetRegressor, **options).fit(rows, TARGET)
    assert np.isfinite(reg.predict(rows)).all() and np.isfinite(reg.predict(X)).all()


@pytest.mark.parametrize("with_category", [False, True])
def test_nullable_columns_hold_missing_numbers(with_category):
    gaps = pd.DataFrame(np.round(100 * GAPS), columns=list("abcdefghij"))
    nullable = gaps.astype({"a": "Int64", "b": "Float64", "c": "Int32"})
    polars = pl.DataFrame({name: [None if v != v else v for v in gaps[name]] for name in gaps})
    frames = [gaps, nullable, polars]
    if with_category:
        kind = ["u", "v", "w"] * 50
        frames[:2] = [one.assign(kind=pd.Categorical(kind)) for one in frames[:2]]
        frames[2] = polars.with_columns(pl.Series("kind", kind, dtype=pl.Categorical))
    first, *others = (
        small(ResNetRegressor, missing="indicator").fit(one, TARGET).predict(one) for one in frames
    )
    for predictions in others:
        np.testing.assert_array_equal(predictions, first)
    for one in frames:
        with pytest.raises(ValueError, match="contains NaN"):
            small(ResNetRegressor).fit(one, TARGET)


def test_missing_numbers_are_refused_by_default_with_a_remedy():
    with pytest.raises(ValueError, match=r"contains NaN(.|\n)*missing=.indicator."):
        small(ResNetRegressor).fit(GAPS, TARGET)
    reg = small(ResNetRegressor).fit(X, TARGET)
    with pytest.raises(ValueError, match="contains NaN"):
        reg.predict(GAPS)
    infinite = np.where(np.isnan(GAPS), np.inf, GAPS)
    with pytest.raises(ValueError, match="contains infinity"):
        small(ResNetRegressor, missing="indicator").fit(infinite, TARGET)
