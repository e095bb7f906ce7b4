"""Methods and parameters that residual nets for classification and for regression share."""

from collections.abc import Sequence
from typing import Self

import numpy as np
import scipy.sparse as sp
from sklearn.utils.validation import validate_data

from skdeep._fit_data import Data
from skdeep._preprocessing._categories import CategoryCodec
from skdeep._preprocessing._table import TableScaler
from skdeep._training._optim import resting_epochs
from skdeep._transfer import check_features
from skdeep.neural_network._transfer import TransferMixin
from skdeep.nn._activation import ACTIVATIONS
from skdeep.nn._augment import AUGMENTATIONS
from skdeep.nn._norm import NORMS
from skdeep.nn._resnet import ResNet, make_trunk
from skdeep.nn._table import NUMERICAL_EMBEDDINGS
from skdeep.utils._params import BELOW_ONE, POSITIVE, POSITIVE_INTEGER, param
from skdeep.utils._settings import own_settings
from skdeep.utils._sklearn import StrOptions, fit_context, with_callbacks
from skdeep.utils._validation import (
    CATEGORY_HINTS,
    check_image_shape,
    check_rows,
    check_weights,
    must_be_numbers,
)

# Number of samples from which early_stopping="auto" holds out a validation set.
_FEWEST_TO_HOLD_OUT = 200
# Number of features up to which numerical_embedding="auto" embeds numbers.
_MOST_EMBEDDED = 256


class ResNetMixin(TransferMixin):
    """Validation and preprocessing of the samples, and the residual net."""

    n_blocks: int = param(POSITIVE_INTEGER, default=1, kw_only=False)
    width: int = param(POSITIVE_INTEGER, default=192)
    hidden_factor: float = param(POSITIVE, default=2.0)
    dropout: float = param(BELOW_ONE, default=0.15, lifted=True)
    residual_dropout: float = param(BELOW_ONE, default=0.0, lifted=True)
    norm: str | None = param(StrOptions({"auto", *NORMS}), None, default="auto")
    activation: str = param(StrOptions(set(ACTIVATIONS)), default="relu")
    numerical_embedding: str | None = param(
        StrOptions({"auto", *NUMERICAL_EMBEDDINGS}), None, default="auto", data=True
    )
    embedding_dim: int = param(POSITIVE_INTEGER, default=8)
    frequency_scale: float = param(POSITIVE, default=0.1)
    image_shape: Sequence[int] | None = param("array-like", None, default=None, data=True)
    stem_width: int = param(POSITIVE_INTEGER, default=16)
    augment: str | None = param(StrOptions(set(AUGMENTATIONS)), None, default=None)
    categorical_features: str | Sequence[str | int | bool] | None = param(
        "array-like", StrOptions({"from_dtype"}), None, default="from_dtype", data=True
    )
    feature_scaling: str | None = param(
        StrOptions({"auto", "global", "quantile", "robust", "standard"}),
        None,
        default="auto",
        data=True,
    )
    missing: str = param(StrOptions({"error", "indicator"}), default="error", data=True)
    early_stopping: bool | str = param("boolean", StrOptions({"auto"}), default="auto")
    validation_fraction: float = param(default=0.15)
    n_iter_no_change: int = param(default=40)
    refit_full: bool = param("boolean", default=True)
    max_epochs: int = param(default=64)
    batch_size: int = param(default=256)
    weight_decay: float = param(default=1e-2)
    lr_schedule: str = param(default="coslog4")

    # no weights depend on dropout rates and augmentation
    _changeable = ("dropout", "residual_dropout", "augment")

    @with_callbacks
    @fit_context(prefer_skip_nested_validation=True)
    @own_settings()
    def fit(self, X, y=None, sample_weight=None) -> Self:
        """Train the net.

        Parameters
        ----------
        X : {array-like, sparse matrix, dataframe} of shape (n_samples, n_features)
            Training samples. Memory-mapped and sparse data are read batch by batch, unless they
            have categorical features.
        y : array-like of shape (n_samples,) or (n_samples, n_outputs)
            Targets. Required.
        sample_weight : array-like of shape (n_samples,), default=None
            Weights of the samples in the loss. Samples with a weight of zero are ignored.

        Returns
        -------
        self : object
            The fitted estimator.
        """
        return self._fit(X, y, sample_weight)

    @own_settings()
    def embed(self, X) -> np.ndarray:
        """Return the activations of the last hidden layer, from which the net predicts.

        Parameters
        ----------
        X : {array-like, sparse matrix, dataframe} of shape (n_samples, n_features)
            Samples to embed.

        Returns
        -------
        Z : ndarray of shape (n_samples, width)
            Embeddings: float32 if ``X`` is float32 without categorical features, else float64.
            For images they have ``4 * stem_width`` columns, and with ``pretrained`` as many as its
            trunk returns. Use them in a pipeline through ``FunctionTransformer(net.embed)``.
        """
        X = self._check_new(X)
        return self._apply(self.module_.trunk, X)

    def _predict_raw(self, X):
        """Return the outputs of the net, float64, (n_samples, n_outputs)."""
        X = self._check_new(X)
        return self._apply(self.module_, X).astype(np.float64, copy=False)

    def _check_combination(self):
        """Raise ``ValueError`` for parameters that cannot be combined."""
        image_shape = self.image_shape if self.pretrained is None else self._check_start()
        if image_shape is None and self.augment is not None:
            raise ValueError(
                f"augment needs image_shape; got augment={self.augment!r} and image_shape=None."
            )
        if self.image_shape is not None and self.numerical_embedding not in ("auto", None):
            raise ValueError(
                "numerical_embedding must be 'auto' or None with image_shape, as it is for tables "
                f"only; got {self.numerical_embedding!r}."
            )
        if self.image_shape is not None and self.norm is None:
            raise ValueError(
                "norm must be 'auto', 'batch' or 'layer' with image_shape; got None. Deep "
                "convolutional nets do not train without one."
            )
        if self.image_shape is not None and self.missing != "error":
            raise ValueError(
                f"missing must be 'error' with image_shape; got {self.missing!r}. Impute missing "
                "pixels first."
            )
        if self.image_shape is not None and not isinstance(self.categorical_features, str | None):
            raise ValueError(
                "categorical_features must be 'from_dtype' or None with image_shape, as pixels are "
                f"numerical; got {self.categorical_features!r}."
            )

    def _check(self, X, y=None, sample_weight=None, *, reset):
        source = self._start if reset else self  # it determines how samples are read
        if source is None:
            image_shape = self.image_shape
            codec = None if image_shape is not None else self._fit_codec(X)
        else:
            if reset:
                check_features("pretrained", source, X)
            image_shape, codec = source._fitted_image_shape, getattr(source, "_codec", None)
        options = {"reset": reset, "allow_nan": self._allows_nan(source)}
        try:
            if codec is None:
                X = check_rows(self, X, image_shape=image_shape, hints=CATEGORY_HINTS, **options)
            else:
                X = self._encode(X, codec, **options)
        except ValueError as error:
            if "X contains NaN" not in str(error):
                raise
            is_own = self.pretrained is None
            remedy = f'{"Fit" if is_own else "Pretrain a net"} with missing="indicator"'
            raise ValueError(
                f"{str(error).splitlines()[0]} {remedy}, or impute missing values first, for "
                "example with SimpleImputer."
            ) from error
        attributes = {
            "is_categorical_": None if codec is None else codec.is_categorical,
            "_categories": None if codec is None else codec.categories,
        }
        return Data(X, weight=check_weights(sample_weight, X), attributes=attributes)

    def _allows_nan(self, source):
        """Whether numbers may be missing, for samples that are read like those of an estimator."""
        if source is None:
            return self.missing == "indicator"
        scaler = getattr(source, "_scaler", None)  # an estimator that is not suitable has none
        return getattr(scaler, "fill", None) is not None

    @property
    def _codec(self):
        """Codec of the categories seen during ``fit``, None without categorical columns."""
        if self.is_categorical_ is None:
            return None
        return CategoryCodec(self.is_categorical_, self._categories)

    def _fit_codec(self, X):
        """Codec of the categories in ``X``, None without categorical columns."""
        if sp.issparse(X) and not isinstance(self.categorical_features, str | None):
            raise ValueError(
                "categorical_features must be 'from_dtype' or None for a sparse X; got "
                f"{self.categorical_features!r}."
            )
        if not isinstance(self.categorical_features, str | None):
            X = _as_table(X)
        return CategoryCodec.fit(X, self.categorical_features)

    def _encode(self, X, codec, *, reset, allow_nan):
        """Encode samples as float64, with codes for their categories."""
        X = _as_table(X)
        validate_data(self, X, skip_check_array=True, reset=reset)
        with must_be_numbers(X, CATEGORY_HINTS, codec.is_categorical):
            return codec.encode(X, allow_nan=allow_nan)

    def _fit_scaler(self, data, rng):
        if self.pretrained is not None:
            return self._transferred_scaler()
        return TableScaler.fit(
            data.X,
            data.weight,
            rng=rng,
            scaling=self._resolve_scaling(data.X),
            is_categorical=data.attributes["is_categorical_"],
            fills_missing=self.missing == "indicator",
            has_bins=self._resolve_embedding(data.X) == "piecewise-linear",
        )

    def _should_hold_out(self, data):
        """Whether ``early_stopping="auto"`` holds out a validation set."""
        if self.warm_start or self.pretrained is not None or self.image_shape is not None:
            return False
        n_samples = data.X.shape[0] if data.weight is None else np.count_nonzero(data.weight)
        return n_samples >= _FEWEST_TO_HOLD_OUT

    def _resolve_scaling(self, X):
        if self.feature_scaling != "auto":
            return self.feature_scaling
        if self.image_shape is not None:
            return "global"
        return "standard" if sp.issparse(X) else "robust"

    def _resolve_norm(self):
        if self.norm != "auto":
            return self.norm
        return None if self.image_shape is None else "batch"

    def _resolve_embedding(self, X):
        if self.numerical_embedding != "auto":
            return self.numerical_embedding
        is_narrow = X.shape[1] <= _MOST_EMBEDDED and not sp.issparse(X)
        return "piecewise-linear" if is_narrow and self.image_shape is None else None

    def _embedding_of(self, scaler):
        if self.numerical_embedding != "auto":
            return self.numerical_embedding
        return "piecewise-linear" if scaler.bins else None

    def _architecture(self, data, scaler):
        if self.pretrained is not None:
            return self._transferred_architecture(scaler)
        architecture = {
            "n_features": data.X.shape[1],
            "baseline": scaler.baseline,
            "n_blocks": int(self.n_blocks),
            "dropout": float(self.dropout),
            "residual_dropout": float(self.residual_dropout),
            "norm": self._resolve_norm(),
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
            "numerical_embedding": self._embedding_of(scaler),
            "frequency_scale": float(self.frequency_scale),
            "bins": scaler.bins,
        }

    @staticmethod
    def _make_module(architecture, streams):
        options = dict(architecture)
        baseline = options.pop("baseline")
        trunk = make_trunk(options, streams)
        return ResNet(trunk, baseline, generator=streams["weights"])

    def _trunk(self):
        """Return the architecture and the layers of the trunk, for nets that start from it."""
        architecture = dict(self._fitted_architecture)
        del architecture["baseline"]
        return architecture, self.module_.trunk

    def _plan(self, fit):
        refits = fit.holds_out and bool(self.refit_full) and not self.warm_start
        fit.announce(int(self.max_epochs) * (1 + refits))
        yield from super()._plan(fit)
        if refits:
            n_epochs = self._best_length(fit)
            fit.restart()
            yield from self._train(fit, n_epochs, n_schedule_epochs=self.max_epochs)

    def _best_length(self, fit):
        """Return the number of epochs with the lowest validation loss, at ends of cycles."""
        curve = fit.net.history[:, "valid_loss"]
        ends = resting_epochs(self.lr_schedule, int(self.max_epochs))
        first = 1 if self.pretrained is None else 1 + int(self.freeze_epochs)
        candidates = range(min(first, len(curve)), len(curve) + 1)
        candidates = [n for n in candidates if n in ends] or candidates
        return min(candidates, key=lambda n: curve[n - 1])

    def __sklearn_tags__(self):
        """Missing values are allowed with ``missing="indicator"``."""
        tags = super().__sklearn_tags__()
        tags.input_tags.allow_nan = self._allows_nan(self._start)
        tags.target_tags.required = True
        return tags


def _as_table(X):
    """Dataframe, or two-dimensional array from any other input."""
    X = X if hasattr(X, "shape") else np.asarray(X, dtype=object)
    if len(X.shape) != 2:
        raise ValueError(f"X must have two dimensions. Expected 2D array, got shape {X.shape}.")
    return X
