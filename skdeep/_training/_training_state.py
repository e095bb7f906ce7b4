"""State of a training between two epochs, as tensors and plain values, and back."""

import numpy as np
import torch
from skorch.history import History
from torch.optim.lr_scheduler import ReduceLROnPlateau

from skdeep._training._optim import watched_loss


def training_state(net, streams, rows, stopping, hooks):
    """Return all state from which a training continues with the same bits.

    Parameters
    ----------
    net : TrainingNet
    streams : dict of str to torch.Generator
    rows : list of TensorRows, StreamedRows or None
        Their targets and partners may change during training.
    stopping : EarlyStopping or None
    hooks : sequence of callable or None
        What is called between epochs or steps: objects or their methods. The attributes that the
        objects list in ``saved`` change during training.
    """
    schedule = net.schedule_
    return {
        "module": net.module_.state_dict(),
        "optimizer": net.optimizer_.state_dict(),
        "schedule": None if schedule is None else as_plain(schedule.state_dict()),
        "generators": {name: one.get_state() for name, one in streams.items()},
        "history": as_plain(list(net.history)),
        "n_epochs": net.n_epochs_,
        "stop_requested": net.stop_requested_,
        "net": as_plain(_saved(net)),
        "stopping": as_plain(_seen(stopping)),
        "hooks": [as_plain(_saved(_owner(hook))) for hook in hooks],
        "rows": [None if part is None else (part.y, part.partners) for part in rows],
    }


def restore_training(state, net, streams, rows, stopping, hooks):
    """Load the result of ``training_state``; the arguments are those of the same training."""
    net.module_.load_state_dict(state["module"])
    net.optimizer_.load_state_dict(state["optimizer"])
    for name, one in streams.items():
        one.set_state(state["generators"][name].cpu())
    net.history_ = History(state["history"])
    net.n_epochs_, net.stop_requested_ = state["n_epochs"], state["stop_requested"]
    vars(net).update(state["net"])
    if stopping is not None:
        vars(stopping).update(state["stopping"])
    for hook, values in zip(hooks, state["hooks"], strict=True):
        for name, value in values.items():
            owner = _owner(hook)
            setattr(owner, name, _like(getattr(owner, name), value))
    for part, tensors in zip(rows, state["rows"], strict=True):
        if part is not None:
            part.y, part.partners = tensors


def restore_schedule(state, net):
    """Load the learning rate schedule of the result of ``training_state``."""
    schedule = net.schedule_
    if schedule is not None:
        schedule.load_state_dict(state["schedule"])
    if isinstance(schedule, ReduceLROnPlateau):
        schedule.step(watched_loss(net.history[-1]))  # follows the callbacks of an epoch


def _seen(callback):
    """Return what a callback has seen of the training; its settings have other names."""
    values = {} if callback is None else vars(callback)
    return {name: value for name, value in values.items() if name.endswith("_")}


def _owner(hook):
    """Return the object of a method, or the object that is called itself."""
    return getattr(hook, "__self__", hook)


def _saved(owner):
    return {name: getattr(owner, name) for name in getattr(owner, "saved", ())}


def as_plain(value):
    """Convert a value to tensors, numbers, strings and containers of them."""
    if isinstance(value, dict):
        return {key: as_plain(one) for key, one in value.items()}
    if isinstance(value, list | tuple):
        values = [as_plain(one) for one in value]
        return values if isinstance(value, list) else tuple(values)
    if isinstance(value, np.random.Generator):
        return value.bit_generator.state
    if isinstance(value, np.ndarray):
        return torch.from_numpy(value)
    return value.item() if isinstance(value, np.generic) else value


def _like(present, value):
    """Convert a saved value back to the type of the present one."""
    if isinstance(present, np.random.Generator):
        present.bit_generator.state = value
        return present
    if isinstance(value, tuple):
        return type(present)(*map(_as_array, value))
    return _as_array(value)


def _as_array(value):
    return value.cpu().numpy() if isinstance(value, torch.Tensor) else value
