"""Scores of estimators without targets."""

from abc import abstractmethod

import numpy as np

from skdeep.utils._validation import check_weights


class ScoreMixin:
    """Mean of ``score_samples``."""

    @abstractmethod
    def score_samples(self, X) -> np.ndarray:
        """Score each sample; higher is better."""

    def score(self, X, y=None, sample_weight=None) -> float:
        """Return the mean score of the samples; higher is better.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Samples to score.
        y : Ignored
            Not used, present for API consistency.
        sample_weight : array-like of shape (n_samples,), default=None
            Weights of the samples in the mean.

        Returns
        -------
        score : float
            Weighted mean of ``score_samples``.
        """
        scores = self.score_samples(X)
        return float(np.average(scores, weights=check_weights(sample_weight, scores)))
