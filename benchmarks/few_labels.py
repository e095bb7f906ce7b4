"""FewLabelsClassifier beside scikit-learn's semi-supervised classifiers and supervised ones.

Most labels of the training samples are hidden; every method has its default parameters, and none is
chosen by test labels. For each data set, number of labels, method and seed: accuracy on test
samples, wall time and processor time of ``fit``. Labels are drawn at random, the same number of
each class for MNIST, and at least one of each class for tables.

- ``mnist``: all 60,000 training images, scored on the 10,000 test images.
- Tables: features are standardized, and categories one-hot encoded; a quarter of the samples, at
  most 5,000, are test samples, and at most 10,000 others are trained on. The last table is the mean
  rank by accuracy over tables.

Methods: ``few-labels``; ``resnet``: ``ResNetClassifier`` on the labelled samples alone;
``self-training``: ``SelfTrainingClassifier(LogisticRegression())``; ``self-training-forest``: the
same with a random forest; ``label-spreading``: ``LabelSpreading(kernel="knn")``, for up to
20,000 samples; ``logistic`` and ``forest``: on the labelled samples alone.

    python benchmarks/few_labels.py
    python benchmarks/few_labels.py --data mnist --labels 100 1000 --methods few-labels resnet
    python benchmarks/few_labels.py --development  # scores hidden training labels instead

Data sets come from the folder in the environment variable SKDEEP_DATA, else from OpenML or UCI.
"""

import numpy as np
from _data import Parts, adult, digits, imbalanced, mnist, pendigits, pima, without_test
from _harness import Report, limited_threads, make_parser, parse, print_table, stopwatch
from sklearn.compose import make_column_selector, make_column_transformer
from sklearn.datasets import load_breast_cancer
from sklearn.ensemble import RandomForestClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import train_test_split
from sklearn.preprocessing import OneHotEncoder, StandardScaler
from sklearn.semi_supervised import LabelSpreading, SelfTrainingClassifier

from skdeep.neural_network import ResNetClassifier
from skdeep.semi_supervised import FewLabelsClassifier

TABLES = ["digits", "pendigits", "breast-cancer", "pima", "adult", "credit"]
DATA = ["mnist", *TABLES]
METHODS = ["few-labels", "resnet", "self-training", "self-training-forest", "label-spreading"]
METHODS += ["logistic", "forest"]
LABELS = (50, 200), (100, 1000)
# Methods that learn from labelled samples alone.
SUPERVISED = ["resnet", "logistic", "forest"]
MOST_TRAIN, MOST_TEST, MOST_SPREAD = 10_000, 5_000, 20_000


def load(name, args):
    """Training and test samples."""
    if name == "mnist":
        parts = mnist(smoke=args.smoke)
        return without_test(parts) if args.development else parts
    X, y = load_table(name, args.smoke)
    X_train, X_test, y_train, y_test = train_test_split(X, y, test_size=0.25, random_state=0)
    parts = Parts(
        X_train[:MOST_TRAIN], y_train[:MOST_TRAIN], X_test[:MOST_TEST], y_test[:MOST_TEST]
    )
    return (
        parts._replace(X_score=parts.X_train, y_score=parts.y_train) if args.development else parts
    )


def load_table(name, smoke):
    """Numeric features and labels of a table."""
    if name == "adult":
        parts = adult(smoke=smoke)
        encoder = make_column_transformer(
            (StandardScaler(), make_column_selector(dtype_include="number")),
            (OneHotEncoder(sparse_output=False), make_column_selector(dtype_exclude="number")),
        )
        return encoder.fit_transform(parts.X_train), parts.y_train
    if name == "digits":
        X, y = digits()
    elif name == "pendigits":
        X, y = pendigits(smoke=smoke)
    elif name == "pima":
        X, y = pima(smoke=smoke)
    elif name == "credit":
        X, y = imbalanced("credit", smoke=smoke)
    else:
        X, y = load_breast_cancer(return_X_y=True)
    return StandardScaler().fit_transform(X), y


def hide(y, n_labels, seed, *, balanced):
    """Labels with -1 for all but ``n_labels`` samples."""
    rng = np.random.default_rng(seed)
    order = rng.permutation(len(y))
    places = [order[y[order] == one] for one in np.unique(y)]
    kept = [place[: n_labels // len(places) if balanced else 1] for place in places]
    kept = np.concatenate(kept)
    rest = order[~np.isin(order, kept)]
    kept = np.concatenate([kept, rest[: n_labels - len(kept)]])
    few = np.full(len(y), -1)
    few[kept] = y[kept]
    return few


def build(method, data, args, seed):
    """Make an unfitted classifier."""
    image_shape = (28, 28) if data == "mnist" else None
    epochs = {"max_epochs": 2} if args.smoke else {}
    options = {"image_shape": image_shape, "device": args.device, "random_state": seed, **epochs}
    logistic, forest = LogisticRegression(max_iter=1000), RandomForestClassifier(random_state=seed)
    return {
        "few-labels": FewLabelsClassifier(**options),
        "resnet": ResNetClassifier(**options),
        "self-training": SelfTrainingClassifier(logistic),
        "self-training-forest": SelfTrainingClassifier(forest),
        "label-spreading": LabelSpreading(kernel="knn"),
        "logistic": logistic,
        "forest": forest,
    }[method]


def evaluate(method, data, parts, n_labels, args, seed):
    """Seconds of ``fit`` and accuracy on the scored samples."""
    few = hide(parts.y_train, n_labels, seed, balanced=data == "mnist")
    X = parts.X_train
    if method in SUPERVISED:
        X, few = X[few >= 0], few[few >= 0]
    figures = {}
    classifier = build(method, data, args, seed)
    with limited_threads(args.threads), stopwatch(figures, "fit"):
        classifier.fit(X, few)
    return {"accuracy": float(classifier.score(parts.X_score, parts.y_score)), **figures}


def row(data, n_labels, method, runs):
    """Table row of a method: mean, spread and worst of the seeds."""
    accuracy = 100 * np.array([run["accuracy"] for run in runs])
    return {
        "data": data,
        "labels": n_labels,
        "method": method,
        "error %": f"{100 - accuracy.mean():.2f} +- {accuracy.std():.2f}",
        "worst": f"{100 - accuracy.min():.2f}",
        "fit s": float(np.mean([run["fit_s"] for run in runs])),
        "CPU s": float(np.mean([run["fit_cpu_s"] for run in runs])),
    }


def mean_ranks(means):
    """Mean rank of the methods by accuracy; ``means`` maps (data, labels) to dicts by method."""
    methods = list(next(iter(means.values())))
    scores = np.array([[one[method] for one in means.values()] for method in methods])
    ranks = 1 + (scores[np.newaxis] > scores[:, np.newaxis]).sum(axis=1)  # (methods, cases)
    return dict(zip(methods, ranks.mean(axis=1), strict=True))


def main():
    options = {"data": DATA, "methods": METHODS, "seeds": 5}
    parser = make_parser(__doc__, threads=None, device="auto", **options)
    text = "default: 100 and 1000 for MNIST, 50 and 200 for tables"
    parser.add_argument("--labels", type=int, nargs="+", help=text)
    parser.add_argument("--development", action="store_true", help="no test samples")
    args = parse(parser, seeds=1, labels=[50], data=["digits", "pima", "adult", "mnist"])
    report = Report("Classification with few labels", args)
    rows, means = [], {}
    for data in args.data:
        parts = load(data, args)
        for n_labels in args.labels or LABELS[data == "mnist"]:
            for method in args.methods:
                if method == "label-spreading" and len(parts.X_train) > MOST_SPREAD:
                    continue
                seeds = range(args.seeds)
                runs = [evaluate(method, data, parts, n_labels, args, seed) for seed in seeds]
                names = {"data": data, "labels": n_labels, "method": method}
                report.keep([{**names, "seed": seed, **run} for seed, run in enumerate(runs)])
                rows.append(row(data, n_labels, method, runs))
                print(*rows[-1].values(), sep="  ", flush=True)
                if data != "mnist":
                    accuracy = float(np.mean([run["accuracy"] for run in runs]))
                    means.setdefault((data, n_labels), {})[method] = accuracy
    print_table(rows)
    if means:
        ranks = mean_ranks(means)
        print("\nmean rank by accuracy, tables: ", end="")
        print(", ".join(f"{name} {rank:.2f}" for name, rank in ranks.items()))


if __name__ == "__main__":
    main()
