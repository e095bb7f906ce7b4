"""SelfOrganizingMap beside other packages' maps: time, quantization and topographic error, memory.

Parts of the benchmark, in which all maps have equal numbers of epochs:

- ``peers``: 20 x 20 units on 10,000 standardized samples with 64 features (blobs). MiniSom, XPySom,
  TorchSOM, SuSi and somoclu take part where they are installed; ``minisom-batch`` is MiniSom's
  ``train_batch_offline``. Radii are those of SelfOrganizingMap for the packages that take a start
  and an end, else their defaults. Errors of all maps are computed by the same code, with units that
  share a side or a corner as adjacent, and are means over maps with different seeds. A smaller
  final radius lowers one error and raises the other; the columns ``ours`` have the lowest
  quantization error of SelfOrganizingMap, among several final radii, whose topographic error is not
  higher than that of the package: of batches, of mini-batches, and of batches with five times as
  many epochs, if these take no longer than the package.
- ``loop``: principal plane, batch epochs and labels written by hand from the same operations of
  torch and NumPy, without validation, the errors of the epochs and everything else.
- ``growth``: time of an epoch by numbers of samples, features and units.
- ``memory``: anonymous memory of ``fit`` on a memory map of 2 million samples with 100 features.
- ``quality``: iris and digits with default parameters; features as they are, but pixels divided by
  16, as in the figures of the literature. Standardized iris is shown beside it.

Time is processor time by default, summed over threads.

    python benchmarks/som.py
    python benchmarks/som.py --parts peers loop --clock wall
    python benchmarks/som.py --smoke
"""

import argparse
import contextlib
import importlib.util
import io
import json
import subprocess
import sys
import tempfile
import time
import warnings
from functools import partial
from pathlib import Path

import numpy as np
import torch
from _harness import (
    Report,
    alternate,
    limited_threads,
    make_parser,
    median,
    median_ratio,
    parse,
    stopwatch,
    verdict,
)
from memmap_memory import MemoryPeak, open_rows, write_memmap
from sklearn.datasets import load_digits, load_iris, make_blobs
from sklearn.metrics import euclidean_distances
from sklearn.preprocessing import StandardScaler

from skdeep.cluster import SelfOrganizingMap

PARTS = ("peers", "loop", "growth", "memory", "quality")
SIDE, RADII = 20, (10.0, 0.55)
FINAL_RADII = (
    0.3,
    0.35,
    0.4,
    0.5,
    0.55,
    1.0,
    1.5,
    2.0,
    2.5,
    3.0,
    3.2,
    3.4,
    3.5,
    3.6,
    3.8,
    4.0,
    5.0,
)
LONGER = 5  # times as many epochs
PACKAGES = {
    "minisom": "minisom",
    "minisom-batch": "minisom",
    "xpysom": "xpysom",
    "torchsom": "torchsom",
    "susi": "susi",
    "somoclu": "somoclu",
}
# Minimum ratio of a package's time to ours.
TARGETS = {"minisom": 25, "xpysom": 2, "torchsom": 1.5, "susi": 1.5, "somoclu": 1.5}
MOST_MB = 500


def ours(X, n_epochs, seed=0, **params):
    """Train our map; return the unit weights."""
    params = {"device": "cpu", "random_state": seed, "max_epochs": n_epochs, **params}
    return SelfOrganizingMap((SIDE, SIDE), **params).fit(X).cluster_centers_


def by_minisom(X, n_epochs, seed, *, batch=False):
    """Train MiniSom's map for as many presentations of each sample."""
    from minisom import MiniSom

    options = {"sigma": RADII[0], "learning_rate": 0.5, "random_seed": seed}
    som = MiniSom(SIDE, SIDE, X.shape[1], **options)
    som.pca_weights_init(X)
    if batch:
        som.train_batch_offline(X, n_epochs)
    else:
        som.train(X, n_epochs * len(X), random_order=True)
    return som.get_weights().reshape(SIDE**2, -1)


def by_xpysom(X, n_epochs, seed):
    from xpysom import XPySom

    options = {"sigma": RADII[0], "sigmaN": RADII[1], "random_seed": seed, "xp": np}
    som = XPySom(SIDE, SIDE, X.shape[1], **options)
    som.pca_weights_init(X)
    som.train(X, n_epochs)
    return som.get_weights().reshape(SIDE**2, -1)


def by_torchsom(X, n_epochs, seed):
    from torchsom import SOM

    options = {"sigma": RADII[0], "learning_rate": 0.5, "batch_size": 256, "random_seed": seed}
    som = SOM(SIDE, SIDE, X.shape[1], epochs=n_epochs, device="cpu", **options)
    data = torch.from_numpy(X)
    som.initialize_weights(data=data, mode="pca")
    som.fit(data, verbose=False)
    return som.weights.detach().numpy().reshape(SIDE**2, -1)


def by_susi(X, n_epochs, seed):
    from susi import SOMClustering

    n_steps = n_epochs * len(X)
    som = SOMClustering(SIDE, SIDE, n_iter_unsupervised=n_steps, random_state=seed).fit(X)
    return np.asarray(som.unsuper_som_).reshape(SIDE**2, -1)


def by_somoclu(X, n_epochs, seed):
    """Train somoclu's map, in which nothing is random."""
    from somoclu import Somoclu

    som = Somoclu(SIDE, SIDE, initialization="pca")
    som.train(X, epochs=n_epochs, radius0=RADII[0], radiusN=RADII[1])
    return som.codebook.reshape(SIDE**2, -1)


RUNS = {
    "minisom": by_minisom,
    "minisom-batch": partial(by_minisom, batch=True),
    "xpysom": by_xpysom,
    "torchsom": by_torchsom,
    "susi": by_susi,
    "somoclu": by_somoclu,
}


def by_hand(X, n_epochs):
    """Principal plane, batch epochs and labels from the same operations, and nothing else."""
    n_samples = len(X)
    x = torch.from_numpy(X - X.mean(axis=0))
    columns = torch.arange(SIDE, dtype=x.dtype)
    squared = (columns[:, None] - columns).square()
    _, deviations, axes = torch.linalg.svd(x.T @ x / n_samples)
    row, column = torch.meshgrid(columns, columns, indexing="ij")
    scale = 2 / (SIDE - 1)
    at = torch.stack([column.flatten(), row.flatten()], dim=1) * scale - 1
    weights = at * deviations[:2].sqrt() @ axes[:2]
    ones = x.new_ones(n_samples, 1)
    with torch.inference_mode():
        for epoch in range(n_epochs):
            radius = RADII[0] * (RADII[1] / RADII[0]) ** (epoch / max(1, n_epochs - 1))
            sums, hits = torch.zeros_like(weights), weights.new_zeros(len(weights), 1)
            norms = weights.square().sum(dim=1)
            for part, one in zip(x.split(1024), ones.split(1024), strict=True):
                scores = torch.addmm(norms, part, weights.T, alpha=-2)
                best = torch.from_numpy(scores.numpy().argmin(axis=1))
                sums.index_add_(0, best, part)
                hits.index_add_(0, best, one)
            kernel = torch.exp(-0.5 / radius**2 * squared)
            grid = torch.cat([sums, hits], dim=1).reshape(SIDE, -1)
            smooth = kernel @ (kernel @ grid).reshape(SIDE, SIDE, -1)
            weights = (smooth[..., :-1] / smooth[..., -1:].clamp(min=1e-30)).flatten(0, 1)
        norms = weights.square().sum(dim=1)
        for part in x.split(1024):  # the labels
            torch.addmm(norms, part, weights.T, alpha=-2).numpy().argmin(axis=1)
    return weights.numpy() + X.mean(axis=0)


def errors(X, weights):
    """Quantization and topographic error of a map of squares, for all packages alike."""
    distances = euclidean_distances(X.astype(np.float64), weights.astype(np.float64))
    best = np.argpartition(distances, (0, 1), axis=1)[:, :2]
    row, column = np.divmod(best, SIDE)
    is_far = np.maximum(abs(np.diff(row)), abs(np.diff(column))) > 1
    return float(distances.min(axis=1).mean()), float(is_far.mean())


def blobs(n_samples, n_features):
    """Standardized samples of ten blobs, float32."""
    X, _ = make_blobs(n_samples, n_features, centers=10, cluster_std=4.0, random_state=0)
    return StandardScaler().fit_transform(X).astype(np.float32)


@contextlib.contextmanager
def quiet():
    """Without the output and the warnings of packages."""
    with warnings.catch_warnings(), contextlib.redirect_stdout(io.StringIO()):
        warnings.simplefilter("ignore")
        yield


def clock(args):
    return time.perf_counter if args.clock == "wall" else time.process_time


def errors_by_radius(X, n_epochs, seeds=(0,), **params):
    """Mean errors of our maps with each of the final radii."""
    return [
        mean_errors(
            X, [ours(X, n_epochs, seed, radius=(RADII[0], final), **params) for seed in seeds]
        )
        for final in FINAL_RADII
    ]


def mean_errors(X, maps):
    return np.mean([errors(X, weights) for weights in maps], axis=0)


def peers(args):
    """Each package once in turn, and the mean errors of its maps."""
    X = blobs(args.rows, 64)
    installed = [name for name in PACKAGES if importlib.util.find_spec(PACKAGES[name]) is not None]
    print(f"not installed: {sorted(set(PACKAGES) - set(installed))}")
    runs = {"skdeep": ours, "skdeep, mini-batches": partial(ours, algorithm="minibatch")}
    runs |= {name: RUNS[name] for name in installed}
    maps = {name: [] for name in runs}

    def contender(name):
        return lambda: maps[name].append(runs[name](X, args.epochs, len(maps[name])))

    with quiet(), limited_threads(args.threads):
        contenders = {name: contender(name) for name in runs}
        seconds = alternate(contenders, args.rounds, warmups=int(not args.smoke), clock=clock(args))
        seeds = range(len(maps["skdeep"]))
        candidates = {
            "ours": errors_by_radius(X, args.epochs),
            "ours, mini-batches": errors_by_radius(X, args.epochs, seeds, algorithm="minibatch"),
            f"ours, {LONGER} x epochs": errors_by_radius(X, LONGER * args.epochs),
        }
    for name in runs:
        ratio = median_ratio(seconds[name], seconds["skdeep"])
        quantization, topographic = mean_errors(X, maps[name])
        row = {"map": name, "median s": median(seconds[name]), "ratio": ratio}
        row |= {"quantization error": quantization, "topographic error": topographic}
        for column, by_radius in candidates.items():
            is_too_slow = "epochs" in column and ratio < LONGER
            found = [] if is_too_slow else [q for q, t in by_radius if t <= topographic]
            row[column] = min(found, default=np.nan)
        yield {**row, **verdict(ratio, at_least=TARGETS.get(name))}


def loop(args):
    """Our ``fit`` beside the same operations, written by hand."""
    for dtype in (np.float32, np.float64):
        X = blobs(args.rows, 64).astype(dtype)
        contenders = {
            "by hand": lambda X=X: by_hand(X, args.epochs),
            "skdeep": lambda X=X: ours(X, args.epochs),
        }
        with limited_threads(args.threads):
            seconds = alternate(contenders, 3 * args.rounds, clock=clock(args))
            maps = [run(X, args.epochs) for run in (by_hand, ours)]
        quantization = [errors(X, weights)[0] for weights in maps]
        ratio = median_ratio(seconds["skdeep"], seconds["by hand"])
        yield {
            "dtype": np.dtype(dtype).name,
            "by hand s": median(seconds["by hand"]),
            "skdeep s": median(seconds["skdeep"]),
            "ratio": ratio,
            "same error": bool(np.isclose(*quantization, rtol=1e-2)),
            **verdict(ratio, at_most=1.15),
        }


def growth(args):
    """Seconds per epoch, with one of the three numbers changed."""
    small = {"samples": args.rows, "features": 64, "side": SIDE}
    steps = {"samples": (1, 4, 16), "features": (1, 4, 16), "side": (1, 2, 4)}
    for name, factors in steps.items():
        for factor in factors if not args.smoke else (1,):
            case = small | {name: small[name] * factor}
            X, seconds = blobs(case["samples"], case["features"]), []
            for n_epochs in (2, 6):
                shape, start = (case["side"], case["side"]), clock(args)()
                options = {"device": "cpu", "random_state": 0, "max_epochs": n_epochs}
                with limited_threads(args.threads):
                    SelfOrganizingMap(shape, **options).fit(X)
                seconds.append(clock(args)() - start)
            yield {"grows": name, **case, "s per epoch": (seconds[1] - seconds[0]) / 4}


def memory_of_fit(path):
    """Extra memory of a fit in this process, in MB."""
    X, figures = open_rows("memmap", path), {}
    options = {"device": "cpu", "random_state": 0, "max_epochs": 2}
    SelfOrganizingMap((SIDE, SIDE), **options).fit(X[:1000])
    with MemoryPeak() as peak, stopwatch(figures, "fit"):
        SelfOrganizingMap((SIDE, SIDE), **options).fit(X)
    return {"rows": len(X), "extra MB": peak.extra("RssAnon"), **figures}


def memory(args):
    """The same in a new process."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "rows.dat"
        write_memmap(path, args.memory_rows)
        command = [sys.executable, __file__, "--child", str(path)]
        done = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True)
    figures = json.loads(done.stdout.splitlines()[-1])
    yield {**figures, **verdict(figures["extra MB"], at_most=MOST_MB)}


def quality(args):
    """Both errors with default parameters, as the package computes them."""
    iris, digits = load_iris().data, load_digits().data / 16
    cases = {
        "iris": (iris, 0.207, 0.04),
        "digits / 16": (digits, 1.225, 0.10),
        "standardized iris": (StandardScaler().fit_transform(iris), None, None),
    }
    for name, (X, most_quantization, most_topographic) in cases.items():
        for topology in ("rectangular", "hexagonal"):
            options = {"topology": topology, "device": "cpu", "random_state": 0}
            som = SelfOrganizingMap((10, 10), **options).fit(X)
            figures = som.quantization_error(X), som.topographic_error(X)
            row = {"data": name, "grid": f"10 x 10 {topology}"}
            row |= dict(zip(("quantization error", "topographic error"), figures, strict=True))
            if topology == "hexagonal" or most_quantization is None:
                yield {**row, **verdict(0.0)}
                continue
            is_met = figures[0] <= most_quantization and figures[1] <= most_topographic
            target = f"<= {most_quantization} / {most_topographic}"
            yield {**row, "target": target, "met": is_met}


def main():
    parser = make_parser(
        __doc__, parts=PARTS, rows=10_000, memory_rows=2_000_000, epochs=20, rounds=3, threads=None
    )
    parser.add_argument("--clock", choices=("cpu", "wall"), default="cpu")
    parser.add_argument("--child", metavar="PATH", help=argparse.SUPPRESS)
    args = parse(parser, rows=300, memory_rows=20_000, epochs=2, rounds=1)
    if args.child:
        print(json.dumps(memory_of_fit(args.child), default=float))
        return 0
    report = Report("Self-organizing maps", args)
    parts = {f.__name__: f for f in (peers, loop, growth, memory, quality)}
    for name in args.parts:
        report.add(list(parts[name](args)), title=name, part=name)
    return 0


if __name__ == "__main__":
    sys.exit(main())
