"""skorch net that trains all modules of skdeep."""

import contextlib
import functools
import math
from collections.abc import Callable

import torch
from skorch import NeuralNet
from skorch.callbacks import Callback, EarlyStopping, EpochTimer
from skorch.helper import predefined_split
from torch import nn
from torch.optim.lr_scheduler import ReduceLROnPlateau

from skdeep._training._data import Batches
from skdeep._training._epoch_record import EpochRecord
from skdeep._training._optim import (
    advance,
    make_schedule,
    optimizer_options,
    parameter_groups,
    resolve_optimizer,
    resting_epochs,
    watched_loss,
)
from skdeep._training._progress import EpochLog

_BATCH_HOOKS = ("on_batch_begin", "on_batch_end", "on_grad_computed")


class StopTraining(Exception):
    """Ends training early without an error."""


def _listens_to_batches(callback):
    """Whether a callback implements a batch hook."""
    return any(
        getattr(type(callback), hook) is not getattr(Callback, hook) for hook in _BATCH_HOOKS
    )


class TrainingNet(NeuralNet):
    """skorch net whose epochs are as fast as a plain training loop, on in-memory or streamed rows.

    The batch hooks are called only if a callback implements one; otherwise an epoch is a minimal
    loop. Losses stay on the device and are read once per epoch.

    Parameters
    ----------
    module : torch.nn.Module
    criterion : Objective
    shuffle_generator : torch.Generator
    weight_decay : float
    n_iter_no_change : int
        ``"plateau"`` lowers the learning rate after half as many epochs without improvement.
    tol : float
        Minimum decrease of the loss that counts as an improvement.
    gradient_clip_value : float or None
        Maximum norm of the gradient of all parameters together.
    precision : {"float32", "bf16-mixed"}
    n_train_batches : int or None
        Number of batches of an epoch of training; None for as few as ``batch_size`` allows.
    phase : str or None
        Recorded in every row of the history.
    trunk_lr : float or None
        Learning rate of the submodule ``trunk``; None for ``lr``.
    **kwargs
        skorch's own parameters.
    """

    #: parameters of estimators that the constructor accepts under the same name
    estimator_parameters: tuple[str, ...] = (
        "batch_size",
        "compile",
        "gradient_clip_value",
        "lr",
        "max_epochs",
        "n_iter_no_change",
        "optimizer",
        "precision",
        "tol",
        "weight_decay",
    )
    #: called without arguments after each step of the optimizer, unless it is None
    on_step: Callable[[], None] | None = None

    def __init__(
        self,
        module,
        criterion,
        *args,
        shuffle_generator=None,
        weight_decay=0.0,
        n_iter_no_change=10,
        tol=1e-4,
        gradient_clip_value=None,
        precision="float32",
        n_train_batches=None,
        phase=None,
        trunk_lr=None,
        iterator_train=Batches,
        iterator_valid=Batches,
        **kwargs,
    ):
        super().__init__(
            module,
            criterion,
            *args,
            iterator_train=iterator_train,
            iterator_valid=iterator_valid,
            train_split=None,
            **kwargs,
        )
        self.shuffle_generator = shuffle_generator
        self.weight_decay = weight_decay
        self.n_iter_no_change = n_iter_no_change
        self.tol = tol
        self.gradient_clip_value = gradient_clip_value
        self.precision = precision
        self.n_train_batches = n_train_batches
        self.phase = phase
        self.trunk_lr = trunk_lr

    @property
    def _default_callbacks(self):
        callbacks = [("epoch_timer", EpochTimer())]
        return [*callbacks, ("print_log", EpochLog())] if self.verbose > 1 else callbacks

    def initialize_optimizer(self, triggered_directly=None):
        """Build the optimizer of the module's parameters."""
        groups = parameter_groups(self.module_, has_trunk=self.trunk_lr is not None)
        self.optimizer_ = self.make_optimizer(groups)
        return self

    def make_optimizer(self, parameters):
        """Make an optimizer with the settings of this net."""
        options = optimizer_options(
            self.optimizer, weight_decay=self.weight_decay, device=self.device
        )
        return self.optimizer(parameters, lr=self.lr, **options)

    def n_batches(self, rows, *, training=True):
        """Return the number of batches of an epoch of training or validation."""
        if training and self.n_train_batches is not None:
            return self.n_train_batches
        return -(-len(rows) // self.batch_size)

    def batch_rows(self, rows):
        """Return the number of rows of the largest batch of training."""
        return -(-len(rows) // self.n_batches(rows))

    def _step_sizes(self):
        """Return the learning rate of each parameter group of the optimizer."""
        return (self.lr,) if self.trunk_lr is None else (self.trunk_lr, self.lr)

    def get_iterator(self, dataset, training=False):
        """Return the batches of an epoch, shuffled in training."""
        generator = self.shuffle_generator if training else None
        return Batches(dataset, self.n_batches(dataset, training=training), generator)

    def train_on(self, run):
        """Carry out a ``Run``; a second one continues from the end of the first one.

        Unlike skorch's ``partial_fit``, a KeyboardInterrupt is propagated.
        """
        self.begin_training(run)
        # Ctrl-C during an optimizer's step can leave gradients disabled in the process
        with torch.enable_grad(), contextlib.suppress(StopTraining):
            self.fit_loop(run.rows, epochs=run.n_epochs)
        self.end_training(run)

    def begin_training(self, run):
        """Prepare for the first epoch of ``train_on``."""
        self.train_split = None if run.valid_rows is None else predefined_split(run.valid_rows)
        groups = self.optimizer_.param_groups
        for group, lr in zip(groups, self._step_sizes(), strict=True):
            # skorch's LRScheduler reads the former where epochs came before this call
            group["initial_lr"] = group["lr"] = lr
        n_batches = self.n_batches(run.rows)
        self.schedule_ = make_schedule(
            run.lr_schedule,
            self.optimizer_,
            n_epochs=run.n_schedule_epochs,
            n_batches=n_batches,
            patience=max(1, self.n_iter_no_change // 2),
            tol=self.tol,
        )
        advance(self.schedule_, self.history, run.first_epoch, n_batches)
        #: length of the history when the schedule began
        self.schedule_start_ = len(self.history) - run.first_epoch
        #: epochs of the schedule after which training may stop early
        self.resting_epochs_ = resting_epochs(run.lr_schedule, run.n_schedule_epochs)
        self.n_epochs_ = run.n_epochs
        self.stop_requested_ = False
        self.notify("on_train_begin", X=run.rows, y=None)

    def end_training(self, run):
        """Finish after the last epoch of ``train_on``."""
        self.notify("on_train_end", X=run.rows, y=None)
        self.train_split = None  # releases the held-out rows

    @property
    def is_resting(self):
        """Whether training may stop early: not in the middle of a cycle of the schedule."""
        return len(self.history) - self.schedule_start_ in self.resting_epochs_

    def request_stop(self):
        """End training after the present epoch."""
        self.stop_requested_ = True

    def on_epoch_begin(self, *args, **kwargs):
        """Start a new row of the history."""
        super().on_epoch_begin(*args, **kwargs)
        if self.phase is not None:
            self.history.record("phase", self.phase)

    def notify(self, method_name, **cb_kwargs):
        """Call a hook of every callback; training stops after the epoch if one requests it."""
        getattr(self, method_name)(self, **cb_kwargs)
        for _, callback in self.callbacks_:
            try:
                getattr(callback, method_name)(self, **cb_kwargs)
            except KeyboardInterrupt:
                # skorch's EarlyStopping ends training by raising KeyboardInterrupt
                if method_name != "on_epoch_end" or not isinstance(callback, EarlyStopping):
                    raise
                self.request_stop()
        if method_name == "on_epoch_end":
            if isinstance(self.schedule_, ReduceLROnPlateau):
                self.schedule_.step(watched_loss(self.history[-1]))
            if self.stop_requested_:
                raise StopTraining

    def run_single_epoch(self, iterator, training, prefix, step_fn, **fit_params):
        """Run one epoch of training or validation and record its mean loss and terms."""
        if iterator is None:
            return
        self._set_training(training)
        is_listened_to = self._is_listened_to()
        if is_listened_to:
            step_fn = functools.partial(self._announced_step, step_fn, training, prefix)
        else:
            step_fn = self._lean_step if training else self.validation_step
        schedule = self.schedule_ if training else None
        record = EpochRecord()
        for batch in iterator:
            step = step_fn(batch)
            record.add(step, len(batch.x))
            if schedule is not None and not isinstance(schedule, ReduceLROnPlateau):
                schedule.step()
            if training and self.on_step is not None:
                self.on_step()
        self.record_epoch(prefix, record.means(), record.sizes, as_batch=not is_listened_to)

    def record_epoch(self, prefix, means, sizes, *, as_batch=True):
        """Record an epoch of training or validation in the history.

        Parameters
        ----------
        prefix : {"train", "valid"}
        means : dict of str to float
            ``"loss"`` and its terms, if there are several.
        sizes : list of int
            Number of rows of each batch.
        as_batch : bool
            Whether to record the epoch as a batch, too, since skorch's callbacks expect batches.
        """
        row = self.history[-1]  # every access to a history takes a while
        row.update({f"{prefix}_{name}": value for name, value in means.items()})
        row[f"{prefix}_batch_count"] = len(sizes)
        row[f"{prefix}_loss_best"] = means["loss"] < self._best_loss(prefix)
        if as_batch:
            batch = {f"{prefix}_loss": means["loss"], f"{prefix}_batch_size": sum(sizes)}
            row["batches"].append(batch)

    def _best_loss(self, prefix):
        """Return the lowest loss of the earlier epochs, which skorch's ``Checkpoint`` expects."""
        is_best, loss = f"{prefix}_loss_best", f"{prefix}_loss"
        return next((row[loss] for row in reversed(self.history) if row.get(is_best)), math.inf)

    def _is_listened_to(self):
        """Whether batches must go through skorch's full training step."""
        needs_closure = isinstance(self.optimizer_, torch.optim.LBFGS)
        return needs_closure or any(_listens_to_batches(one) for _, one in self.callbacks_)

    def _announced_step(self, step_fn, training, prefix, batch):
        """Run one step with skorch's batch hooks and batch history."""
        self.notify("on_batch_begin", batch=batch, training=training)
        step = step_fn(batch)
        self.history.record_batch(f"{prefix}_loss", step["loss"].item())
        self.history.record_batch(f"{prefix}_batch_size", len(batch.x))
        self.notify("on_batch_end", batch=batch, training=training, **step)
        return step

    def _lean_step(self, batch):
        for group in self.optimizer_.param_groups:
            for parameter in group["params"]:
                parameter.grad = None
        step = self.train_step_single(batch)
        self.optimizer_.step()
        return step

    def train_step_single(self, batch, **fit_params):
        """Compute the gradients of one batch; overrides skorch's method."""
        step = self._forward(batch)
        step["loss"].backward()
        if self.gradient_clip_value is not None:
            nn.utils.clip_grad_norm_(self.module_.parameters(), self.gradient_clip_value)
        return step

    def validation_step(self, batch, **fit_params):
        """Compute the loss of one held-out batch; overrides skorch's method."""
        with torch.no_grad():
            return self._forward(batch)

    def _forward(self, batch):
        if self.precision == "float32":
            output = self.criterion_.output(self.module_, batch)
        else:
            with torch.autocast(torch.device(self.device).type, dtype=torch.bfloat16):
                output = self.criterion_.output(self.module_, batch)
            torch.clear_autocast_cache()  # else old weights stay cached in a caller's autocast
            output = _as_float32(output)  # losses sum many small numbers
        loss, terms = self.criterion_(output, batch)
        return {"loss": loss, "y_pred": output, "terms": terms}


def _as_float32(output):
    """Convert module output, a tensor or a tuple of tensors and None, to float32."""
    if isinstance(output, torch.Tensor):
        return output.float()
    if type(output) is tuple:
        return tuple(map(_as_float32, output))
    return type(output)(*(part if part is None else _as_float32(part) for part in output))


def make_net(net_class, module, objective, options, **live):
    """Make an initialized net for a module.

    Parameters
    ----------
    net_class : type
        ``TrainingNet`` or a subclass.
    module : torch.nn.Module
    objective : Objective
    options : dict
        Result of ``plain_options``.
    **live
        Other parameters of the net.
    """
    options = dict(options)
    if "optimizer" in options:
        options["optimizer"] = resolve_optimizer(options["optimizer"])
    return net_class(module, objective, **options, **live).initialize()
