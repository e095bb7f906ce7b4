"""Isolation from the caller's settings of torch and NumPy."""

import contextlib
from collections.abc import Iterator

import numpy as np
import torch

_AUTOCAST_DEVICES = ("cpu", "cuda", "mps")


@contextlib.contextmanager
def own_settings() -> Iterator[None]:
    """Context manager or decorator that resets the calling thread to the default settings.

    Gradients are recorded, inference mode and autocast are off, the default device is the CPU, and
    NumPy handles floating-point errors in its default way. The caller's settings are restored
    afterwards.

    torch's default dtype applies to the whole process and is left alone; every new tensor therefore
    has an explicit dtype.
    """
    with (
        torch.inference_mode(False),
        torch.enable_grad(),
        np.errstate(divide="warn", over="warn", invalid="warn", under="ignore"),
        contextlib.ExitStack() as stack,
    ):
        for device in filter(torch.is_autocast_enabled, _AUTOCAST_DEVICES):
            stack.enter_context(torch.autocast(device, enabled=False))
        # this context slows down every call to a function of torch; the device of a new tensor is
        # the default one, and asking for it by name takes longer
        if torch.empty(0, dtype=torch.float32).device.type != "cpu":
            stack.enter_context(torch.device("cpu"))
        yield
