"""From which size of net on does a second CPU thread pay?

Times a training step (forward, backward, fused AdamW) with one thread and with all of them, for
nets and batches of growing size. The size is what ``skdeep/_training/_threads.py`` decides by:
number of parameters times rows per batch, the multiply-adds of a forward pass through dense
layers. ``all / one`` below 1 says that the threads pay; ``skdeep takes`` is what the present
threshold chooses. Convolutional nets, which have many more multiply-adds per parameter, stand
behind the dense ones. Run it on an idle machine, and once more on a busy one (``--busy`` keeps
that many cores busy) to see what a wrong choice costs there.

    python benchmarks/threads.py
    python benchmarks/threads.py --busy 1
    python benchmarks/threads.py --batch-sizes 32 --steps 3 --repeats 2       # a smoke test
"""

import contextlib
import multiprocessing

import numpy as np
import torch
from _common import (
    alternate,
    limited_threads,
    make_parser,
    median_ratio,
    print_header,
    print_table,
    save_json,
    thread_counts,
)

from skdeep._training._threads import thread_scope
from skdeep.nn._autoencoder import AutoencoderModule
from skdeep.nn._coder import CoderShape
from skdeep.utils._random import make_streams

IMAGE = {"image_shape": (1, 28, 28)}
SHAPES = {
    "8-32-2": CoderShape(8, 2, (32,)),
    "64-32-10": CoderShape(64, 10, (32,)),
    "64-128-10": CoderShape(64, 10, (128,)),
    "residual 8-128-128-3": CoderShape(8, 3, (128, 128), block="residual"),
    "784-128-10": CoderShape(784, 10, (128,)),
    "256-256-128-10": CoderShape(256, 10, (256, 128)),
    "784-256-64-10": CoderShape(784, 10, (256, 64)),
    "784-500-250-10": CoderShape(784, 10, (500, 250)),
    "784-500-500-2000-10": CoderShape(784, 10, (500, 500, 2000)),
    "conv 28 x 28, 4-8-10": CoderShape(784, 10, (4, 8), **IMAGE),
    "conv 28 x 28, 16-32-10": CoderShape(784, 10, (16, 32), **IMAGE),
    "conv 28 x 28, 32-64-10": CoderShape(784, 10, (32, 64), **IMAGE),
}


def make_steps(shape, batch_size, n_steps):
    """The net, and a function that takes so many training steps."""
    module = AutoencoderModule(shape, make_streams(0))
    optimizer = torch.optim.AdamW(module.parameters(), fused=True)
    x = torch.randn(batch_size, shape.n_features, generator=torch.Generator().manual_seed(0))

    def steps():
        for _ in range(n_steps):
            optimizer.zero_grad()
            torch.nn.functional.mse_loss(module(x).reconstruction, x).backward()
            optimizer.step()

    return module, steps


def compare(name, shape, batch_size, args):
    """Row of the table for one net and batch size."""
    module, steps = make_steps(shape, batch_size, args.steps)

    def limited(n_threads):
        with limited_threads(n_threads):
            steps()

    one, every = thread_counts()
    seconds = alternate({n: lambda n=n: limited(n) for n in (one, every)}, repeats=args.repeats)
    with thread_scope(module, batch_size, "cpu"):
        taken = torch.get_num_threads()
    ratio = median_ratio(seconds[every], seconds[one])
    n_parameters = sum(parameter.numel() for parameter in module.parameters())
    return {
        "net": name,
        "convolutional": shape.image_shape is not None,
        "batch": batch_size,
        "parameters x rows": f"{n_parameters * batch_size:.1e}",
        "one, us": 1e6 * float(np.median(seconds[one])) / args.steps,
        f"all ({every}), us": 1e6 * float(np.median(seconds[every])) / args.steps,
        "all / one": ratio,
        "better": "all" if ratio < 1 else "one",
        "skdeep takes": "one" if taken == 1 else "all",
    }


def _spin():
    while True:
        pass


@contextlib.contextmanager
def busy(n_cores):
    """Context in which other processes keep so many cores busy."""
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
    parser = make_parser(__doc__)
    parser.add_argument("--nets", nargs="+", choices=list(SHAPES), default=list(SHAPES))
    parser.add_argument("--batch-sizes", type=int, nargs="+", default=[32, 128, 512])
    parser.add_argument("--steps", type=int, default=20, help="training steps per timing")
    parser.add_argument("--repeats", type=int, default=7)
    parser.add_argument("--busy", type=int, default=0, help="cores that others keep busy")
    args = parser.parse_args()
    if len(thread_counts()) < 2:
        parser.error("torch has a single thread here; there is nothing to compare")
    print_header(f"Training step with one thread and with all, {args.busy} core(s) busy")
    with busy(args.busy):
        results = [
            compare(name, SHAPES[name], batch_size, args)
            for name in args.nets
            for batch_size in args.batch_sizes
        ]
    key = "parameters x rows"
    results.sort(key=lambda row: (row["convolutional"], float(row[key])))
    print_table(results)
    save_json(args.json, busy=args.busy, results=results)


if __name__ == "__main__":
    main()
