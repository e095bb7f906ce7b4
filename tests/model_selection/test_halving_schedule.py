"""Number of candidates and resources in each iteration of halving, as in scikit-learn."""

import numpy as np
import pytest
from scipy.stats import uniform
from sklearn.base import BaseEstimator
from sklearn.datasets import load_iris
from sklearn.ensemble import GradientBoostingClassifier
from sklearn.experimental import enable_halving_search_cv  # noqa: F401
from sklearn.model_selection import HalvingGridSearchCV, HalvingRandomSearchCV

from skdeep.model_selection import BatchedHalvingSearchCV

X, Y = (part[::2] for part in load_iris(return_X_y=True))
SCHEDULE = [
    "n_candidates_",
    "n_resources_",
    "n_iterations_",
    "n_possible_iterations_",
    "n_required_iterations_",
    "n_remaining_candidates_",
    "min_resources_",
    "max_resources_",
    "best_params_",
]


class Quick(BaseEstimator):
    """Returns a given score, without any computation."""

    def __init__(self, quality=0.0, n_steps=1):
        self.quality = quality
        self.n_steps = n_steps

    def fit(self, X, y=None):
        return self

    def score(self, X, y=None):
        return self.quality + 0.01 * self.n_steps


ROWS = np.zeros((4, 1))
ONE_SPLIT = [(np.arange(2), np.arange(2, 4))]


def halve(Search, space, **options):
    search = Search(Quick(), space, resource="n_steps", cv=ONE_SPLIT, random_state=0, **options)
    return search.fit(ROWS)


def assert_same_halving(found, expected):
    for name in SCHEDULE:
        assert getattr(found, name) == getattr(expected, name), name
    for name in ("iter", "n_resources", "mean_test_score"):
        assert found.cv_results_[name].tolist() == expected.cv_results_[name].tolist(), name
    assert found.cv_results_["params"] == expected.cv_results_["params"]


@pytest.mark.parametrize("aggressive", [False, True])
@pytest.mark.parametrize("factor", [2, 2.5, 3, 4])
@pytest.mark.parametrize("least", [1, 2, 7, "exhaust"])
def test_schedule_is_that_of_halving_grid_search(least, factor, aggressive):
    for most in (7, 16, 30):
        for n_candidates in (1, 2, 3, 9, 17):
            space = {"quality": np.linspace(1, 0, n_candidates).round(1).tolist()}
            options = {"min_resources": least, "max_resources": most, "factor": factor}
            options["aggressive_elimination"] = aggressive
            found = halve(BatchedHalvingSearchCV, space, n_candidates="all", **options)
            assert_same_halving(found, halve(HalvingGridSearchCV, space, **options))


@pytest.mark.parametrize("aggressive", [False, True])
@pytest.mark.parametrize("n_candidates", [1, 5, 13, "exhaust"])
@pytest.mark.parametrize("least", [1, 3, "exhaust"])
def test_schedule_is_that_of_halving_random_search(least, n_candidates, aggressive):
    if least == n_candidates == "exhaust":
        return  # scikit-learn refuses it
    options = {"min_resources": least, "max_resources": 20, "n_candidates": n_candidates}
    options["aggressive_elimination"] = aggressive
    searches = [
        halve(Search, {"quality": uniform()}, **options)
        for Search in (BatchedHalvingSearchCV, HalvingRandomSearchCV)
    ]
    assert_same_halving(*searches)


@pytest.mark.parametrize("aggressive", [False, True])
def test_schedule_of_another_estimator_is_that_of_halving_grid_search(aggressive):
    options = {"resource": "n_estimators", "max_resources": 8, "min_resources": 4, "factor": 2}
    options |= {"aggressive_elimination": aggressive, "random_state": 0, "cv": 2}
    forest = GradientBoostingClassifier(random_state=0)
    space = {"learning_rate": [0.001, 0.01, 0.1, 0.3], "max_depth": [1, 2]}
    found = BatchedHalvingSearchCV(forest, space, n_candidates="all", **options).fit(X, Y)
    assert_same_halving(found, HalvingGridSearchCV(forest, space, **options).fit(X, Y))


# Where the schedule is not scikit-learn's ----------------------------------------------------


def test_powers_of_the_factor_are_counted_exactly():
    space = {"quality": np.linspace(0, 1, 243).tolist()}
    options = {"min_resources": 1, "max_resources": 243, "factor": 3}
    found = halve(BatchedHalvingSearchCV, space, n_candidates="all", **options)
    assert found.n_candidates_ == [243, 81, 27, 9, 3, 1]
    assert found.n_resources_ == [1, 3, 9, 27, 81, 243]
    # floor(log(243, 3)) is 4 in floating-point numbers
    assert halve(HalvingGridSearchCV, space, **options).n_candidates_ == [243, 81, 27, 9, 3]


def test_the_smallest_resource_lets_survivors_have_all_of_it():
    search = BatchedHalvingSearchCV(
        Quick(n_steps=100), {"quality": uniform()}, resource="n_steps", cv=ONE_SPLIT, random_state=0
    ).fit(ROWS)
    assert search.min_resources_ == 100 // 3**3
    assert search.n_resources_ == [3, 9, 27, 81]
    assert search.n_candidates_ == [33, 11, 4, 2]
