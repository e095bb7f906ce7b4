"""Successive halving with continued training of the survivors."""

import numpy as np
import pytest
import torch
from scipy.stats import loguniform
from sklearn.datasets import load_digits
from sklearn.exceptions import FitFailedWarning
from sklearn.experimental import enable_halving_search_cv  # noqa: F401
from sklearn.linear_model import RidgeClassifier, SGDClassifier
from sklearn.model_selection import HalvingGridSearchCV, KFold, StratifiedKFold
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.random_projection import GaussianRandomProjection

from skdeep.decomposition import Autoencoder
from skdeep.ensemble import DeepEnsembleClassifier
from skdeep.model_selection import BatchedHalvingSearchCV
from skdeep.neural_network import ResNetClassifier

RATES = [1e-4, 3e-4, 1e-3, 3e-3, 1e-2, 3e-2]


@pytest.fixture(scope="module")
def digits():
    X, y = load_digits(return_X_y=True)
    return X[:150], y[:150]


def autoencoder(**params):
    params = {"hidden_layer_sizes": (8,), "max_epochs": 8, "batch_size": 32, **params}
    return Autoencoder(4, random_state=0, **params)


def halve(estimator, space, X, y=None, **params):
    params = {"n_candidates": "all", "factor": 2, "min_resources": 2, "cv": 3, **params}
    return BatchedHalvingSearchCV(estimator, space, random_state=0, **params).fit(X, y)


@pytest.mark.parametrize(
    "params",
    [
        {},
        {"noise": 0.1, "dropout": 0.1},
        {"early_stopping": True, "n_iter_no_change": 2},
        {"batch_norm": True, "optimizer": "sgd"},
    ],
    ids=lambda params: "+".join(params) or "plain",
)
def test_survivors_get_the_scores_that_starting_anew_would_give(digits, params):
    X, _ = digits
    net = autoencoder(**params)
    options = {"factor": 2, "resource": "max_epochs", "min_resources": 2, "cv": 3}
    search = halve(net, {"lr": RATES}, X)
    expected = HalvingGridSearchCV(
        net, {"lr": RATES}, max_resources=8, random_state=0, return_train_score=False, **options
    ).fit(X)
    for name in ("n_resources_", "n_candidates_", "n_remaining_candidates_", "n_iterations_"):
        assert getattr(search, name) == getattr(expected, name), name

    def by_candidate(found):
        rows = zip(found.cv_results_["params"], found.cv_results_["mean_test_score"], strict=True)
        return {(one["lr"], one["max_epochs"]): score for one, score in rows}

    assert by_candidate(search) == by_candidate(expected)
    assert search.best_params_ == expected.best_params_
    assert search.best_score_ == expected.best_score_


def test_candidates_of_equal_scores_drop_out_as_in_scikit_learn(digits, assert_same_search):
    X, y = digits
    pipe = make_pipeline(autoencoder(), StandardScaler(copy=False), RidgeClassifier())
    # that of the intercept does not change what is predicted
    space = {"ridgeclassifier__alpha": [1.0, 1.001, 1.002], "autoencoder__lr": RATES[:3]}
    options = {"resource": "autoencoder__max_epochs", "factor": 3, "min_resources": 2, "cv": 3}
    search = halve(pipe, space, X, y, **options)
    expected = HalvingGridSearchCV(
        pipe, space, max_resources=8, random_state=0, return_train_score=False, **options
    ).fit(X, y)
    assert_same_search(search, expected)


class CountingSGD(torch.optim.SGD):
    """Counts the steps of all optimizers of this class."""

    n_steps = 0

    def step(self, closure=None):
        CountingSGD.n_steps += 1
        return super().step(closure)


class CountingEpochs:
    """Callback of scikit-learn that counts the epochs that all nets are trained for."""

    max_propagation_depth = None
    n_epochs = 0

    def setup(self, estimator, context):
        pass

    def teardown(self, estimator, context):
        pass

    def on_fit_task_begin(self, estimator, context, **data):
        pass

    def on_fit_task_end(self, estimator, context, **data):
        self.n_epochs += isinstance(estimator, Autoencoder) and context.task_name == "epoch"


# 4 nets up to epoch 2, 2 of them up to epoch 4, one of these up to epoch 8, on 3 splits
N_EPOCHS = 3 * (4 * 2 + 2 * 2 + 1 * 4)


def test_halving_resumes_and_does_not_restart(digits):
    X, _ = digits
    CountingSGD.n_steps = 0
    search = halve(autoencoder(optimizer=CountingSGD), {"lr": RATES[:4]}, X, refit=False)
    assert search.n_candidates_ == [4, 2, 1]
    assert search.n_resources_ == [2, 4, 8]
    n_batches = 4  # 32 of 100 samples each
    assert CountingSGD.n_steps == n_batches * N_EPOCHS


def test_halving_of_stacks_resumes_and_does_not_restart(digits):
    X, _ = digits
    options = {"n_candidates": "all", "factor": 2, "min_resources": 2, "cv": 3, "refit": False}
    search = BatchedHalvingSearchCV(autoencoder(), {"lr": RATES[:4]}, random_state=0, **options)
    counting = CountingEpochs()
    search.set_callbacks(counting).fit(X)
    assert counting.n_epochs == N_EPOCHS


@pytest.mark.parametrize("schedule", ["coslog4", "cosine", "onecycle", "plateau"])
def test_a_survivor_has_the_schedule_of_the_last_iteration(digits, schedule):
    X, _ = digits
    net = autoencoder(lr_schedule=schedule, n_iter_no_change=2, tol=0.01)
    search = halve(net, {"lr": RATES[:4]}, X)
    last = search.cv_results_["iter"] == search.n_iterations_ - 1
    (place,) = np.flatnonzero(last)
    whole = net.set_params(**search.cv_results_["params"][place])
    for split, (train, test) in enumerate(KFold(3).split(X)):
        score = whole.fit(X[train]).score(X[test])
        assert score == search.cv_results_[f"split{split}_test_score"][place]


def test_halving_of_a_net_in_a_pipeline(digits):
    X, y = digits
    pipe = make_pipeline(StandardScaler(), autoencoder(), RidgeClassifier())
    space = {"autoencoder__lr": RATES[:2], "ridgeclassifier__alpha": [0.1, 1.0]}
    search = halve(pipe, space, X, y, resource="autoencoder__max_epochs", cv=list(stratified(X, y)))
    best = pipe.set_params(**search.best_params_)
    scores = [best.fit(X[a], y[a]).score(X[b], y[b]) for a, b in stratified(X, y)]
    assert search.best_score_ == pytest.approx(np.mean(scores), abs=1e-12)
    assert search.best_estimator_["autoencoder"].n_iter_ == 8


def stratified(X, y):
    return StratifiedKFold(3).split(X, y)


@pytest.mark.parametrize(
    "net, prefix",
    [
        (ResNetClassifier(1, width=8, early_stopping=True, refit_full=True, random_state=0), ""),
        (DeepEnsembleClassifier(ResNetClassifier(1, width=8), 2, random_state=0), "estimator__"),
    ],
    ids=["refit_full", "ensemble"],
)
def test_nets_that_cannot_be_paused_start_anew_with_equal_results(digits, net, prefix):
    X, y = digits
    options = {"resource": f"{prefix}max_epochs", "max_resources": 4, "min_resources": 2}
    search = halve(net, {f"{prefix}lr": RATES[2:4]}, X, y, **options)
    table = search.cv_results_
    for params, score in zip(table["params"], table["split0_test_score"], strict=True):
        train, test = next(iter(stratified(X, y)))
        assert net.set_params(**params).fit(X[train], y[train]).score(X[test], y[test]) == score


def test_a_resource_of_another_estimator(digits):
    X, y = digits
    net = SGDClassifier(random_state=0, max_iter=8, tol=None)
    search = halve(net, {"alpha": [1e-4, 1e-3, 1e-2]}, X, y, resource="max_iter")
    assert search.n_resources_ == [2, 4]
    assert search.best_params_["max_iter"] == 4


@pytest.mark.slow
def test_two_processes_give_the_same(digits, assert_same_search):
    X, _ = digits
    net = autoencoder(early_stopping=True, n_iter_no_change=1, lr_schedule="plateau")
    one, two = (halve(net, {"lr": RATES[:4]}, X, n_jobs=n_jobs) for n_jobs in (1, 2))
    assert_same_search(one, two)


def test_a_diverging_candidate_drops_out(digits):
    X, _ = digits
    with pytest.warns((UserWarning, FitFailedWarning), match=r"fits failed|non-finite"):
        search = halve(autoencoder(), {"lr": [1e30, 1e-3, 1e-2, 3e-3]}, X)
    table = search.cv_results_
    assert [one["lr"] for one in table["params"]].count(1e30) == 1
    assert np.isnan(table["mean_test_score"]).sum() == 1


def test_several_scores_are_ranked_by_the_one_that_refit_names(digits):
    X, y = digits
    net = ResNetClassifier(1, width=8, max_epochs=4, random_state=0)
    scoring = ["accuracy", "neg_log_loss"]
    search = halve(net, {"lr": RATES[:4]}, X, y, scoring=scoring, refit="neg_log_loss")
    first = search.cv_results_["iter"] == 0
    scores = search.cv_results_["mean_test_neg_log_loss"][first]
    rates = np.array([one["lr"] for one in search.cv_results_["params"]])
    best = set(rates[first][np.argsort(-scores)[:2]])
    assert set(rates[search.cv_results_["iter"] == 1]) == best


def test_candidates_are_drawn_from_distributions(digits):
    X, _ = digits
    space = {"lr": loguniform(1e-4, 1e-2)}
    first, again = (halve(autoencoder(), space, X, n_candidates=5) for _ in range(2))
    assert first.n_candidates_ == [5, 3, 2]
    assert first.cv_results_["params"] == again.cv_results_["params"]


def test_a_net_trains_on_behind_the_steps_that_it_was_trained_behind(digits):
    X, y = digits
    net = ResNetClassifier(1, width=8, max_epochs=4, batch_size=32, random_state=0)
    pipe = make_pipeline(CountedProjection(3), net)
    CountedProjection.n_fits = 0
    resource = "resnetclassifier__max_epochs"
    halve(pipe, {"resnetclassifier__lr": RATES[:4]}, X, y, resource=resource, refit=False)
    assert CountedProjection.n_fits == 3  # one for each split, in the first iteration


class CountedProjection(GaussianRandomProjection):
    """A different random projection in each fit."""

    n_fits = 0

    def fit(self, X, y=None):
        CountedProjection.n_fits += 1
        return super().fit(X, y)


def test_refit_may_name_a_single_score(digits):
    X, _ = digits
    search = halve(autoencoder(), {"lr": RATES[:2]}, X, refit="score", n_candidates="all")
    assert search.best_estimator_.n_iter_ == search.best_params_["max_epochs"]


@pytest.mark.parametrize("refit", [False, True, "other", lambda table: 0])
def test_several_scores_need_one_to_drop_out_by(digits, refit):
    X, y = digits
    net = ResNetClassifier(1, width=8, max_epochs=4, random_state=0)
    with pytest.raises(ValueError, match="refit must name the score"):
        halve(net, {"lr": RATES[:2]}, X, y, scoring=["accuracy", "r2"], refit=refit)


@pytest.mark.parametrize(
    "params, n_candidates, n_resources",
    [
        ({"n_candidates": "exhaust", "min_resources": "smallest"}, [8, 4, 2, 1], [1, 2, 4, 8]),
        ({"n_candidates": 4, "min_resources": "exhaust"}, [4, 2, 1], [2, 4, 8]),
        ({"n_candidates": 8, "min_resources": 4}, [8, 4], [4, 8]),
        (
            {"n_candidates": 8, "min_resources": 4, "aggressive_elimination": True},
            [8, 4, 2, 1],
            [4, 4, 4, 8],
        ),
    ],
)
def test_plan_of_candidates_and_epochs(digits, params, n_candidates, n_resources):
    X, _ = digits
    search = halve(autoencoder(), {"lr": loguniform(1e-4, 1e-2)}, X, refit=False, **params)
    assert search.n_candidates_ == n_candidates
    assert search.n_resources_ == n_resources


@pytest.mark.parametrize(
    "params, message",
    [
        ({"resource": "epochs"}, "resource must be a parameter"),
        ({"resource": "lr"}, "resource must"),
        ({"resource": "early_stopping"}, "resource must be a parameter"),
        ({"min_resources": 9}, "min_resources must be at most"),
        ({"factor": 1}, "factor"),
        ({"n_candidates": 0}, "n_candidates"),
    ],
)
def test_impossible_plans_are_errors(digits, params, message):
    X, _ = digits
    with pytest.raises(ValueError, match=message):
        halve(autoencoder(), {"lr": RATES}, X, **params)


def test_searching_over_the_resource_is_an_error(digits):
    X, _ = digits
    with pytest.raises(ValueError, match="must not be searched over"):
        halve(autoencoder(), {"max_epochs": [1, 2]}, X)
