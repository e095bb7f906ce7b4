"""
Does it help to cluster first and to classify within clusters?
==============================================================

A classic recipe: divide the samples into clusters, train a simple classifier within each of them,
and let the cluster of a new sample decide which classifier is asked. This example compares it with
the simple classifier alone, with the distances to the clusters as features, and with a random
forest, on a problem whose classes have several separate parts, and on handwritten digits.
"""

# %%
# Two problems
# ------------
# :class:`~skdeep.ensemble.ClusterwiseClassifier` trains a classifier within each cluster.

import matplotlib.pyplot as plt
from sklearn.cluster import KMeans
from sklearn.datasets import load_digits, make_classification
from sklearn.ensemble import RandomForestClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from skdeep.cluster import IMSAT
from skdeep.ensemble import ClusterwiseClassifier

parts, classes = make_classification(
    1500,
    8,
    n_informative=6,
    n_redundant=0,
    n_classes=3,
    n_clusters_per_class=4,
    class_sep=2.0,
    random_state=0,
)
digits, digit = load_digits(return_X_y=True)
problems = {"classes of four parts": (parts, classes, 12), "digits": (digits, digit, 10)}


def contenders(n_clusters):
    """Return the classifiers that are compared."""
    linear = make_pipeline(StandardScaler(), LogisticRegression(max_iter=1000))
    kmeans = KMeans(n_clusters, n_init=10, random_state=0)
    imsat = IMSAT(n_clusters, n_init=2, random_state=0)
    return {
        "linear": linear,
        "KMeans, then linear": ClusterwiseClassifier(kmeans, linear),
        "IMSAT, then linear": ClusterwiseClassifier(imsat, linear),
        "IMSAT's features": make_pipeline(imsat, linear),
        "random forest": RandomForestClassifier(random_state=0),
    }


scores = {
    problem: {
        name: cross_val_score(classifier, X, y, cv=3)
        for name, classifier in contenders(n_clusters).items()
    }
    for problem, (X, y, n_clusters) in problems.items()
}
for problem, results in scores.items():
    for name, values in results.items():
        print(f"{problem:22} {name:20} {values.mean():.3f} +- {values.std():.3f}")

# %%
# Accuracy in cross-validation
# ----------------------------

fig, axes = plt.subplots(1, 2, figsize=(9, 3.5), layout="constrained", sharey=True)
for ax, (problem, results) in zip(axes, scores.items(), strict=True):
    means = [values.mean() for values in results.values()]
    errors = [values.std() for values in results.values()]
    ax.barh(list(results), means, xerr=errors, color=[f"C{one}" for one in range(len(means))])
    ax.set(title=problem, xlabel="accuracy", xlim=(0.4, 1))

plt.show()

# %%
# Finding
# -------
# Where the parts of classes are clusters, a linear classifier within each of them is as good as a
# random forest, and the clusters of IMSAT serve it slightly better than those of KMeans. On the
# digits there is little to gain: a cluster is nearly a class, so that the classifiers within
# clusters get few samples of the others. There the features of the last hidden layer, which are
# learned without labels, help most.
