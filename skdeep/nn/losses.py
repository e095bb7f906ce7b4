"""Per-row losses and penalties as pure functions, ``(batch, ...) -> (batch,)``.

Training losses accept any number of leading axes, since a stack of nets has an additional one.
"""

import math

import torch
from torch.nn import functional as F

from skdeep.nn._elementwise import GRAIN, in_whole_vectors, sum_rows

__all__ = [
    "absolute_error",
    "bernoulli_log_likelihood",
    "binary_cross_entropy",
    "contraction",
    "cross_entropy",
    "gaussian_error",
    "gaussian_kl_divergence",
    "gaussian_log_likelihood",
    "huber",
    "l1_norm",
    "mean_over_rows",
    "mean_squared_error",
    "multinomial",
    "multinomial_log_likelihood",
    "pinball",
    "squared_error",
]


# Batches of GRAIN rows or more are summed in chunks of this many rows.
_ROWS_AT_ONCE = 2**10
# In standard deviations, squared still within float32.
_FARTHEST = 1e18


def mean_over_rows(terms):
    """Mean over rows, identical for a single net and in a stack; (..., batch) -> (...).

    torch splits sums over a whole tensor between threads, but not sums over one of several axes.
    """
    n_rows = terms.shape[-1]
    if n_rows < GRAIN:
        return terms.mean(dim=-1)
    parts = F.pad(terms, (0, -n_rows % _ROWS_AT_ONCE)).unflatten(-1, (-1, _ROWS_AT_ONCE))
    return parts.sum(dim=-1).sum(dim=-1) / n_rows


def squared_error(x_hat, x):
    """Mean squared error per feature; (batch, n_features) twice -> (batch,)."""
    return (x_hat - x).square().mean(dim=-1)


class _StackedMeanSquaredError(torch.autograd.Function):
    """Mean squared error of each member of a stack, with half as many passes over the data."""

    @staticmethod
    def forward(ctx, x_hat, x):
        """(members, batch, n_features) twice -> (members,)."""
        distance = x_hat - x
        ctx.save_for_backward(distance)
        return distance.square().flatten(1).mean(dim=1)

    @staticmethod
    def backward(ctx, gradient):
        """Gradient of ``x_hat``; ``x`` is data."""
        (distance,) = ctx.saved_tensors
        share = gradient * (2 / distance[0].numel())
        return distance * share.view(-1, 1, 1), None


def mean_squared_error(x_hat, x):
    """Mean of ``squared_error`` over rows, a scalar; takes half the time for small batches.

    For a stack of nets, one value per member: (members, batch, n_features) twice -> (members,).
    """
    if x.shape[-2:].numel() >= GRAIN:
        return mean_over_rows(squared_error(x_hat, x))
    return _StackedMeanSquaredError.apply(x_hat, x) if x.ndim == 3 else F.mse_loss(x_hat, x)


def huber(x_hat, x):
    """Mean Huber loss per feature, quadratic up to a distance of one, linear beyond."""
    return F.huber_loss(x_hat, x, reduction="none").mean(dim=-1)


def absolute_error(y_hat, y):
    """Mean absolute error per output; (batch, n_outputs) twice -> (batch,)."""
    return (y_hat - y).abs().mean(dim=-1)


def pinball(y_hat, y, quantile):
    r"""Mean pinball loss per output, minimized by the conditional quantile [1]_.

    :math:`\max(q (y - \hat y), (q - 1)(y - \hat y))`, (batch, n_outputs) twice -> (batch,).

    References
    ----------
    .. [1] Koenker and Bassett (1978), "Regression Quantiles", Econometrica 46.
    """
    distance = y - y_hat
    return torch.maximum(quantile * distance, (quantile - 1) * distance).mean(dim=-1)


def gaussian_error(mean, std, y):
    r"""Negative log-likelihood in nats of each target under a normal distribution [1]_.

    :math:`\frac{(y - \mu)^2}{2 \sigma^2} + \log\sigma + \frac12\log 2\pi`, elementwise. Its
    gradient is multiplied by :math:`\sigma`, the beta-NLL of [2]_ with :math:`\beta = 1/2`.
    Otherwise, samples with a large standard deviation would have hardly any influence on the mean,
    so that a net could explain a bad mean by noise.

    References
    ----------
    .. [1] Nix and Weigend (1994), "Estimating the Mean and Variance of the Target Probability
       Distribution", ICNN.
    .. [2] Seitzer et al. (2022), "On the Pitfalls of Heteroscedastic Uncertainty Estimation with
       Probabilistic Neural Networks", ICLR.
    """
    # targets may be up to 1e18 away, which must not overflow
    z = ((y - mean) / std).clamp(-_FARTHEST, _FARTHEST)
    error = 0.5 * z.square() + std.log() + 0.5 * math.log(2 * math.pi)
    constant = error.detach()
    return constant + std.detach() * (error - constant)


def cross_entropy(logits, labels, label_smoothing=0.0):
    """Cross-entropy in nats of softmax(logits); (batch, n_classes), (batch,) int -> (batch,).

    With label smoothing [1]_, the target is ``1 - label_smoothing`` for the true class, plus
    ``label_smoothing / n_classes`` for every class.

    References
    ----------
    .. [1] Szegedy et al. (2016), "Rethinking the Inception Architecture for Computer Vision",
       CVPR.
    """
    loss = F.cross_entropy(
        logits.flatten(0, -2), labels.flatten(), reduction="none", label_smoothing=label_smoothing
    )
    return loss.view(labels.shape)


def binary_cross_entropy(logits, x):
    """Mean binary cross-entropy per feature in nats; ``x`` in [0, 1]."""
    return in_whole_vectors(_entropy_of_entries, logits, x).mean(dim=-1)


def _entropy_of_entries(logits, x):
    return F.binary_cross_entropy_with_logits(logits, x, reduction="none")


def multinomial(logits, x):
    r"""Negative multinomial log-likelihood per feature in nats, up to a constant [1]_.

    :math:`-\frac{1}{d}\sum_j x_j \log \mathrm{softmax}(l)_j` for counts :math:`x`.

    References
    ----------
    .. [1] Liang et al. (2018), "Variational Autoencoders for Collaborative Filtering", WWW.
    """
    return -(x * F.log_softmax(logits, dim=-1)).mean(dim=-1)


def l1_norm(z):
    """Mean absolute value of the codes; (batch, n_components) -> (batch,)."""
    return z.abs().mean(dim=-1)


def contraction(z, x):
    r"""Squared Frobenius norm of the encoder's Jacobian, per row [1]_.

    :math:`\sum_{jk} (\partial z_j / \partial x_k)^2`, computed exactly with ``n_components``
    backward passes.

    Parameters
    ----------
    z : Tensor, shape (batch, n_components)
        Codes, computed from ``x`` with gradients recorded.
    x : Tensor, shape (batch, n_features)

    Returns
    -------
    penalty : Tensor, shape (batch,)

    References
    ----------
    .. [1] Rifai et al. (2011), "Contractive Auto-Encoders: Explicit Invariance During Feature
       Extraction", ICML.
    """
    penalty = x.new_zeros(x.shape[:-1])
    for column in z.unbind(dim=-1):
        (jacobian_row,) = torch.autograd.grad(column.sum(), x, create_graph=True)
        penalty = penalty + jacobian_row.square().sum(dim=-1)
    return penalty


def gaussian_kl_divergence(mean, log_var):
    r"""KL divergence in nats of a diagonal Gaussian from the standard normal [1]_.

    :math:`-\frac12 \sum_j (1 + \log\sigma_j^2 - \mu_j^2 - \sigma_j^2)`, appendix B.

    Parameters
    ----------
    mean, log_var : Tensor, shape (batch, n_components)

    Returns
    -------
    divergence : Tensor, shape (batch,)

    References
    ----------
    .. [1] Kingma and Welling (2014), "Auto-Encoding Variational Bayes", ICLR.
    """
    return -0.5 * (1 + log_var - mean.square() - log_var.exp()).sum(dim=-1)


def gaussian_log_likelihood(x, mean, log_scale):
    """Log-density in nats of ``x`` under a Gaussian, summed over the last axis.

    ``log_scale`` is the logarithm of the standard deviation and is broadcast with ``x``.
    """
    constant = 0.5 * math.log(2 * math.pi)
    if log_scale.shape[-1] == 1:  # sums over features first: fewer steps, and one per row
        log_scale = log_scale.squeeze(-1)
        distance = x - mean
        n_features, squares = distance.shape[-1], sum_rows(distance.square())
        return -0.5 * squares * (-2 * log_scale).exp() - n_features * (log_scale + constant)
    log_scale = log_scale.expand_as(mean)
    z = (x - mean) * (-log_scale).exp()
    return sum_rows(-0.5 * z.square() - log_scale - constant)


def bernoulli_log_likelihood(x, logits):
    """Log-probability in nats of ``x`` in [0, 1] for Bernoulli logits; sum over the last axis."""
    return -sum_rows(in_whole_vectors(_entropy_of_entries, logits, x.expand_as(logits)))


def multinomial_log_likelihood(x, logits):
    """Log-probability in nats of counts ``x``, up to their multinomial coefficient.

    Sum over the last axis of ``x * log_softmax(logits)``.
    """
    return sum_rows(x * F.log_softmax(logits, dim=-1))


def divergence(log_p, log_q):
    """Kullback-Leibler divergence in nats of log-probabilities over the last axis."""
    return (log_p.exp() * (log_p - log_q)).sum(dim=-1)


def symmetric_divergence(log_p, log_q):
    """Mean of the two Kullback-Leibler divergences of log-probabilities over the last axis."""
    return 0.5 * ((log_p.exp() - log_q.exp()) * (log_p - log_q)).sum(dim=-1)


def entropy(log_p):
    """Entropy in nats of log-probabilities over the last axis."""
    return -(log_p.exp() * log_p).sum(dim=-1)


def weighted_mean(p, weight=None):
    """Mean over rows, (..., batch, n) -> (..., n), with weights (..., batch) or without."""
    if weight is None:
        return p.mean(dim=-2)
    return (p * weight.unsqueeze(-1)).sum(dim=-2) / weight.sum(dim=-1, keepdim=True)


def divergence_from_prior(p, prior=None):
    """Kullback-Leibler divergence in nats of probabilities from a prior, (..., n) and (n,).

    None is the uniform prior.
    """
    log_prior = -math.log(p.shape[-1]) if prior is None else prior.log()
    return (p * (p.clamp(min=1e-8).log() - log_prior)).sum(dim=-1)


def adversarial_direction(log_p, x, probe):
    """Direction in which a small step changes probabilities most, as unit vectors [1]_.

    One power iteration: the gradient of the Kullback-Leibler divergence at a small perturbation.

    Parameters
    ----------
    log_p : callable
        (..., batch, n_features) tensor -> (..., batch, n) log-probabilities.
    x, probe : Tensor, shape (..., batch, n_features)
        Samples and small perturbations of them.

    Returns
    -------
    direction : Tensor, shape (..., batch, n_features)

    References
    ----------
    .. [1] Miyato et al. (2019), "Virtual Adversarial Training: A Regularization Method for
       Supervised and Semi-Supervised Learning", IEEE TPAMI.
    """
    probe = probe.detach().requires_grad_()
    change = divergence(log_p(x).detach(), log_p(x + probe)).sum()
    (gradient,) = torch.autograd.grad(change, probe)
    return F.normalize(gradient, dim=-1)
