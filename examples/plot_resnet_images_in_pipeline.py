"""
Is a convolutional net worthwhile for images of 8 x 8 pixels?
=============================================================

With ``image_shape``, :class:`~skdeep.neural_network.ResNetClassifier` reshapes each sample to an
image and trains a convolutional residual net. The input is still a two-dimensional array, so that
the net can replace a support vector machine or a multilayer perceptron in a pipeline and a grid
search. This example tunes all three in the same way on scikit-learn's digits. Which one classifies
unseen digits best, and how many labelled digits does each need?
"""

# %%
# Grid search for three classifiers
# ---------------------------------
# Each search selects the parameters by cross-validation on 1000 digits. The other 797 digits are
# held out. For the net, the grid includes data augmentation that shifts training images by one
# pixel (``augment="shift"``). With 1000 samples, an epoch has few training steps. A batch size of
# 64 gives the net more of them, and ``lr_schedule="onecycle"`` ends with a small learning rate.

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
    "MLP": (
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
    best_params = {k.partition("__")[2]: v for k, v in searches[name].best_params_.items()}
    print(f"{name}: {best_params}, search {perf_counter() - start:.1f} s")

# %%
# Accuracy by number of labelled digits
# -------------------------------------
# The best estimator of each search, trained from scratch on the first 100, 300 and 1000 training
# samples.

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
    title="Digits: accuracy by number of labels",
)
ax.set_xticks(sizes, [str(n) for n in sizes])
ax.legend()
ax.minorticks_off()

# %%
# Finding
# -------
# One digit out of 797 corresponds to an accuracy of 0.0013. The numbers of errors of two
# classifiers are compared with the standard error of their difference. A difference below two
# standard errors may be due to chance.

for name, curve in accuracy.items():
    shown = ", ".join(f"{value:.4f} from {n}" for n, value in zip(sizes, curve, strict=True))
    print(f"{name:10s} accuracy: {shown}")

wrong = {name: search.predict(X_test) != y_test for name, search in searches.items()}
rival = min(["SVC", "MLP"], key=lambda name: wrong[name].sum())
only_rival = np.sum(wrong[rival] & ~wrong["resnet"])
only_resnet = np.sum(wrong["resnet"] & ~wrong[rival])
standard_error = np.sqrt(only_rival + only_resnet)
difference = only_rival - only_resnet
verdict = "is" if abs(difference) > 2 * standard_error else "is not"
print(
    f"Finding: with 1000 labels, the net misclassifies {wrong['resnet'].sum()} digits and {rival} "
    f"{wrong[rival].sum()}. The difference of {difference:+d} (standard error "
    f"{standard_error:.1f}) {verdict} significant."
)
best_small = max(accuracy, key=lambda name: accuracy[name][0])
print(f"With 100 labels, the most accurate classifier is {best_small}.")
