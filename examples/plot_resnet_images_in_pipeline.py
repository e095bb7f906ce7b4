"""
Does a convolutional net pay for images of 8 x 8 pixels?
========================================================

With ``image_shape``, :class:`~skdeep.neural_network.ResNetClassifier` reads each row as an image
and trains a convolutional residual net. The rows stay rows, so that the net stands in a pipeline
and in a grid search where a support vector machine or a perceptron stood. This example tunes all
three in the same way on scikit-learn's digits and asks which one reads unseen digits best, and how
many labelled digits each needs.
"""

# %%
# Three pipelines, three small grids
# ----------------------------------
# Each search sees 1000 digits and chooses by cross-validation; the other 797 digits are held out.
# The net may choose whether to move its training images about by a pixel (``augment="shift"``).
# A thousand rows are few steps for a net: batches of 64 give it more of them, and with
# ``lr_schedule="onecycle"`` the steps end small.

from time import perf_counter

import matplotlib.pyplot as plt
import numpy as np
from sklearn.base import clone
from sklearn.datasets import load_digits
from sklearn.model_selection import GridSearchCV, train_test_split
from sklearn.neural_network import MLPClassifier
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import MinMaxScaler
from sklearn.svm import SVC

from skdeep.neural_network import ResNetClassifier

X, y = load_digits(return_X_y=True)
X_train, X_test, y_train, y_test = train_test_split(
    X, y, train_size=1000, stratify=y, random_state=0
)

resnet = ResNetClassifier(
    n_blocks=1,
    image_shape=(8, 8),
    max_epochs=20,
    batch_size=64,
    lr_schedule="onecycle",
    random_state=0,
)
candidates = {
    "SVC": (SVC(), {"C": [1, 10], "gamma": ["scale", 0.1]}),
    "perceptron": (
        MLPClassifier(max_iter=500, random_state=0),
        {"hidden_layer_sizes": [(100,), (100, 100)], "alpha": [1e-4, 1e-2]},
    ),
    "resnet": (resnet, {"lr": [3e-3, 1e-2], "augment": [None, "shift"]}),
}

searches = {}
for name, (classifier, grid) in candidates.items():
    pipe = Pipeline([("scale", MinMaxScaler()), ("classify", classifier)])
    grid = {f"classify__{parameter}": values for parameter, values in grid.items()}
    start = perf_counter()
    searches[name] = GridSearchCV(pipe, grid, cv=3).fit(X_train, y_train)
    chosen = {k.partition("__")[2]: v for k, v in searches[name].best_params_.items()}
    print(f"{name}: {chosen}, search {perf_counter() - start:.1f} s")

# %%
# Accuracy against the number of labelled digits
# ----------------------------------------------
# The winners of the searches, trained anew on the first 100, 300 and 1000 training rows.

sizes = [100, 300, 1000]
accuracy = {
    name: [
        clone(search.best_estimator_).fit(X_train[:n], y_train[:n]).score(X_test, y_test)
        for n in sizes
    ]
    for name, search in searches.items()
}

fig, ax = plt.subplots(layout="constrained")
for (name, curve), marker in zip(accuracy.items(), "os^", strict=True):
    ax.plot(sizes, curve, f"{marker}-", label=name)
ax.set(
    xlabel="labelled digits",
    ylabel="accuracy on 797 held-out digits",
    xscale="log",
    title="Digits: accuracy against the number of labels",
)
ax.set_xticks(sizes, [str(n) for n in sizes])
ax.legend()
ax.minorticks_off()

# %%
# Finding
# -------
# One digit in 797 is 0.0013 of accuracy. Below twice the standard error of a difference between two
# classifiers that err on different digits, a lead says little.

for name, curve in accuracy.items():
    shown = ", ".join(f"{value:.4f} from {n}" for n, value in zip(sizes, curve, strict=True))
    print(f"{name:10s} accuracy: {shown}")

wrong = {name: search.predict(X_test) != y_test for name, search in searches.items()}
rival = min(["SVC", "perceptron"], key=lambda name: wrong[name].sum())
only_rival = np.sum(wrong[rival] & ~wrong["resnet"])
only_resnet = np.sum(wrong["resnet"] & ~wrong[rival])
standard_error = np.sqrt(only_rival + only_resnet)
lead = only_rival - only_resnet
verdict = "more than chance" if abs(lead) > 2 * standard_error else "no more than chance explains"
print(
    f"Finding: with 1000 labels the net errs on {wrong['resnet'].sum()} digits, {rival} on "
    f"{wrong[rival].sum()}; a difference of {lead:+d} with a standard error of "
    f"{standard_error:.1f}: {verdict}."
)
best_small = max(accuracy, key=lambda name: accuracy[name][0])
print(f"With 100 labels the best is {best_small}.")
