"""Classes out of balance: do generated samples of the rare class help a classifier?

Two data sets of numbers, mammography (260 of 11183 rows are positive) and the default of credit
card clients (6636 of 30000), in five stratified folds, the same for all. In an imbalanced-learn
pipeline, `StandardScaler` is followed by a resampler and this by a classifier, so only training
rows are resampled, in each fold again, until both classes have as many rows; a fold's held-out rows
are scored once. Sex, education and marriage of the credit card clients are numbers to all but
``tabular-gan``.

- none: no resampling. Balanced accuracy, at a threshold of .5, is then low by design.
- random: imbalanced-learn's RandomOverSampler, rows repeated.
- smote: imbalanced-learn's SMOTE.
- gan: skdeep's GANSampler.
- tabular-gan: skdeep's TabularGANSampler, only where ``--models`` names it.

The classifiers are `LogisticRegression`, with iterations enough to converge, and
`HistGradientBoostingClassifier` without early stopping: by default it would stop early with more
than 10,000 rows, so on the resampled rows of mammography only, and by what it does on new ones. The
scores are average precision and balanced accuracy. All else has its defaults: nothing was chosen by
these folds, and nothing should be.

A last line for each of ours counts the cells (data, classifier, score) in which its mean is at
least the best of none, random and smote, and those in which it is at most one standard error below
it: that of the differences between the two, fold by fold. Training rows of folds overlap, so the
standard error is rather too small.

    pip install imbalanced-learn pandas
    python benchmarks/gan_imbalance.py --json imbalance.json
    python benchmarks/gan_imbalance.py --data credit --models tabular-gan --json imbalance.json
    python benchmarks/gan_imbalance.py --smoke

Seconds are the processor's, of all threads together, for one resampling and both classifiers. What
the file holds already is not measured again, unless skdeep's parameters have changed; the tables
are made of all its records with this seed, these numbers of folds and rows. Data come from the
folder in the environment variable SKDEEP_DATA, else from OpenML: ``mammography`` and
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
# Of each classifier, as figures of a record.
METRICS = {
    f"{name}_{metric}": f"{name}: {metric}".replace("_", " ")
    for name in CLASSIFIERS
    for metric in ("average_precision", "balanced_accuracy")
}


# Data --------------------------------------------------------------------------------------


@functools.cache
def samples(data, n_rows, smoke):
    """Samples and labels, at most so many, with the frequencies of the classes kept."""
    X, y = imbalanced(data, smoke=smoke)
    if n_rows is not None and n_rows < len(X):
        X, _, y, _ = train_test_split(X, y, train_size=n_rows, random_state=0, stratify=y)
    return X, y


def resampler(data, model, args):
    """Resampler of that name, or "passthrough"."""
    if model in PEERS:
        return PEERS[model](args.seed)
    parameters = {"device": "cpu", **parameter_values(args.set)}
    if model == "tabular-gan":
        parameters = {"categorical_features": IMBALANCED[data].categories, **parameters}
    return OURS[model](**parameters, random_state=args.seed)


# Scores ------------------------------------------------------------------------------------


def measure(wanted, args):
    """Figures: the training part is resampled once, and each classifier learns from that."""
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
            # from its folder, the second pipeline takes what the first one has resampled
            pipeline = Pipeline(steps, memory=folder).fit(X[train], y[train])
            probability = pipeline.predict_proba(X[score])[:, 1]
            precision = average_precision_score(y[score], probability)
            accuracy = balanced_accuracy_score(y[score], probability > 0.5)
            figures[f"{name}_average_precision"] = float(precision)
            figures[f"{name}_balanced_accuracy"] = float(accuracy)
    return figures


def describe_model(data, fold, model, args):
    """What is to be measured; the resampler's parameters in full."""
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
    """What all records of a table have in common."""
    return {"n_folds": args.folds, "seed": args.seed, "n_rows": args.rows, "smoke": args.smoke}


# Tables ------------------------------------------------------------------------------------


def complete(records, args):
    """Groups of records of this protocol that have all folds, fold by fold, by data."""
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
    """For each of ours, the cells in which it is best, or nearly so, compared with all peers."""
    cells = {}
    for groups in tables.values():
        peers = [group for group in groups if group[0]["model"] in PEERS]
        if len(peers) < len(PEERS):
            continue  # without all peers, a cell has no best
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
    """Whether ours is at least the best of its peers, and at most one standard error below it."""

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
    args, records = parse_study(parser, "Classes out of balance, on the CPU", **smoke)
    cases = itertools.product(args.data, range(args.folds), args.models)
    wanted = (describe_model(*case, args) for case in cases)
    collect(records, wanted, functools.partial(measure, args=args), args, METRICS)
    tables = complete(records.all, args)
    for data, groups in tables.items():
        print_groups(data, groups)
    print_verdicts(tables)


if __name__ == "__main__":
    main()
