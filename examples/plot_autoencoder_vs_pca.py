"""
Does an autoencoder need fewer components than PCA?
===================================================

PCA is the best *linear* code: no other one of the same width rebuilds the training rows with a
smaller squared error. An autoencoder may bend. This example asks how much that is worth on
scikit-learn's digits: for each width of the code, what is the error on rows that neither has seen?
"""

# %%
# The same rows for both
# ----------------------
# A quarter of the digits is held out. Pixels are divided by 16, so that they lie between 0 and 1.
# The autoencoder keeps its defaults; nothing is tuned on the held-out rows.

import matplotlib.pyplot as plt
import numpy as np
from sklearn.datasets import load_digits
from sklearn.decomposition import PCA
from sklearn.model_selection import train_test_split

from skdeep.decomposition import Autoencoder

X, y = load_digits(return_X_y=True)
X_train, X_test, y_train, y_test = train_test_split(X / 16.0, y, stratify=y, random_state=0)

# %%
# Error against width
# -------------------
# The error is the mean squared difference per pixel, for both in the same units.


def held_out_error(estimator):
    estimator.fit(X_train)
    X_hat = estimator.inverse_transform(estimator.transform(X_test))
    return np.mean((X_test - X_hat) ** 2)


widths = [2, 5, 10, 20]
pca_errors = [held_out_error(PCA(k, random_state=0)) for k in widths]
autoencoder_errors = [held_out_error(Autoencoder(k, random_state=0)) for k in widths]

fig, ax = plt.subplots(layout="constrained")
ax.plot(widths, pca_errors, "o-", label="PCA")
ax.plot(widths, autoencoder_errors, "s-", label="Autoencoder")
ax.set(
    xlabel="n_components",
    ylabel="held-out squared error per pixel",
    xscale="log",
    yscale="log",
    title="Digits: error against the width of the code",
)
ax.set_xticks(widths, [str(k) for k in widths])
ax.minorticks_off()
ax.legend()

# %%
# Finding
# -------
# A ratio below 1 means that the autoencoder rebuilds unseen digits better than PCA does from the
# same number of columns. The last line says how wide PCA must be to match ten bent components.

for k, pca_error, error in zip(widths, pca_errors, autoencoder_errors, strict=True):
    print(
        f"n_components={k:2d}: PCA {pca_error:.4f}, Autoencoder {error:.4f}, "
        f"ratio {error / pca_error:.2f}"
    )

wins = sum(e < p for e, p in zip(autoencoder_errors, pca_errors, strict=True))
print(f"Finding: the autoencoder has the smaller error at {wins} of {len(widths)} widths.")

spectrum = PCA(random_state=0).fit(X_train)
Z_test = spectrum.transform(X_test)
explained = np.cumsum(np.mean(Z_test**2, axis=0)) / X.shape[1]
errors_left = np.mean((X_test - spectrum.mean_) ** 2) - explained
needed = 1 + np.argmax(errors_left <= autoencoder_errors[widths.index(10)])
print(f"To reach the error of Autoencoder(10), PCA needs {needed} components.")
