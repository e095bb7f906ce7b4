"""Compare raw pixels, PCA and an autoencoder with the same ``n_components`` on the digits data.

All scores are computed on held-out samples that are not used for tuning: the autoencoder has its
default parameters, and the search uses only training samples.
"""

import argparse
import warnings
from time import perf_counter

import numpy as np
from matplotlib.figure import Figure
from sklearn.callback import ProgressBar
from sklearn.cluster import KMeans
from sklearn.datasets import load_digits
from sklearn.decomposition import PCA
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import normalized_mutual_info_score
from sklearn.model_selection import GridSearchCV, train_test_split
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer, MinMaxScaler, StandardScaler

from skdeep.decomposition import Autoencoder
from skdeep.metrics import clustering_accuracy

N_COMPONENTS = 10
N_SHOWN = 10


def evaluate(transformer, X_train, X_test, y_train, y_test):
    """Fit on the training samples and evaluate the representation of the held-out samples."""
    start = perf_counter()
    Z_train = transformer.fit_transform(X_train)
    seconds = perf_counter() - start
    Z_test = transformer.transform(X_test)
    X_hat = transformer.inverse_transform(Z_test)
    clusters = KMeans(10, n_init=10, random_state=0).fit(Z_train).predict(Z_test)
    classifier = make_pipeline(StandardScaler(), LogisticRegression(max_iter=1000))
    return {
        "features": Z_test.shape[1],
        "error": np.mean((X_test - X_hat) ** 2),
        "KMeans acc.": clustering_accuracy(y_test, clusters),
        "KMeans NMI": normalized_mutual_info_score(y_test, clusters),
        "LogReg acc.": classifier.fit(Z_train, y_train).score(Z_test, y_test),
        "fit (s)": seconds,
    }


def print_table(rows):
    """Print one line for each representation."""
    columns = list(next(iter(rows.values())))
    print(f"{'':12s}" + "".join(f"{column:>13s}" for column in columns))
    for name, row in rows.items():
        cells = (f"{v:13d}" if isinstance(v, int) else f"{v:13.4f}" for v in row.values())
        print(f"{name:12s}" + "".join(cells))


def search_pipeline(X_train, X_test, y_train, y_test):
    """Tune ``n_components`` in a pipeline, with progress bars for search, pipeline and epochs."""
    pipe = make_pipeline(
        MinMaxScaler(), Autoencoder(random_state=0), LogisticRegression(max_iter=1000)
    )
    search = GridSearchCV(pipe, {"autoencoder__n_components": [5, 10, 20]}, cv=3, n_jobs=2)
    search.set_callbacks(ProgressBar(max_propagation_depth=None))
    with warnings.catch_warnings():
        # MinMaxScaler does not support callbacks, and scikit-learn warns in each of the ten fits
        warnings.filterwarnings("ignore", message="The estimator MinMaxScaler does not support")
        search.fit(X_train, y_train)
    print(f"\nBest parameters: {search.best_params_}")
    print(f"Cross-validated accuracy on training samples: {search.best_score_:.4f}")
    print(f"Accuracy on held-out samples: {search.score(X_test, y_test):.4f}")


def save_plot(path, X_test, y_test, reconstructions, codes):
    """Plot originals and reconstructions on the left, two-dimensional codes on the right."""
    figure = Figure(figsize=(14, 4.2), layout="constrained")
    images, scatters = figure.subfigures(1, 2, width_ratios=[1.1, 1])

    rows = {"original": X_test, **reconstructions}
    for axes, (name, X) in zip(images.subplots(len(rows), N_SHOWN), rows.items(), strict=True):
        axes[0].set_title(name, loc="left", fontsize=9)
        for ax, x in zip(axes, X, strict=False):
            ax.imshow(x.reshape(8, 8), cmap="gray_r", vmin=0, vmax=1)
            ax.set_axis_off()
    images.suptitle(f"held-out digits, reconstructed from {N_COMPONENTS} components")

    for ax, (name, Z) in zip(scatters.subplots(1, len(codes)), codes.items(), strict=True):
        points = ax.scatter(Z[:, 0], Z[:, 1], c=y_test, cmap="tab10", vmin=-0.5, vmax=9.5, s=9)
        ax.set(title=name, xticks=[], yticks=[])
    scatters.colorbar(points, ax=scatters.axes, ticks=range(10), label="digit")
    scatters.suptitle("two-dimensional codes of held-out digits")
    figure.savefig(path, dpi=110)


def main(output):
    """Compare the representations, run the search and save the plot."""
    digits = load_digits()
    split = train_test_split(
        digits.data / 16.0, digits.target, stratify=digits.target, random_state=0
    )
    X_train, X_test, _, y_test = split
    print(f"digits: {len(X_train)} training samples, {len(X_test)} held-out samples, 64 pixels")

    transformers = {
        "raw pixels": FunctionTransformer(check_inverse=False),
        "PCA": PCA(N_COMPONENTS, random_state=0),
        "Autoencoder": Autoencoder(N_COMPONENTS, random_state=0),
    }
    print_table({name: evaluate(t, *split) for name, t in transformers.items()})
    print("error: mean squared error per pixel on held-out samples\n")

    search_pipeline(*split)

    del transformers["raw pixels"]
    reconstructions = {
        name: t.inverse_transform(t.transform(X_test[:N_SHOWN])) for name, t in transformers.items()
    }
    flat = {"PCA(2)": PCA(2, random_state=0), "Autoencoder(2)": Autoencoder(2, random_state=0)}
    codes = {name: t.fit(X_train).transform(X_test) for name, t in flat.items()}
    save_plot(output, X_test, y_test, reconstructions, codes)
    print(f"Plot: {output}")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--output", default="quickstart.png", help="file name of the plot")
    main(parser.parse_args().output)
