"""``fit`` of all batched searches."""

import contextlib
import os
import time
import warnings
from abc import abstractmethod
from collections.abc import Callable, Sequence
from typing import Any, Self

import numpy as np
from sklearn.base import BaseEstimator, clone, is_classifier
from sklearn.metrics import check_scoring
from sklearn.model_selection import check_cv
from sklearn.utils import indexable
from sklearn.utils.metadata_routing import process_routing

from skdeep._training._optim import plain_parameter
from skdeep._training._tasks import FitTasks
from skdeep.model_selection._evaluation import evaluate
from skdeep.model_selection._journal import open_journal
from skdeep.model_selection._results import choose_best, make_cv_results
from skdeep.model_selection._stages import SearchData
from skdeep.utils._docs import DocumentationLinkMixin
from skdeep.utils._params import POSITIVE_INTEGER, Parameters, param
from skdeep.utils._sklearn import (
    StrOptions,
    accepts_sample_weight,
    check_method_params,
    fit_context,
    insert_error_scores,
    is_routing_enabled,
    report_fit_failures,
    scorers_by_name,
    with_callbacks,
)


class BatchedSearchMixin(DocumentationLinkMixin, Parameters):
    """``fit`` of a search that trains many nets at once; everything else is scikit-learn's.

    The constraints on parameters of scikit-learn's searches are theirs.
    """

    estimator: BaseEstimator = param(kw_only=False)
    scoring: str | Callable | Sequence | dict | None = param(default=None)
    n_jobs: int | None = param(default=None)
    refit: bool | str | Callable = param(default=True)
    cv: Any = param(default=None)
    verbose: int = param(default=0)
    pre_dispatch: int | str = param(default="2*n_jobs")
    error_score: str | float = param(default=np.nan)
    return_train_score: bool = param(default=False)
    max_batch_models: int | str = param(POSITIVE_INTEGER, StrOptions({"auto"}), default="auto")
    journal: str | os.PathLike | None = param(str, os.PathLike, None, default=None)

    @with_callbacks
    @fit_context(
        # *SearchCV.estimator is not validated yet
        prefer_skip_nested_validation=False
    )
    def fit(self, X, y=None, **params) -> Self:
        """Run fit with all sets of parameters.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Training samples.
        y : array-like of shape (n_samples,) or (n_samples, n_outputs), default=None
            Targets. None for unsupervised learning.
        **params : dict
            Metadata for the ``fit`` method of the estimator, for the scorer and for the splitter,
            as in :class:`~sklearn.model_selection.GridSearchCV`: ``sample_weight``, ``groups``,
            ``stepname__parameter``.

        Returns
        -------
        self : object
            The fitted search.
        """
        scorer = check_scoring(self.estimator, self.scoring, raise_exc=self.error_score == "raise")
        named_scorers = scorers_by_name(scorer)
        if named_scorers is not None:
            self._check_refit(named_scorers)
        X, y = indexable(X, y)
        params = check_method_params(X, params=params)
        routed = self._route(params, scorer)
        task = FitTasks(self, X, y, params.get("sample_weight")).task
        n_subtasks = 1 + (self.refit is not False)
        root = self._init_callback_context(max_subtasks=n_subtasks).call_on_fit_task_begin(**task)
        splitter = check_cv(self.cv, y, classifier=is_classifier(self.estimator))
        self.n_splits_ = splitter.get_n_splits(X, y, **routed["split"])
        data = self._collect(X, y, splitter, routed, scorer)
        with open_journal(self.journal, data, self.estimator) as data.journal:
            self.cv_results_, first_scores = self._search(data, root)
        self._choose(first_scores)
        if self.refit:
            self._refit(routed["fit"], task, root)
        self.scorer_ = scorer if named_scorers is None else named_scorers
        root.call_on_fit_task_end(**task)
        return self

    def __getstate__(self):
        """Return the attributes, with the path of the journal as a string."""
        state = dict(super().__getstate__())
        return state | {"journal": plain_parameter(state["journal"])}

    @abstractmethod
    def _search(self, data, root):
        """Evaluate candidates; ``cv_results_`` and the scores of the first fit.

        Below the root, callbacks receive the same tasks as from scikit-learn's searches.
        """

    def _check_refit(self, scorers):
        """Raise ``ValueError`` if ``refit`` does not name one of several scores."""
        if self.refit is False or callable(self.refit):
            return
        if not isinstance(self.refit, str) or self.refit not in scorers:
            raise ValueError(
                "For multi-metric scoring, the parameter refit must be set to a scorer key or a "
                "callable to refit an estimator with the best parameter setting, or to False; the "
                f"keys are {list(scorers)}, {self.refit!r} was passed. Set for example "
                f"refit={next(iter(scorers))!r}."
            )

    def _route(self, params, scorer):
        """Metadata for the estimator, the splitter and the scorer."""
        if is_routing_enabled():
            routed = process_routing(self, "fit", **params)
            return {
                "fit": routed.estimator.fit,
                "split": routed.splitter.split,
                "score": routed.scorer.score,
            }
        params = dict(params)
        split = {"groups": params.pop("groups", None)}
        weight = params.get("sample_weight")
        weighs = weight is not None and self._accepts_weights(scorer)
        return {
            "fit": params,
            "split": split,
            "score": {"sample_weight": weight} if weighs else {},
        }

    def _accepts_weights(self, scorer):
        """Whether the scorer accepts weights; warns for each that does not."""
        named = scorers_by_name(scorer)
        scorers = {"": scorer} if named is None else {f"{name}=": named[name] for name in named}
        for name, one in scorers.items():
            if not accepts_sample_weight(one):
                warnings.warn(
                    f"The scoring {name}{one} does not support sample_weight, which may lead to "
                    f"statistically incorrect results when fitting {self} with sample_weight.",
                    stacklevel=2,
                )
        return accepts_sample_weight(scorer)

    def _collect(self, X, y, splitter, routed, scorer):
        splits = list(splitter.split(X, y, **routed["split"]))
        if len(splits) != self.n_splits_:
            raise ValueError(
                "cv.split and cv.get_n_splits return inconsistent results. Expected "
                f"{self.n_splits_} splits, got {len(splits)}"
            )
        return SearchData(
            X,
            y,
            splits,
            fit_params=routed["fit"],
            score_options={
                "scorer": scorer,
                "score_params": routed["score"],
                "return_train_score": self.return_train_score,
                "error_score": self.error_score,
                "verbose": self.verbose,
            },
            max_models=self.max_batch_models,
            has_own_scorer=_is_own(self.scoring),
        )

    def _evaluate(self, data, params, context, paused=None):
        """Fit and score candidates, with the warnings and errors of scikit-learn's searches."""
        if self.verbose > 0:
            n_fits = len(params) * self.n_splits_
            print(
                f"Fitting {self.n_splits_} folds for each of {len(params)} candidates, "
                f"totalling {n_fits} fits"
            )
        data.n_candidates = len(params)
        results = evaluate(self, data, params, context, paused)
        if not results:
            raise ValueError(
                "No fits were performed. Was the CV iterator empty? Were there no candidates?"
            )
        report_fit_failures(results, self.error_score)
        if callable(self.scoring):
            insert_error_scores(results, self.error_score)
        return results

    def _search_once(self, data, params, root):
        """Evaluate one list of candidates."""
        params = list(params)
        with self._evaluations(root, "search", len(params)) as context:
            results = self._evaluate(data, params, context)
        table = make_cv_results(params, results, self.n_splits_)
        return table, results[0]["test_scores"]

    def _metric(self, first_scores):
        """Name in ``cv_results_`` of the score that decides."""
        if not isinstance(first_scores, dict):
            return "score"
        self._check_refit(first_scores)  # the names of a callable's scores are known only now
        return self.refit

    def _choose(self, first_scores):
        """Set the attributes that describe the best candidate."""
        metric = self._metric(first_scores)
        self.multimetric_ = isinstance(first_scores, dict)
        if not self.refit and self.multimetric_:
            return
        self.best_index_ = self._best_index(metric)
        if not callable(self.refit):
            self.best_score_ = self.cv_results_[f"mean_test_{metric}"][self.best_index_]
        self.best_params_ = self.cv_results_["params"][self.best_index_]

    def _best_index(self, metric):
        """Find the best candidate."""
        return choose_best(self.refit, metric, self.cv_results_)

    def _refit(self, fit_params, task, root):
        """Fit the best candidate on all samples."""
        best = clone(self.estimator).set_params(**clone(self.best_params_, safe=False))
        X, y = task["X"], task["y"]
        targets = () if y is None else (y,)
        context = root.subcontext(task_name="refit-with-best-params")
        with context.propagate_callback_context(best):
            context.call_on_fit_task_begin(**task)
            began = time.time()
            best.fit(X, *targets, **fit_params)
        self.refit_time_ = time.time() - began
        context.call_on_fit_task_end(**task)
        self.best_estimator_ = best
        if hasattr(best, "feature_names_in_"):
            self.feature_names_in_ = best.feature_names_in_

    @contextlib.contextmanager
    def _subtask(self, context, name, **options):
        """Context of a subtask."""
        subtask = context.subcontext(task_name=name, **options)
        subtask.call_on_fit_task_begin(estimator=self)
        yield subtask
        subtask.call_on_fit_task_end(estimator=self)

    def _evaluations(self, context, name, n_candidates):
        """Context of a task with one subtask for each candidate on each split."""
        n_fits = n_candidates * self.n_splits_
        return self._subtask(context, name, max_subtasks=n_fits, sequential_subtasks=False)


def _is_own(scoring):
    """Whether the scorers include a callable of the user."""
    if isinstance(scoring, dict):
        return any(map(callable, scoring.values()))
    return callable(scoring)
