"""FewLabelsClassifier: logistic regression on the labelled samples, and scaling of dummies."""

import numpy as np
import pytest
import torch
from sklearn.datasets import load_digits, make_classification
from sklearn.linear_model import LogisticRegression
from sklearn.preprocessing import StandardScaler
from sklearn.utils.class_weight import compute_sample_weight

from skdeep.semi_supervised import FewLabelsClassifier

RNG = np.random.default_rng(0)


def few(**params):
    small = {"n_components": 16, "max_epochs": 3, "device": "cpu", "random_state": 0}
    return FewLabelsClassifier(**{**small, **params})


def table(n_classes):
    X, y = make_classification(
        200, 8, n_informative=5, n_classes=n_classes, class_sep=0.5, random_state=0
    )
    return X, y, np.where(np.arange(200) < 40, y, -1)


def regression(X, y, class_weight=None):
    """Probabilities of logistic regression on the standardized labelled samples."""
    given, weight = y >= 0, np.ones(len(X))
    weight[given] = compute_sample_weight(class_weight, y[given])
    X = StandardScaler().fit(X, sample_weight=weight).transform(X)
    model = LogisticRegression(tol=1e-8, max_iter=1000)
    weight = weight[given] / weight[given].mean()
    return model.fit(X[given], y[given], weight).predict_proba(X)


@pytest.mark.parametrize("n_classes", [2, 3])
@pytest.mark.parametrize("class_weight", [None, "balanced", {0: 3.0, 1: 0.5, 2: 1.0}])
def test_probabilities_are_averaged_with_those_of_logistic_regression(n_classes, class_weight):
    X, _, y = table(n_classes)
    if isinstance(class_weight, dict):
        class_weight = {one: class_weight[one] for one in range(n_classes)}
    params = {"feature_scaling": "standard", "class_weight": class_weight}
    alone = few(linear_weight=0.0, **params).fit(X, y).predict_proba(X)
    linear = regression(X, y, class_weight=class_weight)
    for params["linear_weight"], weight in [("auto", 0.5), (0.2, 0.2), (0.999, 0.999)]:
        both = few(**params).fit(X, y)
        expected = (1 - weight) * alone + weight * linear
        np.testing.assert_allclose(both.predict_proba(X), expected, rtol=0, atol=1e-4)
        np.testing.assert_array_equal(both.predict(X), both.predict_proba(X).argmax(axis=1))


def test_logistic_regression_has_the_weights_of_the_samples():
    X, _, y = table(3)
    weight = RNG.integers(1, 4, size=len(X))
    repeated = np.repeat(np.arange(len(X)), weight)
    params = {"linear_weight": 0.999, "batch_size": 1000}
    found = few(**params).fit(X, y, weight).predict_proba(X)
    expected = few(**params).fit(X[repeated], y[repeated]).predict_proba(X)
    np.testing.assert_allclose(found, expected, rtol=0, atol=1e-6)
    larger = few(**params).fit(X, y, 100 * weight).predict_proba(X)
    np.testing.assert_allclose(larger, found, rtol=0, atol=1e-6)
    unweighted = few(**params).fit(X, y).predict_proba(X)
    assert abs(found - unweighted).max() > 0.01


def test_a_class_whose_labels_have_no_weight_is_not_predicted():
    X, _, y = table(3)
    net = few(linear_weight=0.999).fit(X, y, 1.0 * (y != 1))
    assert net.classes_.tolist() == [0, 1, 2]
    assert net.predict_proba(X)[:, 1].max() < 0.01


def test_more_labels_than_logistic_regression_uses():
    X, y = make_classification(10_100, 4, random_state=0)
    params = {"max_epochs": 1, "n_components": 4, "linear_weight": 0.9}
    net = few(**params).fit(X, y)
    assert net.score(X, y) > 0.85
    np.testing.assert_array_equal(few(**params).fit(X, y).predict_proba(X), net.predict_proba(X))


def test_images_have_no_linear_part_by_default():
    X, y = load_digits(n_class=3, return_X_y=True)
    y = np.where(np.arange(len(y)) < 30, y, -1)
    params = {"image_shape": (8, 8), "hidden_layer_sizes": (4,), "max_epochs": 1}
    expected = few(linear_weight=0.0, **params).fit(X, y).predict_proba(X)
    np.testing.assert_array_equal(few(**params).fit(X, y).predict_proba(X), expected)
    assert abs(few(linear_weight=0.5, **params).fit(X, y).predict_proba(X) - expected).max() > 0.1


def test_the_linear_part_helps_where_classes_overlap():
    scores = {0.0: [], "auto": []}
    for seed in range(3):
        rng = np.random.default_rng(seed)
        X = rng.normal(size=(1000, 20))
        truth = (X[:, :4].sum(axis=1) + rng.logistic(size=1000) > 0).astype(int)
        y = np.where(np.arange(1000) < 50, truth, -1)
        for weight, found in scores.items():
            net = FewLabelsClassifier(linear_weight=weight, device="cpu", random_state=0)
            found.append(net.fit(X, y).score(X[50:], truth[50:]))
    assert np.mean(scores["auto"]) > np.mean(scores[0.0]) + 0.01


@pytest.mark.parametrize("value", [1.0, -0.1, "half"])
def test_the_weight_of_the_linear_part_is_less_than_one(value):
    X, _, y = table(2)
    with pytest.raises(ValueError, match=r"'linear_weight' parameter.*\[0.0, 1.0\)"):
        few(linear_weight=value).fit(X, y)


# Scaling ---------------------------------------------------------------------------------------


def scaled(X, sample_weight=None, **params):
    """What a net is given for the samples that it was fitted to."""
    net = few(max_epochs=1, **params).fit(X, np.arange(len(X)) % 2, sample_weight)
    seen = []
    net.module_.features.register_forward_pre_hook(lambda module, given: seen.append(given[0]))
    net.transform(X)
    return torch.cat(seen).numpy()[: len(X)]  # without padding


def test_dummies_get_a_range_of_one_and_other_features_what_they_get_without_dummies():
    numbers = RNG.normal(size=(80, 3)) * [1, 1e3, 1e-4] + [0, 1e5, 1]
    dummies = np.eye(4)[RNG.choice(4, 80, p=[0.5, 0.3, 0.1, 0.1])] * [1, 1, 100, 1e-3] + 5
    found = scaled(np.hstack([numbers, dummies, np.ones((80, 1))]))
    expected = scaled(numbers, feature_scaling="minmax")
    np.testing.assert_allclose(found[:, :3], expected, rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(np.ptp(found[:, 3:7], axis=0), 1, rtol=1e-5)
    np.testing.assert_allclose(found.mean(axis=0), 0, atol=1e-5)
    np.testing.assert_array_equal(found[:, 7], 0)


def test_without_dummies_or_with_nothing_else_the_scaling_is_minmax():
    for X in (RNG.normal(size=(80, 3)), RNG.integers(2, size=(80, 3)), np.zeros((80, 2))):
        np.testing.assert_array_equal(scaled(X), scaled(X, feature_scaling="minmax"))


def test_weights_in_the_scaling_of_dummies_are_repetitions():
    X = np.column_stack([RNG.normal(size=80), np.arange(80) % 2, np.arange(80) % 3 > 1])
    weight = RNG.integers(0, 3, size=80)
    weight[:4] = 1
    weighted = scaled(X, weight)
    kept = np.repeat(np.arange(80), weight)
    order = np.unique(kept, return_index=True)[1]
    np.testing.assert_allclose(weighted[weight > 0], scaled(X[kept])[order], rtol=1e-5, atol=1e-6)
