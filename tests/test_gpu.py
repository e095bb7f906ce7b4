"""On a GPU: the same results as on the CPU, as one by one, and after moving to the CPU and back."""

import pickle

import numpy as np
import pytest
import scipy.sparse as sp
import torch
from sklearn.base import clone
from sklearn.datasets import load_digits
from sklearn.experimental import enable_halving_search_cv  # noqa: F401
from sklearn.model_selection import GridSearchCV, HalvingGridSearchCV

from skdeep.cluster import IMSAT
from skdeep.decomposition import Autoencoder, VariationalAutoencoder
from skdeep.ensemble import DeepEnsembleClassifier
from skdeep.model_selection import BatchedGridSearchCV, BatchedHalvingSearchCV
from skdeep.neural_network import ResNetClassifier, ResNetRegressor
from skdeep.utils import available_devices

pytestmark = pytest.mark.gpu
DEVICE = "cuda"
# Nets in which training draws nothing at random where the data are.
QUIET = {
    "normalised": {"noise": 0.0, "batch_norm": True, "early_stopping": True},
    "contractive": {"contraction": 0.1, "sparsity": 0.1, "gradient_clip_value": 0.5},
    "tied": {"tied_weights": True, "hidden_layer_sizes": (9, 7), "optimizer": "sgd"},
    "blocks": {"dropout": 0.0, "residual_dropout": 0.0, "norm": "batch"},
    "layer norm": {"dropout": 0.0, "residual_dropout": 0.0, "norm": "layer"},
    "periodic": {"dropout": 0.0, "numerical_embedding": "periodic", "embedding_dim": 4},
    "piecewise": {"dropout": 0.0, "numerical_embedding": "piecewise-linear", "embedding_dim": 4},
}
# Nets with special inputs, random draws or stopping rules.
NETS = {
    "image": {"image_shape": (8, 8)},
    "moved": {"image_shape": (8, 8), "augment": "shift+flip", "norm": "layer"},
    "residual": {"image_shape": (8, 8), "block": "residual", "batch_norm": True},
    "masking": {"noise": 0.2, "noise_kind": "masking", "lr_schedule": "plateau"},
    "draws": {"n_samples": 3, "early_stopping": True},
    "bernoulli": {"likelihood": "bernoulli"},
    "multinomial": {"likelihood": "multinomial"},
    "refit": {"early_stopping": True, "refit_full": True},
    "half": {"precision": "bf16-mixed"},
    "onecycle": {"lr_schedule": "onecycle"},
    "spectral norm": {"spectral_norm": True, "n_critic": 2},
    "slopes": {"loss": "wgan-gp", "image_shape": (8, 8), "latent_dim": 3},
    "style": {"style_weight": 1.0, "feature_scaling": "quantile"},
    "packs": {"pac": 4, "n_modes": 2, "loss": "wgan-gp"},
    "some features": {"n_components": 5, "latent_dim": 3},
}
SEARCHED = {
    "autoencoder": Autoencoder(4, hidden_layer_sizes=(16,), dropout=0.1, noise=0.1),
    "one component": Autoencoder(1, hidden_layer_sizes=(16,), gradient_clip_value=0.5),
    "variational": VariationalAutoencoder(4, hidden_layer_sizes=(16,)),
    "classifier": ResNetClassifier(width=16, n_blocks=1, norm="layer", dropout=0.1),
    "regressor": ResNetRegressor(width=16, n_blocks=1, norm="layer", early_stopping=True),
}
# The gradient of a bias before batch norm is rounding noise, which Adam turns into full-size steps,
# and so are some gradients of embeddings: noise of one bit in the sums changes these scores by 4e-3
# on a CPU, too.
NOISY = {
    "embeddings": ResNetClassifier(
        width=16, n_blocks=1, norm="layer", numerical_embedding="periodic", embedding_dim=4
    ),
    "classifier": ResNetClassifier(width=16, n_blocks=2, dropout=0.1),
    "regressor": ResNetRegressor(width=16, n_blocks=1, dropout=0.1),
    "autoencoder": Autoencoder(4, hidden_layer_sizes=(16,), block="residual", batch_norm=True),
}
IMAGES = {
    "autoencoder": Autoencoder(4, hidden_layer_sizes=(4, 8), batch_norm=True),
    "stopping": Autoencoder(4, hidden_layer_sizes=(4, 8), early_stopping=True),
    "variational": VariationalAutoencoder(4, hidden_layer_sizes=(4,)),
    "classifier": ResNetClassifier(stem_width=4, n_blocks=1, dropout=0.0),
}


@pytest.fixture(scope="module")
def digits():
    """300 images of 64 pixels, and their classes."""
    X, y = load_digits(return_X_y=True)
    return X[:300] / 16, y[:300]


@pytest.fixture
def exact_convolutions(monkeypatch):
    """Convolutions in full float32 precision instead of torch's default on a GPU, TF32."""
    monkeypatch.setattr(torch.backends.cudnn, "allow_tf32", False)


@pytest.fixture
def search_both(assert_same_search):
    """Function that searches batched and one by one, and compares the scores."""

    def search_both(estimator, X, y, *, cv, atol):
        options = {"max_epochs": 3, "batch_size": 64, "device": DEVICE, "random_state": 0}
        net = clone(estimator).set_params(**options)
        # an accuracy shows the last bits of a net as whole rows or not at all
        scoring = "neg_log_loss" if hasattr(net, "predict_proba") else None
        searches = [
            kind(net, {"lr": [1e-3, 2e-3, 4e-3]}, cv=cv, scoring=scoring, refit=False).fit(X, y)
            for kind in (BatchedGridSearchCV, GridSearchCV)
        ]
        assert_same_search(*searches, atol=atol)

    return search_both


def _through_pickle(estimator):
    return pickle.loads(pickle.dumps(estimator))


@pytest.mark.nets(QUIET)
def test_net_without_draws_learns_as_on_the_cpu(make, params, X, y):
    expected = make(**params).fit(X, y).loss_curve_
    # Adam makes full steps of rounding noise where a gradient is zero: weights would differ by more
    np.testing.assert_allclose(make(device=DEVICE, **params).fit(X, y).loss_curve_, expected, 1e-3)


@pytest.mark.usefixtures("exact_convolutions")
@pytest.mark.nets(NETS)
def test_nets_of_every_kind_go_to_the_cpu_and_back(
    make, params, row_outputs, as_if_trained_on, digits
):
    X, y = digits[0][:60], digits[1][:60]
    estimator = make(device=DEVICE, **params).fit(X, y)
    on_cpu = as_if_trained_on("cpu", estimator)
    results = row_outputs(estimator, X)
    assert all(np.isfinite(result).all() for result in results.values())
    for copy in (on_cpu, as_if_trained_on(estimator.device_, on_cpu)):
        for name, result in row_outputs(copy, X).items():
            np.testing.assert_allclose(result, results[name], rtol=1e-3, atol=1e-3, err_msg=name)


def test_samples_are_the_same_on_every_device(make, outputs, as_if_trained_on, X, y):
    estimator = make(device=DEVICE).fit(X, y)
    results = outputs(estimator, X)
    for name, result in outputs(as_if_trained_on("cpu", estimator), X).items():
        if result.dtype.kind == "f":
            np.testing.assert_allclose(result, results[name], rtol=1e-2, atol=1e-2, err_msg=name)


def test_restored_net_trains_on_as_the_original_does(make_random, train_on, outputs, X, y):
    estimator = make_random(device=DEVICE, warm_start=True).fit(X, y)
    restored = train_on(_through_pickle(estimator), X, y)
    assert restored.device_ == train_on(estimator, X, y).device_
    results = outputs(estimator, X)
    for name, result in outputs(restored, X).items():
        if result.dtype.kind == "f":
            np.testing.assert_allclose(result, results[name], rtol=1e-3, atol=1e-3, err_msg=name)


def test_net_that_was_moved_to_the_cpu_trains_on_there(
    make_random, as_if_trained_on, train_on, score, X, y
):
    moved = as_if_trained_on("cpu", make_random(device=DEVICE).fit(X, y))
    n_epochs = moved.n_iter_
    assert train_on(moved, X, y).device_ == "cpu"
    assert moved.n_iter_ > n_epochs and np.isfinite(score(moved, X, y))


def test_rows_that_stay_in_memory_are_read_batch_by_batch(make, outputs, tmp_path, X, y):
    mapped = np.memmap(tmp_path / "rows", dtype=X.dtype, mode="w+", shape=X.shape)
    mapped[:] = X
    results = outputs(make(device=DEVICE).fit(X, y), X)
    for name, result in outputs(make(device=DEVICE).fit(mapped, y), X).items():
        if result.dtype.kind == "f":
            np.testing.assert_allclose(result, results[name], rtol=1e-3, atol=1e-3, err_msg=name)


def test_sparse_rows_are_read_batch_by_batch(digits):
    X, y = digits
    net = ResNetClassifier(width=16, n_blocks=1, max_epochs=3, device=DEVICE, random_state=0)
    net.set_params(feature_scaling="standard", batch_size=64)
    dense, sparse = clone(net).fit(X, y), net.fit(sp.csr_array(X), y)
    np.testing.assert_allclose(
        sparse.predict_proba(sp.csr_array(X)), dense.predict_proba(X), rtol=1e-3, atol=1e-3
    )


def test_weight_two_is_the_row_twice(make, score, X, y):
    twice = np.r_[np.arange(50), np.arange(10)]
    weight = np.r_[np.full(10, 2.0), np.ones(40)]
    weighted = make(device=DEVICE, batch_size=100).fit(X, y, sample_weight=weight)
    repeated = make(device=DEVICE, batch_size=100).fit(X[twice], y[twice])
    if hasattr(weighted, "sample"):  # what they draw depends on the number of rows
        assert np.isfinite(score(weighted, X, y))
    else:
        assert score(weighted, X, y) == pytest.approx(score(repeated, X, y), rel=1e-2, abs=1e-2)


def test_global_random_state_of_a_gpu_does_not_move(make_random, X, y):
    state = torch.cuda.get_rng_state()
    make_random(device=DEVICE).fit(X, y)
    assert torch.equal(torch.cuda.get_rng_state(), state)


@pytest.mark.parametrize("cv", [3, 4])
@pytest.mark.parametrize("name", SEARCHED)
def test_batched_search_scores_as_single_fits_do(name, cv, search_both, digits):
    search_both(SEARCHED[name], digits[0][:290], digits[1][:290], cv=cv, atol=1e-5)


@pytest.mark.parametrize("name", NOISY)
def test_batched_search_of_nets_that_amplify_rounding_scores_nearly_as_single_fits_do(
    name, search_both, digits
):
    search_both(NOISY[name], *digits, cv=3, atol=5e-3)


@pytest.mark.usefixtures("exact_convolutions")
@pytest.mark.parametrize("name", IMAGES)
def test_batched_search_over_images_scores_as_single_fits_do(name, search_both, digits):
    search_both(clone(IMAGES[name]).set_params(image_shape=(8, 8)), *digits, cv=3, atol=1e-4)


def test_batched_halving_scores_as_single_fits_do(digits):
    net = clone(SEARCHED["autoencoder"]).set_params(device=DEVICE, random_state=0)
    net.set_params(lr_schedule="constant", batch_size=64, dropout=0.0)
    options = {"cv": 3, "refit": False, "random_state": 0}
    grid = {"lr": [1e-4, 3e-4, 1e-3]}
    ours = {"n_candidates": "all", "max_resources": 9}
    theirs = {"resource": "max_epochs", "min_resources": 1, "max_resources": 9}
    batched = BatchedHalvingSearchCV(net, grid, **ours, **options).fit(*digits)
    single = HalvingGridSearchCV(net, grid, **theirs, **options).fit(*digits)
    assert batched.n_resources_ == single.n_resources_
    scores = [found.cv_results_["mean_test_score"] for found in (batched, single)]
    np.testing.assert_allclose(*scores, rtol=0, atol=1e-4)


def test_search_over_a_pool_of_devices_scores_as_one_device_does(digits):
    net = ResNetClassifier(width=16, n_blocks=1, dropout=0.0, max_epochs=3, random_state=0)
    grid, scores = {"lr": [1e-3, 2e-3, 4e-3], "width": [8, 16]}, []
    for device in (DEVICE, available_devices()[:2]):
        search = BatchedGridSearchCV(
            clone(net).set_params(device=device), grid, cv=3, scoring="neg_log_loss", refit=False
        )
        scores.append(search.fit(*digits).cv_results_["mean_test_score"])
    np.testing.assert_allclose(*scores, rtol=0, atol=1e-3)


def test_ensemble_is_that_of_its_members(digits):
    net = ResNetClassifier(width=16, n_blocks=1, norm="layer", max_epochs=3, device=DEVICE)
    ensemble = DeepEnsembleClassifier(net, n_estimators=3, random_state=0).fit(*digits)
    members = [
        clone(net).set_params(random_state=one.random_state).fit(*digits)
        for one in ensemble.estimators_
    ]
    expected = np.mean([member.predict_proba(digits[0]) for member in members], axis=0)
    result = _through_pickle(ensemble).predict_proba(digits[0])
    np.testing.assert_allclose(result, expected, rtol=0, atol=1e-3)


@pytest.mark.parametrize("invariance", ["affine", "neighbors", "noise", "vat"])
def test_restarts_of_a_clusterer_are_the_same_in_every_fit(invariance, digits):
    options = {"n_init": 4, "max_epochs": 3, "device": DEVICE, "random_state": 0}
    net = IMSAT(4, invariance=invariance, image_shape=(8, 8), **options)
    results = [clone(net).fit(digits[0]).predict_proba(digits[0]) for _ in range(2)]
    np.testing.assert_allclose(*results, rtol=0, atol=1e-3)


def test_half_precision_scores_nearly_as_single_precision(digits):
    net = Autoencoder(8, hidden_layer_sizes=(64,), max_epochs=20, device=DEVICE, random_state=0)
    scores = [
        clone(net).set_params(precision=precision).fit(digits[0]).score(digits[0])
        for precision in ("float32", "bf16-mixed")
    ]
    assert scores[1] == pytest.approx(scores[0], rel=0.05)
