"""skorch callbacks."""

from dataclasses import dataclass, field

import torch
from sklearn.exceptions import ConvergenceWarning
from skorch.callbacks import (
    BatchScoring,
    Callback,
    EpochScoring,
    InputShapeSetter,
    LRScheduler,
    WandbLogger,
)
from torch.optim.lr_scheduler import ReduceLROnPlateau

from skdeep.exceptions import DivergenceError
from skdeep.utils._warn import warn_user


def check_callbacks(callbacks, *, holds_out, lr_schedule):
    """Validate skorch callbacks and return them as a list; None gives an empty list.

    Parameters
    ----------
    callbacks : list, tuple or None
    holds_out : bool
        Whether there is a validation loss.
    lr_schedule : {"constant", "coslog4", "cosine", "onecycle", "plateau"}

    Raises
    ------
    TypeError
        If an entry is not a skorch callback.
    ValueError
        If a callback is not supported.
    """
    for entry in callbacks or ():
        callback = entry[1] if isinstance(entry, tuple) and len(entry) == 2 else entry
        if not isinstance(callback, Callback):
            raise TypeError(
                "callbacks must contain skorch.callbacks.Callback objects or (name, callback) "
                f"pairs; got {entry!r}. Pass scikit-learn's callbacks to set_callbacks."
            )
        _check_use_of_net(callback)
        if not holds_out:
            _check_monitor(callback)
        if isinstance(callback, LRScheduler) and lr_schedule != "constant":
            raise ValueError(
                "lr_schedule must be 'constant' if callbacks contain an LRScheduler; got "
                f"{lr_schedule=}. Use only one of the two."
            )
    return list(callbacks or ())


def _check_use_of_net(callback):
    """Raise ``ValueError`` for a callback that predicts with the net or changes its shape."""
    name = type(callback).__name__
    if isinstance(callback, BatchScoring | EpochScoring):
        raise ValueError(
            "callbacks must not predict with the net, which expects batches of scaled samples; got "
            f"{name}. To score the estimator after each epoch, pass scikit-learn's ScoringMonitor "
            "to set_callbacks; the losses of each epoch are in history_."
        )
    if isinstance(callback, InputShapeSetter):
        raise ValueError(
            f"callbacks must not change the shape of the net; got {name}. Remove it: the shape is "
            "inferred from X."
        )


def _check_monitor(callback):
    """Raise ``ValueError`` for a callback that needs a validation loss."""
    monitor = getattr(callback, "monitor", None)
    if isinstance(callback, WandbLogger) and callback.save_model:
        setting, remedy = "save_model=True", "save_model=False"
    elif isinstance(monitor, str) and monitor.startswith("valid_"):
        setting, remedy = f"{monitor=}", f"monitor={monitor.replace('valid', 'train', 1)!r}"
    else:
        return
    raise ValueError(
        "callbacks must not use the validation loss if no samples are held out; got "
        f"{type(callback).__name__} with {setting}. Set {remedy}, or early_stopping=True if the "
        "estimator supports it."
    )


def raise_divergence(net, what):
    """Raise ``DivergenceError``."""
    raise DivergenceError(
        f"{what} stopped being finite in epoch {len(net.history)} with lr={net.lr!r}. "
        "Lower lr, set gradient_clip_value, or scale the features."
    )


class DivergenceGuard(Callback):
    """Raises ``DivergenceError`` if the loss of an epoch or a final parameter is not finite."""

    def on_epoch_end(self, net, **kwargs):
        """Check the losses of the epoch."""
        row = net.history[-1]
        for name in ("train_loss", "valid_loss"):
            if not abs(row.get(name, 0.0)) < float("inf"):
                raise_divergence(net, name)

    def on_train_end(self, net, **kwargs):
        """Check the parameters and buffers after the last step."""
        for value in net.module_.state_dict().values():
            if not torch.isfinite(value).all():
                raise_divergence(net, "a parameter")


@dataclass(eq=False, repr=False)
class EarlyStopping(Callback):
    """Stops training if the loss has not improved by ``tol`` for more than ``patience`` epochs.

    The meaning of ``n_iter_no_change`` and ``tol`` is that of scikit-learn's ``MLPClassifier``.
    With ``"coslog4"``, training only stops at the end of a cycle, because the loss is high while
    the learning rate is high. Warns if the best epoch is the last one before the maximum number of
    epochs is reached.

    Parameters
    ----------
    monitor : {"train_loss", "valid_loss"}
    patience : int
    tol : float
    restore_best : bool
        Whether to restore the weights of the best epoch at the end of training.
    pauses : bool
        Whether the next training continues from the end of this one, with its last weights and its
        count of epochs without improvement.
    """

    monitor: str
    patience: int
    tol: float
    restore_best: bool
    pauses: bool = False
    last_state_: dict[str, torch.Tensor] | None = field(default=None, init=False)

    def on_train_begin(self, net, **kwargs):
        """Reset the state, or continue from the last training if it was paused."""
        self.last_epoch_ = len(net.history) + net.n_epochs_
        if self.last_state_ is not None:
            net.module_.load_state_dict(self.last_state_)
            return
        self.best_ = float("inf")
        self.best_epoch_ = None
        self.best_state_ = None
        self.n_waited_ = 0

    def on_epoch_end(self, net, **kwargs):
        """Compare the epoch with the best one."""
        loss = net.history[-1, self.monitor]
        self.n_waited_ = self.n_waited_ + 1 if loss > self.best_ - self.tol else 0
        if loss < self.best_:
            self.best_ = loss
            self.best_epoch_ = len(net.history)
            if self.restore_best:
                self.best_state_ = _copy_of_weights(net)
        if self.n_waited_ > self.patience and net.is_resting:
            net.request_stop()

    def on_train_end(self, net, **kwargs):
        """Restore the best weights."""
        if self.pauses:
            self.last_state_ = _copy_of_weights(net)
        elif self._is_cut_short(net):
            warn_user(
                "The validation loss was still falling by tol or more when training reached "
                f"max_epochs={net.n_epochs_}. Raise max_epochs or lr.",
                ConvergenceWarning,
            )
        if self.best_state_ is not None:
            net.module_.load_state_dict(self.best_state_)
            if not self.pauses:
                self.best_state_ = None

    def _is_cut_short(self, net):
        """Whether more epochs were likely to improve the loss."""
        # if the learning rate decays to zero, the last epoch is expected to be the best one
        is_open_ended = isinstance(net.schedule_, ReduceLROnPlateau | None)
        is_best_and_last = self.best_epoch_ == len(net.history) == self.last_epoch_
        fell = net.n_epochs_ > 1 and self.n_waited_ == 0
        return self.restore_best and is_open_ended and is_best_and_last and fell


def _copy_of_weights(net):
    return {name: value.clone() for name, value in net.module_.state_dict().items()}


class EpochTasks(Callback):
    """Reports each epoch to scikit-learn's callbacks as a subtask of ``fit``.

    Parameters
    ----------
    tasks : FitTasks
    attributes : callable
        Returns the fitted attributes of an estimator whose training stops now.
    """

    def __init__(self, tasks, attributes):
        self.tasks = tasks
        self.attributes = attributes

    def on_epoch_begin(self, net, **kwargs):
        """Open the task of the epoch."""
        self.tasks.begin_epoch()

    def on_epoch_end(self, net, **kwargs):
        """Close the task, and stop training if a callback requests it."""
        if self.tasks.end_epoch(self.attributes):
            net.request_stop()

    def on_train_end(self, net, **kwargs):
        """Release the training data, which a fitted net must not keep in memory."""
        self.tasks = self.attributes = None


class EpochEnd(Callback):
    """Calls a function after each epoch.

    Parameters
    ----------
    function : callable
        ``function(fit)``
    fit : Fit
    """

    def __init__(self, function, fit):
        self.function = function
        self.fit = fit

    def on_epoch_end(self, net, **kwargs):
        """Call the function."""
        self.function(self.fit)

    def on_train_end(self, net, **kwargs):
        """Release the training data, which a fitted net must not keep in memory."""
        self.function = self.fit = None
