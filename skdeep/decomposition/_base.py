"""Methods and parameters that all autoencoders share."""

from abc import abstractmethod
from collections.abc import Sequence
from typing import Self

import numpy as np
from sklearn.base import ClassNamePrefixFeaturesOutMixin, TransformerMixin
from sklearn.utils.metaestimators import available_if
from sklearn.utils.validation import check_array, check_is_fitted

from skdeep._gradient_descent import GradientDescentMixin
from skdeep._preprocessing._linear import LinearScaler
from skdeep.nn._activation import ACTIVATIONS
from skdeep.utils._params import BELOW_ONE, POSITIVE_INTEGER, param
from skdeep.utils._settings import own_settings
from skdeep.utils._sklearn import StrOptions, fit_context, with_callbacks
from skdeep.utils._slabs import dense, slabs
from skdeep.utils._validation import check_image_shape, check_layer_sizes, check_weights


def _has_one_phase(estimator):
    """Whether training can go on by single epochs."""
    return not estimator._has_phases


class CoderMixin(GradientDescentMixin, ClassNamePrefixFeaturesOutMixin, TransformerMixin):
    """Codes, reconstructions and their errors, for modules that encode and decode."""

    n_components: int = param(POSITIVE_INTEGER, default=2, kw_only=False)
    hidden_layer_sizes: str | int | Sequence[int] = param(
        StrOptions({"auto"}), POSITIVE_INTEGER, "array-like", default="auto"
    )
    activation: str = param(StrOptions(set(ACTIVATIONS)), default="relu")
    block: str = param(StrOptions({"dense", "residual"}), default="dense")
    image_shape: Sequence[int] | None = param("array-like", None, default=None, data=True)
    dropout: float = param(BELOW_ONE, default=0.0, lifted=True)
    batch_norm: bool = param("boolean", default=False)
    feature_scaling: str | None = param(
        StrOptions({"global", "standard"}), None, default="global", data=True
    )

    @with_callbacks
    @fit_context(prefer_skip_nested_validation=True)
    @own_settings()
    def fit(self, X, y=None, sample_weight=None) -> Self:
        """Train the net.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Training samples. Memory-mapped and sparse data are read batch by batch.
        y : Ignored
            Not used, present for API consistency.
        sample_weight : array-like of shape (n_samples,), default=None
            Weights of the samples in the loss. Samples with a weight of zero are ignored.

        Returns
        -------
        self : object
            The fitted estimator.
        """
        return self._fit(X, y, sample_weight)

    @available_if(_has_one_phase)
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

    @abstractmethod
    def _reconstruction_loss(self, X, X_hat):
        """Loss of each sample, mean over features, in the units of ``X``; (n_samples,)."""

    def _coder_architecture(self, data):
        """Part of the architecture that describes encoder and decoder."""
        image_shape = check_image_shape(self.image_shape)
        return {
            "n_features": data.X.shape[1],
            "n_components": int(self.n_components),
            "hidden_layer_sizes": check_layer_sizes(
                self.hidden_layer_sizes, auto=(256,) if image_shape is None else (16, 32)
            ),
            "activation": self.activation,
            "block": self.block,
            "image_shape": image_shape,
            "dropout": float(self.dropout),
            "batch_norm": bool(self.batch_norm),
        }

    @own_settings()
    def transform(self, X) -> np.ndarray:
        """Encode samples.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Samples to encode.

        Returns
        -------
        Z : ndarray of shape (n_samples, n_components)
            Codes: float32 if ``X`` is float32, else float64.
        """
        X = self._check_new(X)
        return self._apply(self.module_.encode, X)

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

    @property
    def _n_features_out(self):
        """Number of components, for ``get_feature_names_out``."""
        return self._fitted_architecture["n_components"]

    def __sklearn_tags__(self):
        """Codes have the dtype of the samples, float32 or float64."""
        tags = super().__sklearn_tags__()
        tags.transformer_tags.preserves_dtype = ["float64", "float32"]
        return tags
