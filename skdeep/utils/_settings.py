"""The settings of torch and NumPy on which no result depends."""

import contextlib
import functools
from collections.abc import Iterator

import numpy as np
import threadpoolctl
import torch

__all__ = ["one_thread", "own_settings"]

_AUTOCAST_DEVICES = ("cpu", "cuda", "mps")


@contextlib.contextmanager
def own_settings() -> Iterator[None]:
    """Context or decorator under which the calling thread has the settings of a fresh process.

    Gradients are recorded, tensors are no inference tensors and lie on the CPU by default, autocast
    is off, and floating-point errors are treated as NumPy does by default. The caller's settings
    hold again afterwards.

    torch's default dtype belongs to the whole process and is left alone: whoever makes a tensor
    names its dtype.
    """
    with contextlib.ExitStack() as stack:
        stack.enter_context(torch.inference_mode(False))
        stack.enter_context(torch.enable_grad())
        stack.enter_context(np.errstate(divide="warn", over="warn", invalid="warn", under="ignore"))
        for device in filter(torch.is_autocast_enabled, _AUTOCAST_DEVICES):
            stack.enter_context(torch.autocast(device, enabled=False))
        # such a context costs time at every call of torch's functions
        if torch.get_default_device().type != "cpu":
            stack.enter_context(torch.device("cpu"))
        yield


@functools.cache
def _openmp():
    """Libraries whose number of threads is set; looked for once, which takes milliseconds."""
    libraries = threadpoolctl.ThreadpoolController().lib_controllers
    return [library for library in libraries if library.user_api == "openmp"]


@contextlib.contextmanager
def one_thread():
    """Context in which torch uses one thread for the calling thread."""
    torch.get_num_threads()  # torch sets a new thread's number when first asked: not later
    before = [(library, library.get_num_threads()) for library in _openmp()]
    try:
        for library, _ in before:
            library.set_num_threads(1)
        yield
    finally:
        for library, n_threads in before:
            library.set_num_threads(n_threads)
