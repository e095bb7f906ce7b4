"""The parameters that all estimators share, and the way from rows to a trained net."""

import contextlib
import math
from abc import ABC, abstractmethod
from numbers import Integral, Real

import numpy as np
import torch
from sklearn.base import BaseEstimator
from sklearn.callback import CallbackSupportMixin
from sklearn.utils.validation import check_is_fitted

from skdeep._training._callbacks import (
    DivergenceGuard,
    EarlyStopping,
    EpochProgress,
    EpochTasks,
    check_callbacks,
)
from skdeep._training._data import RowScaler, make_rows, weight_of_rows
from skdeep._training._inference import CHUNK_ROWS, apply_in_chunks
from skdeep._training._net import Objective, TrainingNet
from skdeep._training._optim import LR_SCHEDULES, OPTIMIZERS, optimizer_name, resolve_optimizer
from skdeep._training._state import (
    LIVE_ATTRIBUTES,
    continue_from,
    existing_device,
    fitted_state,
    plain_parameters,
    restore_fitted,
    restore_parameters,
)
from skdeep._training._threads import thread_scope
from skdeep.utils._device import lease_device
from skdeep.utils._random import draw_seed, make_generator, make_streams
from skdeep.utils._sklearn import Interval, StrOptions
from skdeep.utils._validation import check_image_shape, check_rows, check_weights, output_dtype

__all__: list[str] = []


class DeepEstimator(CallbackSupportMixin, BaseEstimator, ABC):
    """Base of every estimator that holds a net.

    A subclass says which module it trains and which per-row losses it minimises:
    ``_architecture``, ``_make_module``, ``_loss_terms`` and ``_hyperparameters``.
    """

    _parameter_constraints = {
        "max_epochs": [Interval(Integral, 1, None, closed="left")],
        "batch_size": [Interval(Integral, 1, None, closed="left")],
        "lr": [Interval(Real, 0, None, closed="neither")],
        "optimizer": [StrOptions(set(OPTIMIZERS)), type],
        "weight_decay": [Interval(Real, 0, None, closed="left")],
        "lr_schedule": [StrOptions(set(LR_SCHEDULES))],
        "gradient_clip_value": [Interval(Real, 0, None, closed="neither"), None],
        "early_stopping": ["boolean"],
        "validation_fraction": [Interval(Real, 0, 1, closed="neither")],
        "n_iter_no_change": [Interval(Integral, 1, None, closed="left")],
        "tol": [Interval(Real, 0, None, closed="left")],
        "warm_start": ["boolean"],
        "precision": [StrOptions({"float32", "bf16-mixed"})],
        "compile": ["boolean"],
        "callbacks": [list, tuple, None],
        "device": [str, torch.device, list, tuple],
        "random_state": ["random_state"],
        "verbose": ["verbose"],
    }

    # Fitted attributes that not every training sets; those of an earlier one do not outlive it.
    _OPTIONAL_ATTRIBUTES = ("validation_loss_curve_",)
    # Entries of the architecture that a warm start may change: no weight depends on them.
    _CHANGEABLE = ()

    def __init__(
        self,
        *,
        max_epochs,
        batch_size,
        lr,
        optimizer,
        weight_decay,
        lr_schedule,
        gradient_clip_value,
        early_stopping,
        validation_fraction,
        n_iter_no_change,
        tol,
        warm_start,
        precision,
        compile,
        callbacks,
        device,
        random_state,
        verbose,
    ):
        self.max_epochs = max_epochs
        self.batch_size = batch_size
        self.lr = lr
        self.optimizer = optimizer
        self.weight_decay = weight_decay
        self.lr_schedule = lr_schedule
        self.gradient_clip_value = gradient_clip_value
        self.early_stopping = early_stopping
        self.validation_fraction = validation_fraction
        self.n_iter_no_change = n_iter_no_change
        self.tol = tol
        self.warm_start = warm_start
        self.precision = precision
        self.compile = compile
        self.callbacks = callbacks
        self.device = device
        self.random_state = random_state
        self.verbose = verbose

    # What a subclass says ------------------------------------------------------------------

    @abstractmethod
    def _architecture(self, n_features):
        """Plain dict from which ``_make_module`` builds the module of the present parameters."""

    @abstractmethod
    def _make_module(self, architecture, streams):
        """Torch module; its initial weights are drawn from ``streams``."""

    @staticmethod
    @abstractmethod
    def _loss_terms(output, batch, hyperparameters):
        """Per-row losses by name, each of shape (batch,); their sum is minimised."""

    @abstractmethod
    def _hyperparameters(self):
        """Plain dict of what ``_loss_terms`` reads."""

    def _scaling(self):
        """Kind of feature scaling in front of the net, see ``RowScaler.fit``."""
        return None

    def _check_data(self, X):
        """Raise ``ValueError`` for rows that the loss cannot take."""

    # Training ------------------------------------------------------------------------------

    def _fit(self, X, y, sample_weight):
        """Train for up to ``max_epochs`` epochs, anew or on from the fitted state."""
        context = self._init_callback_context(max_subtasks=self.max_epochs)
        metadata = None if sample_weight is None else {"sample_weight": sample_weight}
        task = {"estimator": self, "X": X, "y": y, "metadata": metadata}
        context.call_on_fit_task_begin(**task)
        stopping = EarlyStopping(
            "valid_loss" if self.early_stopping else "train_loss",
            patience=self.n_iter_no_change,
            tol=self.tol,
            restore_best=self.early_stopping,
        )
        self._train(
            X,
            sample_weight,
            n_epochs=self.max_epochs,
            lr_schedule=self.lr_schedule,
            resume=self.warm_start and hasattr(self, "net_"),
            callbacks=[stopping, EpochTasks(context, task, self._curves)],
        )
        context.call_on_fit_task_end(**task, reconstruction_attributes={})
        return self

    def _partial_fit(self, X, sample_weight):
        """Train for one epoch on these rows."""
        if self.early_stopping:
            raise ValueError(
                "early_stopping must be False for partial_fit, which cannot hold rows out of data "
                "that come in parts; got early_stopping=True. Use fit, or early_stopping=False."
            )
        self._train(
            X,
            sample_weight,
            n_epochs=1,
            lr_schedule="constant",
            resume=hasattr(self, "net_"),
            callbacks=[],
        )
        return self

    def _train(self, X, sample_weight, *, n_epochs, lr_schedule, resume, callbacks):
        """Validate, build, train, set attributes; a failure leaves the estimator as it was."""
        with self._unchanged_on_failure(resume), self._lease(resume) as device:
            X = check_rows(self, X, reset=not resume, image_shape=self._image_shape())
            self._check_data(X)
            sample_weight = check_weights(sample_weight, X)
            if not resume:
                self.device_ = device
                self._seed = draw_seed(self.random_state)
                self._streams = make_streams(self._seed, device)
            train, valid = self._split(X.shape[0], sample_weight)
            if not resume:
                weight = weight_of_rows(sample_weight, train, X.shape[0])
                self._scaler = RowScaler.fit(X, weight, kind=self._scaling())
            self._build(X.shape[1], resume, callbacks)
            rows, valid_rows = (
                index if index is None else self._rows(X, sample_weight, index)
                for index in (train, valid)
            )
            with thread_scope(self.module_, self.batch_size, device):
                self.net_.train_on(rows, valid_rows, n_epochs=n_epochs, lr_schedule=lr_schedule)
            self.module_.eval()
            for name in self._OPTIONAL_ATTRIBUTES:
                vars(self).pop(name, None)
            vars(self).update(self._curves())

    def _split(self, n_rows, sample_weight):
        """Choose the rows to train on and those held out; indices, None where none are held out.

        Rows of weight zero are left out of both.
        """
        kept = np.arange(n_rows) if sample_weight is None else np.flatnonzero(sample_weight)
        if not self.early_stopping:
            return kept, None
        n_valid = math.ceil(self.validation_fraction * len(kept))
        if n_valid >= len(kept):
            raise ValueError(
                f"validation_fraction must leave a row to train on; got {self.validation_fraction} "
                f"of n_samples={len(kept)}. Lower it, or set early_stopping=False."
            )
        # drawn anew from the seed: a warm start must not train on the rows held out before
        generator = make_generator((self._seed, len(self._streams)))
        order = torch.randperm(len(kept), generator=generator).numpy()
        return np.sort(kept[order[n_valid:]]), np.sort(kept[order[:n_valid]])

    def _rows(self, X, sample_weight, index):
        """Rows of those indices, ready for the net."""
        return make_rows(
            X,
            sample_weight=sample_weight,
            scaler=self._scaler,
            device=self.device_,
            batch_size=self.batch_size,
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
        self.net_ = self._make_net([*callbacks, *self._common_callbacks()])
        if old_net is not None:
            continue_from(self.net_, old_net)

    def _rebuild(self, architecture):
        """Move the fitted weights into a module with other training options."""
        old = self._fitted_architecture
        changed = sorted(name for name in old if architecture[name] != old[name])
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
            "optimizer": optimizer_name(self.optimizer),
            "hyperparameters": self._hyperparameters(),
            "schedule_patience": max(1, self.n_iter_no_change // 2),
            "schedule_tol": self.tol,
            **{name: getattr(self, name) for name in _NET_OPTIONS},
        }

    def _make_net(self, callbacks):
        """Make an initialised net around the module."""
        options = dict(self._net_options)
        objective = Objective(self._loss_terms, options.pop("hyperparameters"))
        net = TrainingNet(
            self.module_,
            objective,
            optimizer=resolve_optimizer(options.pop("optimizer")),
            shuffle_generator=self._streams["shuffle"],
            device=self.device_,
            callbacks=callbacks,
            verbose=int(self.verbose),
            **options,
        )
        return net.initialize()

    def _common_callbacks(self):
        """Callbacks of every training: the user's, progress, and the guard behind them."""
        progress = [EpochProgress()] if self.verbose == 1 else []
        return [*check_callbacks(self.callbacks), *progress, DivergenceGuard()]

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

    def _image_shape(self):
        """Channels, height and width of a row, None where rows are no images."""
        return check_image_shape(getattr(self, "image_shape", None))

    def _lease(self, resume):
        """Context that gives the device to train on: a new one, or the one of the fitted net."""
        return contextlib.nullcontext(self.device_) if resume else lease_device(self.device)

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

    # Inference -----------------------------------------------------------------------------

    def _apply(self, function, X, n_outputs, *, scaler=None, chunk_rows=CHUNK_ROWS):
        """Apply a row-wise function of the module to validated rows."""
        with thread_scope(self.module_, chunk_rows, self.device_):
            return apply_in_chunks(
                function,
                X,
                scaler=self._scaler if scaler is None else scaler,
                device=self.device_,
                n_outputs=n_outputs,
                dtype=output_dtype(X),
                chunk_rows=chunk_rows,
            )

    def _check_new_rows(self, X):
        """Rows for a fitted estimator, validated."""
        check_is_fitted(self)
        image_shape = self._fitted_architecture.get("image_shape")
        return check_rows(self, X, reset=False, image_shape=image_shape)

    # Persistence ---------------------------------------------------------------------------

    def __getstate__(self):
        """Parameters and fitted state as arrays, numbers and strings, without torch objects."""
        state = plain_parameters(dict(super().__getstate__()))
        if "net_" in state:
            state["_fitted_state"] = fitted_state(self)
            for name in LIVE_ATTRIBUTES:
                del state[name]
        return state

    def __setstate__(self, state):
        """Rebuild module and net, on the CPU where the recorded device does not exist."""
        state = restore_parameters(dict(state))
        fitted = state.pop("_fitted_state", None)
        super().__setstate__(state)
        if fitted is not None:
            self._restore(fitted)

    def _restore(self, state):
        """Set the live attributes from what ``fitted_state`` gave."""
        self.device_ = existing_device(state["device"], type(self).__name__)
        self._scaler = RowScaler(**state["scaler"])
        self._net_options = dict(state["net_options"])
        self._fitted_architecture = dict(state["architecture"])
        self._streams = make_streams(0, self.device_)
        self.module_ = self._make_module(self._fitted_architecture, self._streams)
        self.module_ = self.module_.to(self.device_).eval()
        self.net_ = self._make_net([])
        restore_fitted(self, state)

    def __sklearn_tags__(self):
        """Sparse rows are read batch by batch; results keep float32 and float64."""
        tags = super().__sklearn_tags__()
        tags.input_tags.sparse = True
        return tags


_NET_OPTIONS = (
    "max_epochs",
    "batch_size",
    "lr",
    "weight_decay",
    "gradient_clip_value",
    "precision",
    "compile",
)
