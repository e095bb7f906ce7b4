"""
Do a few epochs show which architecture is the best?
====================================================

:class:`~skdeep.model_selection.BatchedHalvingSearchCV` trains all candidates for a few epochs,
keeps the best third, continues to train these, and so on. This saves time, provided that the
candidates that look good early are also good in the end. This example searches for the
architecture of a residual net, once with halving and once by training every candidate for all
epochs, and compares the results.
"""

# %%
# Data and search space
# ---------------------
# The data have 800 training samples of three classes, and 800 test samples.
# :func:`~skdeep.model_selection.search_space` returns a search space for an estimator: number of
# blocks, widths, dropout, learning rate and weight decay. It is a dict. Here, smaller widths are
# set, which suit the small data set.

from time import perf_counter

import matplotlib.pyplot as plt
import numpy as np
import torch
from scipy.stats import spearmanr
from sklearn.datasets import make_classification
from sklearn.metrics import log_loss
from sklearn.model_selection import train_test_split

from skdeep.inspection import SearchResultsDisplay
from skdeep.model_selection import (
    BatchedHalvingSearchCV,
    BatchedRandomizedSearchCV,
    search_space,
)
from skdeep.neural_network import ResNetClassifier

X, y = make_classification(
    1600, 20, n_informative=10, n_redundant=2, n_clusters_per_class=4, n_classes=3, random_state=0
)
X_train, X_test, y_train, y_test = train_test_split(
    X, y, train_size=800, stratify=y, random_state=0
)

torch.set_num_threads(1)  # more threads do not help such small nets
net = ResNetClassifier(max_epochs=27, device="cpu", random_state=0)
space = {**search_space(net), "width": [16, 32, 64], "hidden_factor": [1.0, 2.0]}
for name, values in space.items():
    print(f"{name}: {values if isinstance(values, list) else 'a distribution'}")

# %%
# Halving and the full search
# ---------------------------
# Both searches draw the same 27 candidates. Halving trains all of them for one epoch, nine for
# three epochs, three for nine epochs, and one for 27 epochs. The surviving nets continue from their
# current weights. The score is the negative cross-entropy in nats, averaged over three folds.

options = {"cv": 3, "scoring": "neg_log_loss", "random_state": 0}
start = perf_counter()
halving = BatchedHalvingSearchCV(net, space, n_candidates=27, **options).fit(X_train, y_train)
halving_seconds = perf_counter() - start

start = perf_counter()
full = BatchedRandomizedSearchCV(net, space, n_iter=27, **options).fit(X_train, y_train)
full_seconds = perf_counter() - start

n_epochs = {"halving": 0, "full": 27 * 27}
before = [0, *halving.n_resources_[:-1]]
for n, now, earlier in zip(halving.n_candidates_, halving.n_resources_, before, strict=True):
    print(f"halving: {n:2d} candidates are trained from epoch {earlier:2d} to {now:2d}")
    n_epochs["halving"] += n * (now - earlier)

# %%
# Which candidates survive
# ------------------------
# Left: each line is a candidate of the halving search and ends when the candidate is eliminated.
# Right: the score after 27 epochs, from the full search, against the score after the first epoch.

drawn = full.cv_results_["params"]
last = full.cv_results_["mean_test_score"]

fig, (left, right) = plt.subplots(1, 2, figsize=(10, 4.2), layout="constrained")
display = SearchResultsDisplay.from_estimator(halving, kind="halving", ax=left)
curves = {
    drawn.index(one): curve for one, curve in zip(display.params, display.curves, strict=True)
}
first = np.array([curves[place][0, 1] for place in range(len(drawn))])
for line, params in zip(display.lines_, display.params, strict=True):
    place = drawn.index(params)
    color = f"C{params['n_blocks'] - 1}"
    line.set_color(color)
    right.plot(first[place], last[place], "o" if len(curves[place]) > 1 else "x", color=color)
for n_blocks in space["n_blocks"]:
    left.plot([], [], "o-", color=f"C{n_blocks - 1}", label=f"n_blocks={n_blocks}")
left.set(ylabel="negative cross-entropy", title="Halving")
left.legend()
right.plot([], [], "o", color="gray", label="survives the first epoch")
right.plot([], [], "x", color="gray", label="eliminated after it")
right.set(xlabel="score after 1 epoch", ylabel="score after 27 epochs", title="Full search")
right.legend()

# %%
# Finding
# -------
# The rank of the candidate selected by halving among all candidates of the full search, and the
# cost of both searches. Halving saves more epochs than seconds, because candidates are scored in
# each iteration, and later iterations have fewer nets to stack. The times include the refit on all
# training samples.

chosen = drawn.index(display.params[display.best])
rank = full.cv_results_["rank_test_score"][chosen]
print(
    f"Finding: the candidate selected by halving ranks {rank} of {len(drawn)} in the full search. "
    f"Its score is {last[chosen]:.3f}, the best score is {last.max():.3f}."
)
print(
    f"Halving took {n_epochs['halving']} epochs per fold instead of {n_epochs['full']}, and "
    f"{halving_seconds:.1f} s instead of {full_seconds:.1f} s."
)

# %%
# How well does the score after one epoch predict the score after 27, and how much of the score is
# due to the learning rate rather than the architecture? The test samples show how much the search
# improves on the default parameters of the net.

correlation = spearmanr(first, last).statistic
n_kept = sum(len(curves[place]) > 1 for place in np.argsort(-last)[:9])
print(
    f"Rank correlation of the scores after 1 and 27 epochs: {correlation:.2f}. Of the 9 candidates "
    f"that are best in the end, {n_kept} survive the first epoch."
)
for name in ("lr", "width", "n_blocks"):
    values = [one[name] for one in drawn]
    print(
        f"Rank correlation of {name} and the final score: {spearmanr(values, last).statistic:.2f}"
    )

print(f"Selected by halving: {halving.best_params_}")
models = {"the selected net": halving, "the default net": net.fit(X_train, y_train)}
for name, model in models.items():
    loss = log_loss(y_test, model.predict_proba(X_test))
    print(f"Cross-entropy of {name} on the test samples: {loss:.3f}")
