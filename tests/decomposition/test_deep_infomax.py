"""Deep InfoMax."""

import numpy as np
import pytest
import scipy.sparse as sp
import torch
from scipy.special import logsumexp
from sklearn.cluster import KMeans
from sklearn.datasets import load_digits, make_blobs
from sklearn.metrics import adjusted_rand_score
from sklearn.model_selection import GridSearchCV
from sklearn.neighbors import KNeighborsClassifier
from sklearn.pipeline import make_pipeline

from skdeep.decomposition import DeepInfoMax
from skdeep.nn.mutual_information import OBJECTIVES, distance_from_normality, other_samples

BLOBS, BLOB = make_blobs(300, 10, centers=3, random_state=0)
DIGITS, DIGIT = load_digits(return_X_y=True)
SMALL = {"device": "cpu", "random_state": 0, "max_epochs": 3}

each_objective = pytest.mark.parametrize("objective", sorted(OBJECTIVES))


def softplus(t):
    return np.logaddexp(0, t)


def in_numpy(objective, positive, negative, weight):
    """Losses of the paper's eq. 2, 4 and 5, sample by sample; (batch, locations)."""
    n_rows, n_locations = positive.shape
    others = [np.delete(np.arange(n_rows), i) for i in range(n_rows)]
    loss = np.empty((n_rows, n_locations))
    pairs = [
        (weight[i] * weight[j], negative[i, place, j])
        for i in range(n_rows)
        for j in others[i]
        for place in range(n_locations)
    ]
    total = sum(w * np.exp(score) for w, score in pairs) / sum(w for w, _ in pairs)
    for i, place in np.ndindex(n_rows, n_locations):
        own, theirs, w = positive[i, place], negative[i, place, others[i]], weight[others[i]]
        loss[i, place] = {
            "jsd": softplus(-own) + np.average(softplus(theirs), weights=w),
            "infonce": logsumexp([own, *theirs], b=[1.0, *w]) - own,
            "dv": np.log(total) - own,
        }[objective]
    return loss


@each_objective
@pytest.mark.parametrize("is_weighted", [False, True])
def test_losses_are_those_of_the_paper_without_self_pairs(objective, is_weighted):
    rng = np.random.default_rng(0)
    positive, negative = rng.normal(size=(6, 4)), rng.normal(size=(6, 4, 6))
    # pairs of a sample with itself must not matter, however large
    negative[np.arange(6), :, np.arange(6)] = 1e3
    weight = rng.uniform(0.5, 2, size=6) if is_weighted else np.ones(6)
    given = torch.from_numpy(weight) if is_weighted else None
    positive_, negative_ = torch.from_numpy(positive), torch.from_numpy(negative)
    actual = OBJECTIVES[objective](positive_, negative_, other_samples(given, positive_))
    np.testing.assert_allclose(actual, in_numpy(objective, positive, negative, weight), rtol=1e-9)


@each_objective
def test_losses_do_not_depend_on_samples_of_weight_zero(objective):
    rng = np.random.default_rng(0)
    positive, negative = torch.from_numpy(rng.normal(size=(6, 4))), rng.normal(size=(6, 4, 6))
    negative, weight = torch.from_numpy(negative), torch.tensor([1.0, 2.0, 0.0, 1.0, 0.0, 3.0])
    kept, loss = weight > 0, OBJECTIVES[objective]
    whole = loss(positive, negative, other_samples(weight.double(), positive))[kept]
    others = other_samples(weight[kept].double(), positive[kept])
    part = loss(positive[kept], negative[kept][:, :, kept], others)
    torch.testing.assert_close(whole, part)


@pytest.mark.parametrize("is_weighted", [False, True])
def test_distance_from_normality_equals_a_discrepancy_of_many_draws(is_weighted):
    rng = np.random.default_rng(0)
    z, normal = rng.exponential(size=(40, 3)), rng.normal(size=(8000, 3))
    weight = rng.uniform(0.5, 2, size=40) if is_weighted else np.ones(40)
    given = torch.from_numpy(weight) if is_weighted else None
    distance = np.average(distance_from_normality(torch.from_numpy(z), given), weights=weight)

    def kernel(a, b):
        return np.exp(-np.square(a[:, None] - b).sum(axis=2) / 6)

    share = weight / weight.sum()
    parts = share @ kernel(z, z) @ share, share @ kernel(z, normal), kernel(normal, normal[:500])
    expected = parts[0] - 2 * parts[1].mean() + parts[2].mean()
    assert distance == pytest.approx(expected, abs=0.01)
    assert distance > 0.05


def test_distance_from_normality_is_small_for_normal_codes():
    z = torch.from_numpy(np.random.default_rng(0).normal(size=(4000, 3)))
    assert 0 <= distance_from_normality(z).mean() < 1e-3
    assert distance_from_normality(3 * z).mean() > 0.05
    assert distance_from_normality(z + 1).mean() > 0.05


@each_objective
def test_features_separate_blobs(objective):
    dim = DeepInfoMax(8, objective=objective, random_state=0, max_epochs=30, device="cpu")
    found = make_pipeline(dim, KMeans(3, n_init=5, random_state=0)).fit_predict(BLOBS)
    assert adjusted_rand_score(BLOB, found) == 1.0


def test_features_of_images_ignore_their_position():
    rng = np.random.default_rng(0)
    shapes = rng.normal(size=(4, 4, 4))
    kinds, places = rng.integers(4, size=400), rng.integers(9, size=(400, 2))
    images = rng.normal(scale=0.1, size=(400, 12, 12))
    for image, kind, (row, column) in zip(images, kinds, places, strict=True):
        image[row : row + 4, column : column + 4] += shapes[kind]
    X = images.reshape(400, -1)
    dim = DeepInfoMax(16, image_shape=(12, 12), max_epochs=40, random_state=0, device="cpu").fit(X)

    def accuracy(Z):
        return KNeighborsClassifier(5).fit(Z[:200], kinds[:200]).score(Z[200:], kinds[200:])

    assert accuracy(dim.transform(X)) > accuracy(X) + 0.1


@each_objective
@pytest.mark.parametrize("image_shape", [None, (8, 8)])
def test_training_raises_the_score_of_new_samples(objective, image_shape):
    params = {**SMALL, "objective": objective, "image_shape": image_shape}
    short, long = (DeepInfoMax(8, **params | {"max_epochs": n}).fit(DIGITS[:600]) for n in (1, 15))
    assert long.score(DIGITS[600:900]) > short.score(DIGITS[600:900])
    assert long.loss_curve_[-1] < long.loss_curve_[0]


def test_the_score_of_a_sample_does_not_depend_on_the_others():
    dim = DeepInfoMax(4, noise=0.0, **SMALL).fit(DIGITS[:40])
    rows = np.repeat(DIGITS[:40], 3, axis=0)
    np.testing.assert_array_equal(dim.score_samples(rows)[::3], dim.score_samples(DIGITS[:40]))
    assert dim.score(rows) == pytest.approx(dim.score_samples(DIGITS[:40]).mean())


def test_a_search_can_use_the_score():
    grid = {"global_weight": [0.1, 1.0], "prior_weight": [0.0, 1.0]}
    search = GridSearchCV(DeepInfoMax(4, **SMALL), grid, cv=2).fit(BLOBS)
    assert np.isfinite(search.cv_results_["mean_test_score"]).all()


def test_the_history_has_the_terms_of_the_loss():
    dim = DeepInfoMax(4, image_shape=(8, 8), **SMALL).fit(DIGITS[:300])
    row = dim.history_[-1]
    parts = [row["train_global"], row["train_local"], row["train_prior"]]
    assert sum(parts) == pytest.approx(dim.loss_curve_[-1])
    table = DeepInfoMax(4, prior_weight=0.0, local_weight=5.0, **SMALL).fit(DIGITS[:300])
    same = DeepInfoMax(4, prior_weight=0.0, local_weight=0.0, **SMALL).fit(DIGITS[:300])
    assert table.loss_curve_ == same.loss_curve_


def test_the_prior_brings_codes_closer_to_the_normal_distribution():
    params = {**SMALL, "max_epochs": 30}
    free, tied = (DeepInfoMax(4, prior_weight=w, **params).fit(BLOBS) for w in (0.0, 10.0))
    distances = [
        distance_from_normality(torch.from_numpy(one.transform(BLOBS))).mean()
        for one in (free, tied)
    ]
    assert distances[1] < distances[0] / 2


@each_objective
@pytest.mark.parametrize("image_shape", [None, (8, 8)])
def test_weights_equal_repeated_samples(objective, image_shape):
    params = {**SMALL, "objective": objective, "image_shape": image_shape, "batch_size": 1000}
    weight = np.random.default_rng(0).integers(0, 3, size=60)
    weighted = DeepInfoMax(4, **params).fit(DIGITS[:60], sample_weight=weight)
    repeated = DeepInfoMax(4, **params).fit(np.repeat(DIGITS[:60], weight, axis=0))
    for name in ("transform", "score_samples"):
        actual, expected = getattr(weighted, name)(DIGITS), getattr(repeated, name)(DIGITS)
        np.testing.assert_allclose(actual, expected, rtol=1e-6, atol=1e-6)


@each_objective
@pytest.mark.parametrize("X", [np.ones((1, 64)), np.ones((300, 64)), DIGITS[:1], DIGITS[:129]])
@pytest.mark.parametrize("image_shape", [None, (8, 8)])
def test_one_sample_constant_data_and_a_last_batch_of_one_work(objective, X, image_shape):
    dim = DeepInfoMax(4, objective=objective, image_shape=image_shape, **SMALL).fit(X)
    assert np.isfinite(dim.loss_curve_).all()
    assert np.isfinite(dim.transform(X)).all()
    assert np.isfinite(dim.score(X))


def test_sparse_and_memory_mapped_samples_give_the_same_codes(tmp_path):
    expected = DeepInfoMax(4, **SMALL).fit(DIGITS[:300])
    file = np.memmap(tmp_path / "X", dtype=DIGITS.dtype, mode="w+", shape=(300, 64))
    file[:] = DIGITS[:300]
    for X in (file, sp.csr_array(DIGITS[:300])):
        actual = DeepInfoMax(4, **SMALL).fit(X)
        np.testing.assert_allclose(actual.score_samples(X), expected.score_samples(DIGITS[:300]))


@pytest.mark.parametrize(
    ("params", "message"),
    [
        ({"global_weight": 0.0}, r"global_weight must be > 0.*image_shape=None.*global_weight=1"),
        (
            {"global_weight": 0.0, "local_weight": 0.0, "image_shape": (8, 8)},
            r"global_weight must be > 0, or local_weight.*local_weight=0.0",
        ),
        ({"augment": "shift"}, r"augment needs image_shape; got augment='shift'.*augment=None"),
        ({"noise_kind": "masking", "noise": 1.0}, r"noise must be < 1.*noise=1.0.*Lower noise"),
        ({"objective": "mine"}, r"objective.*must be a str among"),
    ],
)
def test_bad_combinations_are_errors_with_a_remedy(params, message):
    with pytest.raises(ValueError, match=message):
        DeepInfoMax(4, **{**SMALL, **params}).fit(DIGITS[:50])
