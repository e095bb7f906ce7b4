"""Deep neural networks as scikit-learn estimators."""

import importlib
from typing import TYPE_CHECKING

__version__ = "0.1.0"

if TYPE_CHECKING:
    from skdeep import (
        cluster,
        decomposition,
        ensemble,
        exceptions,
        generative,
        inspection,
        metrics,
        model_selection,
        neural_network,
        persistence,
        semi_supervised,
        utils,
    )
    from skdeep.utils._show_versions import show_versions
else:

    def __getattr__(name):
        """Import a module when it is first used, since most of them import torch."""
        if name == "show_versions":
            return importlib.import_module("skdeep.utils._show_versions").show_versions
        if name in __all__:
            return importlib.import_module(f"skdeep.{name}")
        namespaces = ", ".join(f"skdeep.{one}" for one in __all__ if one != "show_versions")
        raise AttributeError(
            f"module 'skdeep' has no attribute {name!r}; its modules are {namespaces}"
        )


__all__ = [
    "cluster",
    "decomposition",
    "ensemble",
    "exceptions",
    "generative",
    "inspection",
    "metrics",
    "model_selection",
    "neural_network",
    "persistence",
    "semi_supervised",
    "show_versions",
    "utils",
]


def __dir__():
    return ["__version__", *__all__]
