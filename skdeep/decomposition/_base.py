"""Methods and parameters that all autoencoders share."""

from abc import abstractmethod
from typing import Self

import numpy as np
from scipy.special import xlogy
from sklearn.utils.validation import check_array, check_is_fitted

from skdeep._encoder import EncoderMixin
from skdeep._gradient_descent import GradientDescentMixin
from skdeep._preprocessing._linear import LinearScaler
from skdeep._scores import ScoreMixin
from skdeep.utils._settings import own_settings
from skdeep.utils._sklearn import fit_context
from skdeep.utils._slabs import dense, slabs


def multinomial_loss(X, X_hat):
    """Negative multinomial log-likelihood of counts given probabilities; mean over features."""
    # float32 probabilities can round to zero, whose logarithm is not finite
    return -xlogy(X, np.maximum(X_hat, np.finfo(np.float32).tiny)).mean(axis=1)


class CoderMixin(ScoreMixin, EncoderMixin):
    """Reconstructions and their errors, for modules that encode and decode."""

    @abstractmethod
    def _reconstruction_loss(self, X, X_hat):
        """Loss of each sample, mean over features, in the units of ``X``; (n_samples,)."""

    @own_settings()
    def inverse_transform(self, X) -> np.ndarray:
        """Transform codes back to samples.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_components)
            Codes, as returned by ``transform``.

        Returns
        -------
        X_original : ndarray of shape (n_samples, n_features)
            Samples in the units of the training data.
        """
        check_is_fitted(self)
        Z = check_array(X, dtype=[np.float64, np.float32])
        if Z.shape[1] != self._n_features_out:
            raise ValueError(
                f"X must have {self._n_features_out} columns, one per component; "
                f"got {Z.shape[1]}. Pass what transform returns."
            )
        unscaled = LinearScaler(self._n_features_out)
        return self._unscale(self._apply(self.module_.decode, Z, scaler=unscaled))

    @own_settings()
    def reconstruct(self, X) -> np.ndarray:
        """Reconstruct samples: encode and decode them.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Samples to reconstruct.

        Returns
        -------
        X_hat : ndarray of shape (n_samples, n_features)
            Reconstructions in the units of ``X``. A denoising autoencoder returns denoised samples.
        """
        return self._reconstruct(self._check_new(X))

    def _reconstruct(self, X):
        return self._unscale(self._apply(self.module_.reconstruct, X))

    def _unscale(self, X):
        """Return samples in the units of the data, in their own dtype."""
        return self._scaler.inverse(X).astype(X.dtype, copy=False)

    @own_settings()
    def reconstruction_error(self, X) -> np.ndarray:
        """Compute the reconstruction error of each sample.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Samples to reconstruct.

        Returns
        -------
        error : ndarray of shape (n_samples,)
            Reconstruction loss, averaged over features, without penalties. For the default loss,
            the mean squared error in squared units of ``X``.
        """
        X = self._check_new(X)
        error = np.empty(X.shape[0], dtype=np.float64)
        for rows in slabs(X):
            part = dense(X, rows)
            error[rows] = self._reconstruction_loss(
                part.astype(np.float64), self._reconstruct(part).astype(np.float64)
            )
        return error

    def score_samples(self, X) -> np.ndarray:
        """Score each sample; higher is better reconstructed.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Samples to score.

        Returns
        -------
        score : ndarray of shape (n_samples,)
            Negative ``reconstruction_error``.
        """
        return -self.reconstruction_error(X)


class AutoencoderMixin(CoderMixin, GradientDescentMixin):
    """Methods of autoencoders that only minimize a reconstruction loss."""

    @fit_context(prefer_skip_nested_validation=True)
    @own_settings()
    def partial_fit(self, X, y=None, sample_weight=None) -> Self:
        """Train the net for one epoch on these samples.

        The first call of ``partial_fit`` or ``fit`` determines the feature scaling.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Training samples.
        y : Ignored
            Not used, present for API consistency.
        sample_weight : array-like of shape (n_samples,), default=None
            Weights of the samples in the loss.

        Returns
        -------
        self : object
            The fitted estimator.
        """
        return self._partial_fit(X, y, sample_weight)
