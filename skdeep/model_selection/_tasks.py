"""Tasks for scikit-learn's callbacks from fits whose nets are trained together."""

from sklearn.base import clone
from sklearn.pipeline import Pipeline

from skdeep._training._callbacks import EpochTasks
from skdeep._training._tasks import FitTasks, SubfitTasks


class NetTasks:
    """Callback tasks of the fit of a net: one for each job whose last net it is.

    Has the methods of ``FitTasks``.

    Parameters
    ----------
    jobs : list of Job
        Jobs that share the net.
    data : SearchData
    caller : estimator
        The search.
    """

    def __init__(self, jobs, data, caller):
        self._jobs = {id(job): _JobTasks(job, data, caller) for job in jobs}
        self.has_begun = False

    def set_fit(self, estimator, X, y, sample_weight):
        """Set what is fitted, and open the tasks that the fit of the net is part of."""
        for job in self._jobs.values():
            job.set_fit(estimator, X, y, sample_weight)

    def begin(self, n_epochs):
        """Open the tasks of the fit, which takes at most this many epochs."""
        self.has_begun = True
        for job in self._jobs.values():
            job.net.begin(n_epochs)

    def epochs(self, attributes):
        """Make the skorch callbacks that report epochs."""
        return [EpochTasks(self, attributes)] if self._jobs else []

    def begin_epoch(self):
        """Open the tasks of an epoch."""
        for job in self._jobs.values():
            job.net.begin_epoch()

    def end_epoch(self, attributes):
        """Close the tasks of an epoch; whether a callback requests a stop."""
        asking = [job.net.end_epoch(attributes) for job in self._jobs.values()]
        return any(asking)

    def end(self):
        """Close the tasks of the fit."""
        for job in self._jobs.values():
            job.end_net()

    def end_job(self, job, has_failed):
        """Report that a job is scored, or that its fit has failed."""
        if id(job) in self._jobs:
            self._jobs[id(job)].end(has_failed)


class _JobTasks:
    """Callback tasks of one candidate on one split, the same as of an ordinary fit.

    The evaluation contains the fit of the pipeline with a task for each step, which contains the
    fit of the net with a task for each epoch. Steps that are shared with other candidates begin and
    end at once. If a step before the net fails, there is only the evaluation.
    """

    def __init__(self, job, data, caller):
        X, y, params = data.fold(job.candidate.estimator, job.split)
        self._evaluation, self._estimator = job.context, job.candidate.estimator
        self._place = job.candidate.deep[-1]
        self._task = FitTasks(caller, X, y, params.get("sample_weight")).task
        self._pipeline = self.net = None

    def set_fit(self, estimator, X, y, sample_weight):
        """Open the tasks that the fit of the net is part of."""
        self.open_pipeline()
        parent, task = self._evaluation, self._task
        if self._pipeline is not None:
            parent = self._pipeline.context.subcontext(task_name=self._names.pop(0))
            task = FitTasks(self._pipeline.estimator, X, y).task
        self.net = SubfitTasks(parent, task, estimator, X, y, sample_weight)

    def open_pipeline(self):
        """Open the tasks of the evaluation and of the pipeline, if there is one."""
        if not isinstance(self._estimator, Pipeline):
            return
        pipeline, task = clone(self._estimator), self._task
        names = [f"fit-transform-{name}" for name, _ in pipeline.steps]
        names[-1] = "fit-final-estimator"
        self._pipeline = SubfitTasks(
            self._evaluation, task, pipeline, task["X"], task["y"], **(task["metadata"] or {})
        )
        self._pipeline.begin(len(names))
        self._report_steps(names[: self._place])
        self._names = names[self._place :]

    def _report_steps(self, names):
        for name in names:
            step = self._pipeline.context.subcontext(task_name=name)
            step.call_on_fit_task_begin(estimator=self._pipeline.estimator)
            step.call_on_fit_task_end(estimator=self._pipeline.estimator)

    def end_net(self):
        """Report that the net is trained."""
        if self._pipeline is None:  # the evaluation continues
            self.net.end_own()
        else:
            self.net.end()

    def end(self, has_failed):
        """Report that the candidate is scored, or that its fit has failed."""
        if self.net is None and self._pipeline is None:
            self._evaluation.call_on_fit_task_begin(**self._task)
        elif self.net is not None and not self.net.has_begun:
            self.net.open()
        if self._pipeline is not None and not has_failed:
            self._report_steps(self._names)
            self._pipeline.end_own()
        self._evaluation.call_on_fit_task_end(**self._task)


class UnionTasks:
    """Callback tasks of a job whose last nets are in a union, which does not pass callbacks on.

    Parameters
    ----------
    job : Job
    data : SearchData
    caller : estimator
        The search.
    """

    def __init__(self, job, data, caller):
        self._job = None if job.context is None else _JobTasks(job, data, caller)
        if self._job is not None and job.node.error is None:
            self._job.open_pipeline()

    def end(self, has_failed):
        """Report that the candidate is scored, or that its fit has failed."""
        if self._job is not None:
            self._job.end(has_failed)
