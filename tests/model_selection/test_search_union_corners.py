"""Batched searches over unions and column transformers: inputs, errors, metadata, callbacks."""

import numpy as np
import pandas as pd
import pytest
import scipy.sparse as sp
import sklearn
from sklearn.base import BaseEstimator, TransformerMixin, clone
from sklearn.callback import ProgressBar
from sklearn.compose import ColumnTransformer, make_column_selector
from sklearn.datasets import load_iris
from sklearn.decomposition import PCA
from sklearn.experimental import enable_halving_search_cv  # noqa: F401
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV, HalvingGridSearchCV
from sklearn.pipeline import FeatureUnion, Pipeline, make_pipeline, make_union
from sklearn.preprocessing import FunctionTransformer, OneHotEncoder, StandardScaler

from skdeep.decomposition import Autoencoder
from skdeep.model_selection import BatchedGridSearchCV, BatchedHalvingSearchCV

X, Y = (part[::2] for part in load_iris(return_X_y=True))
WEIGHT = np.linspace(0.5, 2.0, len(X))
RATES = [1e-3, 1e-2]
LINEAR = LogisticRegression(max_iter=1000)


def coder(n_components=2, **params):
    small = {"hidden_layer_sizes": (8,), "max_epochs": 4, "batch_size": 16, "device": "cpu"}
    return Autoencoder(n_components, **{**small, "random_state": 0, **params})


def columns(**options):
    return ColumnTransformer(
        [("coder", coder(), [0, 1, 2]), ("scaler", StandardScaler(), [3])], **options
    )


def searches(estimator, grid, data=(X, Y), fit_params=None, **options):
    """A batched search and scikit-learn's, both fitted."""
    options = {"cv": 3, "return_train_score": True, **options}
    return [
        Search(estimator, grid, **options).fit(data[0].copy(), data[1], **(fit_params or {}))
        for Search in (BatchedGridSearchCV, GridSearchCV)
    ]


def sum_of_outputs(estimator, X, y=None):
    return float(np.asarray(estimator.transform(X)).sum())


# What is searched --------------------------------------------------------------------------


@pytest.mark.parametrize(
    "estimator, name",
    [
        (make_union(coder(), PCA(2)), "autoencoder"),
        (columns(), "coder"),
        (make_pipeline(StandardScaler(), make_union(coder(), PCA(2))), "featureunion__autoencoder"),
        (make_pipeline(StandardScaler(), columns()), "columntransformer__coder"),
        (make_pipeline(columns()), "columntransformer__coder"),
    ],
)
@pytest.mark.parametrize("n_jobs", [None, 2])
def test_a_search_without_a_predictor(estimator, name, n_jobs, assert_same_search):
    options = {"scoring": sum_of_outputs, "n_jobs": n_jobs}
    found, expected = searches(estimator, {f"{name}__lr": RATES}, **options)
    assert_same_search(found, expected)
    np.testing.assert_array_equal(found.transform(X), expected.transform(X))


@pytest.mark.parametrize("n_jobs", [None, 2])
def test_processes_change_no_score(n_jobs, assert_same_search):
    grid = {"columntransformer__coder__lr": RATES, "logisticregression__C": [0.1, 1.0]}
    estimator = make_pipeline(columns(), LINEAR)
    assert_same_search(*searches(estimator, grid, n_jobs=n_jobs))


def test_halving_scores_are_those_of_training_from_scratch():
    pipe = make_pipeline(make_union(coder(), PCA(1)), LINEAR)
    resource = "featureunion__autoencoder__max_epochs"
    options = {"resource": resource, "max_resources": 4, "factor": 2, "min_resources": 1}
    options |= {"cv": 3, "random_state": 0}
    space = {"featureunion__autoencoder__lr": [1e-3, 3e-3, 1e-2, 1e-1]}
    found = BatchedHalvingSearchCV(pipe, space, n_candidates="all", **options).fit(X, Y)
    expected = HalvingGridSearchCV(pipe, space, **options).fit(X, Y)
    assert found.cv_results_["params"] == expected.cv_results_["params"]
    for name in ("mean_test_score", "std_test_score"):
        np.testing.assert_array_equal(found.cv_results_[name], expected.cv_results_[name])


def test_a_net_that_is_paused_comes_after_a_union():
    pipe = make_pipeline(make_union(coder(3), PCA(1)), coder())
    options = {"resource": "autoencoder__max_epochs", "max_resources": 4, "factor": 2}
    options |= {"min_resources": 1, "cv": 3, "random_state": 0}
    space = {"autoencoder__lr": [1e-3, 3e-3, 1e-2, 1e-1]}
    found = BatchedHalvingSearchCV(pipe, space, n_candidates="all", **options).fit(X)
    expected = HalvingGridSearchCV(pipe, space, **options).fit(X)
    assert found.cv_results_["params"] == expected.cv_results_["params"]
    np.testing.assert_array_equal(
        found.cv_results_["mean_test_score"], expected.cv_results_["mean_test_score"]
    )


# Samples -----------------------------------------------------------------------------------


@pytest.mark.parametrize("container", ["default", "pandas"])
def test_dataframes_with_categories(container, assert_same_search):
    frame = pd.DataFrame(X, columns=list("abcd"))
    frame["kind"] = np.array(["x", "y", "z"])[np.arange(len(X)) % 3]
    numbers = make_column_selector(dtype_include=float)
    transformer = ColumnTransformer(
        [
            ("numbers", make_pipeline(StandardScaler(), coder()), numbers),
            ("categories", OneHotEncoder(sparse_output=False), ["kind"]),
        ]
    )
    estimator = make_pipeline(transformer, LINEAR).set_output(transform=container)
    grid = {"columntransformer__numbers__autoencoder__lr": RATES}
    found, expected = searches(estimator, grid, (frame, Y))
    assert_same_search(found, expected)


def test_sparse_samples(assert_same_search):
    estimator = make_pipeline(make_union(coder(), "passthrough"), LINEAR)
    grid = {"featureunion__autoencoder__lr": RATES}
    assert_same_search(*searches(estimator, grid, (sp.csr_array(X), Y)))


class Counted(TransformerMixin, BaseEstimator):
    """Passes samples on and counts the fits of all instances."""

    n_fits = 0

    def fit(self, X, y=None):
        Counted.n_fits += 1
        return self

    def transform(self, X):
        return X


CONTAINERS = {
    "array": np.array,
    "columns in memory": np.asfortranarray,
    "gaps": lambda X: np.where(X == X[0, 0], np.nan, X),
    "dataframe": pd.DataFrame,
    "sparse": sp.csr_array,
    "list": lambda X: X.tolist(),
}


@pytest.mark.parametrize("container", CONTAINERS.values(), ids=CONTAINERS)
def test_branches_are_fitted_once_for_each_fold(container, monkeypatch):
    monkeypatch.setattr(Counted, "n_fits", 0)
    gaps = FunctionTransformer(np.nan_to_num if container is CONTAINERS["gaps"] else None)
    branch = make_pipeline(Counted(), gaps, coder())
    union = FeatureUnion([("first", branch), ("second", make_pipeline(clone(gaps), coder()))])
    grid = {"union__first__autoencoder__lr": RATES, "linear__C": [0.1, 1.0]}
    estimator = Pipeline([("union", union), ("linear", LINEAR)])
    data = container(X)
    BatchedGridSearchCV(estimator, grid, cv=3, error_score="raise", refit=False).fit(data, Y)
    assert Counted.n_fits == 3


class Growing(TransformerMixin, BaseEstimator):
    """Adds the number of calls to ``transform``."""

    def fit(self, X, y=None):
        self.n_calls_ = 0
        return self

    def transform(self, X):
        self.n_calls_ += 1
        return X + self.n_calls_


IN_PLACE = StandardScaler(copy=False)


@pytest.mark.parametrize(
    "parts",
    [
        [make_pipeline(Growing(), coder()), "passthrough"],
        [make_pipeline(coder(), Growing()), Growing()],
        [Growing(), make_pipeline(Growing(), coder(), Growing())],
        [IN_PLACE, coder()],
        [coder(), IN_PLACE, coder(1)],
        [make_pipeline(IN_PLACE, coder()), PCA(2)],
        [make_pipeline(IN_PLACE, coder()), make_pipeline(Growing(), coder())],
        [make_union(IN_PLACE, coder()), coder(1)],
    ],
    ids=range(8),
)
@pytest.mark.parametrize("is_last", [False, True])
def test_transformers_that_write_or_change(parts, is_last, assert_same_search):
    union = FeatureUnion([(f"part{number}", part) for number, part in enumerate(parts)])
    names = [name for name in union.get_params() if name.endswith("__max_epochs")]
    steps = [union] if is_last else [union, Growing(), LINEAR]
    scoring = sum_of_outputs if is_last else None
    estimator = make_pipeline(*steps)
    grid = {f"featureunion__{names[-1]}": [2, 4], "featureunion__verbose": [False]}
    # scikit-learn computes train scores on samples that the fit has written into
    options = {"scoring": scoring, "return_train_score": False}
    assert_same_search(*searches(estimator, grid, **options))


# What scorers see --------------------------------------------------------------------------


def test_scorers_see_the_fitted_parts():
    def check(estimator, X, y):
        parts = dict(estimator[0].transformer_list), estimator[1].named_transformers_
        assert all(len(part["autoencoder"].loss_curve_) == 4 for part in parts)
        assert not hasattr(estimator[1].transformers[0][1], "net_")
        assert estimator[0].verbose and estimator[1].verbose
        parts[0]["autoencoder"].loss_curve_ = []  # not seen by others
        return estimator.score(X, y)

    transformer = ColumnTransformer([("autoencoder", coder(), slice(0, 3))], verbose=True)
    union = make_union(coder(), PCA(2), verbose=True)
    grid = {"logisticregression__C": [0.1, 1.0], "columntransformer__autoencoder__lr": RATES}
    estimator = make_pipeline(union, transformer, LINEAR)
    search = BatchedGridSearchCV(estimator, grid, scoring=check, cv=3, error_score="raise")
    assert np.isfinite(search.fit(X, Y).cv_results_["mean_test_score"]).all()


def test_a_verbose_union_reports_no_times_of_fits_that_are_shared(capsys):
    union = make_union(coder(), PCA(2), verbose=True)
    search = BatchedGridSearchCV(
        make_pipeline(union, LINEAR), {"featureunion__autoencoder__lr": RATES}, cv=3, refit=False
    )
    search.fit(X, Y)
    assert capsys.readouterr().out == ""


# Errors ------------------------------------------------------------------------------------

FAILING = {
    "a net": (make_union(coder(batch_norm=False), PCA(2)), "autoencoder__lr", [1e-3, 1e30]),
    "a step before a net": (
        make_union(make_pipeline(PCA(2), coder(1)), PCA(2)),
        "pipeline__pca__n_components",
        [2, 9],
    ),
    "a step after a net": (
        make_union(make_pipeline(coder(), PCA(2)), PCA(2)),
        "pipeline__pca__n_components",
        [2, 9],
    ),
    "another branch": (make_union(coder(), PCA(2)), "pca__n_components", [2, 9]),
    "invalid parameters": (make_union(coder(), PCA(2)), "autoencoder__lr", [1e-3, -1.0]),
    "columns": (
        ColumnTransformer([("coder", coder(), [0, 1])]),
        "transformers",
        [[("coder", coder(), [0, 1])], [("coder", coder(), [0, 9])]],
    ),
    "names": (
        ColumnTransformer([("coder", coder(), [0, 1])]),
        "transformers",
        [[("coder", coder(), [0, 1])], 2 * [("coder", coder(), [0, 1])]],
    ),
    "weights": (
        make_union(coder(), PCA(2)),
        "transformer_weights",
        [{"pca": 2.0}, {"unknown": 2.0}],
    ),
}


@pytest.mark.parametrize("union, name, values", FAILING.values(), ids=FAILING)
@pytest.mark.filterwarnings("ignore::sklearn.exceptions.FitFailedWarning")
@pytest.mark.filterwarnings("ignore:One or more of the test scores are non-finite:UserWarning")
def test_candidates_that_fail_are_those_of_grid_search(union, name, values, assert_same_search):
    estimator = make_pipeline(union, LINEAR)
    grid = {f"{type(union).__name__.lower()}__{name}": values}
    found, expected = searches(estimator, grid, return_train_score=False)
    assert_same_search(found, expected)
    assert np.isnan(found.cv_results_["mean_test_score"]).sum() == 1


def test_the_error_of_a_net_is_reported():
    estimator = make_pipeline(make_union(coder(batch_norm=False), PCA(2)), LINEAR)
    grid = {"featureunion__autoencoder__lr": [1e30]}
    with pytest.raises(ValueError, match="stopped being finite"):
        BatchedGridSearchCV(estimator, grid, cv=3, error_score="raise").fit(X, Y)
    with pytest.raises(ValueError, match="DivergenceError"):
        BatchedGridSearchCV(estimator, grid, cv=3).fit(X, Y)


# Metadata and callbacks --------------------------------------------------------------------


@pytest.mark.parametrize("with_routing", [False, True])
@pytest.mark.parametrize("is_last", [False, True])
def test_weights_reach_nets_in_unions(with_routing, is_last, assert_same_search):
    def scoring(estimator, X, y=None, sample_weight=None):
        return sum_of_outputs(estimator, X)

    with sklearn.config_context(enable_metadata_routing=with_routing):
        part, scaler = coder(), StandardScaler()
        if with_routing:
            part.set_fit_request(sample_weight=True)
            scaler.set_fit_request(sample_weight=True)
        union = make_union(part, scaler)
        estimator = union if is_last else make_pipeline(union, "passthrough")
        prefix = "" if is_last else "featureunion__"
        name = "sample_weight" if with_routing else f"{prefix}sample_weight"
        options = {"scoring": scoring, "fit_params": {name: WEIGHT}}
        found, expected = searches(estimator, {f"{prefix}autoencoder__lr": RATES}, **options)
        plain, _ = searches(estimator, {f"{prefix}autoencoder__lr": RATES}, scoring=scoring)
    assert_same_search(found, expected)
    assert (found.cv_results_["mean_test_score"] != plain.cv_results_["mean_test_score"]).all()


def test_metadata_that_no_branch_takes_is_refused():
    estimator = make_pipeline(make_union(coder(), StandardScaler()), LINEAR)
    for Search in (BatchedGridSearchCV, GridSearchCV):
        search = Search(estimator, {"featureunion__autoencoder__lr": RATES}, cv=3)
        with pytest.raises(ValueError, match="unexpected keyword argument 'unknown'"):
            search.fit(X, Y, featureunion__unknown=WEIGHT)


def test_a_progress_bar_shows_every_evaluation(capsys, monkeypatch):
    monkeypatch.setenv("COLUMNS", "300")
    grid = {"columntransformer__coder__lr": RATES}
    search = BatchedGridSearchCV(make_pipeline(columns(), LINEAR), grid, cv=3)
    expected = search.fit(X, Y).cv_results_["mean_test_score"]
    search.set_callbacks(ProgressBar(max_propagation_depth=1)).fit(X, Y)
    np.testing.assert_array_equal(search.cv_results_["mean_test_score"], expected)
    assert "candidate-split-evaluation" in capsys.readouterr().out
