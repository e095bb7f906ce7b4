"""Searches over hyperparameters that train many nets at once."""

from skdeep.model_selection._halving import BatchedHalvingSearchCV
from skdeep.model_selection._search import BatchedGridSearchCV, BatchedRandomizedSearchCV

__all__ = ["BatchedGridSearchCV", "BatchedHalvingSearchCV", "BatchedRandomizedSearchCV"]
