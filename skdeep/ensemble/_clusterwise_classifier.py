"""A classifier for each cluster."""

import numpy as np
from sklearn.base import ClassifierMixin, is_classifier
from sklearn.dummy import DummyClassifier
from sklearn.utils import get_tags
from sklearn.utils.metaestimators import available_if

from skdeep.ensemble._base import members_have
from skdeep.ensemble._clusterwise import Clusterwise, predict
from skdeep.utils._labels import encode_labels
from skdeep.utils._missing_labels import find_labelled
from skdeep.utils._settings import own_settings


class ClusterwiseClassifier(ClassifierMixin, Clusterwise):
    """Clusters the samples and fits a classifier to each cluster.

    The clusterer partitions the samples without their labels. A clone of ``estimator`` is then
    fitted to the samples of each cluster, and a new sample is classified by the estimator of its
    cluster. Simple classifiers thereby become a flexible one, a mixture of experts whose gate is
    trained without labels [1]_.

    Parameters
    ----------
    clusterer : estimator
        Clusterer with a method ``predict``, of skdeep or scikit-learn, such as
        :class:`~skdeep.cluster.IMSAT`, :class:`~sklearn.cluster.KMeans` or a pipeline that ends
        with one. It is cloned. A fitted clusterer is used as it is if it is passed as
        ``FrozenEstimator(clusterer)``.
    estimator : estimator
        Classifier that is cloned for each cluster. If it is a net of skdeep, the clones are trained
        as one stack if that is faster. Every sample must have a label, also for an estimator such
        as :class:`~skdeep.semi_supervised.FewLabelsClassifier`.
    min_cluster_size : int, default=10
        Clusters with fewer samples of nonzero weight have no estimator of their own. Their samples
        are classified by ``global_estimator_``.
    soft : bool, default=False
        Whether to average the class probabilities over all clusters, weighted by the probabilities
        of the clusters. Requires ``predict_proba`` of both clusterer and estimator.

    Attributes
    ----------
    clusterer_ : estimator
        The fitted clusterer.
    estimators_ : dict of int to estimator
        The fitted estimators by cluster, without clusters that are too small. If all samples of a
        cluster have the same label, it is a :class:`~sklearn.dummy.DummyClassifier`.
    global_estimator_ : estimator or None
        Estimator fitted to all samples, for samples in clusters that are not in ``estimators_``.
        None if every cluster of the clusterer has an estimator.
    classes_ : ndarray of shape (n_classes,)
        Class labels of all clusters; for multilabel targets the indices of the columns.
    n_features_in_ : int
        Number of features seen during ``fit``.
    feature_names_in_ : ndarray of shape (`n_features_in_`,)
        Names of features seen during ``fit``. Defined only when all of them are strings.

    Raises
    ------
    TypeError
        From ``fit``, if ``estimator`` is not a classifier, or if ``clusterer`` or ``estimator``
        lack a method that is needed.

    See Also
    --------
    ClusterwiseRegressor : A regressor for each cluster.
    DeepEnsembleClassifier : Averages several nets that are trained on all samples.
    sklearn.ensemble.StackingClassifier : Combines different classifiers by another classifier.

    Notes
    -----
    Each estimator has only the samples of its cluster. Linear classifiers may gain much, if the
    clusters separate regions in which they fit well. Nets and trees, which fit several regions on
    their own and need many samples, may lose.

    The samples that determine the estimators are assigned by ``clusterer_.predict``, as new samples
    are.

    ``sample_weight`` is passed to the estimators, and to the clusterer if its ``fit`` accepts it.
    With scikit-learn's metadata routing, it is passed to those that request it.

    References
    ----------
    .. [1] Jacobs et al. (1991), "Adaptive Mixtures of Local Experts", Neural Computation 3(1).

    Examples
    --------
    >>> from sklearn.cluster import KMeans
    >>> from sklearn.datasets import load_digits
    >>> from sklearn.linear_model import RidgeClassifier
    >>> from skdeep.ensemble import ClusterwiseClassifier
    >>> X, y = load_digits(return_X_y=True)
    >>> model = ClusterwiseClassifier(KMeans(4, random_state=0), RidgeClassifier())
    >>> bool(model.fit(X, y).score(X, y) > RidgeClassifier().fit(X, y).score(X, y))
    True
    >>> sorted(model.estimators_)
    [0, 1, 2, 3]
    """

    _kind_of_estimator = "a classifier such as LogisticRegression() or ResNetClassifier()"
    _is_right_kind = staticmethod(is_classifier)

    @own_settings()
    def predict(self, X) -> np.ndarray:
        """Predict class labels.

        Parameters
        ----------
        X : {array-like, sparse matrix, dataframe} of shape (n_samples, n_features)
            Samples to classify.

        Returns
        -------
        y : ndarray of shape (n_samples,) or (n_samples, n_labels)
            Prediction of the estimator of each sample's cluster; with ``soft=True`` the class with
            the highest probability, or each label whose probability is above one half.
        """
        if not self.soft:
            return self._of_estimators(predict, X)
        probability = self.predict_proba(X)
        if self._is_multilabel:
            return (probability > 0.5).astype(int)
        return self.classes_[probability.argmax(axis=1)]

    @available_if(members_have("predict_proba"))
    @own_settings()
    def predict_proba(self, X) -> np.ndarray:
        """Predict class probabilities.

        Parameters
        ----------
        X : {array-like, sparse matrix, dataframe} of shape (n_samples, n_features)
            Samples to classify.

        Returns
        -------
        probability : ndarray of shape (n_samples, n_classes)
            Probabilities in the order of ``classes_``, zero for classes without samples in the
            cluster. Rows sum to one, except for multilabel targets.
        """
        return self._of_estimators(self._probabilities, X)

    def _check_parts(self):
        super()._check_parts()
        if self.soft and not hasattr(self.estimator, "predict_proba"):
            raise TypeError(
                "estimator must have a method predict_proba if soft=True; got "
                f"{self.estimator!r}. Set soft=False, or use for example LogisticRegression()."
            )

    def _check_y(self, y, X):
        for name, value in self.estimator.get_params().items():
            if name.split("__")[-1] == "unlabeled":
                self._check_labels_are_given(y, value)
        classes, codes = encode_labels(y, X)
        return codes.astype(int) if codes.ndim == 2 else classes[codes]

    def _check_labels_are_given(self, y, unlabeled):
        """Raise ``ValueError`` if labels are missing, by a parameter of the estimator."""
        _, is_labelled = find_labelled(y, unlabeled)
        if not is_labelled.all():
            raise ValueError(
                "y must have a label for each sample, since the samples of a cluster may have "
                f"none; got {np.sum(~is_labelled)} missing ones, marked by {unlabeled=}. Fit "
                f"{self.estimator!r} without clusters, or only the samples with a label."
            )

    def _record(self, y):
        if y.ndim == 2:
            return {"classes_": np.arange(y.shape[1]), "_is_multilabel": True}
        return {"classes_": np.unique(y), "_is_multilabel": False}

    def _constant(self, X, y):
        if (y == y[:1]).all():
            return DummyClassifier(strategy="prior").fit(X, y)
        return None

    def _probabilities(self, estimator, X):
        """Probabilities of all classes from an estimator that may have seen only some of them."""
        found = estimator.predict_proba(X)
        if not self._is_multilabel:
            return _in_columns(found, estimator.classes_, self.classes_)
        if isinstance(found, list):  # for each label, probabilities of the values seen in fit
            pairs = zip(found, estimator.classes_, strict=True)
            return np.column_stack([_in_columns(one, seen, [1]) for one, seen in pairs])
        return found

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.classifier_tags = get_tags(self.estimator).classifier_tags
        return tags


def _in_columns(probability, seen, classes):
    """Reorder the columns of probabilities; classes that are not ``seen`` have probability zero."""
    place = {label: column for column, label in enumerate(np.asarray(seen).tolist())}
    result = np.zeros((len(probability), len(classes)), dtype=probability.dtype)
    for column, label in enumerate(np.asarray(classes).tolist()):
        if label in place:
            result[:, column] = probability[:, place[label]]
    return result
