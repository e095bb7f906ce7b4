"""
Should a residual net replace a random forest?
==============================================

:class:`~skdeep.neural_network.ResNetClassifier` and
:class:`~skdeep.neural_network.ResNetRegressor` can replace a random forest, boosted trees or
scikit-learn's multilayer perceptron (MLP) by changing one line of code. This example compares
their scores and fit times on three small tables. No model is tuned.
"""

# %%
# Three tables
# ------------
# Two data sets come with scikit-learn. The third is synthetic and has categorical features: the
# duration of a delivery depends on the distance, the vehicle, the hour, the depot, and on noise.
# Rush hours begin and end abruptly, which favours trees. The duration grows smoothly with the
# distance, which favours nets.

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from sklearn.compose import make_column_selector, make_column_transformer
from sklearn.datasets import load_breast_cancer, load_diabetes
from sklearn.ensemble import (
    HistGradientBoostingClassifier,
    HistGradientBoostingRegressor,
    RandomForestClassifier,
    RandomForestRegressor,
)
from sklearn.model_selection import KFold, StratifiedKFold, cross_validate
from sklearn.neural_network import MLPClassifier, MLPRegressor
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler

from skdeep.neural_network import ResNetClassifier, ResNetRegressor


def make_deliveries(n_samples=1000, seed=0):
    """Table with two categorical features, and the duration of each delivery in minutes."""
    rng = np.random.default_rng(seed)
    vehicles = np.array(["bike", "car", "truck", "van"])
    minutes_per_km = np.array([4.0, 2.0, 3.0, 2.5])
    depots = np.array([f"depot {number}" for number in range(12)])
    handling = rng.uniform(2, 20, size=len(depots))

    vehicle = rng.integers(len(vehicles), size=n_samples)
    depot = rng.integers(len(depots), size=n_samples)
    km = rng.gamma(3, 2, size=n_samples)
    hour = rng.uniform(6, 20, size=n_samples)
    is_rush_hour = (np.abs(hour - 8) < 1) | (np.abs(hour - 17) < 1.5)
    slowness = np.where(is_rush_hour & (vehicle > 0), 1.6, 1.0)  # bikes avoid traffic jams
    minutes = handling[depot] + km * minutes_per_km[vehicle] * slowness
    X = pd.DataFrame(
        {
            "km": km,
            "hour": hour,
            "vehicle": pd.Categorical(vehicles[vehicle]),
            "depot": pd.Categorical(depots[depot]),
        }
    )
    return X, minutes + rng.normal(scale=4, size=n_samples)


tables = {
    "breast cancer": load_breast_cancer(return_X_y=True, as_frame=True),
    "diabetes": load_diabetes(return_X_y=True, as_frame=True, scaled=False),
    "deliveries": make_deliveries(),
}

# %%
# Five models
# -----------
# Boosted trees and the residual net accept dataframes with categorical features. The forest and the
# MLP need one-hot encoding, and the MLP also needs scaled features.
#
# All models have their default parameters, with one exception: the MLP holds out samples to stop
# early, and gets as many epochs as it needs. The residual net holds out samples by default, to find
# the best number of epochs, and is then trained again on all of them.
#
# The residual net is included twice. By default it also sees each numerical feature divided into
# bins, which helps with abrupt changes; ``numerical_embedding=None`` leaves them out.


def models_for(is_classification):
    """All models by name, for classification or regression."""
    if is_classification:
        forest, boosting = RandomForestClassifier, HistGradientBoostingClassifier
        mlp, resnet = MLPClassifier, ResNetClassifier
    else:
        forest, boosting = RandomForestRegressor, HistGradientBoostingRegressor
        mlp, resnet = MLPRegressor, ResNetRegressor

    def encoded(model, scaler="passthrough"):
        encoder = OneHotEncoder(sparse_output=False, handle_unknown="ignore")
        categories = make_column_selector(dtype_include="category")
        return make_pipeline(
            make_column_transformer((encoder, categories), remainder=scaler), model
        )

    return {
        "forest": encoded(forest(random_state=0)),
        "boosting": boosting(random_state=0),
        "MLP": encoded(mlp(early_stopping=True, max_iter=5000, random_state=0), StandardScaler()),
        "resnet": resnet(random_state=0),
        "resnet, no bins": resnet(numerical_embedding=None, random_state=0),
    }


# %%
# Cross-validation
# ----------------
# The score on the test folds is the accuracy for the first table and :math:`R^2` for the others.
# The time is that of one fit.

results = []
for table, (X, y) in tables.items():
    is_classification = table == "breast cancer"
    folds = StratifiedKFold if is_classification else KFold
    cv = folds(5, shuffle=True, random_state=0)
    print(f"{table}: {X.shape[0]} samples, {X.shape[1]} features")
    for name, model in models_for(is_classification).items():
        run = cross_validate(model, X, y, cv=cv)
        score, seconds = run["test_score"], np.median(run["fit_time"])
        results.append({"table": table, "model": name, "scores": score, "seconds": seconds})
        print(f"  {name:15s} {score.mean():6.3f} +- {score.std():.3f}  {seconds:6.2f} s")

# %%
# Scores of all folds
# -------------------
# Each dot is a fold, and each bar is the mean over the folds.

fig, axes = plt.subplots(1, 3, figsize=(10, 3.8), layout="constrained")
fig.suptitle("Scores on the test folds")
for ax, table in zip(axes, tables, strict=True):
    shown = [result for result in results if result["table"] == table]
    for place, result in enumerate(shown):
        ax.plot([place] * 5, result["scores"], "o", color=f"C{place}", alpha=0.6)
        ax.hlines(result["scores"].mean(), place - 0.3, place + 0.3, color=f"C{place}")
    ax.set_xticks(range(len(shown)), [result["model"] for result in shown], rotation=40)
    ax.set(title=table, ylabel="accuracy" if table == "breast cancer" else "$R^2$")

# %%
# Finding
# -------
# Each net is compared with the best of the three other models: the difference of the mean scores,
# the number of folds on which the net is better, and the ratio of the fit times.

n_wins = {"resnet": 0, "resnet, no bins": 0}
for table in tables:
    shown = {result["model"]: result for result in results if result["table"] == table}
    others = [name for name in shown if name not in n_wins]
    best = max(others, key=lambda name: shown[name]["scores"].mean())
    for name in n_wins:
        difference = shown[name]["scores"] - shown[best]["scores"]
        n_wins[name] += difference.mean() > 0
        print(
            f"{table}: {name} differs by {difference.mean():+.3f} from {best}, is better on "
            f"{np.sum(difference > 0)} of 5 folds, and takes "
            f"{shown[name]['seconds'] / shown[best]['seconds']:.1f} times as long"
        )

for name, number in n_wins.items():
    print(f"Finding: {name} has a better mean score than all other models on {number} of 3 tables.")
