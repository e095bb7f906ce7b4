"""A clusterer with several phases: a minimal example of a subclass of ``DeepEstimator``."""

from collections.abc import Sequence
from numbers import Integral
from typing import NamedTuple

import numpy as np
import torch
from sklearn.base import ClusterMixin
from sklearn.cluster import KMeans
from torch import nn

from skdeep._training._objective import Objective
from skdeep.base import DeepEstimator
from skdeep.decomposition._base import CoderMixin
from skdeep.nn import losses
from skdeep.nn._autoencoder import AutoencoderModule
from skdeep.nn._coder import CoderShape
from skdeep.utils._params import param
from skdeep.utils._sklearn import Interval

__all__ = ["PhaseClusterer"]


class PhaseClusterer(ClusterMixin, CoderMixin, DeepEstimator):
    """Deep embedded clustering [1]_: pretrain an autoencoder, cluster its codes, train both.

    References
    ----------
    .. [1] Xie, Girshick and Farhadi (2016), "Unsupervised Deep Embedding for Clustering
       Analysis", ICML.
    """

    n_clusters: int = param(Interval(Integral, 1, None, closed="left"), default=8, kw_only=False)
    n_components: int = param(default=10, kw_only=True)
    hidden_layer_sizes: str | int | Sequence[int] = param(default=(64,))
    pretrain_epochs: int = param(Interval(Integral, 1, None, closed="left"), default=20)
    max_epochs: int = param(default=20)
    update_interval: int = param(Interval(Integral, 1, None, closed="left"), default=2)
    lr: float = param(default=1e-3)

    _has_phases = True

    def predict(self, X):
        """Cluster of each sample, ndarray of int of shape (n_samples,)."""
        X = self._check_new(X)
        return self._apply(self.module_.assign, X).argmax(axis=1)

    def _plan(self, fit):
        fit.announce(int(self.pretrain_epochs) + int(self.max_epochs))
        yield from fit.train(self.pretrain_epochs, phase="reconstruction")
        kmeans = KMeans(self.n_clusters, n_init=5, random_state=fit.seed % 2**32)
        kmeans.fit(fit.apply(fit.module.encode), sample_weight=fit.data.weight)
        fit.module.set_centers(kmeans.cluster_centers_)
        yield from fit.train(
            self.max_epochs,
            phase="clustering",
            targets=_sharpened(fit),
            on_epoch=self._renew_targets,
        )

    def _renew_targets(self, fit):
        """Update the target assignments every few epochs."""
        n_epochs = len(fit.net.history) - int(self.pretrain_epochs)
        if n_epochs % self.update_interval == 0:
            fit.set_targets(_sharpened(fit))

    def _architecture(self, data, scaler):
        return {**self._coder_architecture(data), "n_clusters": int(self.n_clusters)}

    @staticmethod
    def _make_module(architecture, streams):
        shape, rest = CoderShape.take_from(architecture)
        return ClusterModule(shape, streams, **rest)

    def _objective(self, phase):
        return Objective(_divergence if phase == "clustering" else _reconstruction)

    def _record(self, fit):
        return {
            **super()._record(fit),
            "cluster_centers_": fit.module.centers.detach().cpu().numpy().copy(),
            "labels_": fit.apply(fit.module.assign).argmax(axis=1),
        }

    def _reconstruction_loss(self, X, X_hat):
        return np.square(X - X_hat).mean(axis=1)


class ClusterOutput(NamedTuple):
    """Reconstruction, (batch, n_features), and soft assignments, (batch, n_clusters)."""

    reconstruction: torch.Tensor
    assignment: torch.Tensor


class ClusterModule(AutoencoderModule):
    """Autoencoder with cluster centers in the space of its codes."""

    def __init__(self, shape, streams, *, n_clusters):
        super().__init__(shape, streams)
        self.centers = nn.Parameter(torch.zeros(n_clusters, shape.n_components))

    def set_centers(self, centers):
        """Set the cluster centers."""
        with torch.no_grad():
            self.centers.copy_(torch.from_numpy(centers))

    def assign(self, x):
        """(batch, n_features) -> (batch, n_clusters), Student's t kernel of the distances."""
        distance = (self.encode(x).unsqueeze(1) - self.centers).square().sum(dim=2)
        return nn.functional.normalize(1 / (1 + distance), p=1, dim=1)

    def forward(self, x):
        """(batch, n_features) -> ClusterOutput."""
        return ClusterOutput(self.reconstruct(x), self.assign(x))


def _sharpened(fit):
    """Targets of the paper's eq. 3: squared assignments over the size of their cluster."""
    q = fit.apply(fit.module.assign)
    p = q**2 / np.average(q, axis=0, weights=fit.data.weight)
    return (p / p.sum(axis=1, keepdims=True)).astype(np.float32)


def _reconstruction(output, batch, hyperparameters):
    return {"reconstruction": losses.squared_error(output.reconstruction, batch.x)}


def _divergence(output, batch, hyperparameters):
    p, q = batch.y, output.assignment
    return {"clustering": (p * (p.clamp(min=1e-9).log() - q.clamp(min=1e-9).log())).sum(dim=1)}
