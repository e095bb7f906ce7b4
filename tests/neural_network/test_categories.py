"""Categories of any type give the same results as strings in the same order."""

import datetime

import numpy as np
import pandas as pd
import polars as pl
import pytest
from sklearn.frozen import FrozenEstimator

from skdeep.neural_network import ResNetClassifier, ResNetRegressor

RNG = np.random.default_rng(0)
CODES = RNG.integers(0, 3, size=40)
NUMBERS = RNG.normal(size=40)
Y = ((CODES == 1) ^ (NUMBERS > 0)).astype(int)
LETTERS = np.array(["a", "b", "c"], dtype=object)
GONE = CODES == 2


def frame(kind):
    return pd.DataFrame({"number": NUMBERS[: len(kind)], "kind": kind})


def fit(X, **params):
    options = {"n_blocks": 1, "width": 8, "embedding_dim": 3, "max_epochs": 2, "lr": 0.01}
    options |= {"categorical_features": ["kind"], "device": "cpu", "random_state": 0, **params}
    return ResNetClassifier(**options).fit(X, Y[: len(X)])


def outputs(X, **params):
    return fit(X, **params).predict_proba(X)


@pytest.fixture(scope="module")
def expected():
    """Output of a net for three string categories."""
    return outputs(frame(LETTERS[CODES]))


@pytest.fixture(scope="module")
def expected_with_gaps():
    """Output of a net for two string categories and missing values."""
    return outputs(frame(np.where(GONE, None, LETTERS[CODES])))


def objects(values):
    """Array of objects, of tuples as well."""
    array = np.empty(len(values), dtype=object)
    array[:] = values
    return array


SORTED = {
    "ints": [1, 2, 10],
    "floats": [-1.0, 0.5, 2.5],
    "mixed": [3, "10", "2"],
    "upper case first": ["Z", "a", "ä"],
}


@pytest.mark.parametrize("categories", SORTED.values(), ids=SORTED)
@pytest.mark.parametrize("container", ["category", "object", "array"])
def test_categories_are_taken_in_order_numbers_before_strings(container, categories, expected):
    X = frame(objects(categories)[CODES])
    if container == "category":
        X = X.assign(kind=pd.Categorical(X["kind"], categories[::-1]))
    if container == "array":
        X = X.to_numpy(dtype=object)
    actual = outputs(X, categorical_features=[1])
    np.testing.assert_array_equal(actual, expected)


@pytest.mark.parametrize("missing", [None, np.nan, pd.NA, pd.NaT, np.float32("nan")], ids=repr)
@pytest.mark.parametrize("categories", [["a", "b"], [1, 2], [1.5, 2.5], [False, True]], ids=str)
def test_every_marker_of_a_missing_category_means_the_same(missing, categories, expected_with_gaps):
    X = frame(objects([*categories, missing])[CODES])
    np.testing.assert_array_equal(outputs(X), expected_with_gaps)


@pytest.mark.parametrize("text", ["nan", "NaT", "<NA>", "None", ""])
def test_strings_that_look_like_missing_values_are_categories(text):
    clf = fit(frame(objects([text, "other", None])[CODES]))
    known, new, gone = (clf.predict_proba(frame([one] * 40)) for one in (text, "new", None))
    assert (known != gone).any()
    np.testing.assert_array_equal(new, gone)


OTHER_KINDS = {
    "intervals": [pd.Interval(0, 1), pd.Interval(1, 2)],
    "times": list(pd.to_datetime(["2020-01-01", "2020-01-02"])),
    "dates": [datetime.date(2020, 1, 1), datetime.date(2020, 1, 2)],
    "durations": list(pd.to_timedelta(["1h", "2h"])),
    "tuples": [(1, 2), (3, 4)],
    "numbers of NumPy": [np.int8(1), np.float32(2)],
}


@pytest.mark.parametrize("categories", OTHER_KINDS.values(), ids=OTHER_KINDS)
def test_objects_of_other_kinds_are_categories_too(categories, expected_with_gaps):
    values = objects([*categories, None])[CODES]
    for kind in (values, pd.Categorical(values, pd.Index(objects(categories[::-1])))):
        np.testing.assert_array_equal(outputs(frame(kind)), expected_with_gaps)


@pytest.mark.parametrize("dtype", [pl.Categorical, pl.Enum(["c", "b", "a"])], ids=str)
def test_polars_categories_are_those_of_pandas(dtype, expected_with_gaps):
    kind = pl.Series(np.where(GONE, None, LETTERS[CODES]).tolist(), dtype=dtype)
    X = pl.DataFrame({"number": NUMBERS, "kind": kind})
    np.testing.assert_array_equal(outputs(X), expected_with_gaps)


def test_equal_numbers_of_other_types_are_the_same_category():
    clf = fit(frame(CODES))
    expected = clf.predict_proba(frame(CODES))
    for dtype in (float, np.uint8, np.float32, object, "category", "Int64"):
        same = clf.predict_proba(frame(pd.Series(CODES).astype(dtype)))
        np.testing.assert_array_equal(same, expected)


def test_numbers_beside_categories_are_those_of_an_array():
    counts = np.where(NUMBERS > 1, np.nan, np.arange(40))
    X = frame(pd.Categorical(LETTERS[CODES])).assign(count=pd.array(counts, dtype="Int64"))
    rows = np.column_stack([NUMBERS, CODES, counts])
    expected = outputs(rows, missing="indicator", categorical_features=[1])
    np.testing.assert_array_equal(outputs(X, missing="indicator"), expected)
    with pytest.raises(ValueError, match="X contains NaN"):
        fit(X)


def continue_by_partial_fit(net, X, y):
    for _ in range(100):
        net.partial_fit(X, y)
    return net


def continue_by_warm_start(net, X, y):
    return net.set_params(warm_start=True, max_epochs=100).fit(X, y)


def continue_by_fine_tuning(net, X, y):
    return ResNetRegressor(
        max_epochs=100, early_stopping=False, pretrained=FrozenEstimator(net), random_state=0
    ).fit(X, y)


@pytest.mark.parametrize("unknown", [None, "z"])
@pytest.mark.parametrize(
    "train_again", [continue_by_partial_fit, continue_by_warm_start, continue_by_fine_tuning]
)
def test_categories_that_first_are_missing_or_unknown_later_are_learned(train_again, unknown):
    kinds = np.tile(LETTERS[:2], 32)
    net = ResNetRegressor(width=32, max_epochs=1, categorical_features=[0], random_state=0)
    net.fit(pd.DataFrame({"kind": kinds}), np.tile([0.0, 1.0], 32))
    kinds = np.tile(np.array(["a", "b", unknown], dtype=object), 32)
    X, y = pd.DataFrame({"kind": kinds}), np.tile([0.0, 1.0, 2.0], 32)
    found = train_again(net, X, y).predict(X[:3])
    np.testing.assert_allclose(found, y[:3], atol=0.2)
