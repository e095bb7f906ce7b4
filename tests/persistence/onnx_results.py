"""Small fitted models, and comparison of their results with those of ONNX Runtime."""

import numpy as np
import onnx
import onnxruntime
from sklearn.base import is_regressor
from sklearn.cluster import KMeans
from sklearn.linear_model import LogisticRegression, Ridge

from skdeep.cluster import IMSAT, DeepCluster, DeepEmbeddedClustering, SelfOrganizingMap
from skdeep.decomposition import Autoencoder, DeepInfoMax, VariationalAutoencoder
from skdeep.ensemble import (
    ClusterwiseClassifier,
    ClusterwiseRegressor,
    DeepEnsembleClassifier,
    DeepEnsembleRegressor,
)
from skdeep.generative import GANFeatureExtractor, GANSampler
from skdeep.impute import AutoencoderImputer
from skdeep.neural_network import ResNetClassifier, ResNetRegressor
from skdeep.outlier_detection import AutoencoderOutlierDetector, DiffusionTimeDetector
from skdeep.semi_supervised import (
    ClusterPretrainedClassifier,
    ClusterPretrainedRegressor,
    FewLabelsClassifier,
)

SMALL = {"max_epochs": 2, "device": "cpu", "random_state": 0}
CODER = {"hidden_layer_sizes": (8,), **SMALL}
# Methods that return each output of a graph, the first one that the estimator has.
METHODS = {
    "label": ["predict"],
    "probabilities": ["predict_proba"],
    "variable": ["transform", "predict"],
    "scores": ["decision_function", "transform"],
    "reconstruction": ["reconstruct"],
    "embedding": ["embed"],
    "score_samples": ["score_samples"],
}


def classifier(**params):
    return ResNetClassifier(1, width=8, lr=0.05, **SMALL, **params)


def regressor(**params):
    return ResNetRegressor(1, width=8, lr=0.05, **SMALL, **params)


def imputer(**params):
    return AutoencoderImputer(**CODER, **params)


def k_means():
    return KMeans(3, n_init=1, random_state=0)


#: Estimators by class, and options that add all other outputs.
MODELS = {
    Autoencoder: (lambda: Autoencoder(2, **CODER), ["reconstruct", "score_samples"]),
    AutoencoderImputer: (lambda: imputer(add_indicator=True), ["reconstruct"]),
    AutoencoderOutlierDetector: (
        lambda: AutoencoderOutlierDetector(0.1, n_estimators=3, **CODER),
        ["score_samples"],
    ),
    ClusterPretrainedClassifier: (
        lambda: ClusterPretrainedClassifier(
            k_means(), classifier(), pretrain_epochs=2, unlabeled="c", random_state=0
        ),
        ["embed"],
    ),
    ClusterPretrainedRegressor: (
        lambda: ClusterPretrainedRegressor(
            k_means(), regressor(), pretrain_epochs=2, random_state=0
        ),
        ["embed"],
    ),
    ClusterwiseClassifier: (
        lambda: ClusterwiseClassifier(k_means(), LogisticRegression(max_iter=1000)),
        [],
    ),
    ClusterwiseRegressor: (lambda: ClusterwiseRegressor(k_means(), Ridge()), []),
    DeepCluster: (lambda: DeepCluster(4, **CODER), ["transform"]),
    DeepEmbeddedClustering: (
        lambda: DeepEmbeddedClustering(3, pretrain_epochs=2, **CODER),
        ["transform", "reconstruct", "score_samples"],
    ),
    DeepEnsembleClassifier: (lambda: DeepEnsembleClassifier(classifier(), 2), ["embed"]),
    DeepEnsembleRegressor: (
        lambda: DeepEnsembleRegressor(regressor(), 2, random_state=0),
        ["return_std", "embed"],
    ),
    DeepInfoMax: (lambda: DeepInfoMax(3, **CODER), ["score_samples"]),
    DiffusionTimeDetector: (lambda: DiffusionTimeDetector(0.1, **CODER), ["score_samples"]),
    FewLabelsClassifier: (
        lambda: FewLabelsClassifier(unlabeled="c", n_components=8, **SMALL),
        ["transform"],
    ),
    GANFeatureExtractor: (lambda: GANFeatureExtractor(5, latent_dim=3, **CODER), []),
    GANSampler: (lambda: GANSampler(latent_dim=3, **CODER), []),
    IMSAT: (lambda: IMSAT(3, n_init=1, n_components=8, **SMALL), ["transform"]),
    ResNetClassifier: (classifier, ["embed"]),
    ResNetRegressor: (regressor, ["embed"]),
    SelfOrganizingMap: (lambda: SelfOrganizingMap((3, 3), **SMALL), []),
    VariationalAutoencoder: (lambda: VariationalAutoencoder(2, **CODER), ["reconstruct"]),
}


def with_gaps(X):
    """Samples with missing numbers in all columns but the first; the first sample has some."""
    is_missing = np.random.default_rng(2).random(X.shape) < 0.2
    is_missing[:, 0], is_missing[0, 1] = False, True
    return np.where(is_missing, np.nan, X).astype(X.dtype)


def target(estimator, X):
    """Numbers for regressors, else strings, which depend on the first feature."""
    first = np.asarray(X, dtype=object)[:, 0].astype(np.float64)
    if hasattr(estimator, "predict") and not hasattr(estimator, "fit_predict"):
        if not hasattr(estimator, "predict_proba"):
            return 2 * first + 5
    return np.array(["a", "b", "c"])[np.digitize(first, np.quantile(first, [0.3, 0.7]))]


def run(model, X):
    """Outputs of ONNX Runtime by name, for samples or a dict of inputs."""
    onnx.checker.check_model(model)
    session = onnxruntime.InferenceSession(
        model.SerializeToString(), providers=["CPUExecutionProvider"]
    )
    names = [one.name for one in session.get_outputs()]
    return dict(
        zip(names, session.run(None, X if isinstance(X, dict) else feed(model, X)), strict=True)
    )


def feed(model, X):
    """Inputs of a graph as users pass them: the samples, or a column for each name."""
    names = [one.name for one in model.graph.input]
    if names == ["X"]:
        return {"X": np.asarray(X)}
    columns = {
        name: X[name].fillna("") if X[name].dtype.kind in "OT" else X[name] for name in names
    }
    return {
        name: column.to_numpy(dtype=object if column.dtype.kind in "OT" else None).reshape(-1, 1)
        for name, column in columns.items()
    }


def assert_same_results(model, estimator, X):
    """Assert that labels are equal and numbers agree to 1e-5; return the names of the outputs."""
    found = run(model, X)
    for name, values in found.items():
        if name == "std":
            expected = estimator.predict(X, return_std=True)[1]
        else:
            methods = (
                ["predict"] if name == "variable" and is_regressor(estimator) else METHODS[name]
            )
            method = next(one for one in methods if hasattr(estimator, one))
            expected = getattr(estimator, method)(X)
        expected = np.asarray(expected)
        assert values.size == expected.size, name
        values = values.reshape(expected.shape)
        if name == "label":
            np.testing.assert_array_equal(values, expected)
        else:
            assert np.issubdtype(values.dtype, np.floating)
            np.testing.assert_allclose(values, expected, rtol=1e-5, atol=1e-5, err_msg=name)
    return list(found)
