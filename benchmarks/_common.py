"""What the benchmarks share: data, alternating timing, tables."""

import argparse
import contextlib
import json
import os
import platform
import statistics
import time
from pathlib import Path

import numpy as np
import sklearn
import torch
from sklearn.datasets import fetch_openml, load_digits
from threadpoolctl import threadpool_limits

import skdeep
from skdeep.nn._conv import Conv2d
from skdeep.nn._linear import Linear

__all__ = [
    "alternate",
    "best_threads",
    "digits",
    "limited_threads",
    "make_parser",
    "median_ratio",
    "mnist",
    "plain_copy",
    "print_header",
    "print_table",
    "save_json",
    "thread_counts",
]


# Data --------------------------------------------------------------------------------------


def digits():
    """scikit-learn's digits, shuffled once: float32 rows in [0, 1] and labels."""
    X, y = load_digits(return_X_y=True)
    order = np.random.default_rng(0).permutation(len(X))
    return (X[order] / 16).astype(np.float32), y[order]


def mnist(n_train=60000, n_test=10000):
    """First rows of MNIST's training and test part, float32 in [0, 1], and their labels.

    Read from ``mnist.npz`` (``X_train, y_train, X_test, y_test``) in the folder that the
    environment variable ``SKDEEP_DATA`` names, else fetched from OpenML.
    """
    path = Path(os.environ.get("SKDEEP_DATA", "")) / "mnist.npz"
    if "SKDEEP_DATA" in os.environ and path.exists():
        with np.load(path) as file:
            parts = [file[name] for name in ("X_train", "y_train", "X_test", "y_test")]
    else:
        X, y = fetch_openml("mnist_784", version=1, as_frame=False, return_X_y=True)
        parts = [X[:60000], y[:60000], X[60000:], y[60000:]]
    X_train, y_train, X_test, y_test = parts
    return (
        _unit_rows(X_train[:n_train]),
        y_train[:n_train].astype(int),
        _unit_rows(X_test[:n_test]),
        y_test[:n_test].astype(int),
    )


def _unit_rows(images):
    return images.reshape(len(images), 784).astype(np.float32) / np.float32(255)


# Nets --------------------------------------------------------------------------------------


def plain_copy(encoder):
    """The same layers, with the same weights, as torch's own modules.

    skdeep's layers pad their widths outside of training; a bare forward pass does not.
    """
    return torch.nn.Sequential(*(_plain_layer(layer) for layer in encoder))


def _plain_layer(layer):
    if isinstance(layer, Linear):
        matrix = layer.matrix()
        plain = torch.nn.Linear(matrix.shape[1], matrix.shape[0])
        weights = {"weight": matrix.contiguous(), "bias": layer.bias}
    elif isinstance(layer, Conv2d):
        out_channels, in_channels = layer.weight.shape[:2]
        plain = torch.nn.Conv2d(in_channels, out_channels, 3, stride=layer.stride, padding=1)
        weights = layer.state_dict()
    else:
        return layer
    plain.load_state_dict(weights)
    return plain.to(layer.weight.device)


# Time --------------------------------------------------------------------------------------


def thread_counts():
    """One thread and all of them."""
    return sorted({1, torch.get_num_threads()})


def limited_threads(n_threads):
    """Context with that many threads for torch and BLAS; None changes nothing.

    ``torch.set_num_threads`` would outlast the context: it gives MKL a setting of its own.
    """
    return contextlib.nullcontext() if n_threads is None else threadpool_limits(n_threads)


def alternate(contenders, *, repeats, warmups=1):
    """Seconds of each callable, which take turns in one process.

    Each round starts with another one, so that none always follows the same neighbour.

    Parameters
    ----------
    contenders : dict of str to callable
    repeats, warmups : int
        Rounds that count, and rounds before them that do not.

    Returns
    -------
    seconds : dict of str to list of float
    """
    names = list(contenders)
    seconds = {name: [] for name in names}
    for number in range(warmups + repeats):
        first = number % len(names)
        for name in names[first:] + names[:first]:
            start = time.perf_counter()
            contenders[name]()
            elapsed = time.perf_counter() - start
            if number >= warmups:
                seconds[name].append(elapsed)
    return seconds


def best_threads(run, *, repeats=3):
    """The number of threads, one or all, with which a callable is faster."""

    def with_threads(n_threads):
        def timed():
            with limited_threads(n_threads):
                run()

        return timed

    seconds = alternate({n: with_threads(n) for n in thread_counts()}, repeats=repeats)
    return min(seconds, key=lambda n: statistics.median(seconds[n]))


def median_ratio(seconds, reference):
    """Ratio of the medians of two lists."""
    return statistics.median(seconds) / statistics.median(reference)


# Command line and output -------------------------------------------------------------------


def make_parser(doc):
    """Parser with the first paragraph of a script's docstring, and ``--json``."""
    parser = argparse.ArgumentParser(description=doc.partition("\n\n")[0])
    parser.add_argument("--json", type=Path, metavar="PATH", help="write the figures to this file")
    return parser


def _environment():
    return {
        "python": platform.python_version(),
        "numpy": np.__version__,
        "scikit-learn": sklearn.__version__,
        "torch": torch.__version__,
        "skdeep": skdeep.__version__,
        "machine": platform.machine(),
        "cores": os.cpu_count(),
        "torch threads": torch.get_num_threads(),
    }


def print_header(title):
    """Title, and what the figures below it were measured with."""
    print(f"{title}\n" + ", ".join(f"{name} {value}" for name, value in _environment().items()))


def print_table(rows, *, title=None):
    """Print dicts of equal keys as a table; floats with three digits."""
    columns = list(rows[0])
    cells = [columns, *([_cell(row[name]) for name in columns] for row in rows)]
    widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
    print(f"\n{title}" if title else "")
    for number, line in enumerate(cells):
        print(
            "  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip()
        )
        if number == 0:
            print("  ".join("-" * width for width in widths))


def _cell(value):
    if isinstance(value, bool):
        return "yes" if value else "no"
    if value is None:
        return "-"
    if isinstance(value, float):
        return f"{value:.3g}" if abs(value) < 1000 else f"{value:.0f}"
    return str(value)


def save_json(path, **results):
    """Write results and environment to a file, where a path is given."""
    if path is not None:
        text = json.dumps({"environment": _environment(), **results}, indent=2, default=float)
        path.write_text(text + "\n", encoding="utf-8")
