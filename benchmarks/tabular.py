"""Models for tables with default parameters: scores, ranks and times over seeds.

Every model is trained on the same samples, and predicts the same test samples once, after training.
No model sees test samples before that, and none has other than default parameters. The defaults of
skdeep's nets, however, were chosen on these tables: on other splits into training and test samples
and, for ``california`` and ``adult``, on training samples only.

- Tables: at most ``--rows`` training samples, drawn by the seed, and at most as many test samples.
  ``california-full`` and ``adult-full`` are the splits of Gorishniy et al. (2021): 16512 and 4128
  samples, drawn once; 32561 and 16281, the official ones.
- Scores: accuracy of classifiers and R2 of regressors; RMSE in addition. The mean rank is over the
  tables that all models were measured on. The normalized score of a table is 1 for the best model
  and 0 for the worst.
- scikit-learn's multilayer perceptron gets standardized numbers and one-hot encoded categories;
  targets of regression are standardized. The others get the data as they are, with missing numbers
  imputed by medians.
- pytabkit's RealMLP-TD and TabM-D hold out a fifth of the samples by themselves.

    pip install pytabkit pandas                  # the peers; missing ones are listed at the end
    python benchmarks/tabular.py --json tabular.json --seeds 3
    python benchmarks/tabular.py --data california-full adult-full --models resnet histgb --seeds 5
    python benchmarks/tabular.py --json tabular.json --models resnet --picture ranks.png

Times are CPU seconds of all threads, which hardly depend on other load on the machine. Results in
the file are not measured again, unless skdeep's parameters have changed; the table shows all
records of the file. ``--picture`` draws a critical difference diagram of the mean ranks and needs
scikit-posthocs and matplotlib. Data is read from the folder in the environment variable
SKDEEP_DATA, or downloaded.
"""

import contextlib
import functools
import importlib
import io
import tempfile
import warnings
from pathlib import Path

import numpy as np
import pandas as pd
import torch
from _data import (
    ADBENCH,
    Parts,
    adbench,
    adult,
    california_housing,
    imbalanced,
    pendigits,
    pima,
    titanic,
)
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
from scipy.stats import rankdata
from sklearn.compose import (
    TransformedTargetRegressor,
    make_column_selector,
    make_column_transformer,
)
from sklearn.datasets import load_breast_cancer, load_diabetes, load_digits, load_wine
from sklearn.ensemble import HistGradientBoostingClassifier, HistGradientBoostingRegressor
from sklearn.metrics import accuracy_score, r2_score, root_mean_squared_error
from sklearn.model_selection import train_test_split
from sklearn.neural_network import MLPClassifier, MLPRegressor
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler

from skdeep.neural_network import ResNetClassifier, ResNetRegressor

BUNDLED = {
    "breast-cancer": load_breast_cancer,
    "diabetes": load_diabetes,
    "digits": load_digits,
    "wine": load_wine,
}
REGRESSION = ("california", "california-full", "diabetes")
FULL = ("california-full", "adult-full")
DATA = [
    "california",
    "adult",
    "credit",
    "mammography",
    "titanic",
    "pima",
    *ADBENCH,
    *BUNDLED,
    *FULL,
]
TARGETS = {
    "california-full": ("rmse", {"at_most": 0.450}),
    "adult-full": ("score", {"at_least": 0.862}),
}
# Gorishniy et al. (2021), "Revisiting Deep Learning Models for Tabular Data", NeurIPS: tuned
# single models, mean of 15 seeds.
PAPER = {"california-full": "ResNet, tuned, RMSE .4856", "adult-full": "ResNet, tuned, .8544"}


# Data --------------------------------------------------------------------------------------


@functools.cache
def table(name, smoke):
    """Samples and targets of a table, without missing numbers."""
    if name == "california":
        return california_housing(smoke=smoke)
    if name == "adult":
        found = adult(smoke=smoke)
        return found.X_train, found.y_train
    if name in BUNDLED:
        return BUNDLED[name](return_X_y=True)
    if name == "pendigits":
        return pendigits(smoke=smoke)
    if name in ADBENCH:
        return adbench(name, smoke=smoke)
    if name == "pima":
        return pima(smoke=smoke)
    if name == "titanic":
        return _completed(*titanic(smoke=smoke))
    return imbalanced(name, smoke=smoke)


def _completed(X, y):
    """Fill in medians, and mark text as categories."""
    numbers = X.select_dtypes("number")
    filled = numbers.fillna(numbers.median()).astype("float64")
    categories = X.drop(columns=numbers.columns).astype("category")
    return pd.concat([filled, categories], axis=1), y


def parts(name, seed, *, n_rows=6000, smoke=False):
    """Training and test samples."""
    if name == "adult-full":
        return adult(smoke=smoke)
    X, y = table(name.removesuffix("-full"), smoke)
    if name == "california-full":
        X, X_test, y, y_test = train_test_split(X, y, test_size=0.2, random_state=0)
        return Parts(X, y, X_test, y_test)
    n_train = min(n_rows, int(0.75 * len(y)))
    sizes = {"train_size": n_train, "test_size": min(n_rows, len(y) - n_train)}
    stratify = None if name in REGRESSION else y
    X, X_test, y, y_test = train_test_split(X, y, random_state=seed, stratify=stratify, **sizes)
    return Parts(X, y, X_test, y_test)


# Models: each takes whether it is for regression and a seed, and returns an estimator ------------


def mlp(is_regressor, seed):
    one_hot = OneHotEncoder(handle_unknown="ignore", sparse_output=False)
    columns = make_column_transformer(
        (StandardScaler(), make_column_selector(dtype_include="number")),
        (one_hot, make_column_selector(dtype_include="category")),
    )
    if not is_regressor:
        return make_pipeline(columns, MLPClassifier(random_state=seed))
    net = make_pipeline(columns, MLPRegressor(random_state=seed))
    return TransformedTargetRegressor(net, transformer=StandardScaler())


def histgb(is_regressor, seed):
    cls = HistGradientBoostingRegressor if is_regressor else HistGradientBoostingClassifier
    return cls(categorical_features="from_dtype", random_state=seed)


class Pytabkit:
    """One of pytabkit's estimators."""

    def __init__(self, prefix, is_regressor, seed):
        suffix = "Regressor" if is_regressor else "Classifier"
        with quiet():
            cls = getattr(importlib.import_module("pytabkit"), f"{prefix}_{suffix}")
        # by default it uses all physical cores
        self.model = cls(random_state=seed, device="cpu", n_threads=torch.get_num_threads())

    def fit(self, X, y):
        with quiet():
            self.model.fit(X, y)
        return self

    def predict(self, X):
        with quiet():
            return np.asarray(self.model.predict(X))


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


def resnet(is_regressor, seed, **parameters):
    return (ResNetRegressor if is_regressor else ResNetClassifier)(random_state=seed, **parameters)


MODELS = {
    "resnet": resnet,
    "histgb": histgb,
    "mlp": mlp,
    "realmlp": functools.partial(Pytabkit, "RealMLP_TD"),
    "tabm": functools.partial(Pytabkit, "TabM_D"),
}


# Scores ------------------------------------------------------------------------------------


def measure(wanted, args):
    """Train a model and predict the test samples once; return the results."""
    name, seed = wanted["data"], wanted["seed"]
    found = parts(name, seed, n_rows=args.rows, smoke=args.smoke)
    model = MODELS[wanted["model"]](
        name in REGRESSION, seed, **parameter_values(wanted["settings"])
    )
    X_train, X_test = (_as_frame(X) for X in (found.X_train, found.X_score))
    figures = {"rows": [len(found.y_train), len(found.y_score)]}
    with stopwatch(figures, "fit"):
        model.fit(X_train, found.y_train)
    with stopwatch(figures, "predict"):
        y_pred = model.predict(X_test)
    if name not in REGRESSION:
        return {**figures, "score": float(accuracy_score(found.y_score, y_pred))}
    rmse = float(root_mean_squared_error(found.y_score, y_pred))
    return {**figures, "score": float(r2_score(found.y_score, y_pred)), "rmse": rmse}


def _as_frame(X):
    return X if isinstance(X, pd.DataFrame) else pd.DataFrame(X).add_prefix("x")


def row(records):
    """Table row of a group of records."""
    data = records[0]["data"]
    metrics = {"score": "R2" if data in REGRESSION else "accuracy"}
    metrics |= {"rmse": "RMSE"} if data in REGRESSION else {}
    name, bounds = TARGETS.get(data, ("score", {}))
    is_ours = records[0]["model"] == "resnet"
    value = np.mean([record[name] for record in records])
    return {**summary(records, metrics), **verdict(value, **(bounds if is_ours else {}))}


def scores_by_table(records):
    """Mean scores of all tables of ``--rows`` samples, (n_tables, n_models), and their names."""
    means = {}
    for (data, _), groups in grouped(records, [*MODELS]).items():
        if data not in FULL:
            means[data] = {
                group[0]["model"]: np.mean([record["score"] for record in group])
                for group in groups.values()
            }
    models = [name for name in MODELS if any(name in one for one in means.values())]
    complete = {data: one for data, one in means.items() if all(name in one for name in models)}
    return np.array([[one[name] for name in models] for one in complete.values()]), models


def print_ranks(records):
    """Print mean ranks, normalized scores and wins of the models."""
    scores, models = scores_by_table(records)
    if not len(scores):
        return
    ranks = rankdata(-scores.round(4), axis=1)
    reach = np.ptp(scores, axis=1, keepdims=True)
    normalized = (scores - scores.min(axis=1, keepdims=True)) / np.where(reach > 0, reach, 1)
    ours = scores[:, [models.index("resnet")]] if "resnet" in models else None
    seconds = {
        name: [record["fit_cpu_s"] for record in records if record["model"] == name]
        for name in models
    }
    rows = [
        {
            "model": name,
            "mean rank": f"{ranks[:, number].mean():.2f}",
            "normalized score": f"{normalized[:, number].mean():.3f}",
            "resnet is better": "-"
            if ours is None or name == "resnet"
            else f"{(ours[:, 0] > scores[:, number]).sum()} of {len(scores)}",
            "fit, CPU s": np.mean(seconds[name]),
        }
        for number, name in enumerate(models)
    ]
    print_table(rows, title=f"all {len(scores)} tables that every model was measured on")


def draw_ranks(records, path):
    """Draw a critical difference diagram of the mean ranks: Friedman and Nemenyi tests."""
    import matplotlib

    matplotlib.use("Agg")
    import matplotlib.pyplot as plt
    import scikit_posthocs

    scores, models = scores_by_table(records)
    ranks = pd.Series(rankdata(-scores.round(4), axis=1).mean(axis=0), index=models)
    significance = scikit_posthocs.posthoc_nemenyi_friedman(pd.DataFrame(scores, columns=models))
    figure, ax = plt.subplots(figsize=(8, 2), layout="constrained")
    scikit_posthocs.critical_difference_diagram(ranks, significance, ax=ax)
    ax.set_title(f"mean ranks on {len(scores)} tables")
    figure.savefig(path)


def main():
    parser = study_parser(
        __doc__, has_validation=False, data=DATA, models=[*MODELS], seeds=3, rows=6000
    )
    parser.add_argument("--picture", type=Path, help="file for a critical difference diagram")
    smoke = {"set": [("max_epochs", "1")]}
    args, records = parse_study(parser, "Models for tables on the CPU, default parameters", **smoke)
    wanted = (
        describe(
            args,
            {**parameter_values(args.set if model == "resnet" else {}), "rows": args.rows},
            ours=model == "resnet",
            data=data,
            model=model,
            seed=seed,
        )
        for seed in range(args.seeds)
        for data in args.data
        for model in args.models
    )
    missing = collect(
        records, wanted, functools.partial(measure, args=args), args, {"score": "score"}
    )
    for (data, _), groups in grouped(records.all, [*MODELS]).items():
        print_table([row(group) for group in groups.values()], title=data)
        if data in PAPER:
            print(f"Gorishniy et al. (2021), mean of 15 seeds: {PAPER[data]}")
    print_ranks(records.all)
    print_missing(missing)
    if args.picture is not None:
        draw_ranks(records.all, args.picture)


if __name__ == "__main__":
    main()
