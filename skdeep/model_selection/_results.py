"""Results of fits as ``cv_results_``, and the choice of the best one."""

import numbers
import warnings

import numpy as np
from scipy.stats import rankdata

from skdeep.utils._sklearn import aggregate_score_dicts, masked_parameters, scores_by_name


def make_cv_results(params, results, n_splits, extra=None):
    """Make the dict of arrays that scikit-learn's searches call ``cv_results_``.

    Parameters
    ----------
    params : list of dict
        The candidates.
    results : list of dict
        Those of ``fit_and_score``, candidate by candidate, each split by split.
    n_splits : int
    extra : dict of str to list, or None
        Additional columns.
    """
    table = {key: np.asarray(values) for key, values in (extra or {}).items()}
    columns = aggregate_score_dicts(results)

    def table_of(values):
        return np.array(values, dtype=np.float64).reshape(len(params), n_splits)

    for name in ("fit_time", "score_time"):
        _add_moments(table, name, table_of(columns[name]))
    table.update(masked_parameters(params))
    table["params"] = params
    test = scores_by_name(columns["test_scores"])
    train = scores_by_name(columns["train_scores"]) if "train_scores" in columns else {}
    for name, scores in test.items():
        _add_scores(table, f"test_{name}", table_of(scores))
        table[f"rank_test_{name}"] = rank(table[f"mean_test_{name}"])
        if name in train:
            _add_scores(table, f"train_{name}", table_of(train[name]))
    return table


def _add_moments(table, name, values):
    """Add mean and standard deviation over splits, (n_candidates,) each."""
    table[f"mean_{name}"] = np.average(values, axis=1)
    table[f"std_{name}"] = values.std(axis=1)


def _add_scores(table, name, values):
    """Add the scores of each split, their mean and their standard deviation."""
    for split, column in enumerate(values.T):
        table[f"split{split}_{name}"] = column
    _add_moments(table, name, values)
    means = table[f"mean_{name}"]
    if not np.isfinite(means).all():
        kind = name.partition("_")[0]
        warnings.warn(f"One or more of the {kind} scores are non-finite: {means}", stacklevel=4)


def rank(means):
    """Return ranks, starting at one; candidates without a score share the last rank."""
    if np.isnan(means).all():
        return np.ones(len(means), dtype=np.int32)
    worst = np.nanmin(means) - 1
    return rankdata(-np.nan_to_num(means, nan=worst), method="min").astype(np.int32)


def choose_best(refit, metric, table):
    """Index of the best candidate: the first of rank one, or what the callable returns.

    Raises
    ------
    TypeError, IndexError
        If the callable returns something that is not the index of a candidate.
    """
    if not callable(refit):
        return table[f"rank_test_{metric}"].argmin()
    place = refit(table)
    if not isinstance(place, numbers.Integral):
        raise TypeError(
            "best_index_ returned is not an integer: refit must return the index of a candidate; "
            f"got {place!r}."
        )
    if not 0 <= place < len(table["params"]):
        raise IndexError(
            f"best_index_ index out of range: refit must return an index below "
            f"{len(table['params'])}, the number of candidates; got {place!r}."
        )
    return place
