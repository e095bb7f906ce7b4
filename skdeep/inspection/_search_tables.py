"""Tables of search results as what pictures show of them."""

from dataclasses import dataclass
from numbers import Real

import numpy as np

_LOG_RATIO = 30  # of the largest and the smallest value, for a logarithmic axis
_MANY_TICKS = 8


@dataclass(eq=False)
class Candidates:
    """Candidates of a search; those of halving are listed once for each iteration.

    Parameters
    ----------
    params : list of dict
        Parameters, without the resource of halving.
    scores : ndarray of shape (n_candidates,)
    resources : ndarray of shape (n_candidates,) or None
        Amount of the resource.
    resource : str or None
        Name of the resource.
    """

    params: list
    scores: np.ndarray
    resources: np.ndarray | None = None
    resource: str | None = None

    def curves(self):
        """Parameters, and resources and scores of each distinct candidate, (n_points, 2)."""
        found = {}
        resources = np.zeros(len(self.params)) if self.resources is None else self.resources
        for params, resource, score in zip(self.params, resources, self.scores, strict=True):
            key = repr(sorted(params.items()))
            found.setdefault(key, (params, {}))[1][resource] = score
        distinct = [params for params, _ in found.values()]
        return distinct, [np.array(sorted(points.items())) for _, points in found.values()]

    def last(self):
        """Return every distinct candidate with its score for the most resources."""
        params, curves = self.curves()
        return Candidates(params, np.array([curve[-1, 1] for curve in curves]))


def read_candidates(cv_results, metric, resource):
    """Read ``cv_results_``; candidates without a score are left out.

    Parameters
    ----------
    cv_results : dict of str to array-like of shape (n_candidates,)
    metric : str
    resource : str or None
        Parameter that is the resource of halving; None for ``n_resources`` if there is one.
    """
    key = f"mean_test_{metric}"
    if "params" not in cv_results or key not in cv_results:
        known = [name.removeprefix("mean_test_") for name in cv_results if "mean_test_" in name]
        raise ValueError(
            f"cv_results must have 'params' and {key!r}, like cv_results_ of a search; got scores "
            f"named {known}."
        )
    params = list(cv_results["params"])
    resources = cv_results.get("n_resources")
    if resource is not None:
        resources = [one.get(resource) for one in params]
        if None in resources:
            raise ValueError(f"resource must be a parameter of all candidates; got {resource!r}.")
    if resources is not None:
        hidden = _names_of_resource(params, resources)
        params = [{k: v for k, v in one.items() if k not in hidden} for one in params]
    scores = np.asarray(cv_results[key], dtype=np.float64)
    done = np.flatnonzero(np.isfinite(scores))
    if not len(done):
        raise ValueError("cv_results must have at least one candidate with a finite score.")
    found = Candidates([params[one] for one in done], scores[done])
    if resources is not None:
        found.resources = np.asarray(resources, dtype=np.float64)[done]
        found.resource = resource or min(hidden, default="resources")
    return found


def _names_of_resource(params, resources):
    """Names of parameters that are equal to the resource in all candidates."""
    return {
        name
        for name in params[0]
        if all(one.get(name) == value for one, value in zip(params, resources, strict=True))
    }


def varying(candidates, chosen):
    """Return the chosen names of parameters, by default those that have several values."""
    names = list(dict.fromkeys(name for one in candidates.params for name in one))
    if chosen is not None:
        unknown = [name for name in chosen if name not in names]
        if unknown:
            raise ValueError(f"params must be among {names}; got {unknown}.")
        return list(chosen)
    return [name for name in names if len(_values(candidates, name)) > 1]


def default_kind(candidates, chosen):
    """Kind of picture that suits the parameters: how many there are, and who has them."""
    names = varying(candidates, chosen)
    if len(names) == 1:
        return "curve"
    has_both = len(names) == 2 and any(set(names) <= set(one) for one in candidates.params)
    return "heatmap" if has_both else "parallel"


def score_curve(candidates, chosen):
    """Best score for each value of a parameter, with its name and the labels of its ticks.

    Returns
    -------
    curve : ndarray of shape (n_values, 2)
        Value, or its number if values are not numbers, and score.
    names : list of str, length 1
    ticks : list of str or None
        Labels of values that are not numbers.
    """
    names = varying(candidates, chosen)
    if len(names) != 1:
        raise ValueError(
            f"kind='curve' needs one parameter; got {names}. Name one in params, or use "
            "kind='parallel'."
        )
    values = _values(candidates, names[0])
    scores = np.full(len(values), np.nan)
    for params, score in zip(candidates.params, candidates.scores, strict=True):
        if names[0] in params:
            place = _index(values, params[names[0]])
            scores[place] = np.fmax(scores[place], score)
    if not _are_numbers(values):
        places = np.arange(len(values), dtype=np.float64)
        return np.column_stack([places, scores]), names, [_label(one) for one in values]
    return np.column_stack([np.asarray(values, dtype=np.float64), scores]), names, None


def heat_map(candidates, chosen):
    """Best score for each pair of values of two parameters, the names, and the labels of ticks.

    Returns
    -------
    scores : ndarray of shape (n_rows, n_columns)
        NaN where there is no candidate.
    names : list of str, length 2
        Parameters of columns and rows.
    ticks : list of list of str, length 2
    """
    names = varying(candidates, chosen)
    if len(names) != 2:
        raise ValueError(
            "kind='heatmap' needs two parameters; got "
            f"{names}. Name two in params, or use kind='parallel'."
        )
    columns, rows = (_values(candidates, name) for name in names)
    scores = np.full((len(rows), len(columns)), np.nan)
    for params, score in zip(candidates.params, candidates.scores, strict=True):
        if names[0] in params and names[1] in params:
            place = _index(rows, params[names[1]]), _index(columns, params[names[0]])
            scores[place] = np.fmax(scores[place], score)
    if np.isnan(scores).all():
        raise ValueError(
            f"kind='heatmap' needs two parameters that candidates have in common; got {names}. "
            "Name others in params, or use kind='parallel'."
        )
    return scores, names, [[_label(value) for value in values] for values in (columns, rows)]


def parallel_coordinates(candidates, chosen):
    """Candidates as lines over the parameters, the names, and the ticks.

    Returns
    -------
    curves : list of ndarray of shape (n_params, 2)
        Number of each parameter, and the place of its value on its axis, in [0, 1]; NaN if the
        candidate does not have it.
    names : list of str, length n_params
    ticks : list of dict of str to float, length n_params
        Places of labels.
    """
    names = varying(candidates, chosen)
    if not names:
        raise ValueError("kind='parallel' needs at least one parameter with several values.")
    axes = [_axis(_values(candidates, name)) for name in names]
    curves = [
        np.array(
            [(i, axes[i](one[name]) if name in one else np.nan) for i, name in enumerate(names)]
        )
        for one in candidates.params
    ]
    ticks = []
    for name, axis in zip(names, axes, strict=True):
        values = _values(candidates, name)
        if len(values) > _MANY_TICKS and _are_numbers(values):
            values = [values[0], values[len(values) // 2], values[-1]]
        ticks.append({_label(value): axis(value) for value in values})
    return curves, names, ticks


def _axis(values):
    """Return a function from a value to its place in [0, 1]."""
    if not _are_numbers(values):
        return lambda value: _index(values, value) / max(len(values) - 1, 1)
    low, high = values[0], values[-1]
    if is_wide(values):
        return lambda value: float(np.log(value / low) / np.log(high / low))
    return lambda value: float((value - low) / (high - low)) if high > low else 0.0


def is_wide(values):
    """Whether sorted numbers need a logarithmic axis."""
    return bool(values[0] > 0 and values[-1] / values[0] >= _LOG_RATIO)


def _values(candidates, name):
    """Distinct values of a parameter: sorted if they are numbers, else as they appear."""
    values: list = []
    for params in candidates.params:
        if name in params and _index(values, params[name]) is None:
            values.append(params[name])
    return sorted(values) if _are_numbers(values) else values


def _are_numbers(values):
    return all(isinstance(value, Real) and not isinstance(value, bool) for value in values)


def _index(values, value):
    """Place of a value in a list, None if it is not there; estimators and arrays may be values."""
    return next((i for i, one in enumerate(values) if repr(one) == repr(value)), None)


def _label(value):
    return f"{value:.3g}" if isinstance(value, float | np.floating) else str(value)
