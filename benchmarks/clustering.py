"""Clusters that IMSAT finds without labels, beside k-means and others, with default parameters.

For each data set, method and seed: accuracy under the best matching of clusters to classes,
normalized mutual information (NMI), and wall time and processor time of ``fit``. The table shows
the mean, the standard deviation and the worst of the seeds. The script uses labels for these scores
only. The defaults of IMSAT, however, were chosen with the labels of these data sets in view, on
digits for seeds 0 to 4, so that its scores may be too good.

- Images: MNIST, all 70,000 of them, and scikit-learn's digits; ``mnist-7000`` are random subsets,
  and in ``mnist-unequal`` each class is reduced at random to between a fifth and all of its 1,000
  images, by seed.
- Tables: digits without the shape of the images, pendigits, wine, breast cancer, iris. All methods
  get standardized features, except for digits, whose pixels have one unit.
- ``auto``: number of clusters that ``n_clusters="auto"`` finds.

    python benchmarks/clustering.py
    python benchmarks/clustering.py --data digits-images wine --seeds 5
    python benchmarks/clustering.py --smoke

MNIST and pendigits come from the folder in the environment variable SKDEEP_DATA, else from OpenML.
"""

import numpy as np
from _data import digits, mnist, pendigits
from _harness import Report, limited_threads, make_parser, parse, print_table, stopwatch
from sklearn.cluster import KMeans, SpectralClustering
from sklearn.datasets import load_breast_cancer, load_iris, load_wine, make_blobs
from sklearn.metrics import normalized_mutual_info_score
from sklearn.mixture import GaussianMixture
from sklearn.preprocessing import StandardScaler

from skdeep.cluster import IMSAT
from skdeep.metrics import clustering_accuracy

IMAGES = {"mnist": (28, 28), "mnist-7000": (28, 28), "mnist-unequal": (28, 28)}
IMAGES |= {"digits-images": (8, 8)}
TABLES = {"wine": load_wine, "breast-cancer": load_breast_cancer, "iris": load_iris}
DATA = [*IMAGES, "digits", "pendigits", "blobs", *TABLES]
# Samples above which spectral clustering and Gaussian mixtures take too long.
MOST = {"spectral": 10_000, "gaussian-mixture": 20_000}


def load(name, seed, smoke):
    """Samples and labels of a data set."""
    if name in TABLES:
        X, y = TABLES[name](return_X_y=True)
    elif name == "blobs":
        X, y = make_blobs(1000, 8, centers=5, cluster_std=2.0, random_state=seed)
    elif name == "pendigits":
        X, y = pendigits(smoke=smoke)
    elif name.startswith("digits"):
        X, y = digits()
    else:
        data = mnist(smoke=smoke)
        X, y = np.concatenate([data[0], data[2]]), np.concatenate([data[1], data[3]])
        X, y = _part(X, y, name, np.random.default_rng(seed))
    if name not in IMAGES and name != "digits":
        X = StandardScaler().fit_transform(X)
    return X, y


def _part(X, y, name, rng):
    """Samples of a variant of MNIST."""
    if name == "mnist-7000":
        chosen = rng.permutation(len(X))[:7000]
    elif name == "mnist-unequal":
        sizes = rng.integers(200, 1001, size=10)
        chosen = np.concatenate(
            [rng.permutation(np.flatnonzero(y == label))[:size] for label, size in enumerate(sizes)]
        )
    else:
        chosen = np.arange(len(X))
    return X[chosen], y[chosen]


def build(method, data, n_clusters, args, seed):
    """Make an unfitted clusterer."""
    if method in ("imsat", "auto"):
        options = {"max_epochs": 2, "n_init": 2} if args.smoke else {}
        n_clusters = "auto" if method == "auto" else n_clusters
        options |= {"device": args.device, "random_state": seed}
        return IMSAT(n_clusters, image_shape=IMAGES.get(data), **options)
    if method == "k-means":
        return KMeans(n_clusters, n_init=10, random_state=seed)
    if method == "gaussian-mixture":
        return GaussianMixture(n_clusters, n_init=10, reg_covar=1e-3, random_state=seed)
    return SpectralClustering(n_clusters, affinity="nearest_neighbors", random_state=seed)


def evaluate(method, data, args, seed):
    """Seconds of ``fit`` and scores of the clusters."""
    X, y = load(data, seed, args.smoke)
    clusterer = build(method, data, len(np.unique(y)), args, seed)
    figures = {"samples": len(X)}
    with limited_threads(args.threads), stopwatch(figures, "fit"):
        found = clusterer.fit_predict(X)
    figures["accuracy"] = clustering_accuracy(y, found)
    figures["nmi"] = float(normalized_mutual_info_score(y, found))
    figures["n_clusters"] = len(np.unique(found))
    figures["true_clusters"] = len(np.unique(y))
    return figures


def row(data, method, runs):
    """Table row of a method: mean, spread and worst of the seeds."""
    values = {key: np.array([run[key] for run in runs]) for key in runs[0]}
    spread = {
        key: f"{values[key].mean():.3f} +- {values[key].std():.3f} ({values[key].min():.3f})"
        for key in ("accuracy", "nmi")
    }
    return {
        "data": data,
        "method": method,
        "accuracy (worst)": spread["accuracy"],
        "NMI (worst)": spread["nmi"],
        "clusters": " ".join(map(str, values["n_clusters"])),
        "fit s": float(values["fit_s"].mean()),
        "CPU s": float(values["fit_cpu_s"].mean()),
    }


def mean_ranks(means):
    """Mean rank by accuracy of the methods that were measured on every data set."""
    methods = [one for one in means if len(means[one]) == max(map(len, means.values()))]
    scores = np.array([[means[one][data] for data in means[methods[0]]] for one in methods])
    ranks = 1 + (scores[np.newaxis] > scores[:, np.newaxis]).sum(axis=1)  # (methods, data)
    return dict(zip(methods, ranks.mean(axis=1), strict=True))


def main():
    methods = ["imsat", "k-means", "gaussian-mixture", "spectral", "auto"]
    parser = make_parser(__doc__, data=DATA, methods=methods, seeds=5, threads=None, device="auto")
    args = parse(parser, seeds=1, data=["digits-images", "wine", "mnist"])
    report = Report("Clusters found without labels", args)
    rows, means = [], {}
    for data in args.data:
        n_samples = len(load(data, 0, args.smoke)[0])
        for method in args.methods:
            if n_samples > MOST.get(method, n_samples):
                continue
            runs = [evaluate(method, data, args, seed) for seed in range(args.seeds)]
            names = {"data": data, "method": method}
            report.keep([{**names, "seed": seed, **run} for seed, run in enumerate(runs)])
            rows.append(row(data, method, runs))
            print(*rows[-1].values(), sep="  ", flush=True)
            if method != "auto" and data not in IMAGES:
                accuracy = float(np.mean([run["accuracy"] for run in runs]))
                means.setdefault(method, {})[data] = accuracy
    print_table(rows)
    if means:
        ranks = mean_ranks(means)
        print("\nmean rank by accuracy, tables: ", end="")
        print(", ".join(f"{name} {rank:.2f}" for name, rank in ranks.items()))


if __name__ == "__main__":
    main()
