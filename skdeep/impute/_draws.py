"""Random draws of missing entries, given the observed ones and those drawn before."""

import numpy as np
from scipy.special import ndtr, softmax

from skdeep.utils._random import row_noise

# Columns are drawn in at most this many parts, each given the earlier ones.
_MOST_PARTS = 16


def draw_entries(codes, is_missing, scaler, predict, seed):
    """Draw the missing entries of samples.

    The columns are drawn in a random order. The draws depend on the seed and the content of a
    sample, not on its position; equal samples get different draws.

    Parameters
    ----------
    codes : ndarray of shape (n_samples, n_features)
        NaN for missing numbers, 0 for missing categories.
    is_missing : ndarray of bool of shape (n_samples, n_features)
    scaler : GapScaler
    predict : callable
        ``predict(codes)`` returns what ``ImputerNet.distribution`` predicts.
    seed : int

    Returns
    -------
    values : ndarray of shape (n_samples, n_columns), float64
        Numbers and codes of the columns of the scaler; meaningless for observed entries.
    """
    codes, columns = codes.astype(np.float64), scaler.columns
    noise = _noise(scaler.to_tensor(codes).numpy(), len(columns), seed)
    order = np.random.default_rng(seed).permutation(len(columns))
    values = np.zeros((len(codes), len(columns)))
    for places in np.array_split(order, min(_MOST_PARTS, len(columns))):
        rows = np.flatnonzero(is_missing[:, columns[places]].any(axis=1))
        if not len(rows):
            continue
        drawn = _draw(predict(codes[rows]), noise[rows], scaler)
        for place in places:
            is_new = is_missing[rows, columns[place]]
            new = rows[is_new]
            values[new, place] = codes[new, columns[place]] = drawn[is_new, place]
    return values


def _noise(rows, n_columns, seed):
    """Draw standard normal noise, (n_rows, n_columns)."""
    _, group = np.unique(rows, axis=0, return_inverse=True)
    order = np.argsort(group, kind="stable")
    starts = np.flatnonzero(np.diff(group[order], prepend=-1))
    repetition = np.empty(len(rows))
    sizes = np.diff(starts, append=len(rows))
    repetition[order] = np.arange(len(rows)) - np.repeat(starts, sizes)
    return row_noise(np.column_stack([rows, repetition]), 1, n_columns, seed)[0].astype(np.float64)


def _draw(prediction, noise, scaler):
    """Draw every entry from its predicted distribution, (n_samples, n_columns)."""
    n_numeric = len(scaler.numeric)
    mean, log_scale, logits = np.split(
        prediction.astype(np.float64), [n_numeric, 2 * n_numeric], axis=1
    )
    drawn = np.empty(noise.shape)
    drawn[:, :n_numeric] = mean + np.exp(log_scale) * noise[:, :n_numeric]
    parts = np.split(logits, np.cumsum(scaler.cardinalities)[:-1], axis=1)
    for place, part in enumerate(parts[: len(scaler.categorical)], start=n_numeric):
        reached = np.cumsum(softmax(part, axis=1), axis=1)[:, :-1]
        drawn[:, place] = 1 + (ndtr(noise[:, place, np.newaxis]) > reached).sum(axis=1)
    return scaler.inverse(drawn)


def most_frequent(codes):
    """Most frequent code of each entry over draws, (n_draws, ...) -> (...)."""
    counts = (codes[:, np.newaxis] == codes[np.newaxis]).sum(axis=0)  # (n_draws, ...)
    return np.take_along_axis(codes, counts.argmax(axis=0)[np.newaxis], axis=0)[0]
