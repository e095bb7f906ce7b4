"""Successive halving in which survivors train on."""

from numbers import Integral

import numpy as np
from sklearn.model_selection import ParameterGrid, ParameterSampler, RandomizedSearchCV

from skdeep.model_selection._base import BATCHED_CONSTRAINTS, BatchedSearchMixin
from skdeep.model_selection._jobs import PausedFits
from skdeep.model_selection._results import choose_best, make_cv_results
from skdeep.utils._sklearn import Interval, StrOptions

__all__ = ["BatchedHalvingSearchCV"]


class BatchedHalvingSearchCV(BatchedSearchMixin, RandomizedSearchCV):
    """TODO."""

    _parameter_constraints = {
        **RandomizedSearchCV._parameter_constraints,
        **BATCHED_CONSTRAINTS,
        "n_candidates": [
            Interval(Integral, 1, None, closed="left"),
            StrOptions({"all", "exhaust"}),
        ],
        "factor": [Interval(Integral, 2, None, closed="left")],
        "resource": [str],
        "max_resources": [Interval(Integral, 1, None, closed="left"), StrOptions({"auto"})],
        "min_resources": [
            Interval(Integral, 1, None, closed="left"),
            StrOptions({"exhaust", "smallest"}),
        ],
        "aggressive_elimination": ["boolean"],
    }
    del _parameter_constraints["n_iter"]

    def __init__(
        self,
        estimator,
        param_distributions,
        *,
        n_candidates="exhaust",
        factor=3,
        resource="max_epochs",
        max_resources="auto",
        min_resources="smallest",
        aggressive_elimination=False,
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
        self.estimator = estimator
        self.param_distributions = param_distributions
        self.n_candidates = n_candidates
        self.factor = factor
        self.resource = resource
        self.max_resources = max_resources
        self.min_resources = min_resources
        self.aggressive_elimination = aggressive_elimination
        self.scoring = scoring
        self.n_jobs = n_jobs
        self.refit = refit
        self.cv = cv
        self.verbose = verbose
        self.pre_dispatch = pre_dispatch
        self.random_state = random_state
        self.error_score = error_score
        self.return_train_score = return_train_score
        self.max_batch_models = max_batch_models

    def _search(self, data, context):
        self._check_resource()
        self._set_resources()
        candidates = self._draw_candidates()
        steps = self._plan(len(candidates))
        paused = PausedFits(self.resource, steps[-1])
        self.n_candidates_, self.n_resources_ = [], []
        params, results, extra = [], [], {"iter": [], "n_resources": []}
        for iteration, n_resources in enumerate(steps):
            now = [{**one, self.resource: n_resources} for one in candidates]
            self.n_resources_.append(n_resources)
            self.n_candidates_.append(len(now))
            self._say(iteration)
            results += self._evaluate(data, now, context, paused)
            params += now
            extra["iter"] += [iteration] * len(now)
            extra["n_resources"] += [n_resources] * len(now)
            table = make_cv_results(params, results, self.n_splits_, extra)
            n_kept = -(-len(now) // self.factor)
            candidates = [candidates[place] for place in self._top(table, iteration)[:n_kept]]
        self.n_remaining_candidates_ = n_kept
        self.n_iterations_ = len(steps)
        return table, results[0]["test_scores"]

    def _check_resource(self):
        """Raise ``ValueError`` where the resource is no whole number that can be set."""
        value = self.estimator.get_params().get(self.resource)
        if not isinstance(value, Integral):
            names = [name for name in self.estimator.get_params() if name.endswith("max_epochs")]
            raise ValueError(
                "resource must be a parameter of the estimator that is a whole number; got "
                f"{self.resource!r}, whose value is {value!r}. Parameters of that kind that are "
                f"epochs: {names}."
            )
        spaces = self.param_distributions
        for space in [spaces] if isinstance(spaces, dict) else spaces:
            if self.resource in space:
                raise ValueError(
                    f"resource must not be searched over; got {self.resource!r} both as resource "
                    "and in param_distributions."
                )

    def _set_resources(self):
        most = self.max_resources
        self.max_resources_ = self.estimator.get_params()[self.resource] if most == "auto" else most
        least = self.min_resources
        if isinstance(least, str):
            least = max(1, self.max_resources_ // self.factor**3)
        self.min_resources_ = least
        if least > self.max_resources_:
            raise ValueError(
                f"min_resources must be at most max_resources, {self.max_resources_}; got {least}."
            )

    def _draw_candidates(self):
        number = self.n_candidates
        if number == "exhaust":  # as many as let the last iteration have all resources
            number = self.max_resources_ // self.min_resources_
        elif number == "all":
            return list(ParameterGrid(self.param_distributions))
        return list(
            ParameterSampler(self.param_distributions, number, random_state=self.random_state)
        )

    def _plan(self, n_candidates):
        """Resources of each iteration."""
        self.n_required_iterations_ = 1 + _log(n_candidates, self.factor)
        if self.min_resources == "exhaust":
            power = self.n_required_iterations_ - 1
            self.min_resources_ = max(1, self.max_resources_ // self.factor**power)
        ratio = self.max_resources_ // self.min_resources_
        self.n_possible_iterations_ = 1 + _log(ratio, self.factor)
        missing = self.n_required_iterations_ - self.n_possible_iterations_
        if self.aggressive_elimination and missing > 0:
            powers = [max(0, step - missing) for step in range(self.n_required_iterations_)]
        else:
            powers = range(min(self.n_possible_iterations_, self.n_required_iterations_))
        return [self.min_resources_ * self.factor**power for power in powers]

    def _say(self, iteration):
        if self.verbose > 0:
            print(
                f"iter: {iteration}, n_candidates: {self.n_candidates_[-1]}, "
                f"n_resources: {self.n_resources_[-1]}"
            )

    def _top(self, table, iteration):
        """Places of the candidates of an iteration, among themselves, best first."""
        metric = self.refit if isinstance(self.refit, str) else "score"
        scores = table[f"mean_test_{metric}"][table["iter"] == iteration]
        return np.argsort(-np.nan_to_num(scores, nan=-np.inf), kind="stable")

    def _best_index(self, metric):
        if callable(self.refit):
            return choose_best(self.refit, metric, self.cv_results_)
        last = self.n_iterations_ - 1
        places = np.flatnonzero(self.cv_results_["iter"] == last)
        return places[self._top(self.cv_results_, last)[0]]


def _log(number, base):
    """Whole part of a logarithm."""
    power = 0
    while base ** (power + 1) <= number:
        power += 1
    return power
