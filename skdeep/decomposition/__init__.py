"""Dimensionality reduction with deep nets."""

from skdeep.decomposition._autoencoder import Autoencoder
from skdeep.decomposition._deep_infomax import DeepInfoMax
from skdeep.decomposition._variational import VariationalAutoencoder

__all__ = ["Autoencoder", "DeepInfoMax", "VariationalAutoencoder"]
