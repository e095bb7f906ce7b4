"""Fits and epochs as tasks for scikit-learn's callbacks."""

import contextlib
from typing import Any

from skdeep._training._callbacks import EpochTasks
from skdeep.utils._sklearn import has_callbacks, with_callbacks


class FitTasks:
    """A fit as a task for scikit-learn's callbacks, with a subtask for each epoch.

    Does nothing if there are no callbacks.

    Parameters
    ----------
    estimator : CallbackSupportMixin
    X, y, sample_weight
        Arguments of ``fit``.
    """

    def __init__(self, estimator, X, y=None, sample_weight=None):
        self.estimator = estimator
        self.task = {"estimator": estimator, "X": X, "y": y, "metadata": None}
        if sample_weight is not None:
            self.task["metadata"] = {"sample_weight": sample_weight}
        self.context: Any = None
        self._epoch: Any = None
        self.has_begun = False

    def begin(self, n_epochs):
        """Open the task of the fit; ``n_epochs`` is its maximum number of epochs or None."""
        self.has_begun = True
        if has_callbacks(self.estimator):
            self.context = self.estimator._init_callback_context(max_subtasks=n_epochs)
            self.context.call_on_fit_task_begin(**self.task)

    def epochs(self, attributes):
        """Make the skorch callbacks that report epochs; see ``EpochTasks``."""
        return [] if self.context is None else [EpochTasks(self, attributes)]

    def begin_epoch(self):
        """Open the task of an epoch."""
        if self.context is not None:
            self._epoch = self.context.subcontext(task_name="epoch")
            self._epoch.call_on_fit_task_begin(**self.task)

    def end_epoch(self, attributes):
        """Close the task of an epoch; return whether a callback requests a stop."""
        return self.context is not None and self._epoch.call_on_fit_task_end(
            **self.task, reconstruction_attributes=attributes
        )

    def end(self):
        """Close the task of the fit."""
        if self.context is not None:
            self.context.call_on_fit_task_end(**self.task, reconstruction_attributes={})


class SubfitTasks(FitTasks):
    """A fit that is a subtask of another estimator, whose callbacks are propagated to it.

    The estimator itself is not modified.

    Parameters
    ----------
    parent : sklearn.callback.CallbackContext
        Context of the subtask.
    parent_task : dict
        Arguments of the callbacks for the subtask: ``estimator``, ``X``, ``y`` and ``metadata``.
    estimator, X, y, sample_weight
        See ``FitTasks``.
    """

    def __init__(self, parent, parent_task, estimator, X, y=None, sample_weight=None):
        super().__init__(estimator, X, y, sample_weight)
        self.parent, self.parent_task = parent, parent_task

    def begin(self, n_epochs):
        """Open the subtask, and the task of the fit."""
        with self._opened():
            # the decorator removes the attributes that the context sets on the estimator
            with_callbacks(lambda _: super(SubfitTasks, self).begin(n_epochs))(self.estimator)

    def open(self):
        """Open only the subtask, for a fit that failed before it began."""
        with self._opened():
            self.has_begun = True

    @contextlib.contextmanager
    def _opened(self):
        """Context manager in which the callbacks are propagated to the estimator."""
        with self.parent.propagate_callback_context(self.estimator):
            self.parent.call_on_fit_task_begin(**self.parent_task)
            yield

    def end(self):
        """Close the task of the fit, and the subtask."""
        self.end_own()
        self.parent.call_on_fit_task_end(**self.parent_task)

    def end_own(self):
        """Close only the task of the fit."""
        super().end()
