"""scikit-learn's documented examples of searches, run by its searches and by batched ones.

Their code as it stands there, with fewer rows, trials or candidates where they take long.
"""

import numpy as np
import pytest
from scipy.stats import loguniform, uniform
from sklearn.datasets import load_digits, load_iris, make_hastie_10_2
from sklearn.decomposition import NMF, PCA
from sklearn.feature_selection import SelectKBest, chi2
from sklearn.linear_model import LogisticRegression, SGDClassifier
from sklearn.metrics import accuracy_score, make_scorer
from sklearn.model_selection import (
    GridSearchCV,
    KFold,
    RandomizedSearchCV,
    cross_val_score,
    train_test_split,
)
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import MinMaxScaler, StandardScaler
from sklearn.svm import SVC, LinearSVC
from sklearn.tree import DecisionTreeClassifier

from skdeep.model_selection import BatchedGridSearchCV, BatchedRandomizedSearchCV

IRIS, SPECIES = load_iris(return_X_y=True)
DIGITS, DIGIT = load_digits(return_X_y=True)

GRIDS = (GridSearchCV, BatchedGridSearchCV)
RANDOMIZED = (RandomizedSearchCV, BatchedRandomizedSearchCV)

# of examples that converge in fewer steps than they are given
pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")


def test_example_of_grid_search_cv(assert_same_search):
    parameters = {"kernel": ("linear", "rbf"), "C": [1, 10]}
    theirs, ours = (Search(SVC(), parameters).fit(IRIS, SPECIES) for Search in GRIDS)
    assert_same_search(ours, theirs)


def test_example_of_randomized_search_cv(assert_same_search):
    logistic = LogisticRegression(solver="saga", tol=1e-2, max_iter=200, random_state=0)
    distributions = {"C": uniform(loc=0, scale=4), "l1_ratio": [0, 1]}
    theirs, ours = (
        Search(logistic, distributions, random_state=0).fit(IRIS, SPECIES) for Search in RANDOMIZED
    )
    assert_same_search(ours, theirs)
    assert ours.best_params_ == theirs.best_params_


def test_nested_versus_non_nested_cross_validation(assert_same_search):
    p_grid = {"C": [1, 10, 100], "gamma": [0.01, 0.1]}
    for trial in range(2):
        inner = KFold(n_splits=4, shuffle=True, random_state=trial)
        outer = KFold(n_splits=4, shuffle=True, random_state=trial)
        searches = [Search(SVC(kernel="rbf"), p_grid, cv=outer) for Search in GRIDS]
        theirs, ours = (search.fit(IRIS, SPECIES) for search in searches)
        assert_same_search(ours, theirs)
        nested = [
            cross_val_score(search.set_params(cv=inner), IRIS, SPECIES, cv=outer)
            for search in searches
        ]
        np.testing.assert_array_equal(*nested)


def test_pipelining_pca_and_logistic_regression(assert_same_search):
    pipe = Pipeline(
        steps=[
            ("scaler", StandardScaler()),
            ("pca", PCA()),
            ("logistic", LogisticRegression(max_iter=10000, tol=0.1)),
        ]
    )
    param_grid = {"pca__n_components": [5, 15, 30], "logistic__C": np.logspace(-4, 4, 3)}
    theirs, ours = (Search(pipe, param_grid).fit(DIGITS[:600], DIGIT[:600]) for Search in GRIDS)
    assert_same_search(ours, theirs)


def test_selecting_dimensionality_reduction(assert_same_search):
    pipe = Pipeline(
        [
            ("scaling", MinMaxScaler()),
            ("reduce_dim", "passthrough"),
            ("classify", LinearSVC(dual=False, max_iter=10000)),
        ]
    )
    param_grid = [
        {
            "reduce_dim": [PCA(iterated_power=7, random_state=0), NMF(max_iter=20, random_state=0)],
            "reduce_dim__n_components": [2, 4],
            "classify__C": [1, 10],
        },
        {
            "reduce_dim": [SelectKBest(chi2)],
            "reduce_dim__k": [2, 4],
            "classify__C": [1, 10],
        },
    ]
    theirs, ours = (
        Search(pipe, param_grid=param_grid, cv=3).fit(DIGITS[:200], DIGIT[:200]) for Search in GRIDS
    )
    assert_same_search(ours, theirs)
    np.testing.assert_array_equal(*(one.predict(DIGITS[:100]) for one in (ours, theirs)))


def test_multi_metric_evaluation(assert_same_search):
    X, y = make_hastie_10_2(n_samples=1000, random_state=42)
    scoring = {"AUC": "roc_auc", "Accuracy": make_scorer(accuracy_score)}
    theirs, ours = (
        Search(
            DecisionTreeClassifier(random_state=42),
            param_grid={"min_samples_split": range(2, 403, 80)},
            scoring=scoring,
            refit="AUC",
            n_jobs=1,
            return_train_score=True,
        ).fit(X, y)
        for Search in GRIDS
    )
    assert_same_search(ours, theirs)


def best_low_complexity(cv_results):
    """Balance model complexity with cross-validated score."""
    best = np.argmax(cv_results["mean_test_score"])
    threshold = cv_results["mean_test_score"][best] - cv_results["std_test_score"][best]
    candidates = np.flatnonzero(cv_results["mean_test_score"] >= threshold)
    widths = cv_results["param_reduce_dim__n_components"][candidates].astype(int)
    return candidates[widths.argmin()]


def test_balancing_model_complexity_and_score(assert_same_search):
    pipe = Pipeline(
        [
            ("scaler", StandardScaler()),
            ("reduce_dim", PCA(random_state=42)),
            ("classify", LogisticRegression(random_state=42, C=0.01, max_iter=1000)),
        ]
    )
    theirs, ours = (
        Search(
            pipe,
            param_grid={"reduce_dim__n_components": [6, 12, 20, 30]},
            cv=3,
            scoring="accuracy",
            refit=best_low_complexity,
        ).fit(DIGITS[:400], DIGIT[:400])
        for Search in GRIDS
    )
    assert_same_search(ours, theirs)
    assert ours.best_params_ == theirs.best_params_


def fewest_errors_of_precise_ones(cv_results):
    """Keep the candidates of high precision, and of these the one of the best recall."""
    precise = cv_results["mean_test_precision"] >= 0.9
    return int(np.where(precise, cv_results["mean_test_recall"], -1).argmax())


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.UndefinedMetricWarning")
def test_custom_refit_strategy_with_cross_validation(assert_same_search):
    X_train, X_test, y_train, y_test = train_test_split(
        DIGITS, DIGIT == 8, test_size=0.8, random_state=0
    )
    tuned_parameters = [
        {"kernel": ["rbf"], "gamma": [1e-3, 1e-4], "C": [1, 10]},
        {"kernel": ["linear"], "C": [1, 10]},
    ]
    theirs, ours = (
        Search(
            SVC(),
            tuned_parameters,
            scoring=["precision", "recall"],
            refit=fewest_errors_of_precise_ones,
        ).fit(X_train, y_train)
        for Search in GRIDS
    )
    assert_same_search(ours, theirs)
    np.testing.assert_array_equal(ours.predict(X_test), theirs.predict(X_test))
    assert ours.predict(X_test)[y_test].mean() > 0.5


def test_comparing_randomized_search_and_grid_search(assert_same_search):
    X, y = (part[:200] for part in load_digits(return_X_y=True, n_class=3))
    clf = SGDClassifier(loss="hinge", penalty="elasticnet", fit_intercept=True, random_state=0)
    param_dist = {"average": [True, False], "l1_ratio": uniform(0, 1), "alpha": loguniform(1e-1, 1)}
    theirs, ours = (
        Search(clf, param_distributions=param_dist, n_iter=4, random_state=0).fit(X, y)
        for Search in RANDOMIZED
    )
    assert_same_search(ours, theirs)
    param_grid = {"average": [True, False], "l1_ratio": [0.0, 1.0], "alpha": [0.1, 1.0]}
    theirs, ours = (Search(clf, param_grid=param_grid).fit(X, y) for Search in GRIDS)
    assert_same_search(ours, theirs)
