"""Names of devices, and pools of devices for parallel workers."""

import contextlib
import multiprocessing
import re
import threading
from collections import Counter

import torch

_lock = threading.Lock()
_leased: Counter = Counter()


def available_devices():
    """List the devices available on this machine, in order of preference.

    Returns
    -------
    names : list of str
        ``"cuda:0"``, ``"cuda:1"``, ..., then ``"mps"``, then ``"cpu"``.
    """
    names = [f"cuda:{index}" for index in range(torch.cuda.device_count())]
    if torch.backends.mps.is_available():
        names.append("mps")
    return [*names, "cpu"]


def resolve_device(device):
    """Return the name of a device.

    Parameters
    ----------
    device : {"auto", "cpu", "cuda", "cuda:<n>", "mps"} or torch.device
        ``"auto"`` prefers CUDA, then MPS, then the CPU.

    Returns
    -------
    name : str
        One of ``available_devices()``.

    Raises
    ------
    ValueError
        If the name is unknown or this machine has no such device.
    TypeError
        If ``device`` is neither a string nor a torch.device.
    """
    if not isinstance(device, str | torch.device):
        raise TypeError(
            "device must be a string, a torch.device or a list of them; "
            f"got {device!r} of type {type(device).__name__}."
        )
    exists = available_devices()
    if device == "auto":
        return exists[0]
    name = {"cuda": "cuda:0", "mps:0": "mps", "cpu:0": "cpu"}.get(str(device), str(device))
    if name not in exists:
        raise ValueError(
            f"device must be one of {['auto', *exists]} on this machine; got {device!r}. "
            'Use device="auto" for the best one available.'
        )
    return name


def device_exists(name):
    """Whether a device is available on this machine."""
    return name in available_devices()


def _worker_number():
    """Return the number of this process in a pool of workers, 0 in the main process."""
    digits = re.findall(r"\d+", multiprocessing.current_process().name)
    return int(digits[-1]) if digits else 0


@contextlib.contextmanager
def lease_device(device):
    """Context manager that reserves one device for the duration of a fit.

    Parameters
    ----------
    device : str, torch.device or list of these
        A list is a pool: worker processes start at different positions in it, and each thread of a
        process takes the device that is in use by the fewest threads.

    Yields
    ------
    name : str
        The device to use.
    """
    if not isinstance(device, list | tuple):
        yield resolve_device(device)
        return
    if not device:
        raise ValueError("device must name at least one device; got an empty list.")
    pool = [resolve_device(one) for one in device]
    start = _worker_number() % len(pool)
    with _lock:
        name = min(pool[start:] + pool[:start], key=_leased.__getitem__)
        _leased[name] += 1
    try:
        yield name
    finally:
        with _lock:
            _leased[name] -= 1
