"""ONNX graphs of pipelines and meta-estimators of scikit-learn with parts of skdeep."""

import numpy as np
import pandas as pd
import pytest
import skl2onnx
from onnx_results import (
    CODER,
    SMALL,
    assert_same_results,
    classifier,
    k_means,
    regressor,
    run,
    target,
)
from sklearn.compose import ColumnTransformer
from sklearn.decomposition import PCA
from sklearn.ensemble import StackingClassifier, StackingRegressor
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline, make_union
from sklearn.preprocessing import OneHotEncoder, StandardScaler

from skdeep.cluster import IMSAT, DeepCluster, DeepEmbeddedClustering, SelfOrganizingMap
from skdeep.decomposition import Autoencoder, VariationalAutoencoder
from skdeep.ensemble import ClusterwiseClassifier, ClusterwiseRegressor
from skdeep.model_selection import BatchedGridSearchCV
from skdeep.neural_network import ResNetClassifier
from skdeep.outlier_detection import AutoencoderOutlierDetector, DiffusionTimeDetector
from skdeep.persistence import to_onnx
from skdeep.semi_supervised import FewLabelsClassifier

pytestmark = pytest.mark.filterwarnings(
    "ignore:(All samples are in one of|Samples are in only):UserWarning",
    # scikit-learn's imputer for a column whose missing values are None
    "ignore:Found unknown categories:UserWarning",
)
NUMBERS = list("abcdef")


@pytest.fixture(scope="module")
def X():
    return np.random.default_rng(0).normal(size=(1000, 6))


@pytest.fixture(scope="module")
def table(X):
    kinds = np.random.default_rng(1).choice(["red", "green", "blue"], size=1000)
    return pd.DataFrame(X, columns=NUMBERS).assign(kind=kinds)


def columns(numeric):
    encoder = OneHotEncoder(sparse_output=False, handle_unknown="ignore")
    return ColumnTransformer([("numbers", numeric, NUMBERS), ("kinds", encoder, ["kind"])])


def autoencoder():
    return Autoencoder(2, **CODER)


PIPELINES = {
    "scaler, net": lambda: make_pipeline(StandardScaler(), classifier()),
    "codes, classifier": lambda: make_pipeline(
        StandardScaler(), autoencoder(), LogisticRegression()
    ),
}
MORE_PIPELINES = {
    "axes, detector": lambda: make_pipeline(PCA(3), AutoencoderOutlierDetector(0.1, **CODER)),
    "codes, detector": lambda: make_pipeline(autoencoder(), DiffusionTimeDetector(0.1, **CODER)),
    "axes, net": lambda: make_pipeline(StandardScaler(), PCA(3), regressor()),
    "codes, clusters": lambda: make_pipeline(VariationalAutoencoder(2, **CODER), k_means()),
    "union": lambda: make_pipeline(make_union(PCA(2), autoencoder()), Ridge()),
    "clusterer as a transformer": lambda: make_pipeline(
        DeepEmbeddedClustering(3, pretrain_epochs=2, **CODER), LogisticRegression()
    ),
    "map as a transformer": lambda: make_pipeline(SelfOrganizingMap((3, 2), **SMALL), Ridge()),
    "features as a transformer": lambda: make_pipeline(
        DeepCluster(4, **CODER), LogisticRegression()
    ),
    "classifier as a transformer": lambda: make_pipeline(
        FewLabelsClassifier(n_components=8, unlabeled="c", **SMALL), LogisticRegression()
    ),
    "stack": lambda: StackingClassifier(
        [("net", classifier()), ("linear", LogisticRegression())], LogisticRegression(), cv=2
    ),
    "stack of numbers": lambda: StackingRegressor(
        [("net", regressor()), ("linear", Ridge())], Ridge(), cv=2
    ),
    "nets of clusters": lambda: ClusterwiseClassifier(k_means(), classifier()),
    "nets of uncertain clusters": lambda: ClusterwiseClassifier(
        IMSAT(3, n_init=1, n_components=8, **SMALL), classifier(), soft=True
    ),
    "pipelines of clusters": lambda: make_pipeline(
        StandardScaler(), ClusterwiseRegressor(k_means(), make_pipeline(PCA(3), regressor()))
    ),
    "search": lambda: GridSearchCV(
        make_pipeline(StandardScaler(), classifier()), {"resnetclassifier__lr": [0.1]}, cv=2
    ),
    "batched search": lambda: BatchedGridSearchCV(regressor(), {"lr": [0.1, 0.01]}, cv=2),
}


def assert_is_exported(pipeline, X):
    pipeline.fit(X[:60], target(pipeline, X[:60]))
    model = to_onnx(pipeline, X[:1])
    for n_samples in (1, 1000):
        names = assert_same_results(model, pipeline, X[:n_samples])
    return names


@pytest.mark.parametrize("name", PIPELINES)
def test_pipelines_return_the_same_results(name, X):
    assert assert_is_exported(PIPELINES[name](), X) == ["label", "probabilities"]


@pytest.mark.slow
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("name", MORE_PIPELINES)
def test_more_pipelines_return_the_same_results(name, dtype, X):
    assert_is_exported(MORE_PIPELINES[name](), X.astype(dtype))


def test_columns_of_a_dataframe_are_selected_in_the_graph(table):
    pipeline = make_pipeline(columns(StandardScaler()), classifier())
    assert assert_is_exported(pipeline, table) == ["label", "probabilities"]


@pytest.mark.slow
def test_inputs_have_the_names_of_the_columns(table):
    table = table.rename(columns={"b": "height (m)", "c": "a b", "d": "a_b"})
    selection = [("numbers", StandardScaler(), ["height (m)", "a b", "e", "a_b"])]
    for model in (make_pipeline(ColumnTransformer(selection), regressor()), regressor()):
        model.fit(table[:60], target(model, table[:60]))
        graph = to_onnx(model, table[:1])
        assert [one.name for one in graph.graph.input] == list(table.columns)
        found = list(run(graph, table).values())
        np.testing.assert_allclose(found[0][:, 0], model.predict(table), rtol=1e-5, atol=1e-5)


def test_a_number_is_appended_to_a_column_with_the_name_of_an_output(X):
    table = pd.DataFrame({"label": list("ab") * 10, "probabilities": X[:20, 0], "c": X[:20, 1]})
    table["label"] = table["label"].astype("category")
    net = ResNetClassifier(max_epochs=1, device="cpu", random_state=0).fit(table, [0, 1] * 10)
    graph = to_onnx(net, table).graph
    assert [one.name for one in graph.input] == ["label1", "probabilities1", "c"]
    assert [one.name for one in graph.output] == ["label", "probabilities"]


@pytest.mark.slow
def test_columns_of_a_dataframe_are_encoded_by_nets(table):
    assert_is_exported(make_pipeline(columns(autoencoder()), LogisticRegression()), table)


@pytest.mark.slow
def test_missing_values_are_imputed_before_a_net(X):
    X = np.where(X > 2, np.nan, X).astype(np.float32)  # the runtime has no imputer of float64
    pipeline = make_pipeline(SimpleImputer(), PCA(3), classifier())
    pipeline.fit(X, np.arange(1000) % 2)
    assert_same_results(to_onnx(pipeline, X), pipeline, X)


@pytest.mark.slow
def test_parts_of_clusters_may_be_constant_or_too_small(X):
    X = np.sort(X, axis=0)
    y = np.where(np.arange(1000) < 400, "a", np.array(["b", "c"])[np.arange(1000) % 2])
    for size in (2, 400):
        model = ClusterwiseClassifier(k_means(), classifier(), min_cluster_size=size).fit(X, y)
        assert_same_results(to_onnx(model, X), model, X)


def test_probabilities_are_a_matrix_unless_zipmap_says_otherwise(X):
    X = X.astype(np.float32)  # skl2onnx has no ZipMap of float64
    pipeline = make_pipeline(StandardScaler(), classifier())
    pipeline.fit(X[:60], target(pipeline, X[:60]))
    model = to_onnx(pipeline, X[:1], options={"zipmap": True})
    found = run(model, X[:2])
    assert found.keys() == {"output_label", "output_probability"}
    assert [list(row) for row in found["output_probability"]] == [["a", "b", "c"]] * 2
    expected = pipeline.predict_proba(X[:2])
    rows = [list(row.values()) for row in found["output_probability"]]
    np.testing.assert_allclose(rows, expected, rtol=1e-5, atol=1e-5)


def test_import_of_the_namespace_registers_the_converters_with_skl2onnx(X):
    pipeline = make_pipeline(StandardScaler(), autoencoder()).fit(X[:60])
    model = skl2onnx.to_onnx(pipeline, X[:1], target_opset=18)
    assert_same_results(model, pipeline, X)
