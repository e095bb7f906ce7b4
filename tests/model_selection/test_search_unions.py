"""Nets inside unions and column transformers are trained together, with the same results."""

import pytest
from sklearn.compose import ColumnTransformer
from sklearn.datasets import load_iris
from sklearn.decomposition import PCA
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import FeatureUnion, Pipeline
from sklearn.preprocessing import MinMaxScaler, StandardScaler

from skdeep.decomposition import Autoencoder, VariationalAutoencoder
from skdeep.model_selection import BatchedGridSearchCV
from skdeep.neural_network import ResNetClassifier

X, Y = (part[::2] for part in load_iris(return_X_y=True))
SMALL = {"max_epochs": 4, "batch_size": 16, "device": "cpu", "random_state": 0}
RATES = [1e-3, 1e-2]


def coder(n_components=2, **params):
    return Autoencoder(n_components, **{**SMALL, "hidden_layer_sizes": (8,), **params})


def net():
    return ResNetClassifier(**SMALL, n_blocks=1, width=8, numerical_embedding=None)


def linear():
    return LogisticRegression(max_iter=1000)


def union(*parts, **options):
    return FeatureUnion([(f"part{number}", part) for number, part in enumerate(parts)], **options)


def columns(*parts, **options):
    return ColumnTransformer([(f"part{k}", *part) for k, part in enumerate(parts)], **options)


def pipe(*steps):
    return Pipeline([(f"step{number}", step) for number, step in enumerate(steps)])


CASES = {
    "before a classifier": (
        pipe(StandardScaler(), union(coder(), PCA(2)), linear()),
        {"step1__part0__lr": RATES, "step2__C": [0.1, 1.0]},
        "6 nets",
    ),
    "columns": (
        pipe(columns((coder(), [0, 1, 2]), (StandardScaler(), [3, 0])), linear()),
        {"step0__part0__lr": RATES, "step1__C": [0.1, 1.0]},
        "6 nets",
    ),
    "remainder": (
        pipe(columns((StandardScaler(), [0]), remainder=coder()), linear()),
        {"step0__remainder__lr": RATES},
        "6 nets",
    ),
    "drop and passthrough": (
        pipe(union(coder(), "drop", "passthrough"), linear()),
        {"step0__part0": [coder(), coder(lr=0.1), "passthrough", "drop"]},
        "6 nets",
    ),
    "columns dropped and passed through": (
        pipe(
            columns((coder(), [0, 1]), ("drop", [2]), ("passthrough", [2]), remainder="drop"),
            linear(),
        ),
        {"step0__part1": ["drop", "passthrough"], "step0__part0__lr": RATES},
        "6 nets",
    ),
    "no columns": (
        pipe(columns((coder(), []), (coder(), [1, 2])), linear()),
        {"step0__part0__lr": RATES, "step0__part1__lr": RATES},
        "6 nets",
    ),
    "weights": (
        pipe(union(coder(), PCA(2), transformer_weights={"part0": 2.0}), linear()),
        {"step0__transformer_weights": [None, {"part0": 3.0, "part1": 0.1}]},
        "3 nets",
    ),
    "weights of columns": (
        pipe(columns((coder(), [0, 1, 2]), transformer_weights={"part0": 2.0}), linear()),
        {"step0__part0__lr": RATES, "step0__transformer_weights": [None, {"part0": 3.0}]},
        "6 nets",
    ),
    "nets of the same shape": (
        pipe(union(coder(), coder(lr=0.1), coder(random_state=1)), linear()),
        {"step0__part0__lr": RATES},
        "12 nets",
    ),
    "nets of other shapes": (
        pipe(union(coder(1), VariationalAutoencoder(2, **SMALL)), linear()),
        {"step0__part1__lr": RATES},
        "3 nets",
    ),
    "a net after a union": (
        pipe(union(coder(), PCA(1)), MinMaxScaler(), net()),
        {"step0__part0__lr": RATES, "step2__lr": RATES, "step1": [MinMaxScaler(), "passthrough"]},
        "6 nets",
    ),
    "a net before a union": (
        pipe(coder(3), union(coder(), PCA(1)), linear()),
        {"step0__lr": RATES, "step1__part0__lr": RATES},
        "12 nets",
    ),
    "two unions": (
        pipe(union(coder(), PCA(1)), union(PCA(1), coder()), linear()),
        {"step0__part0__lr": RATES, "step1__part1__lr": RATES},
        "12 nets",
    ),
    "a pipeline in a union": (
        pipe(union(pipe(MinMaxScaler(), coder(), StandardScaler()), PCA(1)), linear()),
        {"step0__part0__step1__lr": RATES, "step0__part0__step2": [StandardScaler(), PCA(1)]},
        "6 nets",
    ),
    "two nets in a branch": (
        pipe(union(pipe(coder(3), MinMaxScaler(), coder(1)), "passthrough"), linear()),
        {"step0__part0__step0__lr": RATES, "step0__part0__step2__lr": RATES},
        "12 nets",
    ),
    "a union in columns in a union": (
        pipe(union(columns((union(PCA(1), coder()), [0, 1, 2])), PCA(1)), linear()),
        {"step0__part0__part0__part1__lr": RATES},
        "6 nets",
    ),
    "a union and a net in a branch": (
        pipe(union(pipe(union(coder(), PCA(1)), StandardScaler(), coder(1)), PCA(1)), linear()),
        {"step0__part0__step0__part0__lr": RATES, "step0__part0__step2__lr": RATES},
        "12 nets",
    ),
    "processes": (
        pipe(union(coder(), PCA(1), n_jobs=2), linear()),
        {"step0__part0__lr": RATES},
        "6 nets",
    ),
    "other transformers": (
        pipe(columns((coder(), [0, 1])), linear()),
        {
            "step0__transformers": [
                [("a", coder(), [0, 1])],
                [("a", coder(), [2, 3])],
                [("b", StandardScaler(), [0])],
            ]
        },
        "6 nets",
    ),
}


@pytest.mark.parametrize("estimator, grid, n_nets", CASES.values(), ids=CASES)
def test_scores_are_those_of_grid_search(estimator, grid, n_nets, assert_same_search, capsys):
    options = {"cv": 3, "return_train_score": True}
    expected = GridSearchCV(estimator, grid, **options).fit(X, Y)
    found = BatchedGridSearchCV(estimator, grid, **options, verbose=1).fit(X, Y)
    assert_same_search(found, expected)
    assert f"Autoencoder: {n_nets} are trained" in capsys.readouterr().out
