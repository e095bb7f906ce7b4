"""Harness of the benchmarks: command line, paired timing, verdicts, tables and files."""

import argparse
import contextlib
import functools
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
from threadpoolctl import ThreadpoolController, threadpool_limits

import skdeep
from skdeep.decomposition import Autoencoder

__all__ = [
    "Report",
    "alternate",
    "best_threads",
    "environment",
    "fastest",
    "limited_threads",
    "make_parser",
    "median",
    "median_ratio",
    "on_each_thread_count",
    "on_threads",
    "parse",
    "print_header",
    "print_table",
    "resolve_device",
    "stopwatch",
    "synchronize",
    "thread_counts",
    "timing_rows",
    "verdict",
    "write_json",
]

HELP = {
    "rounds": "timed runs of each contender",
    "seeds": "runs, each with its own seed",
    "rows": "maximum number of samples",
    "train_rows": "maximum number of training samples",
    "epochs": "instead of the defaults of the script",
    "batch_size": "default: %(default)s",
    "device": "default: %(default)s",
    "jobs": "cores, as threads or processes",
    "calls": "calls of a method per timing",
    "steps": "forward passes or training steps per timing",
    "threads": "default: unchanged",
}
PACKAGES = ("skorch", "pandas", "imbalanced-learn", "ctgan", "pytabkit", "pyod", "clustpy")


# Command line ------------------------------------------------------------------------------


def make_parser(doc, **options):
    """Parser with the first paragraph of a script's docstring, ``--json`` and ``--smoke``.

    Parameters
    ----------
    doc : str
    **options : int, float, str, None, or collection of str
        Further options with their defaults; an option that defaults to None is an integer.
        A collection holds the possible values of an option that takes several, by default all.
    """
    parser = argparse.ArgumentParser(description=doc.partition("\n\n")[0])
    parser.add_argument("--json", type=Path, metavar="PATH", help="write the results to this file")
    parser.add_argument("--smoke", action="store_true", help="tiny sizes, to test the script")
    for name, default in options.items():
        flag = f"--{name.replace('_', '-')}"
        if isinstance(default, dict | list | tuple):
            names = list(default)
            parser.add_argument(flag, nargs="+", choices=names, default=names)
        else:
            kind = int if default is None else type(default)
            parser.add_argument(flag, type=kind, default=default, help=HELP.get(name))
    return parser


def parse(parser, **smoke):
    """Arguments of the command line; ``--smoke`` replaces the defaults by those given here."""
    if parser.parse_args().smoke:
        parser.set_defaults(**smoke)
        torch.set_num_threads(1)  # several are slow on a busy machine
    return parser.parse_args()


def resolve_device(parser, device):
    """Resolve ``device`` to the device that skdeep trains on; exit if it is unknown."""
    try:
        return Autoencoder(1, max_epochs=1, device=device).fit(np.eye(4)).device_
    except ValueError as error:
        parser.error(str(error))


# Time --------------------------------------------------------------------------------------


def thread_counts():
    """One thread and all of them."""
    return sorted({1, torch.get_num_threads()})


def limited_threads(n_threads):
    """Context manager that sets the number of threads of torch and BLAS; None changes nothing.

    ``torch.set_num_threads`` would outlast the context: it gives MKL a setting of its own.
    """
    return contextlib.nullcontext() if n_threads is None else threadpool_limits(n_threads)


@functools.cache
def _thread_controller():
    """Libraries with thread pools, cached since the search takes two milliseconds."""
    return ThreadpoolController()


def on_threads(n_threads, run):
    """Make a callable that runs ``run`` with a number of threads, without overhead."""
    if n_threads is None:
        return run

    def limited():
        with _thread_controller().limit(limits=n_threads):
            return run()

    return limited


def on_each_thread_count(name, run):
    """Contenders that call ``run`` with one thread and with all of them."""
    return {f"{name}, {n} thread(s)": on_threads(n, run) for n in thread_counts()}


def synchronize(device):
    """Wait until a GPU has finished; does nothing on other devices."""
    if device.startswith("cuda"):
        torch.cuda.synchronize(device)


def alternate(contenders, rounds, *, warmups=1, clock=time.perf_counter):
    """Seconds of each callable; they take turns in one process.

    Each round starts with a different one, so that none always follows the same contender.

    Parameters
    ----------
    contenders : dict of str to callable
    rounds, warmups : int
        Rounds that count, and rounds before them that do not.
    clock : callable
        ``time.process_time`` for the seconds of the processor, summed over threads.

    Returns
    -------
    seconds : dict of str to list of float
    """
    names = list(contenders)
    seconds = {name: [] for name in names}
    for number in range(warmups + rounds):
        first = number % len(names)
        for name in names[first:] + names[:first]:
            start = clock()
            contenders[name]()
            elapsed = clock() - start
            if number >= warmups:
                seconds[name].append(elapsed)
    return seconds


def best_threads(run, *, rounds=3):
    """The number of threads, one or all, with which a callable is faster."""
    seconds = alternate({n: on_threads(n, run) for n in thread_counts()}, rounds)
    return fastest(seconds)


@contextlib.contextmanager
def stopwatch(figures, name):
    """Add wall time and processor time to the figures ``<name>_s`` and ``<name>_cpu_s``."""
    clocks = {"s": time.perf_counter, "cpu_s": time.process_time}
    start = {unit: clock() for unit, clock in clocks.items()}
    yield
    for unit, clock in clocks.items():
        key = f"{name}_{unit}"
        figures[key] = figures.get(key, 0.0) + clock() - start[unit]


def median(values):
    return float(np.median(values))


def median_ratio(seconds, reference):
    """Ratio of the medians of two lists."""
    return statistics.median(seconds) / statistics.median(reference)


def fastest(seconds, names=None):
    """Name of the contender among ``names`` with the smallest median."""
    return min(seconds if names is None else names, key=lambda name: median(seconds[name]))


# Tables ------------------------------------------------------------------------------------


def verdict(value, *, at_most=None, at_least=None):
    """Entries ``target`` and ``met`` of a table row; both are None without a target."""
    if at_most is not None:
        return {"target": f"<= {at_most:g}", "met": bool(value <= at_most)}
    if at_least is not None:
        return {"target": f">= {at_least:g}", "met": bool(value >= at_least)}
    return {"target": None, "met": None}


def timing_rows(seconds, reference, targets, **case):
    """Table rows: the median of each contender and its ratio to that of the reference.

    Parameters
    ----------
    seconds : dict of str to list of float
    reference : str
    targets : dict of str to float
        Maximum ratio of some contenders.
    **case : str
        Entries that all rows share.
    """
    rows = []
    for name, times in seconds.items():
        ratio = median_ratio(times, seconds[reference])
        rows.append(
            {
                **case,
                "contender": name + (" (1.00)" if name == reference else ""),
                "median s": median(times),
                "least s": min(times),
                "ratio of medians": ratio,
                **verdict(ratio, at_most=targets.get(name)),
            }
        )
    return rows


def print_header(title):
    """Title, and the environment of the measurements below it."""
    print(f"{title}\n" + ", ".join(f"{name} {value}" for name, value in environment().items()))


def print_table(rows, *, title=None):
    """Print dicts as a table; floats with three digits, a dash for missing values."""
    columns = list(dict.fromkeys(name for row in rows for name in row))
    cells = [columns, *([_cell(row.get(name)) for name in columns] for row in rows)]
    widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
    cells.insert(1, ["-" * width for width in widths])
    print(f"\n{title}" if title else "")
    for line in cells:
        padded = (cell.ljust(width) for cell, width in zip(line, widths, strict=True))
        print("  ".join(padded).rstrip())


def _cell(value):
    if isinstance(value, bool):
        return "yes" if value else "no"
    if value is None:
        return "-"
    if isinstance(value, float):
        return f"{value:.3g}" if abs(value) < 1000 else f"{value:.0f}"
    return str(value)


# Files -------------------------------------------------------------------------------------


def environment():
    """Versions, those of other packages where installed, machine and threads."""
    others = {}
    for name in PACKAGES:
        with contextlib.suppress(importlib.metadata.PackageNotFoundError):
            others[name] = importlib.metadata.version(name)
    return {
        "python": platform.python_version(),
        "numpy": np.__version__,
        "scikit-learn": sklearn.__version__,
        "torch": torch.__version__,
        "skdeep": skdeep.__version__,
        **others,
        "machine": platform.machine(),
        "cores": os.cpu_count(),
        "torch threads": torch.get_num_threads(),
    }


def write_json(path, records, **more):
    """Write records to a file, unless the path is None; the file is replaced atomically."""
    if path is None:
        return
    text = json.dumps({**more, "records": records}, indent=1, default=_as_json)
    part = path.with_name(f"{path.name}.{os.getpid()}.part")
    part.write_text(text + "\n", encoding="utf-8")
    part.replace(path)


def _as_json(value):
    return str(value) if isinstance(value, Path) else float(value)


class Report:
    """Prints tables as they come, and keeps all rows in one file.

    Parameters
    ----------
    title : str
    args : Namespace
        Arguments of the command line; the file is ``args.json``.
    **more : object
        Further entries of the file.
    """

    def __init__(self, title, args, **more):
        print_header(title)
        self.args, self.more, self.rows = args, more, []

    def add(self, rows, *, title=None, **labels):
        """Print a table; the file gets its rows too, each with the labels."""
        print_table(rows, title=title)
        self.keep([{**labels, **row} for row in rows])

    def keep(self, rows):
        """Put rows into the file without printing them."""
        self.rows += rows
        settings = {"environment": environment(), "settings": vars(self.args)}
        write_json(self.args.json, self.rows, **settings, **self.more)

    def exit_status(self):
        """1 if a target was missed, else 0."""
        return int(any(row["met"] is False for row in self.rows))
