"""Methods and parameters of all imputers: reading and completing tables."""

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
import scipy.sparse as sp
from sklearn.base import TransformerMixin
from sklearn.utils.validation import check_is_fitted, validate_data

from skdeep._fit_data import Data
from skdeep._preprocessing._categories import CategoryCodec, category_keys, check_categories
from skdeep._preprocessing._completion import append_columns, fill_entries
from skdeep._preprocessing._gaps import GapScaler, find_gaps
from skdeep.utils._params import Parameters, param
from skdeep.utils._sklearn import (
    MissingValues,
    StrOptions,
    check_feature_names_in,
)
from skdeep.utils._validation import (
    CATEGORY_HINTS,
    check_rows,
    check_weights,
    in_memory,
    is_missing,
    must_be_numbers,
)
from skdeep.utils._warn import warn_user


class Table(NamedTuple):
    """Samples whose entries may be missing."""

    #: as passed by the user: ndarray or dataframe of shape (n_samples, n_features)
    source: Any
    #: (n_samples, n_features), NaN for missing numbers, 0 for missing and unknown categories
    codes: np.ndarray
    #: (n_samples, n_features) mask of the missing entries
    is_missing: np.ndarray


class ImputerMixin(TransformerMixin, Parameters):
    """Reads numbers and categories with missing entries, and returns completed tables."""

    missing_values: Any = param(MissingValues(), default=np.nan, data=True, kw_only=False)
    add_indicator: bool = param("boolean", default=False)
    keep_empty_features: bool = param("boolean", default=False)
    categorical_features: str | Sequence[str | int | bool] | None = param(
        "array-like", StrOptions({"from_dtype"}), None, default="from_dtype", data=True
    )

    # Reading -------------------------------------------------------------------------------

    def _check(self, X, y=None, sample_weight=None, *, reset):
        source, codes, codec = self._read(X, reset=reset)
        is_categorical = None if codec is None else codec.is_categorical
        weight = check_weights(sample_weight, codes)
        has_gaps, is_empty = _columns_with_gaps(codes, weight, is_categorical)
        if self.add_indicator and hasattr(source, "columns"):
            names = check_feature_names_in(self, None)
            kept = names if self.keep_empty_features else names[~is_empty]
            _check_indicators(kept, _names_of_indicators(names, has_gaps))
        attributes = {
            "is_categorical_": is_categorical,
            "_categories": None if codec is None else codec.categories,
            "_has_gaps": has_gaps,
        }
        return Data(codes, weight=weight, attributes=attributes)

    def _read(self, X, *, reset):
        """Validate samples; return them as given, encoded as numbers, and the codec or None."""
        codec = self._fit_codec(X) if reset else self._codec
        allow_nan = self.__sklearn_tags__().input_tags.allow_nan
        if codec is None:
            options = {"reset": reset, "allow_nan": allow_nan, "accept_sparse": False}
            X = codes = check_rows(self, X, hints=CATEGORY_HINTS, **options)
        else:
            X = _as_table(X)
            validate_data(self, X, skip_check_array=True, reset=reset)
            check_categories(X, codec.is_categorical)
            with must_be_numbers(X, CATEGORY_HINTS, codec.is_categorical):
                codes = codec.encode(X, allow_nan=allow_nan)
        return X, self._with_nan(codes, codec), codec

    def _with_nan(self, codes, codec):
        """Replace the marker of missing numbers by NaN."""
        if is_missing(self.missing_values) or isinstance(self.missing_values, str):
            return codes
        is_marked = codes == self.missing_values
        if codec is not None:
            is_marked[:, codec.is_categorical] = False
        if not is_marked.any():
            return codes
        codes = codes.astype(np.float32 if codes.dtype == np.float32 else np.float64)
        codes[is_marked] = np.nan
        return codes

    def _read_new(self, X):
        """Validate samples for a fitted imputer; ``Table``."""
        check_is_fitted(self)
        source, codes, codec = self._read(in_memory(X), reset=False)
        if codec is None:
            return Table(source, codes, np.isnan(codes))
        missing = np.isnan(codes)
        for column in np.flatnonzero(codec.is_categorical):
            keys = category_keys(source, column)
            missing[:, column] = [self._is_missing_key(key) for key in keys]
        return Table(source, codes, missing)

    def _is_missing_key(self, key):
        return key is None or (not is_missing(self.missing_values) and key == self.missing_values)

    @property
    def _codec(self):
        """Codec of the categories seen during ``fit``, None without categorical columns."""
        if self.is_categorical_ is None:
            return None
        return CategoryCodec(self.is_categorical_, self._categories)

    def _fit_codec(self, X):
        """Codec of the categories in ``X``, None without categorical columns."""
        if sp.issparse(X):
            return None
        if not isinstance(self.categorical_features, str | None):
            X = _as_table(X)
        codec = CategoryCodec.fit(X, self.categorical_features)
        if codec is not None:
            codec.categories = [
                [key for key in known if not self._is_missing_key(key)]
                for known in codec.categories
            ]
        return codec

    def _fit_scaler(self, data, rng):
        scaler = GapScaler.fit(
            data.X, data.weight, rng=rng, is_categorical=data.attributes["is_categorical_"]
        )
        if not len(scaler.columns):
            raise ValueError(
                "X must have at least one observed entry to learn from; got only missing values, "
                f"{self.missing_values!r}."
            )
        return scaler

    # Completion ----------------------------------------------------------------------------

    @property
    def _is_kept(self):
        """Mask of the features that ``transform`` returns."""
        is_kept = np.full(self.n_features_in_, bool(self.keep_empty_features))
        is_kept[self._scaler.columns] = True
        return is_kept

    def _complete(self, table, values):
        """Fill in the missing entries of a table.

        Parameters
        ----------
        table : Table
        values : ndarray of shape (n_samples, n_columns)
            Numbers and codes of the columns of the scaler.
        """
        self._warn_of_empty_features()
        columns = np.flatnonzero(self._is_kept)
        places = {column: place for place, column in enumerate(self._scaler.columns.tolist())}
        known = self._known_categories()
        is_missing, new = table.is_missing.copy(), []
        for column in columns.tolist():
            if column in places:
                entries = values[is_missing[:, column], places[column]]
                if column in known:
                    entries = known[column][entries.astype(int) - 1]
            elif column in known:  # without categories there is nothing to fill in
                is_missing[:, column], entries = False, np.empty(0, dtype=object)
            else:
                entries = np.zeros(is_missing[:, column].sum())
            new.append(entries)
        return fill_entries(table.source, is_missing, new, columns)

    def _with_indicator(self, completed, table):
        if not self.add_indicator:
            return completed
        names = self.get_feature_names_out().tolist()
        if hasattr(completed, "columns"):
            n_kept = np.count_nonzero(self._is_kept)
            _check_indicators(names[:n_kept], names[n_kept:])
        return append_columns(completed, table.is_missing[:, self._has_gaps], names)

    def _known_categories(self):
        """Categories of each categorical column as an array of objects, by column."""
        codec = self._codec
        if codec is None:
            return {}
        arrays = []
        for known in codec.categories:
            arrays.append(np.empty(len(known), dtype=object))
            arrays[-1][:] = known
        return dict(zip(np.flatnonzero(codec.is_categorical).tolist(), arrays, strict=True))

    def _warn_of_empty_features(self):
        if self._is_kept.all():
            return
        names = check_feature_names_in(self, None)[~self._is_kept].tolist()
        warn_user(
            f"Features without any observed value in fit are dropped: {names}. Set "
            "keep_empty_features=True to keep them.",
            UserWarning,
        )

    # Names ---------------------------------------------------------------------------------

    def get_feature_names_out(self, input_features=None) -> np.ndarray:
        """Get names of the features that ``transform`` returns.

        Parameters
        ----------
        input_features : array-like of shape (n_features,), default=None
            Names of the input features. None for ``feature_names_in_`` if it is defined, else
            ``["x0", "x1", ...]``.

        Returns
        -------
        names : ndarray of shape (n_features_out,), str objects
            Names of the input features, then those of the missing indicators.
        """
        check_is_fitted(self)
        names = check_feature_names_in(self, input_features)
        kept = names[self._is_kept]
        if not self.add_indicator:
            return kept
        return np.concatenate([kept, _names_of_indicators(names, self._has_gaps)])

    def __sklearn_tags__(self):
        """Missing values are allowed if NaN marks them; sparse matrices are not."""
        tags = super().__sklearn_tags__()
        tags.input_tags.sparse = False
        tags.input_tags.categorical = True
        tags.input_tags.allow_nan = is_missing(self.missing_values)
        tags.transformer_tags.preserves_dtype = ["float64", "float32"]
        return tags


def _names_of_indicators(names, has_gaps):
    return np.array([f"missingindicator_{name}" for name in names[has_gaps]], dtype=object)


def _check_indicators(names, indicators):
    """Raise ``ValueError`` for an indicator with the name of a feature."""
    taken = sorted(set(names).intersection(indicators))
    if taken:
        raise ValueError(
            f"Indicators must have names that no feature has; got a feature {taken[0]!r}. Rename "
            "this column of X, or set add_indicator=False."
        )


def _as_table(X):
    """Dataframe, or two-dimensional array from any other input."""
    if not hasattr(X, "shape"):
        # strings beside numbers in a list would turn these into strings
        array = np.asarray(X)
        X = array if array.dtype.kind in "biuf" else np.asarray(X, dtype=object)
    if len(X.shape) != 2:
        raise ValueError(f"X must have two dimensions. Expected 2D array, got shape {X.shape}.")
    return X


def _columns_with_gaps(codes, weight, is_categorical):
    """Masks of the columns with a gap, and with nothing else, in samples of positive weight."""
    has_gaps, is_empty = np.zeros(codes.shape[1], dtype=bool), np.ones(codes.shape[1], dtype=bool)
    for rows, is_gap in find_gaps(codes, is_categorical):
        kept = slice(None) if weight is None else weight[rows] > 0
        has_gaps |= is_gap[kept].any(axis=0)
        is_empty &= is_gap[kept].all(axis=0)
    return has_gaps, is_empty
