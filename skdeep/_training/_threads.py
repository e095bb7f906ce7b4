"""How many CPU threads a net gets, scoped to the calling thread."""

import contextlib

from skdeep.utils._threads import one_thread

__all__ = ["stack_scope", "thread_scope"]

# Multiply-adds per batch under which a second thread brings next to nothing on an idle machine and
# costs much on a busy one (benchmarks/threads.py, and with --busy 1).
_SMALL_NET = 2e7


def thread_scope(module, batch_size, device):
    """Context in which small nets run on one thread; the user's setting holds again behind it.

    Parameters
    ----------
    module : torch.nn.Module
    batch_size : int
        Rows per forward pass.
    device : str
        Where the net runs; threads are limited on the CPU only.
    """
    n_parameters = sum(parameter.numel() for parameter in module.parameters())
    is_convolutional = any(parameter.ndim == 4 for parameter in module.parameters())
    if device != "cpu" or is_convolutional:
        return contextlib.nullcontext()
    # the products of spectral_norm's power iteration depend on the number of threads
    is_normalised = any("parametrizations" in name for name, _ in module.named_parameters())
    if n_parameters * batch_size <= _SMALL_NET or is_normalised:
        return one_thread()
    return contextlib.nullcontext()


def stack_scope(nets, batch_rows):
    """Context in which small stacks of nets run on one thread.

    Parameters
    ----------
    nets : list of TrainingNet
    batch_rows : int
        Rows per step and net.
    """
    n_parameters = sum(parameter.numel() for parameter in nets[0].module_.parameters())
    if nets[0].device != "cpu" or len(nets) * n_parameters * batch_rows > _SMALL_NET:
        return contextlib.nullcontext()
    return one_thread()
