"""Imbalanced classes: do generated samples of the rare class help a classifier?

Two numerical data sets, mammography (260 of 11183 samples are positive) and default of credit card
clients (6636 of 30000), in five stratified folds, the same for all methods. An imbalanced-learn
pipeline consists of `StandardScaler`, a resampler and a classifier. Only training samples are
resampled, separately in each fold, until both classes have the same size; the held-out samples of a
fold are scored once. Sex, education and marriage of the credit card clients are treated as numbers
by all methods but ``tabular-gan``.

- none: no resampling. Balanced accuracy, at a threshold of .5, is then low by design.
- random: imbalanced-learn's RandomOverSampler, which repeats samples.
- smote: imbalanced-learn's SMOTE.
- gan: skdeep's GANSampler.
- tabular-gan: skdeep's TabularGANSampler, only if listed in ``--models``.

The classifiers are `LogisticRegression`, with enough iterations to converge, and
`HistGradientBoostingClassifier` without early stopping: by default it stops early with more than
10,000 samples, which would only affect the resampled mammography data and be based on generated
samples. The scores are average precision and balanced accuracy. All other parameters are defaults:
nothing was chosen on these folds, and nothing should be.

A last line for each sampler of skdeep counts the cells (data, classifier, score) in which its mean
is at least the best of none, random and smote, and those in which it is at most one standard error
below it: that of the differences between the two over folds. The training sets of the folds
overlap, so the standard error tends to be too small.

    pip install imbalanced-learn pandas
    python benchmarks/gan_imbalance.py --json imbalance.json
    python benchmarks/gan_imbalance.py --data credit --models tabular-gan --json imbalance.json
    python benchmarks/gan_imbalance.py --smoke

Times are CPU seconds of all threads for one resampling and both classifiers. Results in the file
are not measured again, unless skdeep's parameters have changed; the tables show all its records
with this seed and these numbers of folds and samples. Data is read from the folder in the
environment variable SKDEEP_DATA, else downloaded from OpenML: ``mammography`` and
``default-of-credit-card-clients``, both version 1.
"""

import functools
import itertools
import tempfile

import numpy as np
from _data import IMBALANCED, imbalanced
from _harness import print_table, stopwatch
from _records import (
    collect,
    describe,
    grouped,
    parameter_values,
    parse_study,
    study_parser,
    summary,
)
from imblearn.over_sampling import SMOTE, RandomOverSampler
from imblearn.pipeline import Pipeline
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import average_precision_score, balanced_accuracy_score
from sklearn.model_selection import StratifiedKFold, train_test_split
from sklearn.preprocessing import StandardScaler

from skdeep.generative import GANSampler, TabularGANSampler

PEERS = {
    "none": lambda seed: "passthrough",
    "random": lambda seed: RandomOverSampler(random_state=seed),
    "smote": lambda seed: SMOTE(random_state=seed),
}
OURS = {"gan": GANSampler, "tabular-gan": TabularGANSampler}
MODELS = [*PEERS, *OURS]
CLASSIFIERS = {
    "logistic": lambda seed: LogisticRegression(max_iter=1000),
    "boosting": lambda seed: HistGradientBoostingClassifier(
        early_stopping=False, random_state=seed
    ),
}
# Results of each classifier in a record.
METRICS = {
    f"{name}_{metric}": f"{name}: {metric}".replace("_", " ")
    for name in CLASSIFIERS
    for metric in ("average_precision", "balanced_accuracy")
}


# Data --------------------------------------------------------------------------------------


@functools.cache
def samples(data, n_rows, smoke):
    """Samples and labels, limited to a maximum number by stratified sampling."""
    X, y = imbalanced(data, smoke=smoke)
    if n_rows is not None and n_rows < len(X):
        X, _, y, _ = train_test_split(X, y, train_size=n_rows, random_state=0, stratify=y)
    return X, y


def resampler(data, model, args):
    """Make a resampler by name, or "passthrough"."""
    if model in PEERS:
        return PEERS[model](args.seed)
    parameters = {"device": "cpu", **parameter_values(args.set)}
    if model == "tabular-gan":
        parameters = {"categorical_features": IMBALANCED[data].categories, **parameters}
    return OURS[model](**parameters, random_state=args.seed)


# Scores ------------------------------------------------------------------------------------


def measure(wanted, args):
    """Resample the training set once and train each classifier on it; return the results."""
    X, y = samples(wanted["data"], args.rows, args.smoke)
    folds = StratifiedKFold(args.folds, shuffle=True, random_state=args.seed).split(X, y)
    train, score = list(folds)[wanted["fold"]]
    figures = {"rows": [len(train), len(score)]}
    figures["positive_rows"] = [int(y[train].sum()), int(y[score].sum())]
    with tempfile.TemporaryDirectory() as folder, stopwatch(figures, "fit"):
        for name, make_classifier in CLASSIFIERS.items():
            steps = [
                ("scale", StandardScaler()),
                ("resample", resampler(wanted["data"], wanted["model"], args)),
                ("classify", make_classifier(args.seed)),
            ]
            # the second pipeline reads the resampled data of the first one from the cache
            pipeline = Pipeline(steps, memory=folder).fit(X[train], y[train])
            probability = pipeline.predict_proba(X[score])[:, 1]
            precision = average_precision_score(y[score], probability)
            accuracy = balanced_accuracy_score(y[score], probability > 0.5)
            figures[f"{name}_average_precision"] = float(precision)
            figures[f"{name}_balanced_accuracy"] = float(accuracy)
    return figures


def describe_model(data, fold, model, args):
    """Describe a measurement, with all parameters of the resampler."""
    sampler = resampler(data, model, args)
    return describe(
        args,
        {} if isinstance(sampler, str) else sampler.get_params(),
        ours=model in OURS,
        data=data,
        model=model,
        fold=fold,
        **protocol(args),
    )


def protocol(args):
    """Entries that are equal for all records of a table."""
    return {"n_folds": args.folds, "seed": args.seed, "n_rows": args.rows, "smoke": args.smoke}


# Tables ------------------------------------------------------------------------------------


def complete(records, args):
    """Complete groups of records of this protocol by data, ordered by fold."""
    same = [one for one in records if protocol(args).items() <= one.items()]
    groups = {}
    for (data, _), models in grouped(sorted(same, key=lambda one: one["fold"]), MODELS).items():
        found = {}
        for record in itertools.chain.from_iterable(models.values()):
            key = record["model"], tuple(record["settings"].items())
            found.setdefault(key, []).append(record)
        groups[data] = [one for one in found.values() if len(one) == args.folds]
    return groups


def print_groups(data, groups):
    """One table: mean and standard deviation over folds."""
    if groups:
        n_rows = sum(record["rows"][1] for record in groups[0])
        n_positive = sum(record["positive_rows"][1] for record in groups[0])
        title = f"{data}: {n_positive} of {n_rows} samples positive, {len(groups[0])} folds"
        print_table([summary(group, METRICS) for group in groups], title=title)


def print_verdicts(tables):
    """Print, for each sampler of skdeep, the cells in which it is (nearly) best among all peers."""
    cells = {}
    for groups in tables.values():
        peers = [group for group in groups if group[0]["model"] in PEERS]
        if len(peers) < len(PEERS):
            continue  # a cell has no best without all peers
        for group in groups:
            if group[0]["model"] in OURS:
                name = [group[0]["model"], *(f"{k}={v}" for k, v in group[0]["settings"].items())]
                found = cells.setdefault(" ".join(name), [])
                found += [compare(group, peers, metric) for metric in METRICS]
    for name, found in cells.items():
        best, near = np.sum(found, axis=0)
        print(
            f"\n{name}: at least the best of {', '.join(PEERS)} in {best} of {len(found)} cells "
            f"(data, classifier, score), at most one standard error below it in {near}"
        )


def compare(ours, peers, metric):
    """Whether a sampler is at least as good as the best peer, or within one standard error."""

    def values(records):
        return np.array([record[metric] for record in records])

    difference = values(ours) - max(map(values, peers), key=np.mean)
    standard_error = difference.std(ddof=1) / len(difference) ** 0.5
    return difference.mean() >= 0, difference.mean() >= -standard_error


def main():
    parser = study_parser(
        __doc__, has_validation=False, data=IMBALANCED, models=MODELS, folds=5, seed=0, rows=None
    )
    parser.set_defaults(models=[name for name in MODELS if name != "tabular-gan"])
    smoke = {"data": ["mammography"], "folds": 2, "set": [("max_epochs", "1")]}
    args, records = parse_study(parser, "Imbalanced classes, on the CPU", **smoke)
    cases = itertools.product(args.data, range(args.folds), args.models)
    wanted = (describe_model(*case, args) for case in cases)
    collect(records, wanted, functools.partial(measure, args=args), args, METRICS)
    tables = complete(records.all, args)
    for data, groups in tables.items():
        print_groups(data, groups)
    print_verdicts(tables)


if __name__ == "__main__":
    main()
