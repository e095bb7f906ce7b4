"""Does memory grow from fit to fit in a process that never ends?

Each estimator is fitted again and again on new samples; a copy of each fit goes through pickle and
predicts. ``kB per fit`` is the slope of the anonymous memory of the process (RssAnon), by least
squares over the fits after the first fifth. Target: 3 kB. The exit status is 1 if it is missed.

    python benchmarks/repeated_fits.py
    python benchmarks/repeated_fits.py --fits 2000
"""

import gc
import pickle
import sys
import warnings
from pathlib import Path

import numpy as np
from _harness import Report, make_parser, parse, print_table, verdict
from sklearn.exceptions import ConvergenceWarning

from skdeep.cluster import IMSAT
from skdeep.decomposition import Autoencoder
from skdeep.model_selection import BatchedGridSearchCV
from skdeep.neural_network import ResNetClassifier

SMALL = {"max_epochs": 2, "device": "cpu"}
ESTIMATORS = {
    "autoencoder": Autoencoder(2, hidden_layer_sizes=(16,), **SMALL),
    "residual net": ResNetClassifier(n_blocks=1, width=16, **SMALL),
    "clusterer": IMSAT(2, n_init=2, **SMALL),
    "search": BatchedGridSearchCV(Autoencoder(2, **SMALL), {"lr": [1e-3, 1e-2]}, cv=2),
}
TARGET = 3.0


def anonymous_kb():
    """Return the memory of this process that is not backed by a file, in kB."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("RssAnon"))


def slope(name, n_fits):
    """Growth of memory in kB per fit."""
    rng, used = np.random.default_rng(0), []
    for _ in range(n_fits):
        X = rng.normal(size=(100, 5))
        fitted = ESTIMATORS[name].fit(X, np.arange(100) % 2)
        copy = pickle.loads(pickle.dumps(fitted))
        getattr(copy, "predict", getattr(copy, "transform", None))(X)
        gc.collect()
        used.append(anonymous_kb())
    used = used[n_fits // 5 :]
    return float(np.polyfit(np.arange(len(used)), used, 1)[0])


def main():
    parser = make_parser(__doc__, estimators=ESTIMATORS)
    parser.add_argument("--fits", type=int, default=500)
    args = parse(parser, fits=10)
    warnings.simplefilter("ignore", ConvergenceWarning)  # two epochs are few for clusters
    report = Report("Memory of repeated fits", args)
    for name in args.estimators:
        value = slope(name, args.fits)
        target = None if args.smoke else TARGET
        report.keep(
            [
                {"estimator": name, "fits": args.fits, "kB per fit": value}
                | verdict(value, at_most=target)
            ]
        )
    print_table(report.rows)
    return report.exit_status()


if __name__ == "__main__":
    sys.exit(main())
