"""Types that a file may contain."""

import functools
from inspect import isfunction

import scipy.sparse as sp
from sklearn import feature_selection, model_selection
from sklearn.metrics import get_scorer, get_scorer_names
from sklearn.utils import Bunch

from skdeep.utils._discovery import public_estimators
from skdeep.utils._sklearn import MetadataRequest, MethodMetadataRequest, PassthroughScorer

# Types that scorers and estimators contain.
_INTERNAL = PassthroughScorer, MetadataRequest, MethodMetadataRequest


@functools.cache
def trusted_names():
    """Return the trusted names by the kind of skops node in which they may appear.

    They are trusted in addition to those that skops trusts: the estimators of scikit-learn and some
    of its internal types, ufuncs, and types of NumPy.

    Returns
    -------
    names : dict of str to frozenset of str
        Restoring an ``ObjectNode`` does not call the constructor of its class, and a
        ``FunctionNode`` is only looked up.
    """
    scorers = [get_scorer(name) for name in get_scorer_names()]
    selection = [getattr(model_selection, name, None) for name in _names(model_selection)]
    splitters = [
        one
        for one in selection
        if isinstance(one, type) and hasattr(one, "get_n_splits") and hasattr(one, "split")
    ]
    scores = [getattr(feature_selection, name) for name in _names(feature_selection)]
    classes = [cls for _, cls in public_estimators()]
    return {
        "ObjectNode": _paths([*classes, *splitters, *map(type, scorers), *_INTERNAL]),
        "FunctionNode": _paths(
            [*(scorer._score_func for scorer in scorers), *filter(isfunction, scores)]
        ),
        "DictNode": _paths([Bunch]),
        "SparseMatrixNode": _paths(
            getattr(sp, f"{kind}_{suffix}")
            for kind in ("bsr", "coo", "csc", "csr", "dia", "dok", "lil")
            for suffix in ("array", "matrix")
        ),
    }


def _names(module):
    """Public names of a module, except for experimental ones."""
    return [name for name in module.__all__ if not name.startswith("Halving")]


def _paths(things):
    """Full names of classes and functions."""
    return frozenset(path_of(thing) for thing in things)


def path_of(thing):
    """Full name of a class or function, as skops writes it."""
    return f"{thing.__module__}.{thing.__name__}"
