"""From scikit-learn's ``random_state`` to independent local generators.

Nothing here reads or writes a global random state: neither Python's, nor NumPy's, nor torch's.
"""

from numbers import Integral

import numpy as np
import torch
from scipy.special import ndtri

__all__ = ["STREAMS", "draw_seed", "make_generator", "make_streams", "numpy_generator", "row_noise"]

#: What training draws at random. Each stream has its own generator, so that a change in how often
#: one is read (a larger net, another noise) leaves the others as they were.
STREAMS = ("weights", "shuffle", "dropout", "noise")


def draw_seed(random_state):
    """One integer seed from scikit-learn's ``random_state``.

    Parameters
    ----------
    random_state : int, numpy.random.RandomState or None
        An int is taken as it is, a ``RandomState`` is advanced by one draw, and None asks the
        operating system.

    Returns
    -------
    seed : int
    """
    if random_state is None:
        return int(np.random.SeedSequence().generate_state(1, np.uint64)[0])
    if isinstance(random_state, np.random.RandomState):
        return int(random_state.randint(np.iinfo(np.int64).max, dtype=np.int64))
    if not isinstance(random_state, Integral) or random_state < 0:
        raise ValueError(
            "random_state must be an int of at least 0, a numpy.random.RandomState or None; "
            f"got {random_state!r}."
        )
    return int(random_state)


def make_generator(seed, device="cpu"):
    """Local torch generator on ``device``, seeded with ``seed``, an int or a sequence of ints."""
    state = np.random.SeedSequence(seed).generate_state(1, np.uint64)[0]
    return torch.Generator(device=device).manual_seed(int(state >> np.uint64(1)))


def make_streams(seed, device="cpu"):
    """One independent generator for each kind of draw that training makes.

    Weights and shuffle are drawn on the CPU, so that they are the same on every device; dropout
    and noise are drawn where the data are.

    Returns
    -------
    streams : dict of str to torch.Generator, keys as in ``STREAMS``
    """
    places = {"dropout": device, "noise": device}
    return {
        name: make_generator((seed, number), places.get(name, "cpu"))
        for number, name in enumerate(STREAMS)
    }


def numpy_generator(random_state):
    """NumPy's generator from scikit-learn's ``random_state``; None asks the operating system."""
    return np.random.default_rng(draw_seed(random_state))


def row_noise(rows, n_draws, n_columns, seed):
    """Draw standard normal noise that belongs to a row's content, not to its place.

    Rows that are equal to three decimals get equal draws in any company and order, others
    independent draws: the rounded row is hashed and splitmix64 [1]_ counts on from there, in
    integer arithmetic that wraps around and is therefore exact.

    Parameters
    ----------
    rows : ndarray of shape (n_rows, n_features)
    n_draws, n_columns : int
    seed : int

    Returns
    -------
    noise : ndarray of shape (n_draws, n_rows, n_columns), float32

    References
    ----------
    .. [1] Steele, Lea and Flood (2014), "Fast Splittable Pseudorandom Number Generators", OOPSLA.
    """
    # rounded, so that rows which differ in their last digits, by dtype say, share their draws
    bits = np.rint(np.clip(1024 * rows.astype(np.float64), -(2.0**62), 2.0**62))
    bits = bits.astype(np.int64).view(np.uint64)
    keys = np.random.default_rng(seed).integers(2**63, size=rows.shape[1], dtype=np.uint64)
    start = _mix((bits * (2 * keys + 1)).sum(axis=1))
    steps = np.arange(1, n_draws * n_columns + 1, dtype=np.uint64) * np.uint64(0x9E3779B97F4A7C15)
    # the upper 53 bits as a number inside (0, 1)
    uniform = ((_mix(start + steps[:, np.newaxis]) >> np.uint64(11)) + 0.5) * 2.0**-53
    noise = ndtri(uniform).reshape(n_draws, n_columns, len(rows)).transpose(0, 2, 1)
    return np.ascontiguousarray(noise, dtype=np.float32)


def _mix(x):
    """Finaliser of splitmix64, uint64 -> uint64."""
    x = (x ^ (x >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    x = (x ^ (x >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return x ^ (x >> np.uint64(31))
