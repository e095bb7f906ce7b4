"""
What does a self-organizing map show of handwritten digits?
===========================================================

A :class:`~skdeep.cluster.SelfOrganizingMap` places samples on a grid such that adjacent units have
similar weights. With images, each unit is an image itself, so that the whole data set fits into one
picture. The labels are only used to color the map.
"""

# %%
# The units as images
# -------------------
# Adjacent units look alike.

import matplotlib.pyplot as plt
from matplotlib.offsetbox import AnnotationBbox, OffsetImage
from sklearn.datasets import load_digits

from skdeep.cluster import SelfOrganizingMap
from skdeep.inspection import SOMDisplay

X, y = load_digits(return_X_y=True)
X = X / 16
som = SelfOrganizingMap((14, 18), topology="hexagonal", random_state=0).fit(X)

fig, ax = plt.subplots(figsize=(9, 6.2), layout="constrained")
for place, weights in zip(som.unit_coordinates_, som.cluster_centers_, strict=True):
    image = OffsetImage(weights.reshape(8, 8), zoom=3.2, cmap="gray_r")
    ax.add_artist(AnnotationBbox(image, place, frameon=False))
ax.set(xlim=(-1, 18.5), ylim=(-1, 12.5), title="Weights of the units")
ax.set_axis_off()

# %%
# Ridges, samples and classes
# ---------------------------
# The U-matrix shows the distance between adjacent units: its ridges are borders of clusters. Most
# classes are in one region or two, and the ridges run between them.

fig, axes = plt.subplots(1, 3, figsize=(14, 4), layout="constrained")
for ax, kind in zip(axes, ("u_matrix", "hits", "classes"), strict=True):
    SOMDisplay.from_estimator(som, X, y, kind=kind, ax=ax)
    ax.set_title(kind)

# %%
# How good is the map?
# --------------------
# The quantization error is the mean distance from a sample to its unit; the topographic error is
# the fraction of samples whose two nearest units are not adjacent. The final radius trades one for
# the other.

for radius in (0.4, 0.55, 0.8, 1.2):
    one = SelfOrganizingMap((14, 18), topology="hexagonal", radius=(9, radius), random_state=0)
    one.fit(X)
    errors = one.quantization_error(X), one.topographic_error(X)
    print(f"final radius {radius}: quantization error {errors[0]:.3f}, topographic {errors[1]:.3f}")

plt.show()

# %%
# Finding
# -------
# One picture of 252 units shows the variants of each digit, which digits are similar, and where few
# samples lie. The map distorts distances: neighbors on the map are alike, but what is far apart on
# the map need not be different, as several classes are split into two regions.
