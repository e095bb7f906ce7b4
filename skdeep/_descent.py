"""Estimators that minimise one loss, until rows that were held out tell them to stop."""

from abc import abstractmethod
from numbers import Integral, Real

from skdeep._training._callbacks import EarlyStopping, check_callbacks
from skdeep._training._net import Objective, TrainingNet
from skdeep._training._optim import OPTIMIZERS, optimizer_name, resolve_optimizer
from skdeep.utils._sklearn import Interval, StrOptions

__all__ = ["DESCENT_CONSTRAINTS", "DescentMixin"]

#: Of the parameters that these estimators share beyond those of ``DeepEstimator``.
DESCENT_CONSTRAINTS = {
    "optimizer": [StrOptions(set(OPTIMIZERS)), type],
    "early_stopping": ["boolean"],
    "validation_fraction": [Interval(Real, 0, 1, closed="neither")],
    "n_iter_no_change": [Interval(Integral, 1, None, closed="left")],
    "tol": [Interval(Real, 0, None, closed="left")],
    "precision": [StrOptions({"float32", "bf16-mixed"})],
    "compile": ["boolean"],
}


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

    def _partial_fit(self, X, y, sample_weight):
        """Train for one epoch on these rows."""
        if self.early_stopping:
            raise ValueError(
                "early_stopping must be False for partial_fit, which cannot hold rows out of data "
                "that come in parts; got early_stopping=True. Use fit, or early_stopping=False."
            )
        resume = hasattr(self, "net_")
        with self._unchanged_on_failure(resume), self._lease(self.device, resume) as device:
            for run in self._training(
                X,
                y,
                sample_weight,
                device=device,
                n_epochs=1,
                resume=resume,
                callbacks=check_callbacks(self.callbacks),
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
