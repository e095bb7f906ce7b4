"""
Can a classifier be trained on generated digits alone?
======================================================

:class:`~skdeep.generative.GANSampler` generates images by class. If these are as realistic and as
diverse as real digits, then a classifier trained on them should recognise real digits. This
example generates as many digits as the training set has, trains a support vector machine on them,
and tests it on held-out real digits. As a baseline, digits are also drawn from one Gaussian for
each class, which needs no net.
"""

# %%
# A generator for ten classes
# ---------------------------
# scikit-learn's digits have 64 pixels with values from 0 to 16. ``image_shape`` makes both nets
# convolutional. Since ``fit`` gets the labels, ``sample`` can draw digits of given classes.

from time import perf_counter

import matplotlib.pyplot as plt
import numpy as np
from sklearn.datasets import load_digits
from sklearn.mixture import GaussianMixture
from sklearn.model_selection import train_test_split
from sklearn.svm import SVC

from skdeep.generative import GANSampler
from skdeep.inspection import LossCurveDisplay, SamplesDisplay

X, y = load_digits(return_X_y=True)
X_train, X_test, y_train, y_test = train_test_split(X, y, test_size=500, stratify=y, random_state=0)

start = perf_counter()
gan = GANSampler(image_shape=(8, 8), max_epochs=60, random_state=0).fit(X_train, y_train)
X_gan, _ = gan.sample(len(X_train), y=y_train, random_state=0)
seconds = perf_counter() - start
print(f"{len(X_train)} training digits, {gan.n_iter_} epochs, {seconds:.0f} s")
print(f"generated digits: {X_gan.shape}, values from {X_gan.min():.0f} to {X_gan.max():.0f}")

# %%
# The baseline
# ------------
# One Gaussian with a full covariance matrix for each class. Like those of the generator, its
# samples are clipped to the range of the pixels.

X_gauss = np.empty_like(X_train)
for digit in gan.classes_:
    is_digit = y_train == digit
    gauss = GaussianMixture(reg_covar=0.1, random_state=0).fit(X_train[is_digit])
    X_gauss[is_digit] = gauss.sample(is_digit.sum())[0].clip(0, 16)

# %%
# Real and generated digits
# -------------------------
# Each row shows the first eight images of a class. They are not hand-picked.

sources = {"real": X_train, "GANSampler": X_gan, "Gaussian per class": X_gauss}

fig, axes = plt.subplots(1, 3, figsize=(10, 4.6), layout="constrained")
for ax, (source, X_source) in zip(axes, sources.items(), strict=True):
    images = np.pad(X_source.reshape(-1, 8, 8), [(0, 0), (1, 1), (1, 1)])
    rows = [np.hstack(images[y_train == digit][:8]) for digit in gan.classes_]
    ax.imshow(np.vstack(rows), cmap="gray_r", vmin=0, vmax=16)
    ax.set(title=source, xticks=[], yticks=[])

# %%
# New digits, or copies?
# ----------------------
# One generated digit of each class, above the most similar one of the training set. They are alike,
# but not equal.

SamplesDisplay.from_predictions(
    gan.sample(10, y=gan.classes_, random_state=1)[0], X_train, image_shape=(8, 8), vmin=0, vmax=16
)

# %%
# Losses of the two nets
# ----------------------
# They show that neither net wins, but not how good the digits are.

LossCurveDisplay.from_estimator(gan)
plt.show()

# %%
# Finding
# -------
# A support vector machine with default parameters is trained on each of the three sets and tested
# on 500 real digits. One digit corresponds to an accuracy of 0.002.

accuracy = {
    source: SVC().fit(X_source, y_train).score(X_test, y_test)
    for source, X_source in sources.items()
}
for source, score in accuracy.items():
    print(f"trained on {source}: accuracy {score:.3f} on real digits")

to_real = accuracy["GANSampler"] - accuracy["real"]
to_gaussian = accuracy["GANSampler"] - accuracy["Gaussian per class"]
print(
    f"Finding: training on digits of the GAN changes the accuracy by {to_real:+.3f} compared with "
    f"real digits, and by {to_gaussian:+.3f} compared with digits of a Gaussian per class."
)
