"""What the benchmarks share: data, alternating timing, tables."""

import argparse
import ast
import contextlib
import importlib.metadata
import json
import os
import platform
import statistics
import time
from pathlib import Path

import numpy as np
import sklearn
import torch
from sklearn.datasets import fetch_california_housing, fetch_openml, load_digits
from threadpoolctl import threadpool_limits

import skdeep
from skdeep.nn._conv import Conv2d
from skdeep.nn._linear import Linear

__all__ = [
    "Records",
    "adult",
    "alternate",
    "best_threads",
    "california_housing",
    "copy_weights",
    "digits",
    "environment",
    "has_mnist",
    "limited_threads",
    "make_parser",
    "median_ratio",
    "mnist",
    "parameter_values",
    "plain_copy",
    "print_header",
    "print_table",
    "save_json",
    "setting",
    "synchronize",
    "thread_counts",
]


# Data --------------------------------------------------------------------------------------


def digits():
    """scikit-learn's digits, shuffled once: float32 rows in [0, 1] and labels."""
    X, y = load_digits(return_X_y=True)
    order = np.random.default_rng(0).permutation(len(X))
    return (X[order] / 16).astype(np.float32), y[order]


def _local(name):
    """Path of a file in the folder that ``SKDEEP_DATA`` names, None where there is none."""
    path = Path(os.environ.get("SKDEEP_DATA", "")) / name
    return path if "SKDEEP_DATA" in os.environ and path.exists() else None


def has_mnist():
    """Whether MNIST can be read without fetching it."""
    return _local("mnist.npz") is not None


def mnist(n_train=60000, n_test=10000):
    """First rows of MNIST's training and test part, float32 in [0, 1], and their labels.

    Read from ``mnist.npz`` (``X_train, y_train, X_test, y_test``) in the folder that the
    environment variable ``SKDEEP_DATA`` names, else fetched from OpenML.
    """
    if path := _local("mnist.npz"):
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


def california_housing():
    """20640 districts with 8 numbers each, and their median house value in 100 000 dollars.

    Read from ``california_housing.npz`` (``X, y``) in the folder ``SKDEEP_DATA``, else fetched by
    scikit-learn.
    """
    if path := _local("california_housing.npz"):
        with np.load(path) as file:
            return file["X"], file["y"]
    return fetch_california_housing(return_X_y=True)


ADULT_COLUMNS = (
    "age workclass fnlwgt education education-num marital-status occupation relationship race "
    "sex capital-gain capital-loss hours-per-week native-country income"
).split()
UCI = "https://archive.ics.uci.edu/ml/machine-learning-databases/adult"


def adult():
    """Adult's official training and test part, and 1 for each income above 50 000 dollars.

    Rows are DataFrames: strings as ``category``, the same categories in both parts, with the
    missing ``?`` as one of them; numbers as float64. Read from ``adult.data.gz`` and
    ``adult.test.gz`` in the folder ``SKDEEP_DATA``, else from UCI: OpenML's copy is one table
    without the official parts.
    """
    import pandas as pd  # the other benchmarks do without

    parts = [
        pd.read_csv(
            _local(f"{name}.gz") or f"{UCI}/{name}",
            names=ADULT_COLUMNS,
            skiprows=skipped,  # the test file's first line is no row
            skipinitialspace=True,
        )
        for name, skipped in (("adult.data", 0), ("adult.test", 1))
    ]
    n_train = len(parts[0])
    X = pd.concat(parts, ignore_index=True)
    y = X.pop("income").str.startswith(">50K").to_numpy().astype(int)  # the test file adds a dot
    numbers = X.select_dtypes("number").columns
    X = X.astype({name: "float64" if name in numbers else "category" for name in X.columns})
    return X[:n_train], y[:n_train], X[n_train:].reset_index(drop=True), y[n_train:]


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


def copy_weights(source, target):
    """Give a net of torch's own modules the weights and statistics of one of skdeep's.

    Both have the same layers with weights, in the same order.
    """
    pairs = zip(_layers_with_weights(source), _layers_with_weights(target), strict=True)
    for layer, plain in pairs:
        weights = layer.state_dict()
        if isinstance(layer, Linear):
            weights["weight"] = layer.matrix()
        plain.load_state_dict(weights, strict=False)  # skdeep's norm does not count batches


def _layers_with_weights(net):
    return [layer for layer in net.modules() if layer.state_dict() and not list(layer.children())]


# Time --------------------------------------------------------------------------------------


def thread_counts():
    """One thread and all of them."""
    return sorted({1, torch.get_num_threads()})


def limited_threads(n_threads):
    """Context with that many threads for torch and BLAS; None changes nothing.

    ``torch.set_num_threads`` would outlast the context: it gives MKL a setting of its own.
    """
    return contextlib.nullcontext() if n_threads is None else threadpool_limits(n_threads)


def synchronize(device):
    """Wait until a GPU has done what was asked of it; there is nothing to wait for elsewhere."""
    if device.startswith("cuda"):
        torch.cuda.synchronize(device)


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


def setting(text):
    """Name and text of a parameter from the command line, ``name=value``; for argparse."""
    name, sign, value = text.partition("=")
    if not sign:
        raise ValueError(text)
    return name, value


def parameter_values(settings):
    """Values of parameters from the command line: Python literals, else the text itself."""
    values = dict(settings)
    for name, text in values.items():
        with contextlib.suppress(SyntaxError, ValueError):
            values[name] = ast.literal_eval(text)
    return values


def environment(*packages):
    """Versions, those of further packages where installed, machine and threads."""
    further = {}
    for name in packages:
        with contextlib.suppress(importlib.metadata.PackageNotFoundError):
            further[name] = importlib.metadata.version(name)
    return {
        "python": platform.python_version(),
        "numpy": np.__version__,
        "scikit-learn": sklearn.__version__,
        "torch": torch.__version__,
        "skdeep": skdeep.__version__,
        **further,
        "machine": platform.machine(),
        "cores": os.cpu_count(),
        "torch threads": torch.get_num_threads(),
    }


def print_header(title):
    """Title, and what the figures below it were measured with."""
    print(f"{title}\n" + ", ".join(f"{name} {value}" for name, value in environment().items()))


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
        text = json.dumps({"environment": environment(), **results}, indent=2, default=float)
        path.write_text(text + "\n", encoding="utf-8")


class Records:
    """Dicts of one file, or of this run alone where there is no path.

    Parameters
    ----------
    path : Path or None
        Read where it exists, and written after each new record.
    key : sequence of str
        Entries of which no two records have the same values.
    """

    def __init__(self, path, key):
        self.path, self.key = path, key
        self.all = []
        if path is not None and path.exists():
            self.all = json.loads(path.read_text(encoding="utf-8"))["records"]

    def has(self, wanted, *also):
        """Whether there is a record of this key that agrees in further entries too."""
        return any(self._same(record, wanted, *also) for record in self.all)

    def add(self, new):
        """Add a record, in place of an older one of the same key, and write the file."""
        self.all = [record for record in self.all if not self._same(record, new)] + [new]
        if self.path is not None:
            # a reader never sees half a file
            part = self.path.with_name(f"{self.path.name}.{os.getpid()}.part")
            part.write_text(json.dumps({"records": self.all}, indent=1) + "\n", encoding="utf-8")
            part.replace(self.path)

    def _same(self, one, other, *also):
        return all(one[name] == other[name] for name in (*self.key, *also))
