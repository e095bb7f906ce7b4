"""ONNX graphs of ``AutoencoderImputer``, alone and in pipelines."""

import numpy as np
import pandas as pd
import pytest
from onnx_results import assert_same_results, classifier, imputer, run, with_gaps
from sklearn.compose import make_column_transformer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline, make_union
from sklearn.preprocessing import OneHotEncoder, StandardScaler

from skdeep.persistence import to_onnx

NUMBERS = list("abcdef")
Y = np.array(["no", "yes"])[np.arange(1000) % 2]
pytestmark = pytest.mark.filterwarnings("ignore:Features without any observed value:UserWarning")


@pytest.fixture(scope="module")
def X():
    """1000 samples with gaps; the second feature depends on the first."""
    X = np.random.default_rng(0).normal(size=(1000, 6))
    X[:, 1] += 2 * X[:, 0]
    return with_gaps(X)


@pytest.fixture(scope="module")
def table(X):
    """The same with categories, of strings and of numbers, and features without an entry."""
    rng = np.random.default_rng(1)
    return pd.DataFrame(X, columns=NUMBERS).assign(
        kind=rng.choice(["red", "green", "blue", None], size=1000),
        size=rng.choice([1.0, 2.5, 4.0, np.nan], size=1000),
        empty=np.nan,
        blank=pd.Series([None] * 1000, dtype=object),
    )


def named(*columns, **params):
    return imputer(categorical_features=list(columns), **params)


def assert_same_table(model, estimator, X):
    """Assert that outputs by column are those of ``transform``, then those of ``reconstruct``."""
    found = run(model, X)
    tables = [getattr(estimator, name)(X) for name in ("transform", "reconstruct")]
    expected = np.hstack([np.asarray(one, dtype=object) for one in tables])
    for name, values, column in zip(found, found.values(), expected.T, strict=True):
        assert values.shape == (len(X), 1)
        if values.dtype == object:
            column = ["" if one is None else one for one in column]
            np.testing.assert_array_equal(values[:, 0], column, err_msg=name)
        else:
            column = column.astype(np.float64)
            np.testing.assert_allclose(values[:, 0], column, rtol=1e-5, atol=1e-5, err_msg=name)
    return list(found)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("keep_empty_features", [False, True])
@pytest.mark.matrix
def test_imputed_numbers_are_those_of_transform(keep_empty_features, dtype, X):
    X = np.hstack([X, np.full((1000, 1), np.nan)]).astype(dtype)
    estimator = imputer(add_indicator=True, keep_empty_features=keep_empty_features).fit(X[:60])
    model = to_onnx(estimator, X[:1])
    for n_samples in (1, 1000):
        assert assert_same_results(model, estimator, X[:n_samples]) == ["variable"]
    found = run(model, X)["variable"]
    assert found.dtype == dtype
    assert found.shape == (1000, 12 + keep_empty_features)
    observed = ~np.isnan(X[:, :6])
    np.testing.assert_array_equal(found[:, :6][observed], X[:, :6][observed])


@pytest.mark.slow
@pytest.mark.parametrize("n_features", [1, 100, 101])
def test_few_and_many_numbers_that_depend_on_each_other_are_imputed(n_features):
    rng = np.random.default_rng(0)
    X = rng.normal(size=(300, 3)) @ rng.normal(size=(3, n_features))
    X += 0.01 * rng.normal(size=X.shape)
    X[::5, 0] = np.nan
    estimator = imputer(activation="gelu", dropout=0.1).fit(X)
    assert_same_results(to_onnx(estimator, X), estimator, X)


@pytest.mark.slow
@pytest.mark.parametrize("dtype", [np.int64, np.float32])
def test_a_number_may_mark_missing_entries(dtype, X):
    X = np.where(np.isnan(X), -999, (10 * X).round()).astype(dtype)
    estimator = imputer(missing_values=-999).fit(X[:60])
    model = to_onnx(estimator, X[:1])
    assert_same_results(model, estimator, X)
    assert (X == -999).any() and not (run(model, X)["variable"] == -999).any()


@pytest.mark.slow
@pytest.mark.parametrize("params", [{"add_indicator": True, "keep_empty_features": True}, {}])
def test_each_column_of_a_table_with_strings_is_an_output(params, table):
    estimator = named("kind", "size", "blank", **params).fit(table[:60])
    model = to_onnx(estimator, table[:1], options={"reconstruct": True})
    assert [one.name for one in model.graph.input] == list(table.columns)
    new = table.replace({"kind": {"red": "unknown"}, "size": {4.0: 99.0}})
    for part in (table[:1], table, new):
        outputs = assert_same_table(model, estimator, part)
    names = estimator.get_feature_names_out()
    assert outputs[: len(names)] == [f"imputed_{name}" for name in names]
    assert outputs[len(names)] == "reconstruction_a"
    assert (run(model, new)["imputed_kind"] == "unknown").any()


@pytest.mark.slow
def test_a_string_may_mark_missing_categories(table):
    table = table[["a", "b", "kind"]].fillna({"kind": "?", "b": 0.0})
    estimator = imputer(missing_values="?").fit(table[:60])
    model = to_onnx(estimator, table[:1], options={"reconstruct": True})
    assert_same_table(model, estimator, table)
    assert (table["kind"] == "?").any() and not (run(model, table)["imputed_kind"] == "?").any()


@pytest.mark.slow
def test_categories_that_are_numbers_stay_one_output(X):
    codes = np.random.default_rng(0).choice([0.5, 2.0, np.nan], size=(1000, 2))
    estimator = named(6, 7).fit(np.hstack([X, codes])[:60])
    X = np.hstack([X, codes])
    model = to_onnx(estimator, X[:1])
    found = run(model, X)["variable"]
    np.testing.assert_allclose(found, estimator.transform(X).astype(float), rtol=1e-5, atol=1e-5)


@pytest.mark.slow
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("make", [classifier, LogisticRegression])
def test_imputers_of_numbers_come_before_classifiers(make, dtype, X):
    X = X.astype(dtype)
    pipeline = make_pipeline(StandardScaler(), imputer(add_indicator=True), make()).fit(X, Y)
    model = to_onnx(pipeline, X[:1])
    for n_samples in (1, 1000):
        names = assert_same_results(model, pipeline, X[:n_samples])
        assert names == ["label", "probabilities"]


def encoder():
    return OneHotEncoder(sparse_output=False)


@pytest.mark.slow
@pytest.mark.parametrize(
    "make",
    [
        lambda: make_pipeline(imputer(), classifier(categorical_features=[6])),
        lambda: make_pipeline(imputer().set_output(transform="pandas"), classifier()),
        lambda: make_pipeline(named("kind", "size"), classifier(categorical_features=[6, 7])),
        lambda: make_pipeline(
            imputer().set_output(transform="pandas"),
            make_column_transformer(("passthrough", NUMBERS), (encoder(), ["kind"])),
            LogisticRegression(),
        ),
        lambda: make_pipeline(
            make_column_transformer(
                (imputer(), NUMBERS), (make_pipeline(imputer(), encoder()), ["kind"])
            ),
            LogisticRegression(),
        ),
    ],
    ids=["array", "dataframe", "two kinds of categories", "before columns", "in columns"],
)
def test_imputers_of_categories_come_before_classifiers(make, table):
    table = table.drop(columns=["empty", "blank"])
    pipeline = make().fit(table, Y)
    model = to_onnx(pipeline, table[:1])
    for n_samples in (1, 1000):
        names = assert_same_results(model, pipeline, table[:n_samples])
        assert names == ["label", "probabilities"]


def test_draws_are_an_error(X):
    pipeline = make_pipeline(imputer(sample_posterior=True), LogisticRegression()).fit(X, Y)
    with pytest.raises(
        ValueError, match=r"AutoencoderImputer cannot be exported.*its draws depend"
    ):
        to_onnx(pipeline, X)


def test_outputs_that_a_graph_cannot_have_are_errors(table):
    two = table[["a", "kind"]]
    for make in (make_union, lambda one: make_column_transformer((one, ["a", "kind"]))):
        union = make(imputer()).fit(two)
        with pytest.raises(ValueError, match=r"AutoencoderImputer cannot.*part of a ColumnTransf"):
            to_onnx(union, two)
    mixed = two.assign(kind=np.where(np.arange(1000) % 2, 1, two["kind"].to_numpy()))
    estimator = named("kind").fit(mixed)
    for kinds, type_ in [("red", "strings"), (1, "numbers")]:
        with pytest.raises(TypeError, match=f"AutoencoderImputer cannot.*has {type_} in column 1"):
            to_onnx(estimator, two.assign(kind=kinds))
