"""Generators and critics of rows of numbers and of images."""

from torch import nn

from skdeep._training._scaling import QuantileScaler, RowScaler
from skdeep.nn._coder import CoderShape
from skdeep.nn._gan import GAN
from skdeep.utils._random import numpy_generator
from skdeep.utils._sklearn import StrOptions, check_categorical_features
from skdeep.utils._validation import check_layer_sizes, check_rows

__all__ = ["ROW_CONSTRAINTS", "RowGANMixin"]

#: Of the parameters that describe nets for rows of numbers.
ROW_CONSTRAINTS = {
    "image_shape": ["array-like", None],
    "batch_norm": ["boolean"],
    "spectral_norm": ["boolean"],
    "feature_scaling": [StrOptions({"auto", "quantile", "range", "standard"}), None],
}

_HINT = "TabularGANSampler draws tables of mixed columns."
_HINTS = dict.fromkeys("sMm", _HINT)


class RowGANMixin:
    """Residual nets: dense for numbers, convolutional for images."""

    def _n_classes(self):
        """Count the classes that rows are generated for."""
        return 0

    def _check_rows(self, X, *, reset):
        mask = check_categorical_features(X, "from_dtype")
        if mask is not None and mask.any():
            names = [name for name, is_one in zip(X.columns, mask, strict=True) if is_one]
            raise ValueError(
                f"X must hold numbers; got categories in columns {names}. "
                f"Encode them, by sklearn.preprocessing.OneHotEncoder for example. {_HINT}"
            )
        image_shape = self._image_shape(reset=reset)
        return check_rows(self, X, reset=reset, image_shape=image_shape, hints=_HINTS)

    def _architecture(self, n_features):
        image_shape = self._image_shape()
        return {
            "n_features": n_features,
            "image_shape": image_shape,
            "latent_dim": int(self.latent_dim),
            "hidden_layer_sizes": check_layer_sizes(
                self.hidden_layer_sizes, auto=(128, 128) if image_shape is None else (32, 64)
            ),
            "activation": self.activation,
            "batch_norm": bool(self.batch_norm),
            "spectral_norm": bool(self.spectral_norm),
            "n_classes": self._n_classes(),
            "is_bounded": self._scaler.kind == "range",
        }

    def _make_module(self, architecture, streams):
        options = dict(architecture)
        n_classes, latent_dim = options.pop("n_classes"), options.pop("latent_dim")
        shape, rest = CoderShape.take_from(
            {**options, "block": "residual", "n_components": latent_dim + n_classes}
        )
        critic_shape, _ = CoderShape.take_from({**vars(shape), "batch_norm": False})
        return GAN(
            shape,
            critic_shape,
            condition_sizes=(n_classes,) if n_classes else (),
            projects=True,
            pack=1,
            output=nn.Tanh() if rest["is_bounded"] else nn.Identity(),
            has_spectral_norm=rest["spectral_norm"],
            streams=streams,
        )

    def _fit_scaler(self, X, weight):
        kind = self.feature_scaling
        if kind == "auto":
            kind = "standard" if self.image_shape is None else "range"
        if kind == "quantile":
            return QuantileScaler.fit(X, weight, generator=numpy_generator(self._seed))
        return RowScaler.fit(X, weight, kind=kind)

    def _make_scaler(self, state):
        return QuantileScaler(**state) if "values" in state else RowScaler(**state)

    def _finish(self, rows):
        """Generate rows in scaled units, (batch, n_noise) -> (batch, n_features)."""
        return self.module_.output(self.module_.average(rows))

    def _score(self, X, condition=None):
        """Score rows by the critic, float64, (n_samples,); ``condition`` is (n_conditions,)."""
        if condition is not None:
            condition = next(self.module_.parameters()).new_tensor(condition)

        def judge(rows):
            shared = None if condition is None else condition.expand(len(rows), -1)
            return self.module_.critic(rows, shared)

        return self._apply(judge, X, 1)[:, 0].astype("float64", copy=False)
