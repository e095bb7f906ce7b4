"""Grid search and randomized search that train many nets at once."""

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


class BatchedGridSearchCV(BatchedSearchMixin, GridSearchCV):
    """Grid search that trains many nets at once.

    Used like :class:`~sklearn.model_selection.GridSearchCV`, with the same results. Every
    combination of values is scored on every split, and the best one is refitted on all samples.
    Nets of the same shape, from all candidates and splits, are trained as one stacked net.

    Parameters
    ----------
    estimator : estimator
        Estimator to search over: an estimator of skdeep, a :class:`~sklearn.pipeline.Pipeline` with
        one or more of them as steps, or any other estimator, which is then fitted once per
        candidate and split as usual.
    param_grid : dict or list of dict
        Values to try for each parameter, by name; ``step__parameter`` in a pipeline. From a list of
        dicts, each is a grid of its own, and all of them are searched.
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
        score that decides, or False. A callable is passed ``cv_results_`` and returns
        ``best_index_``.
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
    cv_results_ : dict of str to ndarray of shape (n_candidates,)
        Results as a dict that can be imported as a dataframe with a row for each candidate:
        ``param_...`` for each parameter, ``params``, ``split0_test_score`` and so on,
        ``mean_test_score``, ``std_test_score``, ``rank_test_score``, and the same for ``train``
        scores if ``return_train_score=True``. With several scores, ``score`` is replaced by their
        names. ``mean_fit_time`` and the other times are in seconds, see Notes.
    best_estimator_ : estimator
        The best candidate, refitted on all samples. Only available if ``refit`` is not False.
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
        From ``fit``, if every fit fails, or if there are several scores and ``refit`` does not
        name the one that decides.

    See Also
    --------
    BatchedRandomizedSearchCV : Draws candidates instead of trying every combination.
    BatchedHalvingSearchCV : Trains the better ones of many candidates for longer.
    sklearn.model_selection.GridSearchCV : Fits one candidate after the other.

    Notes
    -----
    Nets are stacked if they have equal shapes, batch sizes and numbers of batches. They may differ
    in the split and in parameters that do not affect these, such as ``lr``, ``noise``, ``dropout``
    or ``weight_decay``. On a CPU, each net is equal, to the last bit, to the same net fitted on its
    own, and the search selects the same candidate as scikit-learn's. If images are stacked, on GPUs
    or with an int as ``max_batch_models``, random draws may differ, and scores are equal up to
    random variation.

    Work that candidates share is done once: steps before a net are fitted once for each split and
    distinct parameters, and a net is trained once for all candidates that differ only after it.
    Nets in branches of a :class:`~sklearn.pipeline.FeatureUnion` or
    :class:`~sklearn.compose.ColumnTransformer` are trained in stacks as well.

    The fit time of a net is that of its stack, divided by the number of its members. The time of
    shared steps is divided by the number of candidates that share them.

    Callbacks passed to ``set_callbacks`` receive the same tasks as from
    :class:`~sklearn.model_selection.GridSearchCV`: one for each candidate and split, which contains
    the epochs of its net. Nets of a stack report their epochs at the same time.

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
    """Randomized search that trains many nets at once.

    Used like :class:`~sklearn.model_selection.RandomizedSearchCV`, with the same results. A fixed
    number of candidates is drawn and scored on every split, and the best one is refitted on all
    samples. If only a few of the parameters matter, good values are found with fewer fits than by
    a grid search [1]_. Nets of the same shape, from all candidates and splits, are trained as one
    stacked net.

    Parameters
    ----------
    estimator : estimator
        Estimator to search over: an estimator of skdeep, a :class:`~sklearn.pipeline.Pipeline` with
        one or more of them as steps, or any other estimator, which is then fitted once per
        candidate and split as usual.
    param_distributions : dict or list of dict
        For each parameter a list of values, or a distribution with a method ``rvs``, such as those
        of ``scipy.stats``. From a list of dicts, one is drawn for each candidate.
        :func:`search_space` returns a ready-made one.
    n_iter : int, default=10
        Number of candidates that are drawn; if all parameters are lists, at most the number of
        combinations.
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
        score that decides, or False. A callable is passed ``cv_results_`` and returns
        ``best_index_``.
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
    cv_results_ : dict of str to ndarray of shape (n_candidates,)
        Results as a dict that can be imported as a dataframe with a row for each candidate:
        ``param_...`` for each parameter, ``params``, ``split0_test_score`` and so on,
        ``mean_test_score``, ``std_test_score``, ``rank_test_score``, and the same for ``train``
        scores if ``return_train_score=True``. With several scores, ``score`` is replaced by their
        names. ``mean_fit_time`` and the other times are in seconds, see Notes.
    best_estimator_ : estimator
        The best candidate, refitted on all samples. Only available if ``refit`` is not False.
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
        From ``fit``, if every fit fails, or if there are several scores and ``refit`` does not
        name the one that decides.

    See Also
    --------
    BatchedGridSearchCV : Tries every combination.
    BatchedHalvingSearchCV : Trains the better ones of many candidates for longer.
    search_space : Ready-made ``param_distributions`` for an estimator.
    sklearn.model_selection.RandomizedSearchCV : Fits one candidate after the other.

    Notes
    -----
    Nets are stacked if they have equal shapes. For parameters that affect the shape, such as layer
    widths, short lists result in larger stacks than distributions. The Notes of
    :class:`BatchedGridSearchCV` explain what is stacked, what is done once, how far the results
    agree with scikit-learn's, and what fit times mean.

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
