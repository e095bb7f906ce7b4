"""Estimators that minimize one loss by gradient descent."""

from dataclasses import dataclass
from functools import partial
from numbers import Real

import torch

from skdeep._fit import Fit
from skdeep._training._callbacks import EarlyStopping
from skdeep._training._optim import OptimizerOptions
from skdeep.utils._params import NON_NEGATIVE, POSITIVE_INTEGER, Parameters, param
from skdeep.utils._sklearn import Interval, StrOptions


@dataclass
class Pause:
    """State of a fit in several parts between two parts.

    Attributes
    ----------
    n_schedule_epochs : int
        Total number of epochs of all parts, the length of ``lr_schedule``.
    stopping : EarlyStopping or None
        That of the earlier parts; None before the first one.
    has_stopped : bool
        Whether early stopping or a callback has ended training.
    """

    n_schedule_epochs: int
    stopping: EarlyStopping | None = None
    has_stopped: bool = False


class OptimizerMixin(Parameters):
    """Mixin for estimators with one optimizer for all weights."""

    optimizer: str | type[torch.optim.Optimizer] = param(OptimizerOptions(), default="adamw")
    precision: str = param(StrOptions({"float32", "bf16-mixed"}), default="float32")
    compile: bool = param("boolean", default=False)


class GradientDescentMixin(OptimizerMixin):
    """Mixin for estimators that minimize one loss: early stopping, training in parts."""

    early_stopping: bool = param("boolean", default=False)
    validation_fraction: float = param(Interval(Real, 0, 1, closed="neither"), default=0.1)
    n_iter_no_change: int = param(POSITIVE_INTEGER, default=10, lifted=True)
    tol: float = param(NON_NEGATIVE, default=1e-4, lifted=True)

    def _plan(self, fit):
        stopping = self._stopping(holds_out=fit.holds_out)
        yield from self._train(fit, self.max_epochs, stopping=stopping)

    def _train(self, fit, n_epochs, **options):
        """Train with the optimizer of the previous training; the arguments of ``Fit.train``."""
        yield from fit.train(n_epochs, optimizer="keep", **options)

    def _stopping(self, *, holds_out, pauses=False):
        """Make the callback that can end training before ``max_epochs``."""
        return EarlyStopping(
            "valid_loss" if holds_out else "train_loss",
            patience=self.n_iter_no_change,
            tol=self.tol,
            restore_best=holds_out,
            pauses=pauses,
        )

    def _partial_fit(self, X, y=None, sample_weight=None, **options):
        """Train for one epoch on the given samples."""
        if self.early_stopping and self.early_stopping != "auto":
            raise ValueError(
                "early_stopping must be False for partial_fit, which sees only part of the data "
                "and cannot hold out a validation set; got early_stopping=True. Use fit, or set "
                "early_stopping=False."
            )
        return Fit(
            self, X, y, sample_weight, plan=self._train_one_epoch, resume=True, **options
        ).run()

    def _train_one_epoch(self, fit):
        """Plan of ``partial_fit``."""
        fit.in_parts = True
        yield from self._train(fit, 1, lr_schedule="constant")

    def _train_until_pause(self, pause, fit):
        """Plan of one part of a fit in several parts: up to ``max_epochs`` epochs in total."""
        fit.in_parts = True
        n_done = 0 if pause.stopping is None else len(fit.net.history)
        n_epochs = max(0, int(self.max_epochs) - n_done)
        fit.announce(n_epochs)
        if pause.stopping is None:
            pause.stopping = self._stopping(holds_out=fit.holds_out, pauses=True)
        elif pause.has_stopped or not n_epochs:
            return
        yield from self._train(
            fit,
            n_epochs,
            stopping=pause.stopping,
            n_schedule_epochs=pause.n_schedule_epochs,
            first_epoch=n_done,
        )
        pause.has_stopped = fit.net.stop_requested_

    def _fit_in_parts(self, X, y, sample_weight, pause, **options):
        """Return a ``Fit``, not yet run, for one part of a fit in several parts."""
        return Fit(
            self,
            X,
            y,
            sample_weight,
            plan=partial(self._train_until_pause, pause),
            resume=pause.stopping is not None,
            **options,
        )
