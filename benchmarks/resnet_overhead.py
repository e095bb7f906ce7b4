"""Price of the estimator over bare torch: `ResNetClassifier` beside a net and loop by hand.

`fit` is compared with a loop over ``randperm`` and ``index_select`` that trains the same net, made
of torch's own modules, on float32 rows that are scaled already: the same optimiser (AdamW, fused),
constant step size, weight decay, batch size and number of epochs, and a mean loss read once per
epoch. Both build their net within the measured time. ``feature_scaling=None`` does what the loop
does; the others learn and apply their scaling too. `fit` may take 1.10 x of the loop with the
default, "auto".

`predict_proba` of 100,000 rows is compared with the same weights in torch's modules: a forward
pass and a softmax in ``inference_mode``, over scaled float32 rows, all at once or in chunks of
1024. It may take 1.15 x of either with the default scaling. Images have fewer rows and no pass
over all at once: that takes gigabytes.

Contenders take turns in one process, and ratios are those of their medians. What is written by
hand gets the better of one and all threads; skdeep chooses by itself.

    python benchmarks/resnet_overhead.py
    python benchmarks/resnet_overhead.py --cases default image --what fit --repeats 3
    python benchmarks/resnet_overhead.py --rows 2000 --epochs 1 --repeats 1        # a smoke test
"""

import functools
from typing import NamedTuple

import numpy as np
import torch
from _common import (
    alternate,
    best_threads,
    copy_weights,
    limited_threads,
    make_parser,
    median_ratio,
    print_header,
    print_table,
    save_json,
    thread_counts,
)
from torch import nn
from torch.nn import functional as F

from skdeep.neural_network import ResNetClassifier

TARGETS = {"fit": 1.10, "predict_proba": 1.15}
CHUNK_ROWS = 1024
N_CLASSES = 4
OPTIMIZER = {"lr": 1e-3, "weight_decay": 1e-5}


class Case(NamedTuple):
    """One net, the size of its data and the length of its training."""

    n_features: int
    fit_rows: int
    predict_rows: int
    epochs: int
    options: dict  # the estimator's parameters


def table_case(n_features, epochs, **options):
    return Case(n_features, 20_000, 100_000, epochs, options)


CASES = {
    "default": table_case(8, 5),
    "default-20": table_case(20, 5),
    # of Gorishniy et al. (2021), as in resnet_tabular.py
    "california": table_case(8, 3, n_blocks=3, width=168, hidden_factor=2.983, dropout=0.4457),
    "large": table_case(20, 1, n_blocks=4, width=512),
    "image": Case(784, 2_000, 10_000, 1, {"n_blocks": 1, "image_shape": (28, 28), "dropout": 0.0}),
}


def generated(n_rows, n_features):
    """Rows of features that depend on one another, float32, and a label of four for each."""
    rng = np.random.default_rng(0)
    hidden = rng.standard_normal((n_rows, 3))
    X = np.tanh(hidden @ rng.standard_normal((3, n_features)))
    X = (X + 0.1 * rng.standard_normal(X.shape)).astype(np.float32)
    return X, (hidden @ rng.standard_normal((3, N_CLASSES))).argmax(axis=1)


# By hand -----------------------------------------------------------------------------------


class PlainBlock(nn.Module):
    """Residual block for tables."""

    def __init__(self, width, hidden_width, dropout):
        super().__init__()
        self.norm = nn.BatchNorm1d(width)
        self.wide = nn.Linear(width, hidden_width)
        self.dropout = nn.Dropout(dropout)
        self.narrow = nn.Linear(hidden_width, width)

    def forward(self, x):
        return x + self.narrow(self.dropout(F.relu(self.wide(self.norm(x)))))


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
    """The estimator's net in torch's own modules."""
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
    width, hidden_width = estimator.width, int(estimator.width * estimator.hidden_factor)
    blocks = [PlainBlock(width, hidden_width, estimator.dropout) for _ in range(estimator.n_blocks)]
    return nn.Sequential(
        nn.Linear(n_features, width),
        *blocks,
        nn.BatchNorm1d(width),
        nn.ReLU(),
        nn.Linear(width, N_CLASSES),
    )


def bare_fit(estimator, x, y):
    """Train the estimator's net in a loop; the net and the mean loss of each epoch."""
    net = plain_net(estimator, x.shape[1])
    optimizer = torch.optim.AdamW(net.parameters(), fused=True, **OPTIMIZER)
    curve = []
    for _ in range(estimator.max_epochs):
        total = torch.zeros(())
        for index in torch.randperm(len(x)).split(estimator.batch_size):
            optimizer.zero_grad()
            loss = F.cross_entropy(net(x.index_select(0, index)), y.index_select(0, index))
            loss.backward()
            optimizer.step()
            total += loss.detach() * len(index)
        curve.append(total.item() / len(x))
    return net, curve


def bare_proba(net, parts):
    """Probabilities of the rows of some tensors."""
    with torch.inference_mode():
        return torch.cat([torch.softmax(net(part), dim=1) for part in parts])


# Measurements ------------------------------------------------------------------------------


def estimator(case, scaling, args, **options):
    """Estimator that trains the case's net for just so many epochs."""
    options = {"max_epochs": args.epochs or case.epochs, **case.options, **options}
    return ResNetClassifier(
        **options,
        **OPTIMIZER,
        lr_schedule="constant",
        batch_size=args.batch_size,
        feature_scaling=scaling,
        n_iter_no_change=options["max_epochs"],
        tol=0.0,
        device="cpu",
        random_state=0,
    )


def scalings(case):
    """Values of ``feature_scaling``, the default first: quantiles for tables, global for images."""
    return ("auto", None) if "image_shape" in case.options else ("auto", "standard", None)


def fit_rows(name, args):
    """Rows of the table for ``fit``."""
    case = CASES[name]
    X, y = generated(min(args.rows or case.fit_rows, case.fit_rows), case.n_features)
    fits = {f"feature_scaling={one!r}": estimator(case, one, args) for one in scalings(case)}
    unscaled = fits["feature_scaling=None"]
    x, target = torch.from_numpy(X), torch.from_numpy(y)

    def bare(n_threads):
        with limited_threads(n_threads):
            bare_fit(unscaled, x, target)

    loops = {f"bare loop, {n} thread(s)": functools.partial(bare, n) for n in thread_counts()}
    trained = {key: functools.partial(one.fit, X, y) for key, one in fits.items()}
    seconds = alternate(loops | trained, repeats=args.repeats)
    for one in fits.values():
        assert one.n_iter_ == one.max_epochs
    size = sum(parameter.numel() for parameter in unscaled.module_.parameters())
    assert size == sum(p.numel() for p in plain_net(unscaled, case.n_features).parameters())
    title = f"{name}: {len(X)} x {X.shape[1]}, {unscaled.max_epochs} epochs, {size} weights"
    best_loop = min(loops, key=lambda key: np.median(seconds[key]))
    return _rows("fit", title, best_loop, seconds)


def predict_rows(name, args):
    """Rows of the table for ``predict_proba``."""
    case = CASES[name]
    X, y = generated(min(args.rows or case.predict_rows, case.predict_rows), case.n_features)
    fitted = {
        f"feature_scaling={one!r}": estimator(case, one, args, max_epochs=1).fit(X[:2000], y[:2000])
        for one in scalings(case)
    }
    unscaled = fitted["feature_scaling=None"]
    net = plain_net(unscaled, case.n_features).eval()
    copy_weights(unscaled.module_, net)
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
        contenders[references[-1]] = functools.partial(_limited, n_threads, run)
    seconds = alternate(contenders, repeats=args.repeats)
    rows = []
    for reference in references:
        kept = {key: value for key, value in seconds.items() if key in (reference, *fitted)}
        rows += _rows("predict_proba", f"{name}: {len(X)} x {X.shape[1]}", reference, kept)
    return rows


def _limited(n_threads, run):
    with limited_threads(n_threads):
        run()


def _rows(what, title, reference, seconds):
    """Table rows: each contender's median and its ratio to the reference's."""
    rows = []
    for name, times in seconds.items():
        ratio = median_ratio(times, seconds[reference])
        target = TARGETS[what] if name == "feature_scaling='auto'" else None
        rows.append(
            {
                "case": title,
                "what": what if name.startswith("feature") else "",
                "contender": name + (" (1.00)" if name == reference else ""),
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
    parser.add_argument("--cases", nargs="+", choices=list(CASES), default=list(CASES))
    parser.add_argument("--what", nargs="+", choices=list(TARGETS), default=list(TARGETS))
    parser.add_argument("--repeats", type=int, default=7)
    parser.add_argument("--rows", type=int, help="at most so many rows of each case")
    parser.add_argument("--epochs", type=int, help="other than the cases' own")
    parser.add_argument("--batch-size", type=int, default=256)
    args = parser.parse_args()
    print_header("ResNetClassifier's overhead over bare torch on the CPU")
    results = []
    for name in args.cases:
        for what in args.what:
            rows = fit_rows(name, args) if what == "fit" else predict_rows(name, args)
            print_table(rows)
            results += rows
    save_json(args.json, repeats=args.repeats, batch_size=args.batch_size, results=results)


if __name__ == "__main__":
    main()
