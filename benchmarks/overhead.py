"""Price of the estimator over bare torch: ``fit`` over a training loop written by hand.

Each case trains the same net on the same float32 rows with the same optimiser (AdamW, fused),
batch size and number of epochs: once in a loop over ``randperm`` and ``index_select``, once by
``Autoencoder.fit``. The two take turns in one process; the ratio is that of their medians.
The loop gets the better of one and all threads; skdeep chooses by itself. Both build their net
within the measured time. ``feature_scaling=None`` does what the loop does; the default, which
also learns and applies the scaling, stands below it.

``transform`` is compared with one forward pass of the encoder's layers over all rows at once,
as torch's own modules in ``inference_mode``, and with the same pass in chunks of 1024 rows.

    python benchmarks/overhead.py
    python benchmarks/overhead.py --cases digits residual --repeats 3
    python benchmarks/overhead.py --rows 2000 --repeats 1       # a smoke test

MNIST comes from the folder in the environment variable SKDEEP_DATA, else from OpenML.
"""

import functools
from collections.abc import Callable
from typing import NamedTuple

import numpy as np
import torch
from _common import (
    alternate,
    best_threads,
    digits,
    limited_threads,
    make_parser,
    median_ratio,
    mnist,
    plain_copy,
    print_header,
    print_table,
    save_json,
    thread_counts,
)

from skdeep.decomposition import Autoencoder
from skdeep.nn._autoencoder import AutoencoderModule
from skdeep.nn._coder import CoderShape
from skdeep.utils._random import make_streams

FIT_TARGET = 1.10
TRANSFORM_TARGET = 1.15
LARGE = (500, 500, 2000)
LR = 1e-3


class Case(NamedTuple):
    """One net, its data and the length of its training."""

    title: str
    load: Callable
    hidden: tuple
    n_components: int
    block: str
    epochs: int


def generated():
    """20000 rows of 8 features that depend on one another."""
    rng = np.random.default_rng(0)
    X = np.tanh(rng.standard_normal((20000, 3)) @ rng.standard_normal((3, 8)))
    return (X + 0.1 * rng.standard_normal(X.shape)).astype(np.float32)


FIT_CASES = {
    "digits": Case("64-32-10", lambda: digits()[0], (32,), 10, "dense", 20),
    "mnist": Case("784-500-500-2000-10", lambda: mnist(n_test=0)[0], LARGE, 10, "dense", 1),
    "residual": Case("residual 8-128-128-3", generated, (128, 128), 3, "residual", 3),
}


def bare_fit(x, case, *, epochs, batch_size):
    """Train the case's net in a loop written by hand."""
    shape = CoderShape(x.shape[1], case.n_components, case.hidden, block=case.block)
    module = AutoencoderModule(shape, make_streams(0))
    optimizer = torch.optim.AdamW(module.parameters(), lr=LR, weight_decay=0.0, fused=True)
    for _ in range(epochs):
        for index in torch.randperm(len(x)).split(batch_size):
            batch = x.index_select(0, index)
            optimizer.zero_grad()
            loss = torch.nn.functional.mse_loss(module(batch).reconstruction, batch)
            loss.backward()
            optimizer.step()
    return module


def estimator(case, *, epochs, batch_size, feature_scaling):
    """Estimator that trains the case's net for just so many epochs."""
    return Autoencoder(
        case.n_components,
        hidden_layer_sizes=case.hidden,
        block=case.block,
        feature_scaling=feature_scaling,
        max_epochs=epochs,
        n_iter_no_change=epochs,
        batch_size=batch_size,
        lr=LR,
        optimizer="adamw",
        device="cpu",
        random_state=0,
    )


def fit_rows(case, args):
    """Rows of the table for one case of ``fit``."""
    X = case.load()[: args.rows]
    x = torch.from_numpy(X)
    options = {"epochs": args.epochs or case.epochs, "batch_size": args.batch_size}

    def bare(n_threads):
        with limited_threads(n_threads):
            bare_fit(x, case, **options)

    loops = {f"bare loop, {n} thread(s)": functools.partial(bare, n) for n in thread_counts()}
    fits = {
        f"fit, feature_scaling={scaling!r}": estimator(case, feature_scaling=scaling, **options)
        for scaling in (None, "global")
    }
    trained = {name: functools.partial(one.fit, X) for name, one in fits.items()}
    seconds = alternate(loops | trained, repeats=args.repeats)
    for one in fits.values():
        assert one.n_iter_ == options["epochs"]
    title = f"{case.title} on {len(X)} x {X.shape[1]}, {options['epochs']} epochs"
    best_loop = min(loops, key=lambda name: np.median(seconds[name]))
    return _rows(title, best_loop, seconds, dict.fromkeys(list(fits)[:1], FIT_TARGET))


def transform_rows(args):
    """Rows of the table for ``transform``."""
    X = mnist(n_test=0)[0][: args.rows]
    x = torch.from_numpy(X)
    case = FIT_CASES["mnist"]
    fitted = {
        f"transform, feature_scaling={scaling!r}": estimator(
            case, epochs=1, batch_size=128, feature_scaling=scaling
        ).fit(X[:512])
        for scaling in (None, "global")
    }
    unscaled, _ = fitted.values()
    encoder = plain_copy(unscaled.module_.encoder)

    def whole():
        with torch.inference_mode():
            return encoder(x)

    def chunked():
        with torch.inference_mode():
            return torch.cat([encoder(part) for part in x.split(1024)])

    np.testing.assert_allclose(unscaled.transform(X), whole().numpy(), rtol=1e-3, atol=1e-4)
    transforms = {name: lambda one=one: one.transform(X) for name, one in fitted.items()}
    rows = []
    for name, bare in {"bare forward": whole, "bare, chunks of 1024": chunked}.items():
        n_threads = best_threads(bare)

        def limited(bare=bare, n_threads=n_threads):
            with limited_threads(n_threads):
                bare()

        name = f"{name}, {n_threads} thread(s)"
        seconds = alternate({name: limited, **transforms}, repeats=args.repeats)
        title = f"{case.title} on {len(X)} x {X.shape[1]}"
        targets = {next(iter(fitted)): TRANSFORM_TARGET} if bare is whole else {}
        rows += _rows(title, name, seconds, targets)
    return rows


def _rows(title, reference, seconds, targets):
    """Table rows: each contender's median and its ratio to the reference's."""
    rows = []
    for name, times in seconds.items():
        ratio = median_ratio(times, seconds[reference])
        target = targets.get(name)
        rows.append(
            {
                "case": title,
                "what": name,
                "median s": float(np.median(times)),
                "least s": min(times),
                "ratio of medians": ratio,
                "target": target,
                "met": None if target is None else ratio <= target,
            }
        )
    return rows


def main():
    parser = make_parser(__doc__)
    cases = [*FIT_CASES, "transform"]
    parser.add_argument("--cases", nargs="+", choices=cases, default=cases)
    parser.add_argument("--repeats", type=int, default=7)
    parser.add_argument("--rows", type=int, default=None, help="only so many rows of each case")
    parser.add_argument("--epochs", type=int, default=None, help="other than the cases' own")
    parser.add_argument("--batch-size", type=int, default=128)
    args = parser.parse_args()
    print_header("Overhead over bare torch on the CPU")
    results = []
    for name in args.cases:
        rows = transform_rows(args) if name == "transform" else fit_rows(FIT_CASES[name], args)
        print_table(rows)
        results += rows
    save_json(args.json, repeats=args.repeats, batch_size=args.batch_size, results=results)


if __name__ == "__main__":
    main()
