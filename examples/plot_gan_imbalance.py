"""
Does a generator balance classes better than SMOTE?
===================================================

:class:`~skdeep.generative.GANSampler` has a ``fit_resample`` method and is a drop-in alternative
to ``SMOTE`` in imbalanced-learn's pipelines. This example asks whether it does better on a data
set with very few samples of one class. Two classifiers are trained without resampling and after
balancing the classes in three ways. It needs ``pip install skdeep[imblearn]``.
"""

# %%
# Data with 25 samples of the rare class
# --------------------------------------
# scikit-learn's breast cancer data, in which 25 of the 212 malignant tumours are kept.

from tempfile import TemporaryDirectory
from time import perf_counter

import matplotlib.pyplot as plt
import numpy as np
from imblearn.over_sampling import SMOTE, RandomOverSampler
from imblearn.pipeline import Pipeline
from sklearn.datasets import load_breast_cancer
from sklearn.ensemble import RandomForestClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import RepeatedStratifiedKFold, cross_val_score
from sklearn.preprocessing import StandardScaler

from skdeep.generative import GANSampler

X, target = load_breast_cancer(return_X_y=True)
is_malignant = target == 0
few = np.random.default_rng(0).choice(np.flatnonzero(is_malignant), size=25, replace=False)
kept = np.sort(np.concatenate([np.flatnonzero(~is_malignant), few]))
X, y = X[kept], is_malignant[kept].astype(int)
print(f"{len(y)} samples, {y.sum()} of them malignant, {X.shape[1]} features")

# %%
# Four pipelines
# --------------
# imbalanced-learn's pipeline resamples only in ``fit``: samples are added to the training folds,
# and the test folds are unchanged. ``memory`` caches the outputs of the steps, so that the nets are
# not trained again for the second classifier, which gets the same balanced samples.

samplers = {
    "none": "passthrough",
    "RandomOverSampler": RandomOverSampler(random_state=0),
    "SMOTE": SMOTE(random_state=0),
    "GANSampler": GANSampler(max_epochs=100, random_state=0),
}
classifiers = {
    "logistic regression": LogisticRegression(max_iter=1000),
    "random forest": RandomForestClassifier(random_state=0),
}
cv = RepeatedStratifiedKFold(n_splits=5, n_repeats=2, random_state=0)

scores = {name: {} for name in classifiers}
with TemporaryDirectory() as memory:
    for sampler_name, sampler in samplers.items():
        start = perf_counter()
        for name, classifier in classifiers.items():
            steps = [("scale", StandardScaler()), ("balance", sampler), ("classify", classifier)]
            pipe = Pipeline(steps, memory=memory)
            scores[name][sampler_name] = cross_val_score(
                pipe, X, y, cv=cv, scoring="average_precision"
            )
        print(f"{sampler_name}: {perf_counter() - start:.1f} s for {2 * cv.get_n_splits()} fits")

# %%
# Average precision on the test folds
# -----------------------------------
# Average precision focuses on the rare class. Each dot is a fold, and each bar is the mean over the
# folds.

fig, axes = plt.subplots(1, 2, figsize=(9, 4), layout="constrained", sharey=True)
axes[0].set_ylabel("average precision on test folds")
for ax, (name, by_sampler) in zip(axes, scores.items(), strict=True):
    for place, values in enumerate(by_sampler.values()):
        ax.plot([place] * len(values), values, "o", color=f"C{place}", alpha=0.5)
        ax.hlines(values.mean(), place - 0.3, place + 0.3, color=f"C{place}")
    ax.set_xticks(range(len(by_sampler)), list(by_sampler), rotation=30)
    ax.set(title=name)

# %%
# Finding
# -------
# All samplers see the same folds, so that their scores can be compared fold by fold. A test fold
# contains only five malignant tumours, and a single one of them changes the score a lot. Therefore
# also look at the number of folds on which a sampler is better.

for name, by_sampler in scores.items():
    means = ", ".join(f"{sampler} {values.mean():.3f}" for sampler, values in by_sampler.items())
    print(f"{name}: {means}")

for name, by_sampler in scores.items():
    for baseline in ("none", "SMOTE"):
        difference = by_sampler["GANSampler"] - by_sampler[baseline]
        print(
            f"Finding: with {name}, GANSampler changes the average precision by "
            f"{difference.mean():+.3f} compared with {baseline}. It is better on "
            f"{np.sum(difference > 0)} and worse on {np.sum(difference < 0)} of "
            f"{len(difference)} folds."
        )
