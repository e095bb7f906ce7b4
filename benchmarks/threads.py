"""From which size of a net is a second CPU thread worthwhile?

Measures the time of a training step (forward, backward, fused AdamW) with one thread and with all
threads, for nets and batches of increasing size. The size is the criterion that skdeep uses:
multiply-adds of a forward pass. A value of ``all / one`` below 1 means that more threads are
faster; ``skdeep takes`` is the number that a fit uses. Convolutional nets follow the dense ones.
Run it on an idle machine, and again on a busy one to see the cost of a wrong choice there:
``--busy`` keeps that many cores busy with processes of other sessions, as other users do. Threads
that wait for each other get little time then, since Linux shares it between sessions.

    python benchmarks/threads.py
    python benchmarks/threads.py --busy 1
    python benchmarks/threads.py --smoke
"""

import contextlib
import functools
import multiprocessing
import os

import torch
from _data import numbers
from _harness import (
    Report,
    alternate,
    make_parser,
    median,
    median_ratio,
    on_threads,
    parse,
    thread_counts,
)
from skorch.callbacks import Callback
from torch.utils.flop_counter import FlopCounterMode

from skdeep.decomposition import Autoencoder

IMAGE = {"image_shape": (28, 28)}
# Widths of each net, or pixels, channels and components, and further parameters.
NETS = {
    "8-32-2": ((8, 32, 2), {}),
    "64-32-10": ((64, 32, 10), {}),
    "64-128-10": ((64, 128, 10), {}),
    "residual 8-128-128-3": ((8, 128, 128, 3), {"block": "residual"}),
    "784-128-10": ((784, 128, 10), {}),
    "256-256-128-10": ((256, 256, 128, 10), {}),
    "784-256-64-10": ((784, 256, 64, 10), {}),
    "784-500-250-10": ((784, 500, 250, 10), {}),
    "784-500-500-2000-10": ((784, 500, 500, 2000, 10), {}),
    "conv 28 x 28, 4-8-10": ((784, 4, 8, 10), IMAGE),
    "conv 28 x 28, 16-32-10": ((784, 16, 32, 10), IMAGE),
    "conv 28 x 28, 32-64-10": ((784, 32, 64, 10), IMAGE),
}


class ThreadsTaken(Callback):
    """Records the number of threads that skdeep uses in training."""

    def on_epoch_begin(self, net, **kwargs):
        self.n_threads = torch.get_num_threads()


def fitted_module(name, batch_size):
    """The module of an estimator after one epoch, and the number of threads it used."""
    widths, options = NETS[name]
    taken = ThreadsTaken()
    X, _ = numbers(batch_size, widths[0])
    estimator = Autoencoder(
        widths[-1],
        hidden_layer_sizes=widths[1:-1],
        **options,
        batch_size=batch_size,
        max_epochs=1,
        callbacks=[taken],
        device="cpu",
        random_state=0,
    )
    return estimator.fit(X).module_.train(), taken.n_threads


def multiply_adds(module, x):
    """Multiply-adds of a forward pass."""
    module.eval()  # training uses operations that torch does not count
    with FlopCounterMode(display=False) as counter:
        module(x)
    module.train()
    return counter.get_total_flops() / 2


def train_steps(module, optimizer, x, n_steps):
    for _ in range(n_steps):
        optimizer.zero_grad()
        torch.nn.functional.mse_loss(module(x).reconstruction, x).backward()
        optimizer.step()


def compare(name, batch_size, counts, args):
    """Row of the table for one net and batch size."""
    module, taken = fitted_module(name, batch_size)
    widths, options = NETS[name]
    optimizer = torch.optim.AdamW(module.parameters(), fused=True)
    x = torch.from_numpy(numbers(batch_size, widths[0])[0])
    run = functools.partial(train_steps, module, optimizer, x, args.steps)
    one, every = counts
    seconds = alternate({n: on_threads(n, run) for n in counts}, args.rounds)
    ratio = median_ratio(seconds[every], seconds[one])
    return {
        "net": name,
        "convolutional": options is IMAGE,
        "batch": batch_size,
        "multiply-adds": f"{multiply_adds(module, x):.1e}",
        "one, us": 1e6 * median(seconds[one]) / args.steps,
        f"all ({every}), us": 1e6 * median(seconds[every]) / args.steps,
        "all / one": ratio,
        "better": "all" if ratio < 1 else "one",
        "skdeep takes": "one" if taken == 1 else "all",
    }


def _spin():
    os.setsid()  # a session of its own
    while True:
        pass


@contextlib.contextmanager
def busy(n_cores):
    """Context manager in which other processes keep a number of cores busy."""
    context = multiprocessing.get_context("spawn")
    others = [context.Process(target=_spin, daemon=True) for _ in range(n_cores)]
    for one in others:
        one.start()
    try:
        yield
    finally:
        for one in others:
            one.terminate()
            one.join()


def main():
    parser = make_parser(__doc__, nets=NETS, steps=20, rounds=7)
    parser.add_argument("--batch-sizes", type=int, nargs="+", default=[32, 128, 512])
    parser.add_argument("--busy", type=int, default=0, help="number of cores that others keep busy")
    args = parse(parser, nets=list(NETS)[:4], batch_sizes=[32], steps=2, rounds=1)
    counts = (1, 2) if args.smoke else thread_counts()
    if len(counts) < 2:
        parser.error("torch has a single thread here; there is nothing to compare")
    report = Report(f"Training step with one thread and with all, {args.busy} core(s) busy", args)
    with busy(args.busy):
        rows = [
            compare(name, batch_size, counts, args)
            for name in args.nets
            for batch_size in args.batch_sizes
        ]
    rows.sort(key=lambda row: (row["convolutional"], float(row["multiply-adds"])))
    report.add(rows)


if __name__ == "__main__":
    main()
