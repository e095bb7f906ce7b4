"""Quantiles and standard deviations in ONNX graphs."""

import numpy as np
import pytest
from onnx_results import regressor, run
from sklearn.cluster import KMeans

from skdeep.ensemble import DeepEnsembleRegressor
from skdeep.persistence import to_onnx
from skdeep.semi_supervised import ClusterPretrainedRegressor

X = np.random.default_rng(0).normal(size=(100, 4))
Y = 3 * X[:, 0] + np.random.default_rng(1).normal(size=100) + 5
TARGETS = {"one output": Y, "two outputs": np.column_stack([Y, -Y])}
LEVELS = (0.1, 0.4, 0.9)
MAKERS = {
    "net": lambda net: net,
    "ensemble": lambda net: DeepEnsembleRegressor(net, 2),
    "pretrained": lambda net: ClusterPretrainedRegressor(KMeans(3), net, pretrain_epochs=1),
}
each_maker = pytest.mark.parametrize("make", MAKERS.values(), ids=MAKERS)
each_target = pytest.mark.parametrize("y", TARGETS.values(), ids=TARGETS)


@each_maker
@each_target
@pytest.mark.matrix
def test_quantiles_are_exported(make, y):
    estimator = make(regressor(loss="quantile", quantile=LEVELS)).fit(X, y)
    found = run(to_onnx(estimator, X[:1], options={"quantiles": True}), X)
    assert list(found) == ["variable", "quantiles"]
    expected = estimator.predict(X, quantiles=LEVELS)
    np.testing.assert_allclose(found["quantiles"], expected, rtol=1e-5, atol=1e-5)
    np.testing.assert_allclose(
        found["variable"].reshape(y.shape), estimator.predict(X), rtol=1e-5, atol=1e-5
    )  # the median, between the fitted ones


@each_maker
@each_target
@pytest.mark.matrix
def test_standard_deviations_are_exported(make, y):
    estimator = make(regressor(loss="gaussian")).fit(X, y)
    found = run(to_onnx(estimator, X[:1], options={"return_std": True}), X)
    assert list(found) == ["variable", "std"]
    mean, std = estimator.predict(X, return_std=True)
    np.testing.assert_allclose(found["variable"].reshape(y.shape), mean, rtol=1e-5, atol=1e-5)
    np.testing.assert_allclose(found["std"].reshape(y.shape), std, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("option", ["quantiles", "return_std"])
@pytest.mark.parametrize("make", [MAKERS["net"], MAKERS["pretrained"]], ids=["net", "pretrained"])
def test_what_a_net_does_not_predict_cannot_be_exported(make, option):
    net = make(regressor()).fit(X, Y)
    with pytest.raises(ValueError, match=r"cannot be exported to ONNX.*loss='squared_error'"):
        to_onnx(net, X, options={option: True})
