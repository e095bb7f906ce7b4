"""Corner cases of searches in which candidates share data, steps or results."""

import time
import weakref

import numpy as np
import pytest
import torch
from sklearn import config_context
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.datasets import load_digits, load_iris
from sklearn.decomposition import KernelPCA
from sklearn.exceptions import FitFailedWarning
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import FunctionTransformer, MinMaxScaler, StandardScaler
from torch.overrides import TorchFunctionMode

from skdeep.decomposition import Autoencoder
from skdeep.model_selection import BatchedGridSearchCV
from skdeep.neural_network import ResNetClassifier, ResNetRegressor


@pytest.fixture(scope="module")
def iris():
    X, y = load_iris(return_X_y=True)
    return X[::2], y[::2]


def net(**params):
    return ResNetClassifier(
        **{
            "n_blocks": 1,
            "width": 8,
            "numerical_embedding": None,
            "max_epochs": 3,
            "batch_size": 16,
            "random_state": 0,
            **params,
        }
    )


def search_both(estimator, grid, X, y, assert_same_search, **fit_params):
    searches = [
        kind(estimator, grid, cv=3).fit(X.copy(), y, **fit_params)  # a refit may write into it
        for kind in (BatchedGridSearchCV, GridSearchCV)
    ]
    assert_same_search(*searches)


@pytest.mark.parametrize("device", ["cuda:7", 3])
def test_a_candidate_with_an_impossible_device_is_a_failed_fit(iris, device):
    with pytest.warns((UserWarning, FitFailedWarning), match=r"device|non-finite"):
        search = BatchedGridSearchCV(net(), {"device": ["cpu", device]}, cv=3).fit(*iris)
    scores = search.cv_results_["mean_test_score"]
    assert np.isfinite(scores).tolist() == [True, False]


def test_metadata_that_a_net_does_not_take_is_a_failed_fit(iris):
    X, y = iris
    with pytest.raises(ValueError, match="All the 3 fits failed"):
        BatchedGridSearchCV(net(), {"lr": [0.1]}, cv=3).fit(X, y, mass=np.ones(len(X)))


def test_seeds_that_other_candidates_have_too_choose_their_own_samples(assert_same_search):
    X = np.random.default_rng(0).lognormal(size=(11_000, 1))
    params = {"width": 2, "max_epochs": 1, "batch_size": 4096, "early_stopping": False}
    grid = {"lr": [1e-3, 1e-2], "random_state": [0, 1]}  # scales are learned from 10,000 samples
    split = [(np.arange(10_500), np.arange(10_500, 11_000))]
    searches = [
        Search(ResNetRegressor(**params), grid, cv=split, refit=False)
        for Search in (BatchedGridSearchCV, GridSearchCV)
    ]
    assert_same_search(*(search.fit(X, X[:, 0]) for search in searches))


class Weighed(Pipeline):
    """Passes weights to a step by name."""

    def fit(self, X, y=None, sample_weight=None):
        return super().fit(X, y, net__sample_weight=sample_weight)


def test_a_pipeline_of_ones_own_says_itself_what_it_takes(iris, assert_same_search):
    X, y = iris
    pipe = Weighed([("scale", StandardScaler()), ("net", net())])
    weight = np.linspace(0.5, 2.0, len(X))
    search_both(pipe, {"net__lr": [1e-2]}, X, y, assert_same_search, sample_weight=weight)


def test_values_that_are_equal_but_not_the_same_are_apart(iris, assert_same_search):
    X, y = iris

    def scale(X, how):
        return X * (2.0 if how[0] is True else 1.0)

    pipe = make_pipeline(FunctionTransformer(scale), net())
    grid = {"functiontransformer__kw_args": [{"how": (1,)}, {"how": (True,)}]}
    search_both(pipe, grid, X, y, assert_same_search)


def test_a_candidate_that_takes_a_kernel_is_given_one(iris, assert_same_search):
    X, y = iris
    pipe = Pipeline([("first", StandardScaler()), ("net", net())])
    grid = {"first": [StandardScaler(), KernelPCA(2, kernel="precomputed")]}
    search_both(pipe, grid, X @ X.T, y, assert_same_search)


class Doubled(Autoencoder):
    """Returns training samples that differ from those of ``transform``."""

    def fit_transform(self, X, y=None):
        return 2 * self.fit(X).transform(X)


def test_a_net_with_a_fit_transform_of_its_own_keeps_it(iris, assert_same_search):
    X, y = iris
    pipe = make_pipeline(Doubled(2, max_epochs=2, random_state=0), net())
    search_both(pipe, {"resnetclassifier__lr": [1e-3, 1e-2]}, X, y, assert_same_search)


def spoil(estimator, X, y):
    """Score, and clear the data so that no other candidate can use it."""
    score = estimator.score(X, y)
    estimator[0].scale_[:] = 0.0
    for parameter in estimator[1].module_.parameters():
        parameter.data.zero_()
    return score


def test_what_a_scorer_does_to_one_candidate_is_not_seen_by_others(iris, assert_same_search):
    X, y = iris
    pipe = make_pipeline(MinMaxScaler(), net())
    searches = [
        kind(pipe, {"resnetclassifier__lr": [1e-2, 1e-2]}, cv=3, scoring=spoil, refit=False)
        for kind in (BatchedGridSearchCV, GridSearchCV)
    ]
    assert_same_search(*(search.fit(X, y) for search in searches))


class TooLittleMemory(TorchFunctionMode):
    """Loss without an implementation for stacked nets."""

    def __torch_function__(self, function, types, args=(), kwargs=None):
        if any(isinstance(one, torch.Tensor) and one.ndim > 2 for one in args):
            raise MemoryError("no more")
        return function(*args, **(kwargs or {}))


def test_too_little_memory_for_a_stack_is_a_failed_fit(iris):
    with pytest.raises(ValueError, match="All the 6 fits failed") as caught, TooLittleMemory():
        BatchedGridSearchCV(net(), {"lr": [1e-3, 1e-2]}, cv=3).fit(*iris)
    message = str(caught.value)
    assert message.count("MemoryError: no more") == 1  # the same for all of them
    assert "6 fits failed with the following error" in message
    with TooLittleMemory():
        net().fit(*iris)


def refuse(X):
    raise RuntimeError("not these")


def test_steps_that_fail_fail_alike_for_every_candidate(iris):
    pipe = make_pipeline(FunctionTransformer(refuse), net())
    with pytest.raises(ValueError, match="All the 6 fits failed") as caught:
        BatchedGridSearchCV(pipe, {"resnetclassifier__lr": [1e-3, 1e-2]}, cv=3).fit(*iris)
    assert "6 fits failed with the following error" in str(caught.value)


@pytest.mark.gpu
@pytest.mark.parametrize("image_shape", [None, (8, 8)])
def test_a_stack_on_a_gpu_scores_as_single_fits_do(assert_same_search, image_shape):
    X, _ = load_digits(return_X_y=True)
    params = {"hidden_layer_sizes": (8,), "max_epochs": 3, "device": "cuda", "random_state": 0}
    net = Autoencoder(4, image_shape=image_shape, **params)
    searches = [
        kind(net, {"lr": [1e-3, 3e-3]}, cv=3).fit(X[:300] / 16)
        for kind in (BatchedGridSearchCV, GridSearchCV)
    ]
    assert_same_search(*searches, atol=1e-4)


def coder(**params):
    return Autoencoder(3, max_epochs=3, random_state=0, **params)


@pytest.mark.parametrize(
    ("steps", "grid"),
    [
        ([coder()], {"resnetclassifier__lr": [1e-3, 1e-2]}),
        ([coder(), StandardScaler(copy=False)], {"resnetclassifier__lr": [1e-3, 1e-2]}),
        (
            [coder(), StandardScaler(copy=False)],
            {"standardscaler__with_mean": [True, False], "standardscaler__with_std": [True, False]},
        ),
        ([StandardScaler(copy=False), coder()], {"standardscaler__with_std": [True, False]}),
    ],
    ids=["none", "between nets", "between nets, several", "in front"],
)
def test_steps_may_write_into_their_rows(iris, steps, grid, assert_same_search):
    search_both(make_pipeline(*steps, net()), grid, *iris, assert_same_search)


def test_steps_behind_a_net_may_write_into_their_rows(iris, assert_same_search):
    pipe = make_pipeline(coder(), StandardScaler(copy=False), LogisticRegression())
    search_both(pipe, {"logisticregression__C": [1e-3, 1e-2, 1.0]}, *iris, assert_same_search)


class SlowScaler(StandardScaler):
    """Gives other threads time to read the samples that it overwrites."""

    def transform(self, X, copy=None):
        time.sleep(0.05)
        return super().transform(X, copy)


def test_steps_may_write_into_their_rows_beside_other_threads(iris, assert_same_search):
    pipe = make_pipeline(SlowScaler(copy=False), KernelPCA(2), net(device=["cpu"] * 4))
    grid = {"slowscaler__with_std": [True, False], "kernelpca__kernel": ["linear", "rbf"]}
    search_both(pipe, grid, *iris, assert_same_search)


class Weigher(ClassifierMixin, BaseEstimator):
    """Scores the sum of the weights, which its ``fit`` overwrites."""

    def __init__(self, factor=1.0):
        self.factor = factor

    def fit(self, X, y, sample_weight):
        self.classes_ = np.unique(y)
        sample_weight *= self.factor
        self.total_ = sample_weight.sum()
        return self

    def score(self, X, y):
        return self.total_


def test_steps_may_write_into_their_metadata(iris, assert_same_search):
    X, y = iris
    weight = {"weigher__sample_weight": np.ones(len(X))}
    pipe = make_pipeline(coder(), Weigher())
    searches = [
        kind(pipe, {"weigher__factor": [2.0, 3.0, 4.0]}, cv=3, refit=False).fit(X, y, **weight)
        for kind in (BatchedGridSearchCV, GridSearchCV)
    ]
    assert_same_search(*searches)


@pytest.mark.parametrize(
    ("pipe", "grid"),
    [
        (Pipeline([("a", StandardScaler()), ("a", net())]), {}),
        (Pipeline([("s", StandardScaler()), ("a__b", net())]), {}),
        (Pipeline([("a", net())]), {"memory": [5]}),
        (Pipeline([("a", net()), ("b", LogisticRegression())]), {}),
        (Pipeline([("a", LogisticRegression()), ("b", net())]), {}),
    ],
    ids=["equal names", "a name", "a parameter", "a net in the middle", "a net behind"],
)
def test_pipelines_that_scikit_learn_refuses_fail_in_its_words(iris, pipe, grid):
    messages = []
    for kind in (BatchedGridSearchCV, GridSearchCV):
        with pytest.raises(ValueError, match="All the 3 fits failed") as caught:
            kind(pipe, grid, cv=3).fit(*iris)
        messages.append(str(caught.value).splitlines()[-1])
    assert messages[0] == messages[1]


@pytest.mark.parametrize(
    ("estimator", "lr", "with_y", "metadata"),
    [
        (net(), 1e-3, True, {"stretch": 3}),
        (net(), -1.0, True, {"stretch": 3}),
        (make_pipeline(StandardScaler(), net()), 1e-3, True, {"resnetclassifier__stretch": 3}),
        (make_pipeline(StandardScaler(), net()), 1e-3, False, {}),
        (net(), 1e-3, False, {}),
        (net(), -1.0, False, {}),
    ],
    ids=[
        "metadata",
        "metadata and a parameter",
        "metadata of a step",
        "no labels",
        "no labels for a net",
        "no labels and a parameter",
    ],
)
def test_calls_that_a_net_does_not_take_are_refused_in_its_words(
    iris, estimator, lr, with_y, metadata
):
    X, y = iris
    name = "lr" if isinstance(estimator, ResNetClassifier) else "resnetclassifier__lr"
    options = {"cv": 3, "error_score": "raise", "scoring": lambda estimator, X, y=None: 0.0}
    errors = []
    for kind in (BatchedGridSearchCV, GridSearchCV):
        with pytest.raises((TypeError, ValueError)) as caught:
            kind(estimator, {name: [lr]}, **options).fit(X, y if with_y else None, **metadata)
        errors.append((caught.type, str(caught.value)))
    assert errors[0] == errors[1]


class CountedScaler(StandardScaler):
    """Counts how many of its results exist at the same time."""

    n_held = n_most = 0

    def transform(self, X, copy=None):
        result = super().transform(X, copy)
        CountedScaler.n_held += 1
        CountedScaler.n_most = max(CountedScaler.n_most, CountedScaler.n_held)
        weakref.finalize(result, self._forget)
        return result

    @staticmethod
    def _forget():
        CountedScaler.n_held -= 1


@pytest.mark.parametrize(
    ("n_bytes", "n_held"), [(1, 3), (16_000, 6), (2**30, 12)], ids=["one", "two", "all"]
)
def test_working_memory_limits_how_many_shared_results_are_held(
    iris, n_bytes, n_held, assert_same_search
):
    pipe = make_pipeline(CountedScaler(), net())
    grid = {
        "countedscaler__with_mean": [True, False],
        "countedscaler__with_std": [True, False],
        "resnetclassifier__lr": [1e-3, 1e-2],
    }
    CountedScaler.n_held = CountedScaler.n_most = 0
    # four scalers give three folds each, for which 75 rows of four numbers are reckoned
    with config_context(working_memory=n_bytes / 2**20):
        search = BatchedGridSearchCV(pipe, grid, cv=3, refit=False).fit(*iris)
    n_scored = 1
    assert CountedScaler.n_most == n_held + n_scored
    assert CountedScaler.n_held == 0
    assert_same_search(search, GridSearchCV(pipe, grid, cv=3, refit=False).fit(*iris))
