"""Overhead of the estimator over plain torch: ``fit`` compared with a hand-written training loop.

Each case trains the same net on the same float32 rows with the same optimizer (AdamW, fused), batch
size and number of epochs: once as torch modules in a loop over ``randperm`` and ``index_select``,
and once with ``Autoencoder.fit``. The two take turns in one process; the ratio is that of their
medians. The loop uses one or all threads, whichever is faster; skdeep chooses the number itself.
The measured time includes building the net. ``feature_scaling=None`` is equivalent to the loop; the
default, which also fits and applies the scaling, is shown below it.

``transform`` is compared with one forward pass of the encoder, made of torch modules, over all rows
at once in ``inference_mode``, and with the same pass in chunks of 1024 rows.

The case ``row`` is the latency of a single row: a method of an estimator with default parameters is
compared with a bare forward pass of the same module over that row, in ``inference_mode``. All run
on one thread; times are processor times of one call, and other programs may run meanwhile.

    python benchmarks/overhead.py
    python benchmarks/overhead.py --cases digits residual --rounds 3
    python benchmarks/overhead.py --cases row
    python benchmarks/overhead.py --smoke

MNIST comes from the folder in the environment variable SKDEEP_DATA, else from OpenML.
"""

import functools
import time
from collections.abc import Callable
from typing import NamedTuple

import numpy as np
import pandas as pd
import torch
from _data import digits, mnist, numbers
from _harness import (
    Report,
    alternate,
    best_threads,
    fastest,
    limited_threads,
    make_parser,
    on_each_thread_count,
    on_threads,
    parse,
    timing_rows,
)
from _loops import PlainAutoencoder, copy_weights, count_weights, dense, train
from sklearn.base import clone

from skdeep.cluster import IMSAT
from skdeep.decomposition import Autoencoder
from skdeep.neural_network import ResNetClassifier, ResNetRegressor

FIT_TARGET = 1.10
TRANSFORM_TARGET = 1.15
ROW_TARGET = 2.5
N_FEATURES = 10
LARGE = (784, 500, 500, 2000, 10)
SCALINGS = (None, "global")
LR = 1e-3


class Case(NamedTuple):
    """Data, layer widths and number of epochs."""

    load: Callable  # takes smoke
    widths: tuple
    block: str
    epochs: int


FIT_CASES = {
    "digits": Case(lambda smoke: digits()[0], (64, 32, 10), "dense", 20),
    "mnist": Case(lambda smoke: mnist(n_test=0, smoke=smoke).X_train, LARGE, "dense", 1),
    "residual": Case(lambda smoke: numbers(20000, 8)[0], (8, 128, 128, 3), "residual", 3),
}


def estimator(case, scaling, *, epochs, batch_size):
    """Estimator that trains the net of a case for a fixed number of epochs."""
    return Autoencoder(
        case.widths[-1],
        hidden_layer_sizes=case.widths[1:-1],
        block=case.block,
        feature_scaling=scaling,
        max_epochs=epochs,
        n_iter_no_change=epochs,
        batch_size=batch_size,
        lr=LR,
        optimizer="adamw",
        device="cpu",
        random_state=0,
    )


def title(case, X):
    prefix = "" if case.block == "dense" else f"{case.block} "
    return f"{prefix}{'-'.join(map(str, case.widths))} on {len(X)} x {X.shape[1]}"


def fit_rows(case, args):
    """Rows of the table for one case of ``fit``."""
    X = case.load(args.smoke)[: args.rows]
    x = torch.from_numpy(X)
    options = {"epochs": args.epochs or case.epochs, "batch_size": args.batch_size}

    make_net = functools.partial(PlainAutoencoder, case.widths, residual=case.block == "residual")

    def bare():
        train(make_net(), x, lr=LR, weight_decay=0.0, **options)

    loops = on_each_thread_count("bare loop", bare)
    fits = {f"fit, feature_scaling={one!r}": estimator(case, one, **options) for one in SCALINGS}
    trained = {name: functools.partial(one.fit, X) for name, one in fits.items()}
    seconds = alternate(loops | trained, args.rounds)
    for one in fits.values():
        assert one.n_iter_ == options["epochs"]
        assert count_weights(one.module_) == count_weights(make_net())
    targets = {f"fit, feature_scaling={None!r}": FIT_TARGET}
    name = f"{title(case, X)}, {options['epochs']} epochs"
    return timing_rows(seconds, fastest(seconds, loops), targets, case=name)


def transform_rows(args):
    """Rows of the table for ``transform``."""
    case = FIT_CASES["mnist"]
    X = case.load(args.smoke)[: args.rows]
    x = torch.from_numpy(X)
    options = {"epochs": 1, "batch_size": 128}
    fitted = {
        f"transform, feature_scaling={one!r}": estimator(case, one, **options).fit(X[:512])
        for one in SCALINGS
    }
    transforms = {name: functools.partial(one.transform, X) for name, one in fitted.items()}
    name, unscaled = next(iter(fitted.items()))
    encoder = copy_weights(unscaled.module_.encoder, dense(case.widths))

    def whole():
        with torch.inference_mode():
            return encoder(x)

    def chunked():
        with torch.inference_mode():
            return torch.cat([encoder(part) for part in x.split(1024)])

    np.testing.assert_allclose(unscaled.transform(X), whole().numpy(), rtol=1e-3, atol=1e-4)
    rows = []
    for reference, bare in {"bare forward": whole, "bare, chunks of 1024": chunked}.items():
        n_threads = best_threads(bare)
        reference = f"{reference}, {n_threads} thread(s)"
        seconds = alternate({reference: on_threads(n_threads, bare), **transforms}, args.rounds)
        targets = {name: TRANSFORM_TARGET} if bare is whole else {}
        rows += timing_rows(seconds, reference, targets, case=title(case, X))
    return rows


class RowCase(NamedTuple):
    """Methods of an estimator, and the name of the module's own."""

    estimator: object
    methods: tuple
    forward: str


SHORT = {"max_epochs": 1, "device": "cpu", "random_state": 0}
ROW_CASES = (
    RowCase(ResNetRegressor(**SHORT), ("predict",), "forward"),
    RowCase(ResNetClassifier(**SHORT), ("predict", "predict_proba"), "forward"),
    RowCase(Autoencoder(3, **SHORT), ("transform",), "encode"),
    RowCase(IMSAT(3, n_init=1, **SHORT), ("predict",), "assign"),
)


def repeated(n_calls, function, row):
    """Function that makes several calls, since a single one is too short to be timed."""

    def run():
        for _ in range(n_calls):
            function(row)

    return run


def row_rows(args):
    """Rows of the table for the latency of a single row."""
    return [row for case in ROW_CASES for row in latencies(case, args)]


def latencies(case, args):
    """Rows of the table for one estimator."""
    X, hidden = numbers(500, N_FEATURES)
    y = hidden[:, 0] > 0
    frame = pd.DataFrame(X, columns=[f"x{number}" for number in range(N_FEATURES)])
    on_array, on_frame = clone(case.estimator).fit(X, y), clone(case.estimator).fit(frame, y)
    given = {
        "float32": (on_array, X[:1]),
        "float64": (on_array, X[:1].astype(np.float64)),
        "pandas": (on_frame, frame[:1]),
    }
    forward = getattr(on_array.module_, case.forward)
    bare = torch.inference_mode()(lambda row: forward(row))
    runs = {"bare forward": repeated(args.calls, bare, torch.from_numpy(X[:1]))}
    for method in case.methods:
        for name, (fitted, row) in given.items():
            call = getattr(fitted, method)
            runs[f"{method}, {name}"] = repeated(args.calls, call, row)
    with limited_threads(1):
        seconds = alternate(runs, args.rounds, clock=time.process_time)
    per_call = {name: [one / args.calls for one in times] for name, times in seconds.items()}
    targets = dict.fromkeys((name for name in runs if "float" in name), ROW_TARGET)
    title = f"{type(case.estimator).__name__} on 1 x {N_FEATURES}"
    return timing_rows(per_call, "bare forward", targets, case=title)


def main():
    others = {"transform": transform_rows, "row": row_rows}
    options = {"rounds": 7, "rows": None, "epochs": None, "batch_size": 128, "calls": 200}
    parser = make_parser(__doc__, cases=[*FIT_CASES, *others], **options)
    args = parse(parser, rounds=1, rows=500, epochs=1, calls=2)
    report = Report("Overhead over bare torch on the CPU", args)
    for name in args.cases:
        measure = others.get(name) or functools.partial(fit_rows, FIT_CASES[name])
        report.add(measure(args))


if __name__ == "__main__":
    main()
