"""Classification of samples of which only some have a label."""

from skdeep.semi_supervised._few_labels import FewLabelsClassifier

__all__ = ["FewLabelsClassifier"]
