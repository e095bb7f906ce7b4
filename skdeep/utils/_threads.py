"""Torch on one CPU thread, for the calling thread and for a while."""

import contextlib
import functools

import threadpoolctl
import torch

__all__ = ["one_thread"]


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
