"""Options of batched searches have the same meaning as in scikit-learn: scores, weights, errors."""

import re
import warnings

import numpy as np
import pytest
import sklearn
from sklearn.datasets import load_digits
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import accuracy_score, get_scorer, log_loss, make_scorer
from sklearn.model_selection import (
    GridSearchCV,
    GroupKFold,
    KFold,
    RandomizedSearchCV,
    cross_val_score,
)
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import FunctionTransformer, StandardScaler
from sklearn.svm import SVC

from skdeep.decomposition import Autoencoder
from skdeep.exceptions import DivergenceError
from skdeep.model_selection import BatchedGridSearchCV, BatchedRandomizedSearchCV
from skdeep.neural_network import ResNetClassifier

X, Y = (part[:120] for part in load_digits(n_class=3, return_X_y=True))
WEIGHT = np.random.default_rng(0).uniform(0.5, 2.0, size=120)
RATES = [1e-3, 1e-2]
GRIDS = (GridSearchCV, BatchedGridSearchCV)

SMALL = {"max_epochs": 3, "batch_size": 32, "device": "cpu", "random_state": 0}


def coder(**parameters):
    return Autoencoder(3, **{**SMALL, "hidden_layer_sizes": (8,), **parameters})


def net(**parameters):
    block = {"width": 16, "norm": "layer", "numerical_embedding": None}
    return ResNetClassifier(**{**SMALL, **block, **parameters})


def linear():
    return LogisticRegression(max_iter=1000)


def search_both(estimator, grid, *args, fit_params=None, **options):
    """Batched search and grid search, fitted."""
    options = {"cv": KFold(3), **options}
    theirs, ours = (Search(estimator, grid, **options) for Search in GRIDS)
    return ours.fit(*args, **(fit_params or {})), theirs.fit(*args, **(fit_params or {}))


# Scores ----------------------------------------------------------------------------------


def several(estimator, X, y):
    """Scores by name."""
    probabilities = estimator.predict_proba(X)
    return {
        "accuracy": accuracy_score(y, probabilities.argmax(axis=1)),
        "loss": -log_loss(y, probabilities, labels=[0, 1, 2]),
    }


def least_loss(table):
    return int(table["mean_test_loss"].argmax())


SCORINGS = {
    "default": {"refit": True},
    "name": {"scoring": "neg_log_loss", "refit": True},
    "scorer": {"scoring": make_scorer(accuracy_score), "refit": False},
    "callable for one": {"scoring": lambda e, X, y: several(e, X, y)["loss"], "refit": True},
    "list": {"scoring": ["accuracy", "neg_log_loss"], "refit": "neg_log_loss"},
    "dict": {"scoring": {"loss": "neg_log_loss", "right": "accuracy"}, "refit": least_loss},
    "callable": {"scoring": several, "refit": "loss"},
    "callable, chosen by a callable": {"scoring": several, "refit": least_loss},
    "no refit of several": {"scoring": several, "refit": False},
    "one in a dict": {"scoring": {"loss": "neg_log_loss"}, "refit": "loss"},
}


@pytest.mark.parametrize("options", SCORINGS.values(), ids=SCORINGS)
@pytest.mark.parametrize("return_train_score", [True, False])
def test_scoring_and_refit_mean_the_same(options, return_train_score, assert_same_search):
    options = {**options, "return_train_score": return_train_score}
    ours, theirs = search_both(net(), {"lr": RATES}, X, Y, **options)
    assert_same_search(ours, theirs)
    assert type(ours.scorer_) is type(theirs.scorer_)
    if options["refit"]:
        np.testing.assert_array_equal(ours.predict_proba(X), theirs.predict_proba(X))
        assert ours.refit_time_ > 0
        assert ours.classes_.tolist() == [0, 1, 2]
    if options["refit"] and not callable(options["refit"]):
        assert ours.score(X, Y) == theirs.score(X, Y)


@pytest.mark.parametrize("Search", GRIDS)
@pytest.mark.parametrize(
    "options, error, message",
    [
        ({"scoring": ["accuracy"], "refit": True}, ValueError, "refit must be set to a scorer key"),
        ({"scoring": several, "refit": "other"}, ValueError, "refit must be set to a scorer key"),
        ({"refit": lambda table: 0.5}, TypeError, "integer"),
        ({"refit": lambda table: 7}, IndexError, "index"),
        ({"scoring": "nonsense"}, ValueError, "scoring"),
        ({"cv": 1}, ValueError, "n_splits"),
        ({"cv": []}, ValueError, "No fits were performed|at least one"),
        ({"error_score": "none"}, ValueError, "error_score"),
    ],
)
def test_options_that_are_wrong_are_refused(Search, options, error, message):
    search = Search(net(max_epochs=1), {"lr": RATES}, **{"cv": 2, **options})
    with pytest.raises(error, match=message):
        search.fit(X, Y)


@pytest.mark.parametrize("limit", [0, -1, 1.5, "all", None])
def test_max_batch_models_is_an_int_or_auto(limit):
    with pytest.raises(ValueError, match="'max_batch_models' parameter of BatchedGridSearchCV"):
        BatchedGridSearchCV(coder(), {}, max_batch_models=limit).fit(X)


@pytest.mark.parametrize("Search", GRIDS)
def test_grids_that_are_wrong_are_refused(Search):
    with pytest.raises(ValueError, match="Invalid parameter 'speed' for estimator Autoencoder"):
        Search(coder(), {"speed": [1]}, cv=2).fit(X)
    with pytest.raises((TypeError, ValueError), match="lr"):
        Search(coder(), {"lr": 1e-3}, cv=2).fit(X)


# Weights and groups ------------------------------------------------------------------------


def test_weights_reach_nets_and_scores(assert_same_search):
    fit_params = {"sample_weight": WEIGHT}
    ours, theirs = search_both(net(), {"lr": RATES}, X, Y, fit_params=fit_params)
    assert_same_search(ours, theirs)
    np.testing.assert_array_equal(ours.predict_proba(X), theirs.predict_proba(X))
    plain = BatchedGridSearchCV(net(), {"lr": RATES}, cv=KFold(3)).fit(X, Y)
    assert not np.array_equal(plain.predict_proba(X), ours.predict_proba(X))


@pytest.mark.parametrize("names", [["net"], ["scale", "clf"], ["scale", "net", "clf"]])
def test_weights_reach_the_steps_that_are_named(names, assert_same_search):
    pipe = Pipeline([("scale", StandardScaler()), ("net", coder()), ("clf", linear())])
    fit_params = {f"{name}__sample_weight": WEIGHT for name in names}
    grid = {"net__lr": RATES, "clf__C": [0.1, 1.0]}
    ours, theirs = search_both(pipe, grid, X, Y, scoring="neg_log_loss", fit_params=fit_params)
    assert_same_search(ours, theirs)
    np.testing.assert_array_equal(ours.predict_proba(X), theirs.predict_proba(X))


@pytest.mark.parametrize("Search", GRIDS)
@pytest.mark.parametrize("name", ["sample_weight", "other__sample_weight", "net__speed"])
def test_metadata_that_no_step_takes_is_refused(Search, name):
    pipe = Pipeline([("scale", StandardScaler()), ("net", net())])
    search = Search(pipe, {"net__lr": RATES}, cv=2, refit=False, error_score="raise")
    with pytest.raises((TypeError, ValueError, KeyError)):
        search.fit(X, Y, **{name: WEIGHT})


@pytest.fixture
def routing():
    with sklearn.config_context(enable_metadata_routing=True):
        yield


def test_weights_are_routed_to_those_that_ask_for_them(routing, assert_same_search):
    pipe = make_pipeline(
        StandardScaler().set_fit_request(sample_weight=True),
        coder().set_fit_request(sample_weight=False),
        net().set_fit_request(sample_weight=True).set_score_request(sample_weight=False),
    )
    scoring = get_scorer("accuracy").set_score_request(sample_weight=True)
    grid = {"autoencoder__lr": RATES, "resnetclassifier__lr": RATES}
    fit_params = {"sample_weight": WEIGHT}
    ours, theirs = search_both(pipe, grid, X, Y, scoring=scoring, fit_params=fit_params)
    assert_same_search(ours, theirs)
    np.testing.assert_array_equal(ours.predict_proba(X), theirs.predict_proba(X))


def test_weights_and_groups_are_routed_together(routing, assert_same_search):
    one = net().set_fit_request(sample_weight=True).set_score_request(sample_weight=True)
    fit_params = {"sample_weight": WEIGHT, "groups": np.arange(120) % 6}
    ours, theirs = search_both(one, {"lr": RATES}, X, Y, fit_params=fit_params, cv=GroupKFold(3))
    assert_same_search(ours, theirs)


@pytest.mark.parametrize("Search", GRIDS)
def test_weights_that_no_one_asked_for_are_refused(routing, Search):
    with pytest.raises(sklearn.exceptions.UnsetMetadataPassedError, match="sample_weight"):
        Search(net(), {"lr": RATES}, cv=2, error_score="raise").fit(X, Y, sample_weight=WEIGHT)


def test_groups_reach_the_splitter(assert_same_search):
    groups = np.random.default_rng(0).integers(0, 7, size=120)
    ours, theirs = search_both(
        net(), {"lr": RATES}, X, Y, cv=GroupKFold(3), fit_params={"groups": groups}
    )
    assert_same_search(ours, theirs, atol=1e-5)


# Errors ------------------------------------------------------------------------------------


def warned(Search, *args, fit, **options):
    """Fitted search and the texts of its warnings, without times and line numbers."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        search = Search(*args, **options).fit(*fit)
    first_lines = [re.sub(r"\d+\.\d+e?-?\d*", "", str(one.message))[:150] for one in caught]
    kinds = [one.category.__name__ for one in caught]
    return search, sorted(zip(kinds, first_lines, strict=True))


BAD = {
    "diverging": {"lr": [1e-3, 1e30, 1e-2]},
    "invalid": {"lr": [-1.0, 1e-3, 1e-2]},
    "both": {"lr": [1e-3, -1.0, 1e30, 1e-2]},
    "another shape": [{"lr": RATES}, {"hidden_layer_sizes": ["wide"]}],
}


@pytest.mark.parametrize("grid", BAD.values(), ids=BAD)
@pytest.mark.parametrize("error_score", [-1e9, np.nan])
def test_candidates_that_fail_get_the_error_score(grid, error_score, assert_same_search):
    options = {"cv": KFold(3), "error_score": error_score, "return_train_score": True}
    (theirs, expected), (ours, found) = (
        warned(Search, coder(), grid, fit=(X,), **options) for Search in GRIDS
    )
    assert_same_search(ours, theirs)
    assert found == expected
    assert [kind for kind, _ in found].count("FitFailedWarning") == 1
    assert ours.best_params_["lr"] in RATES


def fail_on_small_batches(X):
    if len(X) == 80:
        raise RuntimeError("no")
    return X


@pytest.mark.parametrize(
    "pipe",
    [
        make_pipeline(FunctionTransformer(fail_on_small_batches), coder(), linear()),
        make_pipeline(coder(), FunctionTransformer(fail_on_small_batches), linear()),
        make_pipeline(coder(), FunctionTransformer(fail_on_small_batches), net()),
    ],
    ids=["before", "behind", "between"],
)
def test_steps_around_a_net_may_fail(pipe, assert_same_search):
    splits = [(np.arange(80), np.arange(80, 120)), (np.arange(40, 119), np.arange(40))]
    options = {"cv": splits, "error_score": 0.0, "refit": False}
    (theirs, expected), (ours, found) = (
        warned(Search, pipe, {"autoencoder__lr": RATES}, fit=(X, Y), **options) for Search in GRIDS
    )
    assert_same_search(ours, theirs, atol=1e-5)
    assert found == expected


@pytest.mark.parametrize("Search", GRIDS)
@pytest.mark.parametrize(
    "rate, error, message",
    [(1e30, DivergenceError, "stopped being finite"), (-1.0, ValueError, "'lr' parameter")],
)
def test_errors_are_raised_where_asked_for(Search, rate, error, message):
    search = Search(coder(), {"lr": [1e-3, rate]}, cv=3, error_score="raise")
    with pytest.raises(error, match=message):
        search.fit(X)
    assert not hasattr(search, "cv_results_")


@pytest.mark.parametrize("Search", GRIDS)
def test_a_search_in_which_all_fits_fail_says_so(Search):
    with pytest.raises(ValueError, match="All the 6 fits failed"):
        Search(coder(), {"lr": [1e30, -1.0]}, cv=3).fit(X)


def test_a_scorer_that_fails_gives_the_error_score(assert_same_search):
    def scoring(estimator, X, y=None):
        if estimator.lr == 1e-2:
            raise ValueError("no")
        return estimator.score(X)

    options = {"cv": KFold(3), "error_score": -5.0, "scoring": scoring}
    (theirs, expected), (ours, found) = (
        warned(Search, coder(), {"lr": RATES}, fit=(X,), **options) for Search in GRIDS
    )
    assert_same_search(ours, theirs)
    assert [kind for kind, _ in found] == [kind for kind, _ in expected]


# Estimators without a net, searches in searches --------------------------------------------


@pytest.mark.parametrize(
    "estimator, grid",
    [(linear(), {"C": [0.1, 1.0, 10.0]}), (SVC(), {"C": [1, 10], "kernel": ["rbf", "linear"]})],
)
@pytest.mark.parametrize(
    "pair",
    [GRIDS, (RandomizedSearchCV, BatchedRandomizedSearchCV)],
    ids=["grid", "randomized"],
)
def test_estimators_of_scikit_learn_give_what_its_searches_give(
    estimator, grid, pair, assert_same_search
):
    options = {"cv": 3, "return_train_score": True}
    options |= {"n_iter": 3, "random_state": 0} if pair[0] is RandomizedSearchCV else {}
    theirs, ours = (Search(estimator, grid, **options).fit(X, Y) for Search in pair)
    assert_same_search(ours, theirs)


def test_nested_cross_validation_scores_the_same():
    nested = [
        cross_val_score(Search(net(), {"lr": RATES}, cv=KFold(2)), X, Y, cv=KFold(3))
        for Search in GRIDS
    ]
    np.testing.assert_array_equal(*nested)


def test_a_search_inside_of_a_search_scores_the_same(assert_same_search):
    theirs, ours = (
        Search(
            make_pipeline(StandardScaler(), Search(coder(), {"lr": RATES}, cv=KFold(2)), linear()),
            {"logisticregression__C": [0.1, 1.0]},
            cv=KFold(2),
        ).fit(X, Y)
        for Search in GRIDS
    )
    assert_same_search(ours, theirs)
