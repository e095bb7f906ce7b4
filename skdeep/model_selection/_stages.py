"""Fitting and scoring pipelines stage by stage, so that shared stages run once."""

import copy
import inspect
import time
from dataclasses import dataclass, field, replace
from typing import Any, NamedTuple

from sklearn.base import clone
from sklearn.pipeline import Pipeline
from sklearn.utils import get_tags

from skdeep._batched_fit import Outcome as FitOutcome
from skdeep._batched_fit import fit_together
from skdeep._fit import Fit
from skdeep.model_selection._branches import arguments_of_branch, fit_rest, is_changed, own_steps
from skdeep.model_selection._jobs import Node
from skdeep.model_selection._tasks import NetTasks, UnionTasks
from skdeep.utils._sklearn import (
    check_method_params,
    check_names_of_params,
    fit_and_score,
    params_of_step,
    safe_split,
)


@dataclass
class SearchData:
    """Data and options that all fits of a search share.

    Attributes
    ----------
    X, y : array-like
    splits : list of (ndarray of int, ndarray of int)
        Training and test indices.
    fit_params : dict
        Metadata of ``fit``, for all samples.
    score_options : dict
        Keyword arguments of ``fit_and_score``.
    max_models : int or "auto"
    has_own_scorer : bool
        Whether scores come from callables of the user, which may modify an estimator.
    n_candidates : int
    journal : Journal or None
        Where results are recorded.
    """

    X: Any
    y: Any
    splits: list
    fit_params: dict
    score_options: dict
    max_models: int | str
    has_own_scorer: bool = False
    n_candidates: int = 0
    journal: Any = None
    _folds: dict = field(default_factory=dict)

    def __getstate__(self):
        """Leave out what can be recomputed, and the journal, which stays in the main process."""
        return {**vars(self), "_folds": {}, "journal": None}

    def fold(self, estimator, split):
        """Training samples of a split: X, y and metadata."""
        key = split, get_tags(estimator).input_tags.pairwise
        fold = self._folds.get(key)
        if fold is None:
            train = self.splits[split][0]
            X, y = safe_split(estimator, self.X, self.y, train)
            params = check_method_params(self.X, params=self.fit_params, indices=train)
            fold = self._folds[key] = X, y, params
        return fold

    def forget(self):
        """Release the training samples of all splits; they are indexed again when needed."""
        self._folds = {}


def rows_behind(data, candidate, node):
    """Training samples after a node, targets, and metadata."""
    X, y, params = data.fold(candidate.estimator, node.split) if node.given is None else node.given
    check_names_of_params(candidate.estimator, params)
    return (X if node.X is None else node.X), y, params


def _own_rows_behind(data, candidate, node):
    """Like ``rows_behind``, but not shared, for steps that may write into it."""
    if node.given is not None:
        return copy.deepcopy(rows_behind(data, candidate, node))
    X, y, params = rows_behind(replace(data, _folds={}), candidate, node)
    return (X if node.X is None else copy.deepcopy(X)), y, params


def fit_prefix(data, candidate, node, stop, n_sharing):
    """Fit the steps of a candidate after a node up to a place.

    Parameters
    ----------
    data : SearchData
    candidate : Candidate
    node : Node
        The steps before them.
    stop : int
    n_sharing : int
        Number of jobs that continue from here; the time is divided among them.

    Returns
    -------
    node : Node
    """
    began = time.perf_counter()
    result = replace(node, branches={}, X=None)
    if node.error is None:
        try:
            rows = _own_rows_behind(data, candidate, node)
            steps, result.X = fit_rest(
                candidate, node, "fit_transform", lambda: rows, stop, data.has_own_scorer
            )
            result.steps = [*node.steps, *steps]
            if node.given is not None and not node.steps:
                result.has_written = is_changed(rows[0], node.given[0])
        except Exception as error:
            result.error = error
    result.seconds = node.seconds + (time.perf_counter() - began) / n_sharing
    return result


def start_branch(data, job, place, name):
    """Node of a branch of the step that comes next; None if no columns are passed to it."""
    node = Node(job.split, error=job.node.error)
    if node.error is not None:
        return node
    step_name, union = job.candidate.steps()[place]
    try:
        X, y, params = rows_behind(data, job.candidate, job.node)
        params = params_of_step(job.candidate.estimator, params, step_name)
        node.given, node.method = arguments_of_branch(union, name, job.method(place), X, y, params)
    except Exception as error:
        node.error = error
        return node
    return None if node.given is None else node


class Outcome(NamedTuple):
    """Outcome for a net and for the jobs that share it."""

    #: Results of ``fit_and_score`` for the jobs that have no other net after it
    results: list
    #: Node that the other jobs continue from; None if there are none
    node: Node | None
    #: Estimator and pause of the next part of a fit; None if there is none
    paused: tuple | None
    #: Maximum number of nets in a stack; None if the net failed before training
    limit: int | None = None
    #: Why the net was trained on its own
    reason: str | None = None


def train_chunk(data, nets, caller):
    """Train nets together, and score the jobs that have no other net after them.

    Parameters
    ----------
    data : SearchData
    nets : list of Net
    caller : estimator
        The search.

    Returns
    -------
    outcomes : list of Outcome
    """
    prepared = [_prepare(data, net, caller) for net in nets]
    fits = [fit for _, _, fit in prepared if fit is not None]
    device = fits[0].estimator.device if fits else "cpu"
    done = iter(fit_together(fits, device, data.max_models) if fits else ())
    outcomes = []
    for net, (node, tasks, fit) in zip(nets, prepared, strict=True):
        fitted = FitOutcome() if fit is None else next(done)
        node.error = node.error or fitted.error
        node.seconds = net.before.seconds + fitted.seconds / len(net.jobs)
        outcome = _finish(data, net, node, fit, tasks)
        outcomes.append(outcome._replace(limit=fitted.limit, reason=fitted.reason))
    data.forget()
    return outcomes


def _prepare(data, net, caller):
    """Node of the steps up to a net, its tasks, and its fit; None if that cannot start."""
    name, step = net.step
    estimator, pause = (clone(step), None) if net.paused is None else net.paused
    before = net.before
    node = replace(before, steps=[*before.steps, (name, estimator)], X=None)
    tasks = NetTasks(net.watched_jobs(), data, caller)
    if node.error is not None:
        return node, tasks, None
    try:
        X, y, params = rows_behind(data, net.candidate, before)
        params = params_of_step(net.candidate.estimator, params, name)
        args = (X,) if name is None and y is None else (X, y)
        if not _can_be_called(estimator.fit, args, params):
            estimator.fit(*args, **params)  # raises the error for wrong arguments
    except Exception as error:
        node.error = error
        return node, tasks, None
    weight = params.get("sample_weight")
    tasks.set_fit(estimator, X, y, weight)
    if pause is None:
        return node, tasks, Fit(estimator, X, y, weight, tasks=tasks)
    return node, tasks, estimator._fit_in_parts(X, y, weight, pause, tasks=tasks)


def _can_be_called(method, args, params):
    """Whether a method accepts these arguments."""
    try:
        inspect.signature(method).bind(*args, **params)
    except TypeError:
        return False
    return True


def _finish(data, net, node, fit, tasks):
    """Transform the samples for what comes after a net, and score the jobs that are finished."""
    is_input = any(job.method(net.place) == "fit_transform" for job in net.jobs)
    if node.error is None and is_input:
        try:
            node.X = node.steps[-1][1].transform(fit.given[0])
        except Exception as error:
            node.error = error
    finished = net.finished_jobs()
    results = []
    for job in finished:
        results.append(_score_job(data, job, node))
        tasks.end_job(job, results[-1]["fit_error"] is not None)
    return Outcome(
        results,
        node=node if len(finished) < len(net.jobs) else None,
        paused=net.paused if node.error is None else None,
    )


def fail_chunk(data, nets, error):
    """Outcomes of nets that could not be trained together because of an error."""
    outcomes = []
    for net in nets:
        node = replace(net.before, error=error)
        results = [fail_job(data, job, error) for job in net.finished_jobs()]
        outcomes.append(Outcome(results, node=node, paused=None))
    return outcomes


def fail_job(data, job, error):
    """Return the result of a job whose fit has failed, or raise the error, as the user chose."""
    return _score_job(data, job, Node(job.split, error=error))


def score_union(data, job, caller):
    """Fit the steps of a job from a union with fitted branches onwards, and score it."""
    tasks = UnionTasks(job, data, caller)
    result = _score_job(data, job, job.node)
    tasks.end(result["fit_error"] is not None)
    data.forget()
    return result


def _score_job(data, job, node):
    """Fit the steps of a job after a node, and score it with ``fit_and_score``."""
    estimator = clone(job.candidate.estimator)

    def fit(X, y=None, **params):
        """Replace ``fit``, as ``fit_and_score`` always fits the estimator."""
        del estimator.fit
        _assemble(estimator, data, job, node)

    estimator.fit = fit
    origin = node.error and node.error.__traceback__
    try:
        result = _score(data, job, estimator)
    finally:
        if node.error is not None:  # other jobs share the error; do not extend its traceback
            node.error.__traceback__ = origin
    result["fit_time"] += node.seconds
    return result


def _assemble(estimator, data, job, node):
    """Turn an unfitted estimator into a fitted one, with steps that are fitted already."""
    own_nets = data.has_own_scorer
    rest, _ = fit_rest(
        job.candidate,
        node,
        "fit",
        lambda: _own_rows_behind(data, job.candidate, node),
        own_nets=own_nets,
    )
    steps = own_steps(node.steps, own_nets) + rest
    if isinstance(estimator, Pipeline):
        estimator.steps = steps
    else:
        vars(estimator).update(vars(steps[-1][1]))


def score_whole(data, job, caller):
    """Fit and score a job without stacking."""
    estimator = clone(job.candidate.estimator)
    return _score(data, job, estimator, caller=caller, callback_ctx=job.context)


def _score(data, job, estimator, **options):
    train, test = data.splits[job.split]
    verbose = data.score_options["verbose"]
    return fit_and_score(
        estimator,
        data.X,
        data.y,
        train=train,
        test=test,
        # parameters are already set; they are passed only to be printed
        parameters=job.candidate.params if verbose > 1 else None,
        fit_params=data.fit_params,
        return_n_test_samples=True,
        return_times=True,
        split_progress=(job.split, len(data.splits)),
        candidate_progress=(job.candidate.number, data.n_candidates),
        **data.score_options,
        **options,
    )
