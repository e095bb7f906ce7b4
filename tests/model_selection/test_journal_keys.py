"""What a journal takes for the same fit, and what it does not record."""

from pathlib import Path

import numpy as np
import pytest
from sklearn.base import clone
from sklearn.datasets import load_iris
from sklearn.frozen import FrozenEstimator
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import KFold
from sklearn.pipeline import make_pipeline

from skdeep.decomposition import Autoencoder
from skdeep.model_selection import BatchedGridSearchCV, read_journal

IRIS, SPECIES = load_iris(return_X_y=True)
REGRESSION = LogisticRegression(max_iter=300)
GRID = {"C": [0.1, 1.0]}


class Flaky:
    """Scorer that fails until a file exists."""

    def __init__(self, path):
        self.path = str(path)

    def __call__(self, estimator, X, y):
        if not Path(self.path).exists():
            raise OSError("no memory")
        return estimator.score(X, y)


@pytest.fixture
def path(tmp_path):
    """Path of a journal that does not exist yet."""
    return tmp_path / "search.jsonl"


def _n_lines(path):
    return path.read_bytes().count(b"\n")


def _search(path, **params):
    return BatchedGridSearchCV(REGRESSION, GRID, cv=2, refit=False, journal=path, **params)


def test_whether_the_estimator_is_fitted_does_not_matter(path):
    for _ in range(2):
        net = Autoencoder(2, max_epochs=2, random_state=0).fit(IRIS)
        BatchedGridSearchCV(net, {"lr": [1e-3, 1e-2]}, cv=2, journal=path).fit(IRIS)
    assert _n_lines(path) == 4


def test_a_net_that_is_fitted_again_is_the_same_part_of_a_pipeline(path):
    for _ in range(2):  # the epochs of the nets take different times
        net = Autoencoder(2, max_epochs=2, random_state=0).fit(IRIS)
        pipe = make_pipeline(FrozenEstimator(net), REGRESSION)
        grid = {"logisticregression__C": [0.1, 1.0]}
        BatchedGridSearchCV(pipe, grid, cv=2, journal=path).fit(IRIS, SPECIES)
    assert _n_lines(path) == 4
    net = Autoencoder(2, max_epochs=2, random_state=1).fit(IRIS)
    pipe = make_pipeline(FrozenEstimator(net), REGRESSION)
    BatchedGridSearchCV(pipe, grid, cv=2, journal=path).fit(IRIS, SPECIES)
    assert _n_lines(path) == 8


@pytest.mark.filterwarnings("ignore:Scoring failed", "ignore:One or more of the")
@pytest.mark.parametrize("scores_train", [False, True])
@pytest.mark.parametrize("error_score", [np.nan, 0.0])
def test_scores_that_failed_are_repeated(error_score, scores_train, path, tmp_path):
    repaired = tmp_path / "repaired"
    search = _search(path, scoring=Flaky(repaired), return_train_score=scores_train)
    clone(search).set_params(error_score=error_score).fit(IRIS, SPECIES)
    assert _n_lines(path) == 0
    repaired.touch()
    expected = _search(None, return_train_score=scores_train).fit(IRIS, SPECIES)
    found = search.fit(IRIS, SPECIES)
    np.testing.assert_array_equal(
        found.cv_results_["mean_test_score"], expected.cv_results_["mean_test_score"]
    )


def test_table_does_not_mix_splits_of_different_searches(path):
    for seed in (0, 1):
        _search(path).set_params(cv=KFold(2, shuffle=True, random_state=seed)).fit(IRIS, SPECIES)
    lines = path.read_bytes().splitlines(keepends=True)
    path.write_bytes(b"".join(lines[:-1]))
    assert read_journal(path)["n_splits"].tolist() == [2, 1]


def test_zeros_that_a_power_cut_leaves_at_the_end_are_dropped(path):
    _search(path).fit(IRIS, SPECIES)
    whole = path.read_bytes()
    for end in (b"\0" * 100, whole[:20] + b"\0" * 100):
        path.write_bytes(whole + end)
        assert read_journal(path)["n_splits"].tolist() == [2, 2]
        _search(path).fit(IRIS, SPECIES)
        assert path.read_bytes() == whole
