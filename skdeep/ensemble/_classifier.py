"""Deep ensembles that predict classes."""

from typing import Self

import numpy as np
from scipy.special import log_expit, logsumexp
from sklearn.base import ClassifierMixin, is_classifier
from sklearn.utils import get_tags
from sklearn.utils.metaestimators import available_if
from sklearn.utils.validation import check_is_fitted

from skdeep.ensemble._base import DeepEnsemble, members_have
from skdeep.utils._missing_labels import accuracy_on_labelled
from skdeep.utils._settings import own_settings
from skdeep.utils._sklearn import fit_context


class DeepEnsembleClassifier(ClassifierMixin, DeepEnsemble):
    """Deep ensemble classifier: averages the predicted probabilities of several nets [1]_.

    The mean is usually more accurate and better calibrated than the probabilities of a single net.
    All nets have the same parameters and are trained on the same samples. They differ in their
    seeds: in the initial weights, in dropout and in the order of the samples. They are trained as
    one stack if that is faster.

    Parameters
    ----------
    estimator : estimator
        Deep classifier such as :class:`~skdeep.neural_network.ResNetClassifier`. It is cloned, and
        its ``random_state`` is ignored.
    n_estimators : int, default=5
        Number of nets.
    random_state : int, RandomState instance or None, default=None
        Seed from which the ``random_state`` of each net is derived. Pass an int for reproducible
        results.

    Attributes
    ----------
    estimators_ : list of estimators, length `n_estimators`
        The fitted nets.
    classes_ : ndarray of shape (n_classes,)
        Class labels; for multilabel targets the indices of the columns.
    n_iter_ : int
        Number of epochs of the net that was trained longest.
    device_ : str
        Device of the nets.
    n_features_in_ : int
        Number of features seen during ``fit``.
    feature_names_in_ : ndarray of shape (`n_features_in_`,)
        Names of features seen during ``fit``. Defined only when all of them are strings.

    Raises
    ------
    DivergenceError
        If a loss or a weight stops being finite in ``fit`` or ``partial_fit``.

    See Also
    --------
    DeepEnsembleRegressor : Deep ensemble for regression.
    skdeep.neural_network.ResNetClassifier : Residual net that can be a member of an ensemble.
    sklearn.ensemble.BaggingClassifier : Ensemble of any classifier, each fitted on a random subset
        of the samples.
    sklearn.ensemble.VotingClassifier : Ensemble of different classifiers.

    Notes
    -----
    If ``estimator`` has ``warm_start=True``, ``fit`` continues training the fitted nets.

    With scikit-learn's metadata routing, request ``sample_weight`` on the estimator:
    ``DeepEnsembleClassifier(net.set_fit_request(sample_weight=True))``.

    References
    ----------
    .. [1] Lakshminarayanan, Pritzel and Blundell (2017), "Simple and Scalable Predictive
       Uncertainty Estimation using Deep Ensembles", NeurIPS.

    Examples
    --------
    >>> from sklearn.datasets import load_iris
    >>> from skdeep.ensemble import DeepEnsembleClassifier
    >>> from skdeep.neural_network import ResNetClassifier
    >>> X, y = load_iris(return_X_y=True)
    >>> net = ResNetClassifier(1, width=32, max_epochs=20)
    >>> ensemble = DeepEnsembleClassifier(net, n_estimators=3, random_state=0).fit(X, y)
    >>> ensemble.predict_proba(X).shape
    (150, 3)
    >>> [member.n_iter_ for member in ensemble.estimators_]
    [20, 20, 20]
    """

    _kind_of_member = "a deep classifier such as ResNetClassifier()"
    _is_right_kind = staticmethod(is_classifier)

    @available_if(members_have("partial_fit"))
    @fit_context(prefer_skip_nested_validation=False)
    @own_settings()
    def partial_fit(self, X, y, classes=None, sample_weight=None) -> Self:
        """Train all nets for one epoch on the given samples.

        Parameters
        ----------
        X : {array-like, sparse matrix, dataframe} of shape (n_samples, n_features)
            Samples to train on. Those of the first call must be representative of all samples.
        y : array-like of shape (n_samples,) or (n_samples, n_labels)
            Class labels.
        classes : array-like of shape (n_classes,), default=None
            All class labels that may occur in any call; None for the labels in the first call.
        sample_weight : array-like of shape (n_samples,), default=None
            Weights of the samples in the loss.

        Returns
        -------
        self : object
            The fitted ensemble.
        """
        return self._partial_fit(X, y, sample_weight, classes=classes)

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
            Class with the highest mean probability; for multilabel targets, 1 for each label
            whose mean probability is above one half.
        """
        probability = self.predict_proba(X)
        if self._is_multilabel:
            return (probability > 0.5).astype(int)
        return self.classes_[probability.argmax(axis=1)]

    @own_settings()
    def predict_proba(self, X) -> np.ndarray:
        """Predict class probabilities, averaged over all nets.

        Parameters
        ----------
        X : {array-like, sparse matrix, dataframe} of shape (n_samples, n_features)
            Samples to classify.

        Returns
        -------
        probability : ndarray of shape (n_samples, n_classes)
            Probabilities in the order of ``classes_``. Rows sum to one, except for multilabel
            targets.
        """
        return np.mean(self._of_members("predict_proba", X), axis=0)

    @own_settings()
    def predict_log_proba(self, X) -> np.ndarray:
        """Predict the logarithm of class probabilities.

        Parameters
        ----------
        X : {array-like, sparse matrix, dataframe} of shape (n_samples, n_features)
            Samples to classify.

        Returns
        -------
        log_probability : ndarray of shape (n_samples, n_classes)
            Natural logarithm of ``predict_proba``, finite even if the probability rounds to zero.
        """
        return _log_mean_exp(self._of_members("predict_log_proba", X))

    @own_settings()
    def decision_function(self, X) -> np.ndarray:
        """Compute the log-odds of the mean probability or, for more than two classes, its log.

        Parameters
        ----------
        X : {array-like, sparse matrix, dataframe} of shape (n_samples, n_features)
            Samples to classify.

        Returns
        -------
        decision : ndarray of shape (n_samples,) or (n_samples, n_classes)
            For two classes, one value per sample, positive for ``classes_[1]``; for multilabel
            targets, one value per label, positive if the label is predicted.
        """
        if self._is_multilabel:
            logits = np.asarray(self._of_members("decision_function", X))
            return _log_mean_exp(log_expit(logits)) - _log_mean_exp(log_expit(-logits))
        log_probability = self.predict_log_proba(X)
        if len(self.classes_) == 2:
            return log_probability[:, 1] - log_probability[:, 0]
        return log_probability

    @own_settings()
    def score(self, X, y, sample_weight=None) -> float:
        """Return the accuracy.

        Parameters
        ----------
        X : {array-like, sparse matrix, dataframe} of shape (n_samples, n_features)
            Samples to classify.
        y : array-like of shape (n_samples,) or (n_samples, n_labels)
            Class labels. Samples without a label are left out if ``estimator`` supports them, as
            :class:`~skdeep.semi_supervised.FewLabelsClassifier` does.
        sample_weight : array-like of shape (n_samples,), default=None
            Weights of the samples.

        Returns
        -------
        score : float
            Weighted fraction of the samples whose class, or all of whose labels, are predicted.
        """
        check_is_fitted(self)
        if not hasattr(self.estimator, "unlabeled"):
            return super().score(X, y, sample_weight)
        unlabeled = self.estimators_[0].unlabeled
        return accuracy_on_labelled(y, self.predict(X), unlabeled, self.classes_, sample_weight)

    @property
    def classes_(self) -> np.ndarray:
        """Class labels."""
        return self.estimators_[0].classes_

    @property
    def _is_multilabel(self):
        """Whether a sample may have several labels."""
        check_is_fitted(self)
        return vars(self.estimators_[0]).get("_target_kind") == "multilabel"

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.classifier_tags = get_tags(self.estimator).classifier_tags
        return tags


def _log_mean_exp(values):
    """Return the logarithm of the mean of the exponentials over members."""
    return logsumexp(values, axis=0) - np.log(len(values))
