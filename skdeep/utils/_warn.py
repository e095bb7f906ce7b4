"""Warnings that point to the line in the user's code."""

import sys
import warnings

# contextlib runs decorated functions
_LIBRARIES = {"contextlib", "imblearn", "joblib", "skdeep", "sklearn", "skorch", "torch"}


def warn_user(message, category):
    """Warn at the line of the user's code that called the library.

    Parameters
    ----------
    message : str
    category : type
    """
    frame, level = sys._getframe(1), 2
    while frame.f_back and frame.f_globals["__name__"].partition(".")[0] in _LIBRARIES:
        frame, level = frame.f_back, level + 1
    warnings.warn(message, category, stacklevel=level)
