"""
Do codes of text messages help to find spam with few labels?
============================================================

Of five thousand text messages, an eighth are spam. Labels are expensive, messages are not: an
:class:`~skdeep.decomposition.Autoencoder` learns codes from all of them. This example trains
classifiers on the codes of a few labelled messages, and clusters the codes without any labels. It
compares them with the words themselves and with latent semantic analysis, which is linear.
"""

# %%
# Data
# ----
# The messages are read from the folder in the environment variable ``SKDEEP_DATA``, or downloaded
# from UCI. Messages that occur more than once are kept once, so that none is in both the training
# and the test set. TF-IDF turns each message into a sparse row.

import io
import os
import urllib.request
import zipfile
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from sklearn.cluster import KMeans
from sklearn.decomposition import TruncatedSVD
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import average_precision_score, f1_score
from sklearn.model_selection import train_test_split
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import MaxAbsScaler, Normalizer, StandardScaler

from skdeep.decomposition import Autoencoder
from skdeep.inspection import ClusterMapDisplay

URL = "https://archive.ics.uci.edu/static/public/228/sms+spam+collection.zip"
source = Path(os.environ.get("SKDEEP_DATA", "")) / "SMSSpamCollection.tsv.gz"
if not source.exists():
    with urllib.request.urlopen(URL) as answer:
        source = zipfile.ZipFile(io.BytesIO(answer.read())).open("SMSSpamCollection")
options = {"sep": "\t", "names": ["kind", "text"], "quoting": 3}  # quotes are part of the text
messages = pd.read_csv(source, **options).drop_duplicates()
is_spam = (messages["kind"] == "spam").to_numpy()
train, test, y_train, y_test = train_test_split(
    messages["text"], is_spam, test_size=0.3, stratify=is_spam, random_state=0
)

words = TfidfVectorizer(min_df=5, sublinear_tf=True, token_pattern=r"\b\w+\b|[£!?]")
X_train, X_test = words.fit_transform(train), words.transform(test)
print(f"{X_train.shape[0]} messages to train on, {y_train.mean():.0%} of them spam")
print(f"{X_train.shape[1]} words, of which a message has {X_train.nnz / X_train.shape[0]:.0f}")

# %%
# Codes without labels
# --------------------
# The autoencoder reads the sparse rows batch by batch. Masked words during training force it to
# predict words from the others, and the multinomial loss takes a message for a bag of words.

autoencoder = Autoencoder(
    50, loss="multinomial", noise=0.3, noise_kind="masking", max_epochs=25, random_state=0
)
encoders = {"autoencoder": autoencoder, "LSA": TruncatedSVD(50, random_state=0)}
codes = {"words": (X_train, X_test)}
for name, encoder in encoders.items():
    codes[name] = encoder.fit(X_train).transform(X_train), encoder.transform(X_test)

# %%
# A classifier on few labels
# --------------------------
# Average precision on the test messages, for a logistic regression on some labelled messages. It
# is the mean over ten draws of these messages; bars are standard errors.

numbers = [50, 200, 1000]
n_draws = 10
scores = {name: np.empty((len(numbers), n_draws)) for name in codes}
for name, (Z_train, Z_test) in codes.items():
    scaler = MaxAbsScaler() if name == "words" else StandardScaler()
    classifier = make_pipeline(scaler, LogisticRegression(class_weight="balanced", max_iter=2000))
    for draw in range(n_draws):
        order = np.random.default_rng(draw).permutation(len(y_train))
        for row, number in enumerate(numbers):
            labelled = order[:number]
            classifier.fit(Z_train[labelled], y_train[labelled])
            decision = classifier.decision_function(Z_test)
            scores[name][row, draw] = average_precision_score(y_test, decision)

fig, ax = plt.subplots(layout="constrained")
for name, values in scores.items():
    error = values.std(axis=1) / np.sqrt(n_draws)
    ax.errorbar(numbers, values.mean(axis=1), error, marker="o", capsize=3, label=name)
ax.set(xscale="log", xlabel="labelled messages", ylabel="average precision on test messages")
ax.set_xticks(numbers, [str(number) for number in numbers])
ax.minorticks_off()
ax.legend(title="logistic regression on")

# %%
# Clusters without labels
# -----------------------
# KMeans on the codes, scaled to equal length. A cluster is called spam if most of its messages are.

n_clusters = 8
f1 = {}
for name, (Z_train, Z_test) in codes.items():
    scaler = Normalizer().fit(Z_train)
    kmeans = KMeans(n_clusters, n_init=10, random_state=0).fit(scaler.transform(Z_train))
    labels = kmeans.labels_
    spam = np.array([y_train[labels == one].mean() for one in range(n_clusters)])
    f1[name] = f1_score(y_test, (spam > 0.5)[kmeans.predict(scaler.transform(Z_test))])
    print(f"clusters of {name}: F1 of spam on test messages {f1[name]:.3f}")
    if name == "autoencoder":
        found = labels

# %%
# The words that are most frequent in a cluster of the autoencoder, relative to all messages, say
# what it is about.

vocabulary = words.get_feature_names_out()
overall = X_train.mean(axis=0)
for one in range(n_clusters):
    members = found == one
    frequent = np.argsort(np.asarray(X_train[members].mean(axis=0) - overall).ravel())[::-1]
    print(
        f"cluster {one}: {members.sum():4d} messages, {y_train[members].mean():4.0%} spam: "
        + ", ".join(vocabulary[frequent[:7]])
    )

fig, (left, right) = plt.subplots(1, 2, figsize=(10, 4), layout="constrained")
display = ClusterMapDisplay.from_predictions(
    Normalizer().transform(codes["autoencoder"][0]),
    found,
    np.where(y_train, "spam", "other"),
    ax=left,
    s=4,
)
display.plot(color_by="classes", ax=right, s=4)
plt.show()

# %%
# Finding
# -------
# With few labels, the codes that were learned from all messages are worth many labels. The more
# labels there are, the less they help, since they do not keep every word.

means = {name: values.mean(axis=1) for name, values in scores.items()}
for row, number in enumerate(numbers):
    best = max(means, key=lambda name: means[name][row])
    print(
        f"{number:4d} labels: "
        + ", ".join(f"{name} {values[row]:.3f}" for name, values in means.items())
        + f"; best: {best}"
    )
print(
    f"Finding: 50 labels and the codes of the autoencoder have an average precision of "
    f"{means['autoencoder'][0]:.3f}; on the words themselves it is {means['words'][0]:.3f} with 50 "
    f"labels and {means['words'][1]:.3f} with 200. Without labels, the clusters of "
    f"{max(f1, key=f1.get)} find spam best, with an F1 of {max(f1.values()):.3f}."
)
