"""
How long do 300 fits take when they are done at once?
=====================================================

A grid of 100 candidates on three folds is 300 fits. :class:`~sklearn.model_selection.GridSearchCV`
does one after the other. :class:`~skdeep.model_selection.BatchedGridSearchCV` trains nets of one
shape as a single stacked net, and is used in the same way. This example asks how much time that
saves for a small autoencoder on scikit-learn's digits, and whether the scores are the same.
"""

# %%
# A hundred candidates
# --------------------
# The autoencoder brings 64 pixels to 10 numbers through a layer of 32. Neither its step size nor
# the noise on its rows changes the shape of the net, so that all 300 nets can be stacked.
# ``verbose=1`` says how many nets a stack holds.

from time import perf_counter

import matplotlib.pyplot as plt
import numpy as np
import torch
from sklearn.datasets import load_digits
from sklearn.model_selection import GridSearchCV

from skdeep.decomposition import Autoencoder
from skdeep.model_selection import BatchedGridSearchCV

X, _ = load_digits(return_X_y=True)
X = X / 16.0
ae = Autoencoder(10, hidden_layer_sizes=(32,), max_epochs=15, device="cpu", random_state=0)
lrs, noises = np.logspace(-4, -1, 10), np.linspace(0, 0.45, 10)

torch.set_num_threads(1)  # more do not help nets as small as these
ae.fit(X)  # the first fit of a process is slower; it shall not count

start = perf_counter()
batched = BatchedGridSearchCV(ae, {"lr": lrs, "noise": noises}, cv=3, refit=False, verbose=1)
batched.fit(X)
batched_seconds = perf_counter() - start

# %%
# Ten of them one by one
# ----------------------
# All candidates take the same number of steps, so that ten tell how long all of them would take:
# one for each step size, each with another noise. What the table says of 300 fits of
# ``GridSearchCV`` is extrapolated from these. Each search runs in one process; ``n_jobs`` would
# spread either one over several.

some = [{"lr": [lr], "noise": [noise]} for lr, noise in zip(lrs, noises, strict=True)]
start = perf_counter()
one_by_one = GridSearchCV(ae, some, cv=3, refit=False).fit(X)
seconds = perf_counter() - start

n_candidates, n_some = len(lrs) * len(noises), len(some)
rows = [
    ("BatchedGridSearchCV", 3 * n_candidates, batched_seconds),
    ("GridSearchCV", 3 * n_some, seconds),
]
print(f"{'search':20s} {'fits':>4s} {'seconds':>8s} {'ms per fit':>10s} {'300 fits, s':>12s}")
for name, n_fits, time in rows:
    per_fit = time / n_fits
    print(f"{name:20s} {n_fits:4d} {time:8.2f} {1e3 * per_fit:10.1f} {300 * per_fit:12.1f}")

# %%
# The picture
# -----------
# The score is minus the mean squared error of the reconstructed rows that were held out. The
# darker, the larger the error; the cross is the best candidate.

scores = batched.cv_results_["mean_test_score"].reshape(len(lrs), len(noises))
place = np.unravel_index(batched.best_index_, scores.shape)

fig, ax = plt.subplots(figsize=(7, 4.5), layout="constrained")
image = ax.imshow(np.log10(-scores), cmap="cividis_r", origin="lower", aspect="auto")
ax.plot(place[1], place[0], "x", color="red", markersize=12, markeredgewidth=3)
ax.set_xticks(range(len(noises)), [f"{noise:.2f}" for noise in noises])
ax.set_yticks(range(len(lrs)), [f"{lr:.1e}" for lr in lrs])
ax.set(xlabel="noise", ylabel="lr", title="Digits: 100 candidates, 3 folds")
fig.colorbar(image, label="log10 of the error on held-out rows")

# %%
# Finding
# -------
# The time saved, the largest difference between scores of the two searches over the ten candidates
# that both have seen, and what there was to find: how much the error varies along each side of
# the grid, measured from the best candidate.

extrapolated = n_candidates / n_some * seconds
print(
    f"Finding: 300 fits take {batched_seconds:.1f} s at once and, extrapolated, "
    f"{extrapolated:.1f} s one by one: {extrapolated / batched_seconds:.1f} x as long."
)
differences = np.abs(np.diagonal(scores) - one_by_one.cv_results_["mean_test_score"])
print(f"Largest difference between the scores of both searches: {differences.max():.1e}")

errors = -scores
along_lr, along_noise = errors[:, place[1]], errors[place[0]]
print(
    f"Best: lr={lrs[place[0]]:.1e}, noise={noises[place[1]]:.2f}, error {errors[place]:.4f}. "
    f"Along lr the error rises to {along_lr.max() / errors[place]:.1f} x that, along noise to "
    f"{along_noise.max() / errors[place]:.2f} x."
)
