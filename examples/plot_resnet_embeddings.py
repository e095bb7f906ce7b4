"""
Are the embeddings of a classifier useful for unseen classes?
=============================================================

``embed`` returns the activations of the last hidden layer of a
:class:`~skdeep.neural_network.ResNetClassifier`. They were learned to separate the classes of the
training data. This example trains a net on the digits 0 to 5 and passes its embeddings to PCA and
KMeans, for unseen images of the same digits and for the digits 6 to 9, which the net has never
seen. The baseline is raw pixels.
"""

# %%
# A net trained on six digits
# ---------------------------

import matplotlib.pyplot as plt
from sklearn.cluster import KMeans
from sklearn.datasets import load_digits
from sklearn.decomposition import PCA
from sklearn.metrics import adjusted_rand_score
from sklearn.model_selection import train_test_split
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer

from skdeep.inspection import LatentSpaceDisplay
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
# A classifier has no ``transform``, but ``FunctionTransformer`` turns its ``embed`` into a step of
# a pipeline. The net is already fitted, and fitting the pipeline does not train it again.

sources = {"raw pixels": FunctionTransformer(), "embed": FunctionTransformer(net.embed)}
datasets = {
    "digits 0 to 5, unseen images": (X_test, y_test),
    "digits 6 to 9, unseen classes": (X[~is_known], y[~is_known]),
}

for source, transformer in sources.items():
    print(f"{source}: {X_test.shape} -> {transformer.fit_transform(X_test).shape}")

# %%
# The first two principal components
# ----------------------------------

fig, axes = plt.subplots(2, 2, figsize=(8, 7), layout="constrained")
fig.suptitle("PCA of raw pixels and of embeddings")
for ax_row, (title, (X_new, y_new)) in zip(axes, datasets.items(), strict=True):
    for ax, (source, transformer) in zip(ax_row, sources.items(), strict=True):
        Z = make_pipeline(transformer, PCA(2, random_state=0)).fit_transform(X_new)
        LatentSpaceDisplay.from_predictions(Z, y_new, ax=ax)
        ax.set(title=f"{title}: {source}", xticks=[], yticks=[], xlabel="", ylabel="")
        ax.title.set_fontsize("medium")
    ax_row[0].get_legend().remove()

# %%
# Finding
# -------
# KMeans is given only the number of digits. The adjusted Rand index compares its clusters with the
# digits: 1 is a perfect match and 0 is chance level. The figures are means over five seeds of
# KMeans, each with ten initialisations.


def mean_rand_index(transformer, X_new, y_new):
    scores = []
    for seed in range(5):
        kmeans = KMeans(len(set(y_new)), n_init=10, random_state=seed)
        clusters = make_pipeline(transformer, kmeans).fit_predict(X_new)
        scores.append(adjusted_rand_score(y_new, clusters))
    return sum(scores) / len(scores)


index = {
    title: {source: mean_rand_index(t, *dataset) for source, t in sources.items()}
    for title, dataset in datasets.items()
}
for title, scores in index.items():
    print(title + ": " + ", ".join(f"{source} {score:.3f}" for source, score in scores.items()))

for title, scores in index.items():
    better = "better" if scores["embed"] > scores["raw pixels"] else "worse"
    print(
        f"Finding: for {title}, the adjusted Rand index of embeddings is {better} than that of raw "
        f"pixels by {abs(scores['embed'] - scores['raw pixels']):.3f}."
    )
