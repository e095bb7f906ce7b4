"""Ensembles of nets, and a model for each cluster."""

from skdeep.ensemble._classifier import DeepEnsembleClassifier
from skdeep.ensemble._clusterwise_classifier import ClusterwiseClassifier
from skdeep.ensemble._clusterwise_regressor import ClusterwiseRegressor
from skdeep.ensemble._regressor import DeepEnsembleRegressor

__all__ = [
    "ClusterwiseClassifier",
    "ClusterwiseRegressor",
    "DeepEnsembleClassifier",
    "DeepEnsembleRegressor",
]
