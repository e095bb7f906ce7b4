"""
What do outliers among the training samples cost?
=================================================

An outlier detector is trained on normal samples alone, or, more often, on samples of which some are
outliers already. This example compares two nets with an isolation forest and with the distance to
the nearest neighbors in both settings: on two moons, which can be drawn, and on images of digits.
"""

# %%
# Two moons and scattered outliers
# --------------------------------
# Every detector is trained twice: on 500 samples of two moons, and on the same samples with 75
# outliers among them. The score is the area under the ROC curve on new samples of both kinds.

import matplotlib.pyplot as plt
import numpy as np
from sklearn.datasets import load_digits, make_moons
from sklearn.ensemble import IsolationForest
from sklearn.metrics import roc_auc_score
from sklearn.neighbors import LocalOutlierFactor, NearestNeighbors

from skdeep.outlier_detection import AutoencoderOutlierDetector, DiffusionTimeDetector


class NearestNeighborDistance(NearestNeighbors):
    """Distance to the fifth nearest neighbor; for training samples, one of them is the sample."""

    def score_samples(self, X):
        return -self.kneighbors(X, 5)[0][:, -1]


def detectors():
    return {
        "AutoencoderOutlierDetector": AutoencoderOutlierDetector(random_state=0),
        "DiffusionTimeDetector": DiffusionTimeDetector(random_state=0),
        "IsolationForest": IsolationForest(random_state=0),
        "LocalOutlierFactor": LocalOutlierFactor(novelty=True),
        "nearest neighbors": NearestNeighborDistance(),
    }


def moons(n_normal, n_outliers, seed):
    rng = np.random.default_rng(seed)
    normal = make_moons(n_normal, noise=0.05, random_state=seed)[0]
    outliers = rng.uniform([-1.6, -1.1], [2.6, 1.6], size=(n_outliers, 2))
    return np.concatenate([normal, outliers]), np.repeat([0, 1], [n_normal, n_outliers])


X, is_outlier = moons(500, 75, seed=0)
X_test, test_is_outlier = moons(1000, 200, seed=1)
settings = {"normal samples only": X[is_outlier == 0], "13 % outliers": X}

grid = np.stack(np.meshgrid(np.linspace(-1.6, 2.6, 80), np.linspace(-1.1, 1.6, 60)), axis=-1)
fig, axes = plt.subplots(2, 5, figsize=(12, 4.4), layout="constrained", sharex=True, sharey=True)
print(f"{'ROC-AUC on two moons':28}" + "".join(f"{setting:>22}" for setting in settings))
for column, name in enumerate(detectors()):
    line = f"{name:28}"
    for ax, train in zip(axes[:, column], settings.values(), strict=True):
        detector = detectors()[name].fit(train)
        auc = roc_auc_score(test_is_outlier, -detector.score_samples(X_test))
        line += f"{auc:22.3f}"
        scores = detector.score_samples(grid.reshape(-1, 2))
        ranks = np.searchsorted(np.sort(detector.score_samples(X_test)), scores) / len(X_test)
        ax.contourf(*grid.transpose(2, 0, 1), ranks.reshape(60, 80), levels=10, cmap="Blues")
        ax.plot(*train.T, ".", color="black", markersize=1)
        ax.set(title=f"{name}\n{auc:.3f}" if ax is axes[0, column] else f"{auc:.3f}")
        ax.title.set_fontsize(8)
    print(line)
for ax, setting in zip(axes[:, 0], settings, strict=True):
    ax.set_ylabel(setting)

plt.show()

# %%
# Digits
# ------
# The normal samples are images of zeros to four; a few images of other digits are the outliers.

digits, digit = load_digits(return_X_y=True)
rng = np.random.default_rng(0)
normal = rng.permutation(np.flatnonzero(digit < 5))
others = rng.permutation(np.flatnonzero(digit >= 5))
clean = normal[:600]
scored = np.concatenate([normal[600:], others[60:260]])
settings = {"normal samples only": clean, "9 % outliers": np.concatenate([clean, others[:60]])}
print(f"{'ROC-AUC on digits':28}" + "".join(f"{setting:>22}" for setting in settings))
for name in detectors():
    line = f"{name:28}"
    for train in settings.values():
        detector = detectors()[name].fit(digits[train])
        auc = roc_auc_score(digit[scored] >= 5, -detector.score_samples(digits[scored]))
        line += f"{auc:22.3f}"
    print(line)

# %%
# Finding
# -------
# Nearest neighbors win here, in both settings. On normal digits, both nets beat the isolation
# forest, the diffusion time by far. It loses most of that with outliers among the training samples,
# which it learns, too; the autoencoders, which ignore the samples with the largest errors, lose
# less. On two moons they are no better than the forest: most of their nets remove noise that is
# wider than the gap between the moons. Forests and autoencoders are at their best in tables whose
# features have different meanings, see the figures in the user guide.
