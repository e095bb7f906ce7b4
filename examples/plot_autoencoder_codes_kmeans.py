"""
Do the codes of an autoencoder help KMeans?
===========================================

A classic recipe: compress the samples with an autoencoder, then cluster the codes with KMeans. This
example compares it with KMeans on the pixels and on principal components, and with
:class:`~skdeep.cluster.IMSAT`, which is trained to find clusters, on images of handwritten digits.
The labels are only used for the scores.
"""

# %%
# Four pipelines
# --------------

import matplotlib.pyplot as plt
import numpy as np
from sklearn.cluster import KMeans
from sklearn.datasets import load_digits
from sklearn.decomposition import PCA
from sklearn.metrics import normalized_mutual_info_score
from sklearn.pipeline import make_pipeline

from skdeep.cluster import IMSAT
from skdeep.decomposition import Autoencoder
from skdeep.metrics import clustering_accuracy

X, y = load_digits(return_X_y=True)
SEEDS = range(3)


def clusterers(seed):
    """Return the contenders for a seed."""
    kmeans = KMeans(10, n_init=10, random_state=seed)
    codes = Autoencoder(10, max_epochs=50, lr_schedule="onecycle", random_state=seed)
    return {
        "pixels": kmeans,
        "PCA": make_pipeline(PCA(10, random_state=seed), kmeans),
        "autoencoder": make_pipeline(codes, kmeans),
        "IMSAT": IMSAT(10, image_shape=(8, 8), n_init=2, random_state=seed),
    }


accuracy: dict[str, list[float]] = {}
information: dict[str, list[float]] = {}
labels = {}
for seed in SEEDS:
    for name, clusterer in clusterers(seed).items():
        labels[name] = clusterer.fit_predict(X)
        accuracy.setdefault(name, []).append(clustering_accuracy(y, labels[name]))
        information.setdefault(name, []).append(normalized_mutual_info_score(y, labels[name]))

for name, values in accuracy.items():
    print(
        f"{name:12} accuracy {np.mean(values):.3f} (worst {min(values):.3f}), "
        f"NMI {np.mean(information[name]):.3f}"
    )

# %%
# Scores of each seed
# -------------------

fig, ax = plt.subplots(figsize=(6, 3.5), layout="constrained")
for place, (_, values) in enumerate(accuracy.items()):
    ax.bar(place, np.mean(values), color=f"C{place}", alpha=0.6)
    ax.plot([place] * len(values), values, "o", color="black", markersize=4)
ax.set_xticks(range(len(accuracy)), list(accuracy))
ax.set(ylabel="clustering accuracy", ylim=(0.5, 1), title="KMeans on features, and IMSAT; 3 seeds")

# %%
# Which digits are mixed up
# -------------------------

fig, axes = plt.subplots(1, 2, figsize=(8, 3.8), layout="constrained")
for ax, name in zip(axes, ("autoencoder", "IMSAT"), strict=True):
    table = np.zeros((10, 10), dtype=int)
    np.add.at(table, (labels[name], y), 1)
    order = table.argmax(axis=1).argsort(kind="stable")
    ax.imshow(table[order], cmap="Blues")
    ax.set(title=name, xlabel="digit", ylabel="cluster", xticks=range(10), yticks=[])

plt.show()

# %%
# Finding
# -------
# The codes are no better than principal components: an autoencoder is trained to reconstruct, and
# nothing in its loss asks for clusters. It is worth its time where codes and reconstructions are
# needed anyway. For the clusters, what helps is knowledge about the data: that a digit remains the
# same when it is slightly rotated, stretched or moved, which is what IMSAT is trained on.
