"""Fitted attributes of an estimator while a fit is in progress, and at its end."""

import contextlib
import copy

#: Fitted attributes that scikit-learn's validation sets while a fit is still in progress.
SET_BY_VALIDATION = ("n_features_in_", "feature_names_in_")


def _fitted_names(estimator):
    """Names of the public fitted attributes that an estimator has."""
    parameters = estimator.get_params(deep=False)
    names = (one for one in vars(estimator) if one.endswith("_") and not one.startswith("_"))
    return [name for name in names if name not in parameters]


@contextlib.contextmanager
def unchanged_on_failure(estimator, is_resumed):
    """Context manager that restores the state of an estimator after an error.

    Parameters
    ----------
    estimator : DeepEstimator
    is_resumed : bool
        Whether the fit continues from the fitted state, which is hidden from callbacks otherwise.
    """
    state = vars(estimator)
    before = {name: state[name] for name in _fitted_names(estimator)}
    if not is_resumed:
        for name in before:
            del state[name]
    try:
        yield
    except BaseException:
        for name in _fitted_names(estimator):
            del state[name]
        state.update(before)
        raise


def replace_attributes(estimator, attributes):
    """Replace the fitted attributes of an estimator, all at once."""
    state = vars(estimator)
    for name in set(_fitted_names(estimator)).difference(SET_BY_VALIDATION):
        del state[name]
    state.update(attributes)


def detached(estimator, attributes):
    """Return a copy of fitted attributes that further training does not change."""
    fitted = copy.copy(estimator)
    vars(fitted).update(attributes)
    copied = vars(copy.copy(fitted))
    return {name: copied[name] for name in attributes}
