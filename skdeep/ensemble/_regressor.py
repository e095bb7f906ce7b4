"""Deep ensembles for regression."""

from typing import Self

import numpy as np
from sklearn.base import RegressorMixin, is_regressor
from sklearn.utils import get_tags
from sklearn.utils.metaestimators import available_if
from sklearn.utils.validation import check_is_fitted

from skdeep.ensemble._base import DeepEnsemble, members_have
from skdeep.neural_network._levels import check_levels, check_request, normal_quantiles
from skdeep.utils._settings import own_settings
from skdeep.utils._sklearn import fit_context


class DeepEnsembleRegressor(RegressorMixin, DeepEnsemble):
    """Deep ensemble regressor: averages the predictions of several nets [1]_.

    The mean is usually more accurate than the predictions of a single net. All nets have the same
    parameters and are trained on the same samples. They differ in their seeds: in the initial
    weights, in dropout and in the order of the samples. They are trained as one stack if that is
    faster.

    Parameters
    ----------
    estimator : estimator
        Deep regressor such as :class:`~skdeep.neural_network.ResNetRegressor`. It is cloned, and
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
    DeepEnsembleClassifier : Deep ensemble for classification.
    skdeep.neural_network.ResNetRegressor : Residual net that can be a member of an ensemble.
    sklearn.ensemble.BaggingRegressor : Ensemble of any regressor, each fitted on a random subset
        of the samples.
    sklearn.ensemble.VotingRegressor : Ensemble of different regressors.

    Notes
    -----
    With ``estimator=ResNetRegressor(loss="gaussian")``, each net predicts a normal distribution for
    each sample, and the ensemble their mixture, as in [1]_, but without its adversarial training.

    If ``estimator`` has ``warm_start=True``, ``fit`` continues training the fitted nets.

    With scikit-learn's metadata routing, request ``sample_weight`` on the estimator:
    ``DeepEnsembleRegressor(net.set_fit_request(sample_weight=True))``.

    References
    ----------
    .. [1] Lakshminarayanan, Pritzel and Blundell (2017), "Simple and Scalable Predictive
       Uncertainty Estimation using Deep Ensembles", NeurIPS.

    Examples
    --------
    >>> from sklearn.datasets import load_diabetes
    >>> from skdeep.ensemble import DeepEnsembleRegressor
    >>> from skdeep.neural_network import ResNetRegressor
    >>> X, y = load_diabetes(return_X_y=True)
    >>> net = ResNetRegressor(1, width=32, max_epochs=10, loss="gaussian")
    >>> ensemble = DeepEnsembleRegressor(net, n_estimators=3, random_state=0).fit(X, y)
    >>> mean, std = ensemble.predict(X, return_std=True)
    >>> mean.shape, std.shape
    ((442,), (442,))
    """

    _kind_of_member = "a deep regressor such as ResNetRegressor()"
    _is_right_kind = staticmethod(is_regressor)

    @available_if(members_have("partial_fit"))
    @fit_context(prefer_skip_nested_validation=False)
    @own_settings()
    def partial_fit(self, X, y, sample_weight=None) -> Self:
        """Train all nets for one epoch on the given samples.

        Parameters
        ----------
        X : {array-like, sparse matrix, dataframe} of shape (n_samples, n_features)
            Samples to train on. Those of the first call must be representative of all samples.
        y : array-like of shape (n_samples,) or (n_samples, n_outputs)
            Targets.
        sample_weight : array-like of shape (n_samples,), default=None
            Weights of the samples in the loss.

        Returns
        -------
        self : object
            The fitted ensemble.
        """
        return self._partial_fit(X, y, sample_weight)

    @own_settings()
    def predict(
        self, X, return_std=False, quantiles=None
    ) -> np.ndarray | tuple[np.ndarray, np.ndarray]:
        """Predict targets, averaged over all nets.

        Parameters
        ----------
        X : {array-like, sparse matrix, dataframe} of shape (n_samples, n_features)
            Samples to predict for.
        return_std : bool, default=False
            Whether to return the standard deviation as well. For nets with ``loss="gaussian"`` it
            is that of the mixture of their normal distributions: its square is the mean of their
            variances plus the variance of their means. For other nets it is only the standard
            deviation over the nets. It then measures the disagreement between the nets, not the
            noise in the targets, and is therefore not an error bar of the prediction.
        quantiles : array-like of shape (n_quantiles,), default=None
            If given, these quantiles of the targets are returned instead. Requires nets with
            ``loss="quantile"``, whose quantiles are averaged, or with ``loss="gaussian"``. The
            latter returns the quantiles of the normal distribution with mean and standard deviation
            of the mixture.

        Returns
        -------
        y : ndarray of shape (n_samples,) or (n_samples, n_outputs)
            Mean of the predictions. If ``quantiles`` are given, the shape is
            (n_samples, n_quantiles) or (n_samples, n_outputs, n_quantiles).
        std : ndarray of shape (n_samples,) or (n_samples, n_outputs)
            Standard deviation. Only returned if ``return_std=True``.
        """
        check_is_fitted(self)
        check_request(return_std, quantiles)
        has_std = getattr(self.estimators_[0], "_has_std", False)
        if quantiles is not None and not has_std:
            return np.mean(self._of_members("predict", X, quantiles=quantiles), axis=0)
        if not return_std and quantiles is None:
            return np.mean(self._of_members("predict", X), axis=0)
        mean, std = self._mixture(X, has_std=has_std)
        if quantiles is None:
            return mean, std
        return normal_quantiles(mean, std, check_levels("quantiles", quantiles))

    def _mixture(self, X, *, has_std):
        """Return mean and standard deviation of the predictions of all nets."""
        if not has_std:
            means = self._of_members("predict", X)
            return np.mean(means, axis=0), np.std(means, axis=0)
        means, stds = zip(*self._of_members("predict", X, return_std=True), strict=True)
        noise = np.sqrt(np.mean(np.square(stds), axis=0))
        return np.mean(means, axis=0), np.hypot(noise, np.std(means, axis=0))

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.regressor_tags = get_tags(self.estimator).regressor_tags
        return tags
