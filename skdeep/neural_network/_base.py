"""What residual nets for classification and for regression have in common."""

from collections.abc import Sequence
from numbers import Integral, Real
from typing import Self

import numpy as np
import scipy.sparse as sp
from sklearn.utils.validation import validate_data

from skdeep._fit_data import Data
from skdeep._gradient_descent import GradientDescentMixin
from skdeep._preprocessing._categories import CategoryCodec
from skdeep._preprocessing._table import TableScaler
from skdeep.nn._activation import ACTIVATIONS
from skdeep.nn._augment import AUGMENTATIONS
from skdeep.nn._norm import NORMS
from skdeep.nn._resnet import ResNet, make_trunk
from skdeep.nn._table import NUMERICAL_EMBEDDINGS
from skdeep.utils._params import param
from skdeep.utils._settings import own_settings
from skdeep.utils._sklearn import Interval, StrOptions, fit_context, with_callbacks
from skdeep.utils._validation import (
    check_image_shape,
    check_rows,
    check_weights,
    must_be_numbers,
)

__all__ = ["ResNetMixin"]

_HINTS = {
    "s": (
        "Columns of a dataframe that hold nothing but strings are categories under "
        'categorical_features="from_dtype"; name those of an array there.'
    )
}


class ResNetMixin(GradientDescentMixin):
    """Samples as users have them, and the residual net that reads them."""

    n_blocks: int = param(Interval(Integral, 1, None, closed="left"), default=2, kw_only=False)
    width: int = param(Interval(Integral, 1, None, closed="left"), default=192)
    hidden_factor: float = param(Interval(Real, 0, None, closed="neither"), default=2.0)
    dropout: float = param(Interval(Real, 0, 1, closed="left"), default=0.15, lifted=True)
    residual_dropout: float = param(Interval(Real, 0, 1, closed="left"), default=0.0, lifted=True)
    norm: str = param(StrOptions(set(NORMS)), default="batch")
    activation: str = param(StrOptions(set(ACTIVATIONS)), default="relu")
    numerical_embedding: str | None = param(
        StrOptions(set(NUMERICAL_EMBEDDINGS)), None, default=None, data=True
    )
    embedding_dim: int = param(Interval(Integral, 1, None, closed="left"), default=24)
    frequency_scale: float = param(Interval(Real, 0, None, closed="neither"), default=0.1)
    image_shape: Sequence[int] | None = param("array-like", None, default=None, data=True)
    stem_width: int = param(Interval(Integral, 1, None, closed="left"), default=16)
    augment: str | None = param(StrOptions(set(AUGMENTATIONS)), None, default=None)
    categorical_features: str | Sequence[str | int | bool] | None = param(
        "array-like", StrOptions({"from_dtype"}), None, default="from_dtype", data=True
    )
    feature_scaling: str | None = param(
        StrOptions({"auto", "global", "quantile", "standard"}), None, default="auto", data=True
    )
    missing: str = param(StrOptions({"error", "indicator"}), default="error", data=True)
    refit_full: bool = param("boolean", default=False)
    max_epochs: int = param(default=50)
    batch_size: int = param(default=256)
    weight_decay: float = param(default=1e-5)
    lr_schedule: str = param(default="cosine")

    # the rates of dropout and the augmentation have no weights
    _changeable = ("dropout", "residual_dropout", "augment")

    @with_callbacks
    @fit_context(prefer_skip_nested_validation=True)
    @own_settings()
    def fit(self, X, y=None, sample_weight=None) -> Self:
        """Train the net.

        Parameters
        ----------
        X : {array-like, sparse matrix, dataframe} of shape (n_samples, n_features)
            Rows to train on. Memory-mapped and sparse ones are read batch by batch, unless they
            hold categories.
        y : array-like of shape (n_samples,) or (n_samples, n_outputs)
            What to learn for each row; without it there is an error.
        sample_weight : array-like of shape (n_samples,), default=None
            Weights of the rows in the loss; a weight of zero leaves the row out.

        Returns
        -------
        self : object
            The fitted estimator.
        """
        return self._fit(X, y, sample_weight)

    @own_settings()
    def embed(self, X) -> np.ndarray:
        """Give the features that the head of the net reads: its last hidden layer.

        Parameters
        ----------
        X : {array-like, sparse matrix, dataframe} of shape (n_samples, n_features)
            Rows to embed.

        Returns
        -------
        Z : ndarray of shape (n_samples, width)
            Features, float32 for float32 rows without categories, else float64. Images have
            ``4 * stem_width``. ``FunctionTransformer(net.embed)`` puts them into a pipeline.
        """
        X = self._check_new(X)
        return self._apply(self.module_.embed, X)

    def _predict_raw(self, X):
        """Give the outputs of the net, float64, (n_samples, n_outputs)."""
        X = self._check_new(X)
        return self._apply(self.module_, X).astype(np.float64, copy=False)

    def _check_combination(self):
        """Raise ``ValueError`` for parameters that do not go together."""
        if self.image_shape is None and self.augment is not None:
            raise ValueError(
                f"augment needs image_shape; got augment={self.augment!r} and image_shape=None."
            )
        if self.image_shape is not None and self.numerical_embedding is not None:
            raise ValueError(
                "numerical_embedding must be None with image_shape, whose pixels are no table; "
                f"got {self.numerical_embedding!r}."
            )
        if self.image_shape is not None and self.missing != "error":
            raise ValueError(
                f"missing must be 'error' with image_shape; got {self.missing!r}. Fill the pixels "
                "that are missing first."
            )
        if self.image_shape is not None and not isinstance(self.categorical_features, str | None):
            raise ValueError(
                "categorical_features must be 'from_dtype' or None with image_shape, whose pixels "
                f"are no categories; got {self.categorical_features!r}."
            )
        if self.refit_full and not self.early_stopping:
            raise ValueError(
                "refit_full=True needs early_stopping=True, which finds the number of epochs to "
                "train for; got early_stopping=False."
            )
        if self.refit_full and self.warm_start:
            raise ValueError(
                "refit_full must be False with warm_start=True: one trains anew, the other goes on."
            )

    def _check(self, X, y=None, sample_weight=None, *, reset):
        image_shape = self.image_shape if reset else self._fitted_image_shape
        if reset:
            codec = None if image_shape is not None else self._fit_codec(X)
        else:
            codec = self._codec
        allow_nan = self.missing == "indicator" if reset else self._scaler.fill is not None
        options = {"reset": reset, "allow_nan": allow_nan}
        try:
            if codec is None:
                X = check_rows(self, X, image_shape=image_shape, hints=_HINTS, **options)
            else:
                X = self._encode(X, codec, **options)
        except ValueError as error:
            if "X contains NaN" not in str(error):
                raise
            raise ValueError(
                f'{str(error).splitlines()[0]} Fit with missing="indicator", or fill the gaps '
                "first, by SimpleImputer say."
            ) from error
        attributes = {
            "is_categorical_": None if codec is None else codec.is_categorical,
            "_categories": None if codec is None else codec.categories,
        }
        return Data(X, weight=check_weights(sample_weight, X), attributes=attributes)

    @property
    def _codec(self):
        """Codec of the categories that ``fit`` saw, None without categorical columns."""
        if self.is_categorical_ is None:
            return None
        return CategoryCodec(self.is_categorical_, self._categories)

    def _fit_codec(self, X):
        """Codec of the categories in ``X``, None where there are no categorical columns."""
        if sp.issparse(X) and not isinstance(self.categorical_features, str | None):
            raise ValueError(
                "categorical_features must be 'from_dtype' or None for a sparse X; got "
                f"{self.categorical_features!r}."
            )
        if not isinstance(self.categorical_features, str | None):
            X = _as_table(X)
        return CategoryCodec.fit(X, self.categorical_features)

    def _encode(self, X, codec, *, reset, allow_nan):
        """Write samples with codes for their categories, float64."""
        X = _as_table(X)
        validate_data(self, X, skip_check_array=True, reset=reset)
        with must_be_numbers(X, _HINTS, codec.is_categorical):
            return codec.encode(X, allow_nan=allow_nan)

    def _fit_scaler(self, data, rng):
        return TableScaler.fit(
            data.X,
            data.weight,
            rng=rng,
            scaling=self._resolve_scaling(data.X),
            is_categorical=data.attributes["is_categorical_"],
            fills_missing=self.missing == "indicator",
            has_bins=self.numerical_embedding == "piecewise-linear",
        )

    def _resolve_scaling(self, X):
        if self.feature_scaling != "auto":
            return self.feature_scaling
        if self.image_shape is not None:
            return "global"
        return "standard" if sp.issparse(X) else "quantile"

    def _architecture(self, data, scaler):
        architecture = {
            "n_features": data.X.shape[1],
            "baseline": scaler.baseline,
            "n_blocks": int(self.n_blocks),
            "dropout": float(self.dropout),
            "residual_dropout": float(self.residual_dropout),
            "norm": self.norm,
            "activation": self.activation,
        }
        image_shape = check_image_shape(self.image_shape)
        if image_shape is not None:
            return architecture | {
                "image_shape": image_shape,
                "stem_width": int(self.stem_width),
                "augment": self.augment,
            }
        return architecture | {
            "width": int(self.width),
            "hidden_factor": float(self.hidden_factor),
            "n_numeric": len(scaler.numeric),
            "n_indicators": len(scaler.marked),
            "cardinalities": scaler.cardinalities,
            "gaps": scaler.gaps,
            "embedding_dim": int(self.embedding_dim),
            "numerical_embedding": self.numerical_embedding,
            "frequency_scale": float(self.frequency_scale),
            "bins": scaler.bins,
        }

    @staticmethod
    def _make_module(architecture, streams):
        options = dict(architecture)
        del options["n_features"]
        baseline = options.pop("baseline")
        trunk = make_trunk(options, streams)
        return ResNet(trunk, baseline, generator=streams["weights"])

    def _plan(self, fit):
        fit.announce(int(self.max_epochs) * (1 + self.refit_full))
        yield from super()._plan(fit)
        if self.refit_full:
            fit.restart()
            yield from fit.train(fit.best_epoch)

    def __sklearn_tags__(self):
        """Missing numbers are welcome where they get an indicator."""
        tags = super().__sklearn_tags__()
        tags.input_tags.allow_nan = self.missing == "indicator"
        tags.target_tags.required = True
        return tags


def _as_table(X):
    """Dataframe or array of two dimensions from what users give."""
    X = X if hasattr(X, "shape") else np.asarray(X, dtype=object)
    if len(X.shape) != 2:
        raise ValueError(
            f"X must be a table of rows and columns. Expected 2D array, got shape {X.shape}."
        )
    return X
