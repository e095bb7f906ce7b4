"""Held-out samples for validation."""

import math

import numpy as np
import torch

__all__ = ["GivenSplit", "hold_out"]


def hold_out(kept, fraction, generator, strata=None):
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


class GivenSplit:
    """skorch's ``train_split`` for samples that were held out before.

    Parameters
    ----------
    valid_rows : TensorRows or StreamedRows
    """

    def __init__(self, valid_rows):
        self.valid_rows = valid_rows

    def __call__(self, rows, y=None, **fit_params):
        return rows, self.valid_rows
