"""Supervised deep nets for classification and regression."""

from skdeep.neural_network._classifier import ResNetClassifier
from skdeep.neural_network._regressor import ResNetRegressor

__all__ = ["ResNetClassifier", "ResNetRegressor"]
