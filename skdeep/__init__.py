"""Deep nets that behave exactly like scikit-learn estimators."""

import importlib
from typing import TYPE_CHECKING

__version__ = "0.1.0"

__all__ = [
    "decomposition",
    "exceptions",
    "generative",
    "model_selection",
    "neural_network",
    "utils",
]

if TYPE_CHECKING:
    from skdeep import (
        decomposition,
        exceptions,
        generative,
        model_selection,
        neural_network,
        utils,
    )
else:

    def __getattr__(name):
        """Import a namespace when it is first asked for: most of them bring torch."""
        if name in __all__:
            return importlib.import_module(f"skdeep.{name}")
        namespaces = ", ".join(f"skdeep.{namespace}" for namespace in __all__)
        raise AttributeError(
            f"module 'skdeep' has no attribute {name!r}; its namespaces are {namespaces}"
        )


def __dir__():
    return ["__version__", *__all__]
