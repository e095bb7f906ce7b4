"""Fits of the members of an ensemble, together where that is possible."""

from typing import Any, NamedTuple

from skdeep._batched_fit import fit_together
from skdeep._fit import Fit
from skdeep._training._tasks import SubfitTasks
from skdeep.base import DeepEstimator
from skdeep.utils._sklearn import has_callbacks

_TASK = "fit-estimator"


class Member(NamedTuple):
    """A member of an ensemble and the arguments of its ``fit``."""

    estimator: Any
    X: Any
    y: Any
    #: ``sample_weight``, for example
    metadata: dict


def fit_members(members, ensemble, root, task):
    """Fit members in place; nets of ours are trained as stacks where that is faster.

    The results are those of fitting one member after the other.

    Parameters
    ----------
    members : list of Member
    ensemble : estimator
        Its callbacks are propagated to the members.
    root : sklearn.callback.CallbackContext
        Context of the ensemble's ``fit``; each member is a subtask.
    task : dict
        Arguments of the callbacks for the subtasks.

    Raises
    ------
    Exception
        The first error of a fit.
    """
    fits = []
    for member in members:
        context = root.subcontext(task_name=_TASK)
        if _can_be_stacked(member):
            fits.append(_make_fit(member, ensemble, context, task))
        else:
            _fit_alone(member, context, task)
    for outcome in fit_together(fits, fits[0].estimator.device) if fits else ():
        if outcome.error is not None:
            raise outcome.error


def _can_be_stacked(member):
    """Whether ``Fit`` is equivalent to the ``fit`` method of a member.

    It is not for subclasses outside of this package, which may override ``fit``, nor for
    members with callbacks, which are set up by their ``fit``.
    """
    estimator = member.estimator
    if not isinstance(estimator, DeepEstimator) or has_callbacks(estimator):
        return False
    is_ours = type(estimator).fit.__module__.startswith("skdeep.")
    return is_ours and member.metadata.keys() <= {"sample_weight"}


def _make_fit(member, ensemble, context, task):
    """Make the fit of a member that has not started."""
    estimator, X, y, metadata = member
    tasks = None
    if has_callbacks(ensemble):
        tasks = SubfitTasks(context, task, estimator, X, y, **metadata)
    return Fit(estimator, X, y, **metadata, resume=bool(estimator.warm_start), tasks=tasks)


def _fit_alone(member, context, task):
    """Fit a member by its own ``fit``."""
    estimator, X, y, metadata = member
    with context.propagate_callback_context(estimator):
        context.call_on_fit_task_begin(**task)
        estimator.fit(X, y, **metadata)
    context.call_on_fit_task_end(**task)
