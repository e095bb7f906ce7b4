"""Models for tables: RMSE on California housing and accuracy on Adult, over seeds.

There are as many rows as in Gorishniy et al. (2021): 13209 to train on, 3303 to validate on and
4128 to test on for California housing; 26048, 6513 and 16281 for Adult. The test rows are the same
for every seed: California's are drawn once, Adult's are the official ones. Every model gets the
same train and validation rows, of which a fifth is for validation: sklearn's and skdeep's models
hold it out by themselves, pytabkit's are handed one. Test rows are predicted once per model and
seed, after the training.

- sklearn's perceptron: two layers of 256, quantiles to a normal distribution, one-hot categories.
  Its scaling sees the validation rows too, but not their targets; pytabkit's ResNet does likewise.
- sklearn's boosted trees: defaults, up to 1000 trees.
- pytabkit's ResNet and RealMLP: their defaults: one model, without a refit.
- skdeep's ResNet: with chosen settings; with those that the paper's authors published for
  California (theirs for Adult, 8 blocks of 339 x 3.8, take too long on two cores); with embeddings
  of numbers; trained anew on all rows; and without any setting (`resnet-default`).

Configurations are chosen with ``--validation``, which leaves the test rows alone: a fifth of the
train and validation rows is scored, and the models are trained on the rest.

    pip install pytabkit pandas                  # the peers; what is missing is named at the end
    python benchmarks/resnet_tabular.py --json tabular.json
    python benchmarks/resnet_tabular.py --models resnet --validation --set width=128 lr=0.001

Seconds are the processor's, of all threads together: other work on the machine hardly counts.
What the file holds already is not measured again, unless skdeep's parameters have changed; the
table is made of all records of the file. Data come from the folder in the environment variable
SKDEEP_DATA, else from their sources.
"""

import contextlib
import functools
import importlib
import io
import itertools
import statistics
import tempfile
import time
import warnings

import numpy as np
import torch
from _common import (
    Records,
    adult,
    california_housing,
    environment,
    limited_threads,
    make_parser,
    parameter_values,
    print_header,
    print_table,
    setting,
)
from sklearn.compose import (
    TransformedTargetRegressor,
    make_column_selector,
    make_column_transformer,
)
from sklearn.ensemble import HistGradientBoostingClassifier, HistGradientBoostingRegressor
from sklearn.exceptions import ConvergenceWarning
from sklearn.metrics import accuracy_score, root_mean_squared_error
from sklearn.model_selection import train_test_split
from sklearn.neural_network import MLPClassifier, MLPRegressor
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, QuantileTransformer, StandardScaler

# What all of skdeep's models share but the one of defaults; the patience is the paper's.
PROTOCOL = {
    "feature_scaling": "quantile",
    "early_stopping": True,
    "validation_fraction": 0.2,
    "n_iter_no_change": 16,
    "tol": 0.0,
}
# Chosen with --validation, seed 0, among about ten settings for each data set: epochs 20 to 100,
# dropout .15 to .45, width 168 to 192, 2 to 4 blocks, lr .001 to .003, embeddings of 8 or 24.
TUNED = {
    "california": {"max_epochs": 100, "dropout": 0.3},
    "adult": {"max_epochs": 20, "dropout": 0.15},
}
EMBEDDED = {
    "california": {"max_epochs": 50, "dropout": 0.15},
    "adult": {"max_epochs": 20, "dropout": 0.4, "embedding_dim": 8},
}
# github.com/yandex-research/rtdl: output/california_housing/resnet/tuned/0/stats.json
PUBLISHED = {
    "california": {
        "n_blocks": 3,
        "width": 168,
        "hidden_factor": 2.983,
        "dropout": 0.4457,
        "lr": 0.001759,
        "weight_decay": 0.000951,
        "lr_schedule": "constant",
        "max_epochs": 400,
    },
}
# Names a record; one of other parameters takes its place.
KEY = ("dataset", "model", "seed", "scored_on", "settings")
METRICS = {"california": "RMSE", "adult": "accuracy"}
TARGETS = {
    "california": {"resnet": "<= .486", "resnet-periodic": "<= .470", "resnet-ple": "<= .470"},
    "adult": {"resnet": ">= .854", "resnet-periodic": ">= .857", "resnet-ple": ">= .857"},
}
# Gorishniy et al. (2021), "Revisiting Deep Learning Models for Tabular Data", NeurIPS: tuned
# single models, mean of 15 seeds.
PAPER = {
    "california": {"paper: ResNet, tuned": 0.4856, "paper: MLP, tuned": 0.4985},
    "adult": {"paper: ResNet, tuned": 0.8544, "paper: MLP, tuned": 0.8522},
}


# Rows --------------------------------------------------------------------------------------


@functools.cache
def load(dataset):
    return california_housing() if dataset == "california" else adult()


def rows(dataset, seed, *, validation):
    """Rows to train on, validation part included, and rows to score, each with its target.

    With ``validation``, the scored rows are taken from the former and the test rows are left out.
    """
    if dataset == "california":
        X, y = load(dataset)
        X_fit, X_score, y_fit, y_score = train_test_split(X, y, test_size=0.2, random_state=0)
    else:
        X_fit, y_fit, X_score, y_score = load(dataset)
    if validation:
        X_fit, X_score, y_fit, y_score = train_test_split(
            X_fit, y_fit, test_size=0.2, random_state=1000 + seed
        )
    return X_fit, y_fit, X_score, y_score


# Peers: each takes a data set's name and a seed, and gives an estimator ------------------------


def mlp(dataset, seed):
    quantiles = QuantileTransformer(output_distribution="normal", random_state=seed)
    options = {
        "hidden_layer_sizes": (256, 256),
        "batch_size": 256,
        "early_stopping": True,
        "validation_fraction": 0.2,
        "n_iter_no_change": 16,
        "tol": 0.0,
        "max_iter": 200,
        "random_state": seed,
    }
    if dataset == "california":
        net = make_pipeline(quantiles, MLPRegressor(**options))
        return TransformedTargetRegressor(net, transformer=StandardScaler())
    one_hot = OneHotEncoder(handle_unknown="ignore", sparse_output=False)
    columns = make_column_transformer(
        (quantiles, make_column_selector(dtype_include="number")),
        (one_hot, make_column_selector(dtype_include="category")),
    )
    return make_pipeline(columns, MLPClassifier(**options))


def histgb(dataset, seed):
    classes = {"california": HistGradientBoostingRegressor, "adult": HistGradientBoostingClassifier}
    return classes[dataset](
        max_iter=1000,
        early_stopping=True,
        validation_fraction=0.2,
        categorical_features="from_dtype",
        random_state=seed,
    )


class Pytabkit:
    """One of pytabkit's estimators, with validation rows drawn by the seed."""

    def __init__(self, prefix, dataset, seed):
        suffix = "Regressor" if dataset == "california" else "Classifier"
        with quiet():
            cls = getattr(importlib.import_module("pytabkit"), f"{prefix}_{suffix}")
        self.seed = seed
        # it would take all physical cores
        self.model = cls(random_state=seed, device="cpu", n_threads=torch.get_num_threads())

    def fit(self, X, y):
        X, X_val, y, y_val = train_test_split(X, y, test_size=0.2, random_state=self.seed)
        with quiet():
            self.model.fit(X, y, X_val, y_val)
        return self

    def predict(self, X):
        with quiet():
            return self.model.predict(X)


@contextlib.contextmanager
def quiet():
    """Without what pytabkit prints, and in a folder where it may leave checkpoints."""
    with (
        tempfile.TemporaryDirectory() as folder,
        contextlib.chdir(folder),
        contextlib.redirect_stdout(io.StringIO()),
        contextlib.redirect_stderr(io.StringIO()),
        warnings.catch_warnings(action="ignore"),
    ):
        yield


PEERS = {
    "mlp": mlp,
    "histgb": histgb,
    "pytabkit-resnet": functools.partial(Pytabkit, "Resnet_RTDL_D"),
    "pytabkit-realmlp": functools.partial(Pytabkit, "RealMLP_TD"),
}


# skdeep ------------------------------------------------------------------------------------

VARIANTS = {
    "resnet": TUNED,
    "resnet-published": PUBLISHED,
    "resnet-periodic": EMBEDDED,
    "resnet-ple": EMBEDDED,
    "resnet-refit": TUNED,
    "resnet-default": {dataset: {} for dataset in METRICS},
}
EXTRAS = {
    "resnet-periodic": {"numerical_embedding": "periodic"},
    "resnet-ple": {"numerical_embedding": "piecewise-linear"},
    "resnet-refit": {"refit_full": True},
}
MODELS = [*PEERS, *VARIANTS]


def parameters(model, dataset, settings):
    """What skdeep's estimator is given besides the seed; nothing for peers."""
    if model in PEERS:
        return {}
    protocol = {} if model == "resnet-default" else PROTOCOL
    return {**protocol, **VARIANTS[model][dataset], **EXTRAS.get(model, {}), **settings}


def build(model, dataset, seed, settings):
    if model in PEERS:
        return PEERS[model](dataset, seed)
    module = importlib.import_module("skdeep.neural_network")
    cls = module.ResNetRegressor if dataset == "california" else module.ResNetClassifier
    return cls(**parameters(model, dataset, settings), random_state=seed)


# Records -----------------------------------------------------------------------------------


def measure(wanted, threads):
    """The record: a model is trained, then predicts the scored rows once."""
    dataset, seed = wanted["dataset"], wanted["seed"]
    X_fit, y_fit, X_score, y_score = rows(
        dataset, seed, validation=wanted["scored_on"] == "validation"
    )
    with limited_threads(threads), warnings.catch_warnings():
        # the perceptron's number of epochs is meant to end the training
        warnings.filterwarnings("ignore", "Stochastic Optimizer", ConvergenceWarning)
        model = build(wanted["model"], dataset, seed, parameter_values(wanted["settings"]))
        times = [time.process_time()]
        model.fit(X_fit, y_fit)
        times.append(time.process_time())
        y_pred = model.predict(X_score)
        times.append(time.process_time())
        measured_with = environment("pandas", "pytabkit", "skorch")
    metric = root_mean_squared_error if dataset == "california" else accuracy_score
    return {
        **wanted,
        "score": float(metric(y_score, y_pred)),
        "fit_cpu_s": times[1] - times[0],
        "predict_cpu_s": times[2] - times[1],
        "n_iter": getattr(model, "n_iter_", None),
        "rows": [len(y_fit), len(y_score)],
        "threads": measured_with["torch threads"],
        "versions": measured_with,
    }


def describe(dataset, model, seed, args):
    """What is to be measured, in a record's terms."""
    settings = dict(args.set)
    given = parameters(model, dataset, parameter_values(settings))
    return {
        "dataset": dataset,
        "model": model,
        "seed": seed,
        "scored_on": "validation" if args.validation else "test",
        "settings": settings,
        "parameters": {name: repr(value) for name, value in given.items()},
    }


def run(args, records):
    """Measure what the file does not hold, seed by seed; what cannot be imported, and why."""
    missing = {}
    for seed, dataset, model in itertools.product(range(args.seeds), args.datasets, args.models):
        if dataset not in VARIANTS.get(model, METRICS):
            continue
        wanted = describe(dataset, model, seed, args)
        if model in missing or (records.has(wanted, "parameters") and not args.again):
            continue
        try:
            record = measure(wanted, args.threads)
        except ImportError as error:
            missing[model] = f"{type(error).__name__}: {error}"
            continue
        records.add(record)
        print(
            f"{dataset} {model} seed {seed}: {METRICS[dataset]} {record['score']:.4f}, "
            f"fit {record['fit_cpu_s']:.1f} s, predict {record['predict_cpu_s']:.2f} s",
            flush=True,
        )
    return missing


# Table -------------------------------------------------------------------------------------


def print_records(records):
    """One table for each data set and kind of scored rows."""
    for dataset, scored_on in itertools.product(METRICS, ("test", "validation")):
        groups = {}
        for record in records:
            if (record["dataset"], record["scored_on"]) == (dataset, scored_on):
                settings = " ".join(f"{k}={v}" for k, v in record["settings"].items())
                key = (MODELS.index(record["model"]), settings)
                groups.setdefault(key, []).append(record)
        table = [_row(settings, group) for (_, settings), group in sorted(groups.items())]
        if table and scored_on == "test":
            table += [_paper_row(*item) for item in PAPER[dataset].items()]
        if table:
            print_table(table, title=f"{dataset}: {METRICS[dataset]} of the {scored_on} rows")


def _row(settings, records):
    first, scores = records[0], [record["score"] for record in records]
    targets = TARGETS[first["dataset"]] if first["scored_on"] == "test" else {}
    return {
        "model": first["model"],
        "settings": settings or None,
        "mean": f"{np.mean(scores):.4f}",
        "sd": f"{np.std(scores, ddof=1):.4f}" if len(scores) > 1 else None,
        "seeds": len(scores),
        "median fit s": statistics.median(record["fit_cpu_s"] for record in records),
        "threads": "/".join(sorted({str(record["threads"]) for record in records})),
        "target": targets.get(first["model"]),
    }


def _paper_row(name, score):
    blank = dict.fromkeys(("settings", "mean", "sd", "seeds", "median fit s", "threads", "target"))
    return {"model": name, **blank, "mean": f"{score:.4f}", "seeds": 15}


def main():
    parser = make_parser(__doc__)
    parser.add_argument("--datasets", nargs="+", choices=list(METRICS), default=list(METRICS))
    parser.add_argument("--models", nargs="+", choices=MODELS, default=MODELS)
    parser.add_argument("--seeds", type=int, default=5, help="runs, each with its own seed")
    parser.add_argument("--threads", type=int, help="default: left as they are")
    parser.add_argument("--again", action="store_true", help="measure what the file holds already")
    parser.add_argument("--validation", action="store_true", help="leave the test rows alone")
    parser.add_argument(
        "--set",
        nargs="+",
        type=setting,
        default=[],
        metavar="NAME=VALUE",
        help="parameters of skdeep's models, in place of the tuned ones",
    )
    args = parser.parse_args()
    args.set.sort()
    if args.set and not set(args.models) <= set(VARIANTS):
        parser.error(f"--set is for {', '.join(VARIANTS)}: name some of them with --models")
    print_header("Models for tables on the CPU")
    records = Records(args.json, KEY)
    missing = run(args, records)
    print_records(records.all)
    for name, reason in missing.items():
        print(f"\nnot measured: {name} ({reason})")
    print("\npaper: Gorishniy et al. (2021), tuned single models, mean of 15 seeds")


if __name__ == "__main__":
    main()
