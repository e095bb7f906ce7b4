"""ONNX graphs of single estimators return what their methods return."""

import importlib
import pkgutil
from functools import partial

import joblib
import numpy as np
import pandas as pd
import pytest
from onnx_results import (
    CODER,
    MODELS,
    SMALL,
    assert_same_results,
    classifier,
    regressor,
    run,
    target,
    with_gaps,
)
from sklearn.base import is_clusterer, is_outlier_detector
from sklearn.ensemble import IsolationForest

import skdeep
from skdeep.cluster import DeepEmbeddedClustering, SelfOrganizingMap
from skdeep.decomposition import Autoencoder
from skdeep.ensemble import ClusterwiseClassifier, DeepEnsembleRegressor
from skdeep.generative import GANSampler
from skdeep.impute import AutoencoderImputer
from skdeep.neural_network import ResNetClassifier
from skdeep.outlier_detection import AutoencoderOutlierDetector
from skdeep.persistence import to_onnx
from skdeep.semi_supervised import FewLabelsClassifier

#: Public estimators that are not exported, and why.
NOT_EXPORTED = {
    "BatchedGridSearchCV": "its best estimator is exported",
    "BatchedHalvingSearchCV": "its best estimator is exported",
    "BatchedRandomizedSearchCV": "its best estimator is exported",
    "TabularGANSampler": "no results of samples; for its generator, see test_onnx_tables.py",
}
#: An estimator of each kind; an export takes a second.
QUICK = {
    Autoencoder,
    AutoencoderImputer,
    AutoencoderOutlierDetector,
    ClusterwiseClassifier,
    DeepEmbeddedClustering,
    DeepEnsembleRegressor,
    ResNetClassifier,
    SelfOrganizingMap,
}
#: Those of them that have arrays beside their nets.
MAPPED = {AutoencoderOutlierDetector, DeepEmbeddedClustering, SelfOrganizingMap}
pytestmark = pytest.mark.filterwarnings(
    "ignore:(All samples are in one of|Samples are in only|Generated samples):UserWarning"
)


@pytest.fixture(scope="module")
def X():
    """1000 samples, the first 60 of which are for training."""
    return np.random.default_rng(0).normal(size=(1000, 6))


@pytest.fixture(scope="module")
def table(X):
    """The same with two columns of categories and missing values."""
    rng = np.random.default_rng(1)
    frame = pd.DataFrame(X, columns=list("abcdef")).assign(
        kind=rng.choice(["red", "green", "blue", None], size=1000),
        size=rng.integers(4, size=1000),
    )
    frame.loc[rng.random(1000) < 0.2, ["b", "c"]] = np.nan
    return frame


def fit(make, X):
    estimator = make()
    return estimator.fit(X[:60], target(estimator, X[:60]))


def options_of(estimator, names):
    return {id(estimator): dict.fromkeys(names, True)}


def test_every_public_estimator_is_exported_or_is_listed_with_a_reason():
    found = {
        name
        for info in pkgutil.iter_modules(skdeep.__path__)
        if not info.name.startswith("_")
        for module in [importlib.import_module(f"skdeep.{info.name}")]
        for name in getattr(module, "__all__", [])
        if isinstance(getattr(module, name), type) and hasattr(getattr(module, name), "fit")
    }
    assert found == {cls.__name__ for cls in MODELS} | NOT_EXPORTED.keys()


@pytest.mark.parametrize(
    "Estimator",
    [
        pytest.param(one, id=one.__name__, marks=() if one in QUICK else pytest.mark.slow)
        for one in MODELS
    ],
)
def test_all_outputs_are_those_of_the_methods_for_any_number_of_samples(Estimator, X):
    make, extras = MODELS[Estimator]
    X = with_gaps(X) if Estimator is AutoencoderImputer else X
    estimator = fit(make, X)
    model = to_onnx(estimator, X[:1], options=options_of(estimator, extras))
    for n_samples in (1, 1000):
        names = assert_same_results(model, estimator, X[:n_samples])
    is_labelled = hasattr(estimator, "predict_proba") or is_clusterer(estimator)
    is_labelled |= is_outlier_detector(estimator)
    assert ("label" in names) == is_labelled
    assert len(names) == len(set(names)) >= 1 + len(extras)


@pytest.mark.usefixtures("read_only_arrays_warn")
@pytest.mark.parametrize(
    "Estimator",
    [
        pytest.param(one, id=one.__name__, marks=() if one in MAPPED else pytest.mark.slow)
        for one in MODELS
    ],
)
def test_memory_mapped_estimators_are_exported(Estimator, X, tmp_path):
    make, extras = MODELS[Estimator]
    X = with_gaps(X) if Estimator is AutoencoderImputer else X
    joblib.dump(fit(make, X), tmp_path / "model.joblib")
    mapped = joblib.load(tmp_path / "model.joblib", mmap_mode="r")
    model = to_onnx(mapped, X[:1], options=options_of(mapped, extras))
    assert assert_same_results(model, mapped, X)


@pytest.mark.slow
@pytest.mark.parametrize("dtype, opset", [(np.float32, 21), (np.int64, 18)])
@pytest.mark.parametrize("Estimator", [pytest.param(one, id=one.__name__) for one in MODELS])
def test_all_outputs_are_those_of_the_methods_for_other_dtypes(Estimator, dtype, opset, X):
    make, extras = MODELS[Estimator]
    X = (X if dtype == np.float32 else 10 * X).astype(dtype)
    X = with_gaps(X) if Estimator is AutoencoderImputer and dtype == np.float32 else X
    estimator = fit(make, X)
    options = options_of(estimator, extras)
    model = to_onnx(estimator, X[:1], options=options, target_opset=opset)
    for n_samples in (1, 1000):
        assert_same_results(model, estimator, X[:n_samples])
    assert next(one.version for one in model.opset_import if not one.domain) == opset


@pytest.mark.slow
def test_outputs_of_detectors_are_those_of_an_isolation_forest(X):
    detector = AutoencoderOutlierDetector(0.1, **CODER).fit(X)
    forest = IsolationForest(n_estimators=10, random_state=0).fit(X)
    outputs = []
    for estimator in (detector, forest):
        # the latest operators that sklearn-onnx has for forests
        opset = {"": 18, "ai.onnx.ml": 3}
        model = to_onnx(estimator, X.astype(np.float32), target_opset=opset)
        found = run(model, X.astype(np.float32))
        outputs.append({name: (one.dtype, one.shape) for name, one in found.items()})
    assert outputs[0] == outputs[1]
    assert 0 < np.mean(run(to_onnx(detector, X), X)["label"] == -1) < 0.2


def test_float32_samples_give_float32_numbers(X):
    X = X.astype(np.float32)
    estimator = fit(lambda: Autoencoder(2, **CODER), X)
    model = to_onnx(estimator, X[:1])
    assert assert_same_results(model, estimator, X) == ["variable"]
    assert run(model, X)["variable"].dtype == np.float32


VARIANTS = {
    "residual": Autoencoder(2, block="residual", batch_norm=True, activation="gelu", **CODER),
    "tied": Autoencoder(2, tied_weights=True, feature_scaling="standard", **CODER),
    "skip": Autoencoder(2, noise=0.1, global_skip=True, loss="huber", activation="silu", **CODER),
    "image": Autoencoder(2, image_shape=(2, 8, 8), activation="elu", **SMALL),
    "periodic": regressor(numerical_embedding="periodic", embedding_dim=4, norm="layer"),
    "piecewise": classifier(numerical_embedding="piecewise-linear", embedding_dim=4),
    "standard": regressor(feature_scaling="standard"),
    "images": classifier(image_shape=(2, 8, 8), stem_width=4, norm="layer"),
    "views": FewLabelsClassifier(image_shape=(2, 8, 8), unlabeled="c", **SMALL),
    "manhattan": SelfOrganizingMap((3, 2), metric="manhattan", n_clusters=3, **SMALL),
    "cosine": SelfOrganizingMap((3, 2), metric="cosine", **SMALL),
}


@pytest.mark.slow
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("variant", VARIANTS)
def test_nets_of_every_kind_are_exported(variant, dtype):
    estimator = VARIANTS[variant]
    X = np.random.default_rng(0).normal(size=(200, 128)).astype(dtype)
    estimator.fit(X, target(estimator, X))
    extras = MODELS[type(estimator)][1]
    model = to_onnx(estimator, X[:1], options=options_of(estimator, extras))
    for n_samples in (1, 200):
        assert_same_results(model, estimator, X[:n_samples])


@pytest.mark.slow
@pytest.mark.parametrize("loss", ["bce", "multinomial"])
def test_scores_of_losses_of_probabilities_are_exported(loss):
    X = np.random.default_rng(0).random((100, 6))
    X = X / X.sum(axis=1, keepdims=True) if loss == "multinomial" else X.round(1)
    estimator = Autoencoder(2, loss=loss, **CODER).fit(X)
    model = to_onnx(estimator, X, options={"score_samples": True, "reconstruct": True})
    assert assert_same_results(model, estimator, X) == [
        "variable",
        "reconstruction",
        "score_samples",
    ]


@pytest.mark.parametrize(
    "make", [partial(classifier, stem_width=2), partial(FewLabelsClassifier, **SMALL)]
)
def test_images_are_an_input_of_their_shape(make):
    X = np.random.default_rng(0).normal(size=(150, 17, 19)).astype(np.float32)
    estimator = make(image_shape=(17, 19)).fit(X, np.arange(150) % 2)
    model = to_onnx(estimator, X[:1])
    for n_samples in (1, 150):
        assert_same_results(model, estimator, X[:n_samples])


@pytest.mark.parametrize("make", [classifier, pytest.param(regressor, marks=pytest.mark.slow)])
def test_categories_and_missing_values_are_in_the_graph(make, table):
    estimator = fit(lambda: make(missing="indicator"), table)
    model = to_onnx(estimator, table[:1], options=options_of(estimator, ["embed"]))
    assert [one.name for one in model.graph.input] == list(table.columns)
    new = table.replace({"kind": {"red": "unknown"}, "size": {3: 99}})
    for part in (table[:1], table, new):
        assert_same_results(model, estimator, part)


@pytest.mark.slow
def test_categories_are_found_in_matrices_of_numbers_and_of_strings(X):
    codes = np.random.default_rng(0).integers(3, size=(1000, 2)) / 4
    numbers = np.hstack([X, codes, np.where(codes > 0, codes, np.nan)])
    texts = np.array(["x", "y", "z"])[(codes * 4).astype(int)]
    for data, columns in [(numbers, [6, 7, 8, 9]), (texts, [0, 1])]:
        estimator = classifier(categorical_features=columns)
        estimator.fit(data[:60], np.arange(60) % 3)
        model = to_onnx(estimator, data[:1])
        assert_same_results(model, estimator, data)


@pytest.mark.slow
def test_missing_features_of_a_map_are_ignored_in_the_graph(X):
    gaps = np.where(np.random.default_rng(0).random(X.shape) < 0.2, np.nan, X)
    gaps[:, 0] = X[:, 0]
    for metric in ("euclidean", "cosine", "manhattan"):
        estimator = SelfOrganizingMap((3, 3), metric=metric, missing="ignore", **SMALL).fit(gaps)
        assert_same_results(to_onnx(estimator, gaps), estimator, gaps)


@pytest.mark.slow
def test_multilabel_targets_are_exported(X):
    y = (X[:, :3] > 0).astype(int)
    estimator = classifier().fit(X[:60], y[:60])
    assert_same_results(to_onnx(estimator, X), estimator, X)


@pytest.mark.parametrize(
    "classes, scaling",
    [
        ("names", "quantile"),
        pytest.param("numbers", "range", marks=pytest.mark.slow),
        pytest.param(None, "standard", marks=pytest.mark.slow),
        pytest.param(None, "quantile", marks=pytest.mark.slow),
    ],
)
def test_generators_are_exported_as_samplers_from_noise(classes, scaling, X):
    labels = {"names": np.array(["a", "b"]), "numbers": np.array([3, 7]), None: None}[classes]
    y = None if labels is None else labels[np.arange(60) % 2]
    gan = GANSampler(latent_dim=3, feature_scaling=scaling, **CODER).fit(X[:60], y)
    noise = np.random.default_rng(5).standard_normal((100, 3))
    inputs = {"noise": noise.astype(np.float32)}
    if classes is None:
        rows = gan.sample(100, random_state=5)
    else:
        y = labels[np.arange(100) % 2]
        rows, _ = gan.sample(100, y, random_state=5)
        inputs["label"] = y.astype(object) if classes == "names" else y
    model = to_onnx(gan)
    np.testing.assert_allclose(run(model, inputs)["rows"], rows, rtol=1e-5, atol=1e-5)
    one = {name: values[:1] for name, values in inputs.items()}
    np.testing.assert_allclose(run(model, one)["rows"], rows[:1], rtol=1e-5, atol=1e-5)
