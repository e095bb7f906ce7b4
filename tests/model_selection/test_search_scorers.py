"""Multi-metric scoring: the metric used for refit, also if one is named "score"."""

import numpy as np
import pytest
from sklearn.datasets import load_iris
from sklearn.metrics import accuracy_score, make_scorer
from sklearn.model_selection import GridSearchCV

from skdeep.model_selection import (
    BatchedGridSearchCV,
    BatchedHalvingSearchCV,
    BatchedRandomizedSearchCV,
)
from skdeep.neural_network import ResNetClassifier

X, Y = (part[::2] for part in load_iris(return_X_y=True))
SCORE = make_scorer(accuracy_score)
OTHER = make_scorer(lambda y, predicted: -accuracy_score(y, predicted))
NAMED_SCORE = {"score": SCORE, "other": OTHER}


def both_scores(estimator, X, y):
    return {name: scorer(estimator, X, y) for name, scorer in NAMED_SCORE.items()}


def net(**params):
    options = {"n_blocks": 1, "width": 8, "max_epochs": 4, "batch_size": 16, "random_state": 0}
    return ResNetClassifier(**{**options, **params})


@pytest.mark.parametrize("scoring", [NAMED_SCORE, both_scores], ids=["dict", "callable"])
@pytest.mark.parametrize("refit", ["score", "other"])
def test_candidates_drop_out_by_the_score_that_refit_names(scoring, refit):
    rates = [1e-4, 1e-2, 1e-1]
    options = {"n_candidates": "all", "factor": 3, "min_resources": 1, "cv": 3, "scoring": scoring}
    search = BatchedHalvingSearchCV(net(), {"lr": rates}, refit=refit, **options).fit(X, Y)
    table = search.cv_results_
    first = table["iter"] == 0
    survivors = [one["lr"] for one in np.array(table["params"])[~first]]
    scores = table[f"mean_test_{refit}"][first]
    assert len(set(scores)) == len(rates)
    assert survivors == [rates[np.argmax(scores)]]
    assert search.best_score_ == table[f"mean_test_{refit}"][~first][0]
    assert search.multimetric_


@pytest.mark.parametrize("scoring", [NAMED_SCORE, both_scores], ids=["dict", "callable"])
@pytest.mark.parametrize("refit", ["score", "other", False, lambda table: 1])
def test_a_scorer_called_score_is_one_of_several(scoring, refit):
    grid = {"lr": [1e-4, 1e-2, 1e-1]}
    searches = [
        Search(net(), grid, scoring=scoring, refit=refit, cv=3, **options).fit(X, Y)
        for Search, options in (
            (GridSearchCV, {}),
            (BatchedGridSearchCV, {}),
            (BatchedRandomizedSearchCV, {"n_iter": 3}),
        )
    ]
    for search in searches[1:]:
        for name in ("multimetric_", "best_index_", "best_score_"):
            assert hasattr(search, name) == hasattr(searches[0], name)
        assert search.multimetric_
    if isinstance(refit, str):
        assert searches[1].best_index_ == searches[0].best_index_
        assert searches[1].score(X, Y) == searches[0].score(X, Y)


def test_a_single_scorer_may_be_called_score():
    search = BatchedHalvingSearchCV(
        net(), {"lr": [1e-3, 1e-2]}, scoring={"score": SCORE}, refit="score", n_candidates="all"
    ).fit(X, Y)
    assert search.multimetric_
    assert search.best_score_ == search.cv_results_["mean_test_score"][search.best_index_]


def unweighted(y_true, y_pred):
    return 0.5


@pytest.mark.parametrize(
    "options",
    [
        {"refit": lambda table: None},
        {"refit": lambda table: 3},
        {"refit": lambda table: -1},
        {"scoring": make_scorer(unweighted)},
        {"scoring": {"one": make_scorer(unweighted), "other": "accuracy"}, "refit": "one"},
    ],
    ids=["no index", "an index too high", "an index too low", "weights", "weights of several"],
)
@pytest.mark.filterwarnings("error::UserWarning")
def test_messages_contain_those_of_scikit_learn(options):
    messages = []
    for Search in (GridSearchCV, BatchedGridSearchCV):
        with pytest.raises((TypeError, IndexError, UserWarning)) as caught:
            Search(net(), {"lr": [1e-3, 1e-2]}, **options).fit(X, Y, sample_weight=np.ones(len(X)))
        messages.append((caught.type, str(caught.value).replace("Batched", "")))
    (kind, theirs), (our_kind, ours) = messages
    assert our_kind is kind
    assert " ".join(theirs.split()) in " ".join(ours.split())
