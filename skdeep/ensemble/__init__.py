"""Ensembles of nets."""

from skdeep.ensemble._classifier import DeepEnsembleClassifier
from skdeep.ensemble._regressor import DeepEnsembleRegressor

__all__ = ["DeepEnsembleClassifier", "DeepEnsembleRegressor"]
