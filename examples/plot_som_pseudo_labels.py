"""
Can a map replace labels? SOM, KMeans and a few labels
======================================================

A classic recipe for data with hardly any labels: train a self-organizing map, cluster its units
with KMeans, label one sample of each cluster, and give its label to the whole cluster. A classifier
is then trained on these *pseudo-labels*. Here 40 images of digits are labelled.
"""

# %%
# The recipe
# ----------
# The sample nearest to the center of each cluster is labelled. The alternatives: KMeans without a
# map, and the classifier on 40 labelled samples that are drawn at random.

import matplotlib.pyplot as plt
import numpy as np
from sklearn.cluster import KMeans
from sklearn.datasets import load_digits
from sklearn.metrics import pairwise_distances_argmin
from sklearn.model_selection import train_test_split
from sklearn.svm import SVC

from skdeep.cluster import SelfOrganizingMap

N_LABELS, SEEDS = 40, range(5)
X, y = load_digits(return_X_y=True)
X = X / 16


def cluster_by_map(X, seed):
    """Return the cluster of each sample, and the centers of the clusters."""
    som = SelfOrganizingMap((15, 15), random_state=seed).fit(X)
    hits = som.hit_counts(X).ravel()
    kmeans = KMeans(N_LABELS, n_init=10, random_state=seed)
    kmeans.fit(som.cluster_centers_, sample_weight=hits)
    return kmeans.labels_[som.labels_], kmeans.cluster_centers_


def cluster_directly(X, seed):
    """Return the same for KMeans on the samples."""
    kmeans = KMeans(N_LABELS, n_init=10, random_state=seed).fit(X)
    return kmeans.labels_, kmeans.cluster_centers_


scores = {"40 labels at random": [], "KMeans": [], "SOM, then KMeans": []}
for seed in SEEDS:
    X_train, X_test, y_train, y_test = train_test_split(X, y, random_state=seed, stratify=y)
    chosen = np.random.default_rng(seed).choice(len(X_train), N_LABELS, replace=False)
    few = SVC().fit(X_train[chosen], y_train[chosen])
    scores["40 labels at random"].append(few.score(X_test, y_test))
    for name, cluster in (("KMeans", cluster_directly), ("SOM, then KMeans", cluster_by_map)):
        labels, centers = cluster(X_train, seed)
        labelled = pairwise_distances_argmin(centers, X_train)
        pseudo = y_train[labelled][labels]
        scores[name].append(SVC().fit(X_train, pseudo).score(X_test, y_test))
all_labels = SVC().fit(X_train, y_train).score(X_test, y_test)

for name, values in scores.items():
    print(f"{name:20} test accuracy {np.mean(values):.3f} (worst {min(values):.3f})")
print(f"{'all labels':20} test accuracy {all_labels:.3f}")

# %%
# Accuracy over five splits
# -------------------------

fig, ax = plt.subplots(figsize=(6, 3.5), layout="constrained")
for place, values in enumerate(scores.values()):
    ax.bar(place, np.mean(values), color=f"C{place}", alpha=0.6)
    ax.plot([place] * len(values), values, "o", color="black", markersize=4)
ax.axhline(all_labels, color="gray", linestyle="--", label="all labels")
ax.set_xticks(range(len(scores)), list(scores))
ax.set(ylabel="test accuracy", ylim=(0.5, 1))
ax.legend(loc="lower right")
plt.show()

# %%
# Finding
# -------
# With the same 40 labels, the classifier that learns from whole clusters is far better than the one
# that learns from 40 random samples: about .95 instead of .64. Most of that is due to KMeans, which
# finds typical samples to label. The map adds about one percentage point, since its units are means
# of neighborhoods in which outliers count little. What is left to the classifier with all labels
# are clusters that contain two digits: pseudo-labels cannot be better than the clusters.
