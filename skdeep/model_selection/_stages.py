"""Fitting and scoring pipelines stage by stage, so that what they share is done once."""

import time
from dataclasses import dataclass, field
from typing import Any

from sklearn.base import clone
from sklearn.pipeline import Pipeline

from skdeep._stacking import Fit, fit_together
from skdeep.model_selection._jobs import Node
from skdeep.utils._sklearn import (
    check_method_params,
    fit_and_score,
    params_of_part,
    params_of_step,
    safe_split,
)

__all__ = ["SearchData", "fit_prefix", "rows_behind", "score_whole", "train_chunk"]


@dataclass
class SearchData:
    """What every fit of a search reads.

    Attributes
    ----------
    X, y : array-like
    splits : list of (ndarray of int, ndarray of int)
        Training and test rows.
    fit_params : dict
        Metadata of ``fit``, for all rows.
    score_options : dict
        Keyword arguments of ``fit_and_score``.
    max_models : int or "auto"
    n_candidates : int
    """

    X: Any
    y: Any
    splits: list
    fit_params: dict
    score_options: dict
    max_models: int | str
    n_candidates: int = 0
    _folds: dict = field(default_factory=dict)

    def __getstate__(self):
        """Leave out what can be made again."""
        return {**vars(self), "_folds": {}}

    def fold(self, estimator, split):
        """Training rows of a split: X, y and metadata."""
        if split not in self._folds:
            train = self.splits[split][0]
            X, y = safe_split(estimator, self.X, self.y, train)
            params = check_method_params(self.X, params=self.fit_params, indices=train)
            self._folds[split] = X, y, params
        return self._folds[split]


def rows_behind(data, candidate, node):
    """Training rows behind a node, targets, and metadata."""
    X, y, params = data.fold(candidate.estimator, node.split)
    return (X if node.X is None else node.X), y, params


def fit_prefix(data, candidate, node, start, stop, n_sharing):
    """Fit the steps of a candidate from one place up to another one.

    Parameters
    ----------
    data : SearchData
    candidate : Candidate
    node : Node
        The steps in front of them.
    start, stop : int
    n_sharing : int
        Jobs that go on from here, each of which is charged its share of the time.

    Returns
    -------
    node : Node
    """
    began = time.perf_counter()
    part = _part(candidate, start, stop)
    result = Node(node.split, node.steps, error=node.error)
    if node.error is None:
        try:
            X, y, params = rows_behind(data, candidate, node)
            result.X = part.fit_transform(X, y, **params_of_part(part, params))
            result.steps = [*node.steps, *part.steps]
        except Exception as error:
            result.error = error
    result.seconds = node.seconds + (time.perf_counter() - began) / n_sharing
    return result


def _part(candidate, start, stop=None):
    """Unfitted pipeline of some of the steps."""
    whole = clone(candidate.estimator)
    return Pipeline(whole.steps[start:stop], memory=whole.memory, verbose=whole.verbose)


def train_chunk(data, items, caller, context):
    """Train the nets of several candidates together, and score those that are through.

    Parameters
    ----------
    data : SearchData
    items : list of (Node, int, list of Job, (estimator, Stretch) or None)
        The steps in front of a net, its place, the jobs that share it, and what it goes on from
        where it is trained part by part.
    caller : estimator
        The search.
    context : sklearn.callback.CallbackContext or None
        That of this task.

    Returns
    -------
    outcomes : list of (Node or None, list of dict, (estimator, Stretch) or None)
        What the jobs with further nets go on from, the results of the others, and what the next
        part goes on from.
    """
    began = time.perf_counter()
    if context is not None:
        context.call_on_fit_task_begin(estimator=caller, X=data.X, y=data.y)
    fits, nodes = [], []
    for node, place, jobs, paused in items:
        name, step = jobs[0].candidate.steps()[place]
        estimator, stretch = (clone(step), None) if paused is None else paused
        nodes.append(Node(node.split, [*node.steps, (name, estimator)], error=node.error))
        fits.append(_make_fit(data, jobs[0].candidate, node, nodes[-1], stretch))
    present = [fit for fit in fits if fit is not None]
    errors = iter(())
    if present:
        device = present[0].estimator.device
        report = _epoch_reporter(caller, context)
        errors = iter(fit_together(present, device, data.max_models, report))
    share = (time.perf_counter() - began) / len(items)
    outcomes = []
    for (before, place, jobs, paused), node, fit in zip(items, nodes, fits, strict=True):
        if fit is not None:
            node.error = next(errors)
        node.seconds = before.seconds + share / len(jobs)
        goes_on = paused if node.error is None else None
        outcomes.append((*_go_on(data, node, fit, place, jobs), goes_on))
    if context is not None:
        context.call_on_fit_task_end(estimator=caller, X=data.X, y=data.y)
    return outcomes


def _epoch_reporter(caller, context):
    """Make the function that tells callbacks of an epoch of a stack; None without callbacks."""
    if context is None:
        return None

    def report():
        epoch = context.subcontext(task_name="epoch")
        epoch.call_on_fit_task_begin(estimator=caller)
        return epoch.call_on_fit_task_end(estimator=caller)

    return report


def _make_fit(data, candidate, before, node, stretch):
    """Fit of the last step of a node; None where it cannot even start."""
    if node.error is not None:
        return None
    name, estimator = node.steps[-1]
    try:
        X, y, params = rows_behind(data, candidate, before)
        params = params_of_step(candidate.estimator, params, name)
        return Fit(estimator, X, y, **params, stretch=stretch)
    except Exception as error:
        node.error = error
        return None


def _go_on(data, node, fit, place, jobs):
    """Transform the rows for the steps behind a net, and score the jobs that have no other."""
    if node.error is None and any(len(job.candidate.steps()) > place + 1 for job in jobs):
        try:
            node.X = node.steps[-1][1].transform(fit.X)
        except Exception as error:
            node.error = error
    last = [job for job in jobs if job.candidate.deep[-1] == place]
    results = [score_job(data, job, node, place + 1) for job in last]
    return (node if len(last) < len(jobs) else None), results


def score_job(data, job, node, start):
    """Fit the steps of a job from a place on, and score it; the result of ``fit_and_score``."""
    estimator = clone(job.candidate.estimator)

    def finish(X, y=None, **params):
        """Stand in for ``fit``: most of it has been done."""
        del estimator.fit
        if node.error is not None:
            raise node.error
        if not isinstance(estimator, Pipeline):
            vars(estimator).update(vars(node.steps[-1][1]))
            return estimator
        estimator.steps = list(node.steps)
        if start < len(job.candidate.steps()):
            part = _part(job.candidate, start)
            X, y, params = rows_behind(data, job.candidate, node)
            part.fit(X, y, **params_of_part(part, params))
            estimator.steps += part.steps
        return estimator

    estimator.fit = finish
    result = _score(data, job, estimator)
    result["fit_time"] += node.seconds
    return result


def score_whole(data, job, caller, context):
    """Fit and score a job in the ordinary way."""
    estimator = clone(job.candidate.estimator)
    return _score(data, job, estimator, caller=caller, callback_ctx=context)


def _score(data, job, estimator, **options):
    train, test = data.splits[job.split]
    verbose = data.score_options["verbose"]
    return fit_and_score(
        estimator,
        data.X,
        data.y,
        train=train,
        test=test,
        # they are set already; the lines of verbose > 1 name them
        parameters=job.candidate.params if verbose > 1 else None,
        fit_params=data.fit_params,
        return_n_test_samples=True,
        return_times=True,
        split_progress=(job.split, len(data.splits)),
        candidate_progress=(job.candidate.number, data.n_candidates),
        **data.score_options,
        **options,
    )
