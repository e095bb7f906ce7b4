"""Batched fits: nets of the same shape are trained as one stack."""

import contextlib
import time
import weakref
from collections import deque
from dataclasses import dataclass

from sklearn import get_config

from skdeep._fit_data import DataPool
from skdeep._training._data import TensorRows
from skdeep._training._stackable import reason_to_train_alone, run_signature, stack_limit
from skdeep._training._stacked import train_together
from skdeep.exceptions import DivergenceError
from skdeep.utils._device import lease_device
from skdeep.utils._settings import own_settings


@dataclass
class Outcome:
    """Outcome of a fit.

    Attributes
    ----------
    error : Exception or None
        Exception that the fit raised.
    seconds : float
        Duration of the fit; for a stack, divided by the number of nets.
    limit : int or None
        Maximum number of nets in its stacks; None if it failed before training.
    reason : str or None
        Why its net was trained on its own.
    """

    error: Exception | None = None
    seconds: float = 0.0
    limit: int | None = None
    reason: str | None = None


@own_settings()
def fit_together(fits, device, max_models="auto"):
    """Run several fits, and train nets of the same shape as one stack.

    The fitted estimators are the same as if each had been fitted on its own.

    Parameters
    ----------
    fits : list of Fit
        Fits that have not started. They share one pool of data.
    device : str, torch.device or list of these
        Device to train all of them on.
    max_models : int or "auto"
        Maximum number of nets in a stack. ``"auto"`` chooses the fastest, which may be one.

    Returns
    -------
    outcomes : list of Outcome
    """
    with contextlib.ExitStack() as stack:
        try:
            device = stack.enter_context(lease_device(device))
        except (TypeError, ValueError) as error:
            return [Outcome(error) for _ in fits]
        data, rows = DataPool(), weakref.WeakSet()
        pending = [_Pending(fit, device, rows) for fit in fits]
        for one in pending:
            one.fit.pool = data
            stack.callback(one.close)
        _train_all(pending, max_models)
    return [one.outcome for one in pending]


def _train_all(pending, max_models):
    """Run fits one after the other; nets that can be stacked wait until a stack is full."""
    coming, ready, waiting = deque(pending), deque(), {}
    while coming or ready or waiting:
        if ready:
            one, run = ready.popleft()
            reason, limit = _limit(run, max_models, len(pending) * len(one.ready))
            one.outcome.reason, one.outcome.limit = reason, limit
            signature = id(run) if reason is not None else run_signature(run)
            group = waiting.setdefault(signature, [])
            group.append((one, run))
            if len(group) < limit:
                continue
            del waiting[signature]
        elif coming:
            one = coming.popleft()
            if one.runs is None:
                one.start()
            ready.extend((one, run) for run in one.ready)  # none if it has finished or failed
            continue
        else:
            group = waiting.pop(next(iter(waiting)))
        coming.extend(_train(group))


def _limit(run, max_models, n_fits):
    """Return why a net is trained alone (or None) and the maximum number of nets in its stack."""
    reason = reason_to_train_alone(run, max_models)
    if reason is not None:
        return reason, 1
    limit = stack_limit(run) if max_models == "auto" else max_models
    return None, even_size(n_fits, limit)


def _train(group):
    """Train the nets of fits as one stack; resume and return fits without other open trainings."""
    began = time.perf_counter()
    errors = _train_stack([run for _, run in group])
    seconds = (time.perf_counter() - began) / len(group)
    origins = [error and error.__traceback__ for error in errors]
    resumed = []
    for (one, run), error, origin in zip(group, errors, origins, strict=True):
        one.outcome.seconds += seconds
        one.errors[id(run)] = error and error.with_traceback(origin)  # nets may share one error
        if len(one.errors) == len(one.ready):
            one.resume()
            resumed.append(one)
    return resumed


def _train_stack(runs):
    """Train nets as one stack, or a single net; return the error of each, or None."""
    try:
        if len(runs) > 1:
            return train_together(runs)
        runs[0].start()
    except Exception as error:  # concerns all nets, e.g. out of memory
        return [error] * len(runs)
    return [None]


def carry_out(plan):
    """Carry out a generator of lists of trainings, which is sent the error, or None, of each."""
    with contextlib.suppress(StopIteration):
        ready = next(plan)
        while True:
            try:
                errors = train_runs(ready)
            except BaseException as error:
                ready = plan.throw(error)
            else:
                ready = plan.send(errors)


def train_runs(runs):
    """Train the nets of a single fit, in stacks where that is faster.

    Parameters
    ----------
    runs : list of Run

    Returns
    -------
    errors : list of DivergenceError or None

    Raises
    ------
    Exception
        The first other error of a training.
    """
    groups = {}
    for run in runs:
        reason, limit = (None, 1) if len(runs) == 1 else _limit(run, "auto", len(runs))
        key = id(run) if reason is not None or limit == 1 else run_signature(run)
        groups.setdefault(key, (limit, []))[1].append(run)
    errors = {}
    for limit, group in groups.values():
        for stack in even_parts(group, -(-len(group) // limit)):
            for run, error in zip(stack, _train_stack(stack), strict=True):
                if not isinstance(error, DivergenceError | None):
                    raise error
                errors[id(run)] = error
    return [errors[id(run)] for run in runs]


class _Pending:
    """A fit that has not started, waits for a training, or has finished."""

    def __init__(self, fit, device, alive):
        self.fit, self.device, self.alive = fit, device, alive
        self.runs = None
        self.ready, self.errors = [], {}
        self.outcome = Outcome()

    def start(self):
        """Run the fit until its first training."""
        with self._kept_apart():
            self.runs = self.fit.runs(self.device)
            if not get_config()["skip_parameter_validation"]:  # as scikit-learn's ``fit``
                self.fit.estimator._validate_params()
            self._take(next(self.runs, []))

    def resume(self):
        """Resume the fit after its trainings, which may have failed, until the next ones."""
        errors = [self.errors[id(run)] for run in self.ready]
        with self._kept_apart():
            try:
                self._take(self.runs.send(errors))
            except StopIteration:
                self._take([])

    def _take(self, runs):
        """Keep trainings until they are run; their rows are shared with other fits if equal."""
        for run in runs:
            if isinstance(run.rows, TensorRows):
                if not any(run.rows.share(other) for other in self.alive):
                    self.alive.add(run.rows)
        self.ready, self.errors = runs, {}

    def close(self):
        """Restore the previous state of the estimator if its fit has not finished."""
        if self.runs is not None:
            self.runs.close()

    @contextlib.contextmanager
    def _kept_apart(self):
        """Context manager in which this fit can fail without affecting the others."""
        began = time.perf_counter()
        try:
            yield
        except Exception as error:
            self.ready, self.outcome.error = [], error
        self.outcome.seconds += time.perf_counter() - began


def even_size(n_things, most):
    """Return the length of parts of about equal length, none longer than ``most``."""
    n_parts = max(1, -(-n_things // most))
    return max(1, -(-n_things // n_parts))


def even_parts(things, n_parts):
    """Split a list into at most ``n_parts`` consecutive parts of about equal length."""
    size = max(1, -(-len(things) // n_parts))
    return [things[start : start + size] for start in range(0, len(things), size)]
