"""Grid and randomised search over many nets at once."""

import numpy as np
from sklearn.model_selection import (
    GridSearchCV,
    ParameterGrid,
    ParameterSampler,
    RandomizedSearchCV,
)

from skdeep.model_selection._base import BATCHED_CONSTRAINTS, BatchedSearchMixin

__all__ = ["BatchedGridSearchCV", "BatchedRandomizedSearchCV"]


class BatchedGridSearchCV(BatchedSearchMixin, GridSearchCV):
    """TODO."""

    _parameter_constraints = {**GridSearchCV._parameter_constraints, **BATCHED_CONSTRAINTS}

    def __init__(
        self,
        estimator,
        param_grid,
        *,
        scoring=None,
        n_jobs=None,
        refit=True,
        cv=None,
        verbose=0,
        pre_dispatch="2*n_jobs",
        error_score=np.nan,
        return_train_score=False,
        max_batch_models="auto",
    ):
        super().__init__(
            estimator,
            param_grid,
            scoring=scoring,
            n_jobs=n_jobs,
            refit=refit,
            cv=cv,
            verbose=verbose,
            pre_dispatch=pre_dispatch,
            error_score=error_score,
            return_train_score=return_train_score,
        )
        self.max_batch_models = max_batch_models

    def _search(self, data, context):
        return self._search_once(data, ParameterGrid(self.param_grid), context)


class BatchedRandomizedSearchCV(BatchedSearchMixin, RandomizedSearchCV):
    """TODO."""

    _parameter_constraints = {**RandomizedSearchCV._parameter_constraints, **BATCHED_CONSTRAINTS}

    def __init__(
        self,
        estimator,
        param_distributions,
        *,
        n_iter=10,
        scoring=None,
        n_jobs=None,
        refit=True,
        cv=None,
        verbose=0,
        pre_dispatch="2*n_jobs",
        random_state=None,
        error_score=np.nan,
        return_train_score=False,
        max_batch_models="auto",
    ):
        super().__init__(
            estimator,
            param_distributions,
            n_iter=n_iter,
            scoring=scoring,
            n_jobs=n_jobs,
            refit=refit,
            cv=cv,
            verbose=verbose,
            pre_dispatch=pre_dispatch,
            random_state=random_state,
            error_score=error_score,
            return_train_score=return_train_score,
        )
        self.max_batch_models = max_batch_models

    def _search(self, data, context):
        params = ParameterSampler(
            self.param_distributions, self.n_iter, random_state=self.random_state
        )
        return self._search_once(data, params, context)
