"""Files of fitted estimators that are safe to load."""

from skdeep.persistence._files import load, save

__all__ = ["load", "save"]
