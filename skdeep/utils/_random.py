"""From scikit-learn's ``random_state`` to independent local generators.

Nothing here reads or writes a global random state: neither Python's, nor NumPy's, nor torch's.
"""

import numpy as np
import torch

__all__ = ["STREAMS", "draw_seed", "make_generator", "make_streams", "numpy_generator"]

#: What training draws at random. Each stream has its own generator, so that a change in how often
#: one is read (a larger net, another noise) leaves the others as they were.
STREAMS = ("weights", "split", "shuffle", "dropout", "noise")


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
    return int(random_state)


def make_generator(seed, device="cpu"):
    """Local torch generator on ``device``, seeded with ``seed``, an int or a sequence of ints."""
    state = np.random.SeedSequence(seed).generate_state(1, np.uint64)[0]
    return torch.Generator(device=device).manual_seed(int(state >> np.uint64(1)))


def make_streams(seed, device="cpu"):
    """One independent generator for each kind of draw that training makes.

    Weights, split and shuffle are drawn on the CPU, so that they are the same on every device;
    dropout and noise are drawn where the data are.

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
