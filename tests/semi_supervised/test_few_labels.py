"""FewLabelsClassifier: missing labels, known answers, weights and parameters."""

import pickle

import numpy as np
import pandas as pd
import pytest
import scipy.sparse as sp
from scipy.ndimage import affine_transform
from scipy.special import log_softmax
from sklearn.base import clone
from sklearn.datasets import load_digits, make_blobs, make_moons
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from skdeep.model_selection import BatchedGridSearchCV
from skdeep.neural_network import ResNetClassifier
from skdeep.semi_supervised import FewLabelsClassifier

X, BLOB = make_blobs(120, 4, centers=3, random_state=0)
# the first samples of all blobs
LABELLED = np.concatenate([np.flatnonzero(BLOB == one)[:2] for one in range(3)])
FEW_LABELS = np.full(120, -1)
FEW_LABELS[LABELLED] = BLOB[LABELLED]
NAMES = np.array(["cat", "dog", "owl"])


def few(**params):
    small = {"n_components": 32, "max_epochs": 30, "lr": 5e-3, "device": "cpu", "random_state": 0}
    return FewLabelsClassifier(**{**small, **params})


def hidden(labels, missing, dtype=object):
    """Labels of the blobs, most of them replaced by the mark of a missing one."""
    y = np.full(120, missing, dtype=dtype)
    y[LABELLED] = labels[BLOB[LABELLED]]
    return y


# Known answers -----------------------------------------------------------------------------


@pytest.mark.parametrize("invariance", ["neighbors", "noise", "vat", ["neighbors", "vat"]])
def test_two_labels_of_each_blob_are_enough(invariance):
    net = few(invariance=invariance).fit(X, FEW_LABELS)
    assert net.score(X, BLOB) > 0.98


def test_two_moons_are_told_apart_by_four_labels():
    X, moon = make_moons(400, noise=0.05, random_state=0)
    y = np.full(400, -1)
    for one in (0, 1):  # the left and the right end of each moon
        order = np.flatnonzero(moon == one)[np.argsort(X[moon == one, 0])]
        y[order[[0, -1]]] = one
    options = {"invariance": "neighbors", "information_weight": 1.0, "lr": 5e-3}
    net = FewLabelsClassifier(**options, device="cpu", random_state=0).fit(X, y)
    assert net.score(X, moon) > 0.98


@pytest.mark.parametrize(
    "image_shape, fewer",
    [(None, {}), ((8, 8), {"max_epochs": 60}), pytest.param((8, 8), {}, marks=pytest.mark.slow)],
)
def test_fifty_digits_and_those_without_labels_beat_fifty_digits(image_shape, fewer):
    X, digit = load_digits(return_X_y=True)
    y = np.full(len(X), -1)
    y[:50] = digit[:50]
    params = {"image_shape": image_shape, "device": "cpu", "random_state": 0}
    net = FewLabelsClassifier(**params, **fewer).fit(X[:1200], y[:1200])
    supervised = ResNetClassifier(**params).fit(X[:50], digit[:50])
    assert net.score(X[1200:], digit[1200:]) > supervised.score(X[1200:], digit[1200:]) + 0.05


def test_all_labels_make_an_ordinary_classifier():
    assert few().fit(X, BLOB).score(X, BLOB) > 0.98


def test_the_class_prior_decides_where_labels_do_not():
    X = np.random.default_rng(0).uniform(size=(400, 1))
    y = np.full(400, -1)
    y[[X.argmin(), X.argmax()]] = 0, 1
    options = {"invariance": "neighbors", "max_epochs": 200, "batch_size": 512}
    options |= {"information_weight": 1.0, "balance_weight": 4.0}
    assert np.mean(few(class_prior=[0.3, 0.7], **options).fit(X, y).transduction_ == 0) < 0.42
    assert np.mean(few(class_prior=[0.7, 0.3], **options).fit(X, y).transduction_ == 0) > 0.58


def prior_of(counts, copies=1, sample_weight=None, **params):
    """Expected fractions of the classes for numbers of labelled samples."""
    y = np.concatenate([np.repeat(np.arange(len(counts)), counts), np.full(40, -1)])
    samples = np.random.default_rng(0).normal(size=(len(y), 3))
    samples, y = np.repeat(samples, copies, axis=0), np.repeat(y, copies)
    return few(max_epochs=1, **params).fit(samples, y, sample_weight).module_.prior


@pytest.mark.parametrize("counts", [[8, 3, 5, 4], [30, 1, 2, 1, 1], [1, 2, 1, 1, 1, 1]])
def test_the_prior_is_that_of_james_and_stein(counts):
    # shrinkage of Hausser and Strimmer (2009), times (d - 2) / d for d free fractions
    n, n_classes = sum(counts), len(counts)
    fractions = np.array(counts) / n
    distance = (n - 1) * np.sum((fractions - 1 / n_classes) ** 2)
    share = (n_classes - 3) / (n_classes - 1) * (1 - np.sum(fractions**2)) / distance
    assert (share < 1) == (n > 7)
    expected = fractions + min(1, share) * (1 / n_classes - fractions)
    expected = (expected + 0.01) / (1 + 0.01 * n_classes)
    np.testing.assert_allclose(prior_of(counts), expected, rtol=1e-12)


def test_classes_without_weight_do_not_change_the_others():
    prior = np.array(prior_of([8, 3, 5, 4, 6], class_weight={4: 0.0}))
    assert prior[4] == pytest.approx(0.01 / 1.05)
    np.testing.assert_allclose(prior[:4] * 1.05, np.array(prior_of([8, 3, 5, 4])) * 1.04)


def test_equal_numbers_of_labels_mean_equal_fractions():
    np.testing.assert_allclose(prior_of([6] * 5), 0.2)


@pytest.mark.parametrize("counts", [[8, 3], [8, 3, 4]])
def test_up_to_three_fractions_are_those_of_the_labels(counts):
    expected = (np.array(counts) / sum(counts) + 0.01) / (1 + 0.01 * len(counts))
    np.testing.assert_allclose(prior_of(counts), expected)


def test_the_prior_depends_neither_on_repeated_samples_nor_on_the_unit_of_weights():
    counts = [8, 3, 5, 4]
    for options in ({"copies": 3}, {"sample_weight": np.full(60, 1e-200)}):
        np.testing.assert_allclose(prior_of(counts, **options), prior_of(counts), rtol=1e-12)


# Labels ------------------------------------------------------------------------------------


def test_labelled_samples_keep_their_label_and_the_others_get_the_prediction():
    rows, y = np.vstack([X, X[:1], X[:1], X[:1]]), np.concatenate([FEW_LABELS, [0, 1, 2]])
    net = few().fit(rows, y)
    expected = net.predict(rows)
    assert len(set(expected[120:])) == 1
    expected[y >= 0] = y[y >= 0]
    np.testing.assert_array_equal(net.transduction_, expected)


@pytest.mark.parametrize(
    ("y", "unlabeled"),
    [
        (hidden(NAMES, ""), ""),
        (hidden(NAMES, "", "U3"), ""),
        (hidden(NAMES, None), None),
        (hidden(NAMES, None), np.nan),
        (hidden(NAMES, np.nan), None),
        (hidden(NAMES, -1), -1),
        (pd.Series(hidden(NAMES, None), dtype="string"), None),
        (pd.Series(hidden(NAMES, None), dtype="category"), None),
        (hidden(NAMES, "?").tolist(), "?"),
    ],
)
def test_strings_may_be_missing_in_many_ways(y, unlabeled):
    net = few(unlabeled=unlabeled).fit(X, y)
    assert net.classes_.tolist() == NAMES.tolist()
    np.testing.assert_array_equal(net.predict(X), NAMES[few().fit(X, FEW_LABELS).predict(X)])
    assert net.score(X, y) == 1.0


@pytest.mark.parametrize(
    ("y", "unlabeled"),
    [
        (hidden(np.arange(3), -1.0, float), -1),
        (hidden(np.arange(3), np.nan, float), np.nan),
        (hidden(np.arange(3), None), None),
        (hidden(np.arange(3), 99, int), 99),
        (pd.Series(hidden(np.arange(3), pd.NA), dtype="Int64"), None),
    ],
)
def test_numbers_may_be_missing_in_many_ways(y, unlabeled):
    net = few(unlabeled=unlabeled).fit(X, y)
    assert net.classes_.tolist() == [0, 1, 2]
    np.testing.assert_array_equal(net.transduction_, few().fit(X, FEW_LABELS).transduction_)


def test_minus_one_and_one_are_two_classes():
    y = np.where(BLOB == 0, -1, 1)
    with pytest.warns(UserWarning, match="taken as two classes although unlabeled=-1.*=None"):
        few().fit(X, y)
    net = few(unlabeled=None).fit(X, y)
    assert net.classes_.tolist() == [-1, 1]
    assert net.score(X, y) > 0.98
    some = np.where(np.isin(np.arange(120), LABELLED), y, 0)
    net = few(unlabeled=0).fit(X, some)
    assert net.classes_.tolist() == [-1, 1]
    assert net.score(X, y) > 0.98


def test_one_label_of_a_class_and_one_class_are_enough():
    y = np.full(120, -1)
    y[LABELLED[[0, 2, 4]]] = 0, 1, 2
    assert few(max_epochs=60).fit(X, y).score(X, BLOB) > 0.98
    y = np.full(120, -1)
    y[:3] = 5
    assert set(few(max_epochs=2).fit(X, y).predict(X)) == {5}


@pytest.mark.parametrize(
    ("params", "y", "message"),
    [
        ({}, np.full(120, -1), "y must have a label for at least one sample"),
        ({"unlabeled": ""}, np.full(120, ""), "y must have a label for at least one sample"),
        ({}, hidden(np.arange(3), np.nan, float), "Pass unlabeled=None"),
        ({"unlabeled": ""}, hidden(NAMES, None), "Pass unlabeled=None"),
        ({}, np.eye(3)[BLOB], "y should be a 1d array"),
        ({}, BLOB[:5], "inconsistent numbers of samples"),
        ({}, BLOB + 0.5, "Unknown label type: continuous"),
        ({"invariance": "affine"}, BLOB, "invariance='affine' needs image_shape"),
        ({"invariance": ["rotation"]}, BLOB, "invariance must be 'auto' or consist of"),
        ({"class_prior": [0.5, 0.5]}, BLOB, "class_prior must be 3 positive fractions"),
        ({"class_prior": [1, 1, 1]}, BLOB, "class_prior must be 3 positive fractions"),
        ({"class_weight": {0: 0, 1: 0, 2: 0}}, BLOB, "class_weight, times sample_weight"),
    ],
)
def test_wrong_labels_and_parameters_are_errors(params, y, message):
    with pytest.raises(ValueError, match=message):
        few(**params).fit(X, y)


def test_only_labelled_samples_are_scored():
    net = few().fit(X, FEW_LABELS)
    y = np.full(120, -1)
    y[:4] = net.predict(X[:4])
    y[0] = (y[0] + 1) % 3
    assert net.score(X, y) == 0.75
    assert net.score(X, y, sample_weight=np.arange(120)) == 1.0
    with pytest.raises(ValueError, match="y must have a label for at least one sample to score"):
        net.score(X, np.full(120, -1))


# Weights -----------------------------------------------------------------------------------


@pytest.mark.parametrize("invariance", ["neighbors", "noise", "vat"])
def test_a_weight_of_two_is_a_sample_twice(invariance):
    weight = 1.0 + (np.arange(120) % 3 == 0)
    times = weight.astype(int)
    options = {"batch_size": 1000, "invariance": invariance, "max_epochs": 10}
    weighted = few(**options).fit(X, FEW_LABELS, sample_weight=weight)
    repeated = few(**options).fit(np.repeat(X, times, axis=0), np.repeat(FEW_LABELS, times))
    np.testing.assert_allclose(
        weighted.predict_proba(X), repeated.predict_proba(X), rtol=0, atol=1e-6
    )


def test_samples_of_weight_zero_are_not_there():
    weight = 1.0 * (np.arange(120) % 4 > 0)
    weight[LABELLED] = 1.0
    kept = weight > 0
    weighted = few(max_epochs=5).fit(X, FEW_LABELS, sample_weight=weight)
    removed = few(max_epochs=5).fit(X[kept], FEW_LABELS[kept])
    np.testing.assert_array_equal(weighted.predict_proba(X), removed.predict_proba(X))
    with pytest.raises(ValueError, match="positive for at least one labelled sample"):
        few().fit(X, FEW_LABELS, sample_weight=1.0 * (FEW_LABELS < 0))


# As a scikit-learn estimator ---------------------------------------------------------------


def test_in_a_pipeline_with_a_data_frame():
    frame = pd.DataFrame(X, columns=list("abcd"))
    pipeline = make_pipeline(StandardScaler(), few()).set_output(transform="pandas")
    assert pipeline.fit(frame, FEW_LABELS).score(frame, BLOB) > 0.98
    features = pipeline.transform(frame)
    assert features.shape == (120, 32)
    assert list(features.columns[:2]) == ["fewlabelsclassifier0", "fewlabelsclassifier1"]


def test_sparse_samples_are_classified_like_dense_ones():
    dense = np.where(abs(X) > 2, X, 0)
    options = {"max_epochs": 5, "batch_size": 32}
    expected = few(**options).fit(dense, FEW_LABELS)
    found = few(**options).fit(sp.csr_array(dense), FEW_LABELS)
    np.testing.assert_allclose(
        found.predict_proba(sp.csr_array(dense)), expected.predict_proba(dense), atol=1e-4
    )


def test_a_pickled_classifier_predicts_the_same():
    net = few().fit(X, hidden(NAMES, -1))
    copy = pickle.loads(pickle.dumps(net))
    np.testing.assert_array_equal(copy.predict_proba(X), net.predict_proba(X))
    np.testing.assert_array_equal(copy.transduction_, net.transduction_)


def test_a_warm_start_takes_new_labels_of_known_classes():
    net = few(max_epochs=5, warm_start=True).fit(X, FEW_LABELS)
    net.set_params(max_epochs=25, invariance="noise").fit(X, np.where(BLOB == 1, 1, -1))
    assert net.n_iter_ == 30
    assert net.classes_.tolist() == [0, 1, 2]
    assert set(net.transduction_[BLOB == 1]) == {1}
    with pytest.raises(ValueError, match="y must contain only labels seen in the first fit"):
        net.fit(X, BLOB + 1)


@pytest.mark.parametrize(
    "image_shape, layers, kernels",
    [
        (None, "auto", []),
        ((8, 8), "auto", [(16, 1, 3, 3), (32, 16, 3, 3)]),
        ((1, 24, 15), "auto", [(16, 1, 3, 3), (32, 16, 3, 3)]),
        ((16, 16), "auto", [(16, 1, 5, 5), (32, 16, 3, 3), (64, 32, 3, 3)]),
        ((3, 16, 20), "auto", [(16, 3, 5, 5), (32, 16, 3, 3), (64, 32, 3, 3)]),
        ((17, 16), [8], [(8, 1, 5, 5)]),
    ],
)
def test_convolutions_depend_on_the_size_of_images(image_shape, layers, kernels):
    n_features = 4 if image_shape is None else int(np.prod(image_shape))
    images = np.random.default_rng(0).normal(size=(120, n_features))
    net = few(image_shape=image_shape, hidden_layer_sizes=layers, max_epochs=1)
    net.fit(images, FEW_LABELS)
    assert [one.shape for one in net.module_.parameters() if one.ndim == 4] == kernels


def turned(images, angle, shift):
    """Images in turned and shifted coordinates; borders are repeated."""
    height, width = images.shape[-2:]
    turn = np.array([[np.cos(angle), np.sin(angle)], [-np.sin(angle), np.cos(angle)]])
    center = np.array([height - 1, width - 1]) / 2
    options = {"offset": center + shift - turn @ center, "order": 1, "mode": "nearest"}
    planes = images.reshape(-1, height, width)
    return np.array([affine_transform(one, turn, **options) for one in planes]).reshape(
        images.shape
    )


@pytest.mark.parametrize(
    "image_shape, params, strength",
    [
        ((8, 8), {}, 1.0),
        ((16, 33), {}, 1.0),
        ((2, 16, 16), {"invariance_strength": 2.0}, 2.0),
        ((9, 16), {"invariance_strength": 3.0}, 3.0),
        ((16, 16), {"invariance": ["vat", "affine"]}, 1.0),
        ((16, 16), {"invariance": "noise"}, None),
    ],
)
def test_predictions_are_averaged_over_views(image_shape, params, strength):
    images = np.random.default_rng(0).normal(size=(120, *image_shape))
    rows = images.reshape(120, -1)
    net = few(image_shape=image_shape, max_epochs=2, **params).fit(rows, FEW_LABELS)
    head = {name: part.numpy() for name, part in net.module_.head.state_dict().items()}
    copies = [images]
    if strength is not None:
        # a third of the ranges in training: 0.32 radians, and 0.19 of half a side
        angle, shift = np.array([0.32, 0.19]) * strength / 3
        sides = np.array(image_shape[-2:]) / 2
        for signs in [(1, 1, 1), (-1, -1, 1), (-1, 1, -1), (1, -1, -1)]:
            copies.append(turned(images, signs[0] * angle, shift * sides * signs[1:]))
    features = np.array([net.transform(copy.reshape(120, -1)) for copy in copies])
    scores = log_softmax(features @ head["weight"].T + head["bias"], axis=-1)
    expected = log_softmax(scores.mean(axis=0), axis=-1)
    np.testing.assert_allclose(net.predict_log_proba(rows), expected, rtol=1e-4, atol=1e-5)


def test_batched_search_finds_what_grid_search_finds(assert_same_search):
    grid = {"information_weight": [0.1, 1.0], "lr": [1e-3, 1e-2]}
    net = few(max_epochs=3)
    batched = BatchedGridSearchCV(net, grid, cv=2).fit(X, FEW_LABELS)
    assert_same_search(batched, GridSearchCV(net, grid, cv=2).fit(X, FEW_LABELS))


def test_the_same_seed_gives_the_same_net(assert_same):
    net = few(max_epochs=3, batch_size=16).fit(X, FEW_LABELS)
    assert_same(clone(net).fit(X, FEW_LABELS), net, X)
