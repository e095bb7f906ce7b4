"""Promise 3: an int ``random_state`` gives the same bits everywhere, and no global state moves."""

import copy
import pickle
import random
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
import torch
from joblib import Parallel, delayed
from numpy.testing import assert_array_equal
from sklearn.base import clone
from sklearn.model_selection import GridSearchCV

# Parameters that enable randomness in training.
DRAWS = {
    "dropout": {"dropout": 0.4, "batch_size": 50},
    "residual dropout": {"residual_dropout": 0.5, "batch_size": 50},
    "noise": {"noise": 0.3, "batch_size": 50},
    "split": {"early_stopping": True, "batch_size": 50, "hidden_layer_sizes": (8,)},
    "split without refit": {"early_stopping": True, "batch_size": 50, "refit_full": False},
    "order": {"batch_size": 25},
}
# What draws initial weights in ways of its own, and nets that draw in places of their own.
NETS = {
    "refit": {"early_stopping": True, "refit_full": True},
    "layer norm": {"norm": "layer"},
    "periodic": {"numerical_embedding": "periodic", "embedding_dim": 4},
    "piecewise": {"numerical_embedding": "piecewise-linear", "embedding_dim": 4},
    "image": {"image_shape": (8, 8)},
    "spectral norm": {"spectral_norm": True, "n_critic": 2},
    "slopes": {"loss": "wgan-gp", "image_shape": (8, 8), "latent_dim": 3},
    "style": {"style_weight": 1.0, "feature_scaling": "quantile"},
    "packs": {"pac": 4, "n_modes": 2, "loss": "wgan-gp"},
}
# With them rows are held out, where an estimator can do that.
HOLDS_OUT = {"all rows": {}, "split": {"early_stopping": True}}


@pytest.fixture(scope="module")
def images():
    """50 rows of 64 pixels."""
    return np.random.default_rng(7).random((50, 64))


def _global_states():
    kind, keys, *rest = np.random.get_state()  # noqa: NPY002
    return random.getstate(), kind, keys.tolist(), rest, torch.get_rng_state().tolist()


def _fit(estimator, X, y):
    return estimator.fit(X, y)


def test_fit_again_gives_the_same_bits(make_random, X, y, assert_same):
    estimator = make_random().fit(X, y)
    first = copy.deepcopy(estimator)
    estimator.fit(X[::-1][:20], y[:20])
    assert_same(estimator.fit(X, y), first, X)


@pytest.mark.nets(NETS)
def test_nets_of_every_kind_repeat_themselves(params, make_random, X, images, y, assert_same):
    rows = images if "image_shape" in params else X
    before = _global_states()
    estimator = make_random(**params).fit(rows, y)
    assert _global_states() == before
    np.random.seed(3)  # noqa: NPY002
    torch.manual_seed(3)
    assert_same(clone(estimator).fit(rows, y), estimator, rows)


@pytest.mark.nets(HOLDS_OUT)
@pytest.mark.matrix
def test_clone_gives_the_same_bits(params, make_random, X, y, assert_same):
    estimator = make_random(**params).fit(X, y)
    assert_same(clone(estimator).fit(X, y), estimator, X)


@pytest.mark.having("partial_fit")
def test_partial_fit_repeats_itself(make_random, X, y, assert_same):
    first, second = make_random(), make_random()
    for _ in range(3):
        first.partial_fit(X, y)
        second.partial_fit(X, y)
    assert_same(first, second, X)


def test_fresh_process_gives_the_same_bits(
    make_random_ones, X, y, assert_same, run_python, tmp_path
):
    estimators = make_random_ones()
    (tmp_path / "unfitted.pkl").write_bytes(pickle.dumps((estimators, X, y)))
    run_python(
        "import pickle, pathlib, torch\n"
        "torch.set_num_threads(1)\n"
        "estimators, X, y = pickle.loads(pathlib.Path('unfitted.pkl').read_bytes())\n"
        "fitted = {name: one.fit(X, y) for name, one in estimators.items()}\n"
        "pathlib.Path('fitted.pkl').write_bytes(pickle.dumps(fitted))"
    )
    elsewhere = pickle.loads((tmp_path / "fitted.pkl").read_bytes())
    for name, estimator in estimators.items():
        assert_same(elsewhere[name], estimator.fit(X, y), X)


@pytest.mark.parametrize("backend", ["loky", "threading"])
@pytest.mark.matrix
def test_parallel_fits_give_the_same_bits(backend, make_random, X, y, assert_same):
    jobs = [make_random(random_state=seed) for seed in (0, 1, 0, 2)]
    one_by_one = [clone(job).fit(X, y) for job in jobs]
    together = Parallel(n_jobs=2, backend=backend)(delayed(_fit)(job, X, y) for job in jobs)
    for actual, expected in zip(together, one_by_one, strict=True):
        assert_same(actual, expected, X)


def test_grid_search_gives_the_same_scores_for_any_n_jobs(make_random, grid, score, X, y):
    grid = {**grid, "batch_size": [16, 50]}
    options = {"scoring": score, "cv": 3, "error_score": "raise"}
    results = [
        GridSearchCV(make_random(), grid, n_jobs=n_jobs, **options).fit(X, y) for n_jobs in (1, 2)
    ]
    scores = [
        {name: column for name, column in search.cv_results_.items() if "score" in name}
        for search in results
    ]
    for name, column in scores[0].items():
        if "time" not in name:
            assert_array_equal(column, scores[1][name], err_msg=name)


def test_threads_at_once_give_the_same_bits(make_random, X, y, assert_same):
    expected = make_random(max_epochs=8).fit(X, y)
    with ThreadPoolExecutor(2) as pool:
        fits = [pool.submit(_fit, make_random(max_epochs=8), X, y) for _ in range(4)]
        for fit in fits:
            assert_same(fit.result(), expected, X)


def test_threads_leave_the_number_of_torch_threads_as_it_was(make, X, y, set_threads):
    set_threads(2)
    before = torch.__config__.parallel_info()  # of torch, OpenMP and MKL
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(lambda seed: make(random_state=seed).fit(X, y), range(6)))
    make().fit(X, y)
    assert torch.get_num_threads() == 2
    assert torch.__config__.parallel_info() == before


def test_small_nets_do_not_depend_on_the_number_of_torch_threads(
    make_random, images, y, assert_same, set_threads
):
    fits = []
    for n_threads in (1, 2):
        set_threads(n_threads)
        fits.append(make_random(batch_size=25).fit(images, y))
    assert_same(*fits, images)


@pytest.mark.nets(HOLDS_OUT)
@pytest.mark.parametrize("random_state", [0, None])
@pytest.mark.matrix
def test_global_random_states_are_left_alone(
    random_state, params, make_random, train_on, score, X, y, outputs
):
    before = _global_states()
    estimator = make_random(random_state=random_state, **params).fit(X, y)
    assert _global_states() == before
    train_on(estimator.set_params(**dict.fromkeys(params, False)), X, y)
    outputs(pickle.loads(pickle.dumps(estimator)), X)
    score(estimator, X, y)
    if hasattr(estimator, "inverse_transform"):
        estimator.inverse_transform(estimator.transform(X))
    if hasattr(estimator, "sample"):
        estimator.sample(3, random_state=random_state)
    if hasattr(estimator, "fit_resample"):
        estimator.fit_resample(X, np.arange(50) % 5 == 0)
    assert _global_states() == before


def test_global_random_states_do_not_matter(make_random, X, y, assert_same):
    fits = []
    for seed in (1, 2):
        random.seed(seed)
        np.random.seed(seed)  # noqa: NPY002
        torch.manual_seed(seed)
        fits.append(make_random().fit(X, y))
    assert_same(*fits, X)


def test_another_seed_gives_another_fit(make_random, X, y):
    first, second = (make_random(random_state=seed).fit(X, y) for seed in (0, 1))
    assert first.loss_curve_ != second.loss_curve_


@pytest.mark.having("lr")
@pytest.mark.nets(DRAWS)
@pytest.mark.matrix
def test_random_part_of_training_does_something(params, make, X, y):
    assert make(**params).fit(X, y).loss_curve_ != make(batch_size=50).fit(X, y).loss_curve_


@pytest.mark.nets({kind: {"augment": kind} for kind in ("shift", "shift+flip")})
def test_augmentation_draws_anew_from_the_seed(params, make, images, y):
    options = {"image_shape": (8, 8), "batch_size": 50, "dropout": 0.0}
    still = make(**options).fit(images, y)
    moved, moved_again = (make(**options, **params).fit(images, y) for _ in range(2))
    assert still.loss_curve_ != moved.loss_curve_ == moved_again.loss_curve_


def test_random_state_object_is_advanced_by_a_fit(make_random, X, y, assert_same):
    shared = np.random.RandomState(3)
    first, second = (make_random(random_state=shared).fit(X, y) for _ in range(2))
    assert first.loss_curve_ != second.loss_curve_
    assert_same(first, make_random(random_state=np.random.RandomState(3)).fit(X, y), X)


def test_without_random_state_fits_differ(make_random, X, y):
    curves = [make_random(random_state=None).fit(X, y).loss_curve_ for _ in range(2)]
    assert curves[0] != curves[1]


def test_order_of_rows_does_not_matter_in_full_batches(make_random, X, y, outputs):
    order = np.random.default_rng(5).permutation(len(X))
    estimator = make_random(batch_size=50).fit(X, y)
    shuffled = make_random(batch_size=50).fit(X[order], y[order])
    for name, result in outputs(shuffled, X).items():
        np.testing.assert_allclose(result, outputs(estimator, X)[name], rtol=1e-6, atol=1e-6)


@pytest.mark.having("sample")
def test_samples_repeat_themselves_for_an_int(make, X, y):
    estimator = make().fit(X, y)
    drawn = [estimator.sample(20, random_state=seed) for seed in (4, 4, 5, None, None)]
    # with their classes, where fit got some
    draws = [np.column_stack(one) if isinstance(one, tuple) else one for one in drawn]
    assert_array_equal(draws[0], draws[1])
    assert (draws[0] != draws[2]).any()
    assert (draws[3] != draws[4]).any()


@pytest.mark.having("fit_resample")
def test_resampling_repeats_itself(make, X):
    y = np.arange(50) % 5 == 0
    resampled = [make(random_state=seed).fit_resample(X, y) for seed in (0, 0, 1)]
    assert_array_equal(resampled[0][0], resampled[1][0])
    assert (resampled[0][0] != resampled[2][0]).any()


HASH_OF_LARGE_NETS = """
import hashlib, sys, warnings
import numpy as np
import torch
from skdeep.decomposition import Autoencoder, VariationalAutoencoder
from skdeep.exceptions import ModeCollapseWarning
from skdeep.generative import GANFeatureExtractor, GANSampler, TabularGANSampler
from skdeep.neural_network import ResNetClassifier, ResNetRegressor

warnings.simplefilter("ignore", ModeCollapseWarning)  # of two epochs
assert torch.get_num_threads() == int(sys.argv[1])
# batches of 128, 128 and 11 rows, for which torch has other kernels
X = np.random.default_rng(0).random((267, 784), dtype=np.float32)
for estimator in (
    Autoencoder(10, hidden_layer_sizes=(300, 100)),
    Autoencoder(5, block="residual"),
    Autoencoder(10, noise=0.2, dropout=0.2, tied_weights=True),
    VariationalAutoencoder(10),
    ResNetClassifier(residual_dropout=0.1, batch_size=128),
    ResNetRegressor(norm="layer", n_blocks=1, batch_size=128),
    GANFeatureExtractor(loss="wgan-gp", hidden_layer_sizes=(300, 100)),
    GANSampler(spectral_norm=True, batch_norm=True),
    TabularGANSampler(n_modes=2),
):
    estimator.set_params(max_epochs=2, random_state=0, device="cpu")
    rows = X[:, :6] if isinstance(estimator, TabularGANSampler) else X
    estimator.fit(rows, np.arange(267) % 3)
    if hasattr(estimator, "fit_resample"):
        seen = np.column_stack(estimator.sample(200, random_state=0))
    else:
        seen = estimator.transform(X) if hasattr(estimator, "transform") else estimator.embed(X)
    fitted = estimator.loss_curve_ + seen.ravel().tolist()
    print(hashlib.sha256(np.array(fitted).tobytes()).hexdigest())
"""


@pytest.mark.slow
def test_large_dense_nets_repeat_themselves_on_two_threads(run_python):
    first, again = (run_python(HASH_OF_LARGE_NETS, 2, threads=2) for _ in range(2))
    assert first == again
    assert len(set(first.split())) == 9


HASH_OF_SMALL_NETS = """
import hashlib, sys
import numpy as np
import torch
from skdeep.decomposition import Autoencoder, VariationalAutoencoder
from skdeep.neural_network import ResNetClassifier, ResNetRegressor

assert torch.get_num_threads() == int(sys.argv[1])
X = np.random.default_rng(0).random((267, 64), dtype=np.float32)
for estimator in (
    Autoencoder(10, hidden_layer_sizes=(32,), noise=0.2, dropout=0.2),
    VariationalAutoencoder(10, hidden_layer_sizes=(32,)),
    ResNetClassifier(width=32, batch_size=128),
    ResNetRegressor(width=32, norm="layer", batch_size=128),
):
    estimator.set_params(max_epochs=2, random_state=0, device="cpu")
    estimator.fit(X, np.arange(267) % 3)
    seen = estimator.transform(X) if hasattr(estimator, "transform") else estimator.embed(X)
    fitted = estimator.loss_curve_ + seen.ravel().tolist()
    print(hashlib.sha256(np.array(fitted).tobytes()).hexdigest())
"""


@pytest.mark.slow
def test_small_dense_nets_give_the_same_bits_on_any_number_of_threads(run_python):
    one, two = (run_python(HASH_OF_SMALL_NETS, n, threads=n) for n in (1, 2))
    assert one == two
    assert len(set(one.split())) == 4
