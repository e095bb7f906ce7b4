"""Independent local random generators from scikit-learn's ``random_state``.

Nothing here reads or changes a global random state, be it Python's, NumPy's or torch's.
"""

from numbers import Integral

import numpy as np
import torch

#: Purposes for which training draws random numbers. Each has its own generator, so that drawing
#: more or fewer numbers for one (a larger net, another noise) does not change the others.
STREAMS = ("weights", "shuffle", "dropout", "noise")


def draw_seed(random_state):
    """Draw an integer seed from scikit-learn's ``random_state``.

    Parameters
    ----------
    random_state : int, numpy.random.RandomState or None
        An int is returned unchanged, a ``RandomState`` is advanced by one draw, and None uses
        entropy from the operating system.

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
            "random_state must be a non-negative int, a numpy.random.RandomState or None; "
            f"got {random_state!r}."
        )
    return int(random_state)


def make_generator(seed, device="cpu"):
    """Make a torch generator on ``device`` from ``seed``, an int or a sequence of ints."""
    state = np.random.SeedSequence(seed).generate_state(1, np.uint64)[0]
    return torch.Generator(device=device).manual_seed(int(state >> np.uint64(1)))


def make_streams(seed, device="cpu"):
    """Make an independent generator for each of ``STREAMS``.

    Initial weights and shuffling are drawn on the CPU, so that they are the same on every device;
    dropout and noise are drawn on the device of the data.

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
    """Make a NumPy generator from scikit-learn's ``random_state``; see ``draw_seed``."""
    return np.random.default_rng(draw_seed(random_state))


def row_noise(rows, n_draws, n_columns, seed):
    """Draw standard normal noise that depends on the content of a row, not on its position.

    Rows that are equal to three decimals get equal draws, all others independent ones. The errors
    of scores thus average out over rows, which they would not if all rows shared the same draws.

    Parameters
    ----------
    rows : ndarray of shape (n_rows, n_features), contiguous
    n_draws, n_columns : int
    seed : int

    Returns
    -------
    noise : ndarray of shape (n_draws, n_rows, n_columns), float32
    """
    # rounded, so that rows that differ in the last digits only (by dtype, say) share their draws
    rounded = np.rint(1024 * rows.astype(np.float64)) + 0.0  # the sum turns -0.0 into 0.0
    noise = np.empty((n_draws, len(rows), n_columns), dtype=np.float32)
    for number, words in enumerate(rounded.view(np.uint32)):
        generator = np.random.default_rng(np.random.SeedSequence(words, spawn_key=(seed,)))
        noise[:, number] = generator.standard_normal((n_draws, n_columns), dtype=np.float32)
    return noise
