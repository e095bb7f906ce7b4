"""Programs with searches of nets return the same results as with scikit-learn's searches."""

import copy
import pickle
import warnings

import dask.array as da
import numpy as np
import pandas as pd
import polars as pl
import pytest
from sklearn import config_context
from sklearn.base import clone
from sklearn.compose import ColumnTransformer, TransformedTargetRegressor
from sklearn.datasets import load_iris
from sklearn.decomposition import PCA
from sklearn.ensemble import StackingClassifier
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import (
    GridSearchCV,
    GroupKFold,
    PredefinedSplit,
    RepeatedStratifiedKFold,
    TimeSeriesSplit,
    cross_val_predict,
    cross_validate,
    validation_curve,
)
from sklearn.pipeline import FeatureUnion, Pipeline, make_pipeline
from sklearn.preprocessing import (
    FunctionTransformer,
    MinMaxScaler,
    OneHotEncoder,
    StandardScaler,
    TargetEncoder,
)
from sklearn.svm import SVC

from skdeep.decomposition import Autoencoder
from skdeep.model_selection import BatchedGridSearchCV
from skdeep.neural_network import ResNetClassifier, ResNetRegressor

X, Y = (part[::2] for part in load_iris(return_X_y=True))
NAMES = np.array(["setosa", "versicolor", "virginica"])[Y]
FRAME = pd.DataFrame(X, columns=list("abcd"))
GROUPS = np.arange(len(Y)) % 5
MEANS = SimpleImputer()
WEIGHT = np.linspace(0.5, 2.0, len(Y))
RATES = [1e-3, 1e-2]
LR = {"lr": RATES}
SMALL = {"max_epochs": 3, "batch_size": 16, "device": "cpu", "random_state": 0}


def net(**params):
    block = {"width": 8, "norm": "layer", "numerical_embedding": None}
    return ResNetClassifier(**{**SMALL, **block, **params})


def coder(**params):
    return Autoencoder(2, **{**SMALL, "hidden_layer_sizes": (8,), **params})


def linear():
    return LogisticRegression(max_iter=1000)


def piped(*steps):
    """Pipeline of named steps and a net, and its learning rates."""
    return Pipeline([*steps, ("net", net())]), {"net__lr": RATES}


def masks():
    return [(GROUPS != k, GROUPS == k) for k in range(3)]


def routed():
    return net().set_fit_request(sample_weight=True).set_score_request(sample_weight=True)


def mixed_frame():
    return FRAME.assign(kind=np.array(list("xyz"))[GROUPS % 3])


def encoded(sparse):
    kinds = OneHotEncoder(sparse_output=sparse)
    return ColumnTransformer(
        [("n", StandardScaler(), list("abcd")), ("k", kinds, ["kind"])], sparse_threshold=sparse
    )


def fit_in_rounds(Search):
    with config_context(working_memory=1e-4):
        pipe, grid = piped(("scale", StandardScaler()))
        return Search(pipe, {"scale__with_mean": [True, False], **grid}, cv=3).fit(X, Y)


def fit_with_routing(Search):
    with config_context(enable_metadata_routing=True):
        search = Search(routed(), LR, cv=GroupKFold(3))
        return search.fit(X, Y, groups=GROUPS, sample_weight=WEIGHT)


def cross_validate_with_routing(Search):
    with config_context(enable_metadata_routing=True):
        search = Search(routed(), LR, cv=GroupKFold(2))
        metadata = {"groups": GROUPS, "sample_weight": WEIGHT}
        return cross_validate(search, X, Y, cv=GroupKFold(3), params=metadata)["test_score"]


def cross_validate_and_keep(Search):
    found = cross_validate(Search(net(), LR, cv=2), X, Y, cv=3, return_estimator=True)
    return found["test_score"], *found["estimator"]


def search_again_without_refit(Search):
    search = Search(net(), LR, cv=3).fit(X, Y)
    return search.set_params(refit=False, scoring=["accuracy", "f1_macro"]).fit(X, Y)


def read_text(Search):
    texts = [f"w{a} w{b} c{c}" for a, b, c in zip(GROUPS, np.arange(75) % 7, Y, strict=True)]
    pipe, grid = piped(("words", TfidfVectorizer()))
    return Search(pipe, {"words__min_df": [1, 2], **grid}, cv=3).fit(texts, Y)


def fill_gaps(Search):
    gaps = X.copy()
    gaps[3, 1] = np.nan
    pipe, grid = piped(("fill", SimpleImputer()))
    return Search(pipe, {"fill": ["passthrough", MEANS], **grid}, cv=3).fit(gaps, Y)


def nested(Search):
    search = Search(Search(net(), LR, cv=2), {"estimator__width": [4, 8]}, cv=3).fit(X, Y)
    return search, search.best_estimator_


DATA = {
    "frame": (FRAME, pd.Series(NAMES)),
    "frame with an index": (FRAME.set_axis(range(80, 5, -1)), pd.Series(Y, range(80, 5, -1))),
    "polars": (pl.DataFrame(X, schema=list("abcd")), pl.Series(Y)),
    "dask": (da.from_array(X, chunks=20), Y),
    "lists": (X.tolist(), NAMES.tolist()),
    "nullable": (FRAME.astype("Float64"), pd.Series(Y, dtype="Int64")),
    "categories": (mixed_frame().astype({"kind": "category"}), pd.Series(pd.Categorical(NAMES))),
}
SPLITS = {
    "masks": masks(),
    "lists": [(np.flatnonzero(a).tolist(), np.flatnonzero(b).tolist()) for a, b in masks()],
    "predefined": PredefinedSplit(np.where(GROUPS == 0, 0, -1)),
    "repeated": RepeatedStratifiedKFold(n_splits=2, n_repeats=2, random_state=0),
    "one": [(np.arange(0, 75, 2), np.arange(1, 75, 2))],
    "in order": TimeSeriesSplit(3),
}
GRIDS = {
    "range": {"width": range(4, 7)},
    "series": {"lr": pd.Series(RATES)},
    "arrays": {"lr": np.logspace(-3, -1, 3), "width": np.array([4, 8])},
    "nothing": {},
    "kinds of zero": {"dropout": [0, 0.0, np.float32(0)]},
    "dicts": {"class_weight": [{0: 1.0, 1: 2.0, 2: 1.0}, None, "balanced"]},
    "none": {"gradient_clip_value": [None, 1.0]},
}
PIPELINES = {
    "any step": (
        Pipeline([("scale", StandardScaler()), ("code", coder()), ("end", linear())]),
        {
            "scale": [StandardScaler(), MinMaxScaler(), "passthrough"],
            "code": ["passthrough", coder(), coder(lr=0.1)],
        },
    ),
    "any end": (
        Pipeline([("scale", StandardScaler()), ("end", net())]),
        [{"end": [net(), net(width=4)], "end__lr": RATES}, {"end": [linear(), SVC()]}],
    ),
    "all steps": (
        piped(("scale", StandardScaler()))[0],
        {"steps": [[("net", net())], [("other", MinMaxScaler()), ("net", net(lr=0.1))]]},
    ),
    "union": piped(("union", FeatureUnion([("pca", PCA(2)), ("code", coder())]))),
    "pipeline in it": (
        Pipeline([("sub", make_pipeline(StandardScaler(), coder())), ("end", linear())]),
        {"sub__autoencoder__lr": RATES, "end__C": [0.1, 1.0]},
    ),
    "two outputs of a frame": piped(("name", FunctionTransformer(pd.DataFrame))),
    "one net twice": (
        Pipeline([("scale", StandardScaler()), ("net", net())]),
        {"net": [net()] * 2},
    ),
}
FITS = {
    "groups": lambda S: S(net(), LR, cv=GroupKFold(3)).fit(X, Y, groups=GROUPS),
    "routing": fit_with_routing,
    "weights": lambda S: S(net(), LR, cv=3).fit(X, Y, sample_weight=WEIGHT.tolist()),
    "rounds": fit_in_rounds,
    "columns": lambda S: S(*piped(("ct", encoded(False))), cv=3).fit(mixed_frame(), NAMES),
    "sparse": lambda S: S(*piped(("ct", encoded(True))), cv=3).fit(mixed_frame(), NAMES),
    "targets": lambda S: S(*piped(("te", TargetEncoder(cv=2, random_state=0))), cv=3).fit(
        FRAME.round().astype(str), Y
    ),
    "text": read_text,
    "gaps": fill_gaps,
    "nested": nested,
    "regressor in a regressor": lambda S: S(
        TransformedTargetRegressor(
            ResNetRegressor(width=8, norm="layer", numerical_embedding=None, **SMALL),
            transformer=StandardScaler(),
        ),
        {"regressor__lr": RATES},
        cv=3,
    ).fit(X, X[:, 0]),
    "two processes": lambda S: S(*piped(("scale", StandardScaler())), cv=3, n_jobs=2).fit(X, Y),
    "pickle": lambda S: pickle.loads(pickle.dumps(S(net(), LR, cv=3).fit(X, Y))),
    "copy": lambda S: copy.deepcopy(S(net(), LR, cv=3).fit(X, Y)),
    "clone": lambda S: clone(S(net(), LR, cv=3).fit(X, Y)).fit(X, Y),
    "again": search_again_without_refit,
    "nan scores": lambda S: S(
        net(), LR, cv=3, scoring=lambda e, X, y: np.nan if e.lr > 0.005 else 0.5
    ).fit(X, Y),
    "infinite scores": lambda S: S(
        net(), LR, cv=3, scoring=lambda e, X, y: -np.inf if e.lr > 0.005 else 0.5
    ).fit(X, Y),
    "failing fits": lambda S: S(net(), {"lr": [1e-3, -1.0]}, cv=3, error_score=-1.0).fit(X, Y),
    "rejected rows": lambda S: S(net(), LR, cv=3).fit(X, Y[:-1]),
    "no labels": lambda S: S(net(), LR, cv=3, error_score="raise").fit(X),
    "strange index": lambda S: S(net(), LR, cv=3, refit=lambda table: np.int64(1)).fit(X, Y),
    "no name": lambda S: S(net(), {"nonsense": [1]}, cv=3).fit(X, Y),
    "no groups": lambda S: S(net(), LR, cv=GroupKFold(3)).fit(X, Y),
}
AROUND = {
    "cross_validate": cross_validate_and_keep,
    "cross_validate with routing": cross_validate_with_routing,
    "cross_val_predict": lambda S: cross_val_predict(S(net(), LR, cv=2), X, NAMES, cv=3),
    "validation_curve": lambda S: validation_curve(
        S(net(), LR, cv=2), X, Y, param_name="estimator__width", param_range=[4, 8], cv=2
    ),
    "in a pipeline": lambda S: make_pipeline(StandardScaler(), S(net(), LR, cv=2)).fit(X, Y)[-1],
    "in a stack": lambda S: (
        StackingClassifier([("a", S(net(), LR, cv=2)), ("b", linear())], cv=3).fit(X, Y).predict(X)
    ),
}
PROGRAMS = {f"fit: {name}": fit for name, fit in FITS.items()}
PROGRAMS |= {f"around: {name}": run for name, run in AROUND.items()}
PROGRAMS |= {
    f"data: {name}": lambda S, data=data: S(net(), LR, cv=3).fit(*data)
    for name, data in DATA.items()
}
PROGRAMS |= {
    f"splits: {name}": lambda S, cv=cv: S(net(), LR, cv=cv).fit(X, Y) for name, cv in SPLITS.items()
}
PROGRAMS |= {
    f"grid: {name}": lambda S, grid=grid: S(net(), grid, cv=3).fit(X, Y)
    for name, grid in GRIDS.items()
}
PROGRAMS |= {
    f"pipeline: {name}": lambda S, case=case: S(*case, cv=3).fit(X, Y)
    for name, case in PIPELINES.items()
}


def run(program, Search):
    """Result or error of a program, and the categories of its warnings."""
    with warnings.catch_warnings(record=True) as seen:
        warnings.simplefilter("always")
        try:
            found = program(Search)
        except Exception as error:
            found = type(error), str(error).replace("Batched", "")
    return found if isinstance(found, tuple) else (found,), {one.category for one in seen}


@pytest.mark.parametrize("program", PROGRAMS.values(), ids=PROGRAMS)
def test_a_program_gives_the_same_with_a_batched_search(program, assert_same_search):
    (ours, our_warnings), (theirs, their_warnings) = (
        run(program, Search) for Search in (BatchedGridSearchCV, GridSearchCV)
    )
    assert our_warnings == their_warnings
    for found, expected in zip(ours, theirs, strict=True):
        if hasattr(expected, "cv_results_"):
            assert_same_search(found, expected)
        else:
            np.testing.assert_array_equal(found, expected)
