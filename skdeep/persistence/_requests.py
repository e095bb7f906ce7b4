"""Metadata requests in a form that skops can save."""

import contextlib
import functools
from types import MethodType, ModuleType

import numpy as np

from skdeep.utils._sklearn import MetadataRequest, MethodMetadataRequest


@contextlib.contextmanager
def named_owners(estimator):
    """Context manager in which metadata requests hold the names of their owners.

    A request refers to the estimator that has it, for error messages only, and skops cannot save
    what contains itself.
    """
    requests = list(_find_requests(estimator, set()))
    owners = [request.owner for request in requests]
    try:
        for request, owner in zip(requests, owners, strict=True):
            request.owner = owner if isinstance(owner, str) else type(owner).__name__
        yield
    finally:
        for request, owner in zip(requests, owners, strict=True):
            request.owner = owner


def _find_requests(value, seen):
    """Find all requests in an object."""
    is_leaf = isinstance(value, str | bytes | int | float | type | ModuleType)
    if is_leaf or id(value) in seen:
        return
    seen.add(id(value))
    if isinstance(value, MetadataRequest | MethodMetadataRequest):
        yield value
    for part in _parts(value):
        yield from _find_requests(part, seen)


def _parts(value):
    """Return the objects that an object consists of, as far as skops saves them."""
    if isinstance(value, np.ndarray):
        return value.ravel().tolist() if value.dtype.hasobject else []
    if isinstance(value, MethodType):
        return [value.__self__]
    if isinstance(value, functools.partial):
        return [value.func, *value.args, *value.keywords.values(), *vars(value).values()]
    if isinstance(value, list | tuple | set | frozenset):
        return list(value)
    return list((value if isinstance(value, dict) else getattr(value, "__dict__", {})).values())
