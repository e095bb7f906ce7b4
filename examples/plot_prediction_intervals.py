"""
How wide should a prediction interval be?
=========================================

A regressor that predicts a single number does not tell how far off it may be.
:class:`~skdeep.neural_network.ResNetRegressor` can predict several quantiles, or a normal
distribution for each sample, and :class:`~skdeep.ensemble.DeepEnsembleRegressor` averages them over
several nets. This example compares their 90 % intervals with those of boosted trees, on patients
that the models were not trained on.
"""

# %%
# Five ways to an interval
# ------------------------
# The targets of the diabetes data are a measure of the progression of the disease within a year.
# With 442 patients, nets need early stopping; ``refit_full`` then trains them on all patients.
#
# Boosted trees need a model for each quantile, and nothing prevents their quantiles from crossing.
# One net predicts all of its quantiles, and they cannot cross. The normal distribution has a mean
# and a standard deviation for each patient. The last interval has the same width for everyone: a
# net with the squared error, and the 5 % and 95 % quantiles of its errors in an inner
# cross-validation.

import matplotlib.pyplot as plt
import numpy as np
from sklearn.datasets import load_diabetes
from sklearn.ensemble import HistGradientBoostingRegressor
from sklearn.metrics import mean_pinball_loss
from sklearn.model_selection import KFold, cross_val_predict

from skdeep.ensemble import DeepEnsembleRegressor
from skdeep.neural_network import ResNetRegressor

X, y = load_diabetes(return_X_y=True)
low_high = [0.05, 0.95]
settings = {"early_stopping": True, "refit_full": True, "random_state": 0}
gaussian = ResNetRegressor(loss="gaussian", **settings)
quantiles = ResNetRegressor(loss="quantile", quantile=[0.05, 0.5, 0.95], **settings)


def boosted_trees(X_train, y_train, X_test):
    """One model for each quantile."""
    found = [
        HistGradientBoostingRegressor(loss="quantile", quantile=level, random_state=0)
        .fit(X_train, y_train)
        .predict(X_test)
        for level in low_high
    ]
    return np.column_stack(found)


def equal_width(X_train, y_train, X_test):
    """Errors of an inner cross-validation, added to the predictions."""
    net = ResNetRegressor(**settings)
    errors = y_train - cross_val_predict(net, X_train, y_train, cv=3)
    return net.fit(X_train, y_train).predict(X_test)[:, None] + np.quantile(errors, low_high)


def intervals_of(model):
    """Intervals that a model of skdeep predicts."""
    return lambda X_train, y_train, X_test: model.fit(X_train, y_train).predict(
        X_test, quantiles=low_high
    )


methods = {
    "boosted trees": boosted_trees,
    "net, quantiles": intervals_of(quantiles),
    "net, normal distribution": intervals_of(gaussian),
    "three nets, normal distribution": intervals_of(
        DeepEnsembleRegressor(gaussian, n_estimators=3, random_state=0)
    ),
    "net, equal width": equal_width,
}

# %%
# Coverage on held-out patients
# -----------------------------
# An interval should contain 90 % of the held-out targets and be narrow. The pinball loss, which is
# lower for better quantiles, takes both into account. Each patient is in one of five test folds.

found = {name: np.empty((len(y), 2)) for name in methods}
for train, test in KFold(5, shuffle=True, random_state=0).split(X):
    for name, method in methods.items():
        found[name][test] = method(X[train], y[train], X[test])

coverage, losses = {}, {}
for name, interval in found.items():
    low, high = interval.T
    coverage[name] = np.mean((low <= y) & (y <= high))
    losses[name] = np.mean(
        [
            mean_pinball_loss(y, bound, alpha=q)
            for bound, q in zip((low, high), low_high, strict=True)
        ]
    )
    print(
        f"{name:31s} coverage {coverage[name]:.3f}, mean width {np.mean(high - low):5.1f}, "
        f"pinball loss {losses[name]:.2f}, crossed {np.sum(high < low)} times"
    )

# %%
# Intervals of all patients
# -------------------------
# Patients are sorted by the center of their interval. Targets outside of it are red: there should
# be 10 % of them.

shown = ["boosted trees", "net, quantiles", "three nets, normal distribution"]
fig, axes = plt.subplots(1, 3, figsize=(10, 3.8), layout="constrained", sharey=True)
for ax, name in zip(axes, shown, strict=True):
    order = np.argsort(found[name].mean(axis=1))
    low, high = found[name][order].T
    outside = (y[order] < low) | (high < y[order])
    place = np.arange(len(y))
    ax.fill_between(place, low, high, color="C0", alpha=0.3, linewidth=0)
    ax.plot(place[~outside], y[order][~outside], ".", color="0.4", markersize=3)
    ax.plot(place[outside], y[order][outside], ".", color="C3", markersize=5)
    ax.set(title=f"{name}\ncoverage {coverage[name]:.2f}", xlabel="patient")
axes[0].set_ylabel("progression of the disease")

# %%
# Finding
# -------
# With 442 targets, the coverage of intervals that are exactly right has a standard deviation of
# .014.

best = min(losses, key=losses.get)
calibrated = [name for name in coverage if abs(coverage[name] - 0.9) <= 2 * 0.014]
print(f"Finding: the lowest pinball loss is that of '{best}'.")
print(f"Finding: compatible with a coverage of .90: {'; '.join(calibrated) or 'none'}.")
print(f"Finding: the lowest coverage is {min(coverage.values()):.2f}.")
