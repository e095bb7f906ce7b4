"""Accuracy of simple classifiers on 64 features that are learned without labels.

For each data set, kind of features and seed: test accuracy of a 5-nearest-neighbors classifier
(5-NN) and of logistic regression on standardized features (linear), and seconds of ``fit``. The
table shows mean and standard deviation over the seeds. Labels are only used by the classifiers.
Target: DeepCluster and DeepInfoMax have at least the accuracy of the better autoencoder.

- ``raw`` are the pixels themselves, 64 for digits, 784 for MNIST; ``PCA`` has 64 components.
- The autoencoder is dense or convolutional, with default parameters. Convolutional nets have the
  same layers everywhere. "dense" nets do not know that samples are images.
- All nets are trained for the same number of epochs: 100 on digits, 20 on MNIST.
- Digits are split at random by the seed. The first ``--train-rows`` images of MNIST are used.

The defaults of DeepCluster and DeepInfoMax were chosen on held-out training images of MNIST, never
on its test images, and on digits, whose figures may be too good for that.

    python benchmarks/learned_features.py --threads 1 --json features.json
    python benchmarks/learned_features.py --threads 1 --data mnist --train-rows 60000 --seeds 1
    python benchmarks/learned_features.py --smoke

Results in the file are not measured again, unless parameters have changed. MNIST is read from the
folder in the environment variable SKDEEP_DATA, else downloaded from OpenML.
"""

import functools

import numpy as np
from _data import Parts, digits, mnist, validation_split, without_test
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
from sklearn.decomposition import PCA
from sklearn.linear_model import LogisticRegression
from sklearn.neighbors import KNeighborsClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer, StandardScaler

from skdeep.cluster import DeepCluster
from skdeep.decomposition import Autoencoder, DeepInfoMax

NETS = {"autoencoder": Autoencoder, "DeepCluster": DeepCluster, "DeepInfoMax": DeepInfoMax}
MODELS = ["raw", "PCA", *(f"{name}{kind}" for name in NETS for kind in (" dense", ""))]
METRICS = {"neighbors": "5-NN", "linear": "linear"}
EPOCHS = {"digits": 100, "mnist": 20}
SIDES = {"digits": 8, "mnist": 28}
N_FEATURES = 64


def load(data, seed, args):
    """Training and scored samples with labels."""
    if data == "digits":
        parts = validation_split(*digits(), seed)
        if args.validation:
            parts = validation_split(parts.X_train, parts.y_train, seed)
    else:
        parts = mnist(smoke=args.smoke)
        parts = without_test(parts) if args.validation else parts
    X, y, *scored = parts
    return Parts(X[: args.train_rows], y[: args.train_rows], *scored)


def parameters(model, data, args):
    """Parameters of a model, besides the seed."""
    if model in ("raw", "PCA"):
        return {}
    given = {"max_epochs": args.epochs or EPOCHS[data], "device": args.device}
    if not model.endswith(" dense"):
        given["image_shape"] = (SIDES[data], SIDES[data])
    return {**given, **parameter_values(args.set)}


def build(model, given, seed):
    """Make an unfitted transformer."""
    if model == "raw":
        return FunctionTransformer()
    if model == "PCA":
        return PCA(N_FEATURES, random_state=seed)
    net = NETS[model.removesuffix(" dense")]
    return net(n_components=N_FEATURES, **given, random_state=seed)


def measure(wanted, args):
    """Learn features from one seed, and score classifiers on them."""
    model, seed, figures = wanted["model"], wanted["seed"], {}
    data = load(wanted["data"], seed, args)
    transformer = build(model, parameters(model, wanted["data"], args), seed)
    with stopwatch(figures, "fit"):
        transformer.fit(data.X_train)
    Z, Z_score = transformer.transform(data.X_train), transformer.transform(data.X_score)
    classifiers = {
        "neighbors": KNeighborsClassifier(5),
        "linear": make_pipeline(StandardScaler(), LogisticRegression(max_iter=1000)),
    }
    for name, classifier in classifiers.items():
        figures[name] = float(classifier.fit(Z, data.y_train).score(Z_score, data.y_score))
    return {**figures, "rows": [len(Z)]}


def rows(table):
    """Rows of the table of a data set, with the better autoencoder's 5-NN accuracy as target."""
    means = {
        key[0]: np.mean([one["neighbors"] for one in records]) for key, records in table.items()
    }
    autoencoders = [value for name, value in means.items() if name.startswith("autoencoder")]
    for (model, *_), records in table.items():
        is_ours = model in ("DeepCluster", "DeepInfoMax") and autoencoders
        target = max(autoencoders) if is_ours else None
        yield {**summary(records, METRICS), **verdict(means[model], at_least=target)}


def main():
    parser = study_parser(
        __doc__,
        data=list(EPOCHS),
        models=MODELS,
        train_rows=10_000,
        seeds=3,
        epochs=None,
        device="cpu",
    )
    smoke = {"train_rows": 300, "epochs": 1}
    args, records = parse_study(parser, f"{N_FEATURES} features learned without labels", **smoke)
    wanted = [
        describe(
            args,
            parameters(model, data, args),
            ours=model not in ("raw", "PCA"),
            data=data,
            model=model,
            seed=seed,
            wanted_rows=args.train_rows,
        )
        for data in args.data
        for seed in range(args.seeds)
        for model in args.models
    ]
    missing = collect(records, wanted, functools.partial(measure, args=args), args, METRICS)
    for (data, scored_on), table in grouped(records.all, MODELS).items():
        print_table(list(rows(table)), title=f"{data}, scored on {scored_on} samples")
    print_missing(missing)


if __name__ == "__main__":
    main()
