"""GANSampler: known distributions, draws by class, scores, sizes."""

import pickle
import random
import re

import numpy as np
import pandas as pd
import pytest
import scipy.sparse as sp
import torch
from numpy.testing import assert_allclose, assert_array_equal
from scipy.stats import chisquare
from sklearn.base import clone

from skdeep.generative import GANSampler

ANGLES = np.arange(8) * np.pi / 4
CENTERS = 2 * np.column_stack([np.cos(ANGLES), np.sin(ANGLES)])
SMALL_X = np.random.default_rng(0).normal(size=(60, 3))
quiet = pytest.mark.filterwarnings("ignore::skdeep.exceptions.ModeCollapseWarning")


def sampler(**params):
    base = {"latent_dim": 8, "hidden_layer_sizes": (64, 64), "loss": "non-saturating"}
    base |= {"gradient_penalty": 1.0, "n_critic": 1, "lr": 1e-3, "betas": (0.5, 0.9)}
    base |= {"batch_size": 128, "feature_scaling": "standard", "ema_decay": 0.99}
    base |= {"lr_schedule": "constant", "batch_norm": False, "spectral_norm": False}
    return GANSampler(**{**base, "device": "cpu", "random_state": 0, **params})


def small(**params):
    return sampler(**{"hidden_layer_sizes": (8,), "batch_size": 30, "max_epochs": 2, **params})


def distances(rows):
    return np.linalg.norm(rows[:, np.newaxis] - CENTERS, axis=2)


@pytest.fixture(scope="module")
def mixture():
    """Samples of eight Gaussians on a circle, and the index of the Gaussian of each sample."""
    rng = np.random.default_rng(0)
    mode = rng.integers(8, size=4000)
    return CENTERS[mode] + rng.normal(0, 0.05, size=(4000, 2)), mode


@pytest.fixture(scope="module")
def unconditional(mixture):
    return sampler(max_epochs=20, ema_decay=0.999).fit(mixture[0])


@pytest.fixture(scope="module")
def conditional(mixture):
    return sampler(max_epochs=5, random_state=1).fit(
        mixture[0], np.array(list("abcdefgh"))[mixture[1]]
    )


# Known answers -----------------------------------------------------------------------------


def test_eight_gaussians_are_covered(unconditional):
    distance = distances(unconditional.sample(2000, random_state=0))
    is_near = distance.min(axis=1) < 0.2
    assert len(set(distance.argmin(axis=1)[is_near])) >= 7
    assert is_near.mean() > 0.3  # 0.5 here, 0.85 after 60 epochs


def test_each_class_lands_on_its_own_mode(conditional):
    rows, labels = conditional.sample(2000, random_state=0)
    codes = np.searchsorted(conditional.classes_, labels)
    assert (distances(rows).argmin(axis=1) == codes).mean() > 0.98
    for code in range(8):
        assert np.linalg.norm(rows[codes == code].mean(axis=0) - CENTERS[code]) < 0.4


@pytest.mark.parametrize(
    "params",
    [
        {"loss": "non-saturating"},
        {"loss": "hinge"},
        {"loss": "least-squares"},
        {"loss": "wgan-gp", "n_critic": 3},
    ],
    ids=lambda params: params["loss"],
)
def test_every_loss_learns_a_mean_and_a_correlation(params):
    X = np.random.default_rng(0).normal(size=(600, 2)) @ [[1, 0.8], [0, 0.5]] + [3, -1]
    fitted = sampler(hidden_layer_sizes=(32,), batch_size=100, max_epochs=80, **params).fit(X)
    rows = fitted.sample(2000, random_state=0)
    assert_allclose(rows.mean(axis=0), [3, -1], atol=0.4)
    assert np.corrcoef(rows.T)[0, 1] > 0.6
    assert (np.abs(np.log(rows.std(axis=0) / X.std(axis=0))) < np.log(1.5)).all()


def test_real_rows_score_higher_than_noise(unconditional, mixture):
    noise = np.random.default_rng(1).normal(0, 5, size=(1000, 2))
    real = unconditional.score_samples(mixture[0][:1000])
    assert real.shape == (1000,)
    assert real.mean() > unconditional.score_samples(noise).mean()


def test_rows_score_higher_as_their_own_class(conditional, mixture):
    X, mode = mixture[0][:1000], mixture[1][:1000]
    own = conditional.score_samples(X, conditional.classes_[mode])
    opposite = conditional.score_samples(X, conditional.classes_[(mode + 4) % 8])
    assert (own > opposite).mean() > 0.9
    noise = np.random.default_rng(1).normal(0, 5, size=(1000, 2))
    assert own.mean() > conditional.score_samples(noise, conditional.classes_[mode]).mean()


def test_scores_without_classes_are_the_mean_over_classes_by_their_shares(conditional, mixture):
    X = mixture[0][:50]
    by_class = [conditional.score_samples(X, [label] * 50) for label in conditional.classes_]
    mean = np.average(by_class, axis=0, weights=conditional.class_shares_)
    assert_allclose(conditional.score_samples(X), mean, rtol=1e-4, atol=1e-5)


def test_scores_by_class_refuse_what_fit_did_not_know(conditional, unconditional, mixture):
    X = mixture[0][:3]
    with pytest.raises(ValueError, match="y must be None for a critic that was fitted without"):
        unconditional.score_samples(X, [0, 1, 0])
    with pytest.raises(ValueError, match="y must have a class for each sample; got 2 for 3"):
        conditional.score_samples(X, ["a", "b"])
    with pytest.raises(ValueError, match="y must contain only labels"):
        conditional.score_samples(X, ["a", "b", "z"])


# sample ------------------------------------------------------------------------------------


def test_rows_stay_within_the_bounds_of_training(unconditional, mixture):
    rows = unconditional.sample(500, random_state=0)
    assert rows.shape == (500, 2) and rows.dtype == np.float64
    low, high = mixture[0].min(axis=0), mixture[0].max(axis=0)
    assert (rows >= low).all() and (rows <= high).all()


def test_labels_are_drawn_in_the_shares_of_training():
    y = np.repeat(["x", "y", "z"], [30, 20, 10])
    _, labels = small().fit(SMALL_X, y).sample(6000, random_state=0)
    counts = [np.sum(labels == label) for label in "xyz"]
    assert chisquare(counts, [3000, 2000, 1000]).pvalue > 0.01


def test_labels_are_drawn_in_the_weighted_shares_of_training():
    y, weight = np.repeat([0, 1, 2], 20), np.repeat([0.0, 1, 3], 20)
    _, labels = small().fit(SMALL_X, y, sample_weight=weight).sample(4000, random_state=0)
    assert chisquare(np.bincount(labels)[1:], [1000, 3000]).pvalue > 0.01
    assert not (labels == 0).any()


@pytest.mark.parametrize("y", ["c", np.str_("c"), ["c"] * 5, pd.Series(["c"] * 5)])
def test_one_class_can_be_asked_for(conditional, y):
    rows, labels = conditional.sample(5, y, random_state=0)
    assert labels.tolist() == ["c"] * 5
    assert_array_equal(rows, conditional.sample(5, ["c"] * 5, random_state=0)[0])


def test_classes_can_be_asked_for_row_by_row(conditional):
    wanted = ["h", "a", "a", "d"]
    rows, labels = conditional.sample(4, wanted, random_state=0)
    assert labels.tolist() == wanted
    assert distances(rows).argmin(axis=1).tolist() == [7, 0, 0, 3]


def test_classes_that_cannot_be_drawn_are_an_error(conditional, unconditional):
    with pytest.raises(ValueError, match="y must be one label or n_samples labels; got 2"):
        conditional.sample(3, ["a", "b"])
    for wanted in ("z", 3, [None, "z", 3.5], ["z", "b", "z"]):
        wanted = wanted if isinstance(wanted, str | int) else np.array(wanted, dtype=object)
        unknown = [one for one in dict.fromkeys(np.ravel(wanted).tolist()) if one != "b"]
        match = (
            rf"first fit, \['a', .*\]; got {re.escape(str(unknown))} as well\. Choose among these"
        )
        with pytest.raises(ValueError, match=match):
            conditional.sample(3, wanted)
    with pytest.raises(ValueError, match="y must be None for a generator that was fitted without"):
        unconditional.sample(3, 0)


@pytest.mark.parametrize("n_samples", [0, -1, 1.5, True, "2"])
def test_n_samples_must_be_a_positive_integer(unconditional, n_samples):
    with pytest.raises(ValueError, match="n_samples must be a positive integer; got"):
        unconditional.sample(n_samples)


def test_draws_repeat_with_their_seed_only(conditional):
    rows, labels = conditional.sample(20, random_state=3)
    again, same_labels = conditional.sample(20, random_state=3)
    assert_array_equal(rows, again)
    assert_array_equal(labels, same_labels)
    for seed in (4, None, np.random.RandomState(3)):
        assert (conditional.sample(20, random_state=seed)[0] != rows).any()
    assert (conditional.sample(20)[0] != conditional.sample(20)[0]).any()
    first, second = (
        conditional.sample(20, random_state=np.random.RandomState(3))[0] for _ in range(2)
    )
    assert_array_equal(first, second)


def test_rows_do_not_depend_on_how_many_are_made_at_once(unconditional):
    rows = unconditional.sample(5000, random_state=0)  # more than one chunk of the forward pass
    for n_rows in (1, 100, 3000):
        assert_array_equal(unconditional.sample(n_rows, random_state=0), rows[:n_rows])


def global_states():
    """States of the global random generators."""
    _, keys, *place = np.random.get_state()  # noqa: NPY002
    return random.getstate(), keys.tolist(), place, torch.get_rng_state().tolist()


def test_global_generators_are_neither_read_nor_moved():
    results = []
    for seed in (0, 1):
        random.seed(seed)
        np.random.seed(seed)  # noqa: NPY002
        torch.manual_seed(seed)
        before = global_states()
        fitted = small().fit(SMALL_X, np.arange(60) % 2)
        results.append(fitted.sample(30, random_state=0)[0])
        fitted.sample(3)
        fitted.score_samples(SMALL_X)
        assert global_states() == before
    assert_array_equal(*results)


def test_draws_survive_pickling(conditional, unconditional):
    copies = [pickle.loads(pickle.dumps(one)) for one in (conditional, unconditional)]
    rows, labels = conditional.sample(50, random_state=0)
    copied, copied_labels = copies[0].sample(50, random_state=0)
    assert_array_equal(copied, rows)
    assert_array_equal(copied_labels, labels)
    drawn = [one.sample(50, random_state=0) for one in (unconditional, copies[1])]
    assert_array_equal(*drawn)


@quiet
def test_a_row_of_weight_two_is_the_row_twice():
    rng = np.random.default_rng(0)
    weight, y = rng.integers(0, 4, size=60), np.arange(60) % 3
    weighted = small(batch_size=256).fit(SMALL_X, y, sample_weight=weight)
    order = np.repeat(np.arange(60), weight)
    repeated = small(batch_size=256).fit(SMALL_X[order], y[order])
    (rows, labels), (other_rows, other_labels) = (
        fitted.sample(20, random_state=0) for fitted in (weighted, repeated)
    )
    assert_allclose(rows, other_rows, rtol=1e-6)
    assert_array_equal(labels, other_labels)


# Sizes -------------------------------------------------------------------------------------

SIZES = {
    "one row": (SMALL_X[:1], None),
    "one row with a class": (SMALL_X[:1], [0]),
    "two rows": (SMALL_X[:2], None),
    "fewer rows than a batch": (SMALL_X[:20], np.arange(20) % 2),
    "one more than a batch": (SMALL_X[:31], np.arange(31) % 2),
    "one class": (SMALL_X, np.zeros(60)),
    "a class of one row": (SMALL_X, np.r_[1, np.zeros(59)]),
    "many classes": (SMALL_X, np.arange(60) // 2),
    "one feature": (SMALL_X[:, :1], None),
    "a constant feature": (SMALL_X * [1, 0, 1], None),
    "constant rows": (np.ones((20, 3)), None),
    "many constant rows": (np.ones((120, 3)), None),
    "integers": (np.arange(60).reshape(20, 3), None),
    "booleans": (SMALL_X > 0, None),
    "sparse": (sp.csr_array(SMALL_X), np.arange(60) % 2),
    "float16": (SMALL_X.astype(np.float16), None),
    "Fortran order": (np.asfortranarray(SMALL_X), None),
}


@quiet
@pytest.mark.parametrize("feature_scaling", ["auto", "quantile", "range", None])
@pytest.mark.parametrize("case", SIZES)
@pytest.mark.matrix
def test_rows_of_any_size_and_kind_are_imitated(case, feature_scaling):
    X, y = SIZES[case]
    fitted = small(feature_scaling=feature_scaling).fit(X, y)
    drawn = fitted.sample(7, random_state=0)
    rows = drawn if y is None else drawn[0]
    dense = X.toarray() if sp.issparse(X) else np.asarray(X, dtype=float)
    assert rows.shape == (7, X.shape[1]) and np.isfinite(rows).all()
    assert (rows >= dense.min(axis=0)).all() and (rows <= dense.max(axis=0)).all()
    assert fitted.score_samples(X).shape == (X.shape[0],)


@quiet
@pytest.mark.parametrize("batch_norm", [False, True])
def test_images_are_generated(batch_norm):
    X, y = np.random.default_rng(0).uniform(size=(30, 64)), np.arange(30) % 3
    params = {"image_shape": (8, 8), "hidden_layer_sizes": (4, 8), "batch_norm": batch_norm}
    flat = small(**params).fit(X, y)
    rows, labels = flat.sample(5, random_state=0)
    assert rows.shape == (5, 64) and labels.shape == (5,)
    folded = small(**params).fit(X.reshape(30, 8, 8), y)
    assert_array_equal(folded.sample(5, random_state=0)[0], rows)
    assert_array_equal(folded.score_samples(X.reshape(30, 8, 8)), flat.score_samples(X))


@quiet
@pytest.mark.parametrize("name", ["batch_norm", "spectral_norm"])
def test_switches_change_the_training(name):
    plain = small().fit(SMALL_X).sample(5, random_state=0)
    assert (small(**{name: True}).fit(SMALL_X).sample(5, random_state=0) != plain).any()


@quiet
def test_clones_and_refits_draw_the_same():
    fitted = small().fit(SMALL_X)
    rows = fitted.sample(9, random_state=0)
    assert_array_equal(clone(fitted).fit(SMALL_X).sample(9, random_state=0), rows)
    assert_array_equal(fitted.fit(SMALL_X).sample(9, random_state=0), rows)


def test_several_labels_per_row_are_an_error():
    with pytest.raises(ValueError, match="y must be one label per sample"):
        small().fit(SMALL_X, np.eye(3, dtype=int)[np.arange(60) % 3])
    with pytest.raises(ValueError, match="y must have one label per sample"):
        small().fit(SMALL_X, np.column_stack([np.arange(60) % 3, np.arange(60) % 4]))


@pytest.mark.parametrize("method", ["fit", "fit_resample"])
@pytest.mark.parametrize(
    "column",
    [
        pd.Categorical([1, 2] * 30),
        ["red", "blue"] * 30,
        pd.date_range("2024", periods=60),
        pd.to_timedelta(range(60), unit="h"),
    ],
    ids=["categories", "strings", "dates", "time spans"],
)
def test_columns_without_numbers_are_refused_with_the_way_out(method, column):
    X = pd.DataFrame({"a": SMALL_X[:, 0], "b": column})
    with pytest.raises((TypeError, ValueError), match=r"must be numeric.*TabularGANSampler"):
        getattr(small(), method)(X, [0, 0, 1] * 20)
