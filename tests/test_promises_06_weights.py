"""Promise 6: a weight of zero is the row removed, a weight of two is the row twice."""

import numpy as np
import pytest
import scipy.sparse as sp
import sklearn
from numpy.testing import assert_allclose
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import MinMaxScaler

WEIGHT = np.random.default_rng(2).integers(0, 4, size=50)
CONTAINERS = {"dense": np.asarray, "sparse": sp.csr_array}

each_container = pytest.mark.parametrize("container", CONTAINERS)


def _assert_close(actual, expected, X, outputs):
    results = outputs(expected, X)
    for name, result in outputs(actual, X).items():
        assert_allclose(result, results[name], rtol=1e-6, atol=1e-6, err_msg=name)


@pytest.fixture
def repeated(X, y):
    """Every row as often as its weight says."""
    order = np.repeat(np.arange(50), WEIGHT)
    return X[order], y[order]


@each_container
@pytest.mark.parametrize("method", ["fit", "partial_fit"])
def test_weighted_rows_equal_repeated_rows_in_full_batches(
    container, method, make_random, repeated, outputs, X, y
):
    kind = CONTAINERS[container]
    X_repeated, y_repeated = repeated
    weighted, expected = make_random(batch_size=200), make_random(batch_size=200)
    getattr(weighted, method)(kind(X), y, sample_weight=WEIGHT)
    getattr(expected, method)(kind(X_repeated), y_repeated)
    _assert_close(weighted, expected, X, outputs)
    assert_allclose(weighted.loss_curve_, expected.loss_curve_, rtol=1e-6)


@each_container
@pytest.mark.parametrize("early_stopping", [False, True])
@pytest.mark.parametrize("batch_size", [16, 200])
def test_weight_zero_equals_the_row_removed(
    batch_size, early_stopping, container, make_random, outputs, X, y
):
    kind = CONTAINERS[container]
    keep = WEIGHT > 0
    params = {"batch_size": batch_size, "early_stopping": early_stopping}
    weighted = make_random(**params).fit(kind(X), y, sample_weight=keep.astype(float))
    expected = make_random(**params).fit(kind(X[keep]), y[keep])
    _assert_close(weighted, expected, X, outputs)


@pytest.mark.parametrize("batch_size", [16, 200])
def test_equal_weights_equal_no_weights(batch_size, make_random, outputs, X, y):
    expected = make_random(batch_size=batch_size).fit(X, y)
    for weight in (np.ones(50), np.full(50, 4.0), 2.0, np.ones(50, dtype=int).tolist()):
        weighted = make_random(batch_size=batch_size).fit(X, y, sample_weight=weight)
        _assert_close(weighted, expected, X, outputs)


@pytest.mark.parametrize("batch_size", [16, 200])
def test_unit_of_the_weights_does_not_matter(batch_size, make, outputs, X, y):
    expected = make(batch_size=batch_size).fit(X, y, sample_weight=WEIGHT)
    weighted = make(batch_size=batch_size).fit(X, y, sample_weight=1e3 * WEIGHT)
    _assert_close(weighted, expected, X, outputs)


def test_weights_decide_which_rows_are_fitted_well(make, y):
    rng = np.random.default_rng(0)
    X = rng.normal(size=(50, 6)) * np.where(np.arange(50) < 25, 1, 0)[:, None]
    X[25:, 3:] = rng.normal(size=(25, 3))
    X[:25, 3:] = 0.0
    weight = np.where(np.arange(50) < 25, 1.0, 1e-3)
    params = {"n_components": 3, "hidden_layer_sizes": (), "max_epochs": 300, "lr": 3e-2}
    params |= {"batch_size": 50, "tol": 0.0}
    light = make(**params).fit(X, y, sample_weight=weight[::-1])
    heavy = make(**params).fit(X, y, sample_weight=weight)
    assert heavy.score(X[:25], y[:25]) > light.score(X[:25], y[:25])
    assert heavy.score(X[25:], y[25:]) < light.score(X[25:], y[25:])


def test_score_is_weighted_as_repeated_rows(make, repeated, X, y):
    estimator = make().fit(X, y)
    assert_allclose(estimator.score(X, y, sample_weight=WEIGHT), estimator.score(*repeated))
    assert estimator.score(X, y, sample_weight=WEIGHT) != estimator.score(X, y)


def test_metadata_routing_passes_weights_through_a_pipeline(make, outputs, X, y):
    with sklearn.config_context(enable_metadata_routing=True):
        routed = make().set_fit_request(sample_weight=True).set_score_request(sample_weight=True)
        pipe = make_pipeline(MinMaxScaler(), routed)
        pipe.fit(X, y, sample_weight=WEIGHT)
        scaled = MinMaxScaler().fit_transform(X)
        by_hand = make().fit(scaled, y, sample_weight=WEIGHT)
        _assert_close(pipe[-1], by_hand, scaled, outputs)
        assert pipe.score(X, y, sample_weight=WEIGHT) == by_hand.score(
            scaled, y, sample_weight=WEIGHT
        )
        with pytest.raises(AssertionError):
            _assert_close(make().fit(scaled, y), by_hand, scaled, outputs)


def test_metadata_routing_refuses_weights_that_nobody_asked_for(make, X, y):
    with sklearn.config_context(enable_metadata_routing=True):
        pipe = make_pipeline(make())
        with pytest.raises(sklearn.exceptions.UnsetMetadataPassedError, match="sample_weight"):
            pipe.fit(X, y, sample_weight=WEIGHT)


def test_metadata_routing_passes_weights_through_a_search(make, outputs, X, y):
    with sklearn.config_context(enable_metadata_routing=True):
        routed = make().set_fit_request(sample_weight=True).set_score_request(sample_weight=True)
        search = GridSearchCV(routed, {"lr": [1e-3, 1e-1]}, cv=2, error_score="raise")
        search.fit(X, y, sample_weight=WEIGHT)
    by_hand = make(**search.best_params_).fit(X, y, sample_weight=WEIGHT)
    _assert_close(search.best_estimator_, by_hand, X, outputs)
