"""
How well can missing measurements be predicted?
===============================================

A third of the measurements of 569 breast tumors is hidden, and imputers predict it from the others.
This example compares :class:`~skdeep.impute.AutoencoderImputer` with scikit-learn's imputers, and
asks whether a classifier on the completed tables benefits.
"""

# %%
# Hide measurements and predict them
# ----------------------------------
# Every imputer is fitted on the training samples, with gaps, and has its default parameters. The
# error is in standard deviations of a feature: the mean has an error of about one.

import time

import matplotlib.pyplot as plt
import numpy as np
from sklearn.datasets import load_breast_cancer
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.experimental import enable_iterative_imputer  # noqa: F401
from sklearn.impute import IterativeImputer, KNNImputer, SimpleImputer
from sklearn.model_selection import train_test_split
from sklearn.preprocessing import StandardScaler

from skdeep.impute import AutoencoderImputer

X, y = load_breast_cancer(return_X_y=True)
X = StandardScaler().fit_transform(X)
hidden = np.random.default_rng(0).random(X.shape) < 1 / 3
gaps = np.where(hidden, np.nan, X)
train, test = train_test_split(np.arange(len(X)), test_size=0.4, stratify=y, random_state=0)

imputers = {
    "mean": SimpleImputer(),
    "neighbors": KNNImputer(),
    "iterative": IterativeImputer(max_iter=100, random_state=0),
    "autoencoder": AutoencoderImputer(random_state=0),
}
errors, accuracies = {}, {}
for name, imputer in imputers.items():
    start = time.perf_counter()
    completed = imputer.fit(gaps[train]).transform(gaps)
    seconds = time.perf_counter() - start
    squares = np.square(completed - X)[test][hidden[test]]
    errors[name] = np.sqrt(squares.mean())
    classifier = HistGradientBoostingClassifier(random_state=0).fit(completed[train], y[train])
    accuracies[name] = classifier.score(completed[test], y[test])
    print(
        f"{name}: error {errors[name]:.2f}, accuracy {accuracies[name]:.3f}, {seconds:.1f} seconds"
    )

# %%
# Gradient boosting does not need an imputer, since it has branches for missing values.

plain = HistGradientBoostingClassifier(random_state=0).fit(gaps[train], y[train])
whole = HistGradientBoostingClassifier(random_state=0).fit(X[train], y[train])
print(f"without imputation: accuracy {plain.score(gaps[test], y[test]):.3f}")
print(f"without gaps: accuracy {whole.score(X[test], y[test]):.3f}")

# %%
# How sure are the predictions?
# -----------------------------
# ``draw_imputations`` draws missing entries from their predicted distribution. Intervals between
# the 10 and 90 % quantiles of the draws should contain 80 % of the hidden values.

imputer = imputers["autoencoder"]
draws = np.stack(imputer.draw_imputations(gaps[test], 50, random_state=0))
low, middle, high = np.quantile(draws, [0.1, 0.5, 0.9], axis=0)
is_hidden = hidden[test]
inside = ((X[test] >= low) & (X[test] <= high))[is_hidden].mean()
print(f"{100 * inside:.0f} % of the hidden values are in the intervals")

shown = np.random.default_rng(0).choice(is_hidden.sum(), 60, replace=False)
true, center = X[test][is_hidden][shown], middle[is_hidden][shown]
spread = np.abs(np.stack([low, high])[:, is_hidden][:, shown] - center)
_, (left, right) = plt.subplots(1, 2, figsize=(9, 4), layout="constrained")
left.bar(list(errors), list(errors.values()))
left.set(ylabel="error of hidden values")
right.errorbar(true, center, yerr=spread, fmt="o", markersize=3, linewidth=0.8)
right.axline((0, 0), slope=1, color="black", linewidth=0.8)
right.set(xlabel="hidden value", ylabel="draws: median, 10 and 90 % quantiles")
plt.show()

# %%
# The autoencoder predicts hidden values best, with less than half of the error of the mean. The
# iterative imputer, whose predictions are linear, is close behind and takes a fraction of the time.
# The classifier does not benefit: gradient boosting on the samples with gaps is as accurate as on
# any completed table, and as without gaps. The intervals of the draws are about as wide as they
# should be. Impute if you need the values themselves, or if the next step does not take missing
# ones.
