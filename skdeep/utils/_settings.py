"""The settings of torch and NumPy on which no result depends."""

import contextlib
from collections.abc import Iterator

import numpy as np
import torch

__all__ = ["own_settings"]

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
