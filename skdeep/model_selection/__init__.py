"""Hyperparameter searches that train many nets at once."""

from skdeep.model_selection._halving import BatchedHalvingSearchCV
from skdeep.model_selection._journal import read_journal
from skdeep.model_selection._search import BatchedGridSearchCV, BatchedRandomizedSearchCV
from skdeep.model_selection._space import search_space

__all__ = [
    "BatchedGridSearchCV",
    "BatchedHalvingSearchCV",
    "BatchedRandomizedSearchCV",
    "read_journal",
    "search_space",
]
