"""Overhead of the samplers over plain torch: `fit` compared with a hand-written training loop.

`fit` of GANSampler and of TabularGANSampler is compared with a loop that trains the same nets, made
of torch modules, with the same losses, including the gradient penalty, for the same number of
steps. The loop uses two fused AdamW optimizers, batches by random indices from scaled float32 rows,
gradients for only one of the nets at a time, a running average of the generator's weights by a
single ``lerp``, and reads the mean losses once per epoch. For tables, it draws Gumbel noise for all
columns at once with a softmax for each, samples conditions by log-frequency with matching rows, and
packs rows for the critic. First, both nets must return the same outputs with copied weights.

Both are trained for a few and for many epochs; one ratio is that of the long fits as a whole. Only
`fit` validates and scales the data, fits mixtures for TabularGANSampler and compares generated with
real rows at the end, all independent of the number of steps. The time of a step is therefore the
difference between a long and a short fit divided by the difference in steps, and the rest is the
fixed cost, which noise may turn negative. Target: a step takes at most 1.10 x that of the loop.

Contenders take turns in one process; ratios are ratios of medians. The loop uses one or all
threads, whichever is faster. ``--cpu`` measures CPU time of all threads, for busy machines.

    python benchmarks/gan_overhead.py --cases numbers table --cpu --json gan_overhead.json
    python benchmarks/gan_overhead.py --smoke
"""

import functools
import time
import warnings
from typing import NamedTuple

import numpy as np
from _data import ADULT_KINDS, adult_like, numbers
from _gan_loop import KeepRows, Loop, check
from _harness import (
    Report,
    alternate,
    fastest,
    make_parser,
    median,
    median_ratio,
    on_each_thread_count,
    parse,
    verdict,
)
from _loops import count_weights

from skdeep.exceptions import ModeCollapseWarning
from skdeep.generative import GANSampler, TabularGANSampler

TARGET = 1.10


# Data --------------------------------------------------------------------------------------


def dependent(n_rows):
    """Ten features that depend on one another, without classes."""
    return numbers(n_rows, 10, noise=0.0)[0], None


def images(n_rows):
    """Blobs on 8 x 8 pixels, at a different position for each of ten classes."""
    rng = np.random.default_rng(0)
    y = rng.integers(10, size=n_rows)
    means = rng.random((10, 64))
    return (means[y] * rng.random((n_rows, 64))).astype(np.float32), y


class Case(NamedTuple):
    """A sampler, its data and the length of a short and a long training."""

    make_data: object
    rows: int
    epochs: tuple
    sampler: type
    options: dict


# Settings of the hand-written loop: a penalty of 10, and a constant learning rate.
WASSERSTEIN = {"loss": "wgan-gp", "gradient_penalty": 10.0, "lr_schedule": "constant"}
CATEGORIES = [place for place, kind in enumerate([*ADULT_KINDS.values()][:-1]) if kind > 0]
TABLE = {**WASSERSTEIN, "categorical_features": CATEGORIES}
CASES = {
    "numbers": Case(dependent, 12_800, (2, 12), GANSampler, {}),
    "numbers, wgan-gp": Case(dependent, 12_800, (2, 12), GANSampler, WASSERSTEIN),
    "image": Case(images, 2560, (2, 12), GANSampler, {"image_shape": (8, 8)}),
    "table": Case(adult_like, 20_000, (2, 8), TabularGANSampler, TABLE),
}


# Measurements ------------------------------------------------------------------------------


def measure(name, args):
    """Rows of the table for one case."""
    case = CASES[name]
    X, y = case.make_data(min(args.rows or case.rows, case.rows))
    epochs = args.epochs or case.epochs
    build = functools.partial(case.sampler, **case.options, device="cpu", random_state=0)
    keep = KeepRows()
    first = build(max_epochs=1, callbacks=[keep]).fit(X, y)
    loop = Loop(first, keep.rows)
    check(loop, first.module_)
    n_steps = [count * first.history_[0]["train_batch_count"] for count in epochs]

    def by_hand(n_epochs):
        assert np.isfinite(loop.fit(n_epochs)).all()

    contenders = {}
    for length, count in enumerate(epochs):
        contenders["fit", length] = functools.partial(build(max_epochs=count).fit, X, y)
        loops = on_each_thread_count("loop by hand", functools.partial(by_hand, count))
        contenders |= {(key, length): run for key, run in loops.items()}
    clock = time.process_time if args.cpu else time.perf_counter
    title = f"{name}: {n_steps[0]} and {n_steps[1]} steps, {loop.batch_size} x {X.shape[1]}, "
    title += f"{count_weights(*loop.nets())} weights"
    return table_rows(title, alternate(contenders, args.rounds, clock=clock), n_steps)


def table_rows(title, seconds, n_steps):
    """Table rows: whole fits, steps and fixed cost, and ratios to the faster loop."""
    names = [name for name, length in seconds if length == 0]
    short, long = ({name: seconds[name, length] for name in names} for length in (0, 1))
    steps = {name: np.subtract(long[name], short[name]) / np.diff(n_steps) for name in names}
    best = fastest(long, names[1:])
    rows = []
    for name in names:
        step, ratio = median(steps[name]), median_ratio(steps[name], steps[best])
        rows.append(
            {
                "case: steps, batch, size": title,
                "contender": name + (" (1.00)" if name == best else ""),
                "whole s": median(long[name]),
                "ratio of whole": median_ratio(long[name], long[best]),
                "ms a step": 1000 * step,
                "ratio of steps": ratio,
                "fixed s": median(short[name]) - n_steps[0] * step,
                **verdict(ratio, at_most=TARGET if name == "fit" else None),
            }
        )
    return rows


def main():
    parser = make_parser(__doc__, cases=CASES, rounds=7, rows=None)
    parser.add_argument("--epochs", type=int, nargs=2, help="of short and of long fits")
    parser.add_argument("--cpu", action="store_true", help="the processor's seconds")
    args = parse(parser, rounds=1, rows=320, epochs=[1, 2])
    # after such a short training, samples hardly cover the data
    warnings.filterwarnings("ignore", category=ModeCollapseWarning)
    report = Report("Overhead of the samplers over bare torch on the CPU", args)
    print(f"seconds of the {'processor' if args.cpu else 'wall'}")
    for name in args.cases:
        report.add(measure(name, args))


if __name__ == "__main__":
    main()
