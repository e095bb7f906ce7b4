"""Overhead of the estimator over plain torch: `ResNetClassifier` compared with hand-written code.

`fit` is compared with a loop over ``randperm`` and ``index_select`` that trains the same net, made
of torch modules, on scaled float32 rows, with the same optimizer (AdamW, fused), constant learning
rate, weight decay, batch size and number of epochs, and reads the mean loss once per epoch. The
measured time includes building the net. ``feature_scaling=None`` is equivalent to the loop; the
other variants also fit and apply their scaling. Target: `fit` takes at most 1.10 x the time of the
loop with the default, "auto".

`predict_proba` of 100,000 rows is compared with torch modules with the same weights: a forward pass
and a softmax in ``inference_mode`` over scaled float32 rows, all at once or in chunks of 1024.
Target: at most 1.15 x of either with the default scaling. Images have fewer rows, and no pass over
all rows at once, which would take gigabytes.

Contenders take turns in one process, and ratios are ratios of medians. Hand-written code uses one
or all threads, whichever is faster; skdeep chooses the number itself.

    python benchmarks/resnet_overhead.py
    python benchmarks/resnet_overhead.py --cases default image --what fit --rounds 3
    python benchmarks/resnet_overhead.py --smoke
"""

import functools
from typing import NamedTuple

import numpy as np
import torch
from _data import numbers
from _harness import (
    Report,
    alternate,
    best_threads,
    fastest,
    make_parser,
    on_each_thread_count,
    on_threads,
    parse,
    timing_rows,
)
from _loops import PlainResNet, copy_weights, count_weights, train
from torch import nn
from torch.nn import functional as F

from skdeep.neural_network import ResNetClassifier

TARGETS = {"fit": 1.10, "predict_proba": 1.15}
CHUNK_ROWS = 1024
N_CLASSES = 4
OPTIMIZER = {"lr": 1e-3, "weight_decay": 1e-5}


class Case(NamedTuple):
    """A net, the size of its data and the number of epochs."""

    n_features: int
    fit_rows: int
    predict_rows: int
    epochs: int
    options: dict  # the estimator's parameters


def table_case(n_features, epochs, **options):
    return Case(n_features, 20_000, 100_000, epochs, options)


CASES = {
    "small": table_case(8, 5),
    "small-20": table_case(20, 5),
    # of Gorishniy et al. (2021), with the settings they published
    "california": table_case(8, 3, n_blocks=3, width=168, hidden_factor=2.983, dropout=0.4457),
    "large": table_case(20, 1, n_blocks=4, width=512),
    "image": Case(784, 2_000, 10_000, 1, {"n_blocks": 1, "image_shape": (28, 28), "dropout": 0.0}),
}


def generated(case, n_rows):
    """Samples with dependent features, and labels of four classes."""
    X, hidden = numbers(n_rows, case.n_features)
    directions = np.random.default_rng(1).standard_normal((3, N_CLASSES))
    return X, (hidden @ directions).argmax(axis=1)


# By hand -----------------------------------------------------------------------------------


class PlainImageBlock(nn.Module):
    """Residual block for images."""

    def __init__(self, in_channels, out_channels, stride):
        super().__init__()
        self.stride, self.missing = stride, out_channels - in_channels
        self.first = nn.Conv2d(in_channels, out_channels, 3, stride, padding=1, bias=False)
        self.first_norm = nn.BatchNorm2d(out_channels)
        self.second = nn.Conv2d(out_channels, out_channels, 3, padding=1, bias=False)
        self.second_norm = nn.BatchNorm2d(out_channels)

    def forward(self, x):
        shortcut = x[:, :, :: self.stride, :: self.stride]
        if self.missing:
            shortcut = F.pad(shortcut, (0, 0, 0, 0, 0, self.missing))
        x = F.relu(self.first_norm(self.first(x)))
        return F.relu(shortcut + self.second_norm(self.second(x)))


def plain_net(estimator, n_features):
    """The net of the estimator as torch modules."""
    if estimator.image_shape is not None:
        width = estimator.stem_width
        return nn.Sequential(
            nn.Unflatten(1, (1, *estimator.image_shape)),
            nn.Conv2d(1, width, 3, padding=1, bias=False),
            nn.BatchNorm2d(width),
            nn.ReLU(),
            PlainImageBlock(width, width, 1),
            PlainImageBlock(width, 2 * width, 2),
            PlainImageBlock(2 * width, 4 * width, 2),
            nn.AdaptiveAvgPool2d(1),
            nn.Flatten(),
            nn.Linear(4 * width, N_CLASSES),
        )
    names = ("n_blocks", "width", "norm", "dropout")
    return PlainResNet(
        n_features,
        N_CLASSES,
        **{name: getattr(estimator, name) for name in names},
        hidden_width=int(estimator.width * estimator.hidden_factor),
    )


def bare_fit(estimator, x, y):
    """Build and train the net of the estimator in a hand-written loop."""
    net = plain_net(estimator, x.shape[1])
    sizes = {"epochs": estimator.max_epochs, "batch_size": estimator.batch_size}
    return train(net, x, y, curve=[], **sizes, **OPTIMIZER)


def bare_proba(net, parts):
    """Class probabilities of the samples in the given tensors."""
    with torch.inference_mode():
        return torch.cat([torch.softmax(net(part), dim=1) for part in parts])


# Measurements ------------------------------------------------------------------------------


def estimator(case, scaling, args, **options):
    """Estimator that trains the net of a case for a fixed number of epochs."""
    options = {"max_epochs": args.epochs or case.epochs, **case.options, **options}
    return ResNetClassifier(
        **{"n_blocks": 2, "norm": "batch", **options},
        **OPTIMIZER,
        lr_schedule="constant",
        label_smoothing=0.0,
        numerical_embedding=None,
        early_stopping=False,
        batch_size=args.batch_size,
        feature_scaling=scaling,
        n_iter_no_change=options["max_epochs"],
        tol=0.0,
        device="cpu",
        random_state=0,
    )


def with_scalings(case, args, **options):
    """Estimators by their ``feature_scaling``; by default, quantiles for tables only."""
    names = ("auto", None) if "image_shape" in case.options else ("auto", "standard", None)
    return {f"feature_scaling={one!r}": estimator(case, one, args, **options) for one in names}


def fit_rows(name, args):
    """Rows of the table for ``fit``."""
    case = CASES[name]
    X, y = generated(case, min(args.rows or case.fit_rows, case.fit_rows))
    fits = with_scalings(case, args)
    unscaled = fits["feature_scaling=None"]
    bare = functools.partial(bare_fit, unscaled, torch.from_numpy(X), torch.from_numpy(y))
    loops = on_each_thread_count("bare loop", bare)
    trained = {key: functools.partial(one.fit, X, y) for key, one in fits.items()}
    seconds = alternate(loops | trained, args.rounds)
    for one in fits.values():
        assert one.n_iter_ == one.max_epochs
    size = count_weights(unscaled.module_)
    assert size == count_weights(plain_net(unscaled, case.n_features))
    title = f"{name}: {len(X)} x {X.shape[1]}, {unscaled.max_epochs} epochs, {size} weights"
    return judged("fit", title, fastest(seconds, loops), seconds)


def predict_rows(name, args):
    """Rows of the table for ``predict_proba``."""
    case = CASES[name]
    X, y = generated(case, min(args.rows or case.predict_rows, case.predict_rows))
    fitted = with_scalings(case, args, max_epochs=1)
    for one in fitted.values():
        one.fit(X[:2000], y[:2000])
    unscaled = fitted["feature_scaling=None"]
    net = copy_weights(unscaled.module_, plain_net(unscaled, case.n_features)).eval()
    x = torch.from_numpy(X)
    passes = {"bare, all at once": [x], f"bare, chunks of {CHUNK_ROWS}": x.split(CHUNK_ROWS)}
    if "image_shape" in case.options:
        del passes["bare, all at once"]
    expected = bare_proba(net, x.split(CHUNK_ROWS)).numpy()
    np.testing.assert_allclose(unscaled.predict_proba(X), expected, rtol=1e-3, atol=1e-5)

    contenders = {key: functools.partial(one.predict_proba, X) for key, one in fitted.items()}
    references = []
    for key, parts in passes.items():
        run = functools.partial(bare_proba, net, parts)
        n_threads = best_threads(run)
        references.append(f"{key}, {n_threads} thread(s)")
        contenders[references[-1]] = on_threads(n_threads, run)
    seconds = alternate(contenders, args.rounds)
    rows = []
    for reference in references:
        kept = {key: value for key, value in seconds.items() if key in (reference, *fitted)}
        rows += judged("predict_proba", f"{name}: {len(X)} x {X.shape[1]}", reference, kept)
    return rows


def judged(what, title, reference, seconds):
    """Table rows, with a target for the default scaling."""
    targets = {"feature_scaling='auto'": TARGETS[what]}
    return timing_rows(seconds, reference, targets, case=title, what=what)


MEASUREMENTS = {"fit": fit_rows, "predict_proba": predict_rows}


def main():
    parser = make_parser(
        __doc__, cases=CASES, what=TARGETS, rounds=7, rows=None, epochs=None, batch_size=256
    )
    args = parse(parser, cases=["small", "image"], rounds=1, rows=300, epochs=1)
    report = Report("ResNetClassifier's overhead over bare torch on the CPU", args)
    for name in args.cases:
        for what in args.what:
            report.add(MEASUREMENTS[what](name, args))


if __name__ == "__main__":
    main()
