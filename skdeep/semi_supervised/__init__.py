"""Classification and regression of samples of which only some have a label."""

from skdeep.semi_supervised._cluster_pretrained import (
    ClusterPretrainedClassifier,
    ClusterPretrainedRegressor,
)
from skdeep.semi_supervised._few_labels import FewLabelsClassifier

__all__ = ["ClusterPretrainedClassifier", "ClusterPretrainedRegressor", "FewLabelsClassifier"]
