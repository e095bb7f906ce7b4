"""Optimizers and learning rate schedules."""

import inspect
import math
import os
import warnings

import numpy as np
import torch
from torch.optim import lr_scheduler

from skdeep.utils._sklearn import StrOptions

#: Optimizers by name.
OPTIMIZERS = {"adam": torch.optim.Adam, "adamw": torch.optim.AdamW, "sgd": torch.optim.SGD}

_TORCH_PREFIX = "torch.optim."

#: Learning rate schedules.
LR_SCHEDULES = ("constant", "coslog4", "cosine", "onecycle", "plateau")
# Number of cycles of "coslog4".
_N_CYCLES = 4


class OptimizerOptions(StrOptions):
    """Constraint on a parameter: the name of an optimizer, or a subclass of torch's Optimizer."""

    def __init__(self):
        super().__init__(set(OPTIMIZERS))

    def is_satisfied_by(self, val):
        """Whether the value satisfies the constraint."""
        is_class = isinstance(val, type) and issubclass(val, torch.optim.Optimizer)
        return is_class or super().is_satisfied_by(val)

    def __str__(self):
        names = ", ".join(map(repr, sorted(OPTIMIZERS)))
        return f"a str among {{{names}}}, in lower case, or a subclass of torch.optim.Optimizer"


def plain_parameter(value):
    """Convert the value of a parameter to plain Python types.

    Paths, devices and optimizer classes of torch become strings, see ``resolve_optimizer``.
    User-defined optimizer classes are kept.
    """
    if isinstance(value, list | tuple):
        return type(value)(map(plain_parameter, value))
    if isinstance(value, torch.device):
        return str(value)
    if isinstance(value, os.PathLike):
        return os.fspath(value)
    if isinstance(value, np.generic):
        return value.item()
    if not isinstance(value, type):
        return value
    is_of_torch = getattr(torch.optim, value.__name__, None) is value
    return f"{_TORCH_PREFIX}{value.__name__}" if is_of_torch else value


def plain_options(estimator, net_class):
    """Parameters of an estimator that its net takes, as plain values."""
    return {
        name: plain_parameter(getattr(estimator, name))
        for name in net_class.estimator_parameters
        if hasattr(estimator, name)
    }


def resolve_optimizer(optimizer):
    """Return the class of an optimizer given by name or as a class."""
    if not isinstance(optimizer, str):
        return optimizer
    if optimizer.startswith(_TORCH_PREFIX):
        named = getattr(torch.optim, optimizer.removeprefix(_TORCH_PREFIX))
        if not (isinstance(named, type) and issubclass(named, torch.optim.Optimizer)):
            raise ValueError(f"optimizer must be an optimizer of torch; got {optimizer!r}.")
        return named
    return OPTIMIZERS[optimizer]


def optimizer_options(optimizer_class, *, weight_decay, device):
    """Return the keyword arguments for an optimizer that its signature accepts.

    Raises
    ------
    ValueError
        If ``weight_decay`` is not 0 and the optimizer does not support it.
    """
    accepted = inspect.signature(optimizer_class).parameters
    options = {}
    if "weight_decay" in accepted:
        options["weight_decay"] = weight_decay
    elif weight_decay:
        raise ValueError(
            f"optimizer must accept weight_decay if it is not 0; got {weight_decay=} and "
            f"optimizer={optimizer_class.__name__}. Set weight_decay=0 or use another optimizer."
        )
    # one kernel for all parameters: a third of the time of the default step on small nets
    if optimizer_class in OPTIMIZERS.values() and device.split(":")[0] in ("cpu", "cuda"):
        options["fused"] = True
    if optimizer_class is torch.optim.SGD:
        options |= {"momentum": 0.9, "nesterov": True}  # as in scikit-learn's MLPClassifier
    return options


def parameter_groups(module, *, has_trunk):
    """Return the parameters of a module, or a group of those of its trunk and one of the others.

    They are in the order of the module either way, so that the state of an optimizer fits both.
    """
    if not has_trunk:
        return module.parameters()
    trunk = list(module.trunk.parameters())
    return [{"params": trunk}, {"params": list(module.parameters())[len(trunk) :]}]


def make_schedule(name, optimizer, *, n_epochs, n_batches, patience, tol):
    """Make the learning rate schedule of an optimizer.

    Parameters
    ----------
    name : {"constant", "coslog4", "cosine", "onecycle", "plateau"}
    optimizer : torch.optim.Optimizer
        Its present learning rate is the maximum of the schedule.
    n_epochs, n_batches : int
        Number of epochs, and of batches per epoch.
    patience : int
        Number of epochs without improvement after which ``"plateau"`` divides the learning rate by
        five.
    tol : float
        Minimum decrease of the loss that counts as an improvement.

    Returns
    -------
    schedule : LRScheduler or None
    """
    if name == "cosine":
        return lr_scheduler.CosineAnnealingLR(optimizer, T_max=n_epochs * n_batches)
    if name == "coslog4":
        n_steps = n_epochs * n_batches
        return lr_scheduler.LambdaLR(optimizer, lambda step: _coslog((step + 0.5) / n_steps))
    if name == "onecycle":
        return lr_scheduler.OneCycleLR(
            optimizer,
            max_lr=[group["lr"] for group in optimizer.param_groups],
            total_steps=n_epochs * n_batches + 1,
            cycle_momentum=False,
        )
    if name == "plateau":
        # absolute threshold: relative to a negative loss, torch treats any loss as an improvement
        return lr_scheduler.ReduceLROnPlateau(
            optimizer, factor=0.2, patience=patience, threshold=tol, threshold_mode="abs"
        )
    return None


def _coslog(progress):
    """Fraction of the maximum learning rate after a fraction of all steps.

    The cycles begin and end at zero, and each is twice as long as the one before; Holzmüller et al.
    (2024).
    """
    return (1 - math.cos(2 * math.pi * math.log2(1 + (2**_N_CYCLES - 1) * progress))) / 2


def resting_epochs(name, n_epochs):
    """Epochs after which the learning rate of a schedule is at a minimum, ascending.

    All of them for schedules without cycles.
    """
    if name != "coslog4":
        return range(1, n_epochs + 1)
    cycles = 2.0 ** np.arange(1, _N_CYCLES + 1) - 1
    return np.unique(np.rint(n_epochs * cycles / cycles[-1]).clip(1)).astype(int).tolist()


def watched_loss(row):
    """Return the loss that ``"plateau"`` monitors from the history entry of an epoch."""
    return row.get("valid_loss", row["train_loss"])


def advance(schedule, history, n_epochs, n_batches):
    """Advance a new schedule by a number of epochs, the last ones of a history.

    The history has fewer of them if training stopped early.
    """
    if isinstance(schedule, lr_scheduler.ReduceLROnPlateau):
        for row in history[max(0, len(history) - n_epochs) :]:
            schedule.step(watched_loss(row))
    elif schedule is not None:
        with warnings.catch_warnings():  # another optimizer object made the steps
            warnings.filterwarnings("ignore", message="Detected call of `lr_scheduler.step")
            for _ in range(n_epochs * n_batches):
                schedule.step()
