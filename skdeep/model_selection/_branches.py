"""Fitting what comes after fitted steps, and unions some of whose branches are fitted."""

import copy

import joblib
import numpy as np
from scipy.sparse import issparse
from sklearn.base import clone
from sklearn.pipeline import FeatureUnion, Pipeline

from skdeep.base import DeepEstimator
from skdeep.model_selection._structure import branches_of, steps_of
from skdeep.utils._sklearn import consumed_params, params_of_part


def fit_rest(candidate, node, method, rows, stop=None, own_nets=False):
    """Fit the steps of a candidate that are not fitted yet.

    Parameters
    ----------
    candidate : Candidate
    node : Node
        The steps that are fitted.
    method : {"fit", "fit_transform"}
    rows : callable
        Returns training samples after these steps, targets and metadata, which steps may modify.
    stop : int or None
        Place of the first step that is left out.
    own_nets : bool
        Whether to copy fitted nets of branches, which are shared with other candidates.

    Returns
    -------
    steps : list of (str, estimator)
        The steps fitted here.
    output : array-like or None
        The samples after them; None after ``fit``.
    """
    if node.error is not None:
        raise node.error
    whole = clone(candidate.estimator)
    steps = list(steps_of(whole)[len(node.steps) : stop])
    if not steps:
        return [], rows()[0] if method == "fit_transform" else None
    X, y, params = rows()
    before = _insert_branches(candidate, node, steps[0][1], own_nets) if node.branches else {}
    if isinstance(whole, Pipeline):  # not verbose, as it would count only these steps
        part = Pipeline(steps, memory=whole.memory)
        output = getattr(part, method)(X, y, **params_of_part(part, params))
        steps = part.steps
    else:
        output = getattr(steps[0][1], method)(X, y, **params)
    if before:
        _release_branches(steps[0][1], before)
    return steps, None if method == "fit" else output


def own_steps(steps, own_nets):
    """Copy fitted steps that scoring may change, by drawing from their generators for example.

    Our nets are changed only by scorers of the user.
    """
    return [
        (name, step if isinstance(step, DeepEstimator) and not own_nets else _copy(step))
        for name, step in steps
    ]


def _copy(step):
    """Copy a fitted step; one that cannot be copied, as it has a lock for example, is returned."""
    try:
        return copy.deepcopy(step)
    except Exception:
        return step


def _insert_branches(candidate, node, union, own_nets):
    """Replace the fitted branches of an unfitted union; return the parameters before."""
    place = len(node.steps)
    before = {
        **{name: branches_of(union)[name] for name in node.branches},
        "verbose": union.verbose,
    }
    resumed = {
        name: _ResumedBranch(candidate.branch(place, name), branch, own_nets)
        for name, branch in node.branches.items()
    }
    # not verbose, as it would print the time of what is not fitted here
    union.set_params(**resumed, verbose=False)
    return before


def _release_branches(union, before):
    """Put the fitted branches themselves into a fitted union."""
    if isinstance(union, FeatureUnion):
        union.transformer_list = [(name, _fitted(part)) for name, part in union.transformer_list]
        union.verbose = before["verbose"]
    else:  # its parameters stay unfitted
        union.transformers_ = [(name, _fitted(part), on) for name, part, on in union.transformers_]
        union.set_params(**before)


def _fitted(part):
    return part.fitted if isinstance(part, _ResumedBranch) else part


def is_changed(X, given):
    """Whether a transformer has written into the samples that it was given."""
    if issparse(X):
        return is_changed(X.data, given.data)
    if hasattr(X, "equals"):  # dataframes, whose hash depends on their layout in memory
        return not X.equals(given)
    if isinstance(X, np.ndarray) and X.dtype.kind != "O":
        return not np.array_equal(X, given, equal_nan=X.dtype.kind in "fc")
    return joblib.hash(X) != joblib.hash(given)


class _ResumedBranch:
    """Branch of a union whose fit continues after its last net.

    It is fitted from scratch if it, or a branch before it, writes into the samples of the union.

    Parameters
    ----------
    candidate : Candidate
        The branch.
    node : Node
        Its fitted steps.
    own_nets : bool
        See ``fit_rest``.
    """

    def __init__(self, candidate, node, own_nets):
        self.candidate, self.node, self.own_nets = candidate, node, own_nets

    def fit(self, X, y=None, **params):
        """Fit the steps that are left."""
        self._fit("fit", X, y, params)
        return self

    def fit_transform(self, X, y=None, **params):
        """Fit the steps that are left; the samples after them."""
        return self._fit("fit_transform", X, y, params)

    def transform(self, X, **params):
        """Transform samples by the fitted branch."""
        return self.fitted.transform(X, **params)

    @property
    def get_feature_names_out(self):
        """Method of the fitted branch, if it has one."""
        return self.fitted.get_feature_names_out

    def get_metadata_routing(self):
        """Return the requests of the branch."""
        return self.candidate.estimator.get_metadata_routing()

    def _fit(self, method, X, y, params):
        node = self.node
        if node.error is None and (node.has_written or is_changed(X, node.given[0])):
            self.fitted = clone(self.candidate.estimator)
            return getattr(self.fitted, method)(X, y, **params)

        def rows():
            return X if node.X is None else copy.deepcopy(node.X), y, params

        steps, output = fit_rest(self.candidate, node, method, rows, own_nets=self.own_nets)
        steps = own_steps(node.steps, self.own_nets) + steps
        if isinstance(self.candidate.estimator, Pipeline):
            self.fitted = clone(self.candidate.estimator)
            self.fitted.steps = steps
        else:
            self.fitted = steps[0][1]
        return output

    def __sklearn_clone__(self):
        return self


def arguments_of_branch(union, name, method, X, y, params):
    """Find out what a union or column transformer passes to a branch.

    Parameters
    ----------
    union : FeatureUnion or ColumnTransformer
        Unfitted.
    name : str
    method : {"fit", "fit_transform"}
        Method of the union.
    X, y, params
        Arguments of the method.

    Returns
    -------
    given : tuple or None
        Samples, targets and metadata; None if the branch has no columns and is not fitted.
    method : str or None
        Name of the branch's method.
    """
    union = clone(union)
    others = {other: "drop" for other in branches_of(union) if other != name}
    probe = _Probe(branches_of(union)[name])
    union.set_params(**others, **{name: probe}, n_jobs=1, verbose=False)
    try:
        getattr(union, method)(X, y, **consumed_params(union, params, method))
    except _ReachedError as reached:
        return reached.args
    return None, None


class _ReachedError(Exception):
    """Arguments of the method of a branch, and its name."""


class _Probe:
    """Branch of a union that raises ``_ReachedError`` when it is fitted."""

    def __init__(self, branch):
        self.branch = branch

    def fit(self, X, y=None, **params):
        """Raise what was passed."""
        raise _ReachedError((X, y, params), "fit")

    def fit_transform(self, X, y=None, **params):
        """Raise what was passed."""
        raise _ReachedError((X, y, params), "fit_transform")

    def transform(self, X):
        """Exist, as a union requires it."""

    def get_metadata_routing(self):
        """Return the requests of the branch."""
        return self.branch.get_metadata_routing()

    def __sklearn_clone__(self):
        return self
