"""Intervals and standard deviations of regressors on held-out samples, over random splits.

Every split holds out a tenth of the samples, as in Gal and Ghahramani (2016); all models get the
same ones. Models: residual nets with ``loss="gaussian"``, residual nets with three quantiles, .05,
.5 and .95, ensembles of five of each, and scikit-learn's boosted trees, one model for each
quantile, with default parameters. Nets stop early and are refitted on all samples, without further
tuning.

- log-likelihood: mean log-density of held-out targets in nats, in their units; not for quantiles.
- RMSE: of the mean or the median.
- coverage: fraction of held-out targets between the quantiles .05 and .95, ideally .9.
- pinball: mean pinball loss of the three quantiles, divided by the standard deviation of the
  targets; lower is better.

``diabetes`` comes with scikit-learn. California housing is reduced to ``--train-rows`` and as many
held-out samples, at most. The UCI data sets are downloaded from OpenML, or read as ``<name>.csv``
from the folder in the environment variable SKDEEP_DATA; those that are not available are skipped.

    python benchmarks/uncertainty.py --json uncertainty.json
    python benchmarks/uncertainty.py --data diabetes california --set max_epochs=50

Published log-likelihoods of MC dropout, mean over 20 splits, are printed beside them. Splits
differ.
"""

import functools

import numpy as np
from _data import UCI_REGRESSION, california_housing, uci_regression
from _harness import print_table, stopwatch
from _records import (
    collect,
    describe,
    grouped,
    mean_and_sd,
    parameter_values,
    parse_study,
    print_missing,
    study_parser,
    summary,
)
from scipy import stats
from sklearn.datasets import load_diabetes
from sklearn.ensemble import HistGradientBoostingRegressor
from sklearn.metrics import mean_pinball_loss, root_mean_squared_error
from sklearn.model_selection import train_test_split

from skdeep.ensemble import DeepEnsembleRegressor
from skdeep.neural_network import ResNetRegressor

LEVELS = [0.05, 0.5, 0.95]
SETTINGS = {"early_stopping": True, "refit_full": True, "max_epochs": 200}
LOSSES = {
    "gaussian": {"loss": "gaussian"},
    "quantiles": {"loss": "quantile", "quantile": LEVELS},
}
OURS = [*LOSSES, *(f"{name}-ensemble" for name in LOSSES)]
MODELS = [*OURS, "histgb-quantiles"]
DATA = ["diabetes", "california", *UCI_REGRESSION]
METRICS = {"rmse": "RMSE", "coverage": "coverage", "pinball": "pinball"}
# RMSE and log-likelihood of MC dropout: Gal and Ghahramani (2016), "Dropout as a Bayesian
# Approximation", ICML, Table 1; and with ten times as many epochs, in the readme of
# github.com/yaringal/DropoutUncertaintyExps, commit 04604eb.
PUBLISHED = {
    "MC dropout": {
        "concrete": (5.23, -3.04),
        "energy": (1.66, -1.99),
        "kin8nm": (0.10, 0.95),
        "power": (4.02, -2.80),
        "yacht": (1.11, -1.55),
    },
    "MC dropout, 10 x epochs": {
        "concrete": (4.81, -2.94),
        "energy": (1.09, -1.72),
        "kin8nm": (0.09, 0.97),
        "power": (4.00, -2.79),
        "yacht": (0.72, -1.38),
    },
}


# Data --------------------------------------------------------------------------------------


@functools.cache
def load(data, smoke):
    """Features and target of a data set; None if it is not available."""
    if data == "diabetes":
        return load_diabetes(return_X_y=True)
    if data == "california":
        return california_housing(smoke=smoke)
    try:
        return uci_regression(data, smoke=smoke)
    except (OSError, ValueError) as error:
        print(f"not available: {data} ({type(error).__name__}: {error})")
        return None


def split(data, seed, args):
    """Training and held-out samples of a split."""
    X, y = load(data, args.smoke)
    test_size = 0.1
    if data == "california":
        order = np.random.default_rng(seed).permutation(len(X))[: 2 * args.train_rows]
        X, y, test_size = X[order], y[order], 0.5
    return train_test_split(X, y, test_size=test_size, random_state=seed)


# Models ------------------------------------------------------------------------------------


class BoostedQuantiles:
    """One ensemble of boosted trees for each quantile."""

    def __init__(self, seed):
        self.models = [
            HistGradientBoostingRegressor(loss="quantile", quantile=level, random_state=seed)
            for level in LEVELS
        ]

    def fit(self, X, y):
        for model in self.models:
            model.fit(X, y)
        return self

    def predict(self, X, quantiles):
        return np.stack([model.predict(X) for model in self.models], axis=1)


def parameters(model, settings):
    """Parameters of a net without the seed; none for boosted trees."""
    if model not in OURS:
        return {}
    return {**SETTINGS, **LOSSES[model.partition("-")[0]], **settings}


def build(model, seed, settings):
    if model not in OURS:
        return BoostedQuantiles(seed)
    net = ResNetRegressor(**parameters(model, settings), random_state=seed, device="cpu")
    return DeepEnsembleRegressor(net, random_state=seed) if model.endswith("ensemble") else net


# Scores ------------------------------------------------------------------------------------


def measure(wanted, args):
    """Train a model and score the held-out samples."""
    X_train, X_test, y_train, y_test = split(wanted["data"], wanted["seed"], args)
    model = build(wanted["model"], wanted["seed"], parameter_values(wanted["settings"]))
    figures = {"rows": [len(y_train), len(y_test)]}
    with stopwatch(figures, "fit"):
        model.fit(X_train, y_train)
    low, middle, high = model.predict(X_test, quantiles=LEVELS).T
    losses = [
        mean_pinball_loss(y_test, found, alpha=level)
        for found, level in zip((low, middle, high), LEVELS, strict=True)
    ]
    figures["rmse"] = float(root_mean_squared_error(y_test, middle))
    figures["coverage"] = float(np.mean((low <= y_test) & (y_test <= high)))
    figures["pinball"] = float(np.mean(losses) / np.std(y_train))
    figures["log_likelihood"] = None
    if wanted["model"].startswith("gaussian"):
        mean, std = model.predict(X_test, return_std=True)
        figures["log_likelihood"] = float(stats.norm.logpdf(y_test, mean, std).mean())
    return figures


def row(records):
    """Table row of a group of records."""
    likelihoods = [record["log_likelihood"] for record in records]
    known = None if None in likelihoods else mean_and_sd(likelihoods)
    found = summary(records, METRICS)
    return {"model": found.pop("model"), "log-likelihood": known, **found}


def published_rows(data):
    """Table rows of the published figures."""
    return [
        {"model": name, "log-likelihood": f"{found[data][1]:.2f}", "RMSE": f"{found[data][0]:.2f}"}
        for name, found in PUBLISHED.items()
        if data in found
    ]


def main():
    options = {"data": DATA, "models": MODELS, "seeds": 5, "train_rows": 6000}
    parser = study_parser(__doc__, has_validation=False, **options)
    smoke = {"set": [("max_epochs", "1")], "data": ["diabetes", "california", "yacht"]}
    args, records = parse_study(parser, "Uncertainty of regressors", **smoke)
    wanted = (
        describe(
            args,
            {**parameters(model, parameter_values(args.set)), "train_rows": args.train_rows},
            ours=model in OURS,
            data=data,
            model=model,
            seed=seed,
        )
        for data in args.data
        if load(data, args.smoke) is not None
        for seed in range(args.seeds)
        for model in args.models
    )
    missing = collect(records, wanted, functools.partial(measure, args=args), args, METRICS)
    for (data, _), groups in grouped(records.all, MODELS).items():
        rows = [row(group) for group in groups.values()] + published_rows(data)
        print_table(rows, title=f"{data}: held-out samples")
    print_missing(missing)
    print("\nMC dropout: Gal and Ghahramani (2016), and the readme of their code; 20 splits")


if __name__ == "__main__":
    main()
