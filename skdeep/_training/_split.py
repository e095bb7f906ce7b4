"""Which rows are held out of training."""

import math

import numpy as np
import torch

__all__ = ["GivenSplit", "hold_out"]


def hold_out(kept, fraction, generator, strata=None):
    """Choose rows to train on and rows to hold out.

    Parameters
    ----------
    kept : ndarray of int
        Indices of the rows that there are.
    fraction : float
        Share of them to hold out, rounded up.
    generator : torch.Generator
    strata : ndarray of int, one per index in ``kept``, or None
        Each value keeps its share in both parts, and at least one row to train on where there are
        enough rows.

    Returns
    -------
    train, valid : ndarray of int
        Indices, ascending.

    Raises
    ------
    ValueError
        If no row would be left to train on.
    """
    n_valid = math.ceil(fraction * len(kept))
    if n_valid >= len(kept):
        raise ValueError(
            f"validation_fraction must leave a row to train on; got {fraction} "
            f"of n_samples={len(kept)}. Lower it, or set early_stopping=False."
        )
    order = torch.randperm(len(kept), generator=generator).numpy()
    if strata is not None:
        order = _spread(order, strata, n_valid, generator)
    return np.sort(kept[order[n_valid:]]), np.sort(kept[order[:n_valid]])


def _spread(order, strata, n_valid, generator):
    """Order of rows whose first ``n_valid`` ones have a share of each stratum."""
    _, first = np.unique(strata[order], return_index=True)
    can_stay = len(order) - len(first) >= n_valid  # one row of each stratum, to train on
    candidates = np.delete(order, first) if can_stay else order
    candidates = candidates[np.argsort(strata[candidates], kind="stable")]
    start = torch.rand((), generator=generator, dtype=torch.float64).item()
    steps = (np.arange(n_valid) + start) * (len(candidates) / n_valid)
    chosen = candidates[np.minimum(steps.astype(int), len(candidates) - 1)]
    return np.concatenate([chosen, np.setdiff1d(order, chosen)])


class GivenSplit:
    """skorch's ``train_split`` for rows that were held out before.

    Parameters
    ----------
    valid_rows : TensorRows or StreamedRows
    """

    def __init__(self, valid_rows):
        self.valid_rows = valid_rows

    def __call__(self, rows, y=None, **fit_params):
        return rows, self.valid_rows
