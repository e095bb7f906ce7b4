"""Grid and randomised search over many nets at once."""

from collections.abc import Sequence

import numpy as np
from sklearn.model_selection import (
    GridSearchCV,
    ParameterGrid,
    ParameterSampler,
    RandomizedSearchCV,
)

from skdeep.model_selection._base import BatchedSearchMixin
from skdeep.utils._params import param

__all__ = ["BatchedGridSearchCV", "BatchedRandomizedSearchCV"]


class BatchedGridSearchCV(BatchedSearchMixin, GridSearchCV):
    """Grid search that trains many nets at once.

    Used like :class:`~sklearn.model_selection.GridSearchCV`, with the same results. Every
    combination of values is scored on every split, and the best one is fitted on all rows. Nets
    of one shape, from all candidates and splits, are trained as one stacked net.

    Parameters
    ----------
    estimator : estimator
        What to search over: one of skdeep's, a :class:`~sklearn.pipeline.Pipeline` with one or
        more of these as steps, or any other, whose fits are then done one by one.
    param_grid : dict or list of dict
        Values to try for each parameter, by name; ``step__parameter`` in a pipeline. Of a list
        of dicts each is a grid of its own.
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
        of the one that decides, or False. A callable is
        given ``cv_results_`` and returns ``best_index_``.
    cv : int, splitter or iterable, default=None
        Splits of the rows. None is five folds and an int a number of folds, stratified where a
        classifier is searched over; else a splitter, or pairs of training and test indices.
    verbose : int, default=0
        1 prints the number of fits, how many nets are trained in stacks of which size, and how
        many are trained one by one and why. 2 prints a line for each fit too, 3 its score.
    pre_dispatch : int or str, default="2*n_jobs"
        Pieces of work that are handed to the processes in advance; fewer save memory.
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
    cv_results_ : dict of str to ndarray of shape (n_candidates,)
        A table with a row for each candidate: ``param_...`` for each parameter, ``params``,
        ``split0_test_score`` and its like, ``mean_test_score``, ``std_test_score``,
        ``rank_test_score``, and the same of ``train`` scores where they are asked for. With
        several scores their names stand in place of ``score``. ``mean_fit_time`` and its like
        are in seconds, see Notes.
    best_estimator_ : estimator
        The best candidate, fitted on all rows; only with ``refit``.
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
        say which one decides.

    See Also
    --------
    BatchedRandomizedSearchCV : Draws candidates instead of trying every combination.
    BatchedHalvingSearchCV : Trains the better ones of many candidates for longer.
    sklearn.model_selection.GridSearchCV : Fits one candidate after the other.

    Notes
    -----
    Nets share a stack where they have equal shapes, batch sizes and numbers of batches.
    Parameters that do not change these, such as ``lr``, ``noise``, ``dropout`` or
    ``weight_decay``, may differ, and so may the split. On a CPU each net ends equal to the last
    bit to the same one fitted by itself, and the search chooses as scikit-learn's does. Where
    images are stacked, on GPUs or with an int as ``max_batch_models``, random draws may lie
    differently, and scores are equal within chance.

    What candidates have in common is done once: steps in front of a net once for each split and
    distinct parameters, a net once for all candidates that differ only behind it.

    The fit time of a net is that of its stack, divided by the number of its members; the time of
    shared steps is divided by the number of candidates that share them.

    Callbacks given to ``set_callbacks`` see the tasks that they see of
    :class:`~sklearn.model_selection.GridSearchCV`: one for each candidate on each split, which
    contains the epochs of its net. Nets of a stack report theirs at the same time.

    Examples
    --------
    >>> from sklearn.datasets import load_iris
    >>> from skdeep.decomposition import Autoencoder
    >>> from skdeep.model_selection import BatchedGridSearchCV
    >>> X, _ = load_iris(return_X_y=True)
    >>> ae = Autoencoder(2, hidden_layer_sizes=(16,), max_epochs=10, random_state=0)
    >>> grid = {"lr": [1e-4, 1e-3, 1e-2], "weight_decay": [0.0, 0.1]}
    >>> search = BatchedGridSearchCV(ae, grid, cv=3).fit(X)
    >>> search.best_params_["lr"]
    0.01
    >>> search.transform(X).shape
    (150, 2)
    """

    param_grid: dict | Sequence[dict] = param(kw_only=False)

    def _search(self, data, root):
        return self._search_once(data, ParameterGrid(self.param_grid), root)


class BatchedRandomizedSearchCV(BatchedSearchMixin, RandomizedSearchCV):
    """Randomised search that trains many nets at once.

    Used like :class:`~sklearn.model_selection.RandomizedSearchCV`, with the same results. A
    number of candidates is drawn, each is scored on every split, and the best one is fitted on
    all rows. Where only a few of the parameters matter, it finds good values in fewer fits than
    a grid [1]_. Nets of one shape, from all candidates and splits, are trained as one stacked
    net.

    Parameters
    ----------
    estimator : estimator
        What to search over: one of skdeep's, a :class:`~sklearn.pipeline.Pipeline` with one or
        more of these as steps, or any other, whose fits are then done one by one.
    param_distributions : dict or list of dict
        For each parameter a list of values, or a distribution with a method ``rvs``, as those of
        ``scipy.stats``. Of a list of dicts one is drawn for each candidate.
        :func:`search_space` gives a ready one.
    n_iter : int, default=10
        Number of candidates; with lists only, no more than there are combinations.
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
        of the one that decides, or False. A callable is
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
    cv_results_ : dict of str to ndarray of shape (n_candidates,)
        A table with a row for each candidate: ``param_...`` for each parameter, ``params``,
        ``split0_test_score`` and its like, ``mean_test_score``, ``std_test_score``,
        ``rank_test_score``, and the same of ``train`` scores where they are asked for. With
        several scores their names stand in place of ``score``. ``mean_fit_time`` and its like
        are in seconds, see Notes.
    best_estimator_ : estimator
        The best candidate, fitted on all rows; only with ``refit``.
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
        say which one decides.

    See Also
    --------
    BatchedGridSearchCV : Tries every combination.
    BatchedHalvingSearchCV : Trains the better ones of many candidates for longer.
    search_space : A ready ``param_distributions`` for an estimator.
    sklearn.model_selection.RandomizedSearchCV : Fits one candidate after the other.

    Notes
    -----
    Nets share a stack where they have equal shapes. For parameters that change the shape, such as
    layer widths, short lists leave more nets to each stack than distributions do. What is
    stacked, what is done once, how equal the results are and what fit times mean is told in the
    Notes of :class:`BatchedGridSearchCV`.

    References
    ----------
    .. [1] Bergstra and Bengio (2012), "Random Search for Hyper-Parameter Optimization", JMLR 13.

    Examples
    --------
    >>> from scipy.stats import loguniform
    >>> from sklearn.datasets import load_iris
    >>> from skdeep.model_selection import BatchedRandomizedSearchCV
    >>> from skdeep.neural_network import ResNetClassifier
    >>> X, y = load_iris(return_X_y=True)
    >>> net = ResNetClassifier(n_blocks=1, width=16, max_epochs=10, random_state=0)
    >>> space = {"lr": loguniform(1e-4, 1e-1), "dropout": [0.0, 0.2]}
    >>> search = BatchedRandomizedSearchCV(net, space, n_iter=8, cv=3, random_state=0).fit(X, y)
    >>> bool(search.best_params_["lr"] > 1e-3)
    True
    >>> search.predict(X).shape
    (150,)
    """

    param_distributions: dict | Sequence[dict] = param(kw_only=False)
    n_iter: int = param(default=10)
    random_state: int | np.random.RandomState | None = param(default=None)

    def _search(self, data, root):
        params = ParameterSampler(
            self.param_distributions, self.n_iter, random_state=self.random_state
        )
        return self._search_once(data, params, root)
