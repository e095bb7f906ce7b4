"""Collapsed generators are noticed, others are left in peace."""

import numpy as np
import pytest
import torch

from skdeep._training._collapse import coverage_and_precision, variance_ratio
from skdeep.exceptions import ModeCollapseWarning
from skdeep.generative import GANSampler

ANGLES = np.arange(8) * np.pi / 4
CENTERS = 2 * np.column_stack([np.cos(ANGLES), np.sin(ANGLES)])


def gaussians(n_rows, modes=range(8), seed=0):
    rng = np.random.default_rng(seed)
    return CENTERS[rng.choice(list(modes), n_rows)] + rng.normal(0, 0.05, size=(n_rows, 2))


def normal(n_rows, n_features=3, seed=0):
    return torch.randn(n_rows, n_features, generator=torch.Generator().manual_seed(seed))


# Variance ----------------------------------------------------------------------------------


@pytest.mark.parametrize("factor", [0.0, 0.1, 1.0, 2.0])
def test_variance_ratio_is_the_square_of_the_scale(factor):
    real = normal(500)
    ratio = variance_ratio(real, 5 + factor * real, None)
    assert ratio == pytest.approx(factor**2, rel=1e-4, abs=1e-10)


def test_variance_ratio_is_that_of_numpy():
    real, fake = normal(200), 0.7 * normal(200, seed=1)
    expected = fake.numpy().var(axis=0).sum() / real.numpy().var(axis=0).sum()
    assert variance_ratio(real, fake, None) == pytest.approx(expected, rel=1e-4)


def test_variance_between_conditions_does_not_count():
    condition = torch.arange(400) % 4 * 3  # numbers may be missing
    means = 10.0 * condition[:, None]
    real = means + normal(400)
    assert variance_ratio(real, means.expand(400, 3), condition) == pytest.approx(0, abs=1e-8)
    assert variance_ratio(real, means + 0.5 * (real - means), condition) == pytest.approx(
        0.25, rel=1e-3
    )
    assert variance_ratio(real, means.expand(400, 3), None) > 0.9


def test_variance_ratio_of_constant_real_rows_is_one():
    assert variance_ratio(torch.ones(10, 2), normal(10, 2), None) == 1
    assert variance_ratio(torch.ones(1, 2), torch.zeros(1, 2), None) == 1


# Coverage ----------------------------------------------------------------------------------


def test_the_real_rows_themselves_cover_everything():
    real = gaussians(300)
    assert coverage_and_precision(real, real) == (1, 1)


def test_new_rows_of_the_same_distribution_cover_nearly_everything():
    coverage, precision = coverage_and_precision(gaussians(1000), gaussians(1000, seed=1))
    assert coverage > 0.9 and precision > 0.95


def test_two_of_eight_modes_cover_a_quarter_with_full_precision():
    real, fake = gaussians(1000), gaussians(1000, modes=[0, 3], seed=1)
    coverage, precision = coverage_and_precision(real, fake)
    assert coverage == pytest.approx(0.25, abs=0.05) and precision > 0.95


def test_rows_far_away_cover_nothing_and_are_not_precise():
    assert coverage_and_precision(gaussians(300), 100 + gaussians(300)) == (0, 0)


def test_coverage_and_precision_equal_brute_force():
    rng = np.random.default_rng(0)
    real, fake = rng.normal(size=(60, 2)), rng.normal(0.5, 0.5, size=(60, 2))
    among = np.sort(np.linalg.norm(real[:, None] - real, axis=2), axis=1)
    reach = among[:, 5]  # the fifth neighbour behind the row itself
    distance = np.linalg.norm(real[:, None] - fake, axis=2)
    coverage, precision = coverage_and_precision(real, fake)
    assert coverage == (distance <= reach[:, None]).any(axis=1).mean()
    assert precision == (distance <= reach[:, None]).any(axis=0).mean()


# Estimators --------------------------------------------------------------------------------


def sampler(**params):
    small = {"hidden_layer_sizes": (32,), "latent_dim": 4, "batch_size": 64, "loss": "hinge"}
    small |= {"ema_decay": 0.9, "gradient_penalty": 1, "feature_scaling": "standard"}
    small |= {"lr_schedule": "constant", "n_critic": 1, "lr": 1e-3, "betas": (0.5, 0.9)}
    return GANSampler(**{**small, "device": "cpu", "random_state": 0, **params})


def left_behind(X, y=None, **params):
    """Generator that stays what it learned from those rows, whatever it is fitted to next."""
    estimator = sampler(warm_start=True, **params).fit(X, y)
    return estimator.set_params(lr=1e-12, max_epochs=1)


def test_rows_of_far_too_small_a_variance_are_warned_of():
    X = gaussians(120)
    estimator = left_behind(X, max_epochs=2)
    with pytest.warns(ModeCollapseWarning, match=r"vary by 0\.0\d% of the real") as caught:
        estimator.fit(100 * X)
    assert "gradient_penalty" in str(caught[0].message)
    assert caught[0].filename == __file__


def test_few_rows_are_judged_by_their_variance_alone():
    estimator = left_behind(gaussians(64), max_epochs=2)
    with pytest.warns(ModeCollapseWarning, match="vary by"):
        estimator.fit(100 * gaussians(64))
    estimator.fit(gaussians(64))


def test_constant_rows_of_a_class_are_warned_of_beside_distant_means():
    X, y = gaussians(200), np.arange(200) % 2
    estimator = left_behind(X, y, max_epochs=2)
    with pytest.warns(ModeCollapseWarning, match="vary by"):
        estimator.fit(100 * X, y)


def test_lost_modes_are_warned_of():
    wide = np.random.default_rng(0).normal(0, 0.2, size=(600, 2))
    estimator = left_behind(CENTERS[:1] + wide, max_epochs=20)
    everywhere = CENTERS[np.arange(600) % 8] + wide
    with pytest.warns(ModeCollapseWarning, match=r"come near to \d+% of the real rows only"):
        estimator.fit(everywhere)


def test_a_good_fit_is_not_warned_of():
    X = np.random.default_rng(0).normal(size=(500, 3))
    sampler(max_epochs=15).fit(X)


@pytest.mark.parametrize("n_features", [1, 3])
def test_constant_data_are_not_warned_of(n_features):
    sampler(max_epochs=2).fit(np.full((150, n_features), 3.0))
