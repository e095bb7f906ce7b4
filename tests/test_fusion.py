"""Deep and classical models side by side in scikit-learn's meta-estimators, and in searches."""

import numpy as np
import pytest
from sklearn.compose import ColumnTransformer
from sklearn.datasets import load_iris
from sklearn.decomposition import PCA
from sklearn.ensemble import (
    RandomForestClassifier,
    StackingClassifier,
    StackingRegressor,
    VotingClassifier,
    VotingRegressor,
)
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import FeatureUnion, make_pipeline
from sklearn.preprocessing import StandardScaler

from skdeep.cluster import IMSAT
from skdeep.decomposition import Autoencoder
from skdeep.ensemble import ClusterwiseClassifier, DeepEnsembleClassifier
from skdeep.model_selection import BatchedGridSearchCV
from skdeep.neural_network import ResNetClassifier, ResNetRegressor

X, Y = load_iris(return_X_y=True)
NAMES = load_iris().target_names[Y]
SMALL = {"max_epochs": 4, "batch_size": 32, "device": "cpu", "random_state": 0}
NET = ResNetClassifier(1, width=8, **SMALL)
REGRESSOR = ResNetRegressor(1, width=8, **SMALL)
CODER = Autoencoder(2, hidden_layer_sizes=(8,), **SMALL)
FOREST = RandomForestClassifier(5, random_state=0)
LINEAR = LogisticRegression(max_iter=1000)

PARTS = [("net", NET), ("forest", FOREST)]
PIPES = [("net", make_pipeline(StandardScaler(), NET)), ("codes", make_pipeline(CODER, LINEAR))]
UNION = FeatureUnion([("codes", CODER), ("pca", PCA(2)), ("clusters", IMSAT(3, n_init=1, **SMALL))])
COLUMNS = ColumnTransformer([("codes", CODER, [0, 1, 2]), ("rest", StandardScaler(), [3])])
RATES = [1e-3, 1e-1]
CASES = {
    "stacking": (StackingClassifier(PARTS, LINEAR, cv=2), NAMES, {"net__lr": RATES}),
    "a net that stacks": (StackingClassifier(PARTS, NET, cv=2), NAMES, {"net__lr": RATES}),
    "stacked pipelines": (
        StackingClassifier(PIPES, LINEAR, cv=2, passthrough=True),
        NAMES,
        {"codes__autoencoder__lr": RATES, "final_estimator__C": [0.1, 1.0]},
    ),
    "hard voting": (VotingClassifier(PARTS), NAMES, {"net__lr": RATES}),
    "soft voting": (
        VotingClassifier([*PIPES, *PARTS[1:]], voting="soft"),
        NAMES,
        {"net__resnetclassifier__lr": RATES, "weights": [None, [1, 1, 3]]},
    ),
    "voting with dropped parts": (
        VotingClassifier(PARTS, voting="soft"),
        NAMES,
        {"net": [NET, "drop"]},
    ),
    "stacking of regressors": (
        StackingRegressor([("net", REGRESSOR), ("ridge", Ridge())], Ridge(), cv=2),
        X[:, 3],
        {"net__lr": RATES},
    ),
    "voting of regressors": (
        VotingRegressor([("net", REGRESSOR), ("ridge", Ridge())]),
        X[:, 3],
        {"net__lr": RATES},
    ),
    "union": (
        make_pipeline(UNION, LINEAR),
        NAMES,
        {"featureunion__codes__lr": RATES, "featureunion__clusters__lr": RATES},
    ),
    "columns": (
        make_pipeline(COLUMNS, StackingClassifier(PARTS, LINEAR, cv=2)),
        NAMES,
        {"columntransformer__codes__lr": RATES, "stackingclassifier__net__lr": RATES},
    ),
    "union before a model for each cluster": (
        make_pipeline(UNION, ClusterwiseClassifier(IMSAT(3, n_init=1, **SMALL), NET)),
        NAMES,
        {"featureunion__codes__lr": RATES},
    ),
    "ensemble in a vote": (
        VotingClassifier([("nets", DeepEnsembleClassifier(NET, 2, random_state=0)), *PARTS[1:]]),
        NAMES,
        {"nets__estimator__lr": RATES},
    ),
}


@pytest.mark.parametrize("estimator, y, grid", CASES.values(), ids=CASES)
@pytest.mark.filterwarnings(
    "ignore:All samples are in one of:sklearn.exceptions.ConvergenceWarning"
)
def test_a_batched_search_scores_as_grid_search_does(estimator, y, grid, assert_same_search):
    expected = GridSearchCV(estimator, grid, cv=2).fit(X, y)
    found = BatchedGridSearchCV(estimator, grid, cv=2).fit(X, y)
    assert_same_search(found, expected)
    np.testing.assert_array_equal(found.predict(X), expected.predict(X))
