"""Successive halving in which candidates continue their training."""

from collections.abc import Sequence
from math import ceil
from numbers import Integral, Real

import numpy as np
from sklearn.model_selection import ParameterGrid, ParameterSampler, RandomizedSearchCV

from skdeep.model_selection._base import BatchedSearchMixin
from skdeep.model_selection._jobs import PausedFits
from skdeep.model_selection._results import choose_best, make_cv_results
from skdeep.utils._params import POSITIVE_INTEGER, param
from skdeep.utils._sklearn import Interval, StrOptions


class BatchedHalvingSearchCV(BatchedSearchMixin, RandomizedSearchCV):
    """Successive halving that continues the training of the remaining candidates.

    Many candidates are trained for a few epochs. The best of them are trained for ``factor`` times
    as many epochs, and so on, until one is left or ``max_resources`` is reached [1]_. Training
    continues from the previous iteration, so that all iterations together take a candidate no
    longer than a single fit. Nets of the same shape, from all candidates and splits, are trained as
    one stacked net.

    Parameters
    ----------
    estimator : estimator
        Estimator to search over: an estimator of skdeep, a :class:`~sklearn.pipeline.Pipeline` with
        one or more of them as steps, or any other estimator with a parameter that can be the
        resource.
    param_distributions : dict or list of dict
        For each parameter a list of values, or a distribution with a method ``rvs``, such as those
        of ``scipy.stats``. From a list of dicts, one is drawn for each candidate.
        :func:`search_space` returns a ready-made one.
    n_candidates : int, "exhaust" or "all", default="exhaust"
        Number of candidates in the first iteration. ``"exhaust"`` draws
        ``max_resources_ // min_resources_`` candidates, so that few are left for a last iteration
        with all resources. ``"all"`` uses every combination; for lists only.
    factor : int or float, default=3
        The best ``1 / factor`` of the candidates are kept for the next iteration, which has
        ``factor`` times the resource. Greater than one.
    resource : str, default="max_epochs"
        Integer parameter of the estimator that increases with each iteration; ``step__max_epochs``
        in a pipeline. If it is not the number of epochs of a net, candidates are trained from
        scratch in each iteration.
    max_resources : int or "auto", default="auto"
        Maximum amount of the resource for a candidate. ``"auto"`` is the value of the parameter in
        ``estimator``.
    min_resources : int, "smallest" or "exhaust", default="smallest"
        Amount of the resource in the first iteration. ``"smallest"`` is
        ``max_resources_ // factor**3``, but at least one. ``"exhaust"`` is such that the last
        iteration uses as much of ``max_resources_`` as possible.
    aggressive_elimination : bool, default=False
        Whether to repeat the first iteration, each time with fewer candidates, if there are too
        many candidates for the resource to leave fewer than ``factor`` in the last iteration. If
        there are fewer than the resource allows for, the first iteration uses more than
        ``min_resources_``, and the last one close to ``max_resources_``.
    random_state : int, RandomState instance or None, default=None
        Determines the candidates that are drawn. Pass an int for reproducible results across
        multiple function calls. The nets have their own ``random_state``.
    scoring : str, callable, list, tuple or dict, default=None
        Strategy to score the candidates, as in scikit-learn's searches: the name of a scorer, a
        callable ``scorer(estimator, X, y)``, or several of them as a list of names, as a dict, or
        as a callable that returns a dict. None uses the ``score`` method of the estimator.
    n_jobs : int, default=None
        Number of processes over which stacks, shared steps and single fits are distributed. -1 uses
        all processors. None means 1 unless in a ``joblib.parallel_config`` context; if the
        ``device`` of the nets is a list, None uses one thread per device.
    refit : bool, str or callable, default=True
        Whether to refit the best candidate on all samples. With several scores, the name of the
        score that decides. A callable is passed ``cv_results_`` and returns ``best_index_``.
    cv : int, splitter or iterable, default=None
        Cross-validation splitting strategy. None is 5-fold cross-validation and an int is the
        number of folds, stratified if the estimator is a classifier. Otherwise, a splitter or an
        iterable of pairs of training and test indices.
    verbose : int, default=0
        1 prints the number of fits, how many nets are trained in stacks and of which size, and how
        many are trained one by one and why. 2 also prints a line for each fit, 3 also its score.
    pre_dispatch : int or str, default="2*n_jobs"
        Number of tasks that are dispatched to the processes in advance. Fewer tasks need less
        memory.
    error_score : "raise" or float, default=numpy.nan
        Score of a fit that fails, for example because the loss stops being finite. The other nets
        of its stack are trained on. ``"raise"`` raises the error instead.
    return_train_score : bool, default=False
        Whether ``cv_results_`` also contains scores on the training samples.
    max_batch_models : int or "auto", default="auto"
        Maximum number of nets in a stack. ``"auto"`` chooses the fastest: as many as fit into the
        caches of a CPU or a quarter of the free memory of a GPU, or one if a stack would be slower.
        An int stacks whatever can be stacked, up to that many nets; 1 disables stacking.
    journal : str or os.PathLike, default=None
        File to which the score of each fit is appended as soon as it is known. If the search is
        repeated, for example after its process was killed, fits that are in this file are not done
        again. They are recognized by the data, the split, the parameters and the versions of the
        libraries; functions and classes of your own by their names, so that a change of their code
        requires another file. Failed fits and scores are repeated. :func:`read_journal` shows the
        results so far.

    Attributes
    ----------
    n_candidates_ : list of int, length `n_iterations_`
        Number of candidates in each iteration.
    n_resources_ : list of int, length `n_iterations_`
        Amount of the resource in each iteration.
    max_resources_ : int
        Maximum amount of the resource for a candidate.
    min_resources_ : int
        Minimum amount of the resource for a candidate: that of the first iteration, unless
        ``aggressive_elimination=True`` raises it.
    n_iterations_ : int
        Number of iterations.
    n_possible_iterations_ : int
        Number of iterations that the resource allows for.
    n_required_iterations_ : int
        Number of iterations needed to leave fewer than ``factor`` candidates in the last one.
    n_remaining_candidates_ : int
        Number of candidates that would have been kept after the last iteration.
    cv_results_ : dict of str to ndarray of shape (n_candidates,)
        Results as a dict that can be imported as a dataframe with a row for each candidate and
        iteration: ``iter``, ``n_resources``, ``param_...`` for each parameter, ``params``,
        ``split0_test_score`` and so on, ``mean_test_score``, ``std_test_score``,
        ``rank_test_score``, and the same for ``train`` scores if ``return_train_score=True``. With
        several scores, ``score`` is replaced by their names. ``mean_fit_time`` and the other times
        are in seconds, see Notes.
    best_estimator_ : estimator
        The best candidate of the last iteration, refitted on all samples. Only available if
        ``refit`` is not False.
    best_score_ : float
        Mean cross-validated score of the best candidate. Not available if ``refit`` is a callable.
    best_params_ : dict
        Parameters of the best candidate.
    best_index_ : int
        Index of the best candidate in ``cv_results_``. With several scores, ``best_score_``,
        ``best_params_`` and ``best_index_`` are only available if ``refit`` is not False.
    scorer_ : callable or dict
        The scorer, or a dict of several scorers by name.
    n_splits_ : int
        Number of cross-validation splits.
    refit_time_ : float
        Seconds used to refit the best candidate on all samples. Only available if ``refit`` is not
        False.
    multimetric_ : bool
        Whether there are several scores.
    classes_ : ndarray of shape (n_classes,)
        Class labels. Only available if the best estimator is a classifier.
    n_features_in_, feature_names_in_ : int, and ndarray of shape (`n_features_in_`,)
        Number of features seen during ``fit`` and their names, if the best estimator has them. Only
        available if ``refit`` is not False.

    Raises
    ------
    ValueError
        From ``fit``, if every fit fails, if there are several scores and ``refit`` does not name
        the one that decides, or if ``resource`` is not an integer parameter of the estimator or is
        also searched over.

    See Also
    --------
    BatchedGridSearchCV : Trains every combination to the end.
    BatchedRandomizedSearchCV : Trains every candidate that is drawn to the end.
    search_space : Ready-made ``param_distributions`` for an estimator.
    sklearn.model_selection.HalvingRandomSearchCV : Trains from scratch in each iteration.

    Notes
    -----
    ``lr_schedule`` spans the epochs of the last iteration: a candidate that reaches it has been
    trained with one whole schedule, not with a new one in each iteration. With
    ``lr_schedule="constant"``, scores are those of training from scratch in each iteration. Nets
    with ``callbacks``, ``warm_start`` or ``refit_full``, nets in branches of unions and column
    transformers, deep ensembles and generative nets cannot be paused and are trained from scratch
    in each iteration.

    Candidates, resources and iterations are those of
    :class:`~sklearn.model_selection.HalvingRandomSearchCV` and
    :class:`~sklearn.model_selection.HalvingGridSearchCV` with a parameter of the estimator as
    ``resource``, with these exceptions: ``max_resources="auto"`` is the value in the estimator,
    ``min_resources="smallest"`` is not one, both ``n_candidates`` and ``min_resources`` may be
    ``"exhaust"``, and powers of ``factor`` are computed exactly: 243 candidates need six iterations
    with ``factor=3``, where scikit-learn uses five due to rounding. The number of samples cannot be
    the resource.

    Scores of different iterations belong to different numbers of epochs. Unless ``refit`` is a
    callable, only those of the last iteration count for ``best_index_``, regardless of
    ``rank_test_score``. The Notes of :class:`BatchedGridSearchCV` explain what is stacked, what is
    done once and what fit times mean. The fit time of an iteration is that of its own epochs.

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
        POSITIVE_INTEGER, StrOptions({"all", "exhaust"}), default="exhaust"
    )
    factor: float = param(Interval(Real, 1, None, closed="neither"), default=3)
    resource: str = param(str, default="max_epochs")
    max_resources: int | str = param(POSITIVE_INTEGER, StrOptions({"auto"}), default="auto")
    min_resources: int | str = param(
        POSITIVE_INTEGER, StrOptions({"exhaust", "smallest"}), default="smallest"
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
        if not isinstance(self.refit, str) or self.refit not in scorers:
            raise ValueError(
                "refit must name the score by which candidates are selected if there are several; "
                f"got refit={self.refit!r}. The scores are {list(scorers)}."
            )

    def _survivors(self, candidates, scores):
        """Return the candidates to continue with, in scikit-learn's order, even for ties."""
        order = np.roll(np.argsort(scores), np.count_nonzero(np.isnan(scores)))
        n_kept = ceil(len(candidates) / self.factor)
        return [candidates[place] for place in order[-n_kept:]]

    def _check_resource(self):
        """Raise ``ValueError`` if the resource is not an integer parameter that can be set."""
        value = self.estimator.get_params().get(self.resource)
        if not isinstance(value, Integral) or isinstance(value, bool):
            names = [name for name in self.estimator.get_params() if name.endswith("max_epochs")]
            raise ValueError(
                "resource must be a parameter of the estimator with an integer value; got "
                f"{self.resource!r}, whose value is {value!r}. Parameters that are numbers of "
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
        if number == "exhaust":  # the last iteration can have all resources
            number = self.max_resources_ // self.min_resources_
        elif number == "all":
            return list(ParameterGrid(self.param_distributions))
        return list(
            ParameterSampler(self.param_distributions, number, random_state=self.random_state)
        )

    def _plan(self, n_candidates):
        """Amount of the resource in each iteration."""
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
    """Integer part of a logarithm."""
    power = 0
    while base ** (power + 1) <= number:
        power += 1
    return power
