"""Features scaled by ``feature_scaling="robust"`` in ONNX graphs."""

import numpy as np
import pytest
from onnx_results import assert_same_results, classifier, regressor, target, with_gaps

from skdeep.persistence import to_onnx

X = np.random.default_rng(0).normal(size=(80, 4)) * [1.0, 1e-3, 1e4, 0.0] + [0.0, 1.0, 5.0, 7.0]
X[::20, 1] *= -1e12  # outliers


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("embedding", [None, "piecewise-linear"])
@pytest.mark.parametrize("make", [classifier, regressor])
@pytest.mark.matrix
def test_robust_scaling_gives_the_same_results(make, embedding, dtype):
    rows = X.astype(dtype)
    net = make(feature_scaling="robust", numerical_embedding=embedding)
    net.fit(rows, target(net, rows))
    far = np.vstack([rows, 1e20 * rows, np.full_like(rows, -1e38)])
    assert_same_results(to_onnx(net, rows), net, far)


def test_robust_scaling_fills_missing_numbers_as_predict_does():
    rows = with_gaps(X)
    net = regressor(feature_scaling="robust", missing="indicator")
    net.fit(rows, target(net, rows))
    assert_same_results(to_onnx(net, rows), net, rows)
