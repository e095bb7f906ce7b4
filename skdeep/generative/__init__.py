"""Generative adversarial nets for numerical features, images and tables."""

from skdeep.generative._feature_extractor import GANFeatureExtractor
from skdeep.generative._gan import GANSampler
from skdeep.generative._tabular import TabularGANSampler

__all__ = ["GANFeatureExtractor", "GANSampler", "TabularGANSampler"]
