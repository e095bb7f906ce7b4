"""Successive halving in which survivors train on."""

from collections.abc import Sequence
from math import ceil
from numbers import Integral, Real

import numpy as np
from sklearn.model_selection import ParameterGrid, ParameterSampler, RandomizedSearchCV

from skdeep.model_selection._base import BatchedSearchMixin
from skdeep.model_selection._jobs import PausedFits
from skdeep.model_selection._results import choose_best, make_cv_results
from skdeep.utils._params import param
from skdeep.utils._sklearn import Interval, StrOptions

__all__ = ["BatchedHalvingSearchCV"]


class BatchedHalvingSearchCV(BatchedSearchMixin, RandomizedSearchCV):
    """Successive halving in which survivors train on.

    Many candidates are trained for a few epochs; the better ones of them go on, for ``factor``
    times as many epochs, until one is left or the epochs run out [1]_. Nets that go on do so
    from where they are, so that all iterations together cost a survivor no more than one fit.
    Nets of one shape, from all candidates and splits, are trained as one stacked net.

    Parameters
    ----------
    estimator : estimator
        What to search over: one of skdeep's, a :class:`~sklearn.pipeline.Pipeline` with one or
        more of these as steps, or any other with a parameter that can be the resource.
    param_distributions : dict or list of dict
        For each parameter a list of values, or a distribution with a method ``rvs``, as those of
        ``scipy.stats``. Of a list of dicts one is drawn for each candidate.
        :func:`search_space` gives a ready one.
    n_candidates : int, "exhaust" or "all", default="exhaust"
        Candidates at the start. ``"exhaust"`` draws as many as leave few to the last iteration
        with all resources, ``max_resources_ // min_resources_``; ``"all"`` is every combination,
        of lists only.
    factor : int or float, default=3
        In each iteration the best ``1 / factor`` of the candidates go on, with ``factor`` times
        the resource. Greater than one.
    resource : str, default="max_epochs"
        Parameter of the estimator, a whole number, that grows from one iteration to the next;
        ``step__max_epochs`` in a pipeline. With any other one than the epochs of a net,
        candidates start anew in each iteration.
    max_resources : int or "auto", default="auto"
        Most of the resource that a candidate is given. ``"auto"`` is the estimator's own value.
    min_resources : int, "smallest" or "exhaust", default="smallest"
        What candidates have in the first iteration. ``"smallest"`` is
        ``max_resources_ // factor**3``, at least one; ``"exhaust"`` as much as lets the last
        iteration come near ``max_resources_``.
    aggressive_elimination : bool, default=False
        Whether to repeat the first iteration, with fewer candidates each time, where there are
        too many of them for the resource to leave fewer than ``factor`` to the last iteration.
        Where there are fewer than the resource allows for, the first iteration has more than
        ``min_resources_``, and the last one comes near ``max_resources_``.
    scoring : str, callable, list, tuple, set or dict, default=None
        What makes one candidate better than another, as in scikit-learn's searches: a name, a
        callable ``scorer(estimator, X, y)``, or several of them as a list of names, as a dict
        or as a callable that returns a dict. None is the estimator's own ``score``.
    n_jobs : int, default=None
        Processes over which stacks, shared steps and single fits are spread; -1 is one for each
        core. None is one, except within ``joblib.parallel_config``; if the nets' ``device`` is
        a list, None is a thread for each device.
    refit : bool, str or callable, default=True
        Whether to fit the best candidate once more, on all rows. With several scores the name
        of the one that decides. A callable is
        given ``cv_results_`` and returns ``best_index_``.
    cv : int, splitter or iterable, default=None
        Splits of the rows. None is five folds and an int a number of folds, stratified where a
        classifier is searched over; else a splitter, or pairs of training and test indices.
    verbose : int, default=0
        1 prints the number of fits, how many nets are trained in stacks of which size, and how
        many are trained one by one and why. 2 prints a line for each fit too, 3 its score.
    pre_dispatch : int or str, default="2*n_jobs"
        Pieces of work that are handed to the processes in advance; fewer save memory.
    random_state : int, RandomState instance or None, default=None
        Seed of the draw of candidates. An int gives the same ones on every call. The nets
        have a ``random_state`` of their own.
    error_score : "raise" or float, default=numpy.nan
        Score of a fit that fails, for example because the loss stops being finite; the other
        nets of its stack go on. ``"raise"`` raises its error instead.
    return_train_score : bool, default=False
        Whether ``cv_results_`` has scores on the training rows, too.
    max_batch_models : int or "auto", default="auto"
        Most nets in a stack. ``"auto"`` is what is fastest: as many as a CPU's caches or a
        quarter of a GPU's free memory hold, or one where a stack would be slower. An int
        stacks whatever can be stacked, up to so many nets; 1 switches stacking off.

    Attributes
    ----------
    n_candidates_ : list of int, length `n_iterations_`
        Candidates of each iteration.
    n_resources_ : list of int, length `n_iterations_`
        Resource of each iteration.
    max_resources_ : int
        Most of the resource that a candidate could be given.
    min_resources_ : int
        Least of the resource that a candidate is given; that of the first iteration, unless
        ``aggressive_elimination`` leaves more.
    n_iterations_ : int
        Number of iterations.
    n_possible_iterations_ : int
        Iterations that the resource allows for.
    n_required_iterations_ : int
        Iterations of which the last one has fewer than ``factor`` candidates.
    n_remaining_candidates_ : int
        Candidates that would have gone on from the last iteration.
    cv_results_ : dict of str to ndarray of shape (n_candidates,)
        A table with a row for each candidate and iteration: ``iter``,
        ``n_resources``, ``param_...`` for each parameter, ``params``,
        ``split0_test_score`` and its like, ``mean_test_score``, ``std_test_score``,
        ``rank_test_score``, and the same of ``train`` scores where they are asked for. With
        several scores their names stand in place of ``score``. ``mean_fit_time`` and its like
        are in seconds, see Notes.
    best_estimator_ : estimator
        The best candidate of the last iteration, fitted on all rows; only with ``refit``.
    best_score_ : float
        Its mean score over the splits; not if ``refit`` is a callable.
    best_params_ : dict
        Its parameters.
    best_index_ : int
        Its row in ``cv_results_``. This and the two above need ``refit`` where there are
        several scores.
    scorer_ : callable or dict
        The scorer, or several by name.
    n_splits_ : int
        Number of splits.
    refit_time_ : float
        Seconds that the last fit on all rows took; only with ``refit``.
    multimetric_ : bool
        Whether there are several scores.
    classes_ : ndarray of shape (n_classes,)
        Labels of the classes, where the best estimator is a classifier.
    n_features_in_, feature_names_in_ : int, and ndarray of shape (`n_features_in_`,)
        Number of features seen during ``fit``, and their names where the best estimator knows
        them; only with ``refit``.

    Raises
    ------
    ValueError
        From ``fit``, if every fit fails, or if there are several scores and ``refit`` does not
        say which one decides,
        or if ``resource`` is no whole number of the estimator or is searched over too.

    See Also
    --------
    BatchedGridSearchCV : Trains every combination to the end.
    BatchedRandomizedSearchCV : Trains every candidate that is drawn to the end.
    search_space : A ready ``param_distributions`` for an estimator.
    sklearn.model_selection.HalvingRandomSearchCV : Starts anew in each iteration.

    Notes
    -----
    ``lr_schedule`` is made for the epochs of the last iteration, so that a survivor has had one
    whole schedule and not a new one in each iteration. With ``lr_schedule="constant"`` scores are
    those of candidates that start anew in each iteration. Nets with ``callbacks``, ``warm_start``
    or ``refit_full``, deep ensembles and generative nets cannot be paused and do
    start anew.

    Candidates, resources and iterations are those of
    :class:`~sklearn.model_selection.HalvingRandomSearchCV` and
    :class:`~sklearn.model_selection.HalvingGridSearchCV` with an estimator's parameter as
    ``resource``, except that ``max_resources="auto"`` is the estimator's own value, that
    ``"smallest"`` is not one, that ``n_candidates`` and ``min_resources`` may both be
    ``"exhaust"``, and that powers of ``factor`` are counted exactly: 243 candidates need six
    iterations with ``factor=3``, of which rounding leaves scikit-learn five. Rows are no
    resource.

    Scores of different iterations are of different numbers of epochs: only those of the last one
    count for ``best_index_``, whatever ``rank_test_score`` says, unless ``refit`` is a callable.
    What is stacked, what is done once and what fit times mean is told in the Notes of
    :class:`BatchedGridSearchCV`; the fit time of an iteration is that of its own epochs.

    References
    ----------
    .. [1] Jamieson and Talwalkar (2016), "Non-stochastic Best Arm Identification and
       Hyperparameter Optimization", AISTATS.

    Examples
    --------
    >>> from scipy.stats import loguniform
    >>> from sklearn.datasets import load_iris
    >>> from skdeep.model_selection import BatchedHalvingSearchCV
    >>> from skdeep.neural_network import ResNetClassifier
    >>> X, y = load_iris(return_X_y=True)
    >>> net = ResNetClassifier(n_blocks=1, max_epochs=9, random_state=0)
    >>> space = {"lr": loguniform(1e-4, 1e-1), "width": [8, 16]}
    >>> search = BatchedHalvingSearchCV(net, space, cv=3, random_state=0).fit(X, y)
    >>> search.n_candidates_
    [9, 3, 1]
    >>> search.n_resources_
    [1, 3, 9]
    >>> search.best_params_["max_epochs"]
    9
    """

    param_distributions: dict | Sequence[dict] = param(kw_only=False)
    n_candidates: int | str = param(
        Interval(Integral, 1, None, closed="left"),
        StrOptions({"all", "exhaust"}),
        default="exhaust",
    )
    factor: float = param(Interval(Real, 1, None, closed="neither"), default=3)
    resource: str = param(str, default="max_epochs")
    max_resources: int | str = param(
        Interval(Integral, 1, None, closed="left"), StrOptions({"auto"}), default="auto"
    )
    min_resources: int | str = param(
        Interval(Integral, 1, None, closed="left"),
        StrOptions({"exhaust", "smallest"}),
        default="smallest",
    )
    aggressive_elimination: bool = param("boolean", default=False)
    random_state: int | np.random.RandomState | None = param(default=None)

    def _search(self, data, root):
        self._check_resource()
        self._set_resources()
        candidates = self._draw_candidates()
        steps = self._plan(len(candidates))
        paused = PausedFits(self.resource, steps[-1])
        self.n_candidates_, self.n_resources_ = [], []
        params, results, extra = [], [], {"iter": [], "n_resources": []}
        with self._subtask(root, "search", max_subtasks=len(steps)) as search:
            for iteration, n_resources in enumerate(steps):
                now = [{**one, self.resource: n_resources} for one in candidates]
                self.n_resources_.append(n_resources)
                self.n_candidates_.append(len(now))
                self._say(iteration)
                with self._evaluations(search, "halving-iteration", len(now)) as context:
                    results += self._evaluate(data, now, context, paused)
                params += now
                extra["iter"] += [iteration] * len(now)
                extra["n_resources"] += [n_resources] * len(now)
                table = make_cv_results(params, results, self.n_splits_, extra)
                metric = self._metric(results[0]["test_scores"])
                candidates = self._survivors(candidates, _scores(table, metric, iteration))
        self.n_remaining_candidates_ = len(candidates)
        self.n_iterations_ = len(steps)
        return table, results[0]["test_scores"]

    def _check_refit(self, scorers):
        super()._check_refit(scorers)
        if not isinstance(self.refit, str):
            raise ValueError(
                "refit must name the score by which candidates drop out where there are several; "
                f"got refit={self.refit!r}. The scores are {list(scorers)}."
            )

    def _survivors(self, candidates, scores):
        """Give the candidates that go on, in scikit-learn's order, also where scores are equal."""
        order = np.roll(np.argsort(scores), np.count_nonzero(np.isnan(scores)))
        n_kept = ceil(len(candidates) / self.factor)
        return [candidates[place] for place in order[-n_kept:]]

    def _check_resource(self):
        """Raise ``ValueError`` where the resource is no whole number that can be set."""
        value = self.estimator.get_params().get(self.resource)
        if not isinstance(value, Integral) or isinstance(value, bool):
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
            least = max(1, int(self.max_resources_ // self.factor**3))
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
            self.min_resources_ = max(1, int(self.max_resources_ // self.factor**power))
        ratio = self.max_resources_ // self.min_resources_
        self.n_possible_iterations_ = 1 + _log(ratio, self.factor)
        missing = self.n_required_iterations_ - self.n_possible_iterations_
        n_iterations = self.n_required_iterations_
        if not self.aggressive_elimination:
            n_iterations, missing = min(n_iterations, self.n_possible_iterations_), 0
        powers = [max(0, step - missing) for step in range(n_iterations)]
        return [int(self.min_resources_ * self.factor**power) for power in powers]

    def _say(self, iteration):
        if self.verbose > 0:
            print(
                f"iter: {iteration}, n_candidates: {self.n_candidates_[-1]}, "
                f"n_resources: {self.n_resources_[-1]}"
            )

    def _best_index(self, metric):
        if callable(self.refit):
            return choose_best(self.refit, metric, self.cv_results_)
        last = self.n_iterations_ - 1
        places = np.flatnonzero(self.cv_results_["iter"] == last)
        scores = _scores(self.cv_results_, metric, last)
        return places[np.argmax(np.nan_to_num(scores, nan=-np.inf))]


def _scores(table, metric, iteration):
    """Mean scores of the candidates of an iteration."""
    return table[f"mean_test_{metric}"][table["iter"] == iteration]


def _log(number, base):
    """Whole part of a logarithm."""
    power = 0
    while base ** (power + 1) <= number:
        power += 1
    return power
