"""Places of nets in pipelines, unions and column transformers."""

import itertools

from sklearn.compose import ColumnTransformer
from sklearn.pipeline import FeatureUnion, Pipeline

from skdeep._gradient_descent import OptimizerMixin
from skdeep.base import DeepEstimator
from skdeep.utils._sklearn import has_callbacks, is_valid_composition

#: Parameters of unions and column transformers that do not change what their parts are fitted on.
NEUTRAL = frozenset(
    {"n_jobs", "sparse_threshold", "transformer_weights", "verbose", "verbose_feature_names_out"}
)


def steps_of(estimator):
    """List names and estimators of the steps; a single estimator is one step without a name."""
    return estimator.steps if isinstance(estimator, Pipeline) else [(None, estimator)]


def branches_of(union):
    """Return the transformers of a union or column transformer by name."""
    if isinstance(union, FeatureUnion):
        return dict(union.transformer_list)
    parts = {name: part for name, part, _ in union.transformers}
    return {**parts, "remainder": union.remainder}


def deep_places(estimator):
    """List the places of the steps with nets that may be trained together with others.

    These steps are nets, or unions and column transformers with nets in their branches.
    """
    if _has_callbacks_inside(estimator):
        return []
    if isinstance(estimator, Pipeline) and not _is_understood(estimator):
        return []
    steps = [step for _, step in steps_of(estimator)]
    return [place for place, step in enumerate(steps) if is_net(step) or deep_branches(step)]


def deep_branches(step):
    """List the names of the branches that have nets; none for steps without branches."""
    if not (_has_branches(step) and _is_understood(step)):
        return []
    return [name for name, part in branches_of(step).items() if deep_places(part)]


def nets_in(estimator):
    """List the nets that may be trained together with others."""
    nets = []
    for place in deep_places(estimator):
        _, step = steps_of(estimator)[place]
        if is_net(step):
            nets.append(step)
        else:
            nets += itertools.chain.from_iterable(map(nets_in, branches_of(step).values()))
    return nets


def is_net(step):
    """Whether a step is a net with our ``fit``: a subclass may have another."""
    if not (isinstance(step, OptimizerMixin) and isinstance(step, DeepEstimator)):
        return False
    methods = [getattr(type(step), name, None) for name in ("fit", "fit_transform")]
    homes = {method.__module__.partition(".")[0] for method in methods if method is not None}
    return homes <= {"skdeep", "sklearn"}


def _has_branches(step):
    # a subclass may pass samples on in another way
    return type(step) in (FeatureUnion, ColumnTransformer)


def _is_understood(estimator):
    """Whether a valid composition passes samples on in the usual way."""
    if isinstance(estimator, Pipeline):
        if type(estimator) is not Pipeline or estimator.transform_input is not None:
            return False
    return is_valid_composition(estimator)


def _has_callbacks_inside(estimator):
    """Whether scikit-learn callbacks are attached to an estimator or to one of its parts."""
    parts = []
    if isinstance(estimator, Pipeline) and _is_understood(estimator):
        parts = [step for _, step in estimator.steps]
    elif _has_branches(estimator) and _is_understood(estimator):
        parts = branches_of(estimator).values()
    return has_callbacks(estimator) or any(map(_has_callbacks_inside, parts))
