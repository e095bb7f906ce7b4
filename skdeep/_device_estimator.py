"""Base class of all estimators that run on a device."""

import os
from collections.abc import Sequence

import numpy as np
import torch
from sklearn.base import BaseEstimator
from sklearn.callback import CallbackSupportMixin

from skdeep._training._state import plain_attributes
from skdeep.utils._docs import DocumentationLinkMixin
from skdeep.utils._params import POSITIVE_INTEGER, Parameters, param

__all__: list[str] = []


class DeviceEstimator(DocumentationLinkMixin, CallbackSupportMixin, Parameters, BaseEstimator):
    """Base class of all estimators that run on a device, with or without a net."""

    checkpoint: str | os.PathLike | None = param(str, os.PathLike, None, default=None)
    checkpoint_every: int = param(POSITIVE_INTEGER, default=5)
    device: str | torch.device | Sequence[str | torch.device] = param(
        str, torch.device, list, tuple, default="auto"
    )
    random_state: int | np.random.RandomState | None = param(
        "random_state", default=None, lifted=True
    )
    verbose: int = param("verbose", default=0)

    def __getstate__(self):
        """Return the attributes, with objects of other libraries as plain values."""
        return plain_attributes(dict(super().__getstate__()), self._get_param_names())

    def __sklearn_tags__(self):
        """Sparse samples are read batch by batch."""
        tags = super().__sklearn_tags__()
        tags.input_tags.sparse = True
        return tags
