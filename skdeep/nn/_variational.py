"""The variational autoencoder as a torch module."""

from typing import NamedTuple

import torch
from torch import nn

from skdeep.nn._coder import make_decoder, make_encoder
from skdeep.nn._draw import draw
from skdeep.nn._elementwise import in_whole_vectors, sum_rows
from skdeep.nn.losses import (
    bernoulli_log_likelihood,
    gaussian_log_likelihood,
    multinomial_log_likelihood,
)

# Number of draws that are decoded together; more would only use more memory.
_DRAWS_AT_ONCE = 64


class VariationalOutput(NamedTuple):
    """Output of the forward pass of a variational autoencoder."""

    #: (n_samples, batch, n_features), means or logits of the likelihood
    reconstruction: torch.Tensor
    #: (batch, n_components), mean of the posterior
    mean: torch.Tensor
    #: (batch, n_components), log-variance of the posterior
    log_var: torch.Tensor
    #: (1,) or (n_features,), log standard deviation of the Gaussian likelihood; None for others
    log_scale: torch.Tensor | None


def log_likelihood(likelihood, x, raw, log_scale):
    """Log-likelihood of rows in nats; for the multinomial, up to a constant of each row.

    Parameters
    ----------
    likelihood : {"gaussian", "bernoulli", "multinomial"}
    x : Tensor, shape (batch, n_features)
    raw : Tensor, shape (n_samples, batch, n_features)
        Means of the Gaussian likelihood, or logits of the others.
    log_scale : Tensor of shape (1,) or (n_features,), or None

    Returns
    -------
    log_likelihood : Tensor, shape (n_samples, batch)
    """
    x = x.unsqueeze(-3)  # (1, batch, n_features)
    if likelihood == "bernoulli":
        return bernoulli_log_likelihood(x, raw)
    if likelihood == "multinomial":
        return multinomial_log_likelihood(x, raw)
    return gaussian_log_likelihood(x, raw, log_scale[..., None, None, :])


def _fill_noise(part, _, generator):
    part.normal_(generator=generator)


class VariationalModule(nn.Module):
    """Variational autoencoder: Gaussian posterior, draws from it, and likelihood [1]_.

    **Shape**: (batch, n_features) -> ``VariationalOutput``

    Parameters
    ----------
    shape : CoderShape
    streams : dict of str to torch.Generator
    likelihood : {"gaussian", "bernoulli", "multinomial"}
    n_samples : int
        Number of draws from the posterior per row during training.
    log_scale : sequence of float or None
        Log standard deviation of the Gaussian likelihood, one value or one per feature; None for a
        single value that is learned.

    References
    ----------
    .. [1] Kingma and Welling (2014), "Auto-Encoding Variational Bayes", ICLR.
    """

    #: how ``encoder`` was built, see ``ENCODERS``
    encoder_kind = "posterior"

    def __init__(self, shape, streams, *, likelihood="gaussian", n_samples=1, log_scale=None):
        super().__init__()
        self.encoder = make_encoder(shape, streams, n_outputs=2 * shape.n_components)
        self.decoder = make_decoder(shape, streams)
        self.likelihood = likelihood
        self.n_samples = n_samples
        self.noise_generator = streams["noise"]
        if likelihood != "gaussian":
            self.log_scale = None
        elif log_scale is None:
            self.log_scale = nn.Parameter(torch.zeros(1, dtype=torch.float32))
        else:
            self.register_buffer("log_scale", torch.tensor(log_scale, dtype=torch.float32))
        noise = torch.empty(n_samples, shape.n_components, dtype=torch.float32)
        noise.normal_(generator=streams["weights"])
        # with both signs, so that the mean of the draws in evaluation is the posterior mean
        self.register_buffer("evaluation_noise", torch.cat([noise, -noise]).unsqueeze(1))

    def posterior(self, x):
        """(batch, n_features) -> mean and log-variance, (batch, n_components) each."""
        return self.encoder(x).chunk(2, dim=-1)

    def encode(self, x):
        """(batch, n_features) -> (batch, n_components), mean of the posterior."""
        return self.posterior(x)[0]

    def decode_raw(self, z):
        """(n_samples, batch, n_components) -> (..., n_features), parameters of the likelihood."""
        return self.decoder(z.flatten(-3, -2)).unflatten(-2, z.shape[-3:-1])

    def decode(self, z):
        """(batch, n_components) -> (batch, n_features), mean of the likelihood, of one count."""
        raw = self.decoder(z)
        if self.likelihood == "bernoulli":
            return in_whole_vectors(torch.sigmoid, raw)
        return raw.softmax(dim=-1) if self.likelihood == "multinomial" else raw

    def reconstruct(self, x):
        """(batch, n_features) -> (batch, n_features), decoded from the posterior mean."""
        return self.decode(self.encode(x))

    def forward(self, x):
        """(batch, n_features) -> VariationalOutput.

        Training uses new draws each time. Evaluation uses the same few draws for all rows and
        epochs, so that the losses of different epochs are comparable.
        """
        mean, log_var = self.posterior(x)
        if self.training:
            draws = mean.unsqueeze(-3).expand(*mean.shape[:-2], self.n_samples, -1, -1)
            noise = draw(_fill_noise, draws, 1.0, self.noise_generator, idle=0.0)
        else:
            noise = self.evaluation_noise
        spread = (0.5 * log_var).exp().unsqueeze(-3)
        z = mean.unsqueeze(-3) + spread * noise  # (n_samples, batch, n_components)
        return VariationalOutput(self.decode_raw(z), mean, log_var, self.log_scale)

    def evidence_bound(self, x, noise):
        """Evidence lower bound in nats, the mean of ``log_weights``; same arguments."""
        return self.log_weights(x, noise).mean(dim=0)

    def importance_bound(self, x, noise):
        """Importance-weighted bound in nats, eq. 8 of [1]_; arguments as in ``log_weights``.

        References
        ----------
        .. [1] Burda, Grosse and Salakhutdinov (2016), "Importance Weighted Autoencoders", ICLR.
        """
        log_weights = self.log_weights(x, noise).T.contiguous()  # (batch, n_samples)
        largest = log_weights.amax(dim=1)
        weights = in_whole_vectors(torch.exp, log_weights - largest.unsqueeze(1))
        return largest + in_whole_vectors(torch.log, sum_rows(weights) / len(noise))

    def log_weights(self, x, noise):
        """Logarithms of the importance weights ``p(x, z) / q(z | x)``.

        The closer ``q`` is to the exact posterior, the smaller their variance. Their mean requires
        fewer draws than the likelihood minus the analytic KL divergence.

        Parameters
        ----------
        x : Tensor, shape (batch, n_features)
        noise : Tensor, shape (n_samples, batch, n_components)
            Standard normal draws.

        Returns
        -------
        log_weights : Tensor, shape (n_samples, batch), float64
        """
        mean, log_var = self.posterior(x)
        log_weights = []
        for part in noise.split(_DRAWS_AT_ONCE):
            z = mean + (0.5 * log_var).exp() * part
            fit = log_likelihood(self.likelihood, x, self.decode_raw(z), self.log_scale)
            prior = gaussian_log_likelihood(z, torch.zeros_like(z), z.new_zeros(1))
            posterior = gaussian_log_likelihood(z, mean.expand_as(z), 0.5 * log_var)
            # in float64, so that a sum over draws does not depend on the order of summation
            log_weights.append((fit + prior - posterior).cpu().double())
        return torch.cat(log_weights)
