"""Estimators that minimise one loss, until rows that were held out tell them to stop."""

from abc import abstractmethod
from dataclasses import dataclass
from numbers import Integral, Real

from skdeep._training._callbacks import EarlyStopping, check_callbacks
from skdeep._training._net import Objective, TrainingNet
from skdeep._training._optim import OptimizerOptions, optimizer_name, resolve_optimizer
from skdeep.utils._sklearn import Interval, StrOptions

__all__ = ["DESCENT_CONSTRAINTS", "DescentMixin", "Stretch"]

#: Of the parameters that these estimators share beyond those of ``DeepEstimator``.
DESCENT_CONSTRAINTS = {
    "optimizer": [OptimizerOptions()],
    "early_stopping": ["boolean"],
    "validation_fraction": [Interval(Real, 0, 1, closed="neither")],
    "n_iter_no_change": [Interval(Integral, 1, None, closed="left")],
    "tol": [Interval(Real, 0, None, closed="left")],
    "precision": [StrOptions({"float32", "bf16-mixed"})],
    "compile": ["boolean"],
}


@dataclass
class Stretch:
    """One of the parts in which an estimator is fitted, each on from the end of the one before.

    Attributes
    ----------
    n_schedule_epochs : int
        Epochs of all parts together, for which ``lr_schedule`` is made.
    stopping : EarlyStopping or None
        That of the earlier parts; None before the first one.
    """

    n_schedule_epochs: int
    stopping: EarlyStopping | None = None


class DescentMixin:
    """One loss and one optimiser, early stopping, and training on in parts."""

    @staticmethod
    @abstractmethod
    def _loss_terms(output, batch, hyperparameters):
        """Per-row losses by name, each of shape (batch,); their sum is minimised."""

    def _stopping(self):
        return EarlyStopping(
            "valid_loss" if self.early_stopping else "train_loss",
            patience=self.n_iter_no_change,
            tol=self.tol,
            restore_best=self.early_stopping,
        )

    def _stretches(self, X, y, sample_weight, device, stretch):
        """Yield the training of one part of a long fit, up to ``max_epochs``; see ``_runs``."""
        self._check_combination()
        first_epoch = 0
        resume = stretch.stopping is not None
        if resume:
            first_epoch = len(self.net_.history)
            if stretch.stopping.has_stopped or first_epoch >= self.max_epochs:
                return
        else:
            stretch.stopping = self._stopping()
            stretch.stopping.pauses = True
        stopping = stretch.stopping
        with self._unchanged_on_failure(resume), self._lease(device, resume) as device:
            self._is_fitted_in_parts = True
            yield from self._training(
                X,
                y,
                sample_weight,
                device=device,
                n_epochs=int(self.max_epochs) - first_epoch,
                resume=resume,
                holds_out=stopping.restore_best,
                callbacks=[stopping],
                n_schedule_epochs=stretch.n_schedule_epochs,
                first_epoch=first_epoch,
            )
            if stopping.restore_best:
                self.best_epoch_ = stopping.best_epoch_

    def _partial_fit(self, X, y, sample_weight):
        """Train for one epoch on these rows."""
        if self.early_stopping:
            raise ValueError(
                "early_stopping must be False for partial_fit, which cannot hold rows out of data "
                "that come in parts; got early_stopping=True. Use fit, or early_stopping=False."
            )
        resume = hasattr(self, "net_")
        with self._unchanged_on_failure(resume), self._lease(self.device, resume) as device:
            self._is_fitted_in_parts = True
            for run in self._training(
                X,
                y,
                sample_weight,
                device=device,
                n_epochs=1,
                resume=resume,
                callbacks=check_callbacks(self.callbacks, holds_out=False, lr_schedule="constant"),
                lr_schedule="constant",
            ):
                run.start()
        return self

    def _collect_net_options(self):
        return {
            **super()._collect_net_options(),
            "optimizer": optimizer_name(self.optimizer),
            "precision": self.precision,
            "compile": self.compile,
            "schedule_patience": max(1, self.n_iter_no_change // 2),
            "schedule_tol": self.tol,
        }

    def _wrap_module(self, options, **live):
        objective = Objective(self._loss_terms, options.pop("hyperparameters"))
        optimizer = resolve_optimizer(options.pop("optimizer"))
        return TrainingNet(self.module_, objective, optimizer=optimizer, **options, **live)
