"""The way of an estimator from rows to a trained net."""

import contextlib

import numpy as np

from skdeep._training._callbacks import (
    DivergenceGuard,
    EpochProgress,
    FitTasks,
    check_callbacks,
)
from skdeep._training._data import make_rows, weight_of_rows
from skdeep._training._run import Run
from skdeep._training._split import hold_out
from skdeep._training._state import continue_from, fitted_state
from skdeep.utils._containers import in_memory
from skdeep.utils._device import lease_device
from skdeep.utils._random import draw_seed, make_generator, make_streams
from skdeep.utils._validation import check_target_is_given, check_weights

__all__ = ["FittingMixin"]


class FittingMixin:
    """Validate, split, build, train, set attributes; calls the hooks of ``DeepEstimator``."""

    # Fitted attributes that not every training sets; those of an earlier one do not outlive it.
    _OPTIONAL_ATTRIBUTES = ("best_epoch_", "validation_loss_curve_")
    # Whether the last training was one of several that continue from each other.
    _is_fitted_in_parts = False
    # Entries of the architecture that a warm start may change: no weight depends on them.
    _CHANGEABLE = ()

    def _fit(self, X, y, sample_weight):
        """Train for up to ``max_epochs`` epochs, anew or on from the fitted state."""
        runs = self._runs(X, y, sample_weight, self.device)
        for run in runs:
            try:
                run.start()
            except BaseException as error:
                runs.throw(error)
        return self

    def _runs(self, X, y, sample_weight, device):
        """Yield each training of a fit when it is ready to start.

        Who trains the net throws an error that ends training back into here.
        """
        self._check_combination()
        refits = self._refits()
        resume = self.warm_start and hasattr(self, "net_")
        tasks = FitTasks(self, X, y, sample_weight, n_epochs=int(self.max_epochs) * (1 + refits))
        stopping = self._stopping()
        holds_out = stopping is not None and stopping.restore_best
        data = (X, y, sample_weight)
        with self._unchanged_on_failure(resume), self._lease(device, resume) as device:
            self._is_fitted_in_parts &= resume
            yield from self._training(
                *data,
                device=device,
                n_epochs=int(self.max_epochs),
                resume=resume,
                holds_out=holds_out,
                callbacks=[
                    *([] if stopping is None else [stopping]),
                    *tasks.epochs(self._curves),
                    *check_callbacks(
                        self.callbacks, holds_out=holds_out, lr_schedule=self.lr_schedule
                    ),
                ],
            )
            if holds_out:
                self.best_epoch_ = stopping.best_epoch_
            if refits:
                yield from self._refitting(data, device, tasks.epochs(self._curves))
        tasks.end()

    def _refitting(self, data, device, callbacks):
        """Train anew on all rows, from the same seed, for as many epochs as were best."""
        found = {name: vars(self)[name] for name in self._OPTIONAL_ATTRIBUTES}
        yield from self._training(
            *data,
            device=device,
            n_epochs=self.best_epoch_,
            resume=False,
            callbacks=callbacks,
            seed=self._seed,
        )
        vars(self).update(found)

    def _training(
        self,
        X,
        y,
        sample_weight,
        *,
        device,
        n_epochs,
        resume,
        callbacks,
        holds_out=False,
        lr_schedule=None,
        n_schedule_epochs=None,
        first_epoch=0,
        seed=None,
    ):
        """Validate, build, yield the run, set attributes."""
        X, y = in_memory(X), in_memory(y)
        X = self._check_rows(X, reset=not resume)
        check_target_is_given(self, y)
        y = self._check_targets(y, X, reset=not resume)
        self._check_data(X)
        X, y = self._arrange(X, y)
        weight = self._weigh(check_weights(sample_weight, X), y)
        if not resume:
            self.device_ = device
            self._seed = draw_seed(self.random_state) if seed is None else seed
            self._streams = make_streams(self._seed, device)
        train, valid = self._split(X.shape[0], y, weight, holds_out)
        train_weight = weight_of_rows(weight, train, X.shape[0])
        if not resume:
            self._scaler = self._fit_scaler(X, train_weight)
        y = self._scale_targets(y, train_weight, reset=not resume)
        with self._progress() as progress:
            self._build(X.shape[1], resume, [*callbacks, *progress])
            yield Run(
                self.net_,
                self._rows(X, y, weight, train),
                self._rows(X, y, weight, valid),
                n_epochs=n_epochs,
                lr_schedule=self.lr_schedule if lr_schedule is None else lr_schedule,
                n_schedule_epochs=n_schedule_epochs or int(self.max_epochs),
                first_epoch=first_epoch,
            )
        self._conclude(X, train_weight)

    @contextlib.contextmanager
    def _progress(self):
        """Context of a training with the callbacks that show its progress."""
        if self.verbose != 1:
            yield []
            return
        progress = EpochProgress(type(self).__name__)
        try:
            yield [progress]
        finally:
            progress.close()  # a traceback stands below the bar

    def _conclude(self, X, weight):
        """Set what a finished training on those rows leaves."""
        self.module_.eval()
        for name in self._OPTIONAL_ATTRIBUTES:
            vars(self).pop(name, None)
        vars(self).update(self._curves())

    def _split(self, n_rows, y, weight, holds_out):
        """Choose the rows to train on and those held out; indices, None where none are held out.

        Rows of weight zero are left out of both.
        """
        kept = np.arange(n_rows) if weight is None else np.flatnonzero(weight)
        if not holds_out:
            return kept, None
        # drawn anew from the seed: a warm start must not train on the rows held out before
        generator = make_generator((self._seed, len(self._streams)))
        strata = self._strata(y)
        strata = None if strata is None else strata[kept]
        return hold_out(kept, self.validation_fraction, generator, strata)

    def _rows(self, X, y, weight, index):
        """Rows of those indices, ready for the net; None for None."""
        if index is None:
            return None
        return make_rows(
            X,
            y,
            weight,
            scaler=self._scaler,
            device=self.device_,
            batch_size=int(self.batch_size),
            index=None if len(index) == X.shape[0] else index,
        )

    def _build(self, n_features, resume, callbacks):
        """Make module and net, or go on with the fitted module and the present parameters."""
        architecture = self._architecture(n_features)
        if not resume:
            self._fitted_architecture = architecture
            self.module_ = self._make_module(architecture, self._streams).to(self.device_)
        elif architecture != self._fitted_architecture:
            self._rebuild(architecture)
        old_net = vars(self).get("net_") if resume else None
        self._net_options = self._collect_net_options()
        self.net_ = self._make_net([*callbacks, DivergenceGuard()])
        if old_net is not None:
            continue_from(self.net_, old_net)

    def _rebuild(self, architecture):
        """Move the fitted weights into a module with other training options."""
        old = self._fitted_architecture
        names = old.keys() | architecture.keys()
        changed = sorted(name for name in names if architecture.get(name) != old.get(name))
        if not set(changed) <= set(self._CHANGEABLE):
            raise ValueError(
                "warm_start and partial_fit must go on with a net of the same shape; got new "
                f"values of {changed} since the last fit. Fit a clone instead."
            )
        module = self._make_module(architecture, self._streams).to(self.device_)
        module.load_state_dict(self.module_.state_dict())
        self._fitted_architecture, self.module_ = architecture, module

    def _collect_net_options(self):
        """Training parameters as plain values; what a fitted net was trained with."""
        return {
            "hyperparameters": self._hyperparameters(),
            "max_epochs": int(self.max_epochs),
            "batch_size": int(self.batch_size),
            "lr": self.lr,
            "weight_decay": self.weight_decay,
            "gradient_clip_value": self.gradient_clip_value,
        }

    def _make_net(self, callbacks):
        """Make an initialised net around the module."""
        net = self._wrap_module(
            dict(self._net_options),
            shuffle_generator=self._streams["shuffle"],
            device=self.device_,
            callbacks=callbacks,
            verbose=int(self.verbose),
        )
        return net.initialize()

    def _curves(self):
        """Fitted attributes that grow with every epoch."""
        history = list(self.net_.history)
        curves = {
            "history_": history,
            "n_iter_": len(history),
            "loss_curve_": [row["train_loss"] for row in history],
        }
        if any("valid_loss" in row for row in history):
            curves["validation_loss_curve_"] = [row.get("valid_loss", np.nan) for row in history]
        return curves

    def _lease(self, device, resume):
        """Context that gives the device to train on: a new one, or the one of the fitted net."""
        return contextlib.nullcontext(self.device_) if resume else lease_device(device)

    @contextlib.contextmanager
    def _unchanged_on_failure(self, resume):
        """Context behind whose failure, Ctrl-C included, the estimator is what it was before."""
        before = dict(vars(self))
        state = fitted_state(self) if resume else None
        try:
            yield
        except BaseException:
            vars(self).clear()
            vars(self).update(before)
            if resume:
                self._restore(state)
            raise
