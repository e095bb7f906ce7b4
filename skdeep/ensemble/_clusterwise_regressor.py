"""A regressor for each cluster."""

import numpy as np
from sklearn.base import RegressorMixin, is_regressor
from sklearn.utils import check_array, check_consistent_length, get_tags

from skdeep.ensemble._clusterwise import Clusterwise, predict
from skdeep.utils._settings import own_settings


class ClusterwiseRegressor(RegressorMixin, Clusterwise):
    """Clusters the samples and fits a regressor to each cluster.

    The clusterer partitions the samples without their targets. A clone of ``estimator`` is then
    fitted to the samples of each cluster, and the target of a new sample is predicted by the
    estimator of its cluster. Simple regressors thereby become a flexible one, a mixture of experts
    whose gate is trained without targets [1]_.

    Parameters
    ----------
    clusterer : estimator
        Clusterer with a method ``predict``, of skdeep or scikit-learn, such as
        :class:`~skdeep.cluster.IMSAT`, :class:`~sklearn.cluster.KMeans` or a pipeline that ends
        with one. It is cloned. A fitted clusterer is used as it is if it is passed as
        ``FrozenEstimator(clusterer)``.
    estimator : estimator
        Regressor that is cloned for each cluster. If it is a net of skdeep, the clones are trained
        as one stack if that is faster.
    min_cluster_size : int, default=10
        Clusters with fewer samples of nonzero weight have no estimator of their own. Their targets
        are predicted by ``global_estimator_``.
    soft : bool, default=False
        Whether to average the predictions over all clusters, weighted by the probabilities of the
        clusters. Requires ``predict_proba`` of the clusterer.

    Attributes
    ----------
    clusterer_ : estimator
        The fitted clusterer.
    estimators_ : dict of int to estimator
        The fitted estimators by cluster, without clusters that are too small.
    global_estimator_ : estimator or None
        Estimator fitted to all samples, for samples in clusters that are not in ``estimators_``.
        None if every cluster of the clusterer has an estimator.
    n_features_in_ : int
        Number of features seen during ``fit``.
    feature_names_in_ : ndarray of shape (`n_features_in_`,)
        Names of features seen during ``fit``. Defined only when all of them are strings.

    Raises
    ------
    TypeError
        From ``fit``, if ``estimator`` is not a regressor, or if ``clusterer`` lacks a method that
        is needed.

    See Also
    --------
    ClusterwiseClassifier : A classifier for each cluster.
    DeepEnsembleRegressor : Averages several nets that are trained on all samples.
    sklearn.ensemble.StackingRegressor : Combines different regressors by another regressor.

    Notes
    -----
    Each estimator has only the samples of its cluster. Linear regressors may gain much, if the
    clusters separate regions in which they fit well. Nets and trees, which fit several regions on
    their own and need many samples, may lose. With
    ``soft=False``, predictions jump at the borders of clusters.

    The samples that determine the estimators are assigned by ``clusterer_.predict``, as new samples
    are.

    ``sample_weight`` is passed to the estimators, and to the clusterer if its ``fit`` accepts it.
    With scikit-learn's metadata routing, it is passed to those that request it.

    References
    ----------
    .. [1] Jacobs et al. (1991), "Adaptive Mixtures of Local Experts", Neural Computation 3(1).

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn.linear_model import LinearRegression
    >>> from sklearn.mixture import GaussianMixture
    >>> from skdeep.ensemble import ClusterwiseRegressor
    >>> X = np.linspace(-1, 1, 100).reshape(-1, 1)
    >>> y = np.abs(X.ravel())
    >>> clusterer = GaussianMixture(2, random_state=0)
    >>> model = ClusterwiseRegressor(clusterer, LinearRegression(), soft=True).fit(X, y)
    >>> bool(model.score(X, y) > 0.9)
    True
    >>> len(model.estimators_)
    2
    """

    _kind_of_estimator = "a regressor such as Ridge() or ResNetRegressor()"
    _is_right_kind = staticmethod(is_regressor)

    @own_settings()
    def predict(self, X) -> np.ndarray:
        """Predict targets.

        Parameters
        ----------
        X : {array-like, sparse matrix, dataframe} of shape (n_samples, n_features)
            Samples to predict for.

        Returns
        -------
        y : ndarray of shape (n_samples,) or (n_samples, n_outputs)
            Prediction of the estimator of each sample's cluster; with ``soft=True`` the mean over
            all clusters.
        """
        return self._of_estimators(predict, X)

    def _check_y(self, y, X):
        y = check_array(y, ensure_2d=False, allow_nd=False, input_name="y")
        check_consistent_length(X, y)
        return y

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.regressor_tags = get_tags(self.estimator).regressor_tags
        return tags
