"""Searches with a journal, and searches whose processes are killed."""

import json
import os
import signal
from pathlib import Path

import joblib
import numpy as np
import pandas as pd
import pytest
from sklearn.base import BaseEstimator, ClassifierMixin, clone
from sklearn.datasets import load_iris
from sklearn.exceptions import FitFailedWarning
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer, StandardScaler

from skdeep.decomposition import Autoencoder
from skdeep.model_selection import (
    BatchedGridSearchCV,
    BatchedHalvingSearchCV,
    BatchedRandomizedSearchCV,
    read_journal,
)
from skdeep.neural_network import ResNetClassifier

IRIS, SPECIES = load_iris(return_X_y=True)
SMALL = {"width": 8, "numerical_embedding": None, "max_epochs": 3, "random_state": 0}
NET = ResNetClassifier(**SMALL)
LRS = {"lr": [1e-3, 3e-3, 1e-2]}
SEARCHES = {
    "grid": BatchedGridSearchCV(NET, LRS, cv=3),
    "random": BatchedRandomizedSearchCV(NET, LRS, n_iter=2, cv=3, random_state=0),
    "halving": BatchedHalvingSearchCV(
        NET, LRS, n_candidates="all", max_resources=9, cv=3, random_state=0
    ),
    "pipeline": BatchedGridSearchCV(
        make_pipeline(Autoencoder(2, max_epochs=3, random_state=0), LogisticRegression()),
        {"autoencoder__lr": [1e-3, 1e-2], "logisticregression__C": [0.1, 1.0]},
        cv=3,
    ),
    "no net": BatchedGridSearchCV(LogisticRegression(max_iter=500), {"C": [0.1, 1.0, 10.0]}, cv=3),
    "two scores": BatchedGridSearchCV(
        NET, LRS, cv=3, scoring=["accuracy", "neg_log_loss"], refit="accuracy"
    ),
    "train scores": BatchedGridSearchCV(NET, LRS, cv=3, return_train_score=True, refit=False),
}
each_search = pytest.mark.parametrize("name", SEARCHES)


class Fragile(ClassifierMixin, BaseEstimator):
    """Classifier whose process is killed in the first fits; ``folder`` counts them."""

    def __init__(self, folder, name="a", n_deaths=0):
        self.folder, self.name, self.n_deaths = folder, name, n_deaths

    def fit(self, X, y):
        path = Path(self.folder, f"{self.name}-{float(X.sum())!r}")
        with path.open("a") as file:
            file.write("fit\n")
        if len(path.read_text().splitlines()) <= self.n_deaths:
            os.kill(os.getpid(), signal.SIGKILL)
        self.classes_ = np.unique(y)
        self.first_ = X[0, 0] + len(self.name)
        return self

    def predict(self, X):
        return self.classes_[(X[:, 0] > self.first_ - len(self.name)).astype(int)]


class Nested(LogisticRegression):
    """Starts a search with the same journal when it is fitted."""

    def __init__(self, path, C=1.0):
        super().__init__(C=C)
        self.path = path

    def fit(self, X, y):
        clone(SEARCHES["no net"]).set_params(journal=self.path).fit(X, y)


@pytest.fixture
def path(tmp_path):
    """Path of a journal that does not exist yet."""
    return tmp_path / "search.jsonl"


def _without_times(table):
    return {key: value for key, value in table.items() if not key.endswith("_time")}


def _assert_same(search, expected):
    found, table = _without_times(search.cv_results_), _without_times(expected.cv_results_)
    assert list(found) == list(table)
    for key, value in table.items():
        if key != "params":
            np.testing.assert_array_equal(found[key], value, err_msg=key)
    assert found["params"] == table["params"]


@each_search
def test_search_with_a_journal_finds_the_same_and_reads_it_again(name, path):
    search = SEARCHES[name]
    expected = clone(search).fit(IRIS, SPECIES)
    _assert_same(clone(search).set_params(journal=path).fit(IRIS, SPECIES), expected)
    text = path.read_bytes()
    assert text.count(b"\n") == len(expected.cv_results_["params"]) * 3
    again = clone(search).set_params(journal=str(path)).fit(IRIS, SPECIES)
    _assert_same(again, expected)
    np.testing.assert_array_equal(
        again.cv_results_["mean_fit_time"], read_journal(path)["mean_fit_time"]
    )
    assert path.read_bytes() == text


@each_search
def test_search_goes_on_wherever_the_journal_ends(name, path):
    search = SEARCHES[name]
    expected = clone(search).set_params(journal=path).fit(IRIS, SPECIES)
    whole = path.read_bytes()
    for n_bytes in np.linspace(0, len(whole), 7, dtype=int):
        path.write_bytes(whole[:n_bytes])  # mostly with a part of a line at the end
        _assert_same(clone(search).set_params(journal=path).fit(IRIS, SPECIES), expected)
        lines = path.read_bytes().splitlines(keepends=True)
        assert sorted(json.loads(one)["key"] for one in lines) == sorted(
            json.loads(one)["key"] for one in whole.splitlines()
        )


KILLED = """
import os, pathlib, signal, sys
from sklearn.datasets import load_iris
from sklearn.linear_model import LogisticRegression
from skdeep.model_selection import BatchedGridSearchCV

class Deadly(LogisticRegression):
    def fit(self, X, y):
        Deadly.n_fits += 1
        if Deadly.n_fits > Deadly.n_survived:
            os.kill(os.getpid(), signal.SIGKILL)
        return super().fit(X, y)

X, y = load_iris(return_X_y=True, as_frame=True)
X = X.assign(kind=y % 2)
grid = {"C": [0.01, 0.1, 1.0]}

def scores(path, n_survived=100):
    Deadly.n_fits, Deadly.n_survived = 0, n_survived
    search = BatchedGridSearchCV(Deadly(max_iter=500), grid, journal=path, refit=False)
    return search.fit(X, y).cv_results_["mean_test_score"].tolist()

for n_fits in (4, 0, 6):
    child = os.fork()
    if child == 0:
        scores("killed.jsonl", n_fits)
        os._exit(0)
    assert os.waitpid(child, 0)[1] == signal.SIGKILL
    print("kept", pathlib.Path("killed.jsonl").read_bytes().count(b"\\n"))
continued = scores("killed.jsonl")
print("fitted", Deadly.n_fits)
assert continued == scores("whole.jsonl")
"""


def test_search_goes_on_after_its_process_was_killed(run_python):
    printed = run_python(KILLED).splitlines()
    assert printed == ["kept 4", "kept 4", "kept 10", "fitted 5"]


@pytest.mark.parametrize(
    "change",
    [
        lambda search, X: (search.set_params(estimator__max_epochs=4), X),
        lambda search, X: (search.set_params(cv=4), X),
        lambda search, X: (search.set_params(scoring="neg_log_loss"), X),
        lambda search, X: (search, X + 1e-6),
        lambda search, X: (search, X[:, ::-1]),
        lambda search, X: (search.set_params(param_grid={"lr": [2e-3]}), X),
    ],
    ids=["parameter", "splits", "score", "data", "order of features", "candidates"],
)
def test_fits_of_another_search_are_not_taken(change, path):
    search = clone(SEARCHES["grid"]).set_params(journal=path, refit=False)
    search.fit(IRIS, SPECIES)
    n_lines = path.read_bytes().count(b"\n")
    other, X = change(clone(search), IRIS)
    expected = clone(other).set_params(journal=None).fit(X, SPECIES)
    _assert_same(other.fit(X, SPECIES), expected)
    assert path.read_bytes().count(b"\n") == n_lines + other.n_splits_ * len(
        other.cv_results_["params"]
    )
    scores = other.cv_results_["mean_test_score"]
    np.testing.assert_array_equal(read_journal(path)["mean_test_score"][-len(scores) :], scores)


def test_candidates_that_are_new_are_added(path):
    search = BatchedGridSearchCV(NET, {"lr": [1e-3]}, cv=3, journal=path).fit(IRIS, SPECIES)
    search.set_params(param_grid={"lr": [1e-2, 1e-3]}).fit(IRIS, SPECIES)
    assert path.read_bytes().count(b"\n") == 6
    assert read_journal(path)["params"] == [{"lr": 1e-3}, {"lr": 1e-2}]


def test_table_of_a_journal_is_that_of_the_search_so_far(path):
    search = clone(SEARCHES["two scores"]).set_params(journal=path).fit(IRIS, SPECIES)
    table, whole = read_journal(path), search.cv_results_
    for key in whole:
        if key != "params":
            np.testing.assert_array_equal(table[key], whole[key], err_msg=key)
    assert table["params"] == whole["params"] and table["n_splits"].tolist() == [3, 3, 3]
    lines = path.read_bytes().splitlines(keepends=True)
    path.write_bytes(b"".join(line for line in lines if json.loads(line)["split"] != 1)[:-9])
    table = read_journal(path)
    assert table["n_splits"].tolist() == [2, 2, 1] and len(pd.DataFrame(table)) == 3
    scores = whole["split0_test_accuracy"], whole["split2_test_accuracy"]
    np.testing.assert_array_equal(table["mean_test_accuracy"][:2], np.mean(scores, axis=0)[:2])
    assert np.isnan(table["split1_test_accuracy"]).all()
    assert sorted(table["rank_test_neg_log_loss"]) == [1, 2, 3]


def test_values_that_json_does_not_have_are_shown_as_text(path):
    grid = {"solver": ["lbfgs"], "class_weight": [None, {0: 1.0, 1: 2.0, 2: 1.0}]}
    BatchedGridSearchCV(LogisticRegression(max_iter=500), grid, cv=3, journal=path).fit(
        IRIS, SPECIES
    )
    shown = read_journal(path)["param_class_weight"].tolist()
    assert shown == [None, "{0: 1.0, 1: 2.0, 2: 1.0}"]


def test_failed_fits_are_repeated(path):
    search = BatchedGridSearchCV(NET, {"lr": [1e-3, 1e30]}, cv=3, journal=path, refit=False)
    for _ in range(2):
        with (
            pytest.warns(FitFailedWarning, match="3 fits failed out of"),
            pytest.warns(UserWarning),
        ):
            search.fit(IRIS, SPECIES)
        assert np.isnan(search.cv_results_["mean_test_score"]).tolist() == [False, True]
        assert path.read_bytes().count(b"\n") == 3


@pytest.mark.parametrize("content", [b"my notes\n", b"\x80\x04K", b'{"a": 1}\n', b"[]\n", b"1\n"])
def test_other_files_are_left_alone(content, path):
    path.write_bytes(content)
    with pytest.raises(ValueError, match=r"line 1 of '.*search.jsonl' is not the result of a fit"):
        clone(SEARCHES["grid"]).set_params(journal=path).fit(IRIS, SPECIES)
    assert path.read_bytes() == content
    with pytest.raises(ValueError, match="is not the result of a fit"):
        read_journal(path)


def test_empty_and_missing_journals_are_errors(path):
    with pytest.raises(FileNotFoundError):
        read_journal(path)
    path.touch()
    with pytest.raises(ValueError, match="has no results yet"):
        read_journal(path)


def test_journal_in_use_is_an_error(path):
    search = BatchedGridSearchCV(Nested(path), {"C": [1.0]}, journal=path, error_score="raise")
    with pytest.raises(RuntimeError, match="must not be used by two searches at a time"):
        search.fit(IRIS, SPECIES)


def test_estimator_that_cannot_be_pickled_is_an_error(path):
    pipe = make_pipeline(FunctionTransformer(lambda X: X), NET)
    with pytest.raises(ValueError, match="None if the estimator cannot be pickled"):
        BatchedGridSearchCV(pipe, {"resnetclassifier__lr": [1e-3]}, journal=path).fit(IRIS, SPECIES)


def test_wrong_journal_is_an_error():
    with pytest.raises(ValueError, match="'journal' parameter"):
        clone(SEARCHES["grid"]).set_params(journal=3).fit(IRIS, SPECIES)


@pytest.mark.slow
@pytest.mark.parametrize("with_journal", [False, True])
def test_killed_process_costs_no_score(with_journal, path, tmp_path):
    grid = {"name": list("abcdef")}
    expected = GridSearchCV(Fragile(tmp_path), grid, cv=2).fit(IRIS, SPECIES)
    folder = tmp_path / "killed"
    folder.mkdir()
    search = BatchedGridSearchCV(
        Fragile(folder), {"name": ["a", "c"], "n_deaths": [0, 1]}, cv=2, n_jobs=2, refit=False
    )
    search.set_params(journal=path if with_journal else None, error_score="raise")
    search.fit(IRIS, SPECIES)
    np.testing.assert_array_equal(
        search.cv_results_["mean_test_score"], expected.cv_results_["mean_test_score"][[0, 0, 2, 2]]
    )
    if with_journal:
        assert path.read_bytes().count(b"\n") == 8


@pytest.mark.slow
def test_fit_that_kills_its_process_twice_fails(tmp_path):
    grid = [{"name": ["a", "b", "c"]}, {"name": ["d"], "n_deaths": [99]}]
    search = BatchedGridSearchCV(Fragile(tmp_path), grid, cv=2, n_jobs=2, refit=False)
    with pytest.warns(FitFailedWarning, match="killed twice"), pytest.warns(UserWarning):
        search.fit(IRIS, SPECIES)
    is_missing = np.isnan(search.cv_results_["mean_test_score"])
    assert is_missing.tolist() == [False, False, False, True]
    with pytest.raises(RuntimeError, match="killed twice"):
        search.set_params(error_score="raise").fit(IRIS, SPECIES)


@pytest.mark.slow
def test_killed_process_of_a_stack_costs_no_score(tmp_path):
    steps = clone(SEARCHES["pipeline"].estimator)
    pipe = make_pipeline(_Killing(tmp_path), *[step for _, step in steps.steps])
    grid = SEARCHES["pipeline"].param_grid
    search = BatchedGridSearchCV(pipe, grid, cv=2, n_jobs=2, refit=False)
    expected = BatchedGridSearchCV(steps, grid, cv=2, refit=False).fit(IRIS, SPECIES)
    search.fit(IRIS, SPECIES)
    np.testing.assert_array_equal(
        search.cv_results_["mean_test_score"], expected.cv_results_["mean_test_score"]
    )


class _Killing(StandardScaler):
    """Passes samples on; kills its process in its first fit."""

    def __init__(self, folder):
        super().__init__(with_mean=False, with_std=False)
        self.folder = folder

    def fit(self, X, y=None, sample_weight=None):
        path = Path(self.folder, "died")
        if not path.exists():
            path.touch()
            os.kill(os.getpid(), signal.SIGKILL)
        return super().fit(X, y, sample_weight)


@pytest.mark.parametrize("backend", ["threading", "multiprocessing"])
def test_every_backend_writes_one_journal(backend, path):
    search = clone(SEARCHES["grid"]).set_params(journal=path, n_jobs=2)
    with joblib.parallel_config(backend=backend):
        search.fit(IRIS, SPECIES)
    _assert_same(search, clone(SEARCHES["grid"]).fit(IRIS, SPECIES))
