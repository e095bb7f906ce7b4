"""Validation of the parameters of a self-organizing map."""

from numbers import Integral, Real

import numpy as np

from skdeep.cluster._map_training import Schedule


def check_shape(shape):
    """Return the numbers of rows and columns.

    Raises
    ------
    ValueError
        If they are not two positive integers.
    """
    sides = tuple(shape)
    if len(sides) != 2 or not all(_is_positive_integer(side) for side in sides):
        raise ValueError(
            "shape must be 'auto' or two positive integers, the numbers of rows and columns; "
            f"got {shape!r}. For units on a line, use (1, n_units)."
        )
    return int(sides[0]), int(sides[1])


def _is_positive_integer(side):
    return isinstance(side, Integral) and not isinstance(side, bool) and side > 0


def check_grid(shape, *, topology, periodic, n_clusters):
    """Raise ``ValueError`` if a shape does not fit other parameters."""
    if periodic and topology == "hexagonal" and shape[0] % 2 and shape[0] > 1:
        raise ValueError(
            "shape must have an even number of rows for topology='hexagonal' with periodic=True, "
            f"so that the first row fits the last one; got {shape[0]} rows."
        )
    if n_clusters is not None and n_clusters > shape[0] * shape[1]:
        raise ValueError(
            f"n_clusters must be <= the number of units; got {n_clusters=} and shape={shape} with "
            f"{shape[0] * shape[1]} units. Lower n_clusters or choose a larger shape."
        )


def make_schedule(name, value, *, decay, high=np.inf):
    """Make the schedule of a parameter that is a number or a pair of numbers.

    Raises
    ------
    ValueError
        If they are not positive and finite, or exceed ``high``. Only the final value may be zero,
        if it is reached linearly.
    """
    pair = (value, value) if isinstance(value, Real) else tuple(value)
    is_pair = len(pair) == 2 and all(_is_between_zero_and(high, one) for one in pair)
    may_end_at_zero = decay == "linear" and name != "radius"
    if not is_pair or not pair[0] or not (pair[1] or may_end_at_zero):
        limit = "" if high == np.inf else f", at most {high}"
        raise ValueError(
            f"{name} must be a positive number, or the first and the final one{limit}; "
            f"got {value!r} with {decay=}."
        )
    return Schedule(float(pair[0]), float(pair[1]), decay)


def _is_between_zero_and(high, number):
    return isinstance(number, Real) and 0 <= number <= high and number < np.inf
