"""Models for tables: RMSE on California housing and accuracy on Adult, over seeds.

The splits have the same sizes as in Gorishniy et al. (2021): 13209 training, 3303 validation and
4128 test samples for California housing; 26048, 6513 and 16281 for Adult. The test set is the same
for every seed: drawn once for California, the official one for Adult. Every model gets the same
training and validation samples, of which a fifth is for validation: sklearn's and skdeep's models
hold it out themselves, pytabkit's get a given validation set. Test samples are predicted once per
model and seed, after training.

- sklearn's multilayer perceptron: two layers of 256 units, features transformed to a normal
  distribution by quantiles, one-hot categories. Its scaling also uses the validation samples, but
  not their targets; so does pytabkit's ResNet.
- sklearn's boosted trees: defaults, up to 1000 trees.
- pytabkit's ResNet and RealMLP: defaults; a single model without a refit.
- skdeep's ResNet: with chosen settings; with the settings published by the authors of the paper for
  California (theirs for Adult, 8 blocks of 339 x 3.8, take too long on two cores); with numerical
  embeddings; refitted on all samples; and with all defaults (`resnet-default`).

Configurations are chosen with ``--validation``, which does not use the test set: a fifth of the
training and validation samples is scored, and the models are trained on the rest.

    pip install pytabkit pandas                  # the peers; missing ones are listed at the end
    python benchmarks/resnet_tabular.py --json tabular.json
    python benchmarks/resnet_tabular.py --models resnet --validation --set width=128 lr=0.001

Times are CPU seconds of all threads, which hardly depend on other load on the machine. Results in
the file are not measured again, unless skdeep's parameters have changed; the table shows all
records of the file. Data is read from the folder in the environment variable SKDEEP_DATA, or
downloaded.
"""

import contextlib
import functools
import importlib
import io
import tempfile
import warnings

import numpy as np
import torch
from _data import Parts, adult, california_housing, validation_split
from _harness import print_table, stopwatch, verdict
from _records import (
    collect,
    describe,
    grouped,
    parameter_values,
    parse_study,
    print_missing,
    study_parser,
    summary,
)
from sklearn.compose import (
    TransformedTargetRegressor,
    make_column_selector,
    make_column_transformer,
)
from sklearn.ensemble import HistGradientBoostingClassifier, HistGradientBoostingRegressor
from sklearn.metrics import accuracy_score, root_mean_squared_error
from sklearn.model_selection import train_test_split
from sklearn.neural_network import MLPClassifier, MLPRegressor
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, QuantileTransformer, StandardScaler

from skdeep.neural_network import ResNetClassifier, ResNetRegressor

# Common settings of all models of skdeep except the one with defaults; patience as in the paper.
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
METRICS = {"california": {"score": "RMSE"}, "adult": {"score": "accuracy"}}
TARGETS = {
    "california": {
        "resnet": {"at_most": 0.486},
        "resnet-periodic": {"at_most": 0.470},
        "resnet-ple": {"at_most": 0.470},
    },
    "adult": {
        "resnet": {"at_least": 0.854},
        "resnet-periodic": {"at_least": 0.857},
        "resnet-ple": {"at_least": 0.857},
    },
}
# Gorishniy et al. (2021), "Revisiting Deep Learning Models for Tabular Data", NeurIPS: tuned
# single models, mean of 15 seeds.
PAPER = {
    "california": {"paper: ResNet, tuned": 0.4856, "paper: MLP, tuned": 0.4985},
    "adult": {"paper: ResNet, tuned": 0.8544, "paper: MLP, tuned": 0.8522},
}


# Data --------------------------------------------------------------------------------------


@functools.cache
def official(data, smoke):
    """Training and test samples with targets."""
    if data == "adult":
        return adult(smoke=smoke)
    X, y = california_housing(smoke=smoke)
    X_train, X_test, y_train, y_test = train_test_split(X, y, test_size=0.2, random_state=0)
    return Parts(X_train, y_train, X_test, y_test)


def parts(data, seed, *, validation=False, smoke=False):
    """Samples to train on, including those for validation, and samples to score.

    With ``validation``, the latter are split from the former and the test samples are not used.
    """
    found = official(data, smoke)
    return validation_split(found.X_train, found.y_train, seed) if validation else found


# Peers: each takes the name of a data set and a seed, and returns an estimator -------------------


def mlp(data, seed):
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
    if data == "california":
        net = make_pipeline(quantiles, MLPRegressor(**options))
        return TransformedTargetRegressor(net, transformer=StandardScaler())
    one_hot = OneHotEncoder(handle_unknown="ignore", sparse_output=False)
    columns = make_column_transformer(
        (quantiles, make_column_selector(dtype_include="number")),
        (one_hot, make_column_selector(dtype_include="category")),
    )
    return make_pipeline(columns, MLPClassifier(**options))


def histgb(data, seed):
    classes = {"california": HistGradientBoostingRegressor, "adult": HistGradientBoostingClassifier}
    return classes[data](
        max_iter=1000,
        early_stopping=True,
        validation_fraction=0.2,
        categorical_features="from_dtype",
        random_state=seed,
    )


class Pytabkit:
    """One of pytabkit's estimators, with a validation set drawn by the seed."""

    def __init__(self, prefix, data, seed):
        suffix = "Regressor" if data == "california" else "Classifier"
        with quiet():
            cls = getattr(importlib.import_module("pytabkit"), f"{prefix}_{suffix}")
        self.seed = seed
        # by default it uses all physical cores
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
    """Suppress pytabkit's output, and run in a temporary folder for its checkpoints."""
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
    "resnet-default": {data: {} for data in METRICS},
}
EXTRAS = {
    "resnet-periodic": {"numerical_embedding": "periodic"},
    "resnet-ple": {"numerical_embedding": "piecewise-linear"},
    "resnet-refit": {"refit_full": True},
}
MODELS = [*PEERS, *VARIANTS]


def parameters(model, data, settings):
    """Parameters of skdeep's estimator without the seed; none for peers."""
    if model in PEERS:
        return {}
    protocol = {} if model == "resnet-default" else PROTOCOL
    return {**protocol, **VARIANTS[model][data], **EXTRAS.get(model, {}), **settings}


def build(model, data, seed, settings):
    if model in PEERS:
        return PEERS[model](data, seed)
    cls = ResNetRegressor if data == "california" else ResNetClassifier
    return cls(**parameters(model, data, settings), random_state=seed)


# Scores ------------------------------------------------------------------------------------


def measure(wanted, args):
    """Train a model and predict the scored samples once; return the results."""
    data, seed = wanted["data"], wanted["seed"]
    found = parts(data, seed, validation=args.validation, smoke=args.smoke)
    model = build(wanted["model"], data, seed, parameter_values(wanted["settings"]))
    figures = {"rows": [len(found.y_train), len(found.y_score)]}
    with stopwatch(figures, "fit"):
        model.fit(found.X_train, found.y_train)
    with stopwatch(figures, "predict"):
        y_pred = model.predict(found.X_score)
    metric = root_mean_squared_error if data == "california" else accuracy_score
    figures["n_iter"] = getattr(model, "n_iter_", None)
    return {**figures, "score": float(metric(found.y_score, y_pred))}


def describe_model(data, model, seed, args):
    """Describe a measurement."""
    given = parameters(model, data, parameter_values(args.set))
    names = {"data": data, "model": model, "seed": seed}
    return describe(args, given, ours=model in VARIANTS, **names)


def row(records):
    """Table row of a group of records."""
    first = records[0]
    targets = TARGETS[first["data"]] if first["scored_on"] == "test" else {}
    score = np.mean([record["score"] for record in records])
    target = verdict(score, **targets.get(first["model"], {}))
    return {**summary(records, METRICS[first["data"]]), **target}


def paper_rows(data):
    """Table rows of the published scores."""
    metric = METRICS[data]["score"]
    return [
        {"model": name, metric: f"{score:.4f}", "runs": 15} for name, score in PAPER[data].items()
    ]


def main():
    parser = study_parser(__doc__, data=METRICS, models=MODELS, seeds=5)
    smoke = {"set": [("max_epochs", "1")]}
    args, records = parse_study(parser, "Models for tables on the CPU", **smoke)
    wanted = (
        describe_model(data, model, seed, args)
        for seed in range(args.seeds)
        for data in args.data
        for model in args.models
        if data in VARIANTS.get(model, METRICS)
    )
    missing = collect(
        records, wanted, functools.partial(measure, args=args), args, {"score": "score"}
    )
    for (data, scored_on), groups in grouped(records.all, MODELS).items():
        rows = [row(group) for group in groups.values()]
        rows += paper_rows(data) if scored_on == "test" else []
        metric = METRICS[data]["score"]
        print_table(rows, title=f"{data}: {metric} of the {scored_on} samples")
    print_missing(missing)
    print("\npaper: Gorishniy et al. (2021), tuned single models, mean of 15 seeds")


if __name__ == "__main__":
    main()
