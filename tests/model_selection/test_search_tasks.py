"""scikit-learn's callbacks see the same tasks in batched searches as in scikit-learn's."""

import re

import numpy as np
import pytest
from sklearn.callback import ProgressBar, ScoringMonitor
from sklearn.datasets import load_iris
from sklearn.exceptions import FitFailedWarning
from sklearn.experimental import enable_halving_search_cv  # noqa: F401
from sklearn.linear_model import LogisticRegression, SGDClassifier
from sklearn.model_selection import (
    GridSearchCV,
    HalvingGridSearchCV,
    HalvingRandomSearchCV,
    KFold,
    RandomizedSearchCV,
)
from sklearn.pipeline import make_pipeline, make_union
from sklearn.preprocessing import FunctionTransformer, StandardScaler

from skdeep.decomposition import Autoencoder
from skdeep.ensemble import DeepEnsembleClassifier
from skdeep.model_selection import (
    BatchedGridSearchCV,
    BatchedHalvingSearchCV,
    BatchedRandomizedSearchCV,
)
from skdeep.neural_network import ResNetClassifier

X, Y = (part[::2] for part in load_iris(return_X_y=True))
SMALL = {"max_epochs": 4, "batch_size": 16, "device": "cpu", "random_state": 0}
RATES = [1e-3, 1e-2]


def coder(**params):
    return Autoencoder(2, **{**SMALL, "hidden_layer_sizes": (8,), **params})


def net(**params):
    return ResNetClassifier(**{**SMALL, "width": 8, **params})


def linear():
    return LogisticRegression(max_iter=1000)


class Record:
    """Fit callback that records tasks with their parent tasks.

    With a ``depth`` scikit-learn hands it on to estimators of estimators.
    """

    def __init__(self, depth="none", act=None):
        if depth != "none":
            self.max_propagation_depth = depth
        self.act = act
        self.calls, self.tasks = [], []

    def setup(self, estimator, context):
        self.calls.append("setup")

    def teardown(self, estimator, context):
        self.calls.append("teardown")

    def on_fit_task_begin(self, estimator, context, *, X=None, y=None, metadata=None):
        self._write("begin", estimator, context, X, y, metadata)

    def on_fit_task_end(self, estimator, context, *, X=None, y=None, metadata=None):
        self._write("end", estimator, context, X, y, metadata)
        return self.act is not None and self.act(estimator, context)

    def _write(self, hook, estimator, context, X, y, metadata):
        path = []
        while context is not None:
            path.append(_describe(context))
            context = context.parent
        weight = (metadata or {}).get("sample_weight")
        weight = None if weight is None else weight.sum()
        data = [None if part is None else part.shape for part in (X, y)]
        self.tasks.append((hook, _name(estimator), path[::-1], data, weight))

    def seen(self, depth=None, with_data=True):
        """Tasks up to a depth, in an order that does not depend on the order of execution."""
        n_parts = 5 if with_data else 3
        return sorted(repr(task[:n_parts]) for task in self.tasks if len(task[2]) <= (depth or 99))

    def names(self):
        """Names of the tasks that have ended."""
        return [task[2][-1][1] for task in self.tasks if task[0] == "end"]


def _describe(context):
    return (
        context.estimator_name.removeprefix("Batched"),
        context.task_name,
        context.task_id,
        context.max_subtasks,
        context.sequential_subtasks,
        str(context.source_estimator_name).removeprefix("Batched"),
        context.source_task_name,
    )


def _name(estimator):
    return type(estimator).__name__.removeprefix("Batched")


def watch(Search, *args, depth="none", act=None, fit_params=None, **options):
    """Record of a search's tasks."""
    record = Record(depth, act)
    search = Search(*args, **{"cv": KFold(3), **options}).set_callbacks(record)
    search.fit(X, Y, **(fit_params or {}))
    return record


PIPELINE = make_pipeline(FunctionTransformer(), coder(), StandardScaler(), linear())
CASES = {
    "net": (coder(), {"lr": RATES}),
    "equal candidates": (net(), [{"lr": RATES}, {"lr": RATES[:1]}]),
    "shapes": (net(), {"width": [4, 8, 16], "lr": RATES}),
    "refit_full": (
        net(early_stopping=True, refit_full=True, validation_fraction=0.3),
        {"lr": [*RATES, 3e-3]},
    ),
    "stops early": (coder(tol=1e6, n_iter_no_change=1), {"max_epochs": [1, 2, 3, 9]}),
    "pipeline": (PIPELINE, {"autoencoder__lr": RATES, "logisticregression__C": [0.1, 1.0]}),
    "net last": (make_pipeline(StandardScaler(), net()), {"resnetclassifier__lr": RATES}),
    "net in a union": (
        make_pipeline(make_union(coder(), FunctionTransformer()), StandardScaler(), linear()),
        {"featureunion__autoencoder__lr": RATES, "logisticregression__C": [0.1, 1.0]},
    ),
    "two nets": (make_pipeline(coder(), net()), {"resnetclassifier__lr": RATES}),
    "ensemble": (DeepEnsembleClassifier(net(), 2, random_state=0), {"estimator__lr": RATES}),
    "no net": (linear(), {"C": [0.1, 1.0]}),
    "no callbacks": (SGDClassifier(random_state=0), {"alpha": [0.1, 1.0]}),
    "some nets": (
        make_pipeline(StandardScaler(), linear()),
        {"logisticregression": [linear(), net(), net(lr=0.1)]},
    ),
}


@pytest.mark.parametrize("max_models", [1, "auto"])
@pytest.mark.parametrize("estimator, grid", CASES.values(), ids=CASES)
@pytest.mark.filterwarnings("ignore:.*not support callbacks:UserWarning")
@pytest.mark.matrix
def test_tasks_are_those_of_grid_search(estimator, grid, max_models):
    expected = watch(GridSearchCV, estimator, grid)
    found = watch(BatchedGridSearchCV, estimator, grid, max_batch_models=max_models)
    assert found.calls == expected.calls == ["setup", "teardown"]
    assert found.seen() == expected.seen()


@pytest.mark.parametrize("max_models", [1, "auto"])
@pytest.mark.parametrize("name", [name for name in CASES if name != "two nets"])
@pytest.mark.filterwarnings("ignore:.*not support callbacks:UserWarning")
@pytest.mark.matrix
def test_callbacks_that_are_handed_on_see_the_epochs_of_every_candidate(name, max_models):
    estimator, grid = CASES[name]
    expected = watch(GridSearchCV, estimator, grid, depth=1)
    found = watch(BatchedGridSearchCV, estimator, grid, depth=1, max_batch_models=max_models)
    assert found.seen(with_data=False) == expected.seen(with_data=False)


@pytest.mark.parametrize("max_models", [1, "auto"])
@pytest.mark.filterwarnings("ignore:.*not support callbacks:UserWarning")
def test_callbacks_see_the_epochs_of_nets_in_pipelines(max_models):
    estimator, grid = CASES["pipeline"]
    expected, found = (
        watch(Search, estimator, grid, depth=None, **options)
        for Search, options in (
            (GridSearchCV, {}),
            (BatchedGridSearchCV, {"max_batch_models": max_models}),
        )
    )
    assert found.names().count("epoch") == expected.names().count("epoch") == (4 * 3 + 1) * 4
    epochs = [record.seen(with_data=False) for record in (expected, found)]
    assert [one for one in epochs[0] if "'epoch'" in one] == [
        one for one in epochs[1] if "'epoch'" in one
    ]


def test_tasks_are_those_of_randomized_search():
    options = {"n_iter": 3, "random_state": 0, "refit": False}
    found, expected = (
        watch(Search, coder(), {"lr": RATES, "noise": [0.0, 0.1]}, depth=None, **options)
        for Search in (BatchedRandomizedSearchCV, RandomizedSearchCV)
    )
    assert found.seen() == expected.seen()


def test_callbacks_see_the_weights_of_a_split():
    weights = {"sample_weight": np.linspace(1.0, 2.0, len(X))}
    found, expected = (
        watch(Search, net(), {"lr": RATES}, depth=None, fit_params=weights)
        for Search in (BatchedGridSearchCV, GridSearchCV)
    )
    assert found.seen() == expected.seen()


@pytest.mark.parametrize("aggressive", [False, True])
@pytest.mark.parametrize(
    "Search, theirs, ours",
    [
        (HalvingGridSearchCV, {}, {"n_candidates": "all"}),
        (HalvingRandomSearchCV, {"n_candidates": 5}, {"n_candidates": 5}),
    ],
)
@pytest.mark.parametrize(
    "estimator, grid, resource",
    [
        (coder(lr_schedule="constant"), {"lr": np.logspace(-4, -2, 7)}, "max_epochs"),
        (SGDClassifier(random_state=0, tol=None), {"alpha": np.logspace(-4, -1, 7)}, "max_iter"),
    ],
    ids=["net", "no net"],
)
def test_tasks_are_those_of_halving(estimator, grid, resource, Search, theirs, ours, aggressive):
    options = {"resource": resource, "max_resources": 4, "min_resources": 2, "factor": 2}
    options |= {"random_state": 0, "aggressive_elimination": aggressive}
    found = watch(BatchedHalvingSearchCV, estimator, grid, **ours, **options).seen()
    expected = watch(Search, estimator, grid, **theirs, **options).seen()
    assert [one.replace("HalvingSearchCV", Search.__name__) for one in found] == expected


def test_a_survivor_of_halving_has_the_epochs_of_each_iteration():
    options = {"factor": 2, "min_resources": 2, "n_candidates": "all", "refit": False}
    record = watch(BatchedHalvingSearchCV, coder(), {"lr": RATES}, depth=None, **options)
    # two nets up to epoch 2, one of them up to epoch 4, on 3 splits
    assert record.names().count("epoch") == 3 * (2 * 2 + 1 * 2)


@pytest.mark.parametrize("n_failing", [1, 2])
@pytest.mark.parametrize(
    "estimator, name",
    [
        (coder(), "lr"),
        (make_union(coder()), "autoencoder__lr"),
        (make_pipeline(make_union(coder()), linear()), "featureunion__autoencoder__lr"),
    ],
)
@pytest.mark.filterwarnings("ignore:.*not support callbacks:UserWarning")
def test_fits_that_fail_have_their_tasks_too(estimator, name, n_failing):
    grid = {name: [1e-3, 3e-3, *[-1.0, 1e30][:n_failing]]}
    options = {"refit": False, "error_score": 0.0, "scoring": lambda estimator, X, y: 1.0}
    records = []
    for Search in (GridSearchCV, BatchedGridSearchCV):
        with pytest.warns(FitFailedWarning, match=f"{3 * n_failing} fits failed"):
            records.append(watch(Search, estimator, grid, **options))
    assert records[0].seen() == records[1].seen()


@pytest.mark.parametrize(
    "step, name",
    [(coder(), "autoencoder__lr"), (make_union(coder()), "featureunion__autoencoder__lr")],
)
def test_an_error_of_a_step_before_the_net_leaves_a_task_for_each_candidate(step, name):
    def refuse(X):
        raise ValueError("refused")

    pipe = make_pipeline(FunctionTransformer(), step, linear())
    grid = {"functiontransformer__func": [None, refuse], name: RATES}
    records = []
    for Search in (GridSearchCV, BatchedGridSearchCV):
        with pytest.warns(FitFailedWarning, match="6 fits failed"):
            records.append(watch(Search, pipe, grid, error_score=0.0))
    assert records[0].seen() == records[1].seen()


def test_a_callback_of_the_estimator_sees_the_whole_search_as_one_run():
    rows = []
    for Search in (GridSearchCV, BatchedGridSearchCV):
        monitor = ScoringMonitor(scoring={"score": lambda estimator, X, y=None: estimator.score(X)})
        Search(coder().set_callbacks(monitor), {"lr": RATES}, cv=KFold(3)).fit(X, Y)
        rows.append([row["task_id_path"] for row in monitor.get_logs().data])
    assert rows[0] == rows[1]


# Acting on what is seen --------------------------------------------------------------------


def stop_after_two(estimator, context):
    return context.task_name == "epoch" and context.task_id == 1


@pytest.mark.parametrize("max_models", [1, "auto"])
def test_a_callback_that_stops_every_net_is_obeyed_after_the_epoch(max_models):
    record = watch(
        BatchedGridSearchCV,
        coder(),
        {"lr": RATES},
        depth=None,
        act=stop_after_two,
        max_batch_models=max_models,
    )
    assert record.names().count("epoch") == (2 * 3 + 1) * 2


@pytest.mark.parametrize("max_models", [1, "auto"])
def test_a_callback_that_stops_a_net_does_not_stop_others(max_models):
    def stop_slow_ones(estimator, context):
        return context.task_name == "epoch" and estimator.lr == RATES[0]

    grid = {"lr": RATES}
    record = Record(None, stop_slow_ones)
    search = BatchedGridSearchCV(coder(), grid, cv=KFold(3), max_batch_models=max_models)
    search.set_callbacks(record).fit(X)
    assert record.names().count("epoch") == 3 * 1 + 3 * 4 + 4
    plain = BatchedGridSearchCV(coder(), grid, cv=KFold(3), max_batch_models=max_models).fit(X)
    scores = [one.cv_results_["mean_test_score"] for one in (search, plain)]
    assert scores[0][0] != scores[1][0]
    assert scores[0][1] == pytest.approx(scores[1][1], rel=1e-6)


@pytest.mark.parametrize("task", ["epoch", "candidate-split-evaluation", "search"])
def test_an_interrupt_in_a_callback_leaves_the_search_unfitted(task):
    def interrupt(estimator, context):
        if context.task_name == task:
            raise KeyboardInterrupt

    # one that is handed on to nets hears of their fit, not of their evaluation
    record = Record(None if task == "epoch" else "none", interrupt)
    search = BatchedGridSearchCV(coder(), {"lr": RATES}, cv=KFold(3)).set_callbacks(record)
    with pytest.raises(KeyboardInterrupt):
        search.fit(X)
    # as GridSearchCV, which knows the number of splits by then
    assert {name for name in vars(search) if name.endswith("_")} <= {"n_splits_"}
    assert record.calls == ["setup", "teardown"]


def test_nets_with_callbacks_of_their_own_are_fitted_in_the_ordinary_way():
    record = Record()
    watched = coder().set_callbacks(record)
    search = BatchedGridSearchCV(watched, {"lr": RATES}, cv=KFold(3)).fit(X)
    expected = GridSearchCV(coder(), {"lr": RATES}, cv=KFold(3)).fit(X)
    # two candidates in three folds, and the refit
    assert record.names().count("epoch") == 7 * 4
    np.testing.assert_array_equal(
        search.cv_results_["mean_test_score"], expected.cv_results_["mean_test_score"]
    )


# ProgressBar -------------------------------------------------------------------------------


@pytest.mark.parametrize("n_jobs", [1, 2])
@pytest.mark.parametrize("depth", [0, 1, None])
@pytest.mark.parametrize("name", ["net", "pipeline", "no net"])
@pytest.mark.filterwarnings("ignore:.*not support callbacks:UserWarning")
@pytest.mark.matrix
def test_progress_bars_are_those_of_grid_search(name, depth, n_jobs, capsys, monkeypatch):
    monkeypatch.setenv("COLUMNS", "300")
    estimator, grid = CASES[name]
    bars = []
    for Search in (GridSearchCV, BatchedGridSearchCV):
        search = Search(estimator, grid, cv=KFold(3), n_jobs=n_jobs)
        search.set_callbacks(ProgressBar(max_propagation_depth=depth)).fit(X, Y)
        out = re.sub(r"\x1b\[[\d;?]*[A-Za-z]", "", capsys.readouterr().out)
        lines = [re.split(r" *[━╸╺]", line)[0] for line in out.splitlines() if "100%" in line]
        bars.append(sorted(line.replace("Batched", "") for line in lines))
    # of the steps in pipelines, only nets have bars of their own
    expected = [one for one in bars[0] if name != "pipeline" or "Pipeline - fit-" not in one]
    found = [one for one in bars[1] if name != "pipeline" or "Pipeline - fit-" not in one]
    assert found == expected
    assert "GridSearchCV - fit" in bars[1]
