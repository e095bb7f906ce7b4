"""What a bug report should say about the machine and the libraries on it."""

from importlib.metadata import PackageNotFoundError, version

import sklearn
import torch

import skdeep
from skdeep.utils._device import available_devices

__all__ = ["show_versions"]

#: What scikit-learn's list lacks: requirements, then extras.
_DISTRIBUTIONS = (
    "torch",
    "skorch",
    "tqdm",
    "dask",
    "distributed",
    "imbalanced-learn",
    "polars",
    "rich",
    "rtdl_num_embeddings",
    "skops",
)


def show_versions():
    """Print versions and devices, for bug reports.

    First the versions of skdeep, torch, skorch and the optional packages, and the devices and
    threads that torch uses; then what :func:`sklearn.show_versions` prints: system, Python,
    the versions of scikit-learn and of what it requires, and thread pools.

    Examples
    --------
    >>> import skdeep
    >>> skdeep.show_versions()  # doctest: +SKIP
    """
    print("\nskdeep and what it builds on:")
    _print_table({"skdeep": skdeep.__version__, **{name: _find(name) for name in _DISTRIBUTIONS}})
    print("\nTorch:")
    _print_table(
        {
            "devices": ", ".join(map(_describe, available_devices())),
            "CUDA": torch.version.cuda,
            "cuDNN": torch.backends.cudnn.version() if torch.cuda.is_available() else None,
            "threads": torch.get_num_threads(),
            "CPU capability": torch.backends.cpu.get_cpu_capability(),
        }
    )
    sklearn.show_versions()


def _print_table(values):
    width = max(map(len, values))
    for name, value in values.items():
        print(f"{name:>{width}}: {value}")


def _find(distribution):
    """Version of an installed distribution, None where there is none."""
    try:
        return version(distribution)
    except PackageNotFoundError:
        return None


def _describe(device):
    """Name of a device and, of a GPU, of its model."""
    if device.startswith("cuda"):
        return f"{device} ({torch.cuda.get_device_name(device)})"
    return device
