"""Validation, splitting and scaling of data, shared between fits."""

import copy
import math
import pickle
import weakref
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch

from skdeep._fitted_attributes import SET_BY_VALIDATION
from skdeep._training._data import make_rows
from skdeep.utils._random import STREAMS, make_generator
from skdeep.utils._validation import in_memory

# Distinguishes the draws of the held-out samples from those of training, see ``make_streams``.
_SPLIT = len(STREAMS)


@dataclass
class Data:
    """Validated samples.

    Attributes
    ----------
    X : ndarray or CSR matrix of shape (n_samples, n_features)
    y : ndarray of shape (n_samples, ...) or None
        Targets; None if the target is the sample itself.
    weight : ndarray of shape (n_samples,) or None
        Weight of each sample in the loss; zero for samples that are not trained on.
    strata : ndarray of int, shape (n_samples,), or None
        Stratum of each sample for a stratified held-out set.
    attributes : dict
        Fitted attributes that describe the data, such as ``classes_``.
    """

    X: Any
    y: Any = None
    weight: Any = None
    strata: Any = None
    attributes: dict[str, Any] = field(default_factory=dict)


def validate(estimator, given, *, reset, **options):
    """Validate X, y and sample_weight with an estimator; return ``Data``."""
    X, y, sample_weight = given
    return estimator._check(in_memory(X), in_memory(y), sample_weight, reset=reset, **options)


def split(data, fraction, seed):
    """Split data into samples to train on and held-out ones.

    Samples of weight zero are left out of both.

    Parameters
    ----------
    data : Data
    fraction : float or None
        Fraction to hold out; None for none.
    seed : int

    Returns
    -------
    train : ndarray of int
        Indices.
    valid : ndarray of int or None
    weight : ndarray of shape (n_samples,) or None
        Weights of all samples, zero for those that are not trained on; None if all weights are one.
    """
    n_samples, weight = data.X.shape[0], data.weight
    train, valid = np.arange(n_samples) if weight is None else np.flatnonzero(weight), None
    if fraction is not None:
        # a function of the seed: a warm start must not train on previously held-out samples
        generator = make_generator((seed, _SPLIT))
        strata = None if data.strata is None else data.strata[train]
        train, valid = _hold_out(train, fraction, generator, strata)
    if weight is None and len(train) == n_samples:
        return train, valid, None
    train_weight = np.zeros(n_samples)
    train_weight[train] = 1.0 if weight is None else weight[train]
    return train, valid, train_weight


def _hold_out(kept, fraction, generator, strata=None):
    """Choose samples to train on and samples to hold out.

    Parameters
    ----------
    kept : ndarray of int
        Indices of the samples to split.
    fraction : float
        Fraction of them to hold out, rounded up.
    generator : torch.Generator
    strata : ndarray of int, one per index in ``kept``, or None
        Strata whose fractions are the same in both parts. If there are enough samples, at least
        one of each stratum is left to train on.

    Returns
    -------
    train, valid : ndarray of int
        Indices, ascending.

    Raises
    ------
    ValueError
        If no sample would be left to train on.
    """
    n_valid = math.ceil(fraction * len(kept))
    if n_valid >= len(kept):
        raise ValueError(
            f"validation_fraction must leave at least one sample to train on; got {fraction} "
            f"of n_samples={len(kept)}. Lower it, or set early_stopping=False."
        )
    order = torch.randperm(len(kept), generator=generator).numpy()
    if strata is not None:
        order = _spread(order, strata, n_valid, generator)
    return np.sort(kept[order[n_valid:]]), np.sort(kept[order[:n_valid]])


def _spread(order, strata, n_valid, generator):
    """Return an order of the samples whose first ``n_valid`` ones are stratified."""
    _, first = np.unique(strata[order], return_index=True)
    can_stay = len(order) - len(first) >= n_valid  # one of each stratum to train on
    candidates = np.delete(order, first) if can_stay else order
    candidates = candidates[np.argsort(strata[candidates], kind="stable")]
    start = torch.rand((), generator=generator, dtype=torch.float64).item()
    steps = (np.arange(n_valid) + start) * (len(candidates) / n_valid)
    chosen = candidates[np.minimum(steps.astype(int), len(candidates) - 1)]
    return np.concatenate([chosen, np.setdiff1d(order, chosen)])


@dataclass(eq=False)
class DataPool:
    """Validates and scales data, once for all fits that would get the same.

    What depends on a seed is kept only as long as a fit uses it.
    """

    _known: dict = field(default_factory=dict)
    _seeded: weakref.WeakValueDictionary = field(default_factory=weakref.WeakValueDictionary)

    def _find(self, key, make, *, is_seeded=False):
        known = self._seeded if is_seeded else self._known
        found = known.get(key)
        if found is None:
            found = known[key] = make()
        return found

    def validate(self, estimator, given, options):
        """Return the validated data of a fit from scratch; ``Data``.

        Parameters
        ----------
        estimator : DeepEstimator
        given : tuple
            X, y and sample_weight as passed by the user.
        options : dict
            Further arguments of the estimator's ``_check``.
        """

        def check():
            data = validate(estimator, given, reset=True, **options)
            return data, {name: state[name] for name in SET_BY_VALIDATION if name in state}

        state = vars(estimator)
        key = "data", *map(id, given), _data_parameters(estimator), pickle.dumps(options)
        data, found = self._find(key, check)
        state.update(found)
        return data

    def fit_scaler(self, estimator, data, part, seed):
        """Return the scaler fitted on a part of the data; ``Scaler``.

        Parameters
        ----------
        estimator : DeepEstimator
        data : Data
        part : tuple
            Result of ``validate``, and the parameters that determine which samples have nonzero
            weight.
        seed : int
            Only used by scalers that draw random numbers.
        """
        key = "scaler", id(part[0]), *part[1:], _data_parameters(estimator)
        found = self._known.get(key, self._seeded.get((*key, seed)))
        if found is not None:
            return found
        rng = np.random.default_rng(seed)
        before = rng.bit_generator.state
        scaler = estimator._fit_scaler(data, rng)
        is_seeded = len(part) > 1 or rng.bit_generator.state != before
        if is_seeded:
            self._seeded[*key, seed] = scaler
        else:
            self._known[key] = scaler
        return scaler

    def make_rows(self, data, train, valid, part, *, batch_size, **options):
        """Make samples ready for the net, see the function ``make_rows``.

        Parameters
        ----------
        data : Data
        train, valid : ndarray of int
            Indices of the samples to train on and of held-out ones; None if there are none.
        part : tuple
            Parameters that determine the indices.
        batch_size : int
            Maximum number of samples in a batch.
        **options
            ``scaler`` and ``device``.

        Returns
        -------
        rows : tuple of TensorRows or StreamedRows
            To train on and held out; None if there are none.
        n_train_batches : int
            Number of batches of an epoch of training. It is as large as without held-out samples,
            if that many are left, so that the best number of epochs can be used to train on all.
        """
        n_samples = len(train) + (0 if valid is None else len(valid))
        n_batches = min(-(-n_samples // batch_size), len(train))
        train_size = -(-len(train) // n_batches)
        rows = self._make_rows(data, train, ("train", *part), batch_size=train_size, **options)
        held_out = None
        if valid is not None:
            held_out = self._make_rows(
                data, valid, ("valid", *part), batch_size=batch_size, **options
            )
        return (rows, held_out), n_batches

    def _make_rows(self, data, index, part, *, scaler, **options):
        index = None if len(index) == data.X.shape[0] else index

        def make():
            rows = make_rows(data.X, data.y, data.weight, index=index, scaler=scaler, **options)
            rows.origin = data, scaler  # kept, so that their ids stay theirs
            return rows

        key = "rows", id(data), id(scaler), *part, *options.values()
        is_seeded = len(part) > 1 or scaler not in self._known.values()
        rows = self._find(key, make, is_seeded=is_seeded)
        own = copy.copy(rows)  # it may get targets of its own
        own.origin = rows
        return own


def _data_parameters(estimator):
    """Return the class and the parameters on which the data depends, as a hashable key."""
    values = [getattr(estimator, name) for name in estimator._data_parameters]
    try:
        return type(estimator), pickle.dumps(values)
    except (AttributeError, TypeError, pickle.PicklingError):  # a lambda, say
        return type(estimator), *map(id, values)
