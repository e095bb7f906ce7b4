"""Restarts of a fit from several seeds."""

import copy
import itertools

import numpy as np

from skdeep.exceptions import DivergenceError
from skdeep.utils._random import make_streams

# What a restart of a fit does not share with it.
_OWN = ("streams", "net", "_architecture", "_module", "_net_options", "_rows", "_kept")


def best_of(fit, n_init, plan, loss, ends, n_kinds=1):
    """Train from several seeds, drop the worse nets on the way, and continue with the best one.

    The nets are trained as one stack if that is faster.

    Parameters
    ----------
    fit : Fit
    n_init : int
        Number of seeds; the first one is that of the fit.
    plan : callable
        ``plan(start, end, fit, number)``, a generator that trains from one point to another;
        ``number`` counts the seeds from zero.
    loss : callable
        ``loss(end, fit)`` is called when a plan has ended.
    ends : list
        Points at which nets are compared: with those of their kind, of which the better half
        continues, and at the last one with all.
    n_kinds : int
        Number of kinds of nets, in turn.

    Raises
    ------
    DivergenceError
        If all nets that are left diverge. One that diverges is dropped.
    """
    seeds = np.random.SeedSequence(fit.seed).generate_state(n_init - 1, np.uint64).tolist()
    branches = {number: _branch(fit, seed) for number, seed in enumerate([fit.seed, *seeds])}
    is_watched = _is_watched(fit)
    for start, end in itertools.pairwise([0, *ends]):
        plans = {number: plan(start, end, branch, number) for number, branch in branches.items()}
        errors = {}
        for group in [[number] for number in plans] if is_watched else [list(plans)]:
            errors |= yield from _in_parallel({number: plans[number] for number in group})
        if len(errors) == len(plans):
            raise errors[min(errors)]
        losses = {
            number: np.inf if number in errors else loss(end, branch)
            for number, branch in branches.items()
        }
        kept = set(losses)
        if end != ends[-1]:
            kinds = [[one for one in losses if one % n_kinds == kind] for kind in range(n_kinds)]
            kept = {number for numbers in kinds for number in _better_half(numbers, losses)}
        branches = {number: branches[number] for number in sorted(kept - set(errors))}
    best = branches[min(branches, key=losses.get)]
    vars(fit).update({name: getattr(best, name) for name in _OWN})


def n_epochs_of_all(n_init, ends, n_kinds=1):
    """Return the number of epochs that ``best_of`` trains all nets for."""
    numbers = [len(range(kind, n_init, n_kinds)) for kind in range(n_kinds)]
    total = 0
    for start, end in itertools.pairwise([0, *ends]):
        total += sum(numbers) * (end - start)
        numbers = [_half(number) for number in numbers]
    return total


def _better_half(numbers, losses):
    return sorted(numbers, key=losses.get)[: _half(len(numbers))]


def _half(number):
    return -(-number // 2)


def rebuild(fit, **changes):
    """Start a fit again with a new module, some entries of whose architecture are replaced."""
    amend(fit, **changes)
    fit.streams = make_streams(fit.seed, fit.device)
    fit._make_module()
    fit.net = None


def amend(fit, **changes):
    """Record changes of the architecture, after a plan has carried them out on the module."""
    fit._architecture = fit._architecture | changes


def _branch(fit, seed):
    """Return a copy of a fit on the same data, with a new module for another seed."""
    branch = copy.copy(fit)
    branch._kept = {}
    branch.checkpoints = fit.checkpoints.branch(seed)
    branch._rows = [copy.copy(rows) for rows in fit._rows]  # with targets of their own
    branch.streams = make_streams(seed, fit.device)
    branch._make_module()
    return branch


def _is_watched(fit):
    """Whether trainings must follow each other, as callbacks or the user see their epochs."""
    return bool(fit._callbacks or fit.estimator.verbose or fit.tasks.epochs(fit.snapshot))


def _in_parallel(plans):
    """Yield the next trainings of several plans as one list, until all have ended.

    Parameters
    ----------
    plans : dict of generators

    Returns
    -------
    errors : dict of DivergenceError
        Errors of the plans that have diverged.
    """
    errors, answers = {}, dict.fromkeys(plans)
    while True:
        ready = {}
        for number, answer in answers.items():
            try:
                ready[number] = plans[number].send(answer)
            except StopIteration:
                continue
            except DivergenceError as error:
                errors[number] = error
        if not ready:
            return errors
        found = iter((yield [run for runs in ready.values() for run in runs]))
        answers = {number: [next(found) for _ in runs] for number, runs in ready.items()}
