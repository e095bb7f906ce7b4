"""Finding every public estimator, so that no test can forget one."""

import importlib
import inspect
import pkgutil

from sklearn.base import BaseEstimator, MetaEstimatorMixin

__all__ = ["all_estimators"]


def all_estimators():
    """List every public estimator of skdeep that can be made without another one.

    Returns
    -------
    estimators : list of (str, type)
        Name and class of each estimator that a public namespace names in ``__all__``, sorted by
        name.

    Examples
    --------
    >>> from skdeep.utils import all_estimators
    >>> [name for name, _ in all_estimators()]  # doctest: +ELLIPSIS
    ['Autoencoder', 'GANFeatureExtractor', 'GANSampler', ..., 'VariationalAutoencoder']
    """
    package = importlib.import_module("skdeep")
    found = {}
    for module_info in pkgutil.iter_modules(package.__path__, "skdeep."):
        if module_info.name.rpartition(".")[2].startswith("_"):
            continue
        module = importlib.import_module(module_info.name)
        for name in getattr(module, "__all__", []):
            thing = getattr(module, name)
            if (
                inspect.isclass(thing)
                and issubclass(thing, BaseEstimator)
                and not inspect.isabstract(thing)
                and not issubclass(thing, MetaEstimatorMixin)
                and hasattr(thing, "fit")
            ):
                found[name] = thing
    return sorted(found.items())
