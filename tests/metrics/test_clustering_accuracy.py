"""Clustering accuracy: comparison with brute force, and inputs."""

import itertools

import numpy as np
import pandas as pd
import polars as pl
import pytest
from sklearn.cluster import KMeans
from sklearn.datasets import make_blobs
from sklearn.metrics import accuracy_score, make_scorer
from sklearn.model_selection import GridSearchCV

from skdeep.metrics import clustering_accuracy


def best_of_all_matchings(y_true, y_pred, weight=None):
    """Maximum accuracy over all one-to-one matchings of clusters and classes, by brute force."""
    clusters = sorted(set(y_pred))
    classes = [*sorted(set(y_true)), *[None] * len(clusters)]  # a cluster may go without a class
    accuracies = []
    for matched in itertools.permutations(classes, len(clusters)):
        class_of = dict(zip(clusters, matched, strict=True))
        hits = [class_of[cluster] == label for label, cluster in zip(y_true, y_pred, strict=True)]
        accuracies.append(np.average(hits, weights=weight))
    return max(accuracies)


@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("n_classes, n_clusters", [(3, 3), (2, 4), (4, 2), (1, 3), (3, 1), (1, 1)])
def test_accuracy_is_the_best_over_all_matchings(n_classes, n_clusters, weighted):
    rng = np.random.default_rng(0)
    for n_samples in (1, 2, 7, 40):
        y_true, y_pred = (rng.integers(n, size=n_samples) for n in (n_classes, n_clusters))
        weight = rng.uniform(0.1, 5, size=n_samples) if weighted else None
        expected = best_of_all_matchings(y_true, y_pred, weight)
        assert clustering_accuracy(y_true, y_pred, sample_weight=weight) == pytest.approx(expected)


def test_renamed_labels_are_a_perfect_clustering():
    y = np.random.default_rng(0).integers(10, size=200)
    renamed = np.random.default_rng(1).permutation(10)[y]
    assert accuracy_score(y, renamed) < 0.5
    assert clustering_accuracy(y, renamed) == clustering_accuracy(renamed, y) == 1


def test_the_matching_is_not_the_greedy_one():
    # the largest cell, 4 of class 0 in cluster 0, is not part of the best matching
    y_true = [0] * 7 + [1] * 3
    y_pred = [0] * 4 + [1] * 3 + [0] * 3
    assert clustering_accuracy(y_true, y_pred) == 0.6


def test_one_cluster_gets_the_fraction_of_the_largest_class():
    assert clustering_accuracy([0, 1, 1, 1, 2], [5] * 5) == 0.6


def test_splitting_a_class_costs_accuracy():
    assert clustering_accuracy([0] * 4, [0, 0, 0, 1]) == 0.75
    assert clustering_accuracy(range(4), [0, 0, 1, 1]) == 0.5


@pytest.mark.parametrize(
    "classes",
    [
        ["cat", "dog", "cow"],
        [True, False, True],
        [0.0, 1.0, 2.0],
        [-1, 10**12, 7],
        np.array(["x", "y", "z"], dtype=object),
    ],
    ids=["strings", "booleans", "floats", "integers", "objects"],
)
@pytest.mark.parametrize(
    "container", [list, np.array, pd.Series, pl.Series, lambda y: np.array(y)[:, np.newaxis]]
)
def test_labels_may_have_any_type_and_container(classes, container):
    y_true = np.array(classes)[[0, 0, 1, 1, 2, 2]].tolist()
    expected = clustering_accuracy(np.unique(y_true, return_inverse=True)[1], [0, 0, 0, 1, 2, 2])
    assert clustering_accuracy(container(y_true), container([3, 3, 3, 8, 1, 1])) == expected
    assert clustering_accuracy(container(y_true), container(list("bbbadd"))) == expected


def test_categories_of_pandas_are_labels():
    y = pd.Series(["a", "b", "b"], dtype="category")
    assert clustering_accuracy(y, y.cat.codes) == 1


def test_a_weight_is_a_number_of_samples():
    rng = np.random.default_rng(0)
    y_true, y_pred = rng.integers(4, size=(2, 60))
    weight = rng.integers(0, 4, size=60)
    repeated = clustering_accuracy(np.repeat(y_true, weight), np.repeat(y_pred, weight))
    assert clustering_accuracy(y_true, y_pred, sample_weight=weight) == pytest.approx(repeated)
    unit = clustering_accuracy(y_true, y_pred, sample_weight=np.full(60, 3.0))
    assert unit == pytest.approx(clustering_accuracy(y_true, y_pred))


def test_searches_take_it_as_a_score():
    X, y = make_blobs(90, centers=3, cluster_std=0.3, random_state=0)
    search = GridSearchCV(
        KMeans(random_state=0), {"n_clusters": [2, 3, 9]}, scoring=make_scorer(clustering_accuracy)
    )
    assert search.fit(X, y).best_params_ == {"n_clusters": 3}
    assert search.best_score_ > 0.95


@pytest.mark.parametrize(
    "y_true, y_pred, message",
    [
        ([0, 1], [0, 1, 1], "inconsistent numbers of samples"),
        ([], [], "y_true must have at least one label"),
        ([0, 1], [0.5, 1], "y_pred must be labels; got continuous values, for example 0.5"),
        ([0.1, 1], [0, 1], "y_true must be labels"),
        ([0, np.nan], [0, 1], "y_true must not have missing labels"),
        ([0, 1], np.array(["a", None]), "y_pred must not have missing labels"),
        ([[0, 1], [1, 0]], [0, 1], "should be a 1d array"),
    ],
    ids=["lengths", "empty", "continuous clusters", "continuous classes", "NaN", "None", "columns"],
)
def test_what_is_no_labelling_is_refused(y_true, y_pred, message):
    with pytest.raises(ValueError, match=message):
        clustering_accuracy(y_true, y_pred)


def test_labels_of_several_types_are_refused():
    with pytest.raises(TypeError, match="uniformly strings or numbers"):
        clustering_accuracy(np.array([1, "a"], dtype=object), [0, 1])


@pytest.mark.parametrize(
    "weight, message",
    [([1, 1], "inconsistent numbers"), ([1, 1, -1], "[Nn]egative"), ([0, 0, 0], "zero")],
)
def test_weights_are_checked(weight, message):
    with pytest.raises(ValueError, match=message):
        clustering_accuracy([0, 1, 1], [0, 1, 1], sample_weight=weight)
