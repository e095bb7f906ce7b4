"""
Does a short training tell which architecture is the best?
==========================================================

:class:`~skdeep.model_selection.BatchedHalvingSearchCV` trains all candidates for a moment, keeps
the best third, trains these on, and so forth. It saves time if those that look good early are
those that are good in the end. This example searches over the architecture of a residual net, once
by halving and once by training every candidate to the end, and compares what both find.
"""

# %%
# A ready space, made smaller
# ---------------------------
# :func:`~skdeep.model_selection.search_space` gives a space for an estimator: the number of blocks,
# their widths, dropout, step size and weight decay. It is a dict, in which the widths are made
# small here, for a table of 800 rows with three classes. Another 800 rows are kept for the end.

from time import perf_counter

import matplotlib.pyplot as plt
import numpy as np
import torch
from scipy.stats import spearmanr
from sklearn.datasets import make_classification
from sklearn.metrics import log_loss
from sklearn.model_selection import train_test_split

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

torch.set_num_threads(1)  # more do not help nets as small as these
net = ResNetClassifier(max_epochs=27, device="cpu", random_state=0)
space = {**search_space(net), "width": [16, 32, 64], "hidden_factor": [1.0, 2.0]}
for name, values in space.items():
    print(f"{name}: {values if isinstance(values, list) else 'a distribution'}")

# %%
# Halving, and all to the end
# ---------------------------
# Both searches draw the same 27 candidates. Halving gives all of them one epoch, nine of them
# three, three of them nine, and one of them 27. Nets that go on do so from where they are. The
# score is minus the cross-entropy in nats, a mean over three folds.

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
    print(f"halving: {n:2d} candidates go from epoch {earlier:2d} to {now:2d}")
    n_epochs["halving"] += n * (now - earlier)

# %%
# Who survives
# ------------
# To the left, each line is a candidate in the halving search, which ends where it drops out. To the
# right, its score after the first epoch stands against its score after 27, as the full search
# knows it.

results = halving.cv_results_
drawn = full.cv_results_["params"]
place_of = {
    number: drawn.index({name: value for name, value in one.items() if name != "max_epochs"})
    for number, one in enumerate(results["params"])
}
curves = [[] for _ in drawn]
for number, place in place_of.items():
    point = results["n_resources"][number], results["mean_test_score"][number]
    curves[place].append(point)
first = np.array([curve[0][1] for curve in curves])
last = full.cv_results_["mean_test_score"]

fig, (left, right) = plt.subplots(1, 2, figsize=(10, 4.2), layout="constrained")
for place, curve in enumerate(curves):
    color = f"C{drawn[place]['n_blocks'] - 1}"
    left.plot(*zip(*curve, strict=True), "o-", color=color, alpha=0.8)
    survives = len(curve) > 1
    right.plot(first[place], last[place], "o" if survives else "x", color=color)
for n_blocks in space["n_blocks"]:
    left.plot([], [], "o-", color=f"C{n_blocks - 1}", label=f"n_blocks={n_blocks}")
left.set(xscale="log", xlabel="epochs", ylabel="minus cross-entropy", title="Halving")
left.set_xticks(halving.n_resources_, [str(n) for n in halving.n_resources_])
left.minorticks_off()
left.legend()
right.plot([], [], "o", color="gray", label="goes on behind the first epoch")
right.plot([], [], "x", color="gray", label="drops out there")
right.set(xlabel="score after 1 epoch", ylabel="score after 27 epochs", title="All to the end")
right.legend()

# %%
# Finding
# -------
# The rank of halving's choice among all candidates trained to the end, and what that cost. Epochs
# fall more than seconds: each iteration scores its candidates, and later ones have fewer nets to
# stack. Seconds include the last fit on all rows.

chosen = place_of[halving.best_index_]
rank = full.cv_results_["rank_test_score"][chosen]
print(
    f"Finding: halving's choice is number {rank} of {len(drawn)} in the full search, its score "
    f"{last[chosen]:.3f}, the best one {last.max():.3f}."
)
print(
    f"It took {n_epochs['halving']} epochs for each fold instead of {n_epochs['full']}, and "
    f"{halving_seconds:.1f} s instead of {full_seconds:.1f} s."
)

# %%
# How much one epoch tells of 27, and how much of the score is the step size, not the architecture.
# The rows that were kept tell what the search has brought beyond the net's defaults.

correlation = spearmanr(first, last).statistic
n_kept = sum(len(curves[place]) > 1 for place in np.argsort(-last)[:9])
print(
    f"Rank correlation of the scores after 1 and 27 epochs: {correlation:.2f}; of the 9 best in "
    f"the end, {n_kept} are among the 9 that went on behind the first epoch."
)
for name in ("lr", "width", "n_blocks"):
    values = [one[name] for one in drawn]
    print(
        f"Rank correlation of {name} and the final score: {spearmanr(values, last).statistic:.2f}"
    )

print(f"Chosen: {halving.best_params_}")
models = {"the chosen net": halving, "the default one": net.fit(X_train, y_train)}
for name, model in models.items():
    loss = log_loss(y_test, model.predict_proba(X_test))
    print(f"Cross-entropy of {name} on the rows kept for the end: {loss:.3f}")
