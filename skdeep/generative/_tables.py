"""Generators and critics for tables of mixed columns."""

from collections.abc import Mapping, Sequence

import numpy as np
from sklearn.utils import check_array
from sklearn.utils.validation import validate_data

from skdeep._fit_data import Data
from skdeep._preprocessing._containers import as_table
from skdeep._preprocessing._frames import FrameCodec
from skdeep._preprocessing._mixture import MixtureScaler
from skdeep.generative._sampling import drop_weightless
from skdeep.nn._coder import CoderShape
from skdeep.nn._gan import GAN, TableOutput
from skdeep.utils._params import BELOW_ONE, POSITIVE_INTEGER, Parameters, param
from skdeep.utils._sklearn import StrOptions
from skdeep.utils._validation import check_layer_sizes, check_weights

# Rounds in which rows that do not meet their conditions are drawn again.
_MAX_ROUNDS = 100


class TableGANMixin(Parameters):
    """Encoding of tables, their nets, and sampling of rows that meet conditions."""

    categorical_features: str | Sequence[str | int | bool] | None = param(
        "array-like", StrOptions({"from_dtype"}), None, default="from_dtype", data=True
    )
    n_modes: int = param(POSITIVE_INTEGER, default=10, data=True)
    pac: int = param(POSITIVE_INTEGER, default=1)
    dropout: float = param(BELOW_ONE, default=0.0)

    _changeable = ("dropout",)

    # Rows ----------------------------------------------------------------------------------

    @property
    def _codec(self):
        """Codec between tables and arrays of numbers."""
        return FrameCodec(**self._codec_state)

    def _check(self, X, y=None, sample_weight=None, *, reset):
        X, y, sample_weight = drop_weightless(X, y, sample_weight)
        codec, X = self._encode(X, reset=reset)
        weight = check_weights(sample_weight, X)
        classes, attributes = self._encode_classes(y, X, reset=reset)
        sizes = codec.n_categories
        if classes is not None:  # the class is the last column
            X = np.column_stack([X, classes])
            sizes = (*sizes, len(attributes["classes_"]))
        attributes |= {"_codec_state": codec.state(), "_n_categories": sizes}
        return Data(X, _category_codes(X, sizes), weight, attributes=attributes)

    def _encode(self, X, *, reset):
        """Return the codec and the encoded samples."""
        if not hasattr(X, "columns"):
            X = X if hasattr(X, "shape") else as_table(X, min_rows=0)[0]
            X = check_array(X, dtype=None, ensure_all_finite="allow-nan", estimator=self)
        elif not X.shape[0]:
            raise ValueError(
                f"X must have at least one row; found array with 0 sample(s), shape={X.shape}."
            )
        validate_data(self, X, skip_check_array=True, reset=reset)
        if reset:
            return FrameCodec.fit(X, self.categorical_features)
        return self._codec, self._codec.encode(X)

    def _fit_scaler(self, data, rng):
        n_categories = data.attributes["_n_categories"]
        return MixtureScaler.fit(
            data.X, data.weight, rng=rng, n_categories=n_categories, n_modes=self.n_modes
        )

    def _record(self, fit):
        record = super()._record(fit)
        record["_shares"] = _category_shares(fit.data, fit.scaler.layout)
        return record

    # Net -----------------------------------------------------------------------------------

    def _default_penalty(self):
        return 10.0 if self.loss == "wgan-gp" else super()._default_penalty()

    def _architecture(self, data, scaler):
        return {
            "n_features": scaler.width,
            "latent_dim": int(self.latent_dim),
            "hidden_layer_sizes": check_layer_sizes(self.hidden_layer_sizes, auto=(128, 128)),
            "activation": self.activation,
            "layout": scaler.layout,
            "conditions": tuple(np.flatnonzero(data.attributes["_n_categories"]).tolist()),
            "pac": int(self.pac),
            "dropout": float(self.dropout),
        }

    @staticmethod
    def _make_module(architecture, streams):
        layout, conditions = architecture["layout"], architecture["conditions"]
        sizes = tuple(layout[column][1] for column in conditions)
        width, pac = architecture["n_features"], architecture["pac"]
        shared = {
            "hidden_layer_sizes": architecture["hidden_layer_sizes"],
            "activation": architecture["activation"],
            "block": "residual",
        }
        n_inputs = architecture["latent_dim"] + sum(sizes)
        return GAN(
            CoderShape(width, n_inputs, **shared),
            CoderShape(pac * (width + sum(sizes)), 1, dropout=architecture["dropout"], **shared),
            condition_sizes=sizes,
            projects=False,
            pack=pac,
            output=TableOutput(layout, conditions, generator=streams["noise"]),
            has_spectral_norm=False,
            streams=streams,
        )

    def _finish(self, rows):
        """Raw output of the generator, (batch, n_noise) -> (batch, width)."""
        return self.module_.average(rows)

    # Draws ---------------------------------------------------------------------------------

    def _draw(self, codes, n_samples, rng):
        if codes is None:
            return self._draw_matching({}, n_samples, rng)
        return self._draw_matching({self.n_features_in_: codes}, n_samples, rng, insists=False)

    def _draw_matching(self, wanted, n_samples, rng, *, insists=True):
        """Table of rows that have the desired codes, (n_samples, n_columns).

        Parameters
        ----------
        wanted : dict
            Codes, (n_samples,), by column.
        insists : bool
            Whether rows that never meet the conditions are an error; else their codes are set.
        """
        table = np.empty((n_samples, len(self._n_categories)))
        missing = np.arange(n_samples)
        for _ in range(_MAX_ROUNDS):
            rows = {column: codes[missing] for column, codes in wanted.items()}
            table[missing] = self._draw_once(rows, len(missing), rng)
            is_met = np.ones(len(missing), dtype=bool)
            for column, codes in rows.items():
                is_met &= self._codes(table[missing, column], column) == codes
            missing = missing[~is_met]
            if not len(missing):
                return table
        if insists:
            raise ValueError(
                f"conditions must be met by some rows; {len(missing)} of {n_samples} did not meet "
                f"them in {_MAX_ROUNDS} draws. Use fewer conditions, or train longer."
            )
        for column, codes in wanted.items():
            table[missing, column] = codes[missing]
        return table

    def _codes(self, values, column):
        """Codes of a categorical column, including those of missing values."""
        return np.where(np.isnan(values), self._n_categories[column], values)

    def _draw_once(self, wanted, n_rows, rng):
        """Table of rows, each conditional on one of its desired codes, or on any category."""
        condition = self._draw_conditions(wanted, n_rows, rng)
        raw = self._generate(condition, n_rows, rng)
        # the argmax of logits with Gumbel noise is a draw from their softmax
        array = raw + rng.gumbel(size=raw.shape)
        starts = np.cumsum([0, *(sum(sizes) for sizes in self._scaler.layout)])
        floats = [s for s, (n, _) in zip(starts, self._scaler.layout, strict=False) if n]
        array[:, floats] = np.tanh(raw[:, floats])
        array[:, self._unseen_places(starts)] = -np.inf
        return self._scaler.inverse(array)

    def _unseen_places(self, starts):
        """Columns of the generator's output for categories without a training row."""
        if self._shares is None:
            return []
        places = [
            starts[column] + np.arange(size)
            for column, size in zip(
                self._fitted_architecture["conditions"], self.module_.condition_sizes, strict=True
            )
        ]
        return np.concatenate(places)[self._shares == 0]

    def _draw_conditions(self, wanted, n_rows, rng):
        """Draw the index of a condition for each row; None without conditions."""
        if self._shares is None:
            return None
        if wanted:
            first = self._first_conditions()
            options = np.stack([first[column] + codes for column, codes in wanted.items()])
            return options[rng.integers(len(options), size=n_rows), np.arange(n_rows)].astype(int)
        return rng.choice(len(self._shares), size=n_rows, p=self._shares)

    def _first_conditions(self):
        """Index of the first condition of each categorical column, by column."""
        firsts = np.cumsum([0, *self.module_.condition_sizes[:-1]])
        return dict(zip(self._fitted_architecture["conditions"], firsts.tolist(), strict=True))

    def _find_conditions(self, conditions, n_samples):
        """Codes of the desired categories by column."""
        if not isinstance(conditions, Mapping):
            raise ValueError(
                "conditions must be a dict that maps column names to categories; got "
                f"{conditions!r}."
            )
        names, sizes = self._codec.names, self._codec.n_categories
        known = [name for name, size in zip(names, sizes, strict=True) if size]
        wanted = {}
        for name, category in conditions.items():
            if name not in known:
                raise ValueError(
                    f"conditions must name categorical columns, {known}; got {name!r}."
                )
            column = names.index(name)
            wanted[column] = np.full(n_samples, self._find_code(column, name, category))
        return wanted

    def _find_code(self, column, name, category):
        """Code of a category, or of a missing value, that occurs in the training data."""
        options = [*self._codec.columns[column]["categories"], None]
        first = self._first_conditions()[column]
        shares = self._shares[first : first + self._scaler.layout[column][1]]
        seen = [option for option, share in zip(options, shares, strict=False) if share > 0]
        # how missing values of NumPy and pandas print
        if not isinstance(category, str) and str(category) in ("nan", "NaT", "<NA>"):
            category = None
        if np.ndim(category) or category not in seen:
            raise ValueError(
                f"conditions must name categories of {name!r} in the training data, {seen}; got "
                f"{category!r}."
            )
        return options.index(category)

    def _as_given(self, rows):
        return self._codec.decode(rows[:, : self.n_features_in_])

    def __sklearn_tags__(self):
        """Missing values are allowed, sparse matrices are not."""
        tags = super().__sklearn_tags__()
        tags.input_tags.allow_nan = True
        tags.input_tags.sparse = False
        return tags


def _category_codes(table, sizes):
    """Codes of the categories of each sample, (n_samples, n_columns); None without categories.

    A missing category has the code after the others.
    """
    categorical = np.flatnonzero(sizes)
    if not len(categorical):
        return None
    codes = table[:, categorical]
    return np.where(np.isnan(codes), np.take(sizes, categorical), codes).astype(int)


def _category_shares(data, layout):
    """Frequencies of all categories, by which ``sample`` draws conditions; None without any."""
    if data.y is None:
        return None
    columns = np.flatnonzero(data.attributes["_n_categories"])
    counts = np.concatenate(
        [
            np.bincount(codes, data.weight, minlength=layout[column][1])
            for column, codes in zip(columns, data.y.T, strict=True)
        ]
    )
    return counts / counts.sum()
