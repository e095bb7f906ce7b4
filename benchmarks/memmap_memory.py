"""Memory use of ``fit`` on memory-mapped and sparse data: 2 million samples with 100 features.

Each case runs in a new process, which opens the data, records its memory use, trains an autoencoder
for one epoch and transforms a slice, while a thread reads /proc/self/status every few milliseconds.
The benchmark reports the peak increase over the level before ``fit`` of

- anonymous memory (RssAnon): arrays and buffers, with a target of 500 MB;
- file pages (RssFile): the part of the file that the system currently maps, which it reclaims when
  memory is short.

The exit status is 1 if a case misses the target. Requires Linux.

    python benchmarks/memmap_memory.py
    python benchmarks/memmap_memory.py --smoke
"""

import argparse
import json
import subprocess
import sys
import tempfile
import threading
from pathlib import Path

import numpy as np
import scipy.sparse as sp
from _harness import Report, make_parser, parse, stopwatch, verdict

from skdeep.decomposition import Autoencoder

TARGET_MB = 500
N_FEATURES = 100
DENSITY = 0.05
SLAB_ROWS = 100_000
SLICE_ROWS = 10_000
CASES = ("memmap", "csr")


class MemoryPeak:
    """Context manager that monitors the memory of this process and keeps the maximum."""

    def __enter__(self):
        self.before = resident_mb()
        self.peak = dict(self.before)
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._sample)
        self._thread.start()
        return self

    def __exit__(self, *error):
        self._stop.set()
        self._thread.join()

    def _sample(self):
        while not self._stop.wait(0.002):
            for name, value in resident_mb().items():
                self.peak[name] = max(self.peak[name], value)

    def extra(self, name):
        """Increase over the level at the start in MB."""
        return self.peak[name] - self.before[name]


def resident_mb():
    """Anonymous and file-backed resident memory of this process in MB."""
    lines = Path("/proc/self/status").read_text(encoding="ascii").splitlines()
    fields = dict(line.split(":", 1) for line in lines if line.startswith("Rss"))
    return {name: int(fields[name].split()[0]) * 1024 / 1e6 for name in ("RssAnon", "RssFile")}


def write_memmap(path, n_rows):
    """File of float32 rows, written in slabs."""
    rng = np.random.default_rng(0)
    mixing = rng.standard_normal((5, N_FEATURES), dtype=np.float32)
    X = np.memmap(path, dtype=np.float32, mode="w+", shape=(n_rows, N_FEATURES))
    for start in range(0, n_rows, SLAB_ROWS):
        rows = X[start : start + SLAB_ROWS]
        rows[:] = rng.standard_normal((len(rows), 5), dtype=np.float32) @ mixing
    X.flush()


def write_csr(path, n_rows):
    """File of a sparse matrix, uncompressed."""
    slabs = [
        sp.random_array(
            (min(SLAB_ROWS, n_rows - start), N_FEATURES),
            density=DENSITY,
            format="csr",
            dtype=np.float32,
            rng=start,
        )
        for start in range(0, n_rows, SLAB_ROWS)
    ]
    sp.save_npz(path, sp.vstack(slabs, format="csr"), compressed=False)


def open_rows(case, path):
    """Data of a case as it is passed to ``fit``."""
    if case == "csr":
        return sp.load_npz(path)
    return np.memmap(path, dtype=np.float32, mode="r").reshape(-1, N_FEATURES)


def measure(case, path, args):
    """Measure one case in this process."""
    X = open_rows(case, path)
    estimator = Autoencoder(
        10, max_epochs=args.epochs, batch_size=args.batch_size, device="cpu", random_state=0
    )
    # what libraries load on first use is not due to the data
    Autoencoder(10, max_epochs=1, device="cpu", random_state=0).fit(X[:1000])
    figures = {}
    with MemoryPeak() as memory, stopwatch(figures, "fit"):
        estimator.fit(X)
    codes = estimator.transform(X[:SLICE_ROWS])
    assert codes.shape == (min(X.shape[0], SLICE_ROWS), 10)
    assert np.isfinite(codes).all()
    dense_mb = 4 * X.shape[0] * X.shape[1] / 1e6
    return {
        "case": case,
        "rows": X.shape[0],
        "dense float32 MB": dense_mb,
        "level before MB": memory.before["RssAnon"],
        "extra anonymous MB": memory.extra("RssAnon"),
        "extra file pages MB": memory.extra("RssFile"),
        "fit s": figures["fit_s"],
        **verdict(memory.extra("RssAnon"), at_most=TARGET_MB),
    }


def measure_in_new_process(case, path, args):
    """Measure one case in a separate process."""
    command = [sys.executable, __file__, "--child", case, str(path)]
    command += ["--epochs", str(args.epochs), "--batch-size", str(args.batch_size)]
    command += ["--smoke"] if args.smoke else []
    done = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True)
    return json.loads(done.stdout)


def main():
    parser = make_parser(__doc__, cases=CASES, rows=2_000_000, epochs=1, batch_size=1024)
    parser.add_argument("--child", nargs=2, metavar=("CASE", "PATH"), help=argparse.SUPPRESS)
    args = parse(parser, rows=20_000)
    if not Path("/proc/self/status").exists():
        parser.error("memory is read from /proc/self/status, which requires Linux")
    if args.child:
        case, path = args.child
        print(json.dumps(measure(case, path, args), default=float))
        return 0
    report = Report("Memory of fit on a memory map and on a sparse matrix", args)
    rows = []
    with tempfile.TemporaryDirectory() as folder:
        for case in args.cases:
            path = Path(folder) / f"{case}.{'npz' if case == 'csr' else 'dat'}"
            (write_csr if case == "csr" else write_memmap)(path, args.rows)
            rows.append(measure_in_new_process(case, path, args))
            path.unlink()
    report.add(rows)
    return report.exit_status()


if __name__ == "__main__":
    sys.exit(main())
