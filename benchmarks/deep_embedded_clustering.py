"""DEC and IDEC of skdeep and of ClustPy, the same nets: accuracy, information and time over seeds.

All contenders train an autoencoder with the same layer sizes and relu, then the codes' clusters, by
Adam with the same learning rate, for the same numbers of epochs and batches of the same size, after
k-means with 20 restarts; skdeep's early end is disabled. Labels are only used to score them: the
accuracy of the best assignment of clusters to classes, and normalized mutual information (NMI).
Target: at least ClustPy's accuracy, in at most half its processor time.

Differences between the libraries:

- ClustPy takes the targets of a batch from that batch, skdeep, as the paper, from all samples every
  140 steps.
- ClustPy's reconstruction loss is a sum over unscaled features, ten times as heavy as the
  divergence; skdeep's is a mean over features that are scaled to unit variance, as in the code of
  the paper's authors. IDEC is run with the weight that each library has by default, skdeep's also
  with ClustPy's, as "IDEC heavy".
- ClustPy clusters the codes by k-means again at the end. "accuracy" is that of the net itself,
  "reclustered" that of ClustPy's ``labels_``.

    pip install clustpy                          # imports torchvision
    python benchmarks/deep_embedded_clustering.py --threads 1 --json dec.json
    python benchmarks/deep_embedded_clustering.py --data mnist --rows 10000 --threads 1
    python benchmarks/deep_embedded_clustering.py --smoke

Results in the file are not measured again, unless parameters have changed. MNIST is read from the
folder in the environment variable SKDEEP_DATA, else downloaded from OpenML.
"""

import argparse
import contextlib
import functools
import importlib
import io

import numpy as np
import torch
from _data import digits, mnist
from _harness import median, print_table, stopwatch, verdict
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
from sklearn.metrics import normalized_mutual_info_score

from skdeep.cluster import DeepEmbeddedClustering
from skdeep.metrics import clustering_accuracy

# Each of ours with its counterpart, and its weight of the reconstruction; None for ClustPy's.
PAIRS = {"DEC": "ClustPy DEC", "IDEC": "ClustPy IDEC", "IDEC heavy": "ClustPy IDEC"}
WEIGHTS = {
    "DEC": 0.0,
    "IDEC": DeepEmbeddedClustering(1).reconstruction_weight,
    "IDEC heavy": None,
}
MODELS = [*PAIRS, *dict.fromkeys(PAIRS.values())]
METRICS = {"accuracy": "accuracy", "nmi": "NMI", "reclustered": "reclustered"}


def load(data, args):
    """Samples in [0, 1] and their classes."""
    X, y = digits() if data == "digits" else mnist(smoke=args.smoke)[:2]
    return X[: args.rows], y[: args.rows]


def parameters(model, args):
    """Parameters of a contender, besides the seed."""
    shared = {
        "layers": tuple(args.layers),
        "pretrain_epochs": args.pretrain_epochs,
        "epochs": args.epochs,
        "batch_size": args.batch_size,
        "lr": args.lr,
    }
    if model not in PAIRS:
        return shared
    return {**shared, "reconstruction_weight": WEIGHTS[model], **parameter_values(args.set)}


def fit_ours(model, X, seed, args):
    """Fit skdeep's clusterer; return its labels twice."""
    weight = WEIGHTS[model]
    if weight is None:  # a sum over features that are not divided by their scale
        weight = 10 * X.shape[1] * float(X.var(axis=0).mean())
    dec = DeepEmbeddedClustering(
        10,
        n_components=args.layers[-1],
        hidden_layer_sizes=tuple(args.layers[:-1]),
        reconstruction_weight=weight,
        pretrain_epochs=args.pretrain_epochs,
        max_epochs=args.epochs,
        batch_size=args.batch_size,
        lr=args.lr,
        optimizer="adam",
        tol=0.0,
        device="cpu",
        random_state=seed,
    )
    dec.set_params(**parameter_values(args.set)).fit(X)
    assert dec.n_iter_ == args.pretrain_epochs + args.epochs
    return dec.labels_, dec.labels_


def fit_clustpy(model, X, seed, args):
    """Fit ClustPy's clusterer; return labels of the net and those of k-means."""
    deep = importlib.import_module("clustpy.deep")
    networks = importlib.import_module("clustpy.deep.neural_networks")
    layers = {"layers": [X.shape[1], *args.layers], "activation_fn": torch.nn.ReLU}
    peer = getattr(deep, model.removeprefix("ClustPy "))(
        10,
        batch_size=args.batch_size,
        pretrain_optimizer_params={"lr": args.lr},
        clustering_optimizer_params={"lr": args.lr},
        pretrain_epochs=args.pretrain_epochs,
        clustering_epochs=args.epochs,
        neural_network=(networks.FeedforwardAutoencoder, layers),
        embedding_size=args.layers[-1],
        initial_clustering_params={"n_init": 20},
        device="cpu",
        random_state=seed,
    )
    # it always shows a bar
    with contextlib.redirect_stderr(io.StringIO()), contextlib.redirect_stdout(io.StringIO()):
        peer.fit(X)
    return peer.dec_labels_, peer.labels_


def measure(wanted, args):
    """Fit one contender from one seed."""
    model, figures = wanted["model"], {}
    X, y = load(wanted["data"], args)
    fit = fit_ours if model in PAIRS else fit_clustpy
    short = argparse.Namespace(**{**vars(args), "pretrain_epochs": 1, "epochs": 1, "layers": [4]})
    fit(model, X[:100], 0, short)  # imports, which are excluded from the timing
    with stopwatch(figures, "fit"):
        labels, reclustered = fit(model, X, wanted["seed"], args)
    return {
        **figures,
        "accuracy": clustering_accuracy(y, labels),
        "nmi": float(normalized_mutual_info_score(y, labels)),
        "reclustered": clustering_accuracy(y, reclustered),
        "rows": [len(X)],
    }


def rows(table):
    """Rows of the table of a data set: scores, and processor time relative to the counterpart."""
    by_model = {key[0]: records for key, records in table.items()}
    for model, records in by_model.items():
        row = summary(records, METRICS)
        peer = by_model.get(PAIRS.get(model))
        if peer is not None:
            ours, theirs = (median([one["fit_cpu_s"] for one in runs]) for runs in (records, peer))
            scores = [np.mean([one["accuracy"] for one in runs]) for runs in (records, peer)]
            row["accuracy - ClustPy's"] = float(scores[0] - scores[1])
            row["ratio of CPU s"] = ours / theirs
            row |= verdict(ours / theirs, at_most=0.5)
        yield row


def main():
    parser = study_parser(
        __doc__,
        has_validation=False,
        data=["digits", "mnist"],
        models=MODELS,
        seeds=5,
        rows=None,
        pretrain_epochs=50,
        epochs=50,
        batch_size=256,
        lr=1e-3,
    )
    parser.add_argument("--layers", type=int, nargs="+", default=[500, 500, 2000, 10])
    parser.set_defaults(data=["digits"])
    smoke = {"rows": 300, "pretrain_epochs": 1, "epochs": 1, "layers": [16, 10]}
    args, records = parse_study(parser, "Deep embedded clustering on the CPU", **smoke)
    if args.smoke:
        args.data = ["digits", "mnist"]
    wanted = [
        describe(
            args,
            parameters(model, args),
            ours=model in PAIRS,
            data=data,
            model=model,
            seed=seed,
            wanted_rows=args.rows,
        )
        for data in args.data
        for seed in range(args.seeds)
        for model in args.models
    ]
    missing = collect(records, wanted, functools.partial(measure, args=args), args, METRICS)
    for (data, _), table in grouped(records.all, MODELS).items():
        print_table(list(rows(table)), title=data)
    print_missing(missing)


if __name__ == "__main__":
    main()
