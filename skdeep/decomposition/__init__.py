"""Nets that find a few numbers for each row, as ``PCA`` does."""

from skdeep.decomposition._autoencoder import Autoencoder
from skdeep.decomposition._variational import VariationalAutoencoder

__all__ = ["Autoencoder", "VariationalAutoencoder"]
