"""Outliers found in tables of ADBench, with default parameters.

For each data set, setting, method and seed: ROC-AUC, average precision (AP), and seconds of ``fit``
and of scoring. The tables show means and standard deviations over the seeds, and mean ranks by
ROC-AUC over all data sets.

- ``clean``: trained on half of the normal samples, scored on the other half and all outliers.
- ``contaminated``: trained and scored on all samples.
- kNN is the distance to the fifth nearest neighbor, PCA the reconstruction error with 90 % of the
  variance. They, LOF and OneClassSVM get standardized features; PyOD's methods scale by themselves.
  A training sample is not among its own neighbors.

The defaults of AutoencoderOutlierDetector and DiffusionTimeDetector were chosen on these data sets,
so that their figures may be too good. Labels are only used for scores.

    pip install pyod                              # the peers; missing ones are listed at the end
    python benchmarks/outliers.py --threads 1 --json outliers.json
    python benchmarks/outliers.py --data cardio --models autoencoder isolation-forest --seeds 2
    python benchmarks/outliers.py --smoke

Results in the file are not measured again, unless parameters have changed. Data sets are read from
the folder ``adbench`` in the environment variable SKDEEP_DATA, else downloaded.
"""

import functools
import importlib

import numpy as np
from _data import ADBENCH, adbench
from _harness import print_table, stopwatch
from _records import (
    collect,
    describe,
    parameter_values,
    parse_study,
    print_missing,
    study_parser,
    summary,
)
from sklearn.decomposition import PCA
from sklearn.ensemble import IsolationForest
from sklearn.metrics import average_precision_score, roc_auc_score
from sklearn.neighbors import LocalOutlierFactor, NearestNeighbors
from sklearn.preprocessing import StandardScaler
from sklearn.svm import OneClassSVM

from skdeep.outlier_detection import AutoencoderOutlierDetector, DiffusionTimeDetector

OURS = {"autoencoder": AutoencoderOutlierDetector, "diffusion-time": DiffusionTimeDetector}
PYOD = {
    "pyod-autoencoder": ("auto_encoder", "AutoEncoder"),
    "pyod-deep-svdd": ("deep_svdd", "DeepSVDD"),
    "pyod-dif": ("dif", "DIF"),
}
CLASSICAL = ["isolation-forest", "lof", "knn", "one-class-svm", "pca"]
MODELS = [*OURS, *CLASSICAL, *PYOD]
SETTINGS = ["clean", "contaminated"]
METRICS = {"auc": "ROC-AUC", "ap": "AP"}
N_NEIGHBORS, VARIANCE = 5, 0.9


def load(data, setting, seed, args):
    """Training samples, scored samples and their labels."""
    X, y = adbench(data, smoke=args.smoke)
    rng = np.random.default_rng(seed)
    if args.rows is not None and len(X) > args.rows:
        kept = rng.permutation(len(X))[: args.rows]
        X, y = X[kept], y[kept]
    if setting == "contaminated":
        return X, X, y
    normal = rng.permutation(np.flatnonzero(y == 0))
    half = len(normal) // 2
    scored = np.concatenate([normal[half:], np.flatnonzero(y)])
    return X[normal[:half]], X[scored], y[scored]


def parameters(model, args):
    """Parameters of a model that are not its defaults, besides the seed."""
    if model in OURS:
        epochs = {"max_epochs": 2} if args.smoke else {}
        return {"device": args.device, **epochs, **parameter_values(args.set)}
    if model == "pyod-deep-svdd":
        return {"verbose": 0, **({"epochs": 2} if args.smoke else {})}
    if model == "pyod-autoencoder":
        return {"verbose": 0, "device": args.device}
    return {"device": args.device} if model == "pyod-dif" else {}


def abnormality(model, given, seed, X, X_score):
    """Fit a model, and score samples; the higher, the more abnormal."""
    if model in OURS:
        return -OURS[model](**given, random_state=seed).fit(X).score_samples(X_score)
    if model == "isolation-forest":
        return -IsolationForest(random_state=seed).fit(X).score_samples(X_score)
    if model in PYOD:
        module, name = PYOD[model]
        Detector = getattr(importlib.import_module(f"pyod.models.{module}"), name)
        given = {**given, **({"n_features": X.shape[1]} if name == "DeepSVDD" else {})}
        return Detector(**given, random_state=seed).fit(X).decision_function(X_score)
    is_training = X_score is X
    scaler = StandardScaler().fit(X)
    X, X_score = scaler.transform(X), scaler.transform(X_score)
    if model == "lof" and is_training:
        return -LocalOutlierFactor().fit(X).negative_outlier_factor_
    if model == "lof":
        return -LocalOutlierFactor(novelty=True).fit(X).score_samples(X_score)
    if model == "knn":  # None: every training sample without itself
        neighbors = NearestNeighbors(n_neighbors=N_NEIGHBORS).fit(X)
        return neighbors.kneighbors(None if is_training else X_score)[0][:, -1]
    if model == "one-class-svm":
        return -OneClassSVM().fit(X).score_samples(X_score)
    pca = PCA(VARIANCE, random_state=seed).fit(X)
    return np.square(X_score - pca.inverse_transform(pca.transform(X_score))).sum(axis=1)


def measure(wanted, args):
    """Scores of a model that is trained from one seed."""
    model, seed, figures = wanted["model"], wanted["seed"], {}
    X, X_score, y = load(wanted["data"], wanted["setting"], seed, args)
    with stopwatch(figures, "run"):
        found = abnormality(model, parameters(model, args), seed, X, X_score)
    figures["auc"] = float(roc_auc_score(y, found))
    figures["ap"] = float(average_precision_score(y, found))
    figures["n_distinct"] = len(np.unique(found))
    return {**figures, "rows": [len(X), len(X_score)]}


def by_model(records):
    """Lists of records by model, in the order of ``MODELS``."""
    return {
        model: found
        for model in MODELS
        if (found := [record for record in records if record["model"] == model])
    }


def overview(records):
    """Table rows: mean scores over data sets, mean ranks by ROC-AUC, and seconds."""
    means = {
        model: {
            key: np.mean([one["auc"] for one in runs if (one["data"], one["setting"]) == key])
            for key in sorted({(one["data"], one["setting"]) for one in runs})
        }
        for model, runs in by_model(records).items()
    }
    most = max(map(len, means.values()))
    complete = [model for model in means if len(means[model]) == most]
    scores = np.array([list(means[model].values()) for model in complete])
    ranks = 1 + (scores[np.newaxis] > scores[:, np.newaxis]).sum(axis=1)  # (models, cases)
    settings = np.array([key[1] for key in means[complete[0]]])
    for model, rank in zip(complete, ranks, strict=True):
        runs = by_model(records)[model]
        yield {
            "model": model,
            **{
                f"{title}, {setting}": float(
                    np.mean([one[name] for one in runs if one["setting"] == setting])
                )
                for name, title in METRICS.items()
                for setting in SETTINGS
                if (settings == setting).any()
            },
            **{
                f"rank, {setting}": float(rank[settings == setting].mean())
                for setting in SETTINGS
                if (settings == setting).any()
            },
            "mean rank": float(rank.mean()),
            "CPU s": float(np.mean([one["run_cpu_s"] for one in runs])),
        }


def main():
    options = {"data": list(ADBENCH), "models": MODELS, "settings": SETTINGS}
    parser = study_parser(
        __doc__, has_validation=False, **options, rows=None, seeds=5, device="cpu"
    )
    args, records = parse_study(parser, "Outliers in tables", data=["cardio", "musk"])
    wanted = [
        describe(
            args,
            parameters(model, args),
            ours=model in OURS,
            data=data,
            setting=setting,
            model=model,
            seed=seed,
            wanted_rows=args.rows,
        )
        for data in args.data
        for setting in args.settings
        for seed in range(args.seeds)
        for model in args.models
    ]
    missing = collect(records, wanted, functools.partial(measure, args=args), args, METRICS)
    found = [record for record in records.all if record["smoke"] == args.smoke]
    for setting in args.settings:
        for data in args.data:
            here = [one for one in found if (one["data"], one["setting"]) == (data, setting)]
            rows = [summary(runs, METRICS) for runs in by_model(here).values()]
            print_table(rows, title=f"{data}, {setting}")
    print_table(list(overview(found)), title="all data sets")
    print_missing(missing)


if __name__ == "__main__":
    main()
