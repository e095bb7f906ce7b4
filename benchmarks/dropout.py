"""Dropout on a CPU: time of a training forward pass beside torch's own layer.

``torch.nn.Dropout`` draws one number for each entry from the global generator, ``bernoulli_`` from
one of our own; skdeep's layer takes 16 bits of such a generator for each entry. The last column is
the share of entries kept less the one asked for, in standard errors of the mean: a few at most.

    python benchmarks/dropout.py
    python benchmarks/dropout.py --steps 3 --repeats 2       # a smoke test
"""

import math

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
)
from torch import nn

from skdeep.nn._dropout import Dropout

SHAPES = ((128, 32), (256, 384), (1024, 1024))


class BernoulliDropout(nn.Module):
    """Dropout by ``bernoulli_`` from a generator."""

    def __init__(self, rate, *, generator):
        super().__init__()
        self.rate, self.generator = rate, generator

    def forward(self, x):
        kept = 1 - self.rate
        return x * torch.empty_like(x).bernoulli_(kept, generator=self.generator).div_(kept)


def compare(shape, args):
    """Rows of the table for one shape of a batch."""
    x = torch.ones(shape)
    layers = {
        "skdeep": Dropout(args.rate, generator=torch.Generator().manual_seed(0)),
        "bernoulli_": BernoulliDropout(args.rate, generator=torch.Generator().manual_seed(0)),
        "torch.nn": nn.Dropout(args.rate),
    }

    def passes(layer):
        for _ in range(args.steps):
            layer(x)

    timed = {name: lambda layer=layer: passes(layer) for name, layer in layers.items()}
    seconds = alternate(timed, repeats=args.repeats)
    return [
        {
            "batch": f"{shape[0]} x {shape[1]}",
            "layer": name,
            "ns per entry": 1e9 * float(np.median(seconds[name])) / args.steps / x.numel(),
            "over skdeep": median_ratio(seconds[name], seconds["skdeep"]),
            "bias": bias(layer, x, args),
        }
        for name, layer in layers.items()
    ]


def bias(layer, x, args):
    """Share of entries kept less the one asked for, in standard errors."""
    kept = [(layer(x) > 0).double().mean() for _ in range(args.steps)]
    error = math.sqrt(args.rate * (1 - args.rate) / (len(kept) * x.numel()))
    return float(sum(kept) / len(kept) - (1 - args.rate)) / error


def main():
    parser = make_parser(__doc__)
    parser.add_argument("--rate", type=float, default=0.15)
    parser.add_argument("--steps", type=int, default=50, help="forward passes per timing")
    parser.add_argument("--repeats", type=int, default=9)
    args = parser.parse_args()
    print_header("Dropout on one thread of a CPU")
    with limited_threads(1):
        results = [row for shape in SHAPES for row in compare(shape, args)]
    print_table(results)
    save_json(args.json, rate=args.rate, results=results)


if __name__ == "__main__":
    main()
