"""Adversarial training: parameters, loss curves, failures and warm starts."""

import numpy as np
import pytest
import torch
from numpy.testing import assert_allclose, assert_array_equal
from skorch.callbacks import Callback

from skdeep.exceptions import DivergenceError
from skdeep.generative import GANFeatureExtractor, GANSampler

pytestmark = pytest.mark.filterwarnings("ignore::skdeep.exceptions.ModeCollapseWarning")

X = np.random.default_rng(0).normal(size=(40, 3))
Y = np.arange(40) % 2


def sampler(**params):
    """Small generator with one full batch per epoch."""
    small = {"hidden_layer_sizes": (16,), "latent_dim": 4, "batch_size": 40, "max_epochs": 3}
    small |= {"loss": "non-saturating", "gradient_penalty": 1.0, "n_critic": 1, "lr": 1e-3}
    small |= {"critic_lr": None, "lr_schedule": "constant", "ema_decay": 0.999}
    return GANSampler(**{**small, "device": "cpu", "random_state": 0, **params})


def rows_of(estimator):
    return estimator.sample(20, random_state=0)


def term(estimator, name):
    return [row[f"train_{name}"] for row in estimator.history_]


# Parameters --------------------------------------------------------------------------------


def test_the_generator_is_trained_at_every_n_critic_th_batch():
    losses = term(sampler(n_critic=3, max_epochs=7).fit(X), "generator")
    assert losses[0] == losses[1] == losses[2] != losses[3]
    assert losses[3] == losses[4] == losses[5] != losses[6]
    assert len(set(term(sampler(max_epochs=7).fit(X), "generator"))) == 7


def test_the_critic_is_trained_at_every_batch():
    assert len(set(term(sampler(n_critic=5, max_epochs=5).fit(X), "critic"))) == 5


def test_critic_lr_is_the_step_size_of_the_critic_alone():
    still = {"critic_lr": 1e-30, "ema_decay": 0.0}
    short, long = (sampler(**still, max_epochs=n).fit(X) for n in (1, 3))
    assert_array_equal(short.score_samples(X), long.score_samples(X))
    assert (rows_of(short) != rows_of(long)).any()


def test_lr_is_the_step_size_of_the_generator_alone_if_the_critic_has_its_own():
    still = {"lr": 1e-30, "critic_lr": 1e-2}
    short, long = (sampler(**still, max_epochs=n).fit(X) for n in (1, 3))
    assert_array_equal(rows_of(short), rows_of(long))
    assert (short.score_samples(X) != long.score_samples(X)).all()


def test_critic_lr_none_is_lr():
    same, default = (sampler(lr=0.01, critic_lr=lr).fit(X) for lr in (0.01, None))
    assert same.loss_curve_ == default.loss_curve_
    assert_array_equal(rows_of(same), rows_of(default))


def test_betas_change_the_training_and_may_be_a_list():
    default, same, other = (sampler(betas=b).fit(X) for b in [(0.5, 0.9), [0.5, 0.9], (0, 0.99)])
    assert_array_equal(rows_of(default), rows_of(same))
    assert (rows_of(default) != rows_of(other)).any()


@pytest.mark.parametrize("betas", [(0.5,), (0.5, 1.0), (-0.1, 0.9), (0.5, "a"), (0.1, 0.2, 0.3)])
def test_betas_that_are_none_are_an_error(betas):
    with pytest.raises(ValueError, match=r"betas must be two numbers in \[0, 1\)"):
        sampler(betas=betas).fit(X)


@pytest.mark.parametrize("lr_schedule", ["plateau", "nonsense"])
def test_a_game_has_no_plateau(lr_schedule):
    with pytest.raises(ValueError, match="lr_schedule"):
        sampler(lr_schedule=lr_schedule).fit(X)


def test_without_decay_the_average_is_the_generator_itself():
    module = sampler(ema_decay=0.0).fit(X).module_
    assert all(map(torch.equal, module.average.parameters(), module.generator.parameters()))
    module = sampler(ema_decay=0.9).fit(X).module_
    assert not any(map(torch.equal, module.average.parameters(), module.generator.parameters()))


def test_clipping_changes_the_training():
    plain, loose, tight = (sampler(gradient_clip_value=c).fit(X) for c in (None, 1e9, 1e-6))
    assert_array_equal(rows_of(plain), rows_of(loose))
    assert (rows_of(plain) != rows_of(tight)).any()


class StepSizes(Callback):
    def on_train_begin(self, net, **kwargs):
        self.found = []

    def on_epoch_end(self, net, **kwargs):
        self.found.append([group["lr"] for group in net.optimizer_.param_groups])


def step_sizes(**params):
    sizes = StepSizes()
    sampler(lr=1e-3, critic_lr=4e-3, callbacks=[sizes], **params).fit(X)
    return np.array(sizes.found)


def test_cosine_takes_both_step_sizes_to_zero():
    half_circle = (1 + np.cos(np.pi * np.arange(1, 9) / 8)) / 2
    expected = half_circle[:, np.newaxis] * [1e-3, 4e-3]
    assert_allclose(step_sizes(max_epochs=8, lr_schedule="cosine"), expected, atol=1e-12)


def test_constant_step_sizes_are_constant():
    assert_array_equal(step_sizes(lr_schedule="constant"), [[1e-3, 4e-3]] * 3)


@pytest.mark.parametrize("image_shape", [None, (8, 8)], ids=["dense", "convolutional"])
def test_spectral_norm_bounds_the_singular_values_by_one(image_shape):
    pixels = np.random.default_rng(0).normal(size=(40, 64))
    estimator = sampler(image_shape=image_shape, spectral_norm=True, lr=0.003, max_epochs=40)
    critic = estimator.fit(pixels).module_.critic
    layers = [layer for layer in critic.modules() if hasattr(layer, "parametrizations")]
    assert len(layers) >= 4
    for layer in layers:
        norm = torch.linalg.matrix_norm(layer.weight.detach().flatten(1), ord=2).item()
        assert norm == pytest.approx(1, abs=0.1)
    assert np.ptp(estimator.score_samples(pixels)) > 0


def test_a_class_changes_how_a_critic_weighs_its_last_layer():
    # of a critic without a hidden layer that is the sample itself
    params = {"hidden_layer_sizes": (), "feature_scaling": None, "max_epochs": 30, "lr": 0.01}
    fitted = sampler(**params).fit(X, Y)
    design = np.column_stack([X, np.ones(40)])
    scores = np.column_stack([fitted.score_samples(X, np.full(40, label)) for label in (0, 1)])
    weights, residuals, *_ = np.linalg.lstsq(design, scores)
    assert_allclose(residuals, 0, atol=1e-8)
    assert_allclose(*weights[-1], atol=1e-5)
    assert np.abs(weights[:-1, 0] - weights[:-1, 1]).min() > 1e-3


@pytest.mark.parametrize("side, n_features", [(8, 4 * 16 + 6 * 4), (32, 4 * 16 + 6 * 16)])
def test_features_of_images_are_those_of_four_by_four_pixels_at_most(side, n_features):
    options = {"image_shape": (side, side), "hidden_layer_sizes": (4, 6), "device": "cpu"}
    with pytest.raises(ValueError, match=f"n_components must be at most {n_features},"):
        GANFeatureExtractor(1000, **options).fit(np.zeros((3, side**2)))


# Curves ------------------------------------------------------------------------------------


@pytest.mark.parametrize("batch_size", [40, 16])
def test_curves_hold_the_losses_of_both_players(batch_size):
    fitted = sampler(batch_size=batch_size, max_epochs=4, gradient_penalty=1.0).fit(X)
    assert fitted.n_iter_ == len(fitted.history_) == 4
    assert fitted.loss_curve_ == term(fitted, "generator")
    assert fitted.critic_loss_curve_ == term(fitted, "critic")
    assert min(term(fitted, "penalty")) > 0
    assert fitted.history_[0]["train_batch_count"] == -(-40 // batch_size)
    assert np.isfinite(fitted.loss_curve_ + fitted.critic_loss_curve_).all()


def test_without_a_penalty_there_is_none_in_the_history():
    fitted = sampler(gradient_penalty=0).fit(X)
    assert "train_penalty" not in fitted.history_[0] and "train_critic" in fitted.history_[0]


def test_penalties_are_recorded_by_their_weight():
    one, three = (sampler(gradient_penalty=w, max_epochs=1).fit(X) for w in (1, 3))
    assert_allclose(term(three, "penalty"), 3 * np.array(term(one, "penalty")), rtol=1e-5)


def test_style_adds_to_the_loss_of_the_generator_by_its_weight():
    none, one, three = (sampler(style_weight=w, max_epochs=1).fit(X) for w in (0, 1, 3))
    assert "train_style" not in none.history_[0]
    assert_allclose(term(three, "style"), 3 * np.array(term(one, "style")), rtol=1e-5)
    # the first batch meets the same nets
    assert term(none, "generator") == term(one, "generator") == term(three, "generator")


def test_style_weight_trains_the_statistics_of_the_critics_layers():
    plain, styled = (
        sampler(style_weight=w, max_epochs=100, lr=5e-3, ema_decay=0.0).fit(X) for w in (1e-6, 30)
    )
    assert (rows_of(plain) != rows_of(styled)).any()
    style = term(styled, "style")
    assert np.mean(style[-20:]) < 0.7 * np.mean(style[:5])


# Warm starts and failures ------------------------------------------------------------------


@pytest.mark.parametrize("y", [None, Y], ids=["alone", "by class"])
def test_warm_starts_go_on(y):
    whole = sampler(max_epochs=6, n_critic=2).fit(X, y)
    parts = sampler(max_epochs=2, n_critic=2, warm_start=True).fit(X, y)
    parts.set_params(max_epochs=4).fit(X, y)
    assert parts.n_iter_ == len(parts.loss_curve_) == len(parts.critic_loss_curve_) == 6
    assert parts.loss_curve_[:2] == whole.loss_curve_[:2]
    assert len(set(parts.critic_loss_curve_)) == 6


def test_warm_starts_need_classes_exactly_if_there_were_some():
    estimator = sampler(warm_start=True).fit(X, Y)
    with pytest.raises(ValueError, match="y must be given in a warm start exactly if"):
        estimator.fit(X)
    with pytest.raises(ValueError, match="y must contain only labels seen in the first fit"):
        estimator.fit(X, Y + 1)
    assert estimator.n_iter_ == 3  # as it was
    with pytest.raises(ValueError, match="y must be given in a warm start exactly if"):
        sampler(warm_start=True).fit(X).fit(X, Y)


def test_new_fits_forget_the_classes():
    estimator = sampler().fit(X, Y).fit(X)
    assert not hasattr(estimator, "classes_") and estimator.sample(2).shape == (2, 3)


@pytest.mark.parametrize("loss", ["non-saturating", "wgan-gp"])
def test_absurd_step_sizes_diverge(loss):
    estimator = sampler(lr=1e25, loss=loss, max_epochs=10)
    with pytest.raises(DivergenceError, match=r"stopped being finite in epoch \d+ with lr=1e\+25"):
        estimator.fit(X)
    assert not hasattr(estimator, "net_") and not hasattr(estimator, "loss_curve_")


def test_a_diverged_warm_start_leaves_the_last_state():
    estimator = sampler(warm_start=True).fit(X)
    rows, curve = rows_of(estimator), list(estimator.loss_curve_)
    with pytest.raises(DivergenceError):
        estimator.set_params(lr=1e25, max_epochs=10).fit(X)
    assert_array_equal(rows_of(estimator), rows)
    assert estimator.loss_curve_ == curve
