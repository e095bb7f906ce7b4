"""Generators and critics of generative adversarial networks."""

import torch
from torch import nn
from torch.nn import functional as F
from torch.nn.utils.parametrizations import spectral_norm
from torch.optim.swa_utils import get_ema_multi_avg_fn

from skdeep.nn._activation import ACTIVATIONS
from skdeep.nn._coder import make_decoder, make_encoder
from skdeep.nn._conv import Conv2d
from skdeep.nn._draw import DrawFrom
from skdeep.nn._linear import Linear

_POOLED_SIDE = 4
# Number of noise samples to measure the initial spread of the generator's output, and its minimum.
_N_PROBES = 256
_SMALLEST_SPREAD = 1e-3
# Temperature of the Gumbel-softmax, as in CTGAN.
_TEMPERATURE = 0.2


class Critic(nn.Module):
    """Critic: the higher the score of a row, the more real it looks.

    The score is linear in the last hidden layer. A condition adds the inner product of that layer
    with a learned vector for the condition (projection [1]_).

    **Shape**: (batch, n_features), (batch, n_conditions) or None -> (batch, 1)

    Parameters
    ----------
    shape : CoderShape
    n_conditions : int
        Number of conditions to project; 0 for none.
    has_spectral_norm : bool
        Whether the largest singular value of each layer is normalized to one [2]_.
    streams : dict of str to torch.Generator

    References
    ----------
    .. [1] Miyato and Koyama (2018), "cGANs with Projection Discriminator", ICLR.
    .. [2] Miyato et al. (2018), "Spectral Normalization for Generative Adversarial Networks", ICLR.
    .. [3] Radford, Metz and Chintala (2016), "Unsupervised Representation Learning with Deep
       Convolutional Generative Adversarial Networks", ICLR.
    """

    def __init__(self, shape, *, n_conditions, has_spectral_norm, streams):
        super().__init__()
        encoder = make_encoder(shape, streams, n_outputs=1)
        self.trunk, self.head = encoder[:-1], encoder[-1]
        self.out_features = self.head.weight.shape[1]
        self.activation = ACTIVATIONS[shape.activation]
        self.projection = None
        if n_conditions:
            self.projection = Linear(
                n_conditions, self.out_features, generator=streams["weights"], bias=False
            )
        if has_spectral_norm:
            self._normalise(streams["weights"])

    def _normalise(self, generator):
        """Normalize the largest singular value of each layer to one."""
        for layer in [one for one in self.modules() if isinstance(one, Linear | Conv2d)]:
            if layer.bias is not None:
                # biases of the usual size would dominate weights of norm one
                nn.init.zeros_(layer.bias)
            with DrawFrom(generator):
                spectral_norm(layer)

    def layers(self, x):
        """Return the output of each hidden layer or stage; the rows themselves if there is none."""
        outputs = []
        for layer in self.trunk:
            x = layer(x)
            if isinstance(layer, self.activation):
                outputs.append(x)
        return outputs or [x]

    def pooled(self, x):
        """Concatenate the outputs of all layers; images are pooled to at most 4 x 4 pixels [3]_."""
        maps = [
            F.adaptive_max_pool2d(one, [min(side, _POOLED_SIDE) for side in one.shape[2:]])
            if one.ndim == 4
            else one
            for one in self.layers(x)
        ]
        return torch.cat([one.flatten(1) for one in maps], dim=1)

    def forward(self, x, condition=None):
        """(batch, n_features) -> (batch, 1)."""
        hidden = self.trunk(x)
        score = self.head(hidden)
        if self.projection is None or condition is None:
            return score
        return score + (self.projection(condition) * hidden).sum(dim=1, keepdim=True)


class TableOutput(nn.Module):
    """Output layer of a generator of tables, for bounded numbers and categorical choices.

    **Shape**: (batch, width) -> (batch, width)

    Parameters
    ----------
    layout : tuple of (int, int)
        Number of floats and number of categories of each column, in order.
    conditions : tuple of int
        Columns whose category can be a condition, in the order of the conditions.
    generator : torch.Generator
        Source of the Gumbel noise [1]_.

    References
    ----------
    .. [1] Jang, Gu and Poole (2017), "Categorical Reparameterization with Gumbel-Softmax", ICLR.
    """

    def __init__(self, layout, conditions, *, generator):
        super().__init__()
        self.sizes = [size for column in layout for size in column]
        self.conditions = conditions
        self.generator = generator

    def forward(self, raw):
        """(batch, width) -> (batch, width): hyperbolic tangents and Gumbel-softmax choices."""
        uniform = torch.empty_like(raw).uniform_(generator=self.generator)
        # zero occurs once in 2 ** 24 draws, and its double logarithm is infinite
        noise = uniform.clamp_(min=torch.finfo(raw.dtype).tiny).log_().neg_().log_()
        noisy = (raw - noise) / _TEMPERATURE
        parts = []
        for number, (logits, plain) in enumerate(
            zip(noisy.split(self.sizes, dim=1), raw.split(self.sizes, dim=1), strict=True)
        ):
            parts.append(plain.tanh() if number % 2 == 0 else logits.softmax(dim=1))
        return torch.cat(parts, dim=1)

    def condition_loss(self, raw, condition):
        """Cross-entropy between the generated categories and the conditions [2]_, (batch,).

        References
        ----------
        .. [2] Xu et al. (2019), "Modeling Tabular data using Conditional GAN", NeurIPS.
        """
        blocks = raw.split(self.sizes, dim=1)
        logits = [blocks[2 * column + 1].log_softmax(dim=1) for column in self.conditions]
        return -(torch.cat(logits, dim=1) * condition).sum(dim=1)


class GAN(nn.Module):
    """Generative adversarial network: generator, running average of its weights, and critic.

    Parameters
    ----------
    generator_shape : CoderShape
        ``n_components`` is the dimension of the noise plus the number of conditions.
    critic_shape : CoderShape
        ``n_features`` is the number of features of ``pack`` rows, plus their conditions if these
        are not projected.
    condition_sizes : tuple of int
        Number of categories of each column that can be a condition. The condition of a row is one
        category of one of these columns; categories are numbered consecutively over all columns.
    projects : bool
        Whether the critic projects the condition; otherwise it is concatenated with the row.
    pack : int
        Number of rows that the critic scores jointly [1]_.
    output : Module
        Output layer of the generator.
    has_spectral_norm : bool
    streams : dict of str to torch.Generator

    References
    ----------
    .. [1] Lin et al. (2018), "PacGAN: The power of two samples in generative adversarial
       networks", NeurIPS.
    .. [2] Mishkin and Matas (2016), "All you need is a good init", ICLR.
    """

    def __init__(
        self,
        generator_shape,
        critic_shape,
        *,
        condition_sizes,
        projects,
        pack,
        output,
        has_spectral_norm,
        streams,
    ):
        super().__init__()
        self.condition_sizes, self.projects, self.pack = condition_sizes, projects, pack
        self.n_conditions = sum(condition_sizes)
        self.latent_dim = generator_shape.n_components - self.n_conditions
        self.noise_generator = streams["noise"]
        self.generator = make_decoder(generator_shape, streams)
        self._spread(streams["weights"])
        self.average = make_decoder(generator_shape, streams).requires_grad_(False)
        self.average.load_state_dict(self.generator.state_dict())
        self.output = output
        self.critic = Critic(
            critic_shape,
            n_conditions=self.n_conditions if projects else 0,
            has_spectral_norm=has_spectral_norm,
            streams=streams,
        )

    @torch.no_grad()
    def _spread(self, weights_generator):
        """Scale the last layer so that the initial outputs have the variance of real rows [2]_."""
        n_inputs = self.latent_dim + self.n_conditions
        options = {"generator": weights_generator, "dtype": torch.float32}
        noise = torch.randn(_N_PROBES, n_inputs, **options)
        last = [layer for layer in self.generator if hasattr(layer, "weight")][-1]
        last.weight /= self.generator.eval()(noise).std() + _SMALLEST_SPREAD
        self.generator.train()

    def one_hot(self, condition):
        """One-hot encode the indices of conditions, (batch,) -> (batch, n_conditions)."""
        return None if condition is None else F.one_hot(condition, self.n_conditions).float()

    def generate(self, n_rows, condition, *, averaged=False):
        """Generate rows; return them and the inputs of the output layer, (n_rows, width) each."""
        generator = self.average if averaged else self.generator
        weight = next(generator.parameters())
        z = weight.new_empty(n_rows, self.latent_dim).normal_(generator=self.noise_generator)
        raw = generator(z if condition is None else torch.cat([z, condition], dim=1))
        return self.output(raw), raw

    def critic_rows(self, rows, condition):
        """Prepare rows for the critic, (batch, n_features) -> (batch / pack, ...)."""
        if condition is not None and not self.projects:
            rows = torch.cat([rows, condition], dim=1)
        return rows.reshape(len(rows) // self.pack, -1) if self.pack > 1 else rows

    def judge(self, critic_rows, condition):
        """Score the result of ``critic_rows``, (batch / pack, ...) -> (batch / pack, 1)."""
        return self.critic(critic_rows, condition if self.projects else None)

    @torch.no_grad()
    def update_average(self, decay):
        """Update the exponential moving average of the generator's weights with ``decay``."""
        average, newest = list(self.average.parameters()), list(self.generator.parameters())
        get_ema_multi_avg_fn(decay)(average, newest, None)
        for mean, value in zip(self.average.buffers(), self.generator.buffers(), strict=True):
            mean.copy_(value)
