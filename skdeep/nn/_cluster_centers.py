"""An autoencoder with cluster centers in the space of its codes."""

from typing import NamedTuple

import torch
from torch import nn

from skdeep.nn._augment import Augment
from skdeep.nn._autoencoder import AutoencoderModule


def student_t(z, centers):
    r"""Assign codes by a Student's t kernel with one degree of freedom, eq. 1 of [1]_.

    :math:`q_{ij} \propto (1 + \|z_i - \mu_j\|^2)^{-1}`,
    (batch, n_components), (n_clusters, n_components) -> (batch, n_clusters).

    References
    ----------
    .. [1] Xie, Girshick and Farhadi (2016), "Unsupervised Deep Embedding for Clustering Analysis",
       ICML.
    """
    distance = (z.unsqueeze(1) - centers).square().sum(dim=2)
    kernel = 1 / (1 + distance)
    return kernel / kernel.sum(dim=1, keepdim=True)


class ClusterOutput(NamedTuple):
    """Output of the forward pass; entries that the loss of the phase does not use are None."""

    #: (batch, n_features), what to reconstruct: the samples, augmented but without noise
    target: torch.Tensor
    #: (batch, n_features)
    reconstruction: torch.Tensor | None
    #: (batch, n_clusters), probabilities
    assignment: torch.Tensor | None


class ClusterModule(AutoencoderModule):
    """Autoencoder with cluster centers in the space of its codes.

    **Shape**: (batch, n_features) -> ``ClusterOutput``

    Parameters
    ----------
    shape : CoderShape
    streams : dict of str to torch.Generator
    n_clusters : int
    reconstructs : bool
        Whether samples are reconstructed in the phase ``"clustering"``.
    augment : str or None
        Augmentation of images, see ``Augment``.
    **options
        Those of ``AutoencoderModule``; noise is only added in the phase ``"pretraining"``.
    """

    phase = "pretraining"

    def __init__(self, shape, streams, *, n_clusters, reconstructs, augment=None, **options):
        super().__init__(shape, streams, **options)
        self.centers = nn.Parameter(
            torch.zeros((n_clusters, shape.n_components), dtype=torch.float32)
        )
        self.n_clusters = n_clusters
        self.reconstructs = reconstructs
        self.image_shape = shape.image_shape
        self.augment = Augment(augment, generator=streams["noise"])

    def set_centers(self, centers):
        """Set the cluster centers, an array of shape (n_clusters, n_components)."""
        with torch.no_grad():
            self.centers.copy_(torch.from_numpy(centers))

    def assign(self, x):
        """(batch, n_features) -> (batch, n_clusters), probabilities."""
        return student_t(self.encode(x).float(), self.centers)

    def forward(self, x):
        """(batch, n_features) -> ClusterOutput."""
        if self.image_shape is not None:
            x = self.augment(x.unflatten(1, self.image_shape)).flatten(1)
        if self.phase == "pretraining":
            return ClusterOutput(x, super().forward(x).reconstruction, None)
        z = self.encode(x)
        x_hat = self.decode(z) if self.reconstructs else None
        return ClusterOutput(x, x_hat, student_t(z.float(), self.centers))
