"""
What does a residual net cost and bring where a forest stood?
=============================================================

:class:`~skdeep.neural_network.ResNetClassifier` and
:class:`~skdeep.neural_network.ResNetRegressor` take the place of a forest, of boosted trees or of
scikit-learn's perceptron in a line of code. This example makes the swap on three small tables and
asks how good the net is there, and how long it takes. Nothing here is tuned, neither for the net
nor for the others.
"""

# %%
# Three tables
# ------------
# Two come with scikit-learn. The third one is made up, so that it has columns of categories: how
# many minutes a delivery takes depends on the distance, the vehicle, the hour and the depot, and
# on noise that no model can foresee. Rush hours begin and end at once, an edge of the kind that
# trees are good at; minutes grow smoothly with the distance, which nets are good at.

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


def make_deliveries(n_rows=1000, seed=0):
    """Table with two columns of categories, and the minutes that each delivery takes."""
    rng = np.random.default_rng(seed)
    vehicles = np.array(["bike", "car", "truck", "van"])
    minutes_per_km = np.array([4.0, 2.0, 3.0, 2.5])
    depots = np.array([f"depot {number}" for number in range(12)])
    handling = rng.uniform(2, 20, size=len(depots))

    vehicle = rng.integers(len(vehicles), size=n_rows)
    depot = rng.integers(len(depots), size=n_rows)
    km = rng.gamma(3, 2, size=n_rows)
    hour = rng.uniform(6, 20, size=n_rows)
    is_rush_hour = (np.abs(hour - 8) < 1) | (np.abs(hour - 17) < 1.5)
    slowness = np.where(is_rush_hour & (vehicle > 0), 1.6, 1.0)  # bikes pass the queue
    minutes = handling[depot] + km * minutes_per_km[vehicle] * slowness
    X = pd.DataFrame(
        {
            "km": km,
            "hour": hour,
            "vehicle": pd.Categorical(vehicles[vehicle]),
            "depot": pd.Categorical(depots[depot]),
        }
    )
    return X, minutes + rng.normal(scale=4, size=n_rows)


tables = {
    "breast cancer": load_breast_cancer(return_X_y=True, as_frame=True),
    "diabetes": load_diabetes(return_X_y=True, as_frame=True, scaled=False),
    "deliveries": make_deliveries(),
}

# %%
# One line is swapped
# -------------------
# Boosted trees and the residual net read the dataframe as it is, categories included. Forest and
# perceptron need them as columns of zeros and ones, and the perceptron needs scaled numbers.
#
# Every model keeps its defaults, with one exception. A net must stop before it learns the noise
# of a few hundred rows: the residual net holds a tenth of its training rows out to find the epoch
# to stop at, and then trains anew on all of them (``refit_full``). The perceptron holds rows out
# too; it has no such refit, and gets the epochs that it asks for.
#
# The net is there twice. ``numerical_embedding="piecewise-linear"`` cuts each number into bins, so
# that the net can follow a sharp edge; it needs ``pip install skdeep[embeddings]``.


def models_for(is_classification):
    """Models by name, for classes or for numbers."""
    if is_classification:
        forest, boosting = RandomForestClassifier, HistGradientBoostingClassifier
        perceptron, resnet = MLPClassifier, ResNetClassifier
    else:
        forest, boosting = RandomForestRegressor, HistGradientBoostingRegressor
        perceptron, resnet = MLPRegressor, ResNetRegressor

    def encoded(model, scaler="passthrough"):
        encoder = OneHotEncoder(sparse_output=False, handle_unknown="ignore")
        categories = make_column_selector(dtype_include="category")
        return make_pipeline(
            make_column_transformer((encoder, categories), remainder=scaler), model
        )

    stopping = {"early_stopping": True, "refit_full": True, "max_epochs": 100, "random_state": 0}
    return {
        "forest": encoded(forest(random_state=0)),
        "boosting": boosting(random_state=0),
        "perceptron": encoded(
            perceptron(early_stopping=True, max_iter=5000, random_state=0), StandardScaler()
        ),
        "resnet": resnet(**stopping),
        "resnet, bins": resnet(numerical_embedding="piecewise-linear", **stopping),
    }


# %%
# Five folds each
# ---------------
# The score is accuracy for the first table and :math:`R^2` for the others, on rows that the model
# has not seen. Seconds are those of one fit.

results = []
for table, (X, y) in tables.items():
    is_classification = table == "breast cancer"
    folds = StratifiedKFold if is_classification else KFold
    cv = folds(5, shuffle=True, random_state=0)
    print(f"{table}: {X.shape[0]} rows, {X.shape[1]} columns")
    for name, model in models_for(is_classification).items():
        run = cross_validate(model, X, y, cv=cv)
        score, seconds = run["test_score"], np.median(run["fit_time"])
        results.append({"table": table, "model": name, "scores": score, "seconds": seconds})
        print(f"  {name:12s} {score.mean():6.3f} +- {score.std():.3f}  {seconds:6.2f} s")

# %%
# The picture
# -----------
# A dot for each fold, a bar for their mean.

fig, axes = plt.subplots(1, 3, figsize=(10, 3.8), layout="constrained")
fig.suptitle("Scores on held-out folds")
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
# How far each net is from the best of the three others, in units of the score, and how many times
# as long a fit takes.

n_ahead = {"resnet": 0, "resnet, bins": 0}
for table in tables:
    shown = {result["model"]: result for result in results if result["table"] == table}
    others = [name for name in shown if name not in n_ahead]
    best = max(others, key=lambda name: shown[name]["scores"].mean())
    for name in n_ahead:
        difference = shown[name]["scores"] - shown[best]["scores"]
        n_ahead[name] += difference.mean() > 0
        print(
            f"{table}: {name} is {difference.mean():+.3f} from {best}, ahead on "
            f"{np.sum(difference > 0)} of 5 folds, in "
            f"{shown[name]['seconds'] / shown[best]['seconds']:.1f} x its time"
        )

for name, number in n_ahead.items():
    print(f"Finding: {name} has a better mean score than all others on {number} of 3 tables.")
