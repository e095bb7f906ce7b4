"""
Does it help to cluster first and to fine-tune on a few labels?
===============================================================

Most of some thousand handwritten digits have no label. A net can nevertheless learn from them
before it sees a label: by predicting clusters, or by reconstructing them. This example compares
such starts with none at all, for 50 to 1000 labels.
"""

# %%
# Data
# ----
# 1200 digits of scikit-learn, and 4000 digits of MNIST if there is ``mnist.npz`` in the folder that
# the environment variable ``SKDEEP_DATA`` names. Those are made smaller, to 14 x 14 pixels.

import os
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
from sklearn.cluster import KMeans
from sklearn.datasets import load_digits
from sklearn.frozen import FrozenEstimator
from sklearn.model_selection import train_test_split

from skdeep.cluster import IMSAT
from skdeep.decomposition import Autoencoder
from skdeep.neural_network import ResNetClassifier
from skdeep.semi_supervised import ClusterPretrainedClassifier

digits, digit = load_digits(return_X_y=True)
split = train_test_split(digits, digit, test_size=597, stratify=digit, random_state=0)
problems = {"digits": (split, [50, 100, 500])}
path = Path(os.environ.get("SKDEEP_DATA", "")) / "mnist.npz"
if path.exists():
    with np.load(path) as file:
        X, X_test = (
            file[name][:n].reshape(n, 14, 2, 14, 2).mean(axis=(2, 4)).reshape(n, -1)
            for name, n in (("X_train", 4000), ("X_test", 2000))
        )
        split = X, X_test, file["y_train"][:4000].astype(int), file["y_test"][:2000].astype(int)
    problems["MNIST"] = (split, [50, 100, 500, 1000])

# %%
# Pretraining without labels
# --------------------------
# :class:`~skdeep.semi_supervised.ClusterPretrainedClassifier` does all steps at once: it clusters
# all samples, trains a residual net to predict the clusters, and fine-tunes it on the labels.
#
# The labels have no part in the pretraining. The pretrained nets can therefore be fine-tuned again
# on other labels, by :class:`~skdeep.neural_network.ResNetClassifier` itself. It also takes the net
# of a clusterer or an autoencoder and continues to train its encoder, with a lower learning rate
# than the new head. Without pretraining, the net is trained with two learning rates.


def make_nets(X, y):
    """Return nets to fine-tune, pretrained on samples without labels."""
    few = np.full(len(y), -1)
    few[:50] = y[:50]
    net = ResNetClassifier(lr=1e-2, random_state=0)
    clusterers = {
        "clusters of KMeans": KMeans(30, n_init=10),
        "clusters of IMSAT": IMSAT(10, n_init=2),
    }
    classifiers = {
        name: ClusterPretrainedClassifier(clusterer, net, random_state=0).fit(X, few)
        for name, clusterer in clusterers.items()
    }
    starts = {name: one.estimator_.pretrained for name, one in classifiers.items()}
    starts["net of IMSAT"] = FrozenEstimator(classifiers["clusters of IMSAT"].clusterer_)
    starts["codes of an autoencoder"] = FrozenEstimator(Autoencoder(32, random_state=0).fit(X))
    nets = {
        name: ResNetClassifier(pretrained=start, lr=1e-2, trunk_lr=1e-3, random_state=0)
        for name, start in starts.items()
    }
    nets["nothing"] = ResNetClassifier(lr=1e-2, random_state=0)
    nets["nothing, lr=0.001"] = ResNetClassifier(random_state=0)
    return nets


# %%
# Fine-tuning on labels
# ---------------------
# Means over three draws of the labelled samples.

n_draws = 3
scores = {}
for problem, ((X, X_test, y, y_test), numbers) in problems.items():
    nets = make_nets(X, y)
    scores[problem] = np.empty((len(nets), len(numbers), n_draws))
    for draw in range(n_draws):
        order = np.random.default_rng(draw).permutation(len(X))
        for column, number in enumerate(numbers):
            labelled = order[:number]
            for row, net in enumerate(nets.values()):
                net.fit(X[labelled], y[labelled])
                scores[problem][row, column, draw] = net.score(X_test, y_test)
    print(f"{problem + ', accuracy':24}" + "".join(f"{one:>7} labels" for one in numbers))
    for name, means in zip(nets, scores[problem].mean(axis=2), strict=True):
        print(f"{name:24}" + "".join(f"{mean:14.3f}" for mean in means))

# %%
# Accuracy by number of labels
# ----------------------------
# Points are means, bars range from the lowest to the highest score.

size = 5 * len(problems), 4
fig, axes = plt.subplots(1, len(problems), figsize=size, layout="constrained", squeeze=False)
for ax, (problem, (_, numbers)) in zip(axes.flat, problems.items(), strict=True):
    for row, (name, values) in enumerate(zip(nets, scores[problem], strict=True)):
        mean = values.mean(axis=1)
        reach = [mean - values.min(axis=1), values.max(axis=1) - mean]
        ax.errorbar(np.multiply(numbers, 1 + 0.03 * row), mean, reach, marker="o", label=name)
    ax.set(title=problem, xscale="log", xlabel="labels", ylabel="accuracy on test samples")
    ax.set_xticks(numbers, labels=[str(number) for number in numbers], minor=False)
    ax.minorticks_off()
ax.legend(title="pretrained on")

plt.show()

# %%
# Finding
# -------
# The gain of the best start over the better one of the two nets without pretraining.

names = list(nets)
for problem, (_, numbers) in problems.items():
    means = scores[problem].mean(axis=2)  # (starts, numbers of labels)
    for number, column in zip(numbers, means.T, strict=True):
        best, plain = column[:-2].argmax(), column[-2:].max()
        print(
            f"{problem}, {number:4d} labels: {names[best]} has an accuracy of {column[best]:.3f}, "
            f"{100 * (column[best] - plain):+.1f} percentage points; {names[0]}: {column[0]:.3f}"
        )

# %%
# The fewer labels, the more there is to gain. The simplest start is as good as any: to fine-tune
# the net of IMSAT itself.
