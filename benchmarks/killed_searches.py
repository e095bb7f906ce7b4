"""Do searches whose processes are killed end with the scores of an undisturbed one?

- ``workers``: while a search over plain scikit-learn estimators and one over nets run on two worker
  processes, a worker chosen at random is killed by SIGKILL several times.
- ``dask``: the same on a cluster of two dask workers, which restarts killed ones.
- ``search``: the process of a search with a journal is killed by SIGKILL after a random time, and
  the same call is repeated until it finishes. ``recorded`` is the number of fits in the journal.

For each: number of kills and largest difference from the scores of an undisturbed search, which
must be 0; a missing score counts as a difference. The exit status is 1 if it is not.

    python benchmarks/killed_searches.py
    python benchmarks/killed_searches.py --smoke
"""

import multiprocessing
import os
import signal
import sys
import tempfile
import threading
import time
from pathlib import Path

import joblib
import numpy as np
from _harness import Report, make_parser, parse, print_table, verdict
from sklearn.datasets import load_digits
from sklearn.linear_model import SGDClassifier

from skdeep.model_selection import BatchedGridSearchCV, read_journal
from skdeep.neural_network import ResNetClassifier


def make_search(kind, args, **options):
    """Search over as many fits as the arguments say, in five splits."""
    n_values = args.fits // 5
    if kind == "nets":
        net = ResNetClassifier(n_blocks=1, width=32, max_epochs=3, random_state=0, device="cpu")
        estimator, grid = net, {"lr": np.logspace(-4, -2, n_values).tolist()}
    else:
        estimator = SGDClassifier(random_state=0, max_iter=200, tol=None)
        grid = {"alpha": np.logspace(-6, 0, n_values).tolist()}
    return BatchedGridSearchCV(estimator, grid, cv=5, refit=False, **options)


def scores(search):
    """Scores of all fits."""
    data = load_digits(return_X_y=True)
    results = search.fit(*data).cv_results_
    return np.array([results[f"split{number}_test_score"] for number in range(5)])


def largest_difference(found, expected):
    """Maximum absolute difference; infinite if a score is missing."""
    return float(np.abs(np.nan_to_num(found, nan=np.inf) - expected).max())


class Killer(threading.Thread):
    """Kills child processes at random while a search runs.

    Parameters
    ----------
    n_kills : int
    seconds : float
        Mean time between kills.
    seed : int
    find : callable
        Returns the identifiers of the processes that may be killed.
    """

    def __init__(self, n_kills, seconds, seed, find):
        super().__init__(daemon=True)
        self.n_kills, self.seconds, self.find = n_kills, seconds, find
        self.rng = np.random.default_rng(seed)
        self.n_done = 0
        self.is_over = threading.Event()

    def run(self):
        while self.n_done < self.n_kills:
            if self.is_over.wait(self.rng.exponential(self.seconds)):
                return
            if found := self.find():
                os.kill(int(self.rng.choice(found)), signal.SIGKILL)
                self.n_done += 1

    def __enter__(self):
        self.start()
        return self

    def __exit__(self, *error):
        self.is_over.set()
        self.join()


def children(word):
    """Find the identifiers of the child processes whose command line has a word."""
    found = []
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            parent = int((folder / "stat").read_text().rpartition(")")[2].split()[1])
            if parent == os.getpid() and word in (folder / "cmdline").read_text():
                found.append(int(folder.name))
        except (OSError, ValueError):  # it has just ended
            continue
    return found


def workers(args):
    """Searches on two processes, which are killed."""
    for kind in ("nets", "scikit-learn"):
        expected = scores(make_search(kind, args))
        search = make_search(kind, args, n_jobs=2)
        began = time.perf_counter()
        scores(search)  # starts the processes, which take part in the next search
        pace = max(args.seconds, (time.perf_counter() - began) / (args.kills + 1))
        with Killer(args.kills, pace, 0, lambda: children("loky")) as killer:
            found = scores(search)
        yield row(f"two processes, {kind}", args, killer.n_done, found, expected)


def dask(args):
    """Searches on two dask workers, which are killed."""
    from distributed import Client, LocalCluster

    expected = scores(make_search("scikit-learn", args))
    options = {"n_workers": 2, "threads_per_worker": 1, "dashboard_address": None}
    with (
        tempfile.TemporaryDirectory() as folder,
        LocalCluster(**options, local_directory=folder) as cluster,
        Client(cluster),
    ):

        def find():
            pids = (nanny.pid for nanny in cluster.workers.values())
            return [pid for pid in pids if pid is not None]

        with (
            Killer(max(1, args.kills // 2), args.seconds, 0, find) as killer,
            joblib.parallel_config(backend="dask"),
        ):
            found = scores(make_search("scikit-learn", args, n_jobs=2))
    yield row("dask cluster, scikit-learn", args, killer.n_done, found, expected)


def _search_alone(kind, args, path):
    scores(make_search(kind, args, journal=path))


def search(args):
    """A search with a journal whose own process is killed."""
    context = multiprocessing.get_context("spawn")
    rng = np.random.default_rng(0)
    for kind in ("nets", "scikit-learn"):
        expected = scores(make_search(kind, args))
        with tempfile.TemporaryDirectory() as folder:
            path, n_kills = Path(folder, "search.jsonl"), 0
            while n_kills < args.kills:
                process = context.Process(target=_search_alone, args=(kind, args, path))
                process.start()
                while process.is_alive() and not path.exists():
                    time.sleep(0.01)
                process.join(rng.exponential(args.seconds))
                if not process.is_alive():
                    break
                process.kill()
                process.join()
                n_kills += 1
            found = scores(make_search(kind, args, journal=path))
            n_recorded = int(read_journal(path)["n_splits"].sum())
        yield row(f"own process, {kind}", args, n_kills, found, expected, recorded=n_recorded)


def row(what, args, n_kills, found, expected, **numbers):
    difference = largest_difference(found, expected)
    return {
        "what": what,
        "fits": args.fits,
        "kills": n_kills,
        "largest difference": difference,
        **verdict(difference, at_most=0.0),
        **numbers,
    }


PARTS = {"workers": workers, "dask": dask, "search": search}


def main():
    parser = make_parser(__doc__, parts=PARTS)
    parser.add_argument("--fits", type=int, default=200)
    parser.add_argument("--kills", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=2.0, help="mean time before a kill")
    args = parse(parser, fits=20, kills=1, seconds=0.3)
    report = Report("Searches whose processes are killed", args)
    for name in args.parts:
        report.keep(list(PARTS[name](args)))
    print_table(report.rows)
    return report.exit_status()


if __name__ == "__main__":
    sys.exit(main())
