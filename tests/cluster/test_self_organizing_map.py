"""Self-organizing map."""

import pickle

import numpy as np
import pytest
from minisom import MiniSom
from sklearn.datasets import load_digits, load_iris
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import adjusted_rand_score, pairwise_distances
from sklearn.metrics.pairwise import nan_euclidean_distances
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from skdeep.cluster import SelfOrganizingMap

IRIS, SPECIES = load_iris(return_X_y=True)
DIGITS, NUMBERS = load_digits(return_X_y=True)
DIGITS = DIGITS / 16
LINE = np.random.default_rng(0).uniform(size=(500, 1))
BLOBS = np.concatenate([np.random.default_rng(i).normal(8 * i, 1, (60, 3)) for i in range(3)])
ON_CPU = {"device": "cpu", "random_state": 0}


def make(shape=(6, 8), **params):
    """Map on the CPU."""
    return SelfOrganizingMap(shape, **{**ON_CPU, **params})


def squared_distances(som, *, periodic=False):
    """Squared distances between all units on the grid of a fitted map."""
    difference = np.abs(som.unit_coordinates_[:, None] - som.unit_coordinates_)
    if periodic:
        height = 0.75**0.5 if som.topology == "hexagonal" else 1.0
        difference = np.minimum(difference, np.array([8, 6 * height]) - difference)
    return (difference**2).sum(axis=2).round(9)


NEIGHBORHOODS = {
    "gaussian": lambda squared, radius: np.exp(-squared / (2 * radius**2)),
    "bubble": lambda squared, radius: (squared <= radius**2).astype(float),
    "triangle": lambda squared, radius: np.maximum(0, 1 - np.sqrt(squared) / radius),
    "mexican_hat": lambda squared, radius: (
        (1 - squared / (2 * radius**2)) * np.exp(-squared / (2 * radius**2))
    ),
}


# Known answers -----------------------------------------------------------------------------


@pytest.mark.parametrize("algorithm", ["batch", "minibatch", "online"])
@pytest.mark.parametrize("init", ["pca", "random"])
def test_units_on_a_line_order_themselves(algorithm, init):
    som = make((1, 10), algorithm=algorithm, init=init, batch_size=50).fit(LINE)
    steps = np.diff(som.cluster_centers_[:, 0])
    assert (steps > 0).all() or (steps < 0).all()
    assert abs(steps).max() < 3 * abs(steps).min()


@pytest.mark.parametrize("shape", ["auto", (10, 10)])
def test_default_map_of_iris_is_accurate_and_in_order(shape):
    som = make(shape).fit(StandardScaler().fit_transform(IRIS))
    X = StandardScaler().fit_transform(IRIS)
    assert som.quantization_error(X) < 0.35
    assert som.topographic_error(X) < 0.06


def test_map_of_digits_reaches_the_figures_of_other_packages():
    som = make((10, 10)).fit(DIGITS)
    assert som.quantization_error(DIGITS) <= 1.225
    assert som.topographic_error(DIGITS) <= 0.10
    iris = make((10, 10)).fit(IRIS)
    assert iris.quantization_error(IRIS) <= 0.207
    assert iris.topographic_error(IRIS) <= 0.04


def test_hexagonal_neighbors_are_six_and_at_distance_one():
    som = make(topology="hexagonal", periodic=True).fit(IRIS)
    assert (np.isclose(squared_distances(som, periodic=True), 1).sum(axis=1) == 6).all()
    flat = make(topology="hexagonal").fit(IRIS)
    n_neighbors = np.isclose(squared_distances(flat), 1).sum(axis=1).reshape(6, 8)
    assert (n_neighbors[1:-1, 1:-1] == 6).all()
    assert n_neighbors.max() == 6


def test_opposite_sides_of_a_torus_are_adjacent():
    angle = np.linspace(0, 2 * np.pi, 200, endpoint=False)
    circle = np.column_stack([np.cos(angle), np.sin(angle)])
    ring = make((1, 12), periodic=True, init="random").fit(circle)
    line = make((1, 12), init="random").fit(circle)
    assert np.linalg.norm(ring.cluster_centers_[0] - ring.cluster_centers_[-1]) < 1
    assert np.linalg.norm(line.cluster_centers_[0] - line.cluster_centers_[-1]) > 0.2
    assert ring.topographic_error(circle) == 0
    assert 0 < ring.u_matrix_.std() < 0.2 * ring.u_matrix_.mean()


def test_auto_shape_has_five_times_the_root_of_the_number_of_distinct_samples():
    X = np.random.default_rng(0).normal(size=(400, 5)) * [3, 1, 0.1, 0.1, 0.1]
    n_rows, n_columns = make("auto").fit(X).shape_
    assert abs(n_rows * n_columns - 100) <= 10
    assert 2 < n_columns / n_rows < 4
    assert make("auto").fit(np.tile(X, (3, 1))).shape_ == (n_rows, n_columns)
    assert make("auto", topology="hexagonal", periodic=True).fit(X).shape_[0] % 2 == 0
    assert make("auto").fit(LINE).shape_ == (1, 112)


def test_many_features_are_placed_on_their_principal_plane_too():
    rng = np.random.default_rng(0)
    X = rng.normal(size=(100, 2)) * [5, 2] @ rng.normal(size=(2, 600))
    X += 0.01 * rng.normal(size=X.shape)
    som = make((4, 9), max_epochs=1, algorithm="online", learning_rate=1e-12).fit(X)
    mean, (_, _, axes) = X.mean(axis=0), np.linalg.svd(X - X.mean(axis=0))
    inside = (som.cluster_centers_ - mean) @ axes[:2].T @ axes[:2]
    np.testing.assert_allclose(som.cluster_centers_ - mean, inside, atol=1e-3)


# References --------------------------------------------------------------------------------


@pytest.mark.parametrize("periodic", [False, True])
@pytest.mark.parametrize("topology", ["rectangular", "hexagonal"])
@pytest.mark.parametrize("neighborhood", NEIGHBORHOODS)
def test_batch_epoch_is_the_formula(neighborhood, topology, periodic):
    grid = {"neighborhood": neighborhood, "topology": topology, "periodic": periodic}
    som = make(radius=1.7, **grid).partial_fit(IRIS)
    before = som.cluster_centers_
    som.partial_fit(IRIS)
    distances = pairwise_distances(IRIS, before)
    hits = np.eye(48)[distances.argmin(axis=1)]
    kernel = NEIGHBORHOODS[neighborhood](squared_distances(som, periodic=periodic), 1.7)
    total = (abs(kernel) @ hits.sum(axis=0))[:, None]
    push = kernel @ hits.T @ IRIS - (kernel @ hits.sum(axis=0))[:, None] * before
    expected = before + np.divide(push, total, where=total > 0, out=np.zeros_like(push))
    np.testing.assert_allclose(som.cluster_centers_, expected, rtol=0, atol=1e-9)
    assert som.loss_curve_[1] == pytest.approx(distances.min(axis=1).mean(), rel=1e-5)


@pytest.mark.parametrize("metric", ["euclidean", "cosine", "manhattan"])
@pytest.mark.parametrize("n_epochs", [1, 3])
def test_online_training_equals_minisom(metric, n_epochs):
    params = {"algorithm": "online", "shuffle": False, "metric": metric, "max_epochs": n_epochs}
    still = make(learning_rate=1e-300, **{**params, "max_epochs": 1}).fit(IRIS)
    reference = MiniSom(
        6,
        8,
        4,
        sigma=3,
        learning_rate=0.5,
        activation_distance=metric,
        decay_function="linear_decay_to_zero",
        sigma_decay_function="linear_decay_to_one",
    )
    reference.get_weights()[:] = still.cluster_centers_.reshape(6, 8, 4)
    reference.train(IRIS, n_epochs * len(IRIS))
    som = make(radius=(3, 1), learning_rate=(0.5, 0), decay="linear", **params).fit(IRIS)
    expected = reference.get_weights().reshape(48, 4)
    np.testing.assert_allclose(som.cluster_centers_, expected, rtol=0, atol=1e-6)
    if metric == "euclidean":
        assert som.quantization_error(IRIS) == pytest.approx(reference.quantization_error(IRIS))
        assert som.topographic_error(IRIS) == pytest.approx(reference.topographic_error(IRIS))


@pytest.mark.parametrize("metric", ["euclidean", "cosine", "manhattan"])
def test_transform_is_the_distance_of_scikit_learn(metric):
    som = make(metric=metric).fit(IRIS)
    expected = pairwise_distances(IRIS, som.cluster_centers_, metric=metric)
    np.testing.assert_allclose(som.transform(IRIS), expected, atol=1e-7)
    np.testing.assert_array_equal(som.predict(IRIS), expected.argmin(axis=1))
    assert som.quantization_error(IRIS) == pytest.approx(expected.min(axis=1).mean(), rel=1e-6)


def test_small_distances_are_exact_far_from_the_origin():
    X = (IRIS + 1000).astype(np.float32)
    som = make().fit(X)
    expected = pairwise_distances(X.astype(float), som.cluster_centers_.astype(float))
    np.testing.assert_allclose(som.transform(X), expected, atol=2e-3)


def test_u_matrix_is_the_mean_distance_to_adjacent_units():
    som = make((3, 4)).fit(IRIS)
    weights = som.cluster_centers_.reshape(3, 4, 4)
    corner = [weights[0, 1], weights[1, 0], weights[1, 1]]
    expected = np.linalg.norm(corner - weights[0, 0], axis=1).mean()
    assert som.u_matrix_[0, 0] == pytest.approx(expected)
    assert som.u_matrix_.shape == som.shape_ == (3, 4)


# Parts and repetitions ---------------------------------------------------------------------


@pytest.mark.parametrize("algorithm", ["batch", "minibatch", "online"])
def test_as_many_parts_as_epochs_are_a_fit(algorithm):
    whole = make(algorithm=algorithm, max_epochs=5, batch_size=40).fit(IRIS)
    parts = make(algorithm=algorithm, max_epochs=5, batch_size=40)
    for number in range(5):
        parts.partial_fit(IRIS)
        assert parts.n_iter_ == number + 1
        parts = pickle.loads(pickle.dumps(parts))
    np.testing.assert_array_equal(parts.cluster_centers_, whole.cluster_centers_)
    assert parts.loss_curve_ == whole.loss_curve_


@pytest.mark.parametrize("missing", ["error", "ignore"])
@pytest.mark.parametrize("algorithm", ["batch", "minibatch", "online"])
@pytest.mark.parametrize("metrics", [("euclidean", "cosine"), ("cosine", "manhattan")])
def test_metric_may_change_between_parts(metrics, algorithm, missing):
    first, second = metrics
    som = make(metric=first, algorithm=algorithm, missing=missing, batch_size=40).fit(IRIS)
    som.set_params(metric=second, learning_rate=1e-6, radius=0.1)
    before = som.cluster_centers_
    som.partial_fit(IRIS)
    nearest = pairwise_distances(IRIS, before, metric=second).argmin(axis=1)
    expected = pairwise_distances(IRIS, som.cluster_centers_, metric=second)
    np.testing.assert_allclose(som.transform(IRIS), expected, atol=1e-7)
    if algorithm == "batch":
        expected = [IRIS[nearest == unit].mean(axis=0) for unit in np.unique(nearest)]
        np.testing.assert_allclose(som.cluster_centers_[np.unique(nearest)], expected, rtol=1e-6)
    elif algorithm == "minibatch":  # means of the samples so far
        assert (som.cluster_centers_ > IRIS.min(axis=0) - 1e-9).all()
        assert (som.cluster_centers_ < IRIS.max(axis=0) + 1e-9).all()
    else:
        np.testing.assert_allclose(som.cluster_centers_, before, atol=1e-3)


@pytest.mark.parametrize("algorithm", ["minibatch", "online"])
def test_stream_of_parts_finds_all_clusters(algorithm):
    som = make((1, 3), algorithm=algorithm, radius=(1, 0.1), batch_size=20)
    order = np.random.default_rng(0).permutation(len(BLOBS))
    for part in np.array_split(order, 30):
        som.partial_fit(BLOBS[part])
    assert adjusted_rand_score(np.repeat(range(3), 60), som.predict(BLOBS)) == 1


@pytest.mark.parametrize("missing", ["error", "ignore"])
@pytest.mark.parametrize("metric", ["euclidean", "cosine", "manhattan"])
@pytest.mark.parametrize("topology", ["rectangular", "hexagonal"])
def test_weights_equal_repetitions(topology, metric, missing):
    X = IRIS.copy()
    X[::7, 1] = np.nan if missing == "ignore" else 1.0
    weight = np.random.default_rng(0).integers(0, 4, size=len(X))
    params = {"topology": topology, "metric": metric, "missing": missing}
    weighted = make("auto", **params).fit(X, sample_weight=weight)
    repeated = make("auto", **params).fit(np.repeat(X, weight, axis=0))
    np.testing.assert_allclose(weighted.cluster_centers_, repeated.cluster_centers_, rtol=1e-6)
    np.testing.assert_array_equal(weighted.labels_[weight > 0], weighted.predict(X[weight > 0]))


def test_constant_radius_trains_until_weights_stop_changing():
    som = make(radius=1.0, max_epochs=1000, tol=0.0).fit(IRIS)
    assert som.n_iter_ < 1000
    again = make(radius=1.0, max_epochs=som.n_iter_ + 50, tol=0.0).fit(IRIS)
    np.testing.assert_array_equal(again.cluster_centers_, som.cluster_centers_)
    assert make(radius=1.0, max_epochs=1000, tol=0.1).fit(IRIS).n_iter_ < som.n_iter_


# Missing values ----------------------------------------------------------------------------


def with_gaps(X, fraction=0.2):
    """Samples without some of their values, though not without all."""
    is_missing = np.random.default_rng(0).uniform(size=X.shape) < fraction
    is_missing[is_missing.all(axis=1)] = False
    return np.where(is_missing, np.nan, X)


def test_missing_values_are_ignored_in_distances():
    X = with_gaps(IRIS)
    som = make(missing="ignore").fit(X)
    expected = nan_euclidean_distances(X, som.cluster_centers_)
    np.testing.assert_allclose(som.transform(X), expected, atol=1e-6)
    complete, plain = make(missing="ignore").fit(IRIS), make().fit(IRIS)
    np.testing.assert_allclose(complete.cluster_centers_, plain.cluster_centers_, rtol=1e-6)


@pytest.mark.parametrize("algorithm", ["batch", "minibatch", "online"])
@pytest.mark.parametrize("metric", ["euclidean", "cosine", "manhattan"])
def test_imputed_values_are_better_than_means(metric, algorithm):
    X = with_gaps(IRIS)
    params = {"metric": metric, "algorithm": algorithm, "batch_size": 50}
    imputed = make(missing="ignore", **params).fit(X).impute(X)
    is_missing = np.isnan(X)
    np.testing.assert_array_equal(imputed[~is_missing], X[~is_missing])
    errors = (imputed - IRIS)[is_missing], (np.nanmean(X, axis=0) - IRIS)[is_missing.any(axis=1)]
    assert (errors[0] ** 2).mean() < 0.4 * (errors[1] ** 2).mean()


def test_map_of_complete_samples_imputes_new_ones():
    som = make().fit(IRIS)
    assert np.isfinite(som.impute(with_gaps(IRIS))).all()
    with pytest.raises(ValueError, match="contains NaN"):
        som.predict(with_gaps(IRIS))
    assert som.impute(IRIS.astype(np.float32)).dtype == np.float32


@pytest.mark.parametrize("method", ["fit", "predict", "impute"])
def test_samples_without_values_are_refused(method):
    X = IRIS.copy()
    X[17] = np.nan
    som = make(missing="ignore").fit(IRIS)
    with pytest.raises(ValueError, match=r"observed value in each sample; got .* sample 17\. Drop"):
        getattr(som, method)(X)


def test_features_without_values_are_refused():
    X = np.column_stack([IRIS, np.full(150, np.nan)])
    with pytest.raises(ValueError, match=r"observed value in each feature.*features \[4\]\. Drop"):
        make(missing="ignore").fit(X)


# Clusters of units -------------------------------------------------------------------------


@pytest.mark.parametrize("metric", ["euclidean", "manhattan"])
def test_second_level_finds_clusters_that_are_connected_on_the_map(metric):
    som = make(n_clusters=3, metric=metric).fit(BLOBS)
    assert adjusted_rand_score(np.repeat(range(3), 60), som.labels_) == 1
    np.testing.assert_array_equal(som.predict(BLOBS), som.labels_)
    units = som.transform(BLOBS).argmin(axis=1)
    np.testing.assert_array_equal(som.unit_labels_[units], som.labels_)
    plain = make(metric=metric).fit(BLOBS)
    np.testing.assert_array_equal(units, plain.labels_)
    assert not hasattr(som.set_params(n_clusters=None).fit(BLOBS), "unit_labels_")


@pytest.mark.parametrize("size", [1.0, -1e100, 1e308])
def test_units_around_a_single_sample_have_clusters(size):
    assert make(n_clusters=3).fit([[size]]).predict([[size]]) in (0, 1, 2)


def test_map_is_a_step_of_a_pipeline():
    som = make((3, 4)).set_output(transform="pandas")
    pipe = make_pipeline(StandardScaler(), som, LogisticRegression(max_iter=2000))
    assert pipe.fit(IRIS, SPECIES).score(IRIS, SPECIES) > 0.9
    assert list(som.transform(IRIS[:2]).columns) == list(som.get_feature_names_out())
    assert som.get_feature_names_out()[11] == "selforganizingmap11"


def test_hits_and_units_lie_where_the_grid_has_them():
    som = make((3, 5), topology="hexagonal").fit(IRIS)
    hits = som.hit_counts(IRIS)
    assert hits.shape == (3, 5) and hits.sum() == 150
    assert hits[1, 2] == (som.labels_ == 7).sum()
    np.testing.assert_allclose(som.unit_coordinates_[[0, 4, 5]], [[0, 0], [4, 0], [0.5, 0.75**0.5]])
    weight = np.arange(150.0)
    assert som.hit_counts(IRIS, sample_weight=weight)[1, 2] == weight[som.labels_ == 7].sum()
    nearest, repeated = som.transform(IRIS).min(axis=1), np.repeat(IRIS, np.arange(150), axis=0)
    error = som.quantization_error(IRIS, sample_weight=weight)
    assert error == pytest.approx(np.average(nearest, weights=weight))
    error = som.topographic_error(IRIS, sample_weight=weight)
    assert error == pytest.approx(som.topographic_error(repeated))
