"""Batched searches return the same results as scikit-learn's, for each candidate."""

import numpy as np
import pandas as pd
import pytest
import scipy.sparse as sp
from scipy.stats import loguniform
from sklearn.compose import ColumnTransformer, TransformedTargetRegressor
from sklearn.datasets import load_diabetes, load_digits
from sklearn.decomposition import PCA
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV, KFold, RandomizedSearchCV
from sklearn.naive_bayes import GaussianNB
from sklearn.pipeline import FeatureUnion, Pipeline, make_pipeline
from sklearn.preprocessing import MinMaxScaler, StandardScaler
from sklearn.svm import SVC

from skdeep.decomposition import Autoencoder, VariationalAutoencoder
from skdeep.generative import GANFeatureExtractor, TabularGANSampler
from skdeep.model_selection import BatchedGridSearchCV, BatchedRandomizedSearchCV
from skdeep.neural_network import ResNetClassifier, ResNetRegressor

DIGITS, DIGIT = (part[:120] for part in load_digits(n_class=3, return_X_y=True))
DIABETES, PROGRESSION = (part[:120] for part in load_diabetes(return_X_y=True))
PIXELS = DIGITS / 16

SMALL = {"max_epochs": 3, "batch_size": 32, "device": "cpu", "random_state": 0}
# smaller than the defaults
BLOCK = {"n_blocks": 1, "width": 32, "norm": "batch", "numerical_embedding": None}
SIZES = {
    Autoencoder: {"n_components": 3, "hidden_layer_sizes": (8,)},
    VariationalAutoencoder: {"n_components": 3, "hidden_layer_sizes": (8,)},
    ResNetClassifier: BLOCK,
    ResNetRegressor: BLOCK,
    GANFeatureExtractor: {"n_components": 3, "hidden_layer_sizes": (8,), "latent_dim": 4},
    TabularGANSampler: {"hidden_layer_sizes": (8,), "latent_dim": 4, "pac": 1, "batch_size": 40},
}
RATES = [1e-3, 1e-2]

# generators do not converge in such a short training
pytestmark = pytest.mark.filterwarnings("ignore::skdeep.exceptions.ModeCollapseWarning")


SPLITS = [(np.arange(70), np.arange(70, 120)), (np.arange(50, 119), np.arange(50))]


def small(Class=Autoencoder, **parameters):
    return Class(**{**SMALL, **SIZES[Class], **parameters})


def linear():
    return LogisticRegression(max_iter=1000)


@pytest.fixture
def assert_equals_grid_search(assert_same_search):
    """Function that runs both searches, compares them, and returns the batched one."""

    def compare(estimator, grid, X, y=None, *, atol=0.0, fit_params=None, **options):
        options = {"cv": KFold(3), "refit": False, **options}
        theirs = GridSearchCV(estimator, grid, **options).fit(X, y, **(fit_params or {}))
        ours = BatchedGridSearchCV(estimator, grid, **options).fit(X, y, **(fit_params or {}))
        assert_same_search(ours, theirs, atol)
        if options["refit"]:
            method = "predict" if hasattr(theirs, "predict") else "transform"
            results = [getattr(search, method)(X) for search in (ours, theirs)]
            np.testing.assert_array_equal(*results)
        return ours

    return compare


def spread(estimator, X, y=None):
    """Score for estimators without one: a number that depends on all weights."""
    if hasattr(estimator, "transform"):
        return float(estimator.transform(X).std())
    return float(estimator.sample(50, random_state=0).std())


# Nets --------------------------------------------------------------------------------------

GRIDS = {
    "numbers": {"lr": RATES, "noise": [0.0, 0.2], "weight_decay": [0.0, 0.1]},
    "shapes": {"hidden_layer_sizes": [(8,), (6,), ()], "activation": ["relu", "tanh"]},
    "penalties": {"sparsity": [0.0, 1e-3, 0.1], "contraction": [0.0, 0.1]},
    "dropout": {"dropout": [0.0, 0.1, 0.3], "lr": RATES},
    "seeds": {"random_state": [0, 1, 2]},
    "random state": {"random_state": [np.random.RandomState(0)], "lr": RATES},
    "epochs": {"max_epochs": [1, 2, 4], "lr_schedule": ["constant", "cosine", "onecycle"]},
    "stopping": {"tol": [0.0, 1.0], "n_iter_no_change": [1, 2]},
    "held out": {"early_stopping": [True, False], "lr": RATES},
    "batches": {"batch_size": [16, 32, 100], "batch_norm": [True, False]},
    "optimizers": {"optimizer": ["adamw", "adam", "sgd"], "gradient_clip_value": [None, 0.1, 1.0]},
    "several": [{"lr": RATES}, {"loss": ["huber", "bce"], "lr": [1e-3]}],
    "one": {"lr": [1e-3]},
    "nothing": {},
}
NETS = {
    "variational": (
        small(VariationalAutoencoder),
        {"beta": [0.1, 1.0], "lr": RATES, "n_samples": [1, 2]},
        (PIXELS,),
    ),
    "variational scales": (
        small(VariationalAutoencoder),
        {"scale": ["learned", 1.0], "lr": RATES},
        (PIXELS,),
    ),
    "classifier": (
        small(ResNetClassifier),
        {"lr": RATES, "dropout": [0.0, 0.2], "norm": ["batch", "layer", None]},
        (DIGITS, DIGIT),
    ),
    "labels": (
        small(ResNetClassifier, early_stopping=True, refit_full=True),
        {"lr": RATES, "class_weight": [None, "balanced"]},
        (DIGITS, np.array(["zero", "one", "two"])[DIGIT]),
    ),
    "regressor": (
        small(ResNetRegressor),
        {"lr": RATES, "loss": ["squared_error", "huber"], "max_epochs": [2, 4]},
        (DIABETES, PROGRESSION),
    ),
    "outputs": (
        small(ResNetRegressor),
        {"lr": RATES},
        (DIABETES, np.column_stack([PROGRESSION, DIABETES[:, 2]])),
    ),
    "images": (
        small(image_shape=(8, 8), hidden_layer_sizes=(4,)),
        {"lr": RATES, "dropout": [0.0, 0.2]},
        (PIXELS,),
    ),
}
GAMES = {
    "feature extractor": (small(GANFeatureExtractor), {"lr": RATES}, (PIXELS,)),
    "tables": (small(TabularGANSampler, n_modes=2), {"lr": RATES}, (DIABETES[:, :2],)),
}


@pytest.mark.parametrize("grid", GRIDS.values(), ids=GRIDS)
def test_autoencoders_score_as_in_grid_search(grid, assert_equals_grid_search):
    assert_equals_grid_search(small(), grid, PIXELS, refit=True, return_train_score=True)


@pytest.mark.parametrize("estimator, grid, data", NETS.values(), ids=NETS)
def test_nets_score_as_in_grid_search(estimator, grid, data, assert_equals_grid_search):
    scoring = "neg_log_loss" if isinstance(estimator, ResNetClassifier) else None
    assert_equals_grid_search(estimator, grid, *data, scoring=scoring)


@pytest.mark.parametrize("estimator, grid, data", GAMES.values(), ids=GAMES)
def test_nets_that_cannot_be_stacked_score_as_in_grid_search(
    estimator, grid, data, assert_equals_grid_search
):
    assert_equals_grid_search(estimator, grid, *data, scoring=spread)


@pytest.mark.parametrize(
    "estimator, data",
    [
        (small(noise=0.1), (PIXELS,)),
        (small(VariationalAutoencoder), (PIXELS,)),
        (small(ResNetClassifier, norm="layer"), (DIGITS, DIGIT)),
        (small(ResNetClassifier), (DIGITS, DIGIT)),
        (small(ResNetRegressor, norm="layer"), (DIABETES, PROGRESSION)),
    ],
    ids=["autoencoder", "variational", "classifier", "batch norm", "regressor"],
)
@pytest.mark.parametrize("cv", [7, 2, SPLITS])
def test_folds_of_unequal_length_score_as_in_grid_search(
    estimator, data, cv, assert_equals_grid_search
):
    assert_equals_grid_search(estimator, {"lr": RATES}, *data, cv=cv, atol=1e-5)


@pytest.mark.parametrize("max_batch_models", [1, 3, "auto"])
@pytest.mark.parametrize("cv", [KFold(3), KFold(7)], ids=["equal folds", "unequal folds"])
def test_any_number_of_nets_in_a_stack_gives_equal_scores(max_batch_models, cv, assert_same_search):
    grid = {"lr": RATES, "noise": [0.0, 0.1]}
    ours = BatchedGridSearchCV(small(), grid, cv=cv, max_batch_models=max_batch_models)
    theirs = GridSearchCV(small(), grid, cv=cv)
    assert_same_search(ours.fit(PIXELS), theirs.fit(PIXELS), atol=1e-5)


@pytest.mark.parametrize("n_iter", [1, 4])
def test_randomized_search_draws_and_finds_the_same(n_iter, assert_same_search):
    space = {"lr": loguniform(1e-4, 1e-1), "noise": [0.0, 0.1], "hidden_layer_sizes": [(8,), ()]}
    options = {"n_iter": n_iter, "cv": KFold(3), "random_state": 3, "return_train_score": True}
    ours, theirs = (
        Search(small(), space, **options).fit(PIXELS)
        for Search in (BatchedRandomizedSearchCV, RandomizedSearchCV)
    )
    assert_same_search(ours, theirs)
    np.testing.assert_array_equal(ours.transform(PIXELS), theirs.transform(PIXELS))


# Rows --------------------------------------------------------------------------------------


def test_data_frames_with_categories(assert_equals_grid_search):
    X = pd.DataFrame(DIABETES[:, :4], columns=list("abcd"))
    X["kind"] = pd.Categorical(np.array(["low", "high"])[(PROGRESSION > 140).astype(int)])
    y = pd.Series(PROGRESSION)
    search = assert_equals_grid_search(
        small(ResNetRegressor), {"lr": RATES}, X, y, refit=True, scoring="r2"
    )
    assert search.feature_names_in_.tolist() == [*"abcd", "kind"]


@pytest.mark.parametrize("batch_size", [32, 100])
def test_sparse_rows(batch_size, assert_equals_grid_search):
    X = sp.csr_matrix(DIGITS)
    assert_equals_grid_search(small(batch_size=batch_size), {"lr": RATES}, X)


def test_lists(assert_equals_grid_search):
    assert_equals_grid_search(small(), {"lr": RATES}, PIXELS.tolist())


# Pipelines ---------------------------------------------------------------------------------


def steps(*rest, scale=None, net=None):
    first = [("scale", StandardScaler() if scale is None else scale)]
    return Pipeline([*first, ("net", small() if net is None else net), *rest])


PIPELINES = {
    "net last": (make_pipeline(MinMaxScaler(), small()), {"autoencoder__lr": RATES}),
    "net first": (
        make_pipeline(small(), linear()),
        {"autoencoder__lr": RATES, "logisticregression__C": [0.1, 1.0]},
    ),
    "prefix and suffix": (
        steps(("clf", linear())),
        {"scale__with_mean": [True, False], "net__lr": RATES, "clf__C": [0.1, 1.0]},
    ),
    "long": (
        Pipeline(
            [
                ("scale", StandardScaler()),
                ("pca", PCA(20)),
                ("net", small()),
                ("again", StandardScaler()),
                ("clf", linear()),
            ]
        ),
        {"pca__n_components": [10, 20], "net__lr": RATES, "again__with_std": [True, False]},
    ),
    "two nets": (
        steps(("clf", small(ResNetClassifier, norm="layer"))),
        {"net__lr": RATES, "clf__lr": RATES, "clf__width": [8, 16]},
    ),
    "nets apart": (
        steps(("again", MinMaxScaler()), ("vae", small(VariationalAutoencoder)), ("clf", linear())),
        {"net__noise": [0.0, 0.1], "vae__beta": [0.1, 1.0], "clf__C": [0.1, 1.0]},
    ),
    "scaler left out": (
        steps(("clf", linear())),
        {"scale": [StandardScaler(), MinMaxScaler(), "passthrough"], "net__lr": RATES},
    ),
    "net left out": (steps(("clf", linear())), {"net": [small(), "passthrough", None]}),
    "net replaced": (
        steps(("clf", linear())),
        [
            {"net": [small(), small(lr=1e-2), small(VariationalAutoencoder), PCA(3)]},
            {"net": [small(n_components=2)], "net__lr": RATES},
        ],
    ),
    "end replaced": (
        steps(("clf", linear())),
        {"clf": [linear(), GaussianNB(), small(ResNetClassifier), SVC()], "net__lr": RATES},
    ),
    "no net": (make_pipeline(StandardScaler(), linear()), {"logisticregression__C": [0.1, 1.0]}),
    "pipeline in a pipeline": (
        make_pipeline(make_pipeline(StandardScaler(), small()), linear()),
        {"pipeline__autoencoder__lr": RATES},
    ),
    "union": (
        make_pipeline(FeatureUnion([("pca", PCA(2)), ("net", small())]), linear()),
        {"featureunion__net__lr": RATES},
    ),
    "columns before": (
        steps(("clf", linear()), scale=ColumnTransformer([("half", "passthrough", slice(32))])),
        {"net__lr": RATES},
    ),
}


@pytest.mark.parametrize("pipe, grid", PIPELINES.values(), ids=PIPELINES)
def test_pipelines_score_as_in_grid_search(pipe, grid, assert_equals_grid_search):
    options = {"refit": True, "return_train_score": True}
    assert_equals_grid_search(pipe, grid, PIXELS, DIGIT, **options)


def test_memory_of_a_pipeline_is_used(assert_equals_grid_search, tmp_path):
    pipe = steps(("clf", linear())).set_params(memory=str(tmp_path))
    grid = {"net__lr": RATES, "clf__C": [0.1, 1.0]}
    assert_equals_grid_search(pipe, grid, PIXELS, DIGIT)


def test_frames_go_through_a_pipeline(assert_equals_grid_search):
    X = pd.DataFrame(PIXELS, columns=[f"pixel {n}" for n in range(64)])
    pipe = steps(("clf", linear())).set_output(transform="pandas")
    search = assert_equals_grid_search(pipe, {"net__lr": RATES}, X, DIGIT, refit=True)
    assert search.best_estimator_[-1].feature_names_in_.tolist() == [
        f"autoencoder{n}" for n in range(3)
    ]


def test_targets_may_be_transformed_around_a_net(assert_equals_grid_search):
    wrapped = TransformedTargetRegressor(small(ResNetRegressor), func=np.log, inverse_func=np.exp)
    assert_equals_grid_search(wrapped, {"regressor__lr": RATES}, DIABETES, PROGRESSION)


class CountingScaler(StandardScaler):
    """Scaler that counts how often it was fitted."""

    fits = []

    def fit(self, X, y=None, sample_weight=None):
        self.fits.append((len(X), self.with_mean))
        return super().fit(X, y, sample_weight)


class CountingClassifier(GaussianNB):
    fits = []

    def fit(self, X, y, sample_weight=None):
        self.fits.append(len(X))
        return super().fit(X, y, sample_weight)


def test_shared_steps_are_fitted_once_per_fold_and_distinct_parameters():
    pipe = steps(("clf", CountingClassifier()), scale=CountingScaler())
    grid = {"scale__with_mean": [True, False], "net__lr": RATES, "clf__var_smoothing": [1e-9, 1e-3]}
    CountingScaler.fits.clear()
    CountingClassifier.fits.clear()
    BatchedGridSearchCV(pipe, grid, cv=KFold(3), refit=False).fit(PIXELS, DIGIT)
    assert sorted(CountingScaler.fits) == [(80, False)] * 3 + [(80, True)] * 3
    assert CountingClassifier.fits == [80] * 8 * 3


def test_steps_behind_a_net_are_shared_up_to_the_next_net():
    CountingScaler.fits.clear()
    pipe = steps(("again", CountingScaler()), ("clf", small(ResNetClassifier, norm="layer")))
    grid = {"net__lr": RATES, "clf__lr": [1e-3, 3e-3, 1e-2]}
    BatchedGridSearchCV(pipe, grid, cv=KFold(3), refit=False).fit(PIXELS, DIGIT)
    assert len(CountingScaler.fits) == 2 * 3
