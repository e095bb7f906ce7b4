"""Nets that classify samples of which few have a label."""

import math
from typing import NamedTuple

import torch

from skdeep.nn import losses
from skdeep.nn._augment import N_AMOUNTS, ROTATION, SHIFTS, affine_grid, sample
from skdeep.nn._cluster_net import ClusterNet
from skdeep.nn._elementwise import in_whole_vectors
from skdeep.nn._linear import linear
from skdeep.nn._view_losses import mean, view_terms

#: Columns of the targets: class, or -1 without a label; distance to a near neighbor, if it is used.
CODE, RADIUS = 0, 1
# Size of the transformations for predictions, as a fraction of the ranges in training.
_REDUCED = 1 / 3
# Directions of their rotation and their shifts; each pair has all four combinations.
_DIRECTIONS = ((1, 1, 1), (-1, 1, -1), (-1, -1, 1), (1, -1, -1))


class FewLabelsOutput(NamedTuple):
    """Output of the forward pass of ``FewLabelsNet``."""

    #: (batch, n_classes) log-probabilities of the samples
    clean: torch.Tensor
    #: the same of each view of them, in the order of ``invariance``
    views: tuple[torch.Tensor, ...]
    #: (n_classes,) expected fractions of the classes
    prior: torch.Tensor


class FewLabelsNet(ClusterNet):
    """A net that assigns samples to classes, and the views to which it is invariant.

    **Shape**: (batch, n_features) -> ``FewLabelsOutput``

    Parameters
    ----------
    shape : CoderShape
    streams : dict of str to torch.Generator
    prior : tuple of float, length n_classes
        Expected fractions of the classes.
    linear_weight : float
        Weight in [0, 1) of softmax regression in ``log_proba``, see ``set_linear``.
    **views
        ``invariance`` and ``strength``, see ``ClusterNet``.
    """

    coef: torch.Tensor
    intercept: torch.Tensor

    def __init__(self, shape, streams, *, prior, linear_weight=0.0, **views):
        n_classes = len(prior)
        super().__init__(shape, streams, n_clusters=n_classes, n_outputs=n_classes, **views)
        self.prior = prior
        self.linear_weight = linear_weight
        if linear_weight:
            self.register_buffer(
                "coef", torch.zeros(n_classes, shape.n_features, dtype=torch.float32)
            )
            self.register_buffer("intercept", torch.zeros(n_classes, dtype=torch.float32))

    def set_linear(self, coef, intercept):
        """Set the softmax regression whose probabilities are averaged with those of the net.

        Parameters
        ----------
        coef : ndarray of shape (n_classes, n_features)
        intercept : ndarray of shape (n_classes,)
        """
        self.coef.copy_(torch.from_numpy(coef))
        self.intercept.copy_(torch.from_numpy(intercept))

    def log_proba(self, x):
        """(batch, n_features) -> (batch, n_classes), log-probabilities of net and regression."""
        log_p = self._mean_of_views(x) if "affine" in self.invariance else self.log_assign(x)
        if not self.linear_weight:
            return log_p
        log_q = linear(x, self.coef, self.intercept).log_softmax(dim=-1)
        parts = log_p + math.log(1 - self.linear_weight), log_q + math.log(self.linear_weight)
        return in_whole_vectors(torch.logaddexp, *parts)

    def _mean_of_views(self, x):
        """Return log-probabilities, averaged over each image and transformed copies of it."""
        amounts = x.new_zeros(len(_DIRECTIONS), N_AMOUNTS)
        amounts[:, [ROTATION, *SHIFTS]] = x.new_tensor(_DIRECTIONS) * self.strength * _REDUCED
        sides = self.image_shape[1:]
        # the transformation is the same for all images: as channels of one, they share its grid
        planes = x.reshape(1, -1, *sides)
        views = (sample(planes, grid) for grid in affine_grid(amounts, sides).split(1))
        parts = [self.log_assign(x), *(self.log_assign(view.reshape(x.shape)) for view in views)]
        return mean(parts).log_softmax(dim=-1)

    def forward(self, x, target, partner):
        """(batch, n_features) -> FewLabelsOutput; see ``CODE`` for the targets."""
        output = super().forward(x, target[..., RADIUS:], partner)
        return FewLabelsOutput(output.clean, output.views, x.new_tensor(self.prior))


def loss_terms(output, batch, hyperparameters):
    """Losses by name: (batch,) each, or a scalar for means over part of the batch."""
    kinds, information = hyperparameters["views"], hyperparameters["information"]
    divergence, entropy, p = view_terms(output, kinds)
    p = losses.weighted_mean(p, batch.weight)
    imbalance = losses.divergence_from_prior(p, output.prior)
    return {
        "cross_entropy": _cross_entropy(output, batch, kinds),
        "invariance": hyperparameters["invariance"] * divergence,
        "uncertainty": information * entropy,
        "imbalance": information * hyperparameters["balance"] * imbalance,
    }


def _cross_entropy(output, batch, kinds):
    """Return the mean over labelled samples, and over affine views of them."""
    code = batch.y[..., CODE].long()
    weight = (code >= 0).to(batch.x)
    if batch.weight is not None:
        weight = weight * batch.weight
    views = zip(kinds, output.views, strict=True)
    log_p = mean([output.clean, *(view for kind, view in views if kind == "affine")])
    log_p = log_p.gather(-1, code.clamp(min=0).unsqueeze(-1)).squeeze(-1)
    return -(weight * log_p).sum(dim=-1) / weight.sum(dim=-1)
