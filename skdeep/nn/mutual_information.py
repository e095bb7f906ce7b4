"""Lower bounds of mutual information from scores of pairs, and a distance from normality.

A positive pair is the features and the code of one sample, a negative pair those of two samples.
"""

import math

import torch
from torch.nn import functional as F

from skdeep.nn._elementwise import in_whole_vectors


def other_samples(weight, x):
    """Log-weights of all pairs in a batch, minus infinity for pairs of a sample with itself.

    Parameters
    ----------
    weight : Tensor or None, shape (batch,)
    x : Tensor, shape (batch, ...)

    Returns
    -------
    log_weight : Tensor, shape (batch, batch)
    """
    n_rows = len(x)
    log_weight = x.new_zeros(n_rows) if weight is None else weight.log()
    return log_weight.expand(n_rows, n_rows).masked_fill(
        torch.eye(n_rows, dtype=torch.bool, device=x.device), -math.inf
    )


def jensen_shannon(positive, negative, log_weight):
    r"""Negative lower bound of the Jensen-Shannon divergence, up to constants, eq. 4 of [1]_.

    :math:`\mathrm{sp}(-T_{ii}) + E_j\, \mathrm{sp}(T_{ij})` with :math:`\mathrm{sp}(t) =
    \log(1 + e^t)`.

    Parameters
    ----------
    positive : Tensor, shape (batch, locations)
        Scores of positive pairs.
    negative : Tensor, shape (batch, locations, n_negatives)
        Scores of negative pairs.
    log_weight : Tensor, shape (batch, n_negatives)
        Logarithm of the weight of each negative.

    Returns
    -------
    loss : Tensor, shape (batch, locations)

    References
    ----------
    .. [1] Hjelm et al. (2019), "Learning Deep Representations by Mutual Information Estimation and
       Maximization", ICLR.
    """
    share = log_weight.softmax(dim=-1).unsqueeze(1)
    expected = (share * in_whole_vectors(F.softplus, negative)).sum(dim=-1)
    return in_whole_vectors(F.softplus, -positive) + expected


def info_nce(positive, negative, log_weight):
    r"""Cross-entropy of the positive pair among the negative ones, eq. 5 of [1]_.

    :math:`\log(e^{T_{ii}} + \sum_j w_j e^{T_{ij}}) - T_{ii}`; shapes as in ``jensen_shannon``.
    Unlike in the paper, features are compared with the codes of all samples, not a code with the
    features of all samples.

    References
    ----------
    .. [1] Hjelm et al. (2019), "Learning Deep Representations by Mutual Information Estimation and
       Maximization", ICLR.
    """
    others = _log_sum_exp(negative + log_weight.unsqueeze(1))
    return in_whole_vectors(F.softplus, others - positive)


def donsker_varadhan(positive, negative, log_weight):
    r"""Negative Donsker-Varadhan bound of the mutual information, eq. 2 of [1]_.

    :math:`\log E_{ij} e^{T_{ij}} - T_{ii}`, where the expectation is over all locations and all
    negative pairs of the batch, whose weights are the products of those of both samples; shapes as
    in ``jensen_shannon``, with the samples of the batch as negatives.

    References
    ----------
    .. [1] Hjelm et al. (2019), "Learning Deep Representations by Mutual Information Estimation and
       Maximization", ICLR.
    """
    # each sample has its weight in the rows of the others
    log_weight = log_weight + log_weight.amax(dim=0).unsqueeze(1)  # (batch, batch)
    pairs = (negative + log_weight.unsqueeze(1)).logsumexp(dim=(0, 1, 2))
    total = log_weight.logsumexp(dim=(0, 1)) + math.log(positive.shape[1])
    return pairs - total - positive


def donsker_varadhan_of_samples(positive, negative, log_weight):
    """As ``donsker_varadhan``, with the expectation over the negative pairs of each location."""
    expected = _log_sum_exp(negative + log_weight.unsqueeze(1))
    return expected - log_weight.logsumexp(dim=-1).unsqueeze(1) - positive


#: Losses by objective.
OBJECTIVES = {"dv": donsker_varadhan, "infonce": info_nce, "jsd": jensen_shannon}
#: The same where the loss of a sample must not depend on others.
OBJECTIVES_OF_SAMPLES = {**OBJECTIVES, "dv": donsker_varadhan_of_samples}


def _log_sum_exp(x):
    """Logarithm of the sum of exponentials over the last axis."""
    largest = x.amax(dim=-1)
    shifted = (x - largest.unsqueeze(-1)).contiguous()
    total = in_whole_vectors(torch.exp, shifted).sum(dim=-1)
    return largest + in_whole_vectors(torch.log, total)


def distance_from_normality(z, weight=None):
    r"""Squared maximum mean discrepancy between codes and the standard normal distribution.

    With the Gaussian kernel of squared width :math:`d`, all expectations over the normal
    distribution have closed forms, as in the test of normality of [1]_.

    Parameters
    ----------
    z : Tensor, shape (batch, d)
    weight : Tensor or None, shape (batch,)

    Returns
    -------
    distance : Tensor, shape (batch,)
        The (weighted) mean over the batch is the discrepancy.

    References
    ----------
    .. [1] Henze and Zirkler (1990), "A Class of Invariant Consistent Tests for Multivariate
       Normality", Communications in Statistics 19.
    """
    d = z.shape[1]
    norm = z.square().sum(dim=1)
    squares = (norm.unsqueeze(1) + norm - 2 * z @ z.T).clamp(min=0)  # (batch, batch)
    weight = z.new_ones(len(z)) if weight is None else weight
    pairs = (-squares / (2 * d)).exp() @ (weight / weight.sum())
    normal = (d / (1 + d)) ** (d / 2) * (-norm / (2 * (1 + d))).exp()
    return pairs - 2 * normal + (d / (2 + d)) ** (d / 2)
