"""The skorch net that trains a generator against a critic."""

import functools
import operator

import numpy as np
import torch
from skorch.callbacks import PrintLog
from torch import nn

from skdeep._training._net import TrainingNet
from skdeep._training._optim import optimizer_options
from skdeep.generative._conditional_batches import Conditions, DrawnBatches
from skdeep.generative._mode_collapse import warn_of_collapse
from skdeep.nn import _gan_losses as losses
from skdeep.nn._gan import TableOutput


class Game(nn.Module):
    """Losses of critic and generator.

    Parameters
    ----------
    loss : {"wgan-gp", "hinge", "non-saturating", "least-squares"}
    gradient_penalty : float
        Weight of the penalty on the gradient of the critic: between real and generated samples for
        ``"wgan-gp"``, else half its squared norm at real samples.
    style_weight : float
        Weight of the style loss of the generator.
    """

    #: samples may have any values
    support = None
    lifted: frozenset[str] = frozenset()

    def __init__(self, loss, gradient_penalty, style_weight=0.0):
        super().__init__()
        self.hyperparameters = {
            "loss": loss,
            "gradient_penalty": gradient_penalty,
            "style_weight": style_weight,
        }

    def critic_terms(self, gan, real, fake, condition):
        """Loss of the critic and its penalty by name, scalars."""
        real, fake = gan.critic_rows(real, condition), gan.critic_rows(fake, condition)
        loss, weight = self.hyperparameters["loss"], self.hyperparameters["gradient_penalty"]
        if weight and loss != "wgan-gp":
            real.requires_grad_()
        real_score, fake_score = gan.judge(real, condition), gan.judge(fake, condition)
        terms = {"critic": losses.critic_loss(real_score, fake_score, loss)}
        if weight and loss == "wgan-gp":
            judge = functools.partial(gan.judge, condition=condition)
            penalty = losses.interpolation_penalty(judge, real, fake, gan.noise_generator)
            terms["penalty"] = weight * penalty
        elif weight:
            slope = losses.gradient_norms(real_score, real).mean()
            terms["penalty"] = weight / 2 * slope
        return terms

    def generator_terms(self, gan, real, condition):
        """Losses of the generator by name, scalars."""
        fake, raw = gan.generate(len(real), condition)
        read = gan.critic_rows(fake, condition)
        score, style_weight = gan.judge(read, condition), self.hyperparameters["style_weight"]
        terms = {"generator": losses.generator_loss(score, self.hyperparameters["loss"])}
        if style_weight:
            with torch.no_grad():
                real_layers = gan.critic.layers(gan.critic_rows(real, condition))
            style = losses.style_loss(real_layers, gan.critic.layers(read))
            terms["style"] = style_weight * style
        if isinstance(gan.output, TableOutput) and condition is not None:
            terms["condition"] = gan.output.condition_loss(raw, condition).mean()
        return terms


class AdversarialNet(TrainingNet):
    """skorch net with two players and a step for each.

    Each step trains the critic on a batch of real and as many generated samples; every
    ``n_critic``-th step also trains the generator. One optimizer has a parameter group with its own
    learning rate for each player, and does not update weights without a gradient.

    Parameters
    ----------
    module : GAN
    criterion : Game
    critic_lr : float or None
        None uses that of the generator.
    betas : (float, float)
        Decay rates of Adam's moment estimates.
    n_critic : int
    ema_decay : float
        Decay rate of the moving average of the generator's weights.
    **kwargs
        Parameters of ``TrainingNet``.
    """

    #: attributes that change during training, apart from weights and history
    saved = ("n_steps_", "n_averaged_", "generator_terms_")
    estimator_parameters = (
        "batch_size",
        "betas",
        "critic_lr",
        "ema_decay",
        "gradient_clip_value",
        "lr",
        "max_epochs",
        "n_critic",
        "weight_decay",
    )

    def __init__(self, *args, critic_lr=None, betas=None, n_critic=1, ema_decay=0.0, **kwargs):
        super().__init__(*args, **kwargs)
        self.critic_lr = critic_lr
        self.betas = betas
        self.n_critic = n_critic
        self.ema_decay = ema_decay

    @property
    def _default_callbacks(self):
        callbacks = super()._default_callbacks
        for _, callback in callbacks:
            if isinstance(callback, PrintLog):
                callback.keys_ignored = "train_loss"  # printed as train_generator
        return callbacks

    def initialize_optimizer(self, triggered_directly=None):
        """Build one optimizer with a parameter group for each player."""
        players = self.module_.generator, self.module_.critic
        groups = [
            {"params": list(player.parameters()), "lr": lr}
            for player, lr in zip(players, self._step_sizes(), strict=True)
        ]
        options = optimizer_options(
            torch.optim.AdamW, weight_decay=self.weight_decay, device=self.device
        )
        betas = tuple(float(one) for one in self.betas)  # as a list, or ints
        self.optimizer_ = torch.optim.AdamW(groups, betas=betas, **options)
        return self

    def _step_sizes(self):
        return self.lr, self.lr if self.critic_lr is None else self.critic_lr

    def batch_rows(self, rows):
        """Batch size: a multiple of the number of samples that the critic judges together."""
        pack = self.module_.pack
        return -(-self.batch_size // pack) * pack

    def n_batches(self, rows, *, training=True):
        """Return the number of batches of an epoch."""
        return -(-len(rows) // self.batch_rows(rows))

    def train_on(self, run):
        """Carry out a ``Run``; the first step trains both players."""
        rows = run.rows
        codes = np.empty((len(rows), 0), dtype=int) if rows.y is None else rows.y.cpu().numpy()
        weight = None if rows.weight is None else rows.weight.cpu().numpy()
        self.conditions_ = Conditions(codes, self.module_.condition_sizes, weight)
        counts = [row["train_batch_count"] for row in self.history]
        self.n_averaged_ = sum(-(-count // self.n_critic) for count in counts)
        self.n_steps_ = 0
        super().train_on(run)
        warn_of_collapse(self, rows)
        del self.conditions_

    def get_iterator(self, dataset, training=False):
        """Batches of an epoch, drawn at random."""
        n_rows = self.batch_rows(dataset)
        return DrawnBatches(dataset, self.conditions_, n_rows, self.shuffle_generator)

    def train_step(self, batch, **fit_params):
        """One step of skorch's full path."""
        return self._lean_step(batch)

    def _lean_step(self, batch):
        """One step of the critic and, every ``n_critic``-th time, one of the generator."""
        condition = self.module_.one_hot(batch.y)
        terms = self._critic_step(batch.x, condition)
        if self.n_steps_ % self.n_critic == 0:
            self.generator_terms_ = self._generator_step(batch.x, condition)
        self.n_steps_ += 1
        return {"loss": self.generator_terms_["generator"], "terms": terms | self.generator_terms_}

    def _critic_step(self, real, condition):
        with torch.no_grad():
            fake, _ = self.module_.generate(len(real), condition)
        terms = self.criterion_.critic_terms(self.module_, real, fake, condition)
        self._descend(terms, player=1)
        return terms

    def _generator_step(self, real, condition):
        terms = self.criterion_.generator_terms(self.module_, real, condition)
        self._descend(terms, player=0)
        count = self.n_averaged_
        # a lower decay rate over the first steps
        self.module_.update_average(min(self.ema_decay, (1 + count) / (10 + count)))
        self.n_averaged_ += 1
        return terms

    def _descend(self, terms, player):
        """Update the weights of one player and clear their gradients."""
        weights = [
            one for one in self.optimizer_.param_groups[player]["params"] if one.requires_grad
        ]
        functools.reduce(operator.add, terms.values()).backward(inputs=weights)
        if self._is_listened_to():
            names = {id(weight) for weight in weights}
            named = [pair for pair in self.module_.named_parameters() if id(pair[1]) in names]
            self.notify("on_grad_computed", named_parameters=iter(named), batch=None)
        if self.gradient_clip_value is not None:
            nn.utils.clip_grad_norm_(weights, self.gradient_clip_value)
        self.optimizer_.step()
        for weight in weights:
            weight.grad = None
