"""Hand-written nets and training loop of the samplers, for gan_overhead.py."""

import copy

import torch
from _loops import Residual, copy_weights, dense
from skorch.callbacks import Callback
from torch import nn
from torch.nn import functional as F

from skdeep.generative import TabularGANSampler

__all__ = ["KeepRows", "Loop", "check"]

TEMPERATURE = 0.2
HIDDEN_LAYER_SIZES = (128, 128)


# Nets by hand ------------------------------------------------------------------------------


def dense_net(n_inputs, widths, n_outputs):
    return dense((n_inputs, *widths, n_outputs), activation=nn.LeakyReLU, residual=True)


def image_block(channels):
    first, second = (nn.Conv2d(channels, channels, 3, padding=1) for _ in range(2))
    return [Residual(nn.LeakyReLU(), first, nn.LeakyReLU(), second), nn.LeakyReLU()]


def image_nets(n_inputs):
    """Generator, and layers of the critic."""
    up = {"kernel_size": 3, "stride": 2, "padding": 1, "output_padding": 1}
    generator = [nn.Linear(n_inputs, 256), nn.Unflatten(1, (64, 2, 2)), *image_block(64)]
    generator += [nn.ConvTranspose2d(64, 32, **up), *image_block(32)]
    generator += [nn.ConvTranspose2d(32, 1, **up), nn.Flatten()]
    critic = [nn.Unflatten(1, (1, 8, 8)), nn.Conv2d(1, 32, 3, 2, 1), *image_block(32)]
    critic += [nn.Conv2d(32, 64, 3, 2, 1), *image_block(64), nn.Flatten(), nn.Linear(256, 1)]
    return nn.Sequential(*generator), nn.Sequential(*critic)


class Critic(nn.Module):
    """Critic that scores rows, with an optional projection of the class."""

    def __init__(self, net, n_classes):
        super().__init__()
        self.trunk, self.head = net[:-1], net[-1]
        width = self.head.in_features
        self.projection = nn.Linear(n_classes, width, bias=False) if n_classes else None

    def forward(self, x, condition):
        hidden = self.trunk(x)
        if self.projection is None:
            return self.head(hidden)
        return self.head(hidden) + (self.projection(condition) * hidden).sum(1, keepdim=True)


def table_output(raw, sizes):
    """For each column, tanh of its float and Gumbel-softmax of its categories."""
    noisy = (raw - torch.empty_like(raw).exponential_().log()) / TEMPERATURE
    pairs = zip(raw.split(sizes, dim=1), noisy.split(sizes, dim=1), strict=True)
    parts = [noise.softmax(1) if place % 2 else x.tanh() for place, (x, noise) in enumerate(pairs)]
    return torch.cat(parts, dim=1)


# Loop by hand ------------------------------------------------------------------------------


class KeepRows(Callback):
    """Records the scaled rows that a sampler is trained on, and the codes of their conditions."""

    def on_train_begin(self, net, X=None, y=None, **kwargs):
        self.rows = X


class Loop:
    """Trains the nets of a fitted sampler on the same rows."""

    def __init__(self, sampler, rows):
        self.options, gan = sampler.get_params(), sampler.module_
        self.x, self.batch_size, self.pack = rows.x, sampler.batch_size, gan.pack
        self.sizes = gan.condition_sizes  # number of conditions of each column with conditions
        self.n_conditions = sum(self.sizes)
        self.n_inputs = gan.latent_dim + self.n_conditions
        self.is_table = isinstance(sampler, TabularGANSampler)
        self.is_image = self.options.get("image_shape") is not None
        if self.is_table:
            # numbers of floats and categories of each column, and columns with conditions
            self.blocks, self.conditioned = list(gan.output.sizes), gan.output.conditions
        if self.sizes:
            pairs = zip(rows.y.T, self.sizes, strict=True)
            counts = [codes.bincount(minlength=size) for codes, size in pairs]
            self.counts = torch.cat(counts)
            # indices of rows sorted by the code of each column, and where each code starts
            self.sorted = rows.y.T.argsort(dim=1).flatten()
            self.starts = self.counts.cumsum(0) - self.counts
            self.chances = torch.cat([one.log1p() / one.log1p().sum() for one in counts])

    def nets(self):
        """Generator and critic."""
        n_features = self.x.shape[1]
        if self.is_image:
            generator, critic = image_nets(self.n_inputs)
            return generator, Critic(critic, self.n_conditions)
        n_read = self.pack * (n_features + self.n_conditions) if self.is_table else n_features
        n_classes = 0 if self.is_table else self.n_conditions
        critic = Critic(dense_net(n_read, HIDDEN_LAYER_SIZES, 1), n_classes)
        return dense_net(self.n_inputs, HIDDEN_LAYER_SIZES, n_features), critic

    def batches(self):
        """Rows and conditions of the batches of an epoch."""
        n_batches = -(-len(self.x) // self.batch_size)
        shape = (n_batches, self.batch_size)
        if not self.sizes:
            yield from ((self.x[index], None) for index in torch.randint(len(self.x), shape))
            return
        conditions = self.chances.multinomial(n_batches * self.batch_size, replacement=True)
        place = torch.rand(len(conditions), dtype=torch.float64) * self.counts[conditions]
        index = self.sorted[self.starts[conditions] + place.long()]
        for rows, condition in zip(index.view(shape), conditions.view(shape), strict=True):
            yield self.x[rows], F.one_hot(condition, self.n_conditions).float()

    def generate(self, generator, condition):
        """Generated rows and the raw output of the generator."""
        z = torch.randn(self.batch_size, self.n_inputs - self.n_conditions)
        raw = generator(z if condition is None else torch.cat([z, condition], dim=1))
        if self.is_table:
            return table_output(raw, self.blocks), raw
        return (raw.tanh() if self.is_image else raw), raw

    def read(self, rows, condition):
        """Rows prepared for the critic."""
        if not self.is_table:
            return rows
        return torch.cat([rows, condition], dim=1).view(len(rows) // self.pack, -1)

    def critic_loss(self, critic, real, fake, condition):
        """Critic loss with gradient penalty."""
        real, fake = self.read(real, condition), self.read(fake, condition)
        if self.options["loss"] == "wgan-gp":
            between = real.lerp(fake, torch.rand(len(real), 1)).requires_grad_()
            norm = (slopes(critic(between, condition), between) + 1e-12).sqrt()
            loss = critic(fake, condition).mean() - critic(real, condition).mean()
            return loss + 10 * (norm - 1).square().mean()
        score = critic(real.requires_grad_(), condition)
        loss = F.softplus(-score).mean() + F.softplus(critic(fake, condition)).mean()
        return loss + slopes(score, real).mean() / 2

    def generator_loss(self, critic, fake, raw, condition):
        """Generator loss with the condition loss."""
        score = critic(self.read(fake, condition), condition)
        loss = -score.mean() if self.options["loss"] == "wgan-gp" else F.softplus(-score).mean()
        if self.is_table:
            blocks = raw.split(self.blocks, dim=1)
            logits = [blocks[2 * column + 1].log_softmax(dim=1) for column in self.conditioned]
            loss = loss - (torch.cat(logits, dim=1) * condition).sum(dim=1).mean()
        return loss

    def fit(self, n_epochs):
        """Build and train the nets; return the mean losses of each epoch."""
        generator, critic = self.nets()
        average = copy.deepcopy(generator).requires_grad_(False)
        averaged, weights = list(average.parameters()), list(generator.parameters())
        critic_weights = list(critic.parameters())
        shared = {name: self.options[name] for name in ("lr", "betas", "weight_decay")}
        generator_step = torch.optim.AdamW(weights, fused=True, **shared)
        critic_step = torch.optim.AdamW(critic_weights, fused=True, **shared)
        curve = []
        for _ in range(n_epochs):
            losses = []
            for real, condition in self.batches():
                with torch.no_grad():
                    fake, _ = self.generate(generator, condition)
                critic_loss = self.critic_loss(critic, real, fake, condition)
                critic_loss.backward(inputs=critic_weights)
                critic_step.step()
                critic_step.zero_grad()
                fake, raw = self.generate(generator, condition)
                generator_loss = self.generator_loss(critic, fake, raw, condition)
                generator_loss.backward(inputs=weights)
                generator_step.step()
                generator_step.zero_grad()
                torch._foreach_lerp_(averaged, weights, 1 - self.options["ema_decay"])
                losses += [critic_loss.detach(), generator_loss.detach()]
            curve.append(torch.stack(losses).view(-1, 2).mean(dim=0).tolist())
        return curve


def slopes(scores, x):
    """Squared norm of the gradient of each row's score."""
    (gradient,) = torch.autograd.grad(scores.sum(), x, create_graph=True)
    return gradient.square().sum(dim=1)


@torch.no_grad()
def check(loop, gan):
    """Verify that the hand-written nets and the sampler's return the same with equal weights."""
    generator, critic = loop.nets()
    copy_weights(gan.generator, generator)
    copy_weights(gan.critic, critic)
    real, condition = next(iter(loop.batches()))
    inputs = torch.randn(len(real), loop.n_inputs)
    rows = loop.read(real, condition)
    torch.testing.assert_close(rows, gan.critic_rows(real, condition))
    torch.testing.assert_close(generator(inputs), gan.generator(inputs), rtol=1e-3, atol=1e-4)
    scores = critic(rows, condition)
    torch.testing.assert_close(scores, gan.judge(rows, condition), rtol=1e-3, atol=1e-4)
