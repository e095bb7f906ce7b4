"""A fit in progress, from the user's data to fitted attributes."""

import contextlib
from dataclasses import replace
from functools import partial
from typing import Any

from skdeep._batched_fit import carry_out
from skdeep._checkpoint import checkpoints_of
from skdeep._fit_data import DataPool, split, validate
from skdeep._fitted_attributes import detached, replace_attributes, unchanged_on_failure
from skdeep._training._callbacks import (
    DivergenceGuard,
    EpochEnd,
    check_callbacks,
    raise_divergence,
)
from skdeep._training._inference import NotFiniteError, apply_in_chunks
from skdeep._training._net import make_net
from skdeep._training._optim import plain_options
from skdeep._training._progress import show_progress
from skdeep._training._run import Run
from skdeep._training._state import continue_training
from skdeep._training._tasks import FitTasks
from skdeep.utils._device import lease_device
from skdeep.utils._random import draw_seed, make_streams
from skdeep.utils._validation import check_range, check_target_is_given


class Fit:
    """A fit in progress; discarded when the estimator is fitted.

    A plan is a generator that trains by ``yield from fit.train(...)``, once or several times.
    Each training is yielded when it is ready to start, so that several fits, or the restarts of one
    fit, can be trained as one stack. The fitted attributes of the estimator are set at the end, all
    at once, so that an error or Ctrl-C leaves it unchanged.

    Parameters
    ----------
    estimator : DeepEstimator
    X, y, sample_weight
        Arguments of the estimator's ``fit``.
    plan : callable or None
        ``plan(fit)``; None for the plan of the estimator.
    resume : bool
        Whether to continue from the fitted state, if there is one.
    tasks : FitTasks or None
        Tasks for scikit-learn's callbacks; None for a task of the estimator.
    pool : DataPool or None
    **options
        Further arguments of the estimator's ``_check``.
    """

    def __init__(
        self,
        estimator,
        X,
        y=None,
        sample_weight=None,
        *,
        plan=None,
        resume=False,
        tasks=None,
        pool=None,
        **options,
    ):
        self.estimator = estimator
        self.given = X, y, sample_weight
        self.plan = estimator._plan if plan is None else plan
        self.is_resumed = resume and hasattr(estimator, "net_")
        self.tasks = tasks
        self.pool = DataPool() if pool is None else pool
        self.net = estimator.net_ if self.is_resumed else None
        #: whether later fits are expected to continue from this one
        self.in_parts = self.is_resumed and estimator._is_fitted_in_parts
        self._options = options
        self.checkpoints = checkpoints_of(estimator, is_part=plan is not None)
        self._holds_out = getattr(estimator, "early_stopping", False)
        self._callbacks = estimator.callbacks
        self.seed: int | None = estimator._seed if self.is_resumed else None
        self._kept: dict[str, Any] = {}
        self._n_train_batches: int | None = None
        self._data = self._scaler = self._module = self._rows = self._latest = None

    def run(self):
        """Carry out the plan, one training after the other, and return the fitted estimator."""
        carry_out(self.runs(self.estimator.device))
        return self.estimator

    def runs(self, device):
        """Yield lists of trainings that are ready to start: one, unless there are restarts.

        The caller must send the list of their errors, or None, into this generator; an error that
        concerns more than one training, such as Ctrl-C, may be thrown into it.
        """
        self.estimator._check_combination()
        lease = lease_device(device)
        if self.is_resumed:
            lease = contextlib.nullcontext(self.estimator.device_)
        try:
            with unchanged_on_failure(self.estimator, self.is_resumed), lease as self.device:
                with self.checkpoints.opened(), show_progress(self.estimator) as self._progress:
                    yield from self.plan(self)
                if self._module is not None:
                    replace_attributes(self.estimator, self.attributes())
        finally:
            self._data = self._rows = self._latest = None
        self.announce(0)
        self.tasks.end()

    # Interface for plans -------------------------------------------------------------------

    @property
    def data(self):
        """Validated data, with weight zero for held-out samples."""
        self._prepare()
        return self._data

    @property
    def holds_out(self):
        """Whether samples are held out for early stopping."""
        self._prepare()
        return self._rows[1] is not None

    @property
    def scaler(self):
        """Scaler of the net's inputs."""
        self._prepare()
        return self._scaler

    @property
    def rows(self):
        """Rows to train on, as the net reads them."""
        self._prepare()
        return self._rows[0]

    @property
    def module(self):
        """Torch module to train."""
        self._prepare()
        return self._module

    def announce(self, n_epochs):
        """Announce the maximum number of epochs of the whole plan to callbacks and progress bar.

        By default it is that of the first training; None if it is not known.
        """
        if self.tasks is None:
            self.tasks = FitTasks(self.estimator, *self.given)
        if not self.tasks.has_begun:
            self.tasks.begin(n_epochs)
            if self._progress is not None:
                self._progress.total = n_epochs

    def train(
        self,
        n_epochs,
        *,
        phase=None,
        optimizer="new",
        stopping=None,
        on_epoch=None,
        on_step=None,
        targets=None,
        lr_schedule=None,
        n_schedule_epochs=None,
        first_epoch=0,
        **options,
    ):
        """Yield a training; the plan continues when it has ended.

        Parameters
        ----------
        n_epochs : int
            Maximum number of epochs; 0 leaves the net as it is.
        phase : str or None
            Argument of the estimator's ``_objective``; recorded in the history, and set as the
            attribute ``phase`` of the module, whose ``forward`` may depend on it.
        optimizer : {"new", "keep"}
            Whether the optimizer starts from scratch or continues from the previous training.
        stopping : EarlyStopping or None
        on_epoch : callable or None
            ``on_epoch(fit)`` is called after each epoch; it may call ``set_targets``.
        on_step : callable or None
            The same after each step of the optimizer.
        targets : ndarray of shape (n_samples, ...) or None
            New targets, see ``set_targets``.
        lr_schedule : str or None
            None for the ``lr_schedule`` of the estimator.
        n_schedule_epochs : int or None
            Epochs that the schedule is made for; None for ``n_epochs``.
        first_epoch : int
            Number of epochs of the schedule that earlier trainings have completed.
        **options
            Parameters of the net, such as ``lr``, in place of those of the estimator.
        """
        self.announce(int(n_epochs))
        self._prepare()
        if targets is not None:
            self.set_targets(targets)
        lr_schedule = lr_schedule or self.estimator.lr_schedule
        callbacks = [
            *([] if stopping is None else [stopping]),
            DivergenceGuard(),
            *([] if on_epoch is None else [EpochEnd(on_epoch, self)]),
            *self.tasks.epochs(self.snapshot),
            *check_callbacks(self._callbacks, holds_out=self.holds_out, lr_schedule=lr_schedule),
            *([] if self._progress is None else [self._progress]),
        ]
        self._make_net(phase, optimizer, options, callbacks)
        parts = self.streams, self._rows, stopping, (on_epoch, on_step)
        n_left = self.checkpoints.resume(self.net, int(n_epochs), parts) if n_epochs else 0
        if n_left:
            self.net.on_step = None if on_step is None else partial(on_step, self)
            run = Run(
                *(self.net, *self._rows),
                n_epochs=n_left,
                lr_schedule=lr_schedule,
                n_schedule_epochs=int(n_schedule_epochs or n_epochs),
                first_epoch=first_epoch,
            )
            (error,) = yield [run]
            if error is not None:
                raise error
            self.net.on_step = None  # it refers to the data
        self._module.eval()
        if stopping is not None and stopping.restore_best:
            self._kept["best_epoch_"] = stopping.best_epoch_

    def apply(self, function, X=None):
        """Apply a function of the module to samples, in order.

        Parameters
        ----------
        function : callable
            (batch, width) tensor of scaled samples -> (batch, n_outputs) tensor, row by row.
        X : ndarray or CSR matrix of shape (n_samples, n_features) or None
            Validated samples; None for all of ``data``, including held-out samples.

        Returns
        -------
        result : ndarray of shape (n_samples, n_outputs)
        """
        module = self.module
        was_training = module.training
        module.eval()
        try:
            return apply_in_chunks(
                function,
                self.data.X if X is None else X,
                module=module,
                scaler=self._scaler,
                device=self.device,
            )
        except NotFiniteError:
            if self.net is None:
                raise
            raise_divergence(self.net, "an output")
        finally:
            module.train(was_training)

    def once_per_epoch(self, function):
        """Return ``function(self)``, which is computed only once until the next epoch ends.

        Apart from the fit it must only depend on the weights, which only training may change.
        """
        key = function, self.module, 0 if self.net is None else len(self.net.history)
        if self._latest is None or self._latest[0] != key:
            self._latest = key, function(self)
        return self._latest[1]

    def set_targets(self, targets):
        """Replace the targets of the loss.

        Parameters
        ----------
        targets : ndarray of shape (n_samples, ...)
            New targets. Equal samples must have equal targets.
        """
        self._prepare()
        for rows in self._rows:
            if rows is not None:
                rows.set_targets(targets)

    def restart(self):
        """Start training again from the same seed, now on all samples.

        The results of early stopping are kept: ``best_epoch_`` and ``validation_loss_curve_``.
        """
        curve = self.estimator._record(self).get("validation_loss_curve_")
        self._kept |= {} if curve is None else {"validation_loss_curve_": curve}
        self._holds_out, self._callbacks, self._data, self.net = False, None, None, None

    # Fitted attributes ---------------------------------------------------------------------

    def attributes(self):
        """Return the fitted attributes of an estimator whose training stops now."""
        return {
            **self._data.attributes,
            **self.estimator._record(self),
            **self._kept,
            "device_": self.device,
            "module_": self._module,
            "net_": self.net,
            "_scaler": self._scaler,
            "_streams": self.streams,
            "_seed": self.seed,
            "_fitted_architecture": self._architecture,
            "_net_options": self._net_options,
            "_is_fitted_in_parts": self.in_parts,
        }

    def snapshot(self):
        """Return a copy of ``attributes`` that further training does not change."""
        return detached(self.estimator, self.attributes())

    # Steps ---------------------------------------------------------------------------------

    def _prepare(self):
        """Validate and scale the data and build the module, once."""
        if self._data is not None:
            return
        try:
            data = self._validate()
        except Exception:
            self.announce(None)  # so that callbacks see the fit that fails
            raise
        estimator = self.estimator
        if self._holds_out == "auto":
            self._holds_out = not self.in_parts and estimator._should_hold_out(data)
        fraction = estimator.validation_fraction if self._holds_out else None
        train, valid, weight = split(data, fraction, self.seed)
        part = () if fraction is None else (fraction, self.seed)  # determines the split
        self._data = replace(data, weight=weight)
        if self.is_resumed:
            self._scaler = estimator._scaler
        else:
            self._scaler = self.pool.fit_scaler(estimator, self._data, (data, *part), self.seed)
        self._build_module()
        options = {"scaler": self._scaler, "device": self.device}
        self._rows, self._n_train_batches = self.pool.make_rows(
            data, train, valid, part, batch_size=int(estimator.batch_size), **options
        )

    def _validate(self):
        """Validate the data and set the seed."""
        estimator = self.estimator
        check_target_is_given(estimator, self.given[1])
        if self.is_resumed:
            data = validate(estimator, self.given, reset=False, **self._options)
        else:
            data = self.pool.validate(estimator, self.given, self._options)
        if self.seed is None:
            self.seed = draw_seed(estimator.random_state)
        self.seed = self.checkpoints.begin(self, data)
        return data

    def _build_module(self):
        """Build the module; to resume, with the fitted weights and states of the generators."""
        estimator = self.estimator
        self._architecture = estimator._architecture(self._data, self._scaler)
        if self.is_resumed:
            estimator._check_same_shape(self._architecture)
        self.streams = make_streams(self.seed, self.device)
        self._make_module()
        if self.is_resumed:
            self._module.load_state_dict(estimator.module_.state_dict())
            for name, generator in self.streams.items():
                generator.set_state(estimator._streams[name].get_state())

    def _make_module(self):
        module = self.estimator._make_module(self._architecture, self.streams)
        self._module = module.to(self.device)
        self.estimator._set_first_weights(self._module)

    def _make_net(self, phase, optimizer, options, callbacks):
        """Make a net for the module that continues from the previous net, if there is one."""
        estimator, before = self.estimator, self.net
        if phase is not None:
            self._module.phase = phase
        objective = estimator._objective(phase)
        objective.lifted = estimator._lifted_parameters
        if objective.support is not None:
            check_range(self._data.X, **objective.support)
        own = {"phase": phase, "n_train_batches": self._n_train_batches}
        options = plain_options(estimator, estimator._net_class) | own | options
        self._net_options = options | {"hyperparameters": objective.hyperparameters}
        self.net = make_net(
            estimator._net_class,
            self._module,
            objective,
            options,
            shuffle_generator=self.streams["shuffle"],
            device=self.device,
            callbacks=callbacks,
            verbose=int(estimator.verbose),
        )
        if before is not None:
            continue_training(self.net, before, keeps_optimizer=optimizer == "keep")
