"""Nets that assign samples to clusters."""

import contextlib
from typing import NamedTuple

import torch
from torch import nn
from torch.nn import functional as F

from skdeep.nn._augment import affine
from skdeep.nn._coder import make_features
from skdeep.nn._draw import MemberGenerators, draw
from skdeep.nn._linear import Linear
from skdeep.nn.losses import adversarial_direction

#: Kinds of transformed views.
INVARIANCES = ("affine", "neighbors", "noise", "vat")
# Fraction of the features that the view "noise" replaces by their mean.
_MASKED = 0.1
# Size of the perturbation that finds the direction of "vat", as a fraction of its radius.
_PROBE = 0.1


class ClusterOutput(NamedTuple):
    """Output of the forward pass of ``ClusterNet``."""

    #: (batch, n_clusters) log-probabilities of the samples
    clean: torch.Tensor
    #: the same of each view of them, in the order of ``invariance``
    views: tuple[torch.Tensor, ...]


class ClusterNet(nn.Module):
    """A net that assigns samples to clusters, and the views to which it is invariant.

    **Shape**: (batch, n_features) -> ``ClusterOutput``

    Parameters
    ----------
    shape : CoderShape
        ``n_components`` is the width of the last hidden layer.
    streams : dict of str to torch.Generator
    n_clusters : int
    n_outputs : int
        Number of outputs. If there are more of them than clusters, see ``merge``.
    invariance : tuple of str
        Some of ``INVARIANCES``.
    strength : float
        Factor of the size of transformations.

    References
    ----------
    .. [1] Hu et al. (2017), "Learning Discrete Representations via Information Maximizing
       Self-Augmented Training", ICML.
    .. [2] Miyato et al. (2019), "Virtual Adversarial Training: A Regularization Method for
       Supervised and Semi-Supervised Learning", IEEE TPAMI.
    """

    #: how ``encoder`` was built, see ``ENCODERS``
    encoder_kind = "features"

    def __init__(self, shape, streams, *, n_clusters, n_outputs, invariance, strength):
        super().__init__()
        self.features = make_features(shape, streams)
        self.head = Linear(shape.n_components, n_outputs, generator=streams["weights"])
        self.n_clusters = n_clusters
        self.register_buffer("members", None)
        if n_outputs > n_clusters:
            self.merge(torch.arange(n_outputs).clamp(max=n_clusters - 1))
        self.image_shape = shape.image_shape
        self.invariance = invariance
        self.strength = strength
        self.generator = streams["noise"]

    @property
    def encoder(self):
        """Layers of ``encode``."""
        return self.features

    def merge(self, clusters):
        """Merge outputs into clusters, whose probabilities are the sums of theirs.

        Parameters
        ----------
        clusters : Tensor of int, shape (n_outputs,)
            Cluster of each output; none is empty.
        """
        self.n_clusters = int(clusters.max()) + 1
        self.members = F.one_hot(clusters, self.n_clusters).T.to(self.head.weight)

    def encode(self, x):
        """(batch, n_features) -> (batch, n_components)."""
        return self.features(x)

    def log_assign(self, x):
        """(batch, n_features) -> (batch, n_clusters)."""
        log_p = self.head(self.features(x)).log_softmax(dim=-1)
        if self.members is None:
            return log_p
        # (batch, 1, n_outputs) and (1, n_clusters, n_outputs)
        return (log_p.unsqueeze(-2) + self.members.log().unsqueeze(-3)).logsumexp(dim=-1)

    def assign(self, x):
        """(batch, n_features) -> (batch, n_clusters), probabilities."""
        return self.log_assign(x).exp()

    def forward(self, x, radius, partner):
        """(batch, n_features) -> ClusterOutput, see ``compare``."""
        return self.compare(x, radius, partner, self.generator)

    def compare(self, x, radius, partner, generator):
        """Assign samples and their views to clusters; ClusterOutput.

        Parameters
        ----------
        x : Tensor, shape (batch, n_features)
        radius : Tensor or None, shape (batch, 1)
            Distance to a near neighbor, for ``"noise"`` and ``"vat"``.
        partner : Tensor or None, shape (batch, n_features)
            Another sample near ``x``, for ``"neighbors"`` and ``"noise"``.
        generator : torch.Generator or MemberGenerators
        """
        views = {
            "affine": lambda: self._moved(x, generator),
            "neighbors": lambda: partner,
            "noise": lambda: self._noisy(x, radius, partner, generator),
        }
        others = [views[kind]() for kind in self.invariance if kind in views]
        # one pass, so that all views are normalized by the same batch statistics
        n_rows = x.shape[-2]
        clean, *parts = self.log_assign(torch.cat([x, *others], dim=-2)).split(n_rows, dim=-2)
        if "vat" in self.invariance:
            parts.append(self._adversarial(x, radius, generator))
        return ClusterOutput(clean, tuple(parts))

    def _moved(self, x, generator):
        if isinstance(generator, MemberGenerators):
            pairs = zip(x, generator.generators, strict=True)
            return torch.stack([self._moved(part, own) for part, own in pairs])
        images = x.unflatten(1, self.image_shape)
        return affine(images, self.strength, generator).flatten(1)

    def _noisy(self, x, radius, partner, generator):
        """Return the partners with Gaussian noise and some features at their mean."""
        scale = self.strength * 0.25 * radius / x.shape[-1] ** 0.5
        noise = draw(_fill_normal, x, 1.0, generator, idle=0.0) * scale
        is_masked = draw(_fill_uniform, x, 1.0, generator, idle=0.0) < _MASKED
        return (partner + noise).masked_fill(is_masked, 0.0)

    def _adversarial(self, x, radius, generator):
        """Return log-probabilities of samples moved by ``radius / 4`` where clusters change most.

        As in [2]_, with one power iteration from a random direction.
        """
        with _frozen_statistics(self):
            random = F.normalize(draw(_fill_normal, x, 1.0, generator, idle=0.0), dim=-1)
            direction = adversarial_direction(self.log_assign, x, _PROBE * radius * random)
            return self.log_assign(x + 0.25 * self.strength * radius * direction)


def _fill_normal(part, amount, generator):
    part.normal_(generator=generator)


def _fill_uniform(part, amount, generator):
    part.uniform_(generator=generator)


@contextlib.contextmanager
def _frozen_statistics(module):
    """Context manager in which batch norm does not update its running statistics."""
    norms = [part for part in module.modules() if hasattr(part, "running_mean")]
    momenta = [norm.momentum for norm in norms]
    try:
        for norm in norms:
            norm.momentum = 0.0
        yield
    finally:
        for norm, momentum in zip(norms, momenta, strict=True):
            norm.momentum = momentum
