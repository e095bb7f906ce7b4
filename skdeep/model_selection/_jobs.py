"""Candidates times splits as jobs, and the steps that several of them have in common."""

from dataclasses import dataclass, field
from typing import Any

from sklearn.base import BaseEstimator, clone
from sklearn.pipeline import Pipeline

from skdeep._descent import DescentMixin, Stretch
from skdeep.base import DeepEstimator
from skdeep.utils._sklearn import has_callbacks

__all__ = ["Candidate", "Job", "Node", "PausedFits", "deep_places"]


class Candidate:
    """Parameters to try, and what can be shared with other candidates.

    Parameters
    ----------
    number : int
    params : dict
    base : estimator
        What the parameters are set on.

    Attributes
    ----------
    estimator : estimator
        A clone with the parameters.
    deep : list of int
        Places of the steps that hold a net; empty where it has to be fitted as a whole. A bare
        estimator counts as a pipeline of one step.
    """

    def __init__(self, number, params, base):
        self.number, self.params = number, params
        self.estimator = clone(base).set_params(**clone(params, safe=False))
        self.deep = deep_places(self.estimator)

    def steps(self):
        """Names and estimators of the steps."""
        if isinstance(self.estimator, Pipeline):
            return self.estimator.steps
        return [(None, self.estimator)]

    def key(self, stop, without=None):
        """Describe the steps in front of a place as something hashable, for this search only.

        Parameters
        ----------
        stop : int
        without : str or None
            A parameter that is not looked at.
        """
        later = {name for name, _ in self.steps()[stop:]}
        params = {
            name: value
            for name, value in self.params.items()
            if name.partition("__")[0] not in later and name != without
        }
        return stop, *_tokens(params)


def _tokens(params):
    """Parameters as something hashable; values that are not count as equal to themselves only."""
    tokens = []
    for name, value in sorted(params.items()):
        try:
            hash(value)
        except TypeError:
            value = id(value)
        tokens.append((name, type(value), value))
    return tuple(tokens)


def deep_places(estimator):
    """Places of the steps whose nets may be trained together with others, as a list."""
    if isinstance(estimator, BaseEstimator) and not isinstance(estimator, Pipeline):
        return [0] if _is_deep(estimator) and not has_callbacks(estimator) else []
    # a subclass may pass rows on in another way
    if type(estimator) is not Pipeline or has_callbacks(estimator):
        return []
    if estimator.transform_input is not None:
        return []
    steps = [step for _, step in estimator.steps]
    if any(has_callbacks(step) for step in steps):
        return []
    return [place for place, step in enumerate(steps) if _is_deep(step)]


def _is_deep(step):
    """Whether a step holds a net that is trained in our own way: a subclass may have another."""
    is_ours = isinstance(step, DescentMixin) and isinstance(step, DeepEstimator)
    return is_ours and type(step).fit.__module__.partition(".")[0] == "skdeep"


@dataclass
class Node:
    """Leading steps of pipelines, fitted on the training rows of a split.

    Attributes
    ----------
    split : int
        Number of the split.
    steps : list of (str, estimator)
        Fitted.
    X : array-like or None
        The training rows behind these steps; None for the rows themselves.
    seconds : float
        Time that the steps took, the share of each where several were fitted at once.
    error : Exception or None
        What the fit of a step raised.
    """

    split: int
    steps: list = field(default_factory=list)
    X: Any = None
    seconds: float = 0.0
    error: Exception | None = None


@dataclass
class Job:
    """One candidate on one split."""

    candidate: Candidate
    split: int
    node: Node | None = None


class PausedFits:
    """Nets that go on training when the search comes back to them with more epochs.

    Parameters
    ----------
    resource : str
        Parameter of the searched estimator that says how many epochs.
    n_schedule_epochs : int
        Epochs that nets which never drop out will have had in the end.
    """

    def __init__(self, resource, n_schedule_epochs):
        self.resource = resource
        self.n_schedule_epochs = n_schedule_epochs
        self._fits = {}

    def take(self, job, place):
        """Estimator and stretch to go on with, a new stretch, or None if it cannot be paused."""
        name, step = job.candidate.steps()[place]
        resource = "max_epochs" if name is None else f"{name}__max_epochs"
        if resource != self.resource or not can_pause(step):
            return None
        estimator, stretch = self._fits.get(self._key(job, place), (None, None))
        if estimator is None:
            return clone(step), Stretch(self.n_schedule_epochs)
        return estimator.set_params(max_epochs=step.max_epochs), stretch

    def keep(self, found):
        """Keep those that have just been trained, and no others.

        Parameters
        ----------
        found : list of (Job, int, (estimator, Stretch))
        """
        self._fits = {self._key(job, place): paused for job, place, paused in found}

    def _key(self, job, place):
        return job.split, job.candidate.key(place + 1, without=self.resource)


def can_pause(estimator):
    """Whether a fit of it can be trained part by part."""
    return (
        not estimator.callbacks
        and not estimator.warm_start
        and not estimator._refits()
        and getattr(estimator, "n_estimators", 1) == 1
    )
