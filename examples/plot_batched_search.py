"""
How much faster is a batched grid search?
=========================================

A grid of 100 candidates on three folds needs 300 fits.
:class:`~sklearn.model_selection.GridSearchCV` runs one fit after the other.
:class:`~skdeep.model_selection.BatchedGridSearchCV` has the same interface, but trains nets of the
same shape at once, as a single stacked net. This example measures how much time that saves for a
small autoencoder on scikit-learn's digits, and checks that the scores are the same.
"""

# %%
# A batched search over 100 candidates
# ------------------------------------
# The autoencoder compresses 64 pixels to 10 components, with one hidden layer of 32 units. The grid
# is over the learning rate and the noise that is added to the input. Neither changes the shape of
# the net, so that all 300 nets can be stacked. ``verbose=1`` prints the size of the stacks.

from time import perf_counter

import matplotlib.pyplot as plt
import numpy as np
import torch
from sklearn.datasets import load_digits
from sklearn.model_selection import GridSearchCV

from skdeep.decomposition import Autoencoder
from skdeep.inspection import SearchResultsDisplay
from skdeep.model_selection import BatchedGridSearchCV

X, _ = load_digits(return_X_y=True)
X = X / 16.0
ae = Autoencoder(10, hidden_layer_sizes=(32,), max_epochs=15, device="cpu", random_state=0)
lrs, noises = np.logspace(-4, -1, 10), np.linspace(0, 0.45, 10)

torch.set_num_threads(1)  # more threads do not help such small nets
ae.fit(X)  # the first fit of a process is slower and is excluded from the timing

start = perf_counter()
batched = BatchedGridSearchCV(ae, {"lr": lrs, "noise": noises}, cv=3, refit=False, verbose=1)
batched.fit(X)
batched_seconds = perf_counter() - start

# %%
# ``GridSearchCV`` over ten of the candidates
# -------------------------------------------
# All candidates take the same number of training steps. It is therefore enough to time ten of them,
# each with a different learning rate and noise, and to extrapolate the time of 300 fits. Both
# searches run in a single process; both could use several with ``n_jobs``.

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
# Errors of all candidates
# ------------------------
# The score is the negative mean squared reconstruction error on the held-out fold. Darker cells
# have a larger error, on a logarithmic scale. The cross marks the best candidate.

display = SearchResultsDisplay.from_estimator(
    batched, params=["noise", "lr"], negate_score=True, norm="log", cmap="cividis_r"
)
display.ax_.set_title("Digits: held-out error of 100 candidates, 3 folds")
plt.show()

# %%
# Finding
# -------
# The speed-up, and the largest difference between the scores of the two searches for the ten
# candidates that both evaluated. The last line shows how much the error varies with each parameter,
# starting from the best candidate.

extrapolated = n_candidates / n_some * seconds
print(
    f"Finding: 300 fits take {batched_seconds:.1f} s as a batched search and {extrapolated:.1f} s "
    f"(extrapolated) one by one, a speed-up of {extrapolated / batched_seconds:.1f}."
)
scores, place = -display.scores, display.best
differences = np.abs(np.diagonal(scores) - one_by_one.cv_results_["mean_test_score"])
print(f"Largest difference between the scores of the two searches: {differences.max():.1e}")

errors = -scores
along_lr, along_noise = errors[:, place[1]], errors[place[0]]
print(
    f"Best candidate: lr={lrs[place[0]]:.1e}, noise={noises[place[1]]:.2f}, error "
    f"{errors[place]:.4f}. The error rises by a factor of up to "
    f"{along_lr.max() / errors[place]:.1f} with other values of lr, and of up to "
    f"{along_noise.max() / errors[place]:.2f} with other values of noise."
)
