"""Generators and critics for numerical features and for images."""

from collections.abc import Sequence

from torch import nn

from skdeep._fit_data import Data
from skdeep._preprocessing._features import fit_feature_scaler
from skdeep.nn._coder import CoderShape
from skdeep.nn._gan import GAN
from skdeep.utils._params import Parameters, param
from skdeep.utils._sklearn import StrOptions, check_categorical_features
from skdeep.utils._validation import check_image_shape, check_layer_sizes, check_rows, check_weights

_HINT = "Use TabularGANSampler for tables of mixed columns."
_HINTS = dict.fromkeys("sMm", _HINT)


class RowGANMixin(Parameters):
    """Residual nets: dense for numerical features, convolutional for images."""

    image_shape: Sequence[int] | None = param("array-like", None, default=None, data=True)
    batch_norm: bool = param("boolean", default=False)
    spectral_norm: bool = param("boolean", default=False)
    feature_scaling: str | None = param(
        StrOptions({"auto", "quantile", "range", "standard"}), None, default="auto", data=True
    )

    def _check(self, X, y=None, sample_weight=None, *, reset):
        mask = check_categorical_features(X, "from_dtype")
        if mask is not None and mask.any():
            names = [name for name, is_one in zip(X.columns, mask, strict=True) if is_one]
            raise ValueError(
                f"X must be numeric; got categories in columns {names}. "
                f"Encode them, for example with sklearn.preprocessing.OneHotEncoder. {_HINT}"
            )
        image_shape = self.image_shape if reset else self._fitted_image_shape
        X = check_rows(self, X, reset=reset, image_shape=image_shape, hints=_HINTS)
        return Data(X, weight=check_weights(sample_weight, X))

    def _fit_scaler(self, data, rng):
        scaling = self.feature_scaling
        if scaling == "auto":
            scaling = "standard" if self.image_shape is None else "range"
        return fit_feature_scaler(data.X, data.weight, rng=rng, scaling=scaling)

    def _architecture(self, data, scaler):
        image_shape = check_image_shape(self.image_shape)
        return {
            "n_features": data.X.shape[1],
            "image_shape": image_shape,
            "latent_dim": int(self.latent_dim),
            "hidden_layer_sizes": check_layer_sizes(
                self.hidden_layer_sizes, auto=(128, 128) if image_shape is None else (32, 64)
            ),
            "activation": self.activation,
            "batch_norm": bool(self.batch_norm),
            "spectral_norm": bool(self.spectral_norm),
            "n_classes": len(data.attributes.get("classes_", ())),
            "is_bounded": scaler.scaling == "range",
        }

    @staticmethod
    def _make_module(architecture, streams):
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

    def _finish(self, rows):
        """Generate scaled samples, (batch, n_noise) -> (batch, n_features)."""
        return self.module_.output(self.module_.average(rows))

    def _score(self, X, condition=None):
        """Score samples by the critic, float64, (n_samples,); ``condition`` is (n_conditions,)."""
        score = self._apply(lambda rows: self._judge(rows, condition), X)
        return score[:, 0].astype("float64", copy=False)

    def _judge(self, rows, condition):
        """Score scaled samples by the critic, (batch, n_features) -> (batch, 1)."""
        if condition is not None:
            condition = rows.new_tensor(condition).expand(rows.shape[0], -1)
        return self.module_.critic(rows, condition)
