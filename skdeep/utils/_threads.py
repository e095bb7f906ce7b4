"""Number of CPU threads of a net, limited to the calling thread."""

import contextlib
import ctypes
import functools
import os
import weakref
from typing import NamedTuple

import threadpoolctl
import torch

# Multiply-adds per forward pass below which a second thread gains little on an idle machine and
# loses a lot on a busy one (benchmarks/threads.py, and with --busy 1).
_SMALL_NET = 5e7
# Process that torch's number of threads was set by, see ``_leave_threads_of_parent``.
_OWNER = {"process": os.getpid()}


class _Size(NamedTuple):
    """What the number of threads of a module depends on."""

    n_multiply_adds: int  # per sample
    is_convolutional: bool


# Sizes of modules, since going through the parameters takes as long as a forward pass of one row.
_SIZES: weakref.WeakKeyDictionary[torch.nn.Module, _Size] = weakref.WeakKeyDictionary()


def _size(module):
    """Size of a module, whose parameters keep their shapes."""
    size = _SIZES.get(module)
    if size is None:
        layers = list(module.modules())
        n_multiply_adds = sum(
            parameter.numel() * getattr(layer, "n_positions", 1)  # of a convolution
            for layer in layers
            for parameter in layer.parameters(recurse=False)
        )
        size = _Size(n_multiply_adds, any(hasattr(layer, "n_positions") for layer in layers))
        _SIZES[module] = size
    return size


@functools.cache
def _openmp():
    """OpenMP libraries of the process, cached because the search takes milliseconds."""
    libraries = threadpoolctl.ThreadpoolController().lib_controllers
    return [library for library in libraries if library.user_api == "openmp"]


@functools.cache
def _set_mkl_threads():
    """Return the function that limits MKL in the calling thread; it returns the last limit.

    ``torch.set_num_threads`` sets such a limit, which takes precedence over the one of OpenMP.
    """
    try:
        return ctypes.CDLL(torch._C.__file__).MKL_Set_Num_Threads_Local
    except (AttributeError, OSError):  # torch without MKL, or with one that hides its functions
        return lambda n_threads: 0


@contextlib.contextmanager
def one_thread():
    """Context manager that limits torch to one thread in the calling thread."""
    torch.get_num_threads()  # the first call in a new thread sets its number of threads: do it now
    before = [(library, library.get_num_threads()) for library in _openmp()]
    set_mkl_threads = _set_mkl_threads()
    mkl_threads = set_mkl_threads(1)
    try:
        for library, _ in before:
            library.set_num_threads(1)
        yield
    finally:
        for library, n_threads in before:
            library.set_num_threads(n_threads)
        set_mkl_threads(mkl_threads)


def is_convolutional(module):
    """Whether a module has convolutions over height and width."""
    return _size(module).is_convolutional


def runs_on_one_thread(module, batch_rows, device):
    """Whether a net runs on a single CPU thread, whatever the user's setting.

    Parameters
    ----------
    module : torch.nn.Module
    batch_rows : int
        Samples per forward pass.
    device : str
        Device of the net; threads are limited only on the CPU.
    """
    return device == "cpu" and _size(module).n_multiply_adds * batch_rows <= _SMALL_NET


def thread_scope(module, batch_rows, device):
    """Context manager in which small nets run on one thread, see ``runs_on_one_thread``.

    The user's setting is restored afterwards.
    """
    _leave_threads_of_parent()
    is_small = runs_on_one_thread(module, batch_rows, device)
    return one_thread() if is_small else contextlib.nullcontext()


def stack_scope(nets, batch_rows):
    """Context manager in which small stacks of nets run on one thread.

    Parameters
    ----------
    nets : list of TrainingNet
    batch_rows : int
        Samples per step and net.
    """
    n_multiply_adds = _size(nets[0].module_).n_multiply_adds
    return work_scope(len(nets) * n_multiply_adds * batch_rows, nets[0].device)


def work_scope(n_multiply_adds, device):
    """Context manager in which small matrix products run on one thread.

    Parameters
    ----------
    n_multiply_adds : int
        Of a product.
    device : str
    """
    _leave_threads_of_parent()
    is_small = device == "cpu" and n_multiply_adds <= _SMALL_NET
    return one_thread() if is_small else contextlib.nullcontext()


def _leave_threads_of_parent():
    """Set torch to one thread in a process that was forked after the import of skdeep.

    The threads of OpenMP do not survive a fork. If the parent has used them, the child would wait
    for them forever. Forked workers share the cores in any case.
    """
    if _OWNER["process"] != os.getpid():
        _OWNER["process"] = os.getpid()
        torch.set_num_threads(1)
