"""Dropout on a CPU: time of a forward pass in training, compared with torch's layer.

``torch.nn.Dropout`` draws one number per entry from the global generator, ``bernoulli_`` from a
local generator; skdeep's layer uses 16 bits of a local generator per entry. The last column is the
deviation of the fraction of kept entries from its expected value in standard errors, which should
be a few at most.

    python benchmarks/dropout.py
    python benchmarks/dropout.py --smoke
"""

import functools
import math

import torch
from _data import numbers
from _harness import (
    Report,
    alternate,
    limited_threads,
    make_parser,
    median,
    median_ratio,
    parse,
)
from torch import nn

from skdeep.neural_network import ResNetRegressor

SHAPES = ((128, 32), (256, 384), (1024, 1024))


class BernoulliDropout(nn.Module):
    """Dropout by ``bernoulli_`` from a generator."""

    def __init__(self, rate, *, generator):
        super().__init__()
        self.rate, self.generator = rate, generator

    def forward(self, x):
        kept = 1 - self.rate
        return x * torch.empty_like(x).bernoulli_(kept, generator=self.generator).div_(kept)


def skdeep_dropout(rate):
    """The dropout layer of skdeep, in training mode."""
    X, _ = numbers(64, 4)
    net = ResNetRegressor(dropout=rate, max_epochs=1, random_state=0).fit(X, X[:, 0])
    layers = net.module_.train().modules()
    return next(one for one in layers if type(one).__name__ == "Dropout")


def passes(layer, x, n_steps):
    for _ in range(n_steps):
        layer(x)


def compare(shape, args):
    """Rows of the table for one batch shape."""
    x = torch.ones(shape)
    layers = {
        "skdeep": skdeep_dropout(args.rate),
        "bernoulli_": BernoulliDropout(args.rate, generator=torch.Generator().manual_seed(0)),
        "torch.nn": nn.Dropout(args.rate),
    }
    timed = {name: functools.partial(passes, one, x, args.steps) for name, one in layers.items()}
    seconds = alternate(timed, args.rounds)
    return [
        {
            "batch": f"{shape[0]} x {shape[1]}",
            "layer": name,
            "ns per entry": 1e9 * median(seconds[name]) / args.steps / x.numel(),
            "over skdeep": median_ratio(seconds[name], seconds["skdeep"]),
            "bias": bias(layer, x, args),
        }
        for name, layer in layers.items()
    ]


def bias(layer, x, args):
    """Deviation of the fraction of kept entries from its expected value, in standard errors."""
    kept = [(layer(x) > 0).double().mean() for _ in range(args.steps)]
    error = math.sqrt(args.rate * (1 - args.rate) / (len(kept) * x.numel()))
    return float(sum(kept) / len(kept) - (1 - args.rate)) / error


def main():
    args = parse(make_parser(__doc__, rate=0.15, steps=50, rounds=9), steps=3, rounds=1)
    report = Report("Dropout on one thread of a CPU", args)
    with limited_threads(1):
        report.add([row for shape in SHAPES for row in compare(shape, args)])


if __name__ == "__main__":
    main()
