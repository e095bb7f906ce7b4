"""
Are a classifier's features good for classes that it never saw?
===============================================================

The last hidden layer of a :class:`~skdeep.neural_network.ResNetClassifier` is a new description of
each row, which ``embed`` gives. It was learned to tell some classes apart. This example trains a
net on the digits 0 to 5 and hands its features to PCA and KMeans, twice: for unseen images of the
same digits, and for the digits 6 to 9, of which the net knows nothing. Raw pixels stand beside.
"""

# %%
# A net that knows six digits
# ---------------------------

import matplotlib.pyplot as plt
from sklearn.cluster import KMeans
from sklearn.datasets import load_digits
from sklearn.decomposition import PCA
from sklearn.metrics import adjusted_rand_score
from sklearn.model_selection import train_test_split
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer

from skdeep.neural_network import ResNetClassifier

X, y = load_digits(return_X_y=True)
is_known = y <= 5
X_train, X_test, y_train, y_test = train_test_split(
    X[is_known], y[is_known], stratify=y[is_known], random_state=0
)

net = ResNetClassifier(
    n_blocks=1, image_shape=(8, 8), max_epochs=15, batch_size=64, random_state=0
).fit(X_train, y_train)
print(f"accuracy on held-out digits 0 to 5: {net.score(X_test, y_test):.3f}")

# %%
# ``embed`` in a pipeline
# -----------------------
# A classifier has no ``transform``; ``FunctionTransformer`` makes a step of its ``embed``. The net
# inside is fitted already, and fitting the pipeline does not train it again.

sources = {"raw pixels": FunctionTransformer(), "embed": FunctionTransformer(net.embed)}
rows = {
    "digits 0 to 5, unseen images": (X_test, y_test),
    "digits 6 to 9, unseen classes": (X[~is_known], y[~is_known]),
}

for source, transformer in sources.items():
    print(f"{source}: {X_test.shape} -> {transformer.fit_transform(X_test).shape}")

# %%
# Two directions of largest variance
# ----------------------------------

fig, axes = plt.subplots(2, 2, figsize=(8, 7), layout="constrained")
fig.suptitle("PCA of pixels and of the net's features")
for ax_row, (title, (X_new, y_new)) in zip(axes, rows.items(), strict=True):
    for ax, (source, transformer) in zip(ax_row, sources.items(), strict=True):
        Z = make_pipeline(transformer, PCA(2, random_state=0)).fit_transform(X_new)
        for digit in sorted(set(y_new)):
            ax.scatter(*Z[y_new == digit].T, s=8, color=f"C{digit}", label=str(digit))
        ax.set(title=f"{title}: {source}", xticks=[], yticks=[])
        ax.title.set_fontsize("medium")
    ax_row[-1].legend(loc="center left", bbox_to_anchor=(1, 0.5), markerscale=2)

# %%
# Finding
# -------
# The adjusted Rand index says how well KMeans, told only the number of digits, finds the digits: 1
# is a perfect match and 0 is chance. Mean of five starts of KMeans, each the best of ten tries.


def mean_rand_index(transformer, X_new, y_new):
    scores = []
    for seed in range(5):
        kmeans = KMeans(len(set(y_new)), n_init=10, random_state=seed)
        clusters = make_pipeline(transformer, kmeans).fit_predict(X_new)
        scores.append(adjusted_rand_score(y_new, clusters))
    return sum(scores) / len(scores)


index = {
    title: {source: mean_rand_index(t, *labelled) for source, t in sources.items()}
    for title, labelled in rows.items()
}
for title, scores in index.items():
    print(title + ": " + ", ".join(f"{source} {score:.3f}" for source, score in scores.items()))

for title, scores in index.items():
    better = "better" if scores["embed"] > scores["raw pixels"] else "worse"
    print(
        f"Finding: for {title}, features of the net are {better} than raw pixels by "
        f"{abs(scores['embed'] - scores['raw pixels']):.3f} of the index."
    )
