"""
Does an autoencoder need fewer components than PCA?
===================================================

PCA is the best *linear* method: no other linear code with the same number of components
reconstructs the training samples with a smaller squared error. An autoencoder is nonlinear. This
example asks how much that helps on scikit-learn's digits: what is the reconstruction error on
held-out samples, for several numbers of components?
"""

# %%
# Data
# ----
# A quarter of the digits is held out. Pixels are scaled to the range from 0 to 1. The autoencoder
# has its default parameters. Nothing is tuned on the held-out samples.

import matplotlib.pyplot as plt
import numpy as np
from sklearn.datasets import load_digits
from sklearn.decomposition import PCA
from sklearn.model_selection import train_test_split

from skdeep.decomposition import Autoencoder
from skdeep.inspection import ReconstructionDisplay

X, y = load_digits(return_X_y=True)
X_train, X_test, y_train, y_test = train_test_split(X / 16.0, y, stratify=y, random_state=0)

# %%
# Reconstruction error by number of components
# --------------------------------------------
# The error is the mean squared error per pixel, in the same units for both methods.


def held_out_error(estimator):
    estimator.fit(X_train)
    X_hat = estimator.inverse_transform(estimator.transform(X_test))
    return np.mean((X_test - X_hat) ** 2)


n_components = [2, 5, 10, 20]
pca_errors = [held_out_error(PCA(k, random_state=0)) for k in n_components]
autoencoder_errors = [held_out_error(Autoencoder(k, random_state=0)) for k in n_components]

fig, ax = plt.subplots(layout="constrained")
ax.plot(n_components, pca_errors, "o-", label="PCA")
ax.plot(n_components, autoencoder_errors, "s-", label="Autoencoder")
ax.set(
    xlabel="n_components",
    ylabel="held-out mean squared error per pixel",
    xscale="log",
    yscale="log",
    title="Digits: reconstruction error by number of components",
)
ax.set_xticks(n_components, [str(k) for k in n_components])
ax.minorticks_off()
ax.legend()

# %%
# Ten digits, reconstructed
# -------------------------
# The first row shows held-out digits, the others their reconstructions from ten components.

models = {"PCA": PCA(10, random_state=0), "autoencoder": Autoencoder(10, random_state=0)}
for model in models.values():
    model.fit(X_train)
ReconstructionDisplay.from_estimator(models, X_test, image_shape=(8, 8), vmin=0, vmax=1)
plt.show()

# %%
# Finding
# -------
# A ratio below 1 means that the autoencoder reconstructs unseen digits better than PCA does with
# the same number of components. The last line shows how many components PCA needs to match an
# autoencoder with ten.

for k, pca_error, error in zip(n_components, pca_errors, autoencoder_errors, strict=True):
    print(
        f"n_components={k:2d}: PCA {pca_error:.4f}, Autoencoder {error:.4f}, "
        f"ratio {error / pca_error:.2f}"
    )

wins = sum(e < p for e, p in zip(autoencoder_errors, pca_errors, strict=True))
print(
    f"Finding: the autoencoder has the smaller error for {wins} of {len(n_components)} values of "
    "n_components."
)

pca = PCA(random_state=0).fit(X_train)
explained = np.cumsum(np.mean(pca.transform(X_test) ** 2, axis=0)) / X.shape[1]
errors = np.mean((X_test - pca.mean_) ** 2) - explained
needed = 1 + np.argmax(errors <= autoencoder_errors[n_components.index(10)])
print(f"PCA needs {needed} components to match the error of Autoencoder(10).")
