"""What scikit-learn's callbacks see of fits whose nets are trained together."""

from numbers import Integral

from sklearn.base import clone
from sklearn.callback import with_callbacks
from sklearn.pipeline import Pipeline

from skdeep._training._callbacks import FitTasks

__all__ = ["NetTasks", "make_epoch_reporter"]


class NetTasks:
    """A net as scikit-learn's callbacks see it: once for each job of which it is the last net.

    Is itself a callback, for a net that is fitted by itself.

    Parameters
    ----------
    data : SearchData
    net : Net
    caller : estimator
        The search.
    fit : Fit or None
        That of the net; None where it does not come as far as training.
    """

    def __init__(self, data, net, caller, fit):
        jobs = [
            job
            for job in net.jobs
            if job.context is not None and job.candidate.deep[-1] == net.place
        ]
        self._jobs = {id(job): _JobTasks(data, job, net.place, caller, fit) for job in jobs}
        self._estimator = None if fit is None else fit.estimator
        self._seen = self._progress()

    def __bool__(self):
        """Whether any callback listens."""
        return bool(self._jobs)

    def _progress(self):
        net = getattr(self._estimator, "net_", None)
        return net, 0 if net is None else len(net.history)

    def has_advanced(self):
        """Whether the net has had an epoch since the last call."""
        before, self._seen = self._seen, self._progress()
        return self._seen[1] > 0 and self._seen != before

    def report_epoch(self):
        """Report an epoch to every job; whether a callback asks to stop."""
        asking = [job.net.report_epoch() for job in self._jobs.values()]
        return any(asking)

    def request_stop(self):
        """End training after the next epoch."""
        self._estimator.net_.request_stop()

    def end_net(self):
        """Report that the net is trained."""
        for job in self._jobs.values():
            job.end_net()

    def end(self, job, has_failed):
        """Report that a job is scored, or that its fit has failed."""
        if id(job) in self._jobs:
            self._jobs[id(job)].end(has_failed)

    def setup(self, estimator, context):
        """Do nothing; a callback has to have it."""

    on_fit_task_begin = teardown = setup

    def on_fit_task_end(self, estimator, context):
        """Report an epoch of the net that is fitted by itself."""
        return context.task_name == "epoch" and self.report_epoch()


def make_epoch_reporter(every_tasks):
    """Make the function that is called after each epoch of a stack; None without callbacks.

    Parameters
    ----------
    every_tasks : list of NetTasks
        Of all nets, of which some are in the stack.
    """
    if not any(every_tasks):
        return None

    def report():
        """Report an epoch; whether to stop all of them. A single one stops an epoch later."""
        advanced = [tasks for tasks in every_tasks if tasks and tasks.has_advanced()]
        asking = [tasks for tasks in advanced if tasks.report_epoch()]
        for tasks in asking:
            tasks.request_stop()
        return bool(asking) and len(asking) == len(advanced)

    return report


class _JobTasks:
    """One candidate on one split as scikit-learn's callbacks see it: as an ordinary fit.

    They see its evaluation, which contains the fit of the pipeline with a task for each step,
    which contains the fit of the net with a task for each epoch. Steps that are shared with other
    candidates begin and end at once. If a step before the net fails, they see the evaluation only.
    """

    def __init__(self, data, job, place, caller, fit):
        X, y, params = data.fold(job.candidate.estimator, job.split)
        weight = params.get("sample_weight")
        metadata = None if weight is None else {"sample_weight": weight}
        self._task = {"estimator": caller, "X": X, "y": y, "metadata": metadata}
        self._evaluation, self._place = job.context, place
        self._pipeline = self.net = None
        if fit is None:
            self._evaluation.call_on_fit_task_begin(**self._task)
        elif isinstance(job.candidate.estimator, Pipeline):
            self._begin_pipeline(clone(job.candidate.estimator), fit)
        else:
            self.net = _begin_net(self._evaluation, self._task, fit)

    def _begin_pipeline(self, pipeline, fit):
        X, y = self._task["X"], self._task["y"]
        self._names = [f"fit-transform-{name}" for name, _ in pipeline.steps]
        self._names[-1] = "fit-final-estimator"
        self._pipeline = _begin_fit(
            self._evaluation, self._task, pipeline, X, y, n_subtasks=len(self._names)
        )
        self._report_steps(self._names[: self._place])
        self._step = self._pipeline.context.subcontext(task_name=self._names[self._place])
        self.net = _begin_net(self._step, {"estimator": pipeline, "X": fit.X, "y": fit.y}, fit)

    def _report_steps(self, names):
        caller = self._pipeline.task["estimator"]
        for name in names:
            step = self._pipeline.context.subcontext(task_name=name)
            step.call_on_fit_task_begin(estimator=caller)
            step.call_on_fit_task_end(estimator=caller)

    def end_net(self):
        """Report that the net is trained."""
        self.net.end()
        if self._pipeline is not None:
            self._step.call_on_fit_task_end(estimator=self._pipeline.task["estimator"])

    def end(self, has_failed):
        """Report that the candidate is scored, or that its fit has failed."""
        if self._pipeline is not None and not has_failed:
            self._report_steps(self._names[self._place + 1 :])
            self._pipeline.context.call_on_fit_task_end(**self._pipeline.task)
        self._evaluation.call_on_fit_task_end(**self._task)


def _begin_net(context, task, fit):
    """Begin a task that is the fit of a net."""
    n_epochs, n_done = fit.estimator.max_epochs, 0
    if fit.stretch is not None and fit.stretch.stopping is not None:
        n_done = fit.estimator.n_iter_
    is_known = isinstance(n_epochs, Integral) and getattr(fit.estimator, "n_estimators", 1) == 1
    return _begin_fit(
        context,
        task,
        fit.estimator,
        fit.X,
        fit.y,
        fit.sample_weight,
        n_subtasks=n_epochs * (1 + fit.estimator._refits()) - n_done if is_known else None,
    )


def _begin_fit(context, task, estimator, X, y, weight=None, *, n_subtasks):
    """Begin a task that is the fit of another estimator, which is left as it was."""
    with context.propagate_callback_context(estimator):
        context.call_on_fit_task_begin(**task)
        return with_callbacks(FitTasks)(estimator, X, y, weight, n_epochs=n_subtasks)
