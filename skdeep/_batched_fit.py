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
    coming, waiting = deque(pending), {}
    while coming or waiting:
        if not coming:
            group = waiting.pop(next(iter(waiting)))
        else:
            one = coming.popleft()
            if one.runs is None:
                one.start()
            if one.run is None:  # finished or failed
                continue
            reason, limit = _limit(one.run, max_models, len(pending))
            one.outcome.reason, one.outcome.limit = reason, limit
            if reason is not None:
                group = [one]
            else:
                signature = run_signature(one.run)
                group = waiting.setdefault(signature, [])
                group.append(one)
                if len(group) < limit:
                    continue
                del waiting[signature]
        _train(group)
        coming.extend(group)


def _limit(run, max_models, n_fits):
    """Return why a net is trained alone (or None) and the maximum number of nets in its stack."""
    reason = reason_to_train_alone(run, max_models)
    if reason is not None:
        return reason, 1
    limit = stack_limit(run) if max_models == "auto" else max_models
    return None, even_size(n_fits, limit)


def _train(group):
    """Train nets as one stack, or a single net, and resume their fits until the next training."""
    began = time.perf_counter()
    runs = [one.run for one in group]
    try:
        if len(runs) > 1:
            errors = train_together(runs)
        else:
            runs[0].start()
            errors = [None]
    except Exception as error:  # concerns all nets, e.g. out of memory
        errors = [error] * len(runs)
    seconds = (time.perf_counter() - began) / len(runs)
    origins = [error and error.__traceback__ for error in errors]
    for one, error, origin in zip(group, errors, origins, strict=True):
        one.outcome.seconds += seconds
        one.resume(error and error.with_traceback(origin))  # nets may share one error


class _Pending:
    """A fit that has not started, waits for a training, or has finished."""

    def __init__(self, fit, device, alive):
        self.fit, self.device, self.alive = fit, device, alive
        self.runs = self.run = None
        self.outcome = Outcome()

    def start(self):
        """Run the fit until its first training."""
        with self._kept_apart():
            self.runs = self.fit.runs(self.device)
            if not get_config()["skip_parameter_validation"]:  # as scikit-learn's ``fit``
                self.fit.estimator._validate_params()
            self._take(next(self.runs, None))

    def resume(self, error):
        """Resume the fit after a training, which may have failed, until the next training."""
        with self._kept_apart():
            self._take(next(self.runs, None) if error is None else self.runs.throw(error))

    def _take(self, run):
        """Keep a training until it is run; its rows are shared with other fits if equal."""
        if run is not None and isinstance(run.rows, TensorRows):
            if not any(run.rows.share(other) for other in self.alive):
                self.alive.add(run.rows)
        self.run = run

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
            self.run, self.outcome.error = None, error
        self.outcome.seconds += time.perf_counter() - began


def even_size(n_things, most):
    """Return the length of parts of about equal length, none longer than ``most``."""
    n_parts = max(1, -(-n_things // most))
    return max(1, -(-n_things // n_parts))


def even_parts(things, n_parts):
    """Split a list into at most ``n_parts`` consecutive parts of about equal length."""
    size = max(1, -(-len(things) // n_parts))
    return [things[start : start + size] for start in range(0, len(things), size)]
