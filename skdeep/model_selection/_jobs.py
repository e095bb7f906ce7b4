"""Jobs, each a candidate on a split, and the steps that they share."""

from dataclasses import dataclass, field
from typing import Any

from sklearn.base import BaseEstimator, clone
from sklearn.pipeline import Pipeline

from skdeep._gradient_descent import GradientDescentMixin, OptimizerMixin, Pause
from skdeep.base import DeepEstimator
from skdeep.utils._sklearn import has_callbacks, is_valid_pipeline


class Candidate:
    """Parameters to evaluate, and what can be shared with other candidates.

    Parameters
    ----------
    number : int
    params : dict
    base : estimator
        Estimator that the parameters are set on.

    Attributes
    ----------
    estimator : estimator
        A clone with the parameters.
    deep : list of int
        Places of the steps that are nets; empty if the estimator has to be fitted as a whole. A
        single estimator counts as a pipeline of one step.
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
        return stop, *_tokens(params)


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


def deep_places(estimator):
    """List the places of the steps whose nets may be trained together with others."""
    if isinstance(estimator, BaseEstimator) and not isinstance(estimator, Pipeline):
        return [0] if _is_deep(estimator) and not has_callbacks(estimator) else []
    # a subclass may pass samples on in another way
    if type(estimator) is not Pipeline or has_callbacks(estimator):
        return []
    if estimator.transform_input is not None or not is_valid_pipeline(estimator):
        return []
    steps = [step for _, step in estimator.steps]
    if any(has_callbacks(step) for step in steps):
        return []
    return [place for place, step in enumerate(steps) if _is_deep(step)]


def _is_deep(step):
    """Whether a step is a net with our ``fit``: a subclass may have another."""
    if not (isinstance(step, OptimizerMixin) and isinstance(step, DeepEstimator)):
        return False
    methods = [getattr(type(step), name, None) for name in ("fit", "fit_transform")]
    homes = {method.__module__.partition(".")[0] for method in methods if method is not None}
    return homes <= {"skdeep", "sklearn"}


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
    """

    split: int
    steps: list = field(default_factory=list)
    X: Any = None
    seconds: float = 0.0
    error: Exception | None = None


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
    """

    candidate: Candidate
    split: int
    context: Any = None
    node: Node | None = None


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

    def last_jobs(self):
        """List the jobs that have no other net after it."""
        return [job for job in self.jobs if job.candidate.deep[-1] == self.place]

    def watched_jobs(self):
        """List those of the last jobs that callbacks receive."""
        return [job for job in self.last_jobs() if job.context is not None]


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
        if resource != self.resource or not _can_pause(step):
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
    return (
        isinstance(estimator, GradientDescentMixin)
        and not estimator.callbacks
        and not estimator.warm_start
        and not getattr(estimator, "refit_full", False)
    )
