"""Methods and parameters that all outlier detectors share."""

from abc import abstractmethod
from numbers import Real
from typing import Self

import numpy as np
from sklearn.base import OutlierMixin

from skdeep._gradient_descent import OptimizerMixin
from skdeep._preprocessing._features import fit_feature_scaler
from skdeep.nn._activation import ACTIVATIONS
from skdeep.utils._params import POSITIVE_INTEGER, Parameters, param
from skdeep.utils._settings import own_settings
from skdeep.utils._sklearn import Interval, StrOptions, fit_context, with_callbacks

# contamination="auto": outliers are more than this many times the spread below the median.
_FENCE = 3.0
# Ratio of the standard deviation of a normal distribution to its median absolute deviation.
_TO_SD = 1.4826
# Weights are summed in floating point.
_ROUNDING = 1e-9


class OutlierDetectorMixin(OutlierMixin, OptimizerMixin, Parameters):
    """Scores of samples, and the threshold below which samples are outliers."""

    contamination: float | str = param(
        StrOptions({"auto"}), Interval(Real, 0, 0.5, closed="right"), default="auto", kw_only=False
    )
    activation: str = param(StrOptions(set(ACTIVATIONS)), default="relu")
    feature_scaling: str | None = param(
        StrOptions({"global", "quantile", "standard"}), None, default="standard", data=True
    )
    max_epochs: int | str = param(POSITIVE_INTEGER, StrOptions({"auto"}), default="auto")
    lr_schedule: str = param(default="cosine")

    #: number of batches that ``max_epochs="auto"`` trains for
    _n_steps: int

    @abstractmethod
    def _score(self, module, apply, state):
        """Score samples in float64; the lower, the more abnormal.

        Parameters
        ----------
        module : torch.nn.Module
        apply : callable
            ``apply(function)`` maps all samples, in order, by a function of tensors.
        state : dict
            Private fitted attributes that ``_calibrate`` returned.
        """

    def _calibrate(self, fit):
        """Return private fitted attributes that scores depend on besides the net."""
        return {}

    @with_callbacks
    @fit_context(prefer_skip_nested_validation=True)
    @own_settings()
    def fit(self, X, y=None, sample_weight=None) -> Self:
        """Train the net, and determine the threshold of outliers.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Training samples, with or without outliers. Memory-mapped and sparse data are read batch
            by batch.
        y : Ignored
            Not used, present for API consistency.
        sample_weight : array-like of shape (n_samples,), default=None
            Weights of the samples in the loss and in the threshold. Samples with a weight of zero
            are ignored.

        Returns
        -------
        self : object
            The fitted estimator.
        """
        return self._fit(X, y, sample_weight)

    @own_settings()
    def fit_predict(self, X, y=None, sample_weight=None) -> np.ndarray:
        """Train on samples and tell which of them are outliers.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Training samples.
        y : Ignored
            Not used, present for API consistency.
        sample_weight : array-like of shape (n_samples,), default=None
            Weights of the samples in the loss and in the threshold.

        Returns
        -------
        is_inlier : ndarray of int of shape (n_samples,)
            -1 for outliers and 1 for inliers.
        """
        return self.fit(X, y, sample_weight=sample_weight).predict(X)

    @own_settings()
    def predict(self, X) -> np.ndarray:
        """Tell which samples are outliers.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Samples, new ones or those of ``fit``.

        Returns
        -------
        is_inlier : ndarray of int of shape (n_samples,)
            -1 for outliers and 1 for inliers.
        """
        return np.where(self.decision_function(X) < 0, -1, 1)

    @own_settings()
    def decision_function(self, X) -> np.ndarray:
        """Score samples relative to the threshold of outliers.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Samples to score.

        Returns
        -------
        score : ndarray of shape (n_samples,)
            ``score_samples(X) - offset_``; negative for outliers.
        """
        return self.score_samples(X) - self.offset_

    @own_settings()
    def score_samples(self, X) -> np.ndarray:
        """Score samples; the lower, the more abnormal.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Samples to score.

        Returns
        -------
        score : ndarray of shape (n_samples,)
            Scores as described in the class docstring.
        """
        X = self._check_new(X)
        return self._score(self.module_, lambda function: self._apply(function, X), vars(self))

    def _fit_scaler(self, data, rng):
        options = {"rng": rng, "scaling": self.feature_scaling}
        return fit_feature_scaler(data.X, data.weight, **options)

    # Recipe --------------------------------------------------------------------------------

    def _plan(self, fit):
        n_epochs = self.max_epochs
        if n_epochs == "auto":
            n_epochs = self._epochs_of_steps(self._n_steps, fit)
        yield from fit.train(n_epochs, optimizer="keep")

    def _record(self, fit):
        state = self._calibrate(fit)
        scores = self._score(fit.module, fit.apply, state)
        offset = _offset(scores, fit.data.weight, self.contamination)
        return {**super()._record(fit), **state, "offset_": offset}


def _offset(scores, weight, contamination):
    """Return the threshold between outliers and inliers among training scores."""
    weight = np.ones(len(scores)) if weight is None else weight
    if contamination == "auto":
        middle = _quantile(scores, weight, 0.5)
        spread = _quantile(abs(scores - middle), weight, 0.5)
        return float(middle - _FENCE * _TO_SD * spread)
    last = _quantile(scores, weight, contamination)
    inliers = scores[(scores > last) & (weight > 0)]
    # in the middle, so that rounding errors do not matter
    return float((last + inliers.min()) / 2 if len(inliers) else last)


def _quantile(values, weight, level):
    """Return the smallest value such that those up to it have this fraction of the weight."""
    order = np.argsort(values, kind="stable")
    order = order[weight[order] > 0]
    reached = np.cumsum(weight[order])
    place = np.searchsorted(reached, (level - _ROUNDING) * reached[-1])
    return values[order[place]]
