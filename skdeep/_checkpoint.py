"""Checkpoints of a fit, from which the same call continues after the process was killed."""

import contextlib
import copy
import errno
import hashlib
import io
import json
import math
import os
from pathlib import Path

import numpy as np
import scipy.sparse as sp
import torch
from sklearn.base import BaseEstimator
from skorch.callbacks import Callback

import skdeep
from skdeep._training._optim import plain_parameter
from skdeep._training._training_state import (
    restore_schedule,
    restore_training,
    training_state,
)
from skdeep.utils._files import remove_unfinished, write_atomically
from skdeep.utils._lock import locked
from skdeep.utils._slabs import slabs

_DIGEST = hashlib.sha256().digest_size
# Parameters that have no effect on the result, or one that is recorded otherwise.
_NOT_COMPARED = {"callbacks", "checkpoint", "checkpoint_every", "device", "random_state", "verbose"}


def checkpoints_of(estimator, *, is_part):
    """Return the checkpoints of a fit; a part of a training, as in ``partial_fit``, has none."""
    return NoCheckpoints() if is_part or estimator.checkpoint is None else Checkpoints(estimator)


class NoCheckpoints:
    """Takes the place of ``Checkpoints`` in a fit without checkpoints."""

    def opened(self):
        """Return a context manager that does nothing."""
        return contextlib.nullcontext()

    def begin(self, fit, data):
        """Return the seed."""
        return fit.seed

    def branch(self, seed):
        """Return this object, also for a restart."""
        return self

    def resume(self, net, n_epochs, parts):
        """Return the number of epochs left, which is that of the whole training."""
        return n_epochs

    def find(self, name, device):
        """Return that a training has not ended, and no state."""
        return False, None

    def save(self, name, n_epochs, state, *, is_end):
        """Save nothing."""


class Checkpoints:
    """Checkpoints of a fit in a folder.

    The trainings of a plan are numbered. The final state of each of them is kept, so that the plan
    can be carried out again without training; of the training in progress, the states after the
    last two checkpoints are kept.

    Parameters
    ----------
    estimator : DeepEstimator
    """

    def __init__(self, estimator):
        self.folder = _folder(estimator.checkpoint)
        self.every = estimator.checkpoint_every
        self.callbacks = getattr(estimator, "callbacks", None)
        self.prefix, self.n_trainings = "", 0
        self.has_begun = False

    def branch(self, seed):
        """Return the checkpoints of a restart of the fit, with a numbering of their own."""
        branch = copy.copy(self)
        branch.prefix, branch.n_trainings = f"seed{seed}-", 0
        return branch

    @contextlib.contextmanager
    def opened(self):
        """Context manager in which nobody else can use the folder, which is made if needed."""
        if self.callbacks:
            raise ValueError(
                "callbacks must be None with checkpoint, as their state is not saved; got "
                f"{self.callbacks!r}. Use set_callbacks for callbacks of scikit-learn."
            )
        with contextlib.ExitStack() as stack:
            with _explained("checkpoint must be a folder that can be written"):
                self.folder.mkdir(parents=True, exist_ok=True)
                stack.enter_context(locked(self.folder, "A fit with checkpoint"))
                remove_unfinished(self.folder)
            yield

    def begin(self, fit, data):
        """Compare the fit with the one in the folder, if there is one; return the seed."""
        if self.has_begun:
            return fit.seed
        self.has_begun = True
        path = self.folder / "fit.json"
        described = _describe(fit, data)
        if not path.exists():
            self._write(path, json.dumps(described, indent=1).encode())
            return fit.seed
        saved = _read_description(path)
        if fit.estimator.random_state is None:
            described["random_state"] = saved.get("random_state", fit.seed)
        _check_same(saved, described, self.folder)
        return described["random_state"]

    def resume(self, net, n_epochs, parts):
        """Prepare a net for the next training of the plan; return the number of epochs left.

        Parameters
        ----------
        net : TrainingNet
        n_epochs : int
            Maximum number of epochs of the whole training.
        parts : tuple
            Arguments of ``training_state`` after the net.
        """
        name = f"{self.prefix}training{self.n_trainings:03d}"
        self.n_trainings += 1
        has_ended, state = self.find(name, net.device)
        if has_ended:
            restore_training(state, net, *parts)
            return 0
        n_before = len(net.history)
        n_done = 0 if state is None else len(state["history"]) - n_before
        saver = SaveState(self, name, state, n_before + n_epochs, parts)
        net.callbacks_.append(("save_state", saver))
        return n_epochs - n_done

    def find(self, name, device):
        """Return whether a training has ended and its last state, which is None before one."""
        for path in sorted(self.folder.glob(f"{name}-*.pt"), reverse=True):
            data = path.read_bytes()
            if hashlib.sha256(data[_DIGEST:]).digest() == data[:_DIGEST]:
                stream = io.BytesIO(data[_DIGEST:])
                state = torch.load(stream, map_location=device, weights_only=True)
                return path.stem.endswith("-end"), state
        return False, None

    def save(self, name, n_epochs, state, *, is_end):
        """Save the state of a training; older ones that are not needed are removed."""
        stream = io.BytesIO()
        torch.save(state, stream)
        content = stream.getvalue()
        older = sorted(self.folder.glob(f"{name}-0*.pt"))
        point = "end" if is_end else f"{n_epochs:09d}"
        self._write(self.folder / f"{name}-{point}.pt", hashlib.sha256(content).digest() + content)
        for path in older if is_end else older[:-1]:
            path.unlink(missing_ok=True)

    def _write(self, path, content):
        with _explained("a checkpoint cannot be written, the earlier one is kept"):
            write_atomically(path, content)


class SaveState(Callback):
    """Saves the state of a training every few epochs and at its end, and restores the last one.

    Follows all callbacks that change the state.

    Parameters
    ----------
    checkpoints : Checkpoints
    name : str
        Name of the training.
    state : dict or None
        State to start from.
    last_epoch : int
        Number of epochs in the history after the last one.
    parts : tuple
        Arguments of ``training_state`` after the net.
    """

    def __init__(self, checkpoints, name, state, last_epoch, parts):
        self.checkpoints, self.name = checkpoints, name
        self.state, self.last_epoch, self.parts = state, last_epoch, parts
        self.n_since = 0

    def on_train_begin(self, net, **kwargs):
        """Restore the state of an earlier process."""
        if self.state is not None:
            restore_training(self.state, net, *self.parts)
            restore_schedule(self.state, net)
            self.state = None

    def on_epoch_end(self, net, **kwargs):
        """Save the state if it is time, unless training ends."""
        self.n_since += 1
        is_last = net.stop_requested_ or len(net.history) >= self.last_epoch
        if self.n_since >= self.checkpoints.every and not is_last:
            self.n_since = 0
            self._save(net, is_end=False)

    def on_train_end(self, net, **kwargs):
        """Save the final state, and release the training data."""
        self._save(net, is_end=True)
        self.parts = None

    def _save(self, net, *, is_end):
        state = training_state(net, *self.parts)
        self.checkpoints.save(self.name, len(net.history), state, is_end=is_end)


def in_subfolder(estimator, name):
    """Give a member of an ensemble a folder of its own, below that of the ensemble."""
    folders = {
        key: os.fspath(_folder(value) / name)
        for key, value in estimator.get_params().items()
        if key.split("__")[-1] == "checkpoint" and value is not None
    }
    estimator.set_params(**folders)  # that of FrozenEstimator returns None
    return estimator


def _folder(checkpoint):
    """Return a folder that is given as the parameter ``checkpoint``."""
    if not os.fspath(checkpoint):
        raise ValueError(
            "checkpoint must name a folder; got ''. Set '.' for the current one, or None for no "
            "checkpoints."
        )
    return Path(checkpoint)


@contextlib.contextmanager
def _explained(what):
    """Context manager that adds what was tried to an error of the file system."""
    try:
        yield
    except OSError as error:
        reason = os.strerror(error.errno or errno.EIO)
        raise OSError(error.errno, f"{what} ({reason})", error.filename) from error


# What a fit is ------------------------------------------------------------------------------


def _describe(fit, data):
    """Return a description of a fit that is equal for the same call."""
    estimator = fit.estimator
    parameters = {
        name: _text(value)
        for name, value in estimator.get_params(deep=False).items()
        if name not in _NOT_COMPARED
    }
    return {
        "class": f"{type(estimator).__module__}.{type(estimator).__qualname__}",
        "parameters": parameters,
        "X": _digest(data.X),
        "y": _digest(data.y),
        "sample_weight": _digest(data.weight),
        "classes or columns": _text(data.attributes),
        "random_state": fit.seed,
        "device": fit.device.partition(":")[0],  # any GPU of a pool may continue
        "fitted weights to continue from": _weights(estimator) if fit.is_resumed else None,
        "versions": {"skdeep": skdeep.__version__, "torch": torch.__version__},
    }


def _read_description(path):
    """Read the description of a fit from the folder."""
    try:
        saved = json.loads(path.read_bytes())
    except ValueError:
        saved = None
    if isinstance(saved, dict) and isinstance(saved.get("parameters"), dict):
        return saved
    raise ValueError(
        f"checkpoint must be a folder of the same fit; {str(path)!r} is damaged or does not "
        "describe one. Use another folder."
    )


def _check_same(saved, described, folder):
    """Raise ``ValueError`` if the folder belongs to another fit."""
    differ = [name for name in described if saved.get(name) != described[name]]
    if "parameters" in differ:
        old, new = saved["parameters"], described["parameters"]
        names = sorted(old.keys() | new.keys())
        changed = [name for name in names if old.get(name) != new.get(name)]
        differ[differ.index("parameters")] = ", ".join(
            f"{name} (was {old.get(name)}, is {new.get(name)})" for name in changed
        )
    if differ:
        raise ValueError(
            f"checkpoint must be a folder of the same fit; {str(folder)!r} contains one that "
            f"differs in: {', '.join(differ)}. Repeat the call with the same data and parameters, "
            "or use another folder."
        )


def _text(value):
    """Text that is equal for equal values of a parameter, in every process."""
    value = plain_parameter(value)
    if isinstance(value, BaseEstimator) and hasattr(value, "module_"):
        return f"{value!r} with weights {_weights(value)}"
    if isinstance(value, BaseEstimator):
        parts = [f"{name}={_text(one)}" for name, one in value.get_params(deep=False).items()]
        return f"{type(value).__name__}({', '.join(parts)})"
    if isinstance(value, dict):
        return f"{{{', '.join(sorted(f'{key!r}: {_text(one)}' for key, one in value.items()))}}}"
    if isinstance(value, list | tuple):
        return f"[{', '.join(map(_text, value))}]"
    if isinstance(value, np.ndarray):
        return f"array {_digest(value)}"
    return f"{value.__module__}.{value.__qualname__}" if callable(value) else repr(value)


def _weights(estimator):
    """Checksum of the weights of a fitted estimator."""
    state = estimator.module_.state_dict()
    return _hash([_digest(one.numpy(force=True)) for one in state.values()])


def _hash(texts):
    return hashlib.sha256(" ".join(map(str, texts)).encode()).hexdigest()


def _digest(array):
    """Checksum of the values, shape and dtype of an array or sparse matrix; None for None."""
    if array is None:
        return None
    if sp.issparse(array):
        parts = (array.data, array.indices, array.indptr)
        return _hash([array.shape, *map(_digest, parts)])
    array = np.atleast_1d(array)
    if array.dtype.hasobject:
        return _hash([array.shape, *map(repr, array.ravel().tolist())])
    found = hashlib.sha256(f"{array.shape} {array.dtype}".encode())
    table = array.reshape(len(array), math.prod(array.shape[1:]))
    for rows in slabs(table):
        found.update(np.ascontiguousarray(table[rows]))
    return found.hexdigest()
