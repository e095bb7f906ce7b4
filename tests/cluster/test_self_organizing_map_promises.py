"""Self-organizing map: promises in ways that only it can break, and errors."""

import copy

import numpy as np
import pytest
import scipy.sparse as sp
import torch
from sklearn.base import clone
from sklearn.datasets import load_iris

from skdeep.cluster import SelfOrganizingMap
from skdeep.exceptions import DivergenceError

IRIS = load_iris().data
ALGORITHMS = ["batch", "minibatch", "online"]
each_algorithm = pytest.mark.parametrize("algorithm", ALGORITHMS)
each_metric = pytest.mark.parametrize("metric", ["euclidean", "cosine", "manhattan"])


def make(shape=(4, 5), **params):
    """Small map on the CPU."""
    return SelfOrganizingMap(
        shape, **{"device": "cpu", "random_state": 0, "max_epochs": 5, **params}
    )


class Interrupt:
    """Callback that simulates Ctrl-C after some epochs."""

    def __init__(self, n_epochs=1):
        self.n_left = n_epochs

    def setup(self, estimator, context):
        pass

    def on_fit_task_begin(self, estimator, context, **kwargs):
        pass

    def on_fit_task_end(self, estimator, context, **kwargs):
        self.n_left -= context.task_name == "epoch"
        if not self.n_left:
            raise KeyboardInterrupt

    def teardown(self, estimator, context):
        pass


# Errors ------------------------------------------------------------------------------------


REFUSED = {
    "one side": ({"shape": (3,)}, "shape must be 'auto' or two positive integers"),
    "no units": ({"shape": (0, 3)}, r"shape must be .*got \(0, 3\).*use \(1, n_units\)"),
    "half a unit": ({"shape": (2.5, 3)}, "shape must be"),
    "booleans": ({"shape": (True, True)}, "shape must be"),
    "odd torus": (
        {"shape": (3, 4), "topology": "hexagonal", "periodic": True},
        "even number of rows .*; got 3 rows",
    ),
    "clusters": ({"n_clusters": 21}, "n_clusters must be <= the number of units; .* 20 units"),
    "radius": ({"radius": (3, 0)}, r"radius must be a positive number.*; got \(3, 0\)"),
    "radii": ({"radius": (3, 2, 1)}, "radius must be"),
    "infinite radius": ({"radius": (np.inf, 1)}, "radius must be"),
    "infinite final radius": ({"radius": (1, np.inf)}, "radius must be"),
    "rate": ({"learning_rate": (2, 0.1)}, "learning_rate must be .* final one, at most 1; got"),
    "rate of zero": ({"learning_rate": (0.5, 0)}, "got .*with decay='exponential'"),
    "words": ({"learning_rate": ("fast", "slow")}, "learning_rate must be"),
    "topology": ({"topology": "triangular"}, "'topology' parameter"),
    "epochs": ({"max_epochs": 0}, "'max_epochs' parameter"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_parameters_that_make_no_sense_are_refused(case):
    params, message = REFUSED[case]
    som = make(**params)
    with pytest.raises(ValueError, match=message):
        som.fit(IRIS)
    assert not [name for name in vars(som) if name.endswith("_")]


@pytest.mark.parametrize("container", [np.asarray, sp.csr_array, sp.csr_matrix])
@pytest.mark.parametrize("missing", ["error", "ignore"])
def test_absurdly_large_values_are_refused(missing, container):
    X = IRIS * 1e200
    X[0, 0] = np.nan if missing == "ignore" else 0
    som, X = make(missing=missing), container(X)
    with pytest.raises(ValueError, match=r"for finite variances; got .* 7\.9e\+200\. Scale"):
        clone(som).fit(X)
    with pytest.raises(ValueError, match=r"for finite distances; .* 7\.9e\+200\. Scale"):
        som.fit(IRIS).transform(X)


@pytest.mark.parametrize(
    "params", [{"shape": (5, 4)}, {"topology": "hexagonal"}, {"periodic": True}]
)
@each_algorithm
def test_partial_fit_on_another_grid_is_refused_and_changes_nothing(algorithm, params):
    som = make(algorithm=algorithm).fit(IRIS)
    before = copy.deepcopy(som)
    name = next(iter(params))
    old = {name: getattr(som, name)}
    with pytest.raises(ValueError, match=rf"new values of \['{name}'\]. Fit a clone"):
        som.set_params(**params).partial_fit(IRIS)
    after, expected = som.set_params(**old).partial_fit(IRIS), before.partial_fit(IRIS)
    np.testing.assert_array_equal(after.cluster_centers_, expected.cluster_centers_)
    assert after.loss_curve_ == expected.loss_curve_
    assert clone(som).set_params(**params).fit(IRIS).n_iter_ == 5


@pytest.mark.parametrize("shapes", [("auto", [4, 15]), ((4, 15), "auto"), ((4, 15), np.r_[4, 15])])
def test_partial_fit_takes_the_same_shape_in_other_words(shapes):
    som, expected = (make(shapes[0]).fit(IRIS) for _ in range(2))
    assert som.shape_ == (4, 15)
    som.set_params(shape=shapes[1]).partial_fit(IRIS)
    np.testing.assert_array_equal(som.cluster_centers_, expected.partial_fit(IRIS).cluster_centers_)


@pytest.mark.parametrize("way", ["fit", "partial_fit"])
def test_divergence_leaves_a_fitted_map_as_it_was(way):
    som = make().fit(IRIS)
    before = copy.deepcopy(som)
    som.set_params(init="random")
    error, message = {
        "fit": (ValueError, "for finite variances"),
        "partial_fit": (DivergenceError, r"stopped being finite in epoch 6.*Lower radius"),
    }[way]
    with pytest.raises(error, match=message):
        getattr(som, way)(IRIS * 1e160)
    assert som.loss_curve_ == before.loss_curve_
    np.testing.assert_array_equal(som.transform(IRIS), before.transform(IRIS))


@pytest.mark.parametrize("way", ["fit", "partial_fit"])
@each_algorithm
def test_interrupt_leaves_a_map_as_it_was(algorithm, way):
    som = make(algorithm=algorithm).set_callbacks(Interrupt())
    with pytest.raises(KeyboardInterrupt):
        som.fit(IRIS)
    assert not [name for name in vars(som) if name.endswith("_") and name[0] != "_"]
    fitted = make(algorithm=algorithm).fit(IRIS)
    before = copy.deepcopy(fitted)
    with pytest.raises(KeyboardInterrupt):
        getattr(fitted.set_callbacks(Interrupt()), way)(IRIS)
    after, expected = fitted.set_callbacks().partial_fit(IRIS), before.partial_fit(IRIS)
    np.testing.assert_array_equal(after.cluster_centers_, expected.cluster_centers_)
    assert after.loss_curve_ == expected.loss_curve_


# Any data ----------------------------------------------------------------------------------


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("topology", ["rectangular", "hexagonal"])
@pytest.mark.parametrize("neighborhood", ["gaussian", "bubble", "triangle", "mexican_hat"])
def test_extreme_radii_are_a_single_unit_or_the_whole_map(neighborhood, topology, dtype):
    X, options = IRIS.astype(dtype), {"neighborhood": neighborhood, "topology": topology}
    single, whole = (make(radius=radius, **options).fit(X) for radius in (1e-3, 1e6))
    for tiny, huge in ((1e-20, 1e20), (1e-200, 1e200)):
        som = make(radius=tiny, **options).fit(X)
        np.testing.assert_array_equal(som.cluster_centers_, single.cluster_centers_)
        som = make(radius=huge, **options).fit(X)
        np.testing.assert_allclose(som.cluster_centers_, whole.cluster_centers_, atol=1e-4)


@each_metric
@each_algorithm
@pytest.mark.parametrize("n_samples", [1, 2, 17])
@pytest.mark.parametrize("n_features", [1, 4])
@pytest.mark.matrix
def test_few_samples_and_constant_ones_work(n_samples, n_features, algorithm, metric):
    for X in (IRIS[:n_samples, :n_features], np.full((n_samples, n_features), 3.0)):
        for missing in ("error", "ignore"):
            for shape in ((1, 1), (4, 5), "auto"):
                params = {"metric": metric, "algorithm": algorithm, "missing": missing}
                som = make(shape, **params).fit(X)
                assert np.isfinite(som.transform(IRIS[:, :n_features])).all()
                assert np.isfinite(som.u_matrix_).all()
                assert 0 <= som.topographic_error(X) <= 1


@each_metric
@each_algorithm
def test_samples_are_independent_and_need_no_order(algorithm, metric):
    rng = np.random.default_rng(0)
    X = rng.normal(size=(5000, 11))
    X[::3, 5] = np.nan
    for missing in ("error", "ignore"):
        rows = X if missing == "ignore" else np.nan_to_num(X)
        params = {"metric": metric, "algorithm": algorithm, "missing": missing, "max_epochs": 1}
        som = make((9, 13), **params).fit(rows[:200])
        together = som.transform(rows)
        for part in ([17], [4999, 3], rng.permutation(5000)[:1234]):
            np.testing.assert_array_equal(som.transform(rows[part]), together[part])
            np.testing.assert_array_equal(som.predict(rows[part]), together[part].argmin(axis=1))


@each_algorithm
@pytest.mark.parametrize("kind", ["sparse", "file", "single", "integers"])
def test_containers_give_the_same_bits(kind, algorithm, tmp_path):
    X = np.where(np.random.default_rng(0).random((300, 6)) < 0.5, 0, np.arange(6.0))
    expected = make(algorithm=algorithm, init="random").fit(X)
    other = {"sparse": sp.csr_array(X), "single": X.astype(np.float16), "integers": X.astype(int)}
    if kind == "file":
        np.save(tmp_path / "X.npy", X)
        other["file"] = np.load(tmp_path / "X.npy", mmap_mode="r")
    som = make(algorithm=algorithm, init="random").fit(other[kind])
    np.testing.assert_array_equal(som.cluster_centers_, expected.cluster_centers_)
    np.testing.assert_array_equal(som.transform(other[kind]), expected.transform(X))
    assert som.impute(other[kind]).shape == X.shape


@each_algorithm
def test_two_threads_repeat_themselves(algorithm, set_threads):
    set_threads(2)
    X = np.random.default_rng(0).normal(size=(3000, 40))
    maps = [
        make((25, 25), algorithm=algorithm, max_epochs=1, batch_size=1000).fit(X[:1500])
        for _ in range(3)
    ]
    for som in maps[1:]:
        np.testing.assert_array_equal(som.cluster_centers_, maps[0].cluster_centers_)


@each_algorithm
@pytest.mark.parametrize("n_epochs", [1, 3, 4, 12])
@pytest.mark.parametrize("params", [{}, {"radius": 1.0, "tol": 1e-2, "max_epochs": 40}])
@pytest.mark.matrix
def test_a_fit_continues_from_its_checkpoint(params, n_epochs, algorithm, assert_same, tmp_path):
    params = {"algorithm": algorithm, "max_epochs": 12, "batch_size": 20, **params}
    expected = make(**params).fit(IRIS)
    params |= {"checkpoint": tmp_path, "checkpoint_every": 3}
    if expected.n_iter_ >= n_epochs:
        with pytest.raises(KeyboardInterrupt):
            make(**params).set_callbacks(Interrupt(n_epochs)).fit(IRIS)
    for _ in range(2):  # the second fit only reads what the first one has written
        som = make(**params).fit(IRIS)
        assert som.loss_curve_ == expected.loss_curve_
        assert_same(som, expected, IRIS)
    with pytest.raises(ValueError, match="differs in: algorithm"):
        make(**{**params, "algorithm": "batch" if algorithm == "online" else "online"}).fit(IRIS)
    assert_same(som.partial_fit(IRIS), expected.partial_fit(IRIS), IRIS)


def test_pickle_of_a_map_has_no_object_of_torch():
    som = make(device=torch.device("cpu")).fit(IRIS)
    plain = (str, int, float, bool, type(None), np.ndarray, list, tuple, dict)
    assert all(isinstance(value, plain) for value in som.__getstate__().values())


@pytest.mark.gpu
@each_metric
def test_a_gpu_trains_the_same_map(metric):
    for missing in ("error", "ignore"):
        params = {"metric": metric, "missing": missing}
        expected = make(**params).fit(IRIS)
        som, again = (make(device="cuda", **params).fit(IRIS) for _ in range(2))
        np.testing.assert_allclose(som.cluster_centers_, expected.cluster_centers_, rtol=1e-6)
        np.testing.assert_array_equal(som.cluster_centers_, again.cluster_centers_)
        np.testing.assert_array_equal(som.predict(IRIS), expected.predict(IRIS))
