"""Two players and a step for each: against hand loops, and what their parameters do."""

import numpy as np
import pytest
import torch
from numpy.testing import assert_allclose, assert_array_equal
from skorch.callbacks import Callback
from torch import nn
from torch.nn import functional as F

from skdeep._preprocessing._linear import LinearScaler
from skdeep._training._adversarial import AdversarialNet, Game
from skdeep._training._conditions import Conditions
from skdeep._training._data import make_rows
from skdeep.exceptions import DivergenceError
from skdeep.generative import GANSampler
from skdeep.nn._coder import CoderShape
from skdeep.nn._gan import GAN
from skdeep.utils._random import make_streams

pytestmark = pytest.mark.filterwarnings("ignore::skdeep.exceptions.ModeCollapseWarning")

X = np.random.default_rng(0).normal(size=(40, 3))
Y = np.arange(40) % 2


def sampler(**params):
    """Small generator that sees all rows in one batch per epoch."""
    small = {"hidden_layer_sizes": (16,), "latent_dim": 4, "batch_size": 40, "max_epochs": 3}
    small |= {"loss": "non-saturating", "gradient_penalty": 1.0, "n_critic": 1, "lr": 1e-3}
    small |= {"critic_lr": None, "lr_schedule": "constant", "ema_decay": 0.999}
    return GANSampler(**{**small, "device": "cpu", "random_state": 0, **params})


def rows_of(estimator):
    return estimator.sample(20, random_state=0)


def term(estimator, name):
    return [row[f"train_{name}"] for row in estimator.history_]


# Hand loop ---------------------------------------------------------------------------------


def make_gan(streams):
    shape = {"hidden_layer_sizes": (16,), "activation": "leaky_relu", "block": "residual"}
    return GAN(
        CoderShape(3, 6, **shape),
        CoderShape(3, 1, **shape),
        condition_sizes=(2,),
        projects=True,
        pack=1,
        output=nn.Identity(),
        has_spectral_norm=False,
        streams=streams,
    )


def critic_objective(gan, real, fake, hot, loss, penalty, generator):
    """Loss of a critic and its penalty, written out."""
    real = real.clone().requires_grad_()
    right, wrong = gan.critic(real, hot), gan.critic(fake, hot)
    if loss == "wgan-gp":
        share = torch.empty(len(real), 1).uniform_(generator=generator)
        between = ((1 - share) * real + share * fake).detach().requires_grad_()
        (slope,) = torch.autograd.grad(gan.critic(between, hot).sum(), between, create_graph=True)
        return (wrong - right).mean() + penalty * (slope.norm(dim=1) - 1).square().mean()
    (slope,) = torch.autograd.grad(right.sum(), real, create_graph=True)
    extra = penalty / 2 * slope.square().sum(dim=1).mean()
    if loss == "hinge":
        return F.relu(1 - right).mean() + F.relu(1 + wrong).mean() + extra
    return F.softplus(-right).mean() + F.softplus(wrong).mean() + extra


def hand_loop(x, codes, n_steps, *, loss, penalty, n_critic, clip, decay, lrs, betas):
    streams = make_streams(0)
    gan = make_gan(streams).train()
    conditions = Conditions(codes, (2,))
    players = gan.generator, gan.critic
    optimizers = [
        torch.optim.AdamW(player.parameters(), lr=lr, betas=betas, weight_decay=0.01)
        for player, lr in zip(players, lrs, strict=True)
    ]

    def make(n_rows, hot):
        z = torch.empty(n_rows, 4).normal_(generator=streams["noise"])
        return gan.generator(torch.cat([z, hot], dim=1))

    def descend(objective, player):
        players[player].zero_grad()
        objective.backward(inputs=list(players[player].parameters()))
        if clip is not None:
            nn.utils.clip_grad_norm_(players[player].parameters(), clip)
        optimizers[player].step()

    count = 0
    for step in range(n_steps):
        index, condition = conditions.draw(len(x), streams["shuffle"])
        real, hot = x[index], F.one_hot(condition, 2).float()
        fake = make(len(real), hot).detach()
        descend(critic_objective(gan, real, fake, hot, loss, penalty, streams["noise"]), 1)
        if step % n_critic:
            continue
        score = gan.critic(make(len(real), hot), hot)
        descend(F.softplus(-score).mean() if loss == "non-saturating" else -score.mean(), 0)
        share = min(decay, (1 + count) / (10 + count))
        count += 1
        for mean, new in zip(gan.average.parameters(), gan.generator.parameters(), strict=True):
            mean.data = share * mean + (1 - share) * new.data
    return gan


@pytest.mark.parametrize("clip, n_critic", [(None, 1), (0.1, 2)])
@pytest.mark.parametrize("loss", ["non-saturating", "hinge", "wgan-gp"])
def test_training_equals_a_hand_loop(loss, clip, n_critic):
    options = {"n_critic": n_critic, "betas": (0.5, 0.9)}
    rows = make_rows(X, Y[:, np.newaxis], scaler=LinearScaler(3), device="cpu", batch_size=40)
    expected = hand_loop(
        rows.x,
        rows.y.numpy(),
        5,
        loss=loss,
        penalty=2.0,
        clip=clip,
        decay=0.3,
        lrs=(0.01, 0.02),
        **options,
    )
    streams = make_streams(0)
    net = AdversarialNet(
        make_gan(streams),
        Game(loss, gradient_penalty=2.0, style_weight=0.0),
        shuffle_generator=streams["shuffle"],
        max_epochs=5,
        batch_size=40,
        lr=0.01,
        critic_lr=0.02,
        weight_decay=0.01,
        gradient_clip_value=clip,
        ema_decay=0.3,
        device="cpu",
        verbose=0,
        **options,
    ).initialize()
    net.train_on(rows, n_epochs=5)
    weights = expected.state_dict()
    for name, weight in net.module_.state_dict().items():
        torch.testing.assert_close(weight, weights[name], rtol=1e-3, atol=1e-5, msg=name)


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
    estimator = sampler(image_shape=image_shape, spectral_norm=True, lr=0.01, max_epochs=40)
    critic = estimator.fit(pixels).module_.critic
    layers = [layer for layer in critic.modules() if hasattr(layer, "parametrizations")]
    assert len(layers) >= 4
    for layer in layers:
        norm = torch.linalg.matrix_norm(layer.weight.detach().flatten(1), ord=2).item()
        assert norm == pytest.approx(1, abs=0.1)
    assert np.ptp(estimator.score_samples(pixels)) > 0


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
        sampler(style_weight=w, max_epochs=60, lr=5e-3, ema_decay=0.0).fit(X) for w in (1e-6, 30)
    )
    assert (rows_of(plain) != rows_of(styled)).any()
    assert term(styled, "style")[-1] / 30 < 0.5 * term(styled, "style")[0] / 30


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
    with pytest.raises(ValueError, match="y must hold only labels that the first fit knew"):
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
