"""Helpers of gpu.py: time budget, data, nets, and subprocesses."""

import contextlib
import importlib.util
import os
import pickle
import re
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from _data import enlarged_digits, has_mnist, mnist
from _harness import synchronize

from skdeep.decomposition import Autoencoder, VariationalAutoencoder
from skdeep.generative import GANSampler
from skdeep.neural_network import ResNetClassifier

GIB = 2**30
ROOT = Path(__file__).resolve().parents[1]
# Applies pickled estimators in a process without a visible GPU, like on another machine.
ELSEWHERE = """
import os, pathlib, pickle, sys, warnings
os.environ["CUDA_VISIBLE_DEVICES"] = ""
warnings.simplefilter("ignore")  # about the missing device
folder = pathlib.Path(sys.argv[1])
calls = pickle.loads((folder / "calls.pkl").read_bytes())
assert all(estimator.device_ == "cpu" for estimator, _, _ in calls)
results = [getattr(estimator, method)(X) for estimator, method, X in calls]
(folder / "results.pkl").write_bytes(pickle.dumps(results))
"""


@dataclass(frozen=True)
class Sizes:
    """Sizes of the measurements."""

    rows: int = 20_000
    layers: tuple = (2000, 1000, 500)
    image_rows: int = 3000
    image_net: tuple = (2, 32)  # blocks of a stage and channels
    wide_rows: int = 40_960
    wide_layers: tuple = (4096, 4096, 1024)
    wide_epochs: int = 5
    repeats: int = 3
    # net, fits and epochs of each search, in which every net has three folds
    searches: tuple = (
        ("autoencoder", 300, 50),
        ("autoencoder", 1002, 50),
        ("dense", 300, 50),
        ("residual", 300, 50),
        ("images", 60, 20),
    )
    singles: int = 4  # values of lr that are also tried one by one
    independent_rows: int = 3000
    independent_nets: tuple = (
        "7-33-5",
        "784-500-500-2000-10",
        "convolutional 28 x 28, 16-32-10",
    )
    fit_rows: int = 1000
    gan_rows: int | None = None
    gan_epochs: int | None = None  # None: as many as the time allows


FULL = Sizes()
SMOKE = Sizes(
    rows=512,
    layers=(32,),
    image_rows=64,
    image_net=(1, 4),
    wide_rows=512,
    wide_layers=(64, 32),
    wide_epochs=2,
    repeats=1,
    searches=(
        ("autoencoder", 12, 2),
        ("dense", 6, 2),
        ("residual", 6, 2),
        ("images", 6, 1),
    ),
    singles=2,
    independent_rows=300,
    independent_nets=("7-33-5", "64-32-10"),
    fit_rows=200,
    gan_rows=300,
    gan_epochs=2,
)


class Session:
    """Device, sizes, and remaining time.

    Parameters
    ----------
    device : str
    sizes : Sizes
    budget : float
        Total time in seconds.
    """

    def __init__(self, device, sizes, budget):
        self.device, self.sizes = device, sizes
        self.end = time.perf_counter() + budget

    def left(self):
        """Seconds until the budget is spent."""
        return self.end - time.perf_counter()

    def seconds(self, run, repeats=1):
        """Median time of a callable, synchronized with the device."""
        times = []
        for _ in range(repeats):
            synchronize(self.device)
            start = time.perf_counter()
            run()
            synchronize(self.device)
            times.append(time.perf_counter() - start)
        return statistics.median(times)


def describe(device):
    """Hardware and settings of the measurements."""
    flags = {
        "tf32 of products": torch.backends.cuda.matmul.allow_tf32,
        "tf32 of convolutions": torch.backends.cudnn.allow_tf32,
        "cudnn.benchmark": torch.backends.cudnn.benchmark,
    }
    if device == "cpu":
        return {"device": "cpu"}
    name = torch.cuda.get_device_name(device)
    memory = torch.cuda.get_device_properties(device).total_memory / GIB
    return {"device": name, "GiB": round(memory), "cuda": torch.version.cuda, **flags}


def row(what, value, target=None, met=None, **numbers):
    """Make a line of the table: description, results, and whether a target is met."""
    return {"what": what, "value": value, "target": target, "met": met, **numbers}


def images(n_rows):
    """Images of 784 pixels in [0, 1] and their classes: MNIST, or digits enlarged."""
    if has_mnist():
        return mnist(n_train=n_rows, n_test=0)[:2]
    return enlarged_digits(n_rows)


def estimators(session):
    """Small nets of all kinds by name, each with a method that returns one result per row."""
    shared = {"max_epochs": 2, "device": session.device, "random_state": 0}
    image = {"image_shape": (28, 28), "stem_width": 8, "n_blocks": 1}
    noisy = {"noise": 0.1, "dropout": 0.1, "batch_norm": True}
    return {
        "Autoencoder": (Autoencoder(10, **noisy, **shared), "reconstruct"),
        "VariationalAutoencoder": (VariationalAutoencoder(10, **shared), "score_samples"),
        "ResNetClassifier": (ResNetClassifier(**shared), "predict_proba"),
        "ResNetClassifier, images": (ResNetClassifier(**image, **shared), "predict_proba"),
        "GANSampler": (GANSampler(**shared), "score_samples"),
    }


def largest_distance(a, b):
    """Maximum absolute difference between two arrays."""
    return float(np.abs(np.asarray(a, dtype=float) - np.asarray(b, dtype=float)).max())


def distance_of_weights(a, b):
    """Maximum absolute difference between the weights and statistics of two fitted nets."""
    states = a.module_.state_dict(), b.module_.state_dict()
    return max(float((states[0][name] - states[1][name]).abs().max()) for name in states[0])


@contextlib.contextmanager
def deterministic_convolutions():
    """Context manager in which cuDNN uses deterministic kernels only."""
    before = torch.backends.cudnn.deterministic
    torch.backends.cudnn.deterministic = True
    try:
        yield
    finally:
        torch.backends.cudnn.deterministic = before


@contextlib.contextmanager
def time_limit(seconds):
    """Context manager that raises TimeoutError after a number of seconds."""

    def stop(*_):
        raise TimeoutError(f"took longer than {seconds:.0f} s")

    before = signal.signal(signal.SIGALRM, stop)
    signal.setitimer(signal.ITIMER_REAL, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


def apply_elsewhere(calls):
    """Load estimators in a process without a GPU and apply them there; list of ndarray.

    Parameters
    ----------
    calls : iterable of (estimator, str, ndarray)
        Fitted estimator, name of a method, and rows.
    """
    with tempfile.TemporaryDirectory() as folder:
        Path(folder, "calls.pkl").write_bytes(pickle.dumps(list(calls)))
        command = [sys.executable, "-c", ELSEWHERE, folder]
        done = subprocess.run(command, env=_environment(), capture_output=True, text=True)
        if done.returncode:
            raise RuntimeError(done.stderr.strip())
        return pickle.loads(Path(folder, "results.pkl").read_bytes())


def run_gpu_tests():
    """Run the tests marked ``gpu``; return counts by outcome and pytest's output.

    Only files with such tests are collected, since others may require packages not installed here.
    """
    files = [
        str(path)
        for path in sorted(ROOT.glob("tests/**/test_*.py"))
        if "mark.gpu" in path.read_text()
    ]
    # the tests turn warnings into errors, but those of other package versions must not fail them
    options = ["-m", "gpu", "-q", "-rf", "--tb=short", "-p", "no:cacheprovider"]
    options += ["-W", "default::DeprecationWarning", "-W", "default::FutureWarning"]
    options += ["-p", "no:benchmark"]  # which warns of workers, if it is installed
    n_workers = min(4, (os.cpu_count() or 1) // 2)
    if n_workers > 1 and importlib.util.find_spec("xdist"):
        options += ["-n", str(n_workers)]
    command = [sys.executable, "-m", "pytest", *options, *files]
    done = subprocess.run(command, env=_environment(), cwd=ROOT, capture_output=True, text=True)
    last = (done.stdout.strip().splitlines() or [""])[-1]
    counts = {name: int(number) for number, name in re.findall(r"(\d+) ([a-z]+)", last)}
    return counts, done.stdout + done.stderr


def _environment():
    path = os.pathsep.join([str(ROOT), *filter(None, [os.environ.get("PYTHONPATH")])])
    return {**os.environ, "PYTHONPATH": path}
