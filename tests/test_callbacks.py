"""scikit-learn's callbacks: progress bars, scores, stops; alone, in pipelines, in searches."""

from inspect import signature

import numpy as np
import pandas as pd
import pytest
import rich
from sklearn.callback import ProgressBar, ScoringMonitor
from sklearn.datasets import load_iris
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import MinMaxScaler, StandardScaler

from skdeep.decomposition import Autoencoder

# generators do not converge in such a short training
pytestmark = pytest.mark.filterwarnings("ignore::skdeep.exceptions.ModeCollapseWarning")

X, Y = load_iris(return_X_y=True)


class Record:
    """Fit callback that records the tasks of the estimator it is set on, and may end training."""

    def __init__(self, stop_after=None):
        self.stop_after = stop_after
        self.calls = []

    def setup(self, estimator, context):
        self.calls.append("setup")

    def teardown(self, estimator, context):
        self.calls.append("teardown")

    def on_fit_task_begin(self, estimator, context):
        self.calls.append(("begin", context.task_name, context.task_id, context.max_subtasks))

    def on_fit_task_end(self, estimator, context):
        self.calls.append(("end", context.task_name, context.task_id, context.max_subtasks))
        return context.task_name == "epoch" and context.task_id + 1 == self.stop_after


class ScoreEpochs(Record):
    """Fit callback that reconstructs the estimator after each epoch."""

    def __init__(self, score):
        super().__init__()
        self.score = score

    def on_fit_task_end(self, estimator, context, *, X=None, y=None, fitted_estimator=None):
        if context.task_name == "epoch":
            score = self.score(fitted_estimator, X, y)
            self.calls.append(("scored", fitted_estimator.n_iter_, score))


@pytest.fixture
def Class(Estimator):
    return Estimator


@pytest.fixture
def terminal(capsys):
    """Function that returns the output on a terminal wide enough for nested progress bars."""
    rich.reconfigure(width=300)  # other tests may have used the console before
    yield lambda: capsys.readouterr().out
    rich.reconfigure()


@pytest.fixture
def score_monitor(score):
    """Function that makes a callback which records scores."""
    # not scoring=None, which scikit-learn 1.9.1 cannot log for any estimator
    return lambda: ScoringMonitor(scoring={"score": score})


def small(Class=Autoencoder, **parameters):
    """Fast estimator."""
    plain = {"max_epochs": 4, "lr_schedule": "constant", "device": "cpu", "random_state": 0}
    clusters = {"n_clusters": 2, "pretrain_epochs": 0, "n_init": 1, "invariance": "vat"}
    sizes = {"hidden_layer_sizes": (8,), "width": 8, "n_blocks": 1, "n_modes": 2}
    plain |= clusters | sizes
    plain |= {"radius": 1.0, "tol": 0.0} if "radius" in signature(Class).parameters else {}
    known = signature(Class).parameters.keys() & plain.keys()
    return Class(**{**{name: plain[name] for name in known}, **parameters})


# Tasks -------------------------------------------------------------------------------------


def test_fit_reports_itself_and_one_task_for_each_epoch(Class):
    record = Record()
    small(Class).set_callbacks(record).fit(X, Y)
    epochs = [(moment, "epoch", n, 0) for n in range(4) for moment in ("begin", "end")]
    whole = [("begin", "fit", 0, 4), *epochs, ("end", "fit", 0, 4)]
    assert record.calls == ["setup", *whole, "teardown"]


@pytest.mark.nets({"refit": {"early_stopping": True, "refit_full": True}})
def test_fit_reports_the_epochs_of_a_refit_behind_those_of_the_search_for_the_best(params, Class):
    record = Record()
    estimator = small(Class, **params).set_callbacks(record).fit(X, Y)
    assert record.calls[1] == ("begin", "fit", 0, 8)
    ends = [call for call in record.calls if call[:2] == ("end", "epoch")]
    assert len(ends) == 4 + estimator.n_iter_ == 4 + estimator.best_epoch_
    assert record.calls[-2:] == [("end", "fit", 0, 8), "teardown"]


def test_a_callback_that_returns_true_ends_training_in_good_order(Class, assert_same):
    record = Record(stop_after=2)
    stopped = small(Class).set_callbacks(record).fit(X, Y)
    assert stopped.n_iter_ == 2
    assert record.calls[-2:] == [("end", "fit", 0, 4), "teardown"]
    assert_same(stopped, small(Class, max_epochs=2).fit(X, Y), X)


def test_callbacks_change_nothing(Class, score, score_monitor, assert_same):
    expected = small(Class).fit(X, Y)
    for callback in (Record(), ScoreEpochs(score), score_monitor()):
        watched = small(Class).set_callbacks(callback).fit(X, Y)
        assert_same(watched, expected, X)


@pytest.mark.nets({"default": {}, "kept features": {"n_components": 2, "latent_dim": 4}})
def test_the_estimator_of_an_epoch_is_what_a_shorter_fit_gives(params, Class, score):
    callback = ScoreEpochs(score)
    small(Class, **params).set_callbacks(callback).fit(X, Y)
    epochs = [call[1:] for call in callback.calls if call[0] == "scored"]
    assert [n_iter for n_iter, _ in epochs] == [1, 2, 3, 4]
    for n_iter, value in epochs:
        assert value == score(small(Class, max_epochs=n_iter, **params).fit(X, Y), X, Y)


@pytest.mark.nets({"table": {"pac": 2}})
def test_the_generator_of_an_epoch_draws_tables(params, Class):
    def draw(estimator, table, y):
        return estimator.sample(20, random_state=0)["size"].sum()

    table = pd.DataFrame({"kind": np.array(list("abc"))[Y], "size": X[:, 0]})
    callback = ScoreEpochs(draw)
    small(Class, **params).set_callbacks(callback).fit(table)
    drawn = [call[2] for call in callback.calls if call[0] == "scored"]
    shorter = [small(Class, max_epochs=n + 1, **params).fit(table) for n in range(4)]
    assert drawn == [draw(estimator, table, None) for estimator in shorter]


def test_a_failed_fit_tears_its_callbacks_down(Class):
    record = Record()
    with pytest.raises(ValueError, match="infinity"):
        small(Class).set_callbacks(record).fit(np.full((5, 3), np.inf), Y[:5])
    assert record.calls[-1] == "teardown"


def test_training_that_converges_has_fewer_tasks_than_it_may_have():
    record = Record()
    ae = small(max_epochs=50, tol=1e6, n_iter_no_change=3).set_callbacks(record).fit(X)
    ends = [call for call in record.calls if call[:2] == ("end", "epoch")]
    assert len(ends) == ae.n_iter_ == 5


# ScoringMonitor ----------------------------------------------------------------------------


def test_scoring_monitor_records_a_score_behind_each_epoch(Class, score, score_monitor):
    monitor = score_monitor()
    estimator = small(Class).set_callbacks(monitor).fit(X, Y)
    rows = monitor.get_logs().data
    assert [row["task_name"] for row in rows] == ["fit", *4 * ["epoch"]]
    scores = [row["score"] for row in rows]
    assert scores[0] == scores[-1] == score(estimator, X, Y)
    shorter = [small(Class, max_epochs=n + 1).fit(X, Y) for n in range(4)]
    assert scores[1:] == [score(estimator, X, Y) for estimator in shorter]


def test_scoring_monitor_sees_every_candidate_of_a_search(score_monitor):
    monitor = score_monitor()
    ae = small(max_epochs=3).set_callbacks(monitor)
    GridSearchCV(ae, {"lr": [1e-3, 1e-2]}, cv=2).fit(X, Y)
    rows = monitor.get_logs().data
    epochs = [row for row in rows if row["task_name"] == "epoch"]
    # two candidates in two folds, and the refit
    assert len(epochs) == 5 * 3
    assert all(np.isfinite(row["score"]) for row in epochs)


# ProgressBar -------------------------------------------------------------------------------


def test_progress_bar_shows_epochs(Class, terminal):
    small(Class).set_callbacks(ProgressBar()).fit(X, Y)
    out = terminal()
    assert f"{Class.__name__} - fit" in out
    assert "100%" in out


def test_progress_bar_of_a_pipeline_shows_its_steps(Class, terminal):
    last = [LogisticRegression(max_iter=1000)] if hasattr(Class, "transform") else []
    pipe = make_pipeline(StandardScaler(), small(Class), *last)
    pipe.set_callbacks(ProgressBar(max_propagation_depth=None)).fit(X, Y)
    out = terminal()
    assert "Pipeline - fit" in out
    assert f"{Class.__name__} - fit" in out
    assert out.count("100%") >= 2


@pytest.mark.parametrize("n_jobs", [1, 2])
def test_progress_bar_of_a_search_shows_nets_below_pipelines(terminal, n_jobs):
    pipe = make_pipeline(StandardScaler(), small(), LogisticRegression(max_iter=1000))
    grid = {"autoencoder__n_components": [1, 2], "autoencoder__lr": [1e-3, 1e-2]}
    search = GridSearchCV(pipe, grid, cv=2, n_jobs=n_jobs)
    search.set_callbacks(ProgressBar(max_propagation_depth=None)).fit(X, Y)
    lines = [line for line in terminal().splitlines() if "Autoencoder - fit" in line]
    # four candidates in two folds, and the refit, all finished
    assert len(lines) == 9
    assert all("100%" in line for line in lines)
    assert all("Pipeline - " in line for line in lines)


def test_scikit_learn_names_steps_that_have_no_callbacks(terminal):
    pipe = make_pipeline(MinMaxScaler(), small(), LogisticRegression(max_iter=1000))
    pipe.set_callbacks(ProgressBar(max_propagation_depth=None))
    with pytest.warns(UserWarning, match="MinMaxScaler") as record:
        pipe.fit(X, Y)
    assert not any("Autoencoder " in str(warning.message) for warning in record)
    assert "Autoencoder - fit" in terminal()


def test_a_search_with_a_bar_gives_what_it_gives_without():
    grid = {"lr": [1e-3, 1e-2]}
    plain = GridSearchCV(small(), grid, cv=2).fit(X)
    watched = GridSearchCV(small(), grid, cv=2)
    watched.set_callbacks(ProgressBar(max_propagation_depth=None)).fit(X)
    np.testing.assert_array_equal(
        watched.cv_results_["mean_test_score"], plain.cv_results_["mean_test_score"]
    )
