"""Batched searches as objects: output, processes, pickles, interruptions."""

import pickle
import re

import numpy as np
import pytest
import torch
from joblib import parallel_config
from sklearn.base import clone
from sklearn.datasets import load_digits
from sklearn.exceptions import NotFittedError
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV, KFold
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import FunctionTransformer, StandardScaler
from sklearn.utils import get_tags
from sklearn.utils.validation import check_is_fitted

from skdeep.decomposition import Autoencoder
from skdeep.model_selection import BatchedGridSearchCV, BatchedRandomizedSearchCV
from skdeep.neural_network import ResNetClassifier

X, Y = (part[:120] for part in load_digits(n_class=3, return_X_y=True))
RATES = [1e-3, 1e-2]
SMALL = {"max_epochs": 3, "batch_size": 32, "device": "cpu", "random_state": 0}


def coder(**parameters):
    return Autoencoder(**{**SMALL, "n_components": 3, "hidden_layer_sizes": (8,), **parameters})


def pipeline(*middle):
    return make_pipeline(StandardScaler(), coder(), *middle, LogisticRegression(max_iter=1000))


GRID = {"autoencoder__lr": RATES, "logisticregression__C": [0.1, 1.0]}


def make_search(estimator=None, grid=None, **options):
    estimator = pipeline() if estimator is None else estimator
    return BatchedGridSearchCV(estimator, grid or GRID, **{"cv": KFold(3), **options})


# Output ------------------------------------------------------------------------------------


def test_a_silent_search_prints_nothing_and_writes_no_files(capfd, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    make_search().fit(X, Y)
    assert capfd.readouterr() == ("", "")
    assert not list(tmp_path.iterdir())


def test_verbose_says_what_was_stacked_and_what_was_not_and_why(capsys):
    steps = [("scale", StandardScaler()), ("net", coder()), ("clf", LogisticRegression())]
    nets = [coder(), coder(optimizer=torch.optim.RMSprop), "passthrough"]
    grid = {"net": nets, "clf": [LogisticRegression(max_iter=1000)]}
    grid |= {"clf__C": [0.1, 1.0]}
    make_search(Pipeline(steps), grid, verbose=1, refit=False).fit(X, Y)
    first, *lines = capsys.readouterr().out.splitlines()
    assert first == "Fitting 3 folds for each of 6 candidates, totalling 18 fits"
    text = "\n".join(lines)
    assert re.search(r"Autoencoder: 3 nets are trained in stacks of up to \d+", text)
    assert re.search(r"Autoencoder: 3 nets are trained one by one: .*optimizer", text)
    assert re.search(r"6 fits are done one by one: no step is a net", text)


def test_verbose_lines_of_each_fit_are_those_of_grid_search(capsys):
    lines = []
    for Search in (GridSearchCV, BatchedGridSearchCV):
        Search(coder(), {"lr": RATES}, cv=KFold(2), verbose=3, refit=False).fit(X)
        out = capsys.readouterr().out
        fits = [line for line in out.splitlines() if line.startswith("[CV")]
        lines.append(sorted(re.sub(r"total time=.*|\.+", "", line) for line in fits))
    assert len(lines[0]) == 4
    assert lines[0] == lines[1]


# Interruptions -----------------------------------------------------------------------------


def assert_unfitted(search):
    # as GridSearchCV, which knows the number of splits by then
    assert {name for name in vars(search) if name.endswith("_")} <= {"n_splits_"}
    with pytest.raises((AttributeError, NotFittedError)):
        search.transform(X)


def interrupt(X):
    raise KeyboardInterrupt


@pytest.mark.parametrize("place", [0, 1, 2, 3])
def test_an_interrupt_in_any_step_leaves_the_search_unfitted(place):
    steps = [StandardScaler(), coder(), LogisticRegression(max_iter=1000)]
    steps.insert(min(place, 2), FunctionTransformer(interrupt))
    pipe = make_pipeline(*steps) if place < 3 else pipeline()
    options = {"scoring": lambda *args: interrupt(X)} if place == 3 else {}
    search = make_search(pipe, {"autoencoder__lr": RATES}, **options)
    with pytest.raises(KeyboardInterrupt):
        search.fit(X, Y)
    assert_unfitted(search)


# Processes and threads ---------------------------------------------------------------------


@pytest.mark.parametrize("cv", [KFold(3), KFold(5)])
def test_two_threads_find_the_same(cv, assert_same_search):
    with parallel_config(backend="threading"):
        two = make_search(cv=cv, n_jobs=2).fit(X, Y)
    assert_same_search(two, make_search(cv=cv).fit(X, Y), atol=1e-5)


def test_two_processes_find_the_same(assert_same_search):
    two = make_search(n_jobs=2).fit(X, Y)
    assert_same_search(two, make_search().fit(X, Y))


@pytest.mark.slow
def test_a_fitted_search_is_pickled_into_another_process(run_python, tmp_path):
    search = make_search().fit(X, Y)
    path, rows = tmp_path / "search.pkl", tmp_path / "rows.npy"
    path.write_bytes(pickle.dumps(search))
    np.save(rows, X)
    code = """
import pickle, sys, numpy
search = pickle.loads(open(sys.argv[1], "rb").read())
print(search.predict_proba(numpy.load(sys.argv[2])).tobytes().hex(), search.best_params_)
"""
    printed = run_python(code, path, rows).strip()
    assert printed == f"{search.predict_proba(X).tobytes().hex()} {search.best_params_}"


def test_global_random_states_do_not_change_and_do_not_matter(assert_same_search):
    state = torch.get_rng_state()
    first = make_search(coder(noise=0.1), {"lr": RATES}).fit(X)
    assert torch.equal(torch.get_rng_state(), state)
    assert_same_search(make_search(coder(noise=0.1), {"lr": RATES}).fit(X), first)


# As any estimator --------------------------------------------------------------------------


def test_a_clone_has_the_same_parameters_and_is_unfitted():
    search = make_search(max_batch_models=3, verbose=0).fit(X, Y)
    copied = clone(search)
    assert copied.get_params(deep=False).keys() == search.get_params(deep=False).keys()
    assert copied.max_batch_models == 3
    assert not hasattr(copied, "cv_results_")


def test_parameters_of_the_estimator_are_set_through_the_search(assert_same_search):
    search = make_search(coder(), {"lr": RATES})
    search.set_params(estimator__n_components=2, max_batch_models=2, cv=KFold(2))
    assert search.get_params()["estimator__n_components"] == 2
    search.fit(X)
    expected = GridSearchCV(coder(n_components=2), {"lr": RATES}, cv=KFold(2)).fit(X)
    assert_same_search(search, expected)
    assert search.transform(X).shape == (120, 2)


@pytest.mark.parametrize("Search", [BatchedGridSearchCV, BatchedRandomizedSearchCV])
def test_html_shows_search_and_net(Search):
    search = Search(pipeline(), GRID, cv=2)
    for state in (search, search.set_params(**_few(search)).fit(X, Y)):
        html = state._repr_html_()
        assert Search.__name__ in html and "Autoencoder" in html
    assert "max_batch_models=2" in repr(search.set_params(max_batch_models=2))


def _few(search):
    return {"n_iter": 2, "random_state": 0} if "n_iter" in search.get_params() else {}


def test_parameters_are_those_of_grid_search_and_two_more():
    ours, theirs = (Search(coder(), {}) for Search in (BatchedGridSearchCV, GridSearchCV))
    params = ours.get_params(deep=False)
    assert params.pop("max_batch_models") == "auto" and params.pop("journal") is None
    assert {**params, "estimator": 0} == {**theirs.get_params(deep=False), "estimator": 0}


@pytest.mark.parametrize("estimator", [coder(), ResNetClassifier(), LogisticRegression()])
def test_tags_and_methods_are_those_of_grid_search(estimator):
    ours, theirs = (Search(estimator, {}) for Search in (BatchedGridSearchCV, GridSearchCV))
    assert get_tags(ours) == get_tags(theirs)
    for name in ("predict", "predict_proba", "transform", "inverse_transform", "score"):
        assert hasattr(ours, name) == hasattr(theirs, name)


def test_fitting_again_forgets_the_first_fit(assert_same_search):
    search = make_search().fit(X[:60], Y[:60])
    assert_same_search(search.fit(X, Y), make_search().fit(X, Y))


def test_the_estimator_that_was_given_stays_unfitted():
    pipe = pipeline()
    make_search(pipe).fit(X, Y)
    with pytest.raises(NotFittedError):
        check_is_fitted(pipe)
    assert not hasattr(pipe[1], "net_")
