"""Generating samples, and oversampling classes with them."""

import copy
from abc import abstractmethod
from collections.abc import Callable, Mapping
from numbers import Real
from typing import Any, Self

import numpy as np
from sklearn.base import OneToOneFeatureMixin
from sklearn.utils import check_consistent_length
from sklearn.utils.validation import check_is_fitted, column_or_1d

from skdeep.utils._append import append_labels, append_rows
from skdeep.utils._imblearn import as_sampler_tags, resampling_plan
from skdeep.utils._labels import check_labels, encode_labels, match_classes
from skdeep.utils._params import Parameters, param
from skdeep.utils._random import numpy_generator
from skdeep.utils._settings import own_settings
from skdeep.utils._sklearn import Interval, StrOptions, fit_context, safe_indexing, with_callbacks
from skdeep.utils._validation import check_n_samples, check_weights, in_memory

# Distinguishes the draws of fit_resample from others of the same seed.
_RESAMPLING = 1


class SamplingMixin(Parameters, OneToOneFeatureMixin):
    """``sample`` like a density estimator, ``fit_resample`` like imbalanced-learn."""

    sampling_strategy: float | str | dict | Callable = param(
        Interval(Real, 0, 1, closed="right"),
        StrOptions({"all", "auto", "minority", "not majority", "not minority"}),
        Mapping,
        callable,
        default="auto",
        kw_only=False,
    )

    _estimator_type = "sampler"

    @abstractmethod
    def _draw(self, codes, n_samples, rng):
        """Draw samples, of the classes with these codes if there are classes."""

    @abstractmethod
    def _as_given(self, rows):
        """Drawn samples as ``sample`` returns them."""

    @with_callbacks
    @fit_context(prefer_skip_nested_validation=True)
    @own_settings()
    def fit(self, X, y=None, sample_weight=None) -> Self:
        """Train generator and critic.

        Parameters
        ----------
        X : {array-like, sparse matrix, dataframe} of shape (n_samples, n_features)
            Training samples.
        y : array-like of shape (n_samples,), default=None
            Class of each sample. If given, samples are generated conditional on their class.
        sample_weight : array-like of shape (n_samples,), default=None
            Sample weights: each sample is drawn in proportion to its weight during training.
            Samples with a weight of zero are ignored.

        Returns
        -------
        self : object
            The fitted estimator.
        """
        if self.warm_start and hasattr(self, "net_") and (y is None) == hasattr(self, "classes_"):
            raise ValueError(
                "y must be given in a warm start exactly if it was given in the first fit. Fit a "
                "clone instead."
            )
        return self._fit(X, y, sample_weight)

    @own_settings()
    def sample(self, n_samples=1, y=None, random_state=None) -> Any:
        """Generate random samples.

        Parameters
        ----------
        n_samples : int, default=1
            Number of samples to generate.
        y : array-like of shape (n_samples,) or a label, default=None
            Classes of the samples, if the generator was fitted with classes. None draws classes
            with the frequencies that they have in the training data.
        random_state : int, RandomState instance or None, default=None
            Determines random number generation. Pass an int for reproducible results across
            multiple function calls.

        Returns
        -------
        X : {ndarray, dataframe} of shape (n_samples, n_features)
            Generated samples.
        y : ndarray of shape (n_samples,)
            Their classes. Only returned if the generator was fitted with classes.
        """
        check_is_fitted(self)
        check_n_samples(n_samples)
        rng = numpy_generator(random_state)
        codes = self._codes_to_draw(n_samples, y, rng)
        rows = self._as_given(self._draw(codes, n_samples, rng))
        return rows if codes is None else (rows, self.classes_[codes])

    def _encode_classes(self, y, X, *, reset):
        """Codes of the classes and fitted attributes; None and an empty dict without classes."""
        if y is None:
            return None, {}
        labels, codes = encode_labels(y, X)
        if codes.ndim == 2:
            raise ValueError("y must be one label per sample; got one column per label.")
        if reset:
            return codes, {"classes_": labels}
        return match_classes(labels, codes, self.classes_), {"classes_": self.classes_}

    def _record(self, fit):
        record = super()._record(fit)
        if "classes_" in fit.data.attributes:
            n_classes = len(fit.data.attributes["classes_"])
            mass = np.bincount(fit.data.y[:, -1], fit.data.weight, minlength=n_classes)
            record["class_shares_"] = mass / mass.sum()
        return record

    def _codes_to_draw(self, n_samples, y, rng):
        """Codes of the classes to draw, None without classes."""
        if not hasattr(self, "classes_"):
            if y is not None:
                raise ValueError(
                    "y must be None for a generator that was fitted without classes; got "
                    f"{y!r}. Fit with y to generate samples of given classes."
                )
            return None
        if y is None:
            return rng.choice(len(self.classes_), size=n_samples, p=self.class_shares_)
        labels = np.full(n_samples, y) if np.ndim(y) == 0 else column_or_1d(y)
        if len(labels) != n_samples:
            raise ValueError(
                f"y must be one label or n_samples labels; got {len(labels)} and {n_samples=}."
            )
        return self._codes_of(labels)

    def _codes_of(self, y):
        """Codes of classes seen during ``fit``."""
        remedy = "Choose among these, or fit on samples of the other classes."
        places = {}  # unlike np.unique, this takes labels of several types
        codes = [places.setdefault(label, len(places)) for label in y.tolist()]
        return match_classes(np.array([*places], dtype=object), codes, self.classes_, remedy)

    @fit_context(prefer_skip_nested_validation=True)
    @own_settings()
    def fit_resample(self, X, y) -> tuple[Any, Any]:
        """Fit the nets and resample the dataset with generated samples.

        Requires imbalanced-learn.

        Parameters
        ----------
        X : {array-like, sparse matrix, dataframe} of shape (n_samples, n_features)
            Samples.
        y : array-like of shape (n_samples,)
            Class of each sample.

        Returns
        -------
        X_resampled : {array-like, sparse matrix, dataframe} of shape (n_new_samples, n_features)
            The given samples in their order, followed by the generated ones. Container and dtypes
            are those of ``X``.
        y_resampled : array-like of shape (n_new_samples,)
            Class of each sample.
        """
        X, y = in_memory(X), in_memory(y)
        check_labels(y)
        plan, labels, is_one_vs_all = resampling_plan(self.sampling_strategy, y)
        self.fit(X, labels)
        self.sampling_strategy_ = plan
        rng = np.random.default_rng((self._seed, _RESAMPLING))
        new_labels = np.repeat(list(plan), list(plan.values())).astype(labels.dtype, copy=False)
        if not len(new_labels):
            return copy.copy(X), copy.copy(y)
        codes = self._codes_of(new_labels)
        X_new = self._draw(codes, len(codes), rng)
        labels = np.concatenate([labels, new_labels])
        if is_one_vs_all:
            labels = np.eye(np.shape(y)[1], dtype=int)[labels]
        return append_rows(X, self._as_given(X_new)), append_labels(y, labels)

    def __sklearn_tags__(self):
        """Tags of a sampler, as imbalanced-learn requires them."""
        return as_sampler_tags(super().__sklearn_tags__())


def drop_weightless(X, y, sample_weight):
    """Drop samples of weight zero, so that they add neither classes nor categories."""
    if sample_weight is None:
        return X, y, None
    weight = check_weights(sample_weight, X)
    kept = np.flatnonzero(weight)
    if len(kept) == len(weight):
        return X, y, sample_weight
    check_consistent_length(X, y)
    return safe_indexing(X, kept), None if y is None else safe_indexing(y, kept), weight[kept]
