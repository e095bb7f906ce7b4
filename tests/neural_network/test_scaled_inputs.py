"""Effects of feature scaling and numerical embeddings."""

import numpy as np
import pytest
import scipy.sparse as sp
from sklearn.datasets import load_diabetes, load_iris
from sklearn.preprocessing import StandardScaler

from skdeep.neural_network import ResNetClassifier, ResNetRegressor

X, Y = (part[:150] for part in load_diabetes(return_X_y=True))
IRIS, SPECIES = load_iris(return_X_y=True)


def small(Class=ResNetRegressor, **parameters):
    """Fast net."""
    defaults = {"n_blocks": 1, "width": 16, "max_epochs": 5, "embedding_dim": 4}
    defaults |= {"norm": "batch", "numerical_embedding": None, "early_stopping": False}
    defaults |= {"lr": 1e-3, "weight_decay": 1e-5, "device": "cpu", "random_state": 0}
    return Class(**{**defaults, **parameters})


@pytest.mark.parametrize("batch_size", [32, 1000])
@pytest.mark.parametrize("transform", [np.exp, lambda X: X**3, lambda X: 1e9 * X + 1e9], ids="ecu")
def test_increasing_transforms_of_features_change_nothing(transform, batch_size):
    reg = small(batch_size=batch_size, feature_scaling="quantile")
    expected = reg.fit(X, Y).predict(X)
    moved = transform(X)
    predictions = reg.fit(moved, Y).predict(moved)
    np.testing.assert_allclose(predictions, expected, rtol=1e-5)


def test_standard_scaling_is_standard_scalers():
    expected = small(feature_scaling=None).fit(StandardScaler().fit_transform(X), Y)
    actual = small(feature_scaling="standard").fit(X, Y)
    scaled = StandardScaler().fit_transform(X)
    np.testing.assert_allclose(actual.predict(X), expected.predict(scaled), rtol=1e-4)


@pytest.mark.parametrize("kind", ["global", "standard", "quantile"])
def test_unit_and_origin_of_all_features_do_no_harm(kind):
    moved = 1e6 * IRIS + 1e7
    clf = small(ResNetClassifier, feature_scaling=kind, max_epochs=50, lr=0.01)
    assert clf.fit(moved, SPECIES).score(moved, SPECIES) > 0.93


@pytest.mark.parametrize("kind", ["standard", "quantile"])
def test_features_may_have_units_of_their_own(kind):
    moved = IRIS * [1e-6, 1.0, 1e3, 1e6]
    clf = small(ResNetClassifier, feature_scaling=kind, max_epochs=50, lr=0.01)
    assert clf.fit(moved, SPECIES).score(moved, SPECIES) > 0.93


def test_outliers_do_no_harm():
    spoilt = IRIS.copy()
    spoilt[::50] *= -1e12
    clf = small(ResNetClassifier, max_epochs=50, lr=0.01).fit(spoilt, SPECIES)
    assert clf.score(IRIS, SPECIES) > 0.9
    far = np.concatenate([1e200 * IRIS, -1e200 * IRIS])
    assert np.isfinite(clf.decision_function(far)).all()


def test_default_scaling_is_robust_for_tables_and_standard_for_sparse_ones():
    default, robust = (small(feature_scaling=kind).fit(X, Y) for kind in ("auto", "robust"))
    np.testing.assert_array_equal(default.predict(X), robust.predict(X))
    rows = sp.csr_array(np.where(np.abs(X) < 0.03, 0, X))
    sparse, standard = (small(feature_scaling=kind).fit(rows, Y) for kind in ("auto", "standard"))
    np.testing.assert_array_equal(sparse.predict(rows), standard.predict(rows))
    assert not np.array_equal(sparse.predict(rows), small().fit(rows.toarray(), Y).predict(rows))


@pytest.mark.parametrize("kind", ["global", "standard", "quantile", None])
def test_sparse_rows_are_read_as_dense_ones(kind):
    rows = np.where(np.abs(X) < 0.03, 0, X)
    for batch_size in (32, 1000):
        options = {"feature_scaling": kind, "batch_size": batch_size}
        expected = small(**options).fit(rows, Y)
        actual = small(**options).fit(sp.csr_array(rows), Y)
        np.testing.assert_allclose(actual.predict(rows), expected.predict(rows), rtol=1e-5)
        np.testing.assert_allclose(actual.predict(sp.csc_array(rows)), actual.predict(rows))


@pytest.mark.parametrize("kind", ["quantile", "standard"])
@pytest.mark.parametrize("embedding", [None, "periodic", "piecewise-linear"])
def test_order_of_rows_does_not_matter_in_a_full_batch(embedding, kind):
    order = np.random.default_rng(0).permutation(150)
    options = {"numerical_embedding": embedding, "feature_scaling": kind, "batch_size": 1000}
    expected = small(**options).fit(X, Y).predict(X)
    predictions = small(**options).fit(X[order], Y[order]).predict(X)
    np.testing.assert_allclose(predictions, expected, rtol=1e-6)


@pytest.mark.parametrize("kind", ["quantile", "standard"])
@pytest.mark.parametrize("embedding", [None, "periodic", "piecewise-linear"])
def test_weights_are_repetitions_with_every_scaling_and_embedding(embedding, kind):
    weight = np.random.default_rng(0).integers(0, 4, size=150)
    order = np.repeat(np.arange(150), weight)
    options = {"numerical_embedding": embedding, "feature_scaling": kind, "batch_size": 1000}
    expected = small(**options).fit(X[order], Y[order]).predict(X)
    weighted = small(**options).fit(X, Y, sample_weight=weight).predict(X)
    np.testing.assert_allclose(weighted, expected, rtol=1e-5)


@pytest.mark.parametrize("embedding", ["periodic", "piecewise-linear"])
def test_embedding_of_numbers_learns_what_jumps(embedding):
    rows = np.random.default_rng(0).uniform(-1, 1, size=(600, 2))
    y = np.sign(np.sin(8 * rows[:, 0])) + (rows[:, 1] > 0.5)
    options = {"max_epochs": 20, "lr": 5e-3, "batch_size": 64, "dropout": 0.0}
    options |= {"frequency_scale": 0.5, "embedding_dim": 8}
    embedded = small(numerical_embedding=embedding, **options).fit(rows[:400], y[:400])
    plain = small(**options).fit(rows[:400], y[:400])
    test = rows[400:], y[400:]
    assert embedded.score(*test) > 0.7
    assert 1 - embedded.score(*test) < 0.7 * (1 - plain.score(*test))


@pytest.mark.parametrize("embedding", ["periodic", "piecewise-linear"])
@pytest.mark.parametrize("n_values", [1, 2, 3])
def test_embedding_takes_features_of_few_values(n_values, embedding):
    rows = np.column_stack([np.arange(60) % n_values, np.zeros(60)]).astype(float)
    options = {"max_epochs": 40, "lr": 0.01, "norm": "layer", "dropout": 0.0}
    reg = small(numerical_embedding=embedding, **options).fit(rows, rows[:, 0])
    assert np.isfinite(reg.predict(rows + 5)).all()
    if n_values > 1:
        assert reg.score(rows, rows[:, 0]) > 0.8


@pytest.mark.parametrize("kind", ["robust", "quantile", "standard", None])
@pytest.mark.parametrize("norm", [None, "layer"])
def test_values_outside_of_narrow_bins_are_predicted_as_those_at_their_ends(kind, norm):
    rng = np.random.default_rng(0)
    rows = np.clip(rng.normal(size=(200, 3)), -1, 1) + 1e-5 * rng.normal(size=(200, 3))
    y = np.where(rows > 0.999, 3.0, rows).sum(axis=1) + rng.normal(scale=0.3, size=200)
    options = {"numerical_embedding": "piecewise-linear", "norm": norm, "feature_scaling": kind}
    reg = small(max_epochs=60, lr=0.01, batch_size=1000, **options).fit(rows, y)
    assert reg.score(rows, y) > 0.8
    beyond = rng.choice([-1.3, 1.3], size=(200, 3))
    assert np.abs(reg.predict(beyond) - reg.predict(beyond / 1.3)).max() < 0.5 * np.ptp(y)


@pytest.mark.parametrize("kind", ["robust", None])
@pytest.mark.parametrize("n_values", [4, 200])
def test_bins_are_wide_enough_for_single_precision(n_values, kind):
    rng = np.random.default_rng(0)
    values = np.geomspace(1e-45, 1.0, n_values)
    rows = np.where(rng.random((300, 1)) < 0.6, 0.0, rng.choice(values, size=(300, 1)))
    options = {"numerical_embedding": "piecewise-linear", "feature_scaling": kind}
    is_larger = rows[:, 0] > 1e-20
    clf = small(ResNetClassifier, max_epochs=60, lr=0.01, **options).fit(rows, is_larger)
    assert clf.score(rows, is_larger) > 0.95


@pytest.mark.parametrize("weight", [1e17, 1e20, 1e300])
def test_bins_separate_the_samples_beside_one_of_almost_all_weight(weight):
    # the weights of the others are rounded away in a sum of all
    rows, weights = np.arange(200.0)[:, np.newaxis], np.r_[weight, np.ones(199)]
    clf = small(ResNetClassifier, numerical_embedding="piecewise-linear")
    clf.fit(rows, np.arange(200) % 2, weights)
    assert len(np.unique(clf.predict_proba(rows)[:, 0])) > 48
