"""Methods and parameters that all clusterers share."""

import numpy as np
from sklearn.base import ClusterMixin
from sklearn.exceptions import ConvergenceWarning

from skdeep.utils._params import POSITIVE_INTEGER, Parameters, param
from skdeep.utils._settings import own_settings
from skdeep.utils._warn import warn_user


class HardClusterMixin(ClusterMixin, Parameters):
    """Clusters of samples, for modules whose ``assign`` has the largest output for the cluster."""

    n_clusters: int = param(POSITIVE_INTEGER, default=8, kw_only=False)

    @own_settings()
    def predict(self, X) -> np.ndarray:
        """Predict the cluster of each sample.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Samples to assign to clusters.

        Returns
        -------
        labels : ndarray of int of shape (n_samples,)
            Most probable cluster of each sample.
        """
        return self._probabilities(X).argmax(axis=1)

    def _probabilities(self, X):
        X = self._check_new(X)
        return self._apply(self._assignment(), X)

    def _assignment(self):
        """Return the function that assigns scaled samples, (batch, ...) -> (batch, n_clusters)."""
        return self.module_.assign

    def _check(self, X, y=None, sample_weight=None, *, reset):
        data = super()._check(X, y, sample_weight, reset=reset)
        if reset:
            n_samples = data.X.shape[0] if data.weight is None else np.count_nonzero(data.weight)
            if self.n_clusters != "auto" and n_samples < self.n_clusters:
                raise ValueError(
                    "n_clusters must be <= the number of samples of nonzero weight; got "
                    f"n_clusters={self.n_clusters} and n_samples={n_samples}. Lower n_clusters."
                )
        return data

    def _labels(self, fit):
        """Return the most probable cluster of each training sample, (n_samples,)."""
        return fit.apply(fit.module.assign).argmax(axis=1)

    def _warn_of_collapse(self, fit):
        """Warn if all samples are in one of several clusters; for the end of a plan."""
        n_clusters = fit.module.n_clusters if self.n_clusters == "auto" else self.n_clusters
        if n_clusters > 1 and len(np.unique(self._labels(fit))) == 1:
            warn_user(
                f"All samples are in one of {n_clusters} clusters. Scale the features, train for "
                "more epochs, or try another random_state.",
                ConvergenceWarning,
            )

    def _record(self, fit):
        return {**super()._record(fit), "labels_": self._labels(fit)}


class DeepClusterMixin(HardClusterMixin):
    """Clusters with probabilities, for modules with a method ``assign`` that returns them."""

    @own_settings()
    def predict_proba(self, X) -> np.ndarray:
        """Predict the probability of each cluster.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Samples to assign to clusters.

        Returns
        -------
        probabilities : ndarray of shape (n_samples, n_clusters)
            The sum over clusters is one.
        """
        return self._probabilities(X).astype(np.float64)


def changed_fraction(labels, earlier, weight=None):
    """Return the fraction of samples whose label has changed."""
    return float(np.average(labels != earlier, weights=weight))
