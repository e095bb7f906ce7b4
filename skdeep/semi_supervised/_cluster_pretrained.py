"""Residual nets that are pretrained on clusters, for classification and regression."""

from numbers import Real

import numpy as np
from sklearn.base import ClassifierMixin, RegressorMixin

from skdeep.neural_network import ResNetClassifier, ResNetRegressor
from skdeep.semi_supervised._pretraining import ClusterPretrained
from skdeep.utils._missing_labels import encode_some_labels, find_labelled
from skdeep.utils._params import param
from skdeep.utils._settings import own_settings
from skdeep.utils._validation import is_missing


class ClusterPretrainedClassifier(ClassifierMixin, ClusterPretrained):
    """Residual net classifier that is pretrained on clusters, for few labels.

    A clusterer assigns all samples to clusters. A residual net is trained to predict the cluster of
    each sample, so that its trunk learns features that tell the clusters apart. The net then gets a
    new head and is fine-tuned on the samples that have a label.

    Parameters
    ----------
    clusterer : estimator
        Clusterer of skdeep or scikit-learn with a method ``fit_predict`` or ``predict``, such as
        :class:`~skdeep.cluster.IMSAT`, :class:`~sklearn.cluster.KMeans` or a pipeline that ends
        with one. It is cloned. A fitted clusterer is used as it is if it is passed as
        ``FrozenEstimator(clusterer)``. Samples in a cluster below 0, such as the noise of
        :class:`~sklearn.cluster.DBSCAN`, do not take part in pretraining.
    estimator : ResNetClassifier or None, default=None
        Residual net that is cloned for the labels. A classifier with the same parameters is
        trained on the clusters. None for ``ResNetClassifier()``.
    unlabeled : int, float, str or None, default=-1
        Value that marks a missing label in ``y``, for example ``""``. None and NaN match any
        missing value. If ``y`` contains only -1 and 1, these are two classes, with a warning,
        unless ``unlabeled`` is something else.
    pretrain_epochs : int, default=50
        Maximum number of epochs of the training on the clusters; ``estimator.max_epochs`` is that
        of the fine-tuning.
    freeze_epochs : int, default=0
        Number of epochs at the beginning of the fine-tuning in which only the new head is trained.
    trunk_lr : float, default=0.001
        Learning rate of the trunk in the epochs after them. That of the head is ``estimator.lr``,
        which None uses, too.
    random_state : int, RandomState instance or None, default=None
        Determines the seeds of clusterer and nets where their own ``random_state`` is None. Pass an
        int for reproducible results across multiple function calls.

    Attributes
    ----------
    clusterer_ : estimator
        The fitted clusterer.
    cluster_labels_ : ndarray of int of shape (n_samples,)
        Cluster of each training sample; -1 for noise and for samples of weight zero. Labels that
        are not integers, such as strings, are numbered in sorted order.
    estimator_ : ResNetClassifier
        The fine-tuned net. Its parameter ``pretrained`` holds the net that predicts clusters.
    classes_ : ndarray of shape (n_classes,)
        Class labels, without ``unlabeled``.
    transduction_ : ndarray of shape (n_samples,)
        Labels of the training samples: the given ones, else predictions.
    n_features_in_ : int
        Number of features seen during ``fit``.
    feature_names_in_ : ndarray of shape (`n_features_in_`,)
        Names of features seen during ``fit``. Defined only when all of them are strings.

    Raises
    ------
    ValueError
        From ``fit``, if no sample has a label, or the clusterer returns fewer than two clusters.
    DivergenceError
        From ``fit``, if the loss of a net stops being finite.

    See Also
    --------
    ClusterPretrainedRegressor : The same for regression.
    skdeep.neural_network.ResNetClassifier : Takes any fitted net as ``pretrained``.
    sklearn.semi_supervised.SelfTrainingClassifier : Adds confident predictions to the labels.

    Notes
    -----
    In the training on the clusters, all clusters have the same weight, whatever their size. With
    k-means it is often better to have several times as many clusters as classes, so that a cluster
    is part of a class. For a head that learns faster than the trunk, increase ``estimator.lr``.

    Pretraining helps where the clusters are related to the targets. Where they are not, the net has
    to unlearn its features. Compare with ``estimator`` alone.

    The labels and targets have no influence on clusters and pretraining.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn.cluster import KMeans
    >>> from sklearn.datasets import load_iris
    >>> from skdeep.neural_network import ResNetClassifier
    >>> from skdeep.semi_supervised import ClusterPretrainedClassifier
    >>> X, y = load_iris(return_X_y=True)
    >>> few = np.where(np.arange(150) % 10 == 0, y, -1)
    >>> net = ResNetClassifier(n_blocks=1, width=32, max_epochs=20)
    >>> clf = ClusterPretrainedClassifier(KMeans(10), net, pretrain_epochs=20, random_state=0)
    >>> clf.fit(X, few).predict(X).shape
    (150,)
    """

    unlabeled: float | str | None = param(Real, str, None, default=-1)

    _net_class = ResNetClassifier
    score = ClusterPretrained.score  # that of the mixin takes no missing labels

    @own_settings()
    def predict_proba(self, X) -> np.ndarray:
        """Predict class probabilities.

        Parameters
        ----------
        X : {array-like, sparse matrix, dataframe} of shape (n_samples, n_features)
            Samples to classify.

        Returns
        -------
        probability : ndarray of shape (n_samples, n_classes), float64
            Probabilities in the order of ``classes_``. They sum to one for each sample.
        """
        return self._of_net("predict_proba", X)

    @own_settings()
    def predict_log_proba(self, X) -> np.ndarray:
        """Predict logarithms of class probabilities.

        Parameters
        ----------
        X : {array-like, sparse matrix, dataframe} of shape (n_samples, n_features)
            Samples to classify.

        Returns
        -------
        log_probability : ndarray of shape (n_samples, n_classes), float64
            Natural logarithm of the probabilities, finite even if a probability is rounded to zero.
        """
        return self._of_net("predict_log_proba", X)

    @own_settings()
    def decision_function(self, X) -> np.ndarray:
        """Predict logits.

        Parameters
        ----------
        X : {array-like, sparse matrix, dataframe} of shape (n_samples, n_features)
            Samples to classify.

        Returns
        -------
        decision : ndarray of shape (n_samples,) or (n_samples, n_classes), float64
            Logits. With two classes, the log-odds of ``classes_[1]``.
        """
        return self._of_net("decision_function", X)

    def _find_labelled(self, y, X, *, reset):
        if not reset:  # labels of unknown classes may be scored, too
            return find_labelled(y, self.unlabeled, self.classes_)
        classes, codes = encode_some_labels(y, X, self.unlabeled)
        is_labelled = codes >= 0
        return classes[codes[is_labelled]], is_labelled

    def _record(self):
        return {"classes_": self.estimator_.classes_}


class ClusterPretrainedRegressor(RegressorMixin, ClusterPretrained):
    """Residual net regressor that is pretrained on clusters, for few targets.

    A clusterer assigns all samples to clusters. A residual net is trained to predict the cluster of
    each sample, so that its trunk learns features that tell the clusters apart. The net then gets a
    new head and is fine-tuned on the samples that have a target, which are those without NaN in
    ``y``.

    Parameters
    ----------
    clusterer : estimator
        Clusterer of skdeep or scikit-learn with a method ``fit_predict`` or ``predict``, such as
        :class:`~skdeep.cluster.IMSAT`, :class:`~sklearn.cluster.KMeans` or a pipeline that ends
        with one. It is cloned. A fitted clusterer is used as it is if it is passed as
        ``FrozenEstimator(clusterer)``. Samples in a cluster below 0, such as the noise of
        :class:`~sklearn.cluster.DBSCAN`, do not take part in pretraining.
    estimator : ResNetRegressor or None, default=None
        Residual net that is cloned for the targets. A classifier with the same parameters is
        trained on the clusters. None for ``ResNetRegressor()``.
    pretrain_epochs : int, default=50
        Maximum number of epochs of the training on the clusters; ``estimator.max_epochs`` is that
        of the fine-tuning.
    freeze_epochs : int, default=0
        Number of epochs at the beginning of the fine-tuning in which only the new head is trained.
    trunk_lr : float, default=0.001
        Learning rate of the trunk in the epochs after them. That of the head is ``estimator.lr``,
        which None uses, too.
    random_state : int, RandomState instance or None, default=None
        Determines the seeds of clusterer and nets where their own ``random_state`` is None. Pass an
        int for reproducible results across multiple function calls.

    Attributes
    ----------
    clusterer_ : estimator
        The fitted clusterer.
    cluster_labels_ : ndarray of int of shape (n_samples,)
        Cluster of each training sample; -1 for noise and for samples of weight zero. Labels that
        are not integers, such as strings, are numbered in sorted order.
    estimator_ : ResNetRegressor
        The fine-tuned net. Its parameter ``pretrained`` holds the net that predicts clusters.
    transduction_ : ndarray of shape (n_samples,) or (n_samples, n_outputs)
        Targets of the training samples: the given ones, else predictions.
    n_features_in_ : int
        Number of features seen during ``fit``.
    feature_names_in_ : ndarray of shape (`n_features_in_`,)
        Names of features seen during ``fit``. Defined only when all of them are strings.

    Raises
    ------
    ValueError
        From ``fit``, if no sample has a target, or the clusterer returns fewer than two clusters.
    DivergenceError
        From ``fit``, if the loss of a net stops being finite.

    See Also
    --------
    ClusterPretrainedClassifier : The same for classification.
    skdeep.neural_network.ResNetRegressor : Takes any fitted net as ``pretrained``.

    Notes
    -----
    In the training on the clusters, all clusters have the same weight, whatever their size. With
    k-means it is often better to have several times as many clusters as classes, so that a cluster
    is part of a class. For a head that learns faster than the trunk, increase ``estimator.lr``.

    Pretraining helps where the clusters are related to the targets. Where they are not, the net has
    to unlearn its features. Compare with ``estimator`` alone.

    The labels and targets have no influence on clusters and pretraining.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn.cluster import KMeans
    >>> from sklearn.datasets import load_diabetes
    >>> from skdeep.neural_network import ResNetRegressor
    >>> from skdeep.semi_supervised import ClusterPretrainedRegressor
    >>> X, y = load_diabetes(return_X_y=True)
    >>> few = np.where(np.arange(442) % 10 == 0, y, np.nan)
    >>> net = ResNetRegressor(n_blocks=1, width=32, max_epochs=20)
    >>> reg = ClusterPretrainedRegressor(KMeans(20), net, pretrain_epochs=20, random_state=0)
    >>> reg.fit(X, few).predict(X).shape
    (442,)
    """

    _net_class = ResNetRegressor
    score = ClusterPretrained.score  # that of the mixin takes no missing targets

    @own_settings()
    def predict(
        self, X, return_std=False, quantiles=None
    ) -> np.ndarray | tuple[np.ndarray, np.ndarray]:
        """Predict targets, and optionally their standard deviation or quantiles.

        Parameters
        ----------
        X : {array-like, sparse matrix, dataframe} of shape (n_samples, n_features)
            Samples to predict for.
        return_std : bool, default=False
            Whether to return the standard deviation of the targets as well. Requires an
            ``estimator`` with ``loss="gaussian"``.
        quantiles : array-like of shape (n_quantiles,), default=None
            If given, these quantiles of the targets are returned instead. Requires an ``estimator``
            with ``loss="quantile"`` or ``loss="gaussian"``, see the method of the same name of
            :class:`~skdeep.neural_network.ResNetRegressor`.

        Returns
        -------
        y : ndarray of shape (n_samples,) or (n_samples, n_outputs)
            Predictions of the fine-tuned net. If ``quantiles`` are given, the shape is
            (n_samples, n_quantiles) or (n_samples, n_outputs, n_quantiles).
        std : ndarray of shape (n_samples,) or (n_samples, n_outputs)
            Standard deviation. Only returned if ``return_std=True``.
        """
        return self._of_net("predict", X, return_std=return_std, quantiles=quantiles)

    def _find_labelled(self, y, X, *, reset):
        values = np.asarray(y)
        missing = np.reshape([is_missing(value) for value in values.ravel().tolist()], values.shape)
        is_labelled = ~missing.reshape(len(values), -1).any(axis=1)
        if not is_labelled.any():
            raise ValueError(
                f"y must have a target for at least one sample; got NaN for all {len(values)} of "
                "them. Use skdeep.cluster for samples without targets."
            )
        given = self._net()._check_targets(values[is_labelled], np.flatnonzero(is_labelled))
        return given, is_labelled

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.target_tags.multi_output = True
        return tags
