"""Conversion of fitted estimators to plain arrays, numbers and strings, and back."""

import warnings

import numpy as np
import torch
from skorch.history import History

from skdeep._training._optim import plain_parameter, resolve_optimizer
from skdeep.exceptions import DeviceUnavailableWarning
from skdeep.utils._device import device_exists

#: Attributes of a fitted estimator that ``fitted_state`` replaces.
LIVE_ATTRIBUTES = (
    "device_",
    "module_",
    "net_",
    "_fitted_architecture",
    "_net_options",
    "_scaler",
    "_streams",
)

# Parameters that may be objects of torch, or paths.
_NAMED_BY_OTHERS = {"checkpoint", "device", "optimizer"}


def fitted_state(estimator, *, has_optimizer=True):
    """Return all state that inference and continued training require, as plain values.

    Parameters
    ----------
    estimator : DeepEstimator
    has_optimizer : bool
        Whether to include the state of the optimizer, which can be twice as large as the weights.
        Without it, training continues with a new optimizer.
    """
    state = {
        "device": estimator.device_,
        "architecture": dict(estimator._fitted_architecture),
        "net_options": dict(estimator._net_options),
        "scaler": estimator._scaler.state(),
        "module": {name: _array(v) for name, v in estimator.module_.state_dict().items()},
        "generators": {
            name: generator.get_state().numpy().copy()
            for name, generator in estimator._streams.items()
        },
        "history": list(estimator.net_.history),
    }
    if has_optimizer:
        state["optimizer"] = _optimizer_arrays(estimator.net_.optimizer_)
    return state


def restore_fitted(estimator, state):
    """Load the state into the module, net and generators of an estimator of the same shape."""
    arrays = {name: _tensor(array) for name, array in state["module"].items()}
    estimator.module_.load_state_dict(arrays)
    if "optimizer" in state:
        _load_optimizer(estimator.net_.optimizer_, state["optimizer"])
    estimator.net_.history_ = History(state["history"])
    for name, generator in estimator._streams.items():
        position = _tensor(state["generators"][name])
        # the state of a generator cannot be transferred to another type of device
        if position.shape == generator.get_state().shape:
            generator.set_state(position)


def continue_training(net, earlier, *, keeps_optimizer):
    """Let a new net for the same module continue from the history of an earlier one.

    Parameters
    ----------
    net, earlier : TrainingNet
    keeps_optimizer : bool
        Whether the state of the optimizer is kept, too, if both are of the same class.
    """
    net.history_ = History(earlier.history_)  # the earlier one stays as it is
    if keeps_optimizer and type(net.optimizer_) is type(earlier.optimizer_):
        _load_optimizer(net.optimizer_, _optimizer_arrays(earlier.optimizer_))


def forget(net, parameters):
    """Let the optimizer of a net start from scratch for some parameters.

    Parameters
    ----------
    net : TrainingNet
    parameters : list of Parameter
    """
    fresh = net.make_optimizer(parameters)
    for parameter in parameters:
        net.optimizer_.state[parameter] = fresh.state[parameter]
    _complete_momentum(net.optimizer_)


def existing_device(name, estimator_name):
    """Return the device if this machine has it, else warn and return the CPU."""
    if device_exists(name):
        return name
    warnings.warn(
        f"{estimator_name} was trained on device {name!r}, which is not available on this machine; "
        "the CPU is used instead.",
        DeviceUnavailableWarning,
        stacklevel=4,
    )
    return "cpu"


def plain_attributes(state, parameters):
    """Replace objects of other libraries by plain values in a state.

    Paths, and devices and optimizer classes of torch, become strings. A parameter that is an index
    or a series becomes a list.

    Parameters
    ----------
    state : dict
    parameters : list of str
        Names of the entries that are parameters.
    """
    named = {name: plain_parameter(state[name]) for name in _NAMED_BY_OTHERS & state.keys()}
    listed = {
        name: state[name].to_list()
        for name in state.keys() & parameters
        if hasattr(state[name], "to_list")
    }
    keyed = {
        name: {_plain_key(key): one for key, one in value.items()}
        for name, value in state.items()
        if isinstance(value, dict) and not {bool, np.bool_}.isdisjoint(map(type, value))
    }
    return state | named | listed | keyed


def _plain_key(key):
    """Return 0 and 1 for booleans, which are equal, as skops would make True of both."""
    return int(key) if isinstance(key, bool | np.bool_) else key


def restore_parameters(state):
    """Replace names of optimizer classes by the classes in an instance state."""
    if isinstance(state.get("optimizer"), str) and "." in state["optimizer"]:
        state["optimizer"] = resolve_optimizer(state["optimizer"])
    return state


def _array(value):
    return value.detach().cpu().numpy().copy() if isinstance(value, torch.Tensor) else value


def _tensor(value):
    return torch.from_numpy(np.array(value)) if isinstance(value, np.ndarray) else value


def _optimizer_arrays(optimizer):
    """Return the state of an optimizer by the index of the parameter."""
    state = optimizer.state_dict()["state"]
    return {
        str(number): {name: _array(value) for name, value in entries.items()}
        for number, entries in state.items()
    }


def _load_optimizer(optimizer, arrays):
    state = {
        int(number): {name: _tensor(value) for name, value in entries.items()}
        for number, entries in arrays.items()
    }
    groups = optimizer.state_dict()["param_groups"]
    optimizer.load_state_dict({"state": state, "param_groups": groups})
    if state:
        _complete_momentum(optimizer)


def _complete_momentum(optimizer):
    """Set the momentum of weights without one to zero, as the fused step of SGD needs it."""
    if isinstance(optimizer, torch.optim.SGD):
        for parameter in (one for group in optimizer.param_groups for one in group["params"]):
            if optimizer.state[parameter].get("momentum_buffer") is None:
                optimizer.state[parameter]["momentum_buffer"] = torch.zeros_like(parameter)
