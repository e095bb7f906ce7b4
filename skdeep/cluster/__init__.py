"""Clustering with deep nets."""

from skdeep.cluster._deep_cluster import DeepCluster
from skdeep.cluster._deep_embedded_clustering import DeepEmbeddedClustering
from skdeep.cluster._imsat import IMSAT

__all__ = ["IMSAT", "DeepCluster", "DeepEmbeddedClustering"]
