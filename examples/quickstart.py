"""The headlines on the digits data: codes, clusters, new samples, a search at once.

- An autoencoder beside PCA with as many components, on held-out samples.
- Clusters of all images without labels, beside k-means. Labels are used for the accuracy only.
- Images drawn by a GAN.
- A grid search that trains its nets at once, beside scikit-learn's over the same net.
"""

import argparse
from time import perf_counter

import numpy as np
from matplotlib.figure import Figure
from sklearn.cluster import KMeans
from sklearn.datasets import load_digits
from sklearn.decomposition import PCA
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV, train_test_split
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from skdeep.cluster import IMSAT
from skdeep.decomposition import Autoencoder
from skdeep.generative import GANSampler
from skdeep.metrics import clustering_accuracy
from skdeep.model_selection import BatchedGridSearchCV

N_COMPONENTS = 10
N_SHOWN = 12


def timed(function, *args):
    """Return the result of a call and its seconds."""
    start = perf_counter()
    result = function(*args)
    return result, perf_counter() - start


def compare_codes(X, y):
    """Print errors and accuracies of PCA and of an autoencoder on held-out samples."""
    X_train, X_test, y_train, y_test = train_test_split(X, y, stratify=y, random_state=0)
    print(f"{N_COMPONENTS} components      error  accuracy  seconds")
    for transformer in (PCA(N_COMPONENTS), Autoencoder(N_COMPONENTS, random_state=0)):
        Z_train, seconds = timed(transformer.fit_transform, X_train)
        Z_test = transformer.transform(X_test)
        error = np.mean((X_test - transformer.inverse_transform(Z_test)) ** 2)
        classifier = make_pipeline(StandardScaler(), LogisticRegression(max_iter=1000))
        accuracy = classifier.fit(Z_train, y_train).score(Z_test, y_test)
        print(f"{type(transformer).__name__:14s}  {error:7.4f}  {accuracy:8.3f}  {seconds:7.1f}")


def compare_clusters(X, y):
    """Print the accuracy of k-means and of IMSAT; return the clusters of the latter."""
    print("\n10 clusters                accuracy  seconds")
    imsat = IMSAT(10, image_shape=(8, 8), random_state=0)
    for clusterer in (KMeans(10, n_init=10, random_state=0), imsat):
        labels, seconds = timed(clusterer.fit_predict, X)
        accuracy = clustering_accuracy(y, labels)
        print(f"{type(clusterer).__name__:25s}  {accuracy:8.3f}  {seconds:7.1f}")
    return labels


def draw_digits(X, y):
    """Draw images of all classes with a GAN."""
    gan = GANSampler(image_shape=(8, 8), max_epochs=60, random_state=0)
    _, seconds = timed(gan.fit, X, y)
    print(f"\nGANSampler: {seconds:.1f} s to learn to draw digits")
    return gan.sample(50, np.repeat(np.arange(10), 5), random_state=0)[0]


def compare_searches(X):
    """Print the times of a batched and of an ordinary search; return them by name."""
    net = Autoencoder(N_COMPONENTS, hidden_layer_sizes=(32,), max_epochs=10, random_state=0)
    grid = {"lr": np.logspace(-4, -2, 50), "weight_decay": [0.0, 0.01]}
    searches = [kind(net, grid, cv=3) for kind in (GridSearchCV, BatchedGridSearchCV)]
    seconds = {type(one).__name__: timed(one.fit, X)[1] for one in searches}
    ordinary, batched = (one.cv_results_["mean_test_score"] for one in searches)
    print("\n300 fits                  seconds")
    for name, value in seconds.items():
        print(f"{name:20s}  {value:10.1f}")
    print(f"largest difference of scores: {abs(ordinary - batched).max():g}")
    return seconds


def save_picture(path, X, labels, drawn, seconds):
    """Plot drawn digits, samples of each cluster, and the times of the searches."""
    figure = Figure(figsize=(12, 3.6), layout="constrained")
    left, middle, right = figure.subfigures(1, 3, width_ratios=[1.1, 2.2, 1.6])
    show(left, drawn.reshape(10, 5, 8, 8).transpose(1, 0, 2, 3)[:, ::2], "drawn by GANSampler")
    clusters = np.stack([X[labels == k][:N_SHOWN] for k in range(10)]).reshape(10, N_SHOWN, 8, 8)
    show(middle, clusters, "clusters of IMSAT (rows), found without labels")
    ax = right.subplots()
    bars = ax.barh(list(seconds), list(seconds.values()), color=["tab:gray", "tab:blue"])
    ax.bar_label(bars, fmt="%.1f s", padding=3)
    ax.set(title="300 fits, equal scores", xticks=[], xlim=(0, 1.2 * max(seconds.values())))
    ax.spines[:].set_visible(False)
    figure.savefig(path, dpi=110)


def show(figure, images, title):
    """Show images, (rows, columns, height, width), as one."""
    n_rows, n_columns, height, width = images.shape
    padded = np.pad(images, ((0, 0), (0, 0), (1, 0), (1, 0)))
    whole = padded.transpose(0, 2, 1, 3).reshape(n_rows * (height + 1), n_columns * (width + 1))
    ax = figure.subplots()
    ax.imshow(whole, cmap="gray_r", vmin=0, vmax=1)
    ax.set_axis_off()
    ax.set_title(title, fontsize=10)


def main(output):
    """Run all comparisons and save the picture."""
    X, y = load_digits(return_X_y=True)
    X = X / 16.0
    print(f"digits: {len(X)} images of 8 x 8 pixels\n")
    compare_codes(X, y)
    labels = compare_clusters(X, y)
    drawn = draw_digits(X, y)
    save_picture(output, X, labels, drawn, compare_searches(X))
    print(f"\nPicture: {output}")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--output", default="quickstart.png", help="file name of the picture")
    main(parser.parse_args().output)
