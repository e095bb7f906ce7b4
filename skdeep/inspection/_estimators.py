"""Estimators as the displays take them: one or several, and pipelines."""

from collections.abc import Mapping, Sequence

from sklearn.pipeline import Pipeline


def by_name(estimators):
    """Return a dict of estimators by name: a given one, or named after their classes.

    Parameters
    ----------
    estimators : estimator, sequence of estimators, or dict of str to estimator
    """
    if isinstance(estimators, Mapping):
        named = dict(estimators)
    elif isinstance(estimators, Sequence) and not isinstance(estimators, Pipeline):
        numbers = range(1, len(estimators) + 1)
        named = {
            f"{type(split_pipeline(one)[1]).__name__} {number}": one
            for number, one in zip(numbers, estimators, strict=True)
        }
    else:
        named = {type(split_pipeline(estimators)[1]).__name__: estimators}
    if not named:
        raise ValueError("estimator must be one or more estimators; got none.")
    return named


def split_pipeline(estimator):
    """Return a function that applies all steps but the last one, and the last step."""
    if not isinstance(estimator, Pipeline):
        return _unchanged, estimator
    first_steps = estimator[:-1]
    return first_steps.transform if len(first_steps) else _unchanged, estimator[-1]


def _unchanged(X):
    return X
