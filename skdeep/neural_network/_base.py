"""What residual nets for classification and for regression have in common."""

from numbers import Integral, Real

import numpy as np
import scipy.sparse as sp
from sklearn.callback import with_callbacks
from sklearn.utils.validation import validate_data

from skdeep._descent import DESCENT_CONSTRAINTS, DescentMixin
from skdeep._training._table import TableScaler
from skdeep.neural_network._ensemble import EnsembleMixin
from skdeep.nn._activation import ACTIVATIONS
from skdeep.nn._augment import AUGMENTATIONS
from skdeep.nn._norm import NORMS
from skdeep.nn._resnet import ResNet, make_trunk
from skdeep.nn._table import NUMERICAL_EMBEDDINGS
from skdeep.utils._categories import categorical_columns, encode_table, find_categories
from skdeep.utils._numbers import must_be_numbers
from skdeep.utils._random import numpy_generator
from skdeep.utils._settings import own_settings
from skdeep.utils._sklearn import Interval, StrOptions, fit_context
from skdeep.utils._validation import check_rows

__all__ = ["RESNET_CONSTRAINTS", "ResNetMixin"]

#: Of the parameters that describe a residual net and what it reads.
RESNET_CONSTRAINTS = {
    **DESCENT_CONSTRAINTS,
    "n_blocks": [Interval(Integral, 1, None, closed="left")],
    "width": [Interval(Integral, 1, None, closed="left")],
    "hidden_factor": [Interval(Real, 0, None, closed="neither")],
    "dropout": [Interval(Real, 0, 1, closed="left")],
    "residual_dropout": [Interval(Real, 0, 1, closed="left")],
    "norm": [StrOptions(set(NORMS))],
    "activation": [StrOptions(set(ACTIVATIONS))],
    "numerical_embedding": [StrOptions(set(NUMERICAL_EMBEDDINGS)), None],
    "embedding_dim": [Interval(Integral, 1, None, closed="left")],
    "frequency_scale": [Interval(Real, 0, None, closed="neither")],
    "image_shape": ["array-like", None],
    "stem_width": [Interval(Integral, 1, None, closed="left")],
    "augment": [StrOptions(set(AUGMENTATIONS)), None],
    "categorical_features": ["array-like", StrOptions({"from_dtype"}), None],
    "feature_scaling": [StrOptions({"auto", "global", "quantile", "standard"}), None],
    "missing": [StrOptions({"error", "indicator"})],
    "n_estimators": [Interval(Integral, 1, None, closed="left")],
    "refit_full": ["boolean"],
}

_HINTS = {
    "s": (
        "Columns of a dataframe that hold nothing but strings are categories under "
        'categorical_features="from_dtype"; name those of an array there.'
    )
}


class ResNetMixin(EnsembleMixin, DescentMixin):
    """Rows as users have them, and the net behind them.

    A subclass sets ``_baseline``, the outputs that the net starts from, when it scales targets.
    """

    # the rates of dropout and the augmentation have no weights
    _CHANGEABLE = ("dropout", "residual_dropout", "augment")

    @with_callbacks
    @fit_context(prefer_skip_nested_validation=True)
    @own_settings()
    def fit(self, X, y=None, sample_weight=None):
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
    def embed(self, X):
        """Give the features that the head of the net reads: its last hidden layer.

        Parameters
        ----------
        X : {array-like, sparse matrix, dataframe} of shape (n_samples, n_features)
            Rows to embed.

        Returns
        -------
        Z : ndarray of shape (n_samples, width)
            Features, float32 for float32 rows without categories, else float64. Images have
            ``4 * stem_width``; those of several nets lie side by side.
            ``FunctionTransformer(net.embed)`` puts them into a pipeline.
        """
        return np.hstack([member._embed(X) for member in self._members()])

    def _embed(self, X):
        """Features of a single net."""
        X = self._check_new_rows(X)
        return self._apply(self.module_.embed, X, self.module_.trunk.out_features)

    def _predict_raw(self, X):
        """Give the outputs of a single net, float64, (n_samples, n_outputs)."""
        X = self._check_new_rows(X)
        outputs = self._apply(self.module_, X, len(self._baseline))
        return outputs.astype(np.float64, copy=False)

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

    def _refits(self):
        return self.early_stopping and self.refit_full

    # Rows ----------------------------------------------------------------------------------

    def _check_rows(self, X, *, reset):
        image_shape = self._image_shape(reset=reset)
        if reset:
            self.is_categorical_ = None if image_shape else self._find_categorical(X)
        allow_nan = self.missing == "indicator" if reset else self._scaler.fill is not None
        options = {"reset": reset, "allow_nan": allow_nan}
        try:
            if self.is_categorical_ is None:
                return check_rows(self, X, image_shape=image_shape, hints=_HINTS, **options)
            return self._encode_rows(X, **options)
        except ValueError as error:
            if "X contains NaN" not in str(error):
                raise
            raise ValueError(
                f'{str(error).splitlines()[0]} Fit with missing="indicator", or fill the gaps '
                "first, by SimpleImputer say."
            ) from error

    def _find_categorical(self, X):
        """Mask of the categorical columns, None where there are none."""
        if sp.issparse(X) and not isinstance(self.categorical_features, str | None):
            raise ValueError(
                "categorical_features must be 'from_dtype' or None for a sparse X; got "
                f"{self.categorical_features!r}."
            )
        if not isinstance(self.categorical_features, str | None):
            X = _as_table(X)
        return categorical_columns(X, self.categorical_features)

    def _encode_rows(self, X, *, reset, allow_nan):
        """Rows with the codes of their categories, float64."""
        X = _as_table(X)
        validate_data(self, X, skip_check_array=True, reset=reset)
        if reset:
            self._categories = find_categories(X, self.is_categorical_)
        with must_be_numbers(X, _HINTS, self.is_categorical_):
            return encode_table(X, self.is_categorical_, self._categories, allow_nan=allow_nan)

    def _resolve_scaling(self, X):
        if self.feature_scaling != "auto":
            return self.feature_scaling
        if self.image_shape is not None:
            return "global"
        return "standard" if sp.issparse(X) else "quantile"

    def _fit_scaler(self, X, weight):
        return TableScaler.fit(
            X,
            weight,
            kind=self._resolve_scaling(X),
            is_categorical=self.is_categorical_,
            fills_missing=self.missing == "indicator",
            has_bins=self.numerical_embedding == "piecewise-linear",
            generator=numpy_generator(self._seed),
        )

    def _make_scaler(self, state):
        return TableScaler.from_state(state)

    # Net -----------------------------------------------------------------------------------

    def _architecture(self, n_features):
        architecture = {
            "n_features": n_features,
            "baseline": self._baseline,
            "n_blocks": int(self.n_blocks),
            "dropout": float(self.dropout),
            "residual_dropout": float(self.residual_dropout),
            "norm": self.norm,
            "activation": self.activation,
        }
        image_shape = self._image_shape()
        if image_shape is not None:
            return architecture | {
                "image_shape": image_shape,
                "stem_width": int(self.stem_width),
                "augment": self.augment,
            }
        return architecture | {
            "width": int(self.width),
            "hidden_factor": float(self.hidden_factor),
            "n_numeric": len(self._scaler.numeric),
            "n_indicators": len(self._scaler.marked),
            "cardinalities": self._scaler.cardinalities,
            "gaps": self._scaler.gaps,
            "embedding_dim": int(self.embedding_dim),
            "numerical_embedding": self.numerical_embedding,
            "frequency_scale": float(self.frequency_scale),
            "bins": self._scaler.bins,
        }

    def _make_module(self, architecture, streams):
        options = dict(architecture)
        del options["n_features"]
        baseline = options.pop("baseline")
        trunk = make_trunk(options, streams)
        return ResNet(trunk, baseline, generator=streams["weights"])

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
