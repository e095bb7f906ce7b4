"""Promise 6: weight zero is equivalent to removing a sample, weight two to repeating it."""

import numpy as np
import pandas as pd
import pytest
import scipy.sparse as sp
import sklearn
from numpy.testing import assert_allclose
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import MinMaxScaler

WEIGHT = np.random.default_rng(2).integers(0, 4, size=50)
CONTAINERS = {"dense": np.asarray, "sparse": sp.csr_array}

# Every step before the net that is fitted on samples must use their weights, too.
NETS = {
    "standard": {"feature_scaling": "standard"},
    "layer norm": {"norm": "layer", "n_blocks": 1},
    "piecewise": {"numerical_embedding": "piecewise-linear", "embedding_dim": 4},
    "balanced": {"class_weight": "balanced", "label_smoothing": 0.1},
    "refit": {"early_stopping": True, "refit_full": True},
    "range": {"feature_scaling": "range", "latent_dim": 4},
    "quantiles": {"feature_scaling": "quantile", "n_critic": 2},
    "features": {"n_components": 3, "spectral_norm": True, "loss": "wgan-gp"},
    "packs": {"pac": 4, "n_modes": 3, "loss": "hinge"},
}

each_with_rows = pytest.mark.having("transform", "embed", "score_samples")
each_container = pytest.mark.parametrize("container", CONTAINERS)


def _assert_close(actual, expected, X, outputs):
    results = outputs(expected, X)
    for name, result in outputs(actual, X).items():
        assert_allclose(result, results[name], rtol=1e-6, atol=1e-6, err_msg=name)


@pytest.fixture
def repeated(X, y):
    """Repeat every sample as often as its weight."""
    order = np.repeat(np.arange(50), WEIGHT)
    return X[order], y[order]


@pytest.fixture
def assert_weights_are_repetitions(make_random, repeated, outputs, X, y):
    """Function that compares a method with weights to the same method with repeated samples."""
    X_repeated, y_repeated = repeated

    def check(method, kind):
        weighted, expected = make_random(batch_size=200), make_random(batch_size=200)
        getattr(weighted, method)(kind(X), y, sample_weight=WEIGHT)
        getattr(expected, method)(kind(X_repeated), y_repeated)
        _assert_close(weighted, expected, X, outputs)
        assert_allclose(weighted.loss_curve_, expected.loss_curve_, rtol=1e-6)

    return check


@pytest.mark.having("fit")
def test_weighted_rows_equal_repeated_rows_in_full_batches(assert_weights_are_repetitions):
    assert_weights_are_repetitions("fit", np.asarray)


@each_with_rows
@pytest.mark.taking(sparse=True)
def test_weighted_rows_equal_repeated_rows_in_full_sparse_batches(assert_weights_are_repetitions):
    assert_weights_are_repetitions("fit", sp.csr_array)


@each_container
@pytest.mark.having("partial_fit")
def test_weighted_rows_equal_repeated_rows_in_parts(container, assert_weights_are_repetitions):
    assert_weights_are_repetitions("partial_fit", CONTAINERS[container])


@pytest.mark.nets({name: NETS[name] for name in NETS if name != "refit"})
def test_weighted_rows_equal_repeated_rows_in_nets_of_every_kind(
    params, make_random, repeated, outputs, X, y
):
    weighted = make_random(batch_size=200, **params).fit(X, y, sample_weight=WEIGHT)
    _assert_close(weighted, make_random(batch_size=200, **params).fit(*repeated), X, outputs)


@pytest.mark.nets(NETS)
def test_weight_zero_equals_the_row_removed_in_nets_of_every_kind(
    params, make_random, outputs, X, y
):
    keep = WEIGHT > 0
    weighted = make_random(**params).fit(X, y, sample_weight=keep.astype(float))
    _assert_close(weighted, make_random(**params).fit(X[keep], y[keep]), X, outputs)


@pytest.mark.nets({"gaps": {"missing": "indicator"}, "generated gaps": {"pac": 2}})
@pytest.mark.having("categorical_features")
def test_rows_of_weight_zero_bring_no_categories_and_no_gaps(params, make_random, outputs, X, y):
    keep = WEIGHT > 0
    table = pd.DataFrame(X, columns=list("abcdef")).assign(
        kind=pd.Categorical(np.where(keep, np.arange(50) % 3, 3 + np.arange(50) % 2))
    )
    table.loc[~keep, "b"] = np.nan
    table.loc[::9, "c"] = np.nan
    weighted = make_random(**params).fit(table, y, sample_weight=keep.astype(float))
    expected = make_random(**params).fit(table[keep], y[keep])
    _assert_close(weighted, expected, table, outputs)


@pytest.mark.nets({"all rows": {}, "split": {"early_stopping": True}})
@pytest.mark.parametrize("batch_size", [16, 200])
@pytest.mark.matrix
def test_weight_zero_equals_the_row_removed(batch_size, params, make_random, outputs, X, y):
    keep = WEIGHT > 0
    weight = keep.astype(float)
    weighted = make_random(batch_size=batch_size, **params).fit(X, y, sample_weight=weight)
    expected = make_random(batch_size=batch_size, **params).fit(X[keep], y[keep])
    _assert_close(weighted, expected, X, outputs)


@each_with_rows
@pytest.mark.taking(sparse=True)
@pytest.mark.parametrize("batch_size", [16, 200])
@pytest.mark.matrix
def test_weight_zero_equals_the_sparse_row_removed(batch_size, make_random, outputs, X, y):
    keep, sparse = WEIGHT > 0, sp.csr_array(X)
    weight = keep.astype(float)
    weighted = make_random(batch_size=batch_size).fit(sparse, y, sample_weight=weight)
    expected = make_random(batch_size=batch_size).fit(sparse[keep], y[keep])
    _assert_close(weighted, expected, X, outputs)


@pytest.mark.parametrize("batch_size", [16, 200])
@pytest.mark.matrix
def test_equal_weights_equal_no_weights(batch_size, make_random, outputs, X, y):
    expected = make_random(batch_size=batch_size).fit(X, y)
    for weight in (np.ones(50), np.full(50, 4.0), 2.0, np.ones(50, dtype=int).tolist()):
        weighted = make_random(batch_size=batch_size).fit(X, y, sample_weight=weight)
        _assert_close(weighted, expected, X, outputs)


@pytest.mark.parametrize("batch_size", [16, 200])
@pytest.mark.matrix
def test_unit_of_the_weights_does_not_matter(batch_size, make, outputs, X, y):
    expected = make(batch_size=batch_size).fit(X, y, sample_weight=WEIGHT)
    weighted = make(batch_size=batch_size).fit(X, y, sample_weight=1e3 * WEIGHT)
    _assert_close(weighted, expected, X, outputs)


@pytest.mark.having("embed")
@pytest.mark.parametrize("heavy", [0, 1])
def test_weights_decide_between_rows_that_contradict_each_other(heavy, make, X):
    rows, y = np.vstack([X, X]), np.repeat([0, 1], 50)
    weight = np.where(y == heavy, 1.0, 1e-3)
    estimator = make(max_epochs=20, lr=1e-2, batch_size=100).fit(rows, y, sample_weight=weight)
    np.testing.assert_allclose(estimator.predict(X), heavy, atol=0.1)


@pytest.mark.having("class_weight")
@pytest.mark.parametrize("class_weight", [{0: 1.0, 1: 3.0}, {1: 3}, "balanced"])
def test_class_weight_equals_the_weight_of_its_rows(class_weight, make_random, outputs, X):
    y = (np.arange(50) % 5 == 0).astype(int)
    heavy = 4.0 if class_weight == "balanced" else 3.0
    by_rows = make_random().fit(X, y, sample_weight=np.where(y == 1, heavy, 1.0))
    by_class = make_random(class_weight=class_weight).fit(X, y)
    _assert_close(by_class, by_rows, X, outputs)
    both = make_random(class_weight=class_weight).fit(X, y, sample_weight=np.full(50, 2.0))
    _assert_close(both, by_rows, X, outputs)


@pytest.mark.having("inverse_transform")
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


@pytest.mark.having("score")
def test_score_is_weighted_as_repeated_rows(make, repeated, X, y):
    estimator = make().fit(X, y)
    assert_allclose(estimator.score(X, y, sample_weight=WEIGHT), estimator.score(*repeated))
    assert estimator.score(X, y, sample_weight=WEIGHT) != estimator.score(X, y)


def _routed(estimator):
    """Request weights for all methods of the estimator that accept them."""
    estimator.set_fit_request(sample_weight=True)
    if hasattr(estimator, "score"):
        estimator.set_score_request(sample_weight=True)
    return estimator


def test_metadata_routing_passes_weights_through_a_pipeline(make, outputs, X, y):
    with sklearn.config_context(enable_metadata_routing=True):
        pipe = make_pipeline(MinMaxScaler(), _routed(make()))
        pipe.fit(X, y, sample_weight=WEIGHT)
        scaled = MinMaxScaler().fit_transform(X)
        by_hand = make().fit(scaled, y, sample_weight=WEIGHT)
        _assert_close(pipe[-1], by_hand, scaled, outputs)
        if hasattr(by_hand, "score"):
            expected = by_hand.score(scaled, y, sample_weight=WEIGHT)
            assert pipe.score(X, y, sample_weight=WEIGHT) == expected
        with pytest.raises(AssertionError):
            _assert_close(make().fit(scaled, y), by_hand, scaled, outputs)


def test_metadata_routing_refuses_weights_that_nobody_asked_for(make, X, y):
    with sklearn.config_context(enable_metadata_routing=True):
        pipe = make_pipeline(make())
        with pytest.raises(sklearn.exceptions.UnsetMetadataPassedError, match="sample_weight"):
            pipe.fit(X, y, sample_weight=WEIGHT)


def test_metadata_routing_passes_weights_through_a_search(
    Estimator, make, grid, score, outputs, X, y
):
    # weights are no matter of the score of what has none of its own
    options = {} if hasattr(Estimator, "score") else {"scoring": score}
    with sklearn.config_context(enable_metadata_routing=True):
        search = GridSearchCV(_routed(make()), grid, cv=2, error_score="raise", **options)
        search.fit(X, y, sample_weight=WEIGHT)
    by_hand = make(**search.best_params_).fit(X, y, sample_weight=WEIGHT)
    _assert_close(search.best_estimator_, by_hand, X, outputs)
