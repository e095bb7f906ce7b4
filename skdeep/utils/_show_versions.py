"""Information about libraries and devices for bug reports."""

from importlib.metadata import PackageNotFoundError, version

import sklearn
import torch

import skdeep
from skdeep.utils._device import available_devices

#: Packages that scikit-learn does not list: requirements, then optional ones.
_DISTRIBUTIONS = (
    "torch",
    "skorch",
    "tqdm",
    "dask",
    "distributed",
    "fastapi",
    "imbalanced-learn",
    "onnxruntime",
    "onnxscript",
    "polars",
    "rich",
    "rtdl_num_embeddings",
    "skl2onnx",
    "skops",
    "uvicorn",
)


def show_versions():
    """Print information about libraries and devices for bug reports.

    The first part lists the versions of skdeep, torch, skorch and the optional packages, and the
    devices and threads that torch uses. The second part is the output of
    :func:`sklearn.show_versions`: system, Python, scikit-learn and its dependencies, and thread
    pools.

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
    """Return the version of a distribution, None if it is not installed."""
    try:
        return version(distribution)
    except PackageNotFoundError:
        return None


def _describe(device):
    """Return the name of a device, with the model of a GPU."""
    if device.startswith("cuda"):
        return f"{device} ({torch.cuda.get_device_name(device)})"
    return device
