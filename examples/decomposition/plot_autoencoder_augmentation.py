"""
Can an autoencoder draw more training samples for a classifier?
===============================================================

With few labelled samples, more of them would help. A residual
:class:`~skdeep.decomposition.Autoencoder` that was trained on images without labels can draw
variants of a labelled image: the code of the image is changed slightly and decoded. This example
trains residual nets on labelled digits and on such variants, and compares this with variants that
need no autoencoder.
"""

# %%
# An autoencoder without labels
# -----------------------------
# It is trained on all training images. Only some of them will have labels.

import matplotlib.pyplot as plt
import numpy as np
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split

from skdeep.decomposition import Autoencoder
from skdeep.inspection import ReconstructionDisplay
from skdeep.neural_network import ResNetClassifier

X, y = load_digits(return_X_y=True)
X_train, X_test, y_train, y_test = train_test_split(
    X / 16, y, test_size=597, stratify=y, random_state=0
)
autoencoder = Autoencoder(16, block="residual", max_epochs=60, random_state=0).fit(X_train)
spread = autoencoder.transform(X_train).std(axis=0)

# %%
# Variants of labelled images
# ---------------------------
# Each function takes images, their labels and a generator of random numbers, and returns variants
# of the images with the same labels. Codes are changed by noise, or mixed with the code of another
# image of the same class.


def copies(images, labels, rng):
    return images


def noisy_pixels(images, labels, rng):
    return images + 0.1 * rng.normal(size=images.shape)


def noisy_codes(images, labels, rng):
    codes = autoencoder.transform(images)
    return autoencoder.inverse_transform(codes + 0.3 * spread * rng.normal(size=codes.shape))


def mixed_codes(images, labels, rng):
    partners = [rng.choice(np.flatnonzero(labels == label)) for label in labels]
    codes, weight = autoencoder.transform(images), rng.uniform(size=(len(images), 1))
    return autoencoder.inverse_transform(weight * codes + (1 - weight) * codes[partners])


ways = {
    "copies": copies,
    "noisy pixels": noisy_pixels,
    "noisy codes": noisy_codes,
    "mixed codes": mixed_codes,
}
first = np.random.default_rng(0)
shown = {name: vary(X_train[:50], y_train[:50], first) for name, vary in ways.items()}
ReconstructionDisplay.from_predictions(X_train[:50], shown, image_shape=(8, 8), vmin=0, vmax=1)

# %%
# Residual nets on images and variants
# ------------------------------------
# Four variants of each labelled image are added. The copies show what is due to the larger number
# of training steps alone. All nets are trained on the same draws of labelled images, for the same
# number of epochs, and without embeddings, which pixels do not need.

numbers = [30, 100]
n_draws = 5
options = {"numerical_embedding": None, "early_stopping": False}
options |= {"batch_size": 16, "max_epochs": 40}
scores = {name: np.empty((len(numbers), n_draws)) for name in ("no variants", *ways)}
for row, number in enumerate(numbers):
    for draw in range(n_draws):
        rng = np.random.default_rng(draw)
        labelled = rng.permutation(len(X_train))[:number]
        images, labels = X_train[labelled], y_train[labelled]
        for name, values in scores.items():
            parts = [ways[name](images, labels, rng) for _ in range(4)] if name in ways else []
            net = ResNetClassifier(**options, random_state=draw)
            net.fit(np.concatenate([images, *parts]), np.tile(labels, 1 + len(parts)))
            values[row, draw] = net.score(X_test, y_test)

fig, axes = plt.subplots(1, len(numbers), figsize=(9, 3), layout="constrained", sharey=True)
for row, (ax, number) in enumerate(zip(axes, numbers, strict=True)):
    means = [values[row].mean() for values in scores.values()]
    errors = [values[row].std() / np.sqrt(n_draws) for values in scores.values()]
    ax.errorbar(means, list(scores), xerr=errors, fmt="o", capsize=3)
    ax.set(title=f"{number} labelled images", xlabel="accuracy on test images")
plt.show()

# %%
# Finding
# -------
# The gain over no variants, on the same draws of labelled images: mean and standard error.

gains = {}
for name in ways:
    gain = 100 * (scores[name] - scores["no variants"])
    gains[name] = gain.mean(axis=1)
    error = gain.std(axis=1) / np.sqrt(n_draws)
    cells = zip(numbers, gains[name], error, strict=True)
    text = ", ".join(f"{n} labels {mean:+.1f} +- {one:.1f}" for n, mean, one in cells)
    print(f"{name:13} percentage points: {text}")

means = {name: gain.mean() for name, gain in gains.items()}
cheap, codes = (
    max(means["copies"], means["noisy pixels"]),
    max(means["noisy codes"], means["mixed codes"]),
)
print(
    "Finding: averaged over both numbers of labels, the better variants by codes gain "
    f"{codes:+.1f} percentage points, and the better ones without an autoencoder {cheap:+.1f}. "
    f"The autoencoder is worth {codes - cheap:+.1f} points here."
)
