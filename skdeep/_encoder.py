"""Methods and parameters of all estimators whose net encodes samples."""

from collections.abc import Sequence
from typing import Self

import numpy as np
from sklearn.base import ClassNamePrefixFeaturesOutMixin, TransformerMixin

from skdeep._gradient_descent import OptimizerMixin
from skdeep._preprocessing._linear import LinearScaler
from skdeep.nn._activation import ACTIVATIONS
from skdeep.nn._coder import CoderShape
from skdeep.utils._params import BELOW_ONE, POSITIVE_INTEGER, param
from skdeep.utils._settings import own_settings
from skdeep.utils._sklearn import StrOptions, fit_context, with_callbacks
from skdeep.utils._validation import check_image_shape, check_layer_sizes


class EncoderMixin(OptimizerMixin, ClassNamePrefixFeaturesOutMixin, TransformerMixin):
    """Training without targets and codes of samples, for modules with a method ``encode``."""

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

    def _fit_scaler(self, data, rng):
        return LinearScaler.fit(data.X, data.weight, rng=rng, scaling=self.feature_scaling)

    def _coder_architecture(self, data, n_components=None):
        """Part of the architecture that describes the encoder; None for ``self.n_components``."""
        image_shape = check_image_shape(self.image_shape)
        return {
            "n_features": data.X.shape[1],
            "n_components": int(self.n_components if n_components is None else n_components),
            "hidden_layer_sizes": check_layer_sizes(
                self.hidden_layer_sizes, auto=self._default_layers(image_shape)
            ),
            "activation": self.activation,
            "block": self.block,
            "image_shape": image_shape,
            "dropout": float(self.dropout),
            "batch_norm": bool(self.batch_norm),
        }

    def _default_layers(self, image_shape):
        """Return the value of ``hidden_layer_sizes="auto"``."""
        return (256,) if image_shape is None else (16, 32)

    def _trunk(self):
        """Return the architecture and the layers of the encoder, for nets that start from it."""
        shape, _ = CoderShape.take_from(self._fitted_architecture)
        return {"coder": self.module_.encoder_kind, **vars(shape)}, self.module_.encoder

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

    @property
    def _n_features_out(self):
        """Number of components, for ``get_feature_names_out``."""
        return self._fitted_architecture["n_components"]

    def __sklearn_tags__(self):
        """Codes have the dtype of the samples, float32 or float64."""
        tags = super().__sklearn_tags__()
        tags.transformer_tags.preserves_dtype = ["float64", "float32"]
        return tags
