"""Does a row's result depend on the rows beside it, and what does it cost that it does not?

A matrix product sums in an order that depends on its shape, so that the same row comes out
different in its last digits when other rows, or another number of them, are passed with it.
Compared, for untrained encoders of several shapes:

- ``float32``: one forward pass over whatever rows come;
- ``chunks of 1024``: chunks, the last one padded to a whole chunk, so that all have one shape;
- ``chunks, last to x16``: chunks, the last one padded to the next multiple of 16 rows;
- ``skdeep``: ``apply_in_chunks``, in which on top of that the summed width of every matrix
  product is padded to a multiple of 16 (and on a GPU the last chunk to a whole one);
- ``float64``: one forward pass in double precision.

``largest difference`` is between a row's result among all rows and its result in a random
subset, in random order, over subsets from a single row to all of them. scikit-learn's check of
subset invariance allows 1e-7; skdeep promises 0, and the exit status is 1 where it breaks this.
Times are ratios to one float32 pass, for all rows and for a single one, and include the way from
and to NumPy arrays.

    python benchmarks/row_independence.py
    python benchmarks/row_independence.py --device cuda
    python benchmarks/row_independence.py --rows 500 --repeats 3       # a smoke test
"""

import copy
import sys

import numpy as np
import torch
from _common import (
    alternate,
    limited_threads,
    make_parser,
    median_ratio,
    plain_copy,
    print_header,
    print_table,
    save_json,
)

from skdeep._preprocessing._linear import LinearScaler
from skdeep._training._inference import CHUNK_ROWS, apply_in_chunks
from skdeep.nn._autoencoder import AutoencoderModule
from skdeep.nn._coder import CoderShape
from skdeep.utils._device import resolve_device
from skdeep.utils._random import make_streams

SHAPES = {
    "3-128-2": CoderShape(3, 2, (128,)),
    "7-33-5": CoderShape(7, 5, (33,)),
    "64-32-10": CoderShape(64, 10, (32,)),
    "100-100-100-10": CoderShape(100, 10, (100, 100)),
    "784-500-250-10": CoderShape(784, 10, (500, 250)),
    "784-500-500-2000-10": CoderShape(784, 10, (500, 500, 2000)),
    "convolutional 28 x 28, 16-32-10": CoderShape(784, 10, (16, 32), image_shape=(1, 28, 28)),
}
SUBSET_SIZES = (1, 2, 3, 5, 8, 15, 16, 17, 31, 64, 100, 255, 1000, 1024, 1025)
SINGLE_ROW_CALLS = 50


def forward(net, X, device):
    """One forward pass over a tensor of rows."""
    with torch.inference_mode():
        return net(X.to(device)).cpu().numpy()


def in_chunks(net, X, device, *, multiple):
    """Forward passes over chunks, the last one padded to a multiple of so many rows."""
    parts = []
    for part in X.split(CHUNK_ROWS):
        padded = torch.nn.functional.pad(part, (0, 0, 0, -len(part) % multiple))
        parts.append(forward(net, padded, device)[: len(part)])
    return np.concatenate(parts)


def ways(shape, device):
    """Name of each way from rows to codes, and a function of an array of rows."""
    module = AutoencoderModule(shape, make_streams(0)).to(device).eval()
    plain = plain_copy(module.encoder)
    double = copy.deepcopy(plain).double()

    def skdeep(X):
        return apply_in_chunks(
            module.encode,
            X,
            scaler=LinearScaler(X.shape[1]),
            device=device,
            n_outputs=shape.n_components,
            dtype=np.float32,
        )

    tensor = torch.from_numpy
    return {
        "float32": lambda X: forward(plain, tensor(X), device),
        "chunks of 1024": lambda X: in_chunks(plain, tensor(X), device, multiple=CHUNK_ROWS),
        "chunks, last to x16": lambda X: in_chunks(plain, tensor(X), device, multiple=16),
        "skdeep": skdeep,
        "float64": lambda X: forward(double, tensor(X).double(), device),
    }


def largest_difference(way, X, rng, n_draws):
    """Largest change of an entry of a row's result over random subsets and orders."""
    among_all = way(X)
    difference = 0.0
    for size in (*(size for size in SUBSET_SIZES if size <= len(X)), len(X) // 2, len(X)):
        for _ in range(n_draws):
            rows = rng.choice(len(X), size, replace=False)
            difference = max(difference, float(np.abs(way(X[rows]) - among_all[rows]).max()))
    return difference


def compare(name, shape, device, args):
    """Rows of the table for one net."""
    X = np.random.default_rng(0).standard_normal((args.rows, shape.n_features), dtype=np.float32)
    found = ways(shape, device)
    many = alternate(
        {key: lambda way=way: way(X) for key, way in found.items()}, repeats=args.repeats
    )

    def single(way):
        for number in range(SINGLE_ROW_CALLS):
            way(X[number : number + 1])

    one = alternate(
        {key: lambda way=way: single(way) for key, way in found.items()}, repeats=args.repeats
    )
    scale = float(np.abs(found["float64"](X)).max())
    return [
        {
            "net": name,
            "way": key,
            "largest difference": largest_difference(
                way, X, np.random.default_rng(1), args.subsets
            ),
            "largest code": scale,
            f"time, {args.rows} rows": median_ratio(many[key], many["float32"]),
            "time, 1 row": median_ratio(one[key], one["float32"]),
            "1 row, us": 1e6 * float(np.median(one[key])) / SINGLE_ROW_CALLS,
        }
        for key, way in found.items()
    ]


def main():
    parser = make_parser(__doc__)
    parser.add_argument("--nets", nargs="+", choices=list(SHAPES), default=list(SHAPES))
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--rows", type=int, default=5000)
    parser.add_argument("--subsets", type=int, default=3, help="random subsets of each size")
    parser.add_argument("--repeats", type=int, default=7)
    parser.add_argument("--threads", type=int, default=None)
    args = parser.parse_args()
    device = resolve_device(args.device)
    print_header(f"Rows that do not see each other, on {device}")
    results = []
    with limited_threads(args.threads):
        for name in args.nets:
            rows = compare(name, SHAPES[name], device, args)
            print_table(rows)
            results += rows
    save_json(args.json, device=device, results=results)
    broken = [row for row in results if row["way"] == "skdeep" and row["largest difference"]]
    for row in broken:
        print(f"\nnot independent: {row['net']}, {row['largest difference']:.2g}")
    return int(bool(broken))


if __name__ == "__main__":
    sys.exit(main())
