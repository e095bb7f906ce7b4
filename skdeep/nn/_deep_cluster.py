"""The net of DeepCluster, and the space in which it finds clusters."""

import torch
from torch import nn
from torch.nn import functional as F

from skdeep.nn._coder import make_features
from skdeep.nn._linear import Linear, linear
from skdeep.nn._views import View


def whiten(z, mean, axes):
    """Whiten features and scale them to length one.

    Parameters
    ----------
    z : Tensor, shape (batch, n_components)
    mean : Tensor, shape (n_components,)
    axes : Tensor, shape (n_axes, n_components)
        Each row is a principal axis divided by its standard deviation.

    Returns
    -------
    whitened : Tensor, shape (batch, n_axes)
    """
    return F.normalize(linear(z - mean, axes), dim=1)


def nearness(z, centers):
    """Compare samples with centers; the nearest center has the largest value.

    (batch, n_axes), (n_clusters, n_axes) -> (batch, n_clusters).
    """
    return linear(z, centers, -0.5 * centers.square().sum(dim=1))


class DeepClusterModule(nn.Module):
    """Encoder with a linear classifier that predicts the cluster.

    **Shape**: (batch, n_features) -> (batch, n_clusters), logits

    Parameters
    ----------
    shape : CoderShape
    streams : dict of str to torch.Generator
    n_clusters : int
    **view
        Arguments of ``View``.
    """

    #: how ``encoder`` was built, see ``ENCODERS``
    encoder_kind = "features"

    def __init__(self, shape, streams, *, n_clusters, **view):
        super().__init__()
        self.view = View(shape.image_shape, **view, generator=streams["noise"])
        self.encoder = make_features(shape, streams)
        self.sizes = shape.n_components, n_clusters
        self.head = Linear(*self.sizes, generator=streams["weights"])

    def encode(self, x):
        """(batch, n_features) -> (batch, n_components)."""
        return self.encoder(x)

    def forward(self, x):
        """(batch, n_features) -> (batch, n_clusters)."""
        return self.head(self.encode(self.view(x)))

    def reset_head(self, generator):
        """Draw new weights of the classifier that are not frozen, on the generator's device."""
        fresh = Linear(*self.sizes, generator=generator)
        with torch.no_grad():
            for weights, drawn in zip(self.head.parameters(), fresh.parameters(), strict=True):
                if weights.requires_grad:
                    weights.copy_(drawn)
