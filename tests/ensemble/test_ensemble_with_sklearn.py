"""Deep ensembles with scikit-learn's callbacks, searches, pipelines and metadata routing."""

import re

import numpy as np
import pytest
import sklearn
import torch
from sklearn.base import clone
from sklearn.callback import ProgressBar, ScoringMonitor
from sklearn.datasets import load_iris
from sklearn.exceptions import UnsetMetadataPassedError
from sklearn.model_selection import GridSearchCV, KFold, cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from skdeep.ensemble import DeepEnsembleClassifier, DeepEnsembleRegressor
from skdeep.exceptions import DivergenceError
from skdeep.model_selection import BatchedGridSearchCV
from skdeep.neural_network import ResNetClassifier, ResNetRegressor

SMALL = {"n_blocks": 1, "width": 8, "max_epochs": 3, "batch_size": 32, "device": "cpu"}
X, Y = load_iris(return_X_y=True)


def net(**params):
    return ResNetClassifier(**{**SMALL, **params})


def ensemble(n_estimators=2, **params):
    return DeepEnsembleClassifier(net(**params), n_estimators, random_state=0)


# Callbacks ---------------------------------------------------------------------------------


class Record:
    """Fit callback that records tasks; with a ``depth`` it is propagated to members."""

    def __init__(self, depth="none", act=None):
        if depth != "none":
            self.max_propagation_depth = depth
        self.act = act
        self.calls = []

    def setup(self, estimator, context):
        self.calls.append("setup")

    def teardown(self, estimator, context):
        self.calls.append("teardown")

    def on_fit_task_begin(self, estimator, context):
        self._write("begin", context)

    def on_fit_task_end(self, estimator, context):
        self._write("end", context)
        return self.act is not None and self.act(estimator, context)

    def _write(self, hook, context):
        parent = context.source_task_name  # that of a member's fit
        self.calls.append(
            (hook, context.estimator_name, parent, context.task_name, context.task_id)
        )

    def ended(self, task):
        return [call for call in self.calls if call[0] == "end" and call[3] == task]


def test_callbacks_see_one_task_for_each_member():
    record = Record()
    ensemble(3).set_callbacks(record).fit(X, Y)
    members = [f"{hook} fit-estimator {k}" for k in range(3) for hook in ("begin", "end")]
    found = [
        call if isinstance(call, str) else f"{call[0]} {call[3]} {call[4]}" for call in record.calls
    ]
    assert sorted(found) == sorted(["setup", "begin fit 0", *members, "end fit 0", "teardown"])
    assert found[:2] == ["setup", "begin fit 0"]
    assert found[-2:] == ["end fit 0", "teardown"]


@pytest.mark.parametrize("refit_full", [False, True])
def test_callbacks_that_are_handed_on_see_the_epochs_of_every_member(refit_full):
    record = Record(None)
    params = {"early_stopping": True, "refit_full": True} if refit_full else {}
    fitted = ensemble(3, **params).set_callbacks(record).fit(X, Y)
    n_epochs = sum(3 * refit_full + member.n_iter_ for member in fitted.estimators_)
    assert len(record.ended("epoch")) == n_epochs
    assert record.calls.count("setup") == record.calls.count("teardown") == 1
    for member in fitted.estimators_:
        assert not hasattr(member, "_skl_callbacks")


@pytest.mark.parametrize("depth", ["none", 0, None])
def test_tasks_are_those_of_members_that_are_fitted_one_by_one(depth):
    class OwnFit(ResNetClassifier):
        """Net that overrides ``fit`` and therefore cannot be stacked."""

        def fit(self, X, y=None, sample_weight=None):
            return super().fit(X, y, sample_weight)

    stacked, single = Record(depth), Record(depth)
    together = ensemble().set_callbacks(stacked).fit(X, Y)
    alone = DeepEnsembleClassifier(OwnFit(**SMALL), 2, random_state=0).set_callbacks(single)
    alone.fit(X, Y)
    shown = [
        sorted(repr(call).replace("OwnFit", "ResNetClassifier") for call in record.calls)
        for record in (stacked, single)
    ]
    assert shown[0] == shown[1]
    np.testing.assert_allclose(together.predict_proba(X), alone.predict_proba(X), atol=1e-6)


def test_callbacks_change_nothing():
    expected = ensemble().fit(X, Y).predict_proba(X)
    for callback in (Record(), Record(None), ProgressBar(max_propagation_depth=None)):
        watched = ensemble().set_callbacks(callback).fit(X, Y)
        np.testing.assert_array_equal(watched.predict_proba(X), expected)


def test_callbacks_of_the_estimator_watch_every_member():
    record = Record()
    watched = ensemble()
    watched.estimator.set_callbacks(record)
    watched.fit(X, Y)
    assert len(record.ended("epoch")) == 2 * 3
    assert record.calls.count("setup") == record.calls.count("teardown") == 2
    np.testing.assert_allclose(
        watched.predict_proba(X), ensemble().fit(X, Y).predict_proba(X), atol=1e-6
    )


def test_a_callback_ends_the_training_of_a_single_member():
    seeds = [member.random_state for member in ensemble().fit(X, Y).estimators_]

    def stop_first(estimator, context):
        return context.task_name == "epoch" and estimator.random_state == seeds[0]

    fitted = ensemble().set_callbacks(Record(None, stop_first)).fit(X, Y)
    n_epochs = [member.n_iter_ for member in fitted.estimators_]
    assert n_epochs[0] < n_epochs[1] == fitted.n_iter_ == 3


def test_an_interrupt_in_a_callback_leaves_the_ensemble_unfitted():
    def interrupt(estimator, context):
        if context.task_name == "epoch":
            raise KeyboardInterrupt

    record = Record(None, interrupt)
    interrupted = ensemble().set_callbacks(record)
    with pytest.raises(KeyboardInterrupt):
        interrupted.fit(X, Y)
    assert record.calls[-1] == "teardown"
    assert not hasattr(interrupted, "estimators_")


def test_a_failed_fit_tears_its_callbacks_down():
    record = Record(None)
    with pytest.raises(DivergenceError):
        ensemble(norm="layer", lr=1e30).set_callbacks(record).fit(X, Y)
    assert record.calls[-1] == "teardown"


def test_a_scoring_monitor_scores_the_fitted_ensemble():
    monitor = ScoringMonitor(scoring={"score": lambda estimator, X, y: estimator.score(X, y)})
    fitted = ensemble().set_callbacks(monitor).fit(X, Y)
    whole = [row for row in monitor.get_logs().data if row["task_name"] == "fit"]
    assert whole[-1]["score"] == fitted.score(X, Y)


def test_a_progress_bar_shows_the_members(capsys, monkeypatch):
    monkeypatch.setenv("COLUMNS", "300")
    ensemble().set_callbacks(ProgressBar(max_propagation_depth=None)).fit(X, Y)
    out = re.sub(r"\x1b\[[\d;?]*[A-Za-z]", "", capsys.readouterr().out)
    lines = [line for line in out.splitlines() if "100%" in line]
    assert sum("ResNetClassifier - fit" in line for line in lines) == 2
    assert sum(line.startswith("DeepEnsembleClassifier - fit ") for line in lines) == 1


# Searches and pipelines --------------------------------------------------------------------


@pytest.mark.parametrize(
    "estimator, grid",
    [
        (ensemble(), {"estimator__lr": [1e-3, 1e-1], "n_estimators": [1, 2]}),
        (ensemble(), {"estimator": [net(width=4), net(width=16)]}),
        (
            make_pipeline(StandardScaler(), ensemble()),
            {"deepensembleclassifier__estimator__lr": [1e-3, 1e-1]},
        ),
        (
            make_pipeline(
                StandardScaler(), DeepEnsembleRegressor(ResNetRegressor(**SMALL), 2, random_state=0)
            ),
            {"deepensembleregressor__estimator__lr": [1e-3, 1e-1]},
        ),
    ],
    ids=["parameters", "estimators", "pipeline", "regressor"],
)
def test_a_batched_search_scores_as_grid_search_does(estimator, grid, assert_same_search):
    expected = GridSearchCV(clone(estimator), grid, cv=KFold(3, shuffle=True, random_state=0))
    found = BatchedGridSearchCV(clone(estimator), grid, cv=expected.cv)
    assert_same_search(found.fit(X, Y), expected.fit(X, Y))
    np.testing.assert_array_equal(found.predict(X), expected.predict(X))


def test_cross_validation_in_processes_is_that_in_one():
    scores = [cross_val_score(ensemble(), X, Y, cv=3, n_jobs=n_jobs) for n_jobs in (1, 2)]
    np.testing.assert_array_equal(*scores)


def test_parameters_of_the_estimator_are_those_of_the_ensemble():
    one = ensemble().set_params(estimator__lr=0.5, n_estimators=3)
    assert one.get_params()["estimator__lr"] == clone(one).estimator.lr == 0.5
    assert [member.lr for member in one.fit(X, Y).estimators_] == [0.5, 0.5, 0.5]
    assert one.estimator.random_state is None
    assert not hasattr(one.estimator, "net_")


# Metadata ----------------------------------------------------------------------------------

WEIGHT = np.linspace(0.5, 2.0, len(X))


def test_weights_are_routed_to_the_members():
    with sklearn.config_context(enable_metadata_routing=True):
        asks, refuses = (
            DeepEnsembleClassifier(net().set_fit_request(sample_weight=wish), 2, random_state=0)
            for wish in (True, False)
        )
        weighted = asks.fit(X, Y, sample_weight=WEIGHT).predict_proba(X)
        scaler = StandardScaler().set_fit_request(sample_weight=False)
        pipe = make_pipeline(scaler, clone(asks)).fit(X, Y, sample_weight=WEIGHT)
        search = GridSearchCV(clone(asks), {"n_estimators": [1, 2]}, cv=3)
        search.fit(X, Y, sample_weight=WEIGHT)
        with pytest.raises(UnsetMetadataPassedError, match=r"ResNetClassifier\.fit"):
            ensemble().fit(X, Y, sample_weight=WEIGHT)
        with pytest.raises(TypeError, match="sample_weight"):
            refuses.fit(X, Y, sample_weight=WEIGHT)
    plain = ensemble().fit(X, Y, sample_weight=WEIGHT)
    np.testing.assert_array_equal(weighted, plain.predict_proba(X))
    assert not np.array_equal(weighted, ensemble().fit(X, Y).predict_proba(X))
    alone = ensemble().fit(StandardScaler().fit_transform(X), Y, sample_weight=WEIGHT)
    np.testing.assert_array_equal(
        pipe.predict_proba(X), alone.predict_proba(StandardScaler().fit_transform(X))
    )


def test_weights_of_parts_are_routed_to_the_members():
    with sklearn.config_context(enable_metadata_routing=True):
        asks = ensemble()
        asks.estimator.set_partial_fit_request(sample_weight=True)
        asks.partial_fit(X, Y, classes=[0, 1, 2], sample_weight=WEIGHT)
    plain = ensemble().partial_fit(X, Y, classes=[0, 1, 2], sample_weight=WEIGHT)
    np.testing.assert_array_equal(asks.predict_proba(X), plain.predict_proba(X))


# Settings ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "setting",
    [
        lambda: torch.device("meta"),
        torch.inference_mode,
        lambda: torch.autocast("cpu", dtype=torch.bfloat16),
        lambda: np.errstate(all="raise"),
    ],
    ids=["device", "inference", "autocast", "NumPy errors"],
)
@pytest.mark.parametrize("kind", ["classifier", "regressor"])
def test_settings_change_no_result(kind, setting):
    def live():
        if kind == "classifier":
            fitted = ensemble(4, early_stopping=True).fit(X, Y)
            methods = ["predict", "predict_proba", "predict_log_proba", "decision_function"]
        else:
            made = DeepEnsembleRegressor(ResNetRegressor(**SMALL), 4, random_state=0)
            fitted, methods = made.fit(X, Y), ["predict"]
        fitted.set_params(estimator__early_stopping=False).partial_fit(X, Y)
        return [getattr(fitted, method)(1e3 * X) for method in [*methods, "embed"]]

    expected = live()
    with setting():
        found = live()
    for one, other in zip(found, expected, strict=True):
        np.testing.assert_array_equal(one, other, strict=True)
