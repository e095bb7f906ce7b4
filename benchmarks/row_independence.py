"""Does the result for a sample depend on the other samples, and what does independence cost?

The order of summation in a matrix product depends on its shape, so that the result for a sample can
differ in the last digits if it is passed with other samples, or with a different number of them.
Methods compared, for encoders of several shapes after a short training:

- ``float32``: one forward pass over all given rows;
- ``chunks of 1024``: chunks, the last one padded to a whole chunk, so that all have one shape;
- ``chunks, last to x8``: chunks, the last one padded to the next multiple of 8 rows;
- ``skdeep``: ``Autoencoder.transform``, which also pads both widths of every matrix product
  to a multiple of 16 (and on a GPU the last chunk to a whole one). It is the only method that
  validates the samples, which is noticeable for a single one;
- ``float64``: one forward pass in double precision.

``largest difference`` is the maximum difference between the result for a row among all rows and in
random subsets, in random order, of sizes from one row to all of them. scikit-learn's check of
subset invariance allows 1e-7; skdeep guarantees 0, and the exit status is 1 if that is violated.
Times are relative to one float32 pass, for all rows and for a single one, and include the
conversion from and to NumPy arrays.

    python benchmarks/row_independence.py
    python benchmarks/row_independence.py --device cuda
    python benchmarks/row_independence.py --smoke
"""

import copy
import functools
import sys

import numpy as np
import torch
from _harness import (
    Report,
    alternate,
    limited_threads,
    make_parser,
    median,
    median_ratio,
    parse,
    resolve_device,
    verdict,
)
from _loops import conv_encoder, copy_weights, dense

from skdeep.decomposition import Autoencoder

# Layer widths of each net; pixels, channels and components of the convolutional one.
NETS = {
    "3-128-2": (3, 128, 2),
    "7-33-5": (7, 33, 5),
    "64-32-10": (64, 32, 10),
    "100-100-100-10": (100, 100, 100, 10),
    "784-500-250-10": (784, 500, 250, 10),
    "784-500-500-2000-10": (784, 500, 500, 2000, 10),
    "convolutional 28 x 28, 16-32-10": (784, 16, 32, 10),
}
CHUNK_ROWS = 1024
SUBSET_SIZES = (1, 2, 3, 5, 8, 15, 16, 17, 31, 64, 100, 255, 1000, 1024, 1025)
SINGLE_ROW_CALLS = 50


def forward(net, X, device):
    """One forward pass over a tensor of rows."""
    with torch.inference_mode():
        return net(X.to(device)).cpu().numpy()


def in_chunks(net, X, device, *, multiple):
    """Forward passes over chunks, the last one padded to a multiple of a number of rows."""
    parts = []
    for part in X.split(CHUNK_ROWS):
        padded = torch.nn.functional.pad(part, (0, 0, 0, -len(part) % multiple))
        parts.append(forward(net, padded, device)[: len(part)])
    return np.concatenate(parts)


def normal(n_rows, name):
    """Samples for one of the nets."""
    return np.random.default_rng(0).standard_normal((n_rows, NETS[name][0]), dtype=np.float32)


def fitted(name, device):
    """Autoencoder with one of the nets, after a short training."""
    widths, is_image = NETS[name], name.startswith("conv")
    return Autoencoder(
        widths[-1],
        hidden_layer_sizes=widths[1:-1],
        image_shape=(28, 28) if is_image else None,
        feature_scaling=None,
        max_epochs=1,
        device=device,
        random_state=0,
    ).fit(normal(128, name))


def ways(name, device):
    """Methods to compute codes by name, each a function of an array of samples."""
    estimator, widths = fitted(name, device), NETS[name]
    plain = dense(widths)
    if estimator.image_shape is not None:
        plain = conv_encoder((1, *estimator.image_shape), widths[1:-1], widths[-1])
    plain = copy_weights(estimator.module_.encoder.to(device), plain.to(device))
    double = copy.deepcopy(plain).double()
    tensor = torch.from_numpy
    return {
        "float32": lambda X: forward(plain, tensor(X), device),
        "chunks of 1024": lambda X: in_chunks(plain, tensor(X), device, multiple=CHUNK_ROWS),
        "chunks, last to x8": lambda X: in_chunks(plain, tensor(X), device, multiple=8),
        "skdeep": estimator.transform,
        "float64": lambda X: forward(double, tensor(X).double(), device),
    }


def largest_difference(way, X, rng, n_draws):
    """Maximum change in the result for a sample over random subsets and orders."""
    among_all = way(X)
    difference = 0.0
    for size in (*(size for size in SUBSET_SIZES if size <= len(X)), len(X) // 2, len(X)):
        for _ in range(n_draws):
            chosen = rng.choice(len(X), size, replace=False)
            change = np.abs(way(X[chosen]) - among_all[chosen]).max()
            difference = max(difference, float(change))
    return difference


def single(way, X):
    """Apply a method to single samples."""
    for number in range(SINGLE_ROW_CALLS):
        way(X[number : number + 1])


def compare(name, device, args):
    """Rows of the table for one net."""
    X = normal(args.rows, name)
    found = ways(name, device)
    timed = {key: functools.partial(way, X) for key, way in found.items()}
    many = alternate(timed, args.rounds)
    timed = {key: functools.partial(single, way, X) for key, way in found.items()}
    one = alternate(timed, args.rounds)
    scale = float(np.abs(found["float64"](X)).max())
    rows = []
    for key, way in found.items():
        difference = largest_difference(way, X, np.random.default_rng(1), args.subsets)
        rows.append(
            {
                "net": name,
                "way": key,
                "largest difference": difference,
                "largest code": scale,
                f"time, {args.rows} rows": median_ratio(many[key], many["float32"]),
                "time, 1 row": median_ratio(one[key], one["float32"]),
                "1 row, us": 1e6 * median(one[key]) / SINGLE_ROW_CALLS,
                **verdict(difference, at_most=0.0 if key == "skdeep" else None),
            }
        )
    return rows


def main():
    parser = make_parser(
        __doc__, nets=NETS, device="cpu", rows=5000, subsets=3, rounds=7, threads=None
    )
    few = ["7-33-5", "64-32-10", list(NETS)[-1]]
    args = parse(parser, nets=few, rows=100, subsets=1, rounds=1)
    device = resolve_device(parser, args.device)
    report = Report(f"Samples that do not depend on each other, on {device}", args)
    with limited_threads(args.threads):
        for name in args.nets:
            report.add(compare(name, device, args))
    return report.exit_status()


if __name__ == "__main__":
    sys.exit(main())
