"""The interface of all scalers, and helpers for them."""

from abc import ABC, abstractmethod
from typing import Any, ClassVar

import numpy as np

_CLASSES: dict[str, type["Scaler"]] = {}


class Scaler(ABC):
    """Brings samples to the float32 tensors that a net reads, and back.

    Each subclass has a ``kind`` of its own. Its attributes are plain values and the arguments of
    its constructor, so that ``scaler_from_state`` can rebuild it.
    """

    #: Name of the class of scaler in ``state``.
    kind: ClassVar[str]
    #: Whether ``fit`` ignores missing numbers and learns what to impute them with.
    ignores_missing: ClassVar[bool] = False
    #: What to impute missing numbers with, (n_features,); only if ``ignores_missing``.
    center: np.ndarray

    def __init_subclass__(cls, *, kind, **kwargs):
        super().__init_subclass__(**kwargs)
        assert kind not in _CLASSES, kind
        cls.kind, _CLASSES[kind] = kind, cls

    @classmethod
    @abstractmethod
    def fit(cls, X, sample_weight=None, *, rng):
        """Learn the scaler from samples; subclasses add options.

        Parameters
        ----------
        X : ndarray or CSR matrix of shape (n_samples, n_features)
        sample_weight : ndarray of shape (n_samples,) or None
            Samples of weight zero are ignored.
        rng : numpy.random.Generator
            Source of randomness; ignored by scalers that need none.
        """

    @property
    @abstractmethod
    def width(self):
        """Number of columns of what ``to_tensor`` returns."""

    @abstractmethod
    def to_tensor(self, X):
        """Scale samples, (n, n_features) array -> (n, width) float32 tensor."""

    @abstractmethod
    def inverse(self, array):
        """Bring scaled samples back to the units of the data.

        (n, width) array -> (n, n_features) array of float64.
        """

    def targets(self, y):
        """Scale targets to the units of the loss; most scalers leave them as they are."""
        return y

    def state(self) -> dict[str, Any]:
        """Plain values from which ``scaler_from_state`` rebuilds the scaler."""
        return {"kind": self.kind, **vars(self)}

    @classmethod
    def _from_state(cls, state):
        return cls(**state)


def scaler_from_state(state):
    """Rebuild a scaler of any class from what its ``state`` returned."""
    state = dict(state)
    return _CLASSES[state.pop("kind")]._from_state(state)
