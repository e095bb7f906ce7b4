"""scikit-learn's checks of estimators on batched searches, as on its own searches."""

import pytest
from sklearn.base import is_regressor
from sklearn.decomposition import PCA
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.utils.estimator_checks import parametrize_with_checks

from skdeep.model_selection import BatchedGridSearchCV, BatchedRandomizedSearchCV
from skdeep.neural_network import ResNetClassifier

_RIDGE = Pipeline([("pca", PCA()), ("ridge", Ridge())])
_LOGISTIC = Pipeline([("pca", PCA()), ("logisticregression", LogisticRegression())])
_SMALL = {"width": 16, "numerical_embedding": None, "max_epochs": 10, "lr": 1e-2, "device": "cpu"}
_NET = ResNetClassifier(**_SMALL, random_state=0)
_NET = Pipeline([("scaler", StandardScaler()), ("net", _NET)])
# scikit-learn's, and a net after a step
_CASES = [
    (Ridge(), {"alpha": [0.1, 1.0]}),
    (LogisticRegression(), {"C": [0.1, 1.0]}),
    (_RIDGE, {"ridge__alpha": [0.1, 1.0]}),
    (_LOGISTIC, {"logisticregression__C": [0.1, 1.0]}),
    (_NET, {"net__lr": [1e-2, 3e-2]}),
]


def _searches(number):
    """Grid and randomized search over one of the cases."""
    options = {"cv": 2, "error_score": "raise"}
    yield BatchedGridSearchCV(*_CASES[number], **options)
    yield BatchedRandomizedSearchCV(*_CASES[number], random_state=0, **options)


def _expected_failures(search):
    """What scikit-learn expects of its own searches, with its reasons, where it does fail."""
    if is_regressor(search):
        return {"check_supervised_y_2d": "DataConversionWarning not caught"}
    return {}


def _each_check(*numbers):
    searches = [search for number in numbers for search in _searches(number)]
    return parametrize_with_checks(searches, expected_failed_checks=_expected_failures)


pytestmark = [
    # two candidates are fewer than n_iter
    pytest.mark.filterwarnings("ignore:The total space of parameters:UserWarning"),
    # a split by classes, of targets that are infinite
    pytest.mark.filterwarnings("ignore:invalid value encountered in cast:RuntimeWarning"),
]


@_each_check(0, 3)
def test_scikit_learn_check_of_a_search(estimator, check):
    check(estimator)


@pytest.mark.slow
@_each_check(1, 2, 4)
def test_scikit_learn_check_of_a_further_search(estimator, check):
    check(estimator)
