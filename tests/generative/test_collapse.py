"""The warning about mode collapse: issued for collapsed generators only."""

import re

import numpy as np
import pytest

from skdeep.exceptions import ModeCollapseWarning
from skdeep.generative import GANSampler

ANGLES = np.arange(8) * np.pi / 4
CENTERS = 2 * np.column_stack([np.cos(ANGLES), np.sin(ANGLES)])


def gaussians(n_rows, modes=range(8), seed=0):
    rng = np.random.default_rng(seed)
    return CENTERS[rng.choice(list(modes), n_rows)] + rng.normal(0, 0.05, size=(n_rows, 2))


def sampler(**params):
    small = {"hidden_layer_sizes": (32,), "latent_dim": 4, "batch_size": 64, "loss": "hinge"}
    small |= {"ema_decay": 0.9, "gradient_penalty": 1, "feature_scaling": "standard"}
    small |= {"lr_schedule": "constant", "n_critic": 1, "lr": 1e-3, "betas": (0.5, 0.9)}
    return GANSampler(**{**small, "device": "cpu", "random_state": 0, **params})


def left_behind(X, y=None, **params):
    """Generator that keeps what it learned from these samples, whatever it is fitted on next."""
    estimator = sampler(warm_start=True, **params).fit(X, y)
    return estimator.set_params(lr=1e-12, max_epochs=1)


def percentage(caught):
    """Number in the text of a warning."""
    return float(re.search(r"([\d.]+)%", str(caught[0].message))[1])


def test_rows_of_far_too_small_a_variance_are_warned_of():
    X = gaussians(120)
    estimator = left_behind(X, max_epochs=2)
    with pytest.warns(
        ModeCollapseWarning, match=r"have 0\.0\d% of the variance of the real"
    ) as caught:
        estimator.fit(100 * X)
    ratio = estimator.sample(5000, random_state=0).var(axis=0).sum() / (100 * X).var(axis=0).sum()
    assert percentage(caught) == pytest.approx(100 * ratio, abs=0.01)
    assert "gradient_penalty" in str(caught[0].message)
    assert caught[0].filename == __file__


def test_few_rows_are_judged_by_their_variance_alone():
    estimator = left_behind(gaussians(64), max_epochs=2)
    with pytest.warns(ModeCollapseWarning, match="of the variance of the real samples"):
        estimator.fit(100 * gaussians(64))
    estimator.fit(gaussians(64))


def test_constant_rows_of_a_class_are_warned_of_beside_distant_means():
    X, y = gaussians(200), np.arange(200) % 2
    estimator = left_behind(X, y, max_epochs=2)
    with pytest.warns(ModeCollapseWarning, match="of the variance of the real samples"):
        estimator.fit(100 * X, y)


def test_lost_modes_are_warned_of():
    wide = np.random.default_rng(0).normal(0, 0.2, size=(600, 2))
    estimator = left_behind(CENTERS[:1] + wide, max_epochs=20)
    everywhere = CENTERS[np.arange(600) % 8] + wide
    with pytest.warns(ModeCollapseWarning, match=r"close to only \d+% of the real samples") as seen:
        estimator.fit(everywhere)
    # a sample is near a real one if it is no further away than its fifth real neighbor
    among = np.sort(np.linalg.norm(everywhere[:, None] - everywhere, axis=2), axis=1)
    drawn = estimator.sample(1000, random_state=0)
    distance = np.linalg.norm(everywhere[:, None] - drawn, axis=2).min(axis=1)
    assert percentage(seen) == pytest.approx(100 * (distance <= among[:, 5]).mean(), abs=3)


def test_a_good_fit_is_not_warned_of():
    X = np.random.default_rng(0).normal(size=(500, 3))
    sampler(max_epochs=15).fit(X)


@pytest.mark.parametrize("n_features", [1, 3])
def test_constant_data_are_not_warned_of(n_features):
    sampler(max_epochs=2).fit(np.full((150, n_features), 3.0))
