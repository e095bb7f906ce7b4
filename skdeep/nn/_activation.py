"""Activation functions by name."""

import functools
from collections.abc import Callable

from torch import nn

from skdeep.nn._elementwise import in_whole_vectors


class _InWholeVectors(nn.Module):
    """Activation whose result for an entry does not depend on its position."""

    def forward(self, x):
        """(...) -> (...)."""
        return in_whole_vectors(super().forward, x)


class ELU(_InWholeVectors, nn.ELU):
    """Exponential linear unit."""


class GELU(_InWholeVectors, nn.GELU):
    """Gaussian error linear unit."""


class SiLU(_InWholeVectors, nn.SiLU):
    """Sigmoid linear unit."""


class Softplus(_InWholeVectors, nn.Softplus):
    """Smooth rectifier, ``log(1 + exp(x))``."""


class Sigmoid(_InWholeVectors, nn.Sigmoid):
    """Logistic function."""


#: Names for hidden layers.
ACTIVATIONS = {
    "identity": nn.Identity,
    "relu": nn.ReLU,
    "leaky_relu": nn.LeakyReLU,
    "elu": ELU,
    "gelu": GELU,
    "silu": SiLU,
    "softplus": Softplus,
    "tanh": nn.Tanh,
    "logistic": Sigmoid,
}

#: Names for the last layer of a decoder.
OUTPUT_ACTIVATIONS: dict[str, Callable[[], nn.Module]] = {
    **{name: ACTIVATIONS[name] for name in ("identity", "logistic", "relu", "softplus", "tanh")},
    "softmax": functools.partial(nn.Softmax, dim=-1),
}
