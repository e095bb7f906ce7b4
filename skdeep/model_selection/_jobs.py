"""Jobs, each a candidate on a split, and the steps that they share."""

from dataclasses import dataclass, field
from typing import Any

from sklearn.base import clone

from skdeep._gradient_descent import GradientDescentMixin, Pause
from skdeep.model_selection._structure import (
    NEUTRAL,
    branches_of,
    deep_branches,
    deep_places,
    steps_of,
)


class Candidate:
    """An estimator to evaluate, and what can be shared with other candidates.

    Parameters
    ----------
    number : int
    params : dict
        Parameters in which candidates differ; they are set already.
    estimator : estimator
    origin : tuple
        For a branch of a union or column transformer, a hashable key that describes what it is
        fitted on.

    Attributes
    ----------
    deep : list of int
        Places of the steps with nets; empty if the estimator has to be fitted as a whole. A single
        estimator counts as a pipeline of one step.
    """

    def __init__(self, number, params, estimator, origin=()):
        self.number, self.params, self.estimator, self.origin = number, params, estimator, origin
        self.deep = deep_places(estimator)

    def steps(self):
        """Names and estimators of the steps."""
        return steps_of(self.estimator)

    def key(self, stop, without=None):
        """Describe the steps before a place by a hashable key, valid in this search only.

        Parameters
        ----------
        stop : int
        without : str or None
            A parameter that is ignored.
        """
        later = {name for name, _ in self.steps()[stop:]}
        params = {
            name: value
            for name, value in self.params.items()
            if name.partition("__")[0] not in later and name != without
        }
        return stop, *_tokens(params), self.origin

    def branches(self, place):
        """Names of the branches of a step that have nets; none if the step is a net."""
        return deep_branches(self.steps()[place][1])

    def branch(self, place, name):
        """Return a branch of a step as a candidate."""
        step_name, union = self.steps()[place]
        parts = branches_of(union)
        own, others = {}, {}
        for param, value in self.params.items():
            step, _, rest = param.partition("__") if step_name is not None else (None, "", param)
            head, _, tail = rest.partition("__")
            if step != step_name or head in NEUTRAL or (head in parts and head != name):
                continue
            if head == name and tail:
                own[tail] = value
            else:  # replaces the branch or the whole step
                others[param] = value
        origin = self.key(place), place, name, *_tokens(others)
        return Candidate(self.number, own, parts[name], origin)


def _tokens(params):
    """Parameters as a hashable key; values that are not hashable equal only themselves."""
    return tuple((name, _token(value)) for name, value in sorted(params.items()))


def _token(value):
    if type(value) is tuple:
        return tuple(map(_token, value))
    try:
        hash(value)
    except TypeError:
        value = id(value)
    return type(value), value


@dataclass
class Node:
    """Leading steps of pipelines, fitted on the training samples of a split.

    Attributes
    ----------
    split : int
        Index of the split.
    steps : list of (str, estimator)
        Fitted.
    X : array-like or None
        The training samples after these steps; None for the samples themselves.
    seconds : float
        Fit time of the steps, divided equally if several were fitted at once.
    error : Exception or None
        Error raised by the fit of a step.
    given : tuple or None
        For a branch, its training samples, targets and metadata; None for those of the split.
    method : {"fit", "fit_transform"}
        Method that fits the whole estimator.
    branches : dict of str to Node
        The branches of the next step that have nets, fitted up to their last net.
    has_written : bool
        For a branch, whether a step has modified the training samples in place.
    """

    split: int
    steps: list = field(default_factory=list)
    X: Any = None
    seconds: float = 0.0
    error: Exception | None = None
    given: tuple | None = None
    method: str = "fit"
    branches: dict = field(default_factory=dict)
    has_written: bool = False


@dataclass
class Job:
    """One candidate on one split.

    Attributes
    ----------
    candidate : Candidate
    split : int
    context : sklearn.callback.CallbackContext or None
        Context of its evaluation; None if no callback can receive it.
    node : Node or None
        The fitted steps.
    is_scored : bool
        False for a branch, which is fitted on behalf of other jobs.
    """

    candidate: Candidate
    split: int
    context: Any = None
    node: Node | None = None
    is_scored: bool = True

    def is_last(self, place):
        """Whether no other step with a net comes after a place."""
        return self.candidate.deep[-1] == place

    def method(self, place):
        """Name of the method that fits the step at a place."""
        has_next = place + 1 < len(self.candidate.steps())
        return "fit_transform" if has_next else self.node.method


@dataclass
class Net:
    """A net to be trained on the output of the steps before it.

    Attributes
    ----------
    before : Node
    place : int
        Place of the net among the steps.
    jobs : list of Job
        Those that share it.
    paused : (estimator, Pause) or None
        State to continue from, if it is trained in parts.
    """

    before: Node
    place: int
    jobs: list
    paused: tuple | None = None

    @property
    def candidate(self):
        """One that has the net."""
        return self.jobs[0].candidate

    @property
    def step(self):
        """Name and estimator, as the candidate has it."""
        return self.candidate.steps()[self.place]

    def finished_jobs(self):
        """List the jobs that are scored after it."""
        return [job for job in self.jobs if job.is_scored and job.is_last(self.place)]

    def watched_jobs(self):
        """List those of the finished jobs that callbacks receive."""
        return [job for job in self.finished_jobs() if job.context is not None]


class PausedFits:
    """Nets whose training is continued when the search assigns them more epochs.

    Parameters
    ----------
    resource : str
        Parameter of the searched estimator that is the number of epochs.
    n_schedule_epochs : int
        Total number of epochs of nets that are never eliminated.
    """

    def __init__(self, resource, n_schedule_epochs):
        self.resource = resource
        self.n_schedule_epochs = n_schedule_epochs
        self._fits = {}

    def node(self, job, place):
        """Return the fitted steps before a paused net; None for a new net."""
        return self._fits.get(self._key(job, place), (None, None))[0]

    def take(self, net):
        """Return an estimator and its pause; None if a net cannot be paused."""
        name, step = net.step
        resource = "max_epochs" if name is None else f"{name}__max_epochs"
        is_resource = resource == self.resource and not net.candidate.origin
        if not (is_resource and _can_pause(step)):
            return None
        _, paused = self._fits.get(self._key(net.jobs[0], net.place), (None, None))
        if paused is None:
            return clone(step), Pause(self.n_schedule_epochs)
        estimator, pause = paused
        return estimator.set_params(max_epochs=step.max_epochs), pause

    def keep(self, found):
        """Keep the nets that have just been trained, and no others.

        Parameters
        ----------
        found : list of (Net, (estimator, Pause))
        """
        self._fits = {
            self._key(net.jobs[0], net.place): (net.before, paused) for net, paused in found
        }

    def _key(self, job, place):
        return job.split, job.candidate.key(place + 1, without=self.resource)


def _can_pause(estimator):
    """Whether the estimator can be trained in parts."""
    # "auto" holds out no samples in parts
    holds_out = getattr(estimator, "early_stopping", False) not in (False, "auto")
    return (
        isinstance(estimator, GradientDescentMixin)
        and not estimator.callbacks
        and not estimator.warm_start
        and not (holds_out and getattr(estimator, "refit_full", False))
    )
