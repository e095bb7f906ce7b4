"""Metrics for clusterings and for synthetic tables."""

from skdeep.metrics._clustering_accuracy import clustering_accuracy
from skdeep.metrics._synthetic_table_report import synthetic_table_report

__all__ = ["clustering_accuracy", "synthetic_table_report"]
