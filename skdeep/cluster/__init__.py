"""Clustering with deep nets and self-organizing maps."""

from skdeep.cluster._deep_cluster import DeepCluster
from skdeep.cluster._deep_embedded_clustering import DeepEmbeddedClustering
from skdeep.cluster._imsat import IMSAT
from skdeep.cluster._self_organizing_map import SelfOrganizingMap

__all__ = ["IMSAT", "DeepCluster", "DeepEmbeddedClustering", "SelfOrganizingMap"]
