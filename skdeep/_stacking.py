"""Fitting several estimators at once: nets of one shape are trained as one."""

import contextlib
from typing import Any, NamedTuple

from sklearn import get_config

from skdeep._descent import Stretch
from skdeep._training._data import TensorRows
from skdeep._training._stackable import reason_to_train_alone, run_signature, stack_limit
from skdeep._training._stacked import train_together
from skdeep._training._stacked_rows import RowPool
from skdeep.utils._device import lease_device
from skdeep.utils._settings import own_settings

__all__ = ["Fit", "even_parts", "fit_together", "most_models"]


class Fit(NamedTuple):
    """An estimator that is not fitted yet, and what it is to be fitted with."""

    estimator: Any
    X: Any
    y: Any = None
    sample_weight: Any = None
    stretch: Stretch | None = None

    def runs(self, device):
        """Trainings that the fit is made of, one after the other."""
        data = self.X, self.y, self.sample_weight
        if self.stretch is None:
            return self.estimator._runs(*data, device)
        return self.estimator._stretches(*data, device, self.stretch)


class _Pending:
    """A fit on its way: between two trainings, or through."""

    def __init__(self, fit, device, pool):
        self.fit, self.device, self.pool = fit, device, pool
        self.runs, self.run, self.error = None, None, None

    def start(self):
        """Go to the first training."""
        with self._kept_apart():
            if not get_config()["skip_parameter_validation"]:  # as scikit-learn's ``fit``
                self.fit.estimator._validate_params()
            self.runs = self.fit.runs(self.device)
            self._take(next(self.runs, None))

    def resume(self, error):
        """Go on from a training, which ended with an error or with None, to the next one."""
        with self._kept_apart():
            self._take(next(self.runs, None) if error is None else self.runs.throw(error))

    def _take(self, run):
        """Wait for a training whose rows other fits may have, too."""
        if run is not None and isinstance(run.rows, TensorRows):
            run = run._replace(rows=self.pool.share(run.rows))
        self.run = run

    def close(self):
        """Leave the estimator as it was before, if its fit has not come to its end."""
        if self.runs is not None:
            self.runs.close()

    @contextlib.contextmanager
    def _kept_apart(self):
        """Context in which this fit can fail without the others."""
        try:
            yield
        except Exception as error:
            self.run, self.error = None, error


@own_settings()
def fit_together(fits, device, max_models="auto", on_epoch=None):
    """Fit estimators, those that are alike as one stack.

    Each becomes what its own ``fit`` would have made of it.

    Parameters
    ----------
    fits : list of Fit
        Of estimators that hold a net.
    device : str, torch.device or list of these
        Where to train all of them.
    max_models : int or "auto"
        Most nets in a stack. ``"auto"`` is what is fastest, which may be one.
    on_epoch : callable or None
        Called behind each epoch of a stack; training ends if it returns True.

    Returns
    -------
    errors : list of Exception or None
        What each fit raised.
    """
    with contextlib.ExitStack() as stack:
        try:
            device = stack.enter_context(lease_device(device))
        except (TypeError, ValueError) as error:
            return [error] * len(fits)
        pool = RowPool()
        pending = [_Pending(fit, device, pool) for fit in fits]
        for one in pending:
            stack.callback(one.close)
            one.start()
        while present := [one for one in pending if one.run is not None]:
            for group in _groups(present, max_models):
                errors = _train([one.run for one in group], on_epoch)
                origins = [error and error.__traceback__ for error in errors]
                for one, error, origin in zip(group, errors, origins, strict=True):
                    # nets may have an error in common
                    one.resume(error and error.with_traceback(origin))
    return [one.error for one in pending]


@own_settings()
def most_models(fit, device, max_models="auto"):
    """Tell how many nets like that of a fit go into a stack.

    Returns
    -------
    limit : int or None
        One where it is trained by itself; None where it fails before training.
    reason : str or None
        Why it is trained by itself.
    """
    with contextlib.ExitStack() as stack:
        try:
            device = stack.enter_context(lease_device(device))
        except (TypeError, ValueError):
            return None, None  # the fit itself will say so
        probe = _Pending(fit, device, RowPool())
        probe.start()
        if probe.run is None:
            return None, None
        reason = reason_to_train_alone(probe.run, max_models)
        limit = stack_limit(probe.run) if max_models == "auto" else max_models
        probe.close()
    return (1, reason) if reason else (limit, None)


def _train(runs, on_epoch):
    """Train a group of nets; the error of each, or None."""
    try:
        if len(runs) > 1:
            return train_together(runs, on_epoch)
        runs[0].start()
    except Exception as error:  # of no single net: too little memory, say
        return [error] * len(runs)
    return [None]


def _groups(pending, max_models):
    """Split fits into lists of those to be trained together, or of a single one."""
    alike, groups = {}, []
    for one in pending:
        if reason_to_train_alone(one.run, max_models) is None:
            alike.setdefault(run_signature(one.run), []).append(one)
        else:
            groups.append([one])
    for members in alike.values():
        limit = stack_limit(members[0].run) if max_models == "auto" else max_models
        groups += even_parts(members, limit)
    return groups


def even_parts(things, most, least=1):
    """Split a list into consecutive parts of about equal length.

    Parameters
    ----------
    things : list
    most : int
        Longest length of a part.
    least : int
        Least number of parts.
    """
    n_parts = max(1, least, -(-len(things) // most))
    size = -(-len(things) // n_parts)
    return [things[start : start + size] for start in range(0, len(things), size)]
