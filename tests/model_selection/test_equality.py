"""A batched search returns what GridSearchCV returns, to the last bit, for nets of every shape.

Every loss, activation, norm, optimizer and kind of target meets batches and layers of odd sizes,
whose ends a CPU computes by other instructions than full vectors.
"""

import os
import sys
import zlib
from subprocess import run

import numpy as np
import pytest
from sklearn.model_selection import GridSearchCV, KFold

from skdeep.decomposition import Autoencoder, VariationalAutoencoder
from skdeep.model_selection import BatchedGridSearchCV
from skdeep.neural_network import ResNetClassifier, ResNetRegressor

SIZES = (1, 3, 5, 15, 17, 31, 48)
N_CASES = 3 * len(SIZES)
LAYERS = {
    "activation": (
        *("identity", "relu", "leaky_relu", "elu", "gelu", "silu"),
        *("softplus", "tanh", "logistic"),
    ),
    "batch_size": (1, 3, 5, 15, 17, 31, 48, 64),
    "gradient_clip_value": (None, 1.0),
    "optimizer": ("adamw", "adam", "sgd"),
    "lr_schedule": ("constant", "cosine", "coslog4", "onecycle", "plateau"),
    "early_stopping": (False, False, True),
}
BLOCKS = {
    **LAYERS,
    "width": SIZES,
    "n_blocks": (1, 2),
    "hidden_factor": (1.0, 2.0),
    "norm": ("batch", "layer", None),
    "dropout": (0.0, 0.2),
    "residual_dropout": (0.0, 0.1),
    "numerical_embedding": (None, "piecewise-linear"),
    "embedding_dim": (1, 3, 8),
}
CODERS = {
    **LAYERS,
    "hidden_layer_sizes": ((), *((size,) for size in SIZES), (17, 5), (48, 31)),
    "n_components": (1, 2, 3, 5),
    "dropout": (0.0, 0.2),
    "batch_norm": (False, True),
}
CLASSIFIERS = {"label_smoothing": (0.0, 0.1), "targets": ("binary", "multiclass", "multilabel")}
REGRESSORS = {
    "loss": ("squared_error", "absolute_error", "huber", "quantile", "gaussian"),
    "targets": ("one", "several"),
}
AUTOENCODERS = {
    "loss": ("mse", "bce", "huber", "multinomial"),
    "output_activation": ("auto", "identity", "logistic", "relu", "softplus", "tanh"),
    "block": ("dense", "dense", "residual"),
    "tied_weights": (False, True),
    "noise": (0.0, 0.2),
    "noise_kind": ("gaussian", "masking"),
    "sparsity": (0.0, 0.1),
    "contraction": (0.0, 0.0, 0.1),
}
VARIATIONAL = {"likelihood": ("gaussian", "bernoulli", "multinomial"), "n_samples": (1, 2)}
QUANTILES = (0.3, (0.1, 0.3, 0.9), (0.2, 0.9))
FAMILIES = {
    ResNetClassifier: BLOCKS | CLASSIFIERS,
    ResNetRegressor: BLOCKS | REGRESSORS,
    Autoencoder: CODERS | AUTOENCODERS,
    VariationalAutoencoder: CODERS | VARIATIONAL,
}
TARGETS = {
    "binary": lambda z: z > 0,
    "multiclass": lambda z: np.digitize(z, [-0.5, 0.5]),
    "multilabel": lambda z: np.stack([z > -0.5, z > 0, z > 0.7], axis=1).astype(int),
    "one": lambda z: z,
    "several": lambda z: np.stack([z, z**2, -z], axis=1),
}


def spread(options, rng):
    """As many values as there are cases, each of them equally often, in random order."""
    repeated = [options[number % len(options)] for number in range(N_CASES)]
    return [repeated[place] for place in rng.permutation(N_CASES)]


def cases(Class, options):
    """Parameters, sizes of the data and kind of the targets of each case."""
    rng = np.random.default_rng(0)
    # rows beyond two batches of each fold, and whether the second fold has one more
    sizes = {"n_features": SIZES, "n_beyond": SIZES, "n_more": (0, 0, 1)}
    columns = {name: spread(values, rng) for name, values in {**options, **sizes}.items()}
    for values in zip(*columns.values(), strict=True):
        yield Class, dict(zip(columns, values, strict=True))


def net_and_data(Class, case):
    """Net, rows and targets of a case; combinations that are no net are mended."""
    n_features, n_beyond, n_more = (case.pop(key) for key in list(case)[-3:])
    targets = case.pop("targets", None)
    if case.get("loss") == "quantile":
        case["quantile"] = QUANTILES[n_features % len(QUANTILES)]
    if case.get("loss") in ("bce", "multinomial"):
        case["output_activation"] = "auto"
    if case.get("block") == "residual":
        case["tied_weights"] = False
    n_rows = 2 * max(12, 2 * case["batch_size"] + n_beyond % case["batch_size"]) + n_more
    rng = np.random.default_rng(1)
    X = rng.uniform(size=(n_rows, n_features))
    X[:, 1::3] = X[:, 1::3].round(1)  # features with fewer bins than others
    z = 3 * X[:, 0] - 1.5 + rng.normal(size=n_rows)
    net = Class(**case, max_epochs=2, device="cpu", random_state=0)
    return net, X, TARGETS[targets](z) if targets else None


def checksum(net, X, y=None):
    """Fingerprint of a result, computed from the loss curve and all outputs."""
    outputs = [net.loss_curve_]
    for method in ("predict", "predict_proba", "transform", "reconstruct"):
        if hasattr(net, method):
            outputs.append(getattr(net, method)(X))
    return float(zlib.crc32(b"".join(np.asarray(output).tobytes() for output in outputs)))


def run_searches(net, X, y, *, grid, cv, **options):
    """Scores of all fits of scikit-learn's search and of ours."""
    arguments = {"cv": cv, "scoring": checksum, "refit": False, "error_score": "raise"}
    theirs = GridSearchCV(net, grid, **arguments).fit(X, y)
    ours = BatchedGridSearchCV(net, grid, **arguments, **options).fit(X, y)
    names = [f"split{number}_test_score" for number in range(theirs.n_splits_)]
    return [np.array([search.cv_results_[name] for name in names]) for search in (theirs, ours)]


@pytest.mark.parametrize(
    "Class, case",
    [
        pytest.param(
            *case,
            id=f"{Class.__name__}-{number}",
            marks=pytest.mark.slow if number % 3 else (),  # every third one is fast
        )
        for Class, options in FAMILIES.items()
        for number, case in enumerate(cases(Class, options))
    ],
)
def test_search_is_equal_to_the_last_bit(Class, case, capsys):
    net, X, y = net_and_data(Class, dict(case))
    theirs, ours = run_searches(
        net, X, y, grid={"lr": [0.01, 0.03]}, cv=KFold(2), max_batch_models=8, verbose=1
    )
    np.testing.assert_array_equal(ours, theirs)
    is_alone = case.get("contraction") and (net.tied_weights or net.batch_norm)
    assert ("trained in stacks" in capsys.readouterr().out) is not bool(is_alone)


BLOCK = {"n_blocks": 1, "norm": "batch", "numerical_embedding": None}
BINNED = {**BLOCK, "numerical_embedding": "piecewise-linear"}
WIDE = [
    (Autoencoder, (255, 127), {"hidden_layer_sizes": (9,)}),
    (Autoencoder, (259, 127), {"hidden_layer_sizes": (9,)}),  # more entries than one thread sums
    (Autoencoder, (784, 48), {"hidden_layer_sizes": (9,), "noise": 0.1}),
    (VariationalAutoencoder, (300, 127), {"hidden_layer_sizes": (9,), "likelihood": "bernoulli"}),
    (ResNetClassifier, (300, 127), {**BLOCK, "width": 17, "activation": "silu"}),
    (ResNetRegressor, (3, 33_000), {**BLOCK, "width": 5}),
    (ResNetRegressor, (3, 33_000), {**BLOCK, "width": 5, "loss": "absolute_error"}),
    (Autoencoder, (300, 120), {"hidden_layer_sizes": (256,), "batch_norm": True}),
    # nets that are large enough to use two threads alone
    (Autoencoder, (400, 120), {"hidden_layer_sizes": (256,), "batch_norm": True, "noise": 0.1}),
    (Autoencoder, (400, 120), {"hidden_layer_sizes": (257,), "loss": "huber", "n_components": 9}),
    (VariationalAutoencoder, (400, 120), {"hidden_layer_sizes": (257,), "batch_norm": True}),
    (ResNetClassifier, (64, 127), {**BLOCK, "width": 256}),
    (ResNetRegressor, (3, 33_000), {**BLOCK, "width": 20, "norm": "layer"}),
    (ResNetRegressor, (1, 33_000), {**BINNED, "width": 20}),
    (ResNetClassifier, (64, 127), {**BINNED, "width": 256, "embedding_dim": 3}),
]


@pytest.mark.parametrize("n_threads", [1, 2])
@pytest.mark.parametrize("Class, sizes, options", WIDE)
@pytest.mark.matrix
def test_search_over_large_batches_is_equal_to_the_last_bit(
    Class, sizes, options, n_threads, set_threads
):
    set_threads(n_threads)
    n_features, batch_size = sizes
    X = np.random.default_rng(0).random((2 * batch_size + 10, n_features)) ** 4
    y = X[:, 0] > 0.2 if Class is ResNetClassifier else X[:, 0]
    net = Class(**options, batch_size=batch_size, max_epochs=2, device="cpu", random_state=0)
    theirs, ours = run_searches(
        net, X, y, grid={"lr": [0.001, 0.01]}, cv=KFold(2), max_batch_models=8
    )
    np.testing.assert_array_equal(ours, theirs)


@pytest.mark.parametrize("Class", FAMILIES)
def test_search_on_two_threads_is_equal_to_the_last_bit(Class, set_threads):
    set_threads(2)
    for _, case in [*cases(Class, FAMILIES[Class])][::3]:
        net, X, y = net_and_data(Class, dict(case))
        grid = {"lr": [0.01, 0.03]}
        theirs, ours = run_searches(net, X, y, grid=grid, cv=KFold(2), max_batch_models=8)
        np.testing.assert_array_equal(ours, theirs)


def test_searches_after_one_another_follow_the_number_of_threads(set_threads):
    # products that were tested with one thread may differ with two
    X = np.random.default_rng(0).random((274, 255))
    net = Autoencoder(3, hidden_layer_sizes=(9,), batch_size=127, device="cpu", random_state=0)
    net.set_params(max_epochs=2)
    for n_threads in (1, 2, 1):
        set_threads(n_threads)
        theirs, ours = run_searches(net, X, None, grid={"lr": [0.001, 0.01]}, cv=KFold(2))
        np.testing.assert_array_equal(ours, theirs)


@pytest.mark.parametrize("early_stopping", [False, True])
@pytest.mark.parametrize("Class", FAMILIES)
def test_search_over_splits_of_other_lengths_is_equal_to_the_last_bit(
    Class, early_stopping, capsys
):
    X = np.random.default_rng(0).uniform(size=(143, 7))
    y = X[:, 0] > 0.5 if Class is ResNetClassifier else X[:, 0]
    block = {"numerical_embedding": None} if Class in (ResNetClassifier, ResNetRegressor) else {}
    small = {"batch_size": 16, "max_epochs": 2, "device": "cpu", "random_state": 0}
    net = Class(activation="silu", early_stopping=early_stopping, **small, **block)
    theirs, ours = run_searches(net, X, y, grid={"lr": [0.01, 0.03, 0.1]}, cv=5, verbose=1)
    np.testing.assert_array_equal(ours, theirs)
    assert "trained in stacks" in capsys.readouterr().out


def test_search_chooses_as_grid_search_does_where_candidates_are_close():
    # one bit in a gradient grows into other predictions, and into another choice
    grid = {"lr": [0.01, 0.03, 0.1, 0.3]}
    for seed in range(3):
        rng = np.random.default_rng(seed)
        X = rng.normal(size=(1000, 20))
        y = X[:, 0] + rng.normal(size=1000) > 0
        options = {"max_epochs": 10, "early_stopping": False, "device": "cpu", "random_state": 0}
        net = ResNetClassifier(**BLOCK, width=16, **options)
        theirs, ours = (
            Search(net, grid, cv=KFold(2), refit=False).fit(X, y)
            for Search in (GridSearchCV, BatchedGridSearchCV)
        )
        assert ours.best_params_ == theirs.best_params_
        scores = "mean_test_score"
        np.testing.assert_array_equal(ours.cv_results_[scores], theirs.cv_results_[scores])


@pytest.mark.slow
def test_number_of_workers_changes_no_score_of_a_binary_classifier():
    X = np.random.default_rng(0).normal(size=(300, 5))
    net = ResNetClassifier(**BLOCK, width=17, max_epochs=3, device="cpu", random_state=0)
    scores = [
        run_searches(net, X, X[:, 0] > 0, grid={"lr": [0.01, 0.03, 0.1]}, cv=3, n_jobs=n_jobs)[1]
        for n_jobs in (1, 2)
    ]
    np.testing.assert_array_equal(*scores)


@pytest.mark.slow
def test_searches_are_equal_with_shorter_vectors_too():
    # torch takes the name of an instruction set that the CPU has not for the best that it has
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", __file__]
    # what threads divide, they divide alike with any vectors
    command += ["-m", "", "-k", "to_the_last_bit and not large_batches and not on_two_threads"]
    environment = os.environ | {"ATEN_CPU_CAPABILITY": "avx2"}
    result = run(command, env=environment, capture_output=True, text=True, timeout=400, check=False)
    assert result.returncode == 0, result.stdout
    assert f"{len(FAMILIES) * (N_CASES + 2)} passed" in result.stdout
