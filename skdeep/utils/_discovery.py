"""Discovery of all public estimators, so that tests cover each of them."""

import importlib
import inspect
import pkgutil

from sklearn.base import BaseEstimator, MetaEstimatorMixin


def all_estimators():
    """List the public estimators of skdeep, without meta-estimators.

    Returns
    -------
    estimators : list of (str, type)
        Name and class of each estimator listed in the ``__all__`` of a public module, sorted by
        name.

    Examples
    --------
    >>> from skdeep.utils import all_estimators
    >>> [name for name, _ in all_estimators()]  # doctest: +ELLIPSIS
    ['Autoencoder', ..., 'GANSampler', ..., 'VariationalAutoencoder']
    """
    estimators = public_estimators()
    return [(name, cls) for name, cls in estimators if not issubclass(cls, MetaEstimatorMixin)]


def public_estimators():
    """List the public estimators of skdeep, including meta-estimators; see ``all_estimators``."""
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
                and hasattr(thing, "fit")
            ):
                found[name] = thing
    return sorted(found.items())
