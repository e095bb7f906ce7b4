"""Adversarial training compared with hand-written loops and formulas."""

import copy

import numpy as np
import pandas as pd
import pytest
import torch
from numpy.testing import assert_allclose, assert_array_equal
from scipy.special import log_softmax, softmax
from scipy.stats import chisquare
from skorch.callbacks import Callback
from torch import nn
from torch.nn import functional as F

from skdeep.generative import GANSampler, TabularGANSampler

pytestmark = pytest.mark.filterwarnings("ignore::skdeep.exceptions.ModeCollapseWarning")

X = np.random.default_rng(0).normal(size=(40, 3))
Y = np.arange(40) % 2


class Record(Callback):
    """Records the initial nets, the batches, and the inputs of both nets."""

    def on_train_begin(self, net, **kwargs):
        self.start_ = copy.deepcopy(net.module_)
        self.batches_, self.noise_, self.read_ = [], [], []
        gan = net.module_
        self.hooks_ = [
            gan.generator.register_forward_pre_hook(lambda net, given: self.keep_noise(*given)),
            gan.critic.register_forward_pre_hook(lambda net, given: self.keep_read(*given)),
        ]

    def keep_noise(self, noise):
        self.noise_.append(noise.detach().clone())

    def keep_read(self, rows, condition=None):
        self.read_.append(rows.detach().clone())

    def on_batch_begin(self, net, batch=None, **kwargs):
        self.batches_.append((batch.x.detach().clone(), batch.y))

    def on_train_end(self, net, **kwargs):
        for hook in self.hooks_:
            hook.remove()


def fit(X, y=None, Class=GANSampler, **params):
    """Small generator with one batch per epoch, and the record of its training."""
    small = {"hidden_layer_sizes": (16,), "latent_dim": 4, "batch_size": 40, "max_epochs": 1}
    small |= {"lr": 1e-3, "lr_schedule": "constant", "device": "cpu", "random_state": 0}
    record = Record()
    return Class(**{**small, **params}, callbacks=[record]).fit(X, y), record


# Hand loop ---------------------------------------------------------------------------------

CRITIC_LOSSES = {
    "wgan-gp": lambda real, fake: fake.mean() - real.mean(),
    "hinge": lambda real, fake: F.relu(1 - real).mean() + F.relu(1 + fake).mean(),
    "non-saturating": lambda real, fake: F.softplus(-real).mean() + F.softplus(fake).mean(),
    "least-squares": lambda real, fake: (real - 1).square().mean() + fake.square().mean(),
}
GENERATOR_LOSSES = {
    "wgan-gp": lambda fake: -fake.mean(),
    "hinge": lambda fake: -fake.mean(),
    "non-saturating": lambda fake: F.softplus(-fake).mean(),
    "least-squares": lambda fake: (fake - 1).square().mean(),
}


def penalty_of(critic, real, between, hot, weight):
    """Penalty on the critic's slope: between real and generated rows, or at real ones."""
    points = (real if between is None else between).clone().requires_grad_()
    (slope,) = torch.autograd.grad(critic(points, hot).sum(), points, create_graph=True)
    if between is None:
        return weight / 2 * slope.square().sum(dim=1).mean()
    return weight * (slope.norm(dim=1) - 1).square().mean()


def assert_lies_between(points, real, fake):
    """Check that each point lies on the line between its pair, at a random position."""
    line = fake - real
    place = ((points - real) * line).sum(dim=1, keepdim=True) / line.square().sum(dim=1)[:, None]
    torch.testing.assert_close(points, real + place * line, rtol=1e-4, atol=1e-4)
    assert (place > 0).all() and (place < 1).all() and len(place.unique()) == len(real)


def play(record, *, loss, penalty, n_critic, clip, decay, lrs, betas):
    """Train the nets of a record by hand with its batches and noise; the losses of each step."""
    gan, noise, read = record.start_.train(), iter(record.noise_), iter(record.read_)
    players = {"generator": gan.generator, "critic": gan.critic}
    optimizers = {
        name: torch.optim.AdamW(player.parameters(), lr=lr, betas=betas, weight_decay=0.01)
        for (name, player), lr in zip(players.items(), lrs, strict=True)
    }

    def descend(name, objective):
        weights = list(players[name].parameters())
        for weight, gradient in zip(weights, torch.autograd.grad(objective, weights), strict=True):
            weight.grad = gradient
        if clip is not None:
            nn.utils.clip_grad_norm_(weights, clip)
        optimizers[name].step()

    curves, n_averaged = [], 0
    for step, (real, condition) in enumerate(record.batches_):
        hot = None if condition is None else F.one_hot(condition, 2).float()
        z = next(noise)
        assert hot is None or torch.equal(z[:, 4:], hot)
        fake = gan.generator(z).detach()
        assert torch.equal(next(read), real)
        torch.testing.assert_close(next(read), fake, rtol=1e-3, atol=1e-4)
        between = next(read) if loss == "wgan-gp" else None
        if between is not None:
            assert_lies_between(between, real, fake)
        objective = CRITIC_LOSSES[loss](gan.critic(real, hot), gan.critic(fake, hot))
        curves.append(objective.item())
        descend("critic", objective + penalty_of(gan.critic, real, between, hot, penalty))
        if step % n_critic:
            continue
        fake = gan.generator(next(noise))
        next(read)
        descend("generator", GENERATOR_LOSSES[loss](gan.critic(fake, hot)))
        kept = min(decay, (1 + n_averaged) / (10 + n_averaged))  # forgets faster at first
        n_averaged += 1
        for mean, new in zip(gan.average.parameters(), gan.generator.parameters(), strict=True):
            mean.data = kept * mean + (1 - kept) * new.data
    assert next(noise, None) is None and next(read, None) is None
    return curves


@pytest.mark.parametrize("y", [None, Y], ids=["alone", "by class"])
@pytest.mark.parametrize("clip, n_critic", [(None, 1), (0.1, 2)])
@pytest.mark.parametrize("loss", CRITIC_LOSSES)
def test_training_equals_a_hand_loop(loss, clip, n_critic, y):
    options = {"n_critic": n_critic, "betas": (0.5, 0.9)}
    fitted, record = fit(
        X,
        y,
        loss=loss,
        gradient_penalty=2.0,
        max_epochs=5,
        lr=0.01,
        critic_lr=0.02,
        weight_decay=0.01,
        gradient_clip_value=clip,
        ema_decay=0.3,
        **options,
    )
    first = copy.deepcopy(record.start_)
    assert all(map(torch.equal, first.average.parameters(), first.generator.parameters()))
    lrs = (0.01, 0.02)
    curve = play(record, loss=loss, penalty=2.0, clip=clip, decay=0.3, lrs=lrs, **options)
    assert_allclose(fitted.critic_loss_curve_, curve, rtol=1e-3, atol=1e-5)
    weights = record.start_.state_dict()
    for name, weight in fitted.module_.state_dict().items():
        torch.testing.assert_close(weight, weights[name], rtol=1e-3, atol=1e-5, msg=name)


# Formulas ----------------------------------------------------------------------------------


def test_style_loss_compares_the_gram_matrices_of_the_critics_layers():
    # of a critic without a hidden layer the only one is the sample itself
    fitted, record = fit(X, hidden_layer_sizes=(), style_weight=3.0)
    real = record.batches_[0][0].numpy()
    fake = record.start_.generator(record.noise_[1]).detach().numpy()
    grams = [rows.T @ rows / 40 for rows in (real, fake)]
    assert fitted.history_[0]["train_style"] == pytest.approx(
        3 * np.mean((grams[0] - grams[1]) ** 2), rel=1e-4
    )


@pytest.mark.parametrize("image_shape", [None, (8, 8)], ids=["dense", "convolutional"])
def test_first_samples_vary_as_much_as_scaled_real_ones(image_shape):
    rows = np.random.default_rng(0).normal(size=(50, 64))
    options = {"lr": 1e-30, "feature_scaling": "standard", "image_shape": image_shape}
    for seed in range(3):
        _, record = fit(rows, random_state=seed, **options)
        noise = torch.randn(2000, 4, generator=torch.Generator().manual_seed(seed))
        assert 0.7 < record.start_.generator(noise).std().item() < 1.25


# Tables ------------------------------------------------------------------------------------


def fit_table(n_rows=40, **params):
    """Generator of a number and of categories, three and two, and the record of a batch."""
    frame = pd.DataFrame(
        {
            "number": np.random.default_rng(0).normal(size=n_rows),
            "kind": np.array(["a", "b", "c"])[np.arange(n_rows) % 3],
            "other": np.array(["x", "y"])[np.arange(n_rows) % 2],
        }
    )
    options = {"loss": "non-saturating", "gradient_penalty": 0.0, "n_modes": 2}
    return fit(frame, Class=TabularGANSampler, **{**options, **params})


def test_conditions_of_a_table_add_the_cross_entropy_of_the_wanted_category():
    fitted, record = fit_table()
    raw = record.start_.generator(record.noise_[1]).detach().numpy()
    blocks = [log_softmax(raw[:, places], axis=1) for places in (slice(-5, -2), slice(-2, None))]
    expected = -np.hstack(blocks)[np.arange(len(raw)), record.batches_[0][1]].mean()
    assert fitted.history_[0]["train_condition"] == pytest.approx(expected, rel=1e-5)


def test_generated_tables_hold_hyperbolic_tangents_and_draws_from_a_softmax():
    _, record = fit_table(batch_size=5000)
    raw = record.start_.generator(record.noise_[0]).detach().numpy()
    rows = record.read_[1].numpy()[:, : raw.shape[1]]
    assert_allclose(rows[:, 0], np.tanh(raw[:, 0]), rtol=1e-4, atol=1e-6)
    for places in (slice(1, -5), slice(-5, -2), slice(-2, None)):
        drawn = rows[:, places]
        assert (drawn >= 0).all()
        assert_allclose(drawn.sum(axis=1), 1, rtol=1e-5)
        expected = softmax(raw[:, places].astype(float), axis=1).sum(axis=0)
        counts = np.bincount(drawn.argmax(axis=1), minlength=drawn.shape[1])
        if len(counts) > 1:
            assert chisquare(counts, expected).pvalue > 0.01
        assert (drawn.max(axis=1) > 0.9).mean() > 0.6  # nearly hard


@pytest.mark.parametrize("pac", [1, 5])
def test_a_critic_of_tables_reads_several_samples_with_their_conditions_side_by_side(pac):
    _, record = fit_table(pac=pac)
    rows, condition = record.batches_[0]
    beside = np.hstack([rows, np.eye(5)[condition]])
    assert_array_equal(record.read_[0], beside.reshape(40 // pac, -1))
