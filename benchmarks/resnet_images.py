"""Small images: MNIST in ten epochs and digits in a pipeline, accuracy and seconds over seeds.

MNIST's rows are 784 float32 pixels in [0, 1]. Each seed trains `ResNetClassifier` with three basic
blocks, a convolution in front and images moved by up to two pixels, and predicts the 10,000 test
rows once, behind the training. Target: a mean accuracy of .993 after at most ten epochs.

digits are 1797 images of 8 x 8 in a pipeline behind `MinMaxScaler`: five folds, drawn by the seed,
the same for every model. Target: five fits and predictions take less than 30 seconds. Beside it
stand sklearn's perceptron and support vectors with their defaults. The net has MNIST's settings,
but for the length of training.

MNIST's settings were chosen with ``--validation``, which leaves the test rows alone: the last
10,000 of the 60,000 training rows are scored, and those before them are trained on. What was tried
stands beside `PARAMETERS`. digits have no such mode: nothing was chosen by their folds.

    python benchmarks/resnet_images.py --json images.json
    python benchmarks/resnet_images.py --datasets mnist --validation --train-rows 10000 \\
        --epochs 4 --set lr=0.003
    python benchmarks/resnet_images.py --train-rows 500 --epochs 1 --seeds 1       # a smoke test

What the file holds already is not measured again, unless parameters have changed; the table is
made of all its records. MNIST comes from the folder in the environment variable SKDEEP_DATA, else
from OpenML.
"""

import contextlib
import functools
import itertools
import statistics
import time
import warnings
from typing import NamedTuple

import numpy as np
from _common import (
    Records,
    environment,
    limited_threads,
    make_parser,
    mnist,
    parameter_values,
    print_header,
    print_table,
    setting,
)
from sklearn.datasets import load_digits
from sklearn.exceptions import ConvergenceWarning
from sklearn.model_selection import StratifiedKFold
from sklearn.neural_network import MLPClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import MinMaxScaler
from sklearn.svm import SVC

from skdeep.neural_network import ResNetClassifier

N_HELD_OUT = 10_000
N_FOLDS = 5
# Tried with --validation, 10,000 training rows, 4 epochs, seed 0; accuracy of the rows held out:
# batches of 128: lr .003 .9755, .01 .9807 (.9798 with weight_decay .01), .02 .9808; batches of 64:
# lr .01 .9832, as fast. digits' epochs: the training loss is .01 behind them.
SHARED = {
    "n_blocks": 1,
    "stem_width": 16,
    "dropout": 0.0,
    "augment": "shift",
    "lr": 0.01,
    "lr_schedule": "onecycle",
    "weight_decay": 1e-5,
    "batch_size": 64,
    "tol": 0.0,
}
PARAMETERS = {
    "mnist": {**SHARED, "image_shape": (28, 28), "max_epochs": 10},
    "digits": {**SHARED, "image_shape": (8, 8), "max_epochs": 20},
}
PEERS = {"mlp": MLPClassifier, "svc": SVC}
MODELS = {"mnist": ["resnet"], "digits": ["resnet", *PEERS]}
# Names a record; one of other parameters takes its place.
KEY = ("dataset", "model", "seed", "scored_on", "train_rows", "settings")
TARGETS = {"mnist": "accuracy >= .993", "digits": "fit + predict < 30 s"}


class Part(NamedTuple):
    """Rows to train on and rows to score."""

    X_train: np.ndarray
    y_train: np.ndarray
    X_score: np.ndarray
    y_score: np.ndarray


@functools.cache
def load_mnist():
    return mnist()


def parts(wanted):
    """What one record is made of: one part for MNIST, one for each fold of digits."""
    limit = wanted["train_rows"]
    if wanted["dataset"] == "digits":
        X, y = load_digits(return_X_y=True)
        folds = StratifiedKFold(N_FOLDS, shuffle=True, random_state=wanted["seed"])
        for train, score in folds.split(X, y):
            yield Part(X[train[:limit]], y[train[:limit]], X[score], y[score])
        return
    X, y, X_score, y_score = load_mnist()
    if wanted["scored_on"] == "validation":
        X, X_score = np.split(X, [-N_HELD_OUT])
        y, y_score = np.split(y, [-N_HELD_OUT])
    yield Part(X[:limit], y[:limit], X_score, y_score)


def build(wanted, parameters):
    """Estimator of a record; digits get a pipeline."""
    cls = PEERS.get(wanted["model"], ResNetClassifier)
    model = cls(**parameters, random_state=wanted["seed"])
    return model if wanted["dataset"] == "mnist" else make_pipeline(MinMaxScaler(), model)


# Records -----------------------------------------------------------------------------------


@contextlib.contextmanager
def stopwatch(seconds, name):
    """Add the wall's and the processor's seconds to ``<name>_s`` and ``<name>_cpu_s``."""
    wall, cpu = time.perf_counter(), time.process_time()
    yield
    for suffix, elapsed in (
        ("s", time.perf_counter() - wall),
        ("cpu_s", time.process_time() - cpu),
    ):
        key = f"{name}_{suffix}"
        seconds[key] = seconds.get(key, 0.0) + elapsed


def measure(wanted, parameters, threads):
    """The record: training and prediction of each part, seconds summed over parts."""
    seconds, accuracies, curves = {}, [], []
    with limited_threads(threads), warnings.catch_warnings():
        # the perceptron's number of epochs is meant to end the training
        warnings.filterwarnings("ignore", "Stochastic Optimizer", ConvergenceWarning)
        for part in parts(wanted):
            model = build(wanted, parameters)
            with stopwatch(seconds, "fit"):
                model.fit(part.X_train, part.y_train)
            with stopwatch(seconds, "predict"):
                y_pred = model.predict(part.X_score)
            accuracies.append(float(np.mean(y_pred == part.y_score)))
            net = model if wanted["dataset"] == "mnist" else model[-1]
            curves.append(getattr(net, "loss_curve_", None))
        measured_with = environment("skorch")
    return {
        **wanted,
        "score": float(np.mean(accuracies)),
        "scores": accuracies,
        **seconds,
        "loss_curves": curves,
        "rows": [len(part.y_train), len(part.y_score)],
        "threads": measured_with["torch threads"],
        "versions": measured_with,
    }


def describe(dataset, model, seed, args):
    """What is to be measured, in a record's terms, and the estimator's parameters."""
    parameters = {}
    if model not in PEERS:
        parameters = {**PARAMETERS[dataset], **parameter_values(args.set)}
        parameters["max_epochs"] = args.epochs or parameters["max_epochs"]
    wanted = {
        "dataset": dataset,
        "model": model,
        "seed": seed,
        "scored_on": "validation" if args.validation else "test",
        "train_rows": args.train_rows,
        "settings": dict(args.set) | ({"epochs": str(args.epochs)} if args.epochs else {}),
        "parameters": {name: repr(value) for name, value in parameters.items()},
    }
    return wanted, parameters


def run(args, records):
    """Measure what the file does not hold, seed by seed."""
    for seed, dataset in itertools.product(range(args.seeds), args.datasets):
        for model in MODELS[dataset]:
            wanted, parameters = describe(dataset, model, seed, args)
            if records.has(wanted, "parameters") and not args.again:
                continue
            record = measure(wanted, parameters, args.threads)
            records.add(record)
            print(
                f"{dataset} {model} seed {seed}: accuracy {record['score']:.4f}, "
                f"fit {record['fit_s']:.1f} s ({record['fit_cpu_s']:.1f} s of the processor), "
                f"predict {record['predict_s']:.2f} s",
                flush=True,
            )


# Table -------------------------------------------------------------------------------------


def print_records(records):
    """One table for each data set and kind of scored rows."""
    for dataset, scored_on in itertools.product(PARAMETERS, ("test", "validation")):
        groups = {}
        for record in records:
            if (record["dataset"], record["scored_on"]) == (dataset, scored_on):
                settings = " ".join(f"{k}={v}" for k, v in record["settings"].items())
                key = (MODELS[dataset].index(record["model"]), record["rows"][0], settings)
                groups.setdefault(key, []).append(record)
        if groups:
            title = f"{dataset}: accuracy on the {scored_on} rows"
            title += f", means of {N_FOLDS} folds" if dataset == "digits" else ""
            print_table([_row(*item) for item in sorted(groups.items())], title=title)


def _row(key, records):
    _, n_rows, settings = key
    first, scores = records[0], [record["score"] for record in records]
    has_target = first["model"] == "resnet" and first["scored_on"] == "test"

    def median(name):
        return statistics.median(record[name] for record in records)

    return {
        "model": first["model"],
        "settings": settings or None,
        "rows": n_rows,
        "mean": f"{np.mean(scores):.4f}",
        "sd": f"{np.std(scores, ddof=1):.4f}" if len(scores) > 1 else None,
        "seeds": len(scores),
        "fit s": median("fit_s"),
        "of the processor": median("fit_cpu_s"),
        "predict s": median("predict_s"),
        "threads": "/".join(sorted({str(record["threads"]) for record in records})),
        "target": TARGETS[first["dataset"]] if has_target else None,
    }


def main():
    parser = make_parser(__doc__)
    datasets = list(PARAMETERS)
    parser.add_argument("--datasets", nargs="+", choices=datasets, default=datasets)
    parser.add_argument("--seeds", type=int, default=3, help="runs, each with its own seed")
    parser.add_argument("--train-rows", type=int, help="only so many rows to train on")
    parser.add_argument("--epochs", type=int, help="other than the data sets' own")
    parser.add_argument("--threads", type=int, help="default: left as they are")
    parser.add_argument("--again", action="store_true", help="measure what the file holds already")
    parser.add_argument("--validation", action="store_true", help="leave MNIST's test rows alone")
    parser.add_argument(
        "--set",
        nargs="+",
        type=setting,
        default=[],
        metavar="NAME=VALUE",
        help="parameters of the residual net, in place of PARAMETERS",
    )
    args = parser.parse_args()
    args.set.sort()
    if args.validation and args.datasets != ["mnist"]:
        parser.error("--validation is for MNIST: add --datasets mnist")
    print_header("Small images on the CPU")
    records = Records(args.json, KEY)
    run(args, records)
    print_records(records.all)


if __name__ == "__main__":
    main()
