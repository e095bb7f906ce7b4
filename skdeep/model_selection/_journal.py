"""Journal of a search: results that survive the process."""

import contextlib
import importlib.metadata
import json
import os
from pathlib import Path
from pickle import PicklingError

import numpy as np
from joblib.hashing import NumpyHasher
from sklearn.base import clone

from skdeep.base import DeepEstimator
from skdeep.model_selection._results import rank
from skdeep.utils._files import sync_folder
from skdeep.utils._lock import take_lock
from skdeep.utils._sklearn import PassthroughScorer, masked_parameters

# A line of the journal is a JSON object with these keys, of which the first comes first.
_KEYS = ["key", "search", "candidate", "params", "split", "n_splits", "result"]
_START = b'{"key": '
_PACKAGES = ("skdeep", "scikit-learn", "torch", "numpy")


class Journal:
    """File to which results are appended, and from which those of an earlier search are taken.

    Parameters
    ----------
    path : str or os.PathLike
    data : SearchData
    estimator : estimator
        The searched one.
    """

    def __init__(self, path, data, estimator):
        self.path = Path(path)
        self.data = data
        self._file = None
        options = data.score_options
        scorer = options["scorer"]
        parts = {
            "the estimator": clone(estimator),
            "the data": (data.X, data.y),
            "the metadata": (data.fit_params, options["score_params"]),
            # that of the estimator holds the estimator, which may be fitted
            "the scorer": None if isinstance(scorer, PassthroughScorer) else scorer,
            "the options": options["return_train_score"],
            "the versions": [importlib.metadata.version(name) for name in _PACKAGES],
        }
        self._search = _hash([_hash(value, name) for name, value in parts.items()])
        self._splits = [_hash(split) for split in data.splits]
        self._table = _hash([self._search, self._splits])
        self._results: dict = {}

    def __enter__(self):
        self._file = self.path.open("a+b")
        try:
            if not take_lock(self._file):
                raise RuntimeError(
                    "journal must not be used by two searches at a time; another one is writing to "
                    f"{str(self.path)!r}. Wait for it, or use another file."
                )
            sync_folder(self.path.parent)
            lines, n_bytes = _read(self._file, self.path)
            self._file.truncate(n_bytes)  # the last line may have been cut off by a crash
            self._results = {line["key"]: line["result"] for line in lines}
        except BaseException:
            self._file.close()
            raise
        return self

    def __exit__(self, *error):
        self._file.close()

    def find(self, jobs):
        """Return the results that earlier searches recorded for some jobs, by their numbers."""
        found = {number: self._results.get(self._key(job)) for number, job in enumerate(jobs)}
        return {
            number: {**result, "fit_error": None}
            for number, result in found.items()
            if result is not None
        }

    def append(self, jobs, results):
        """Write the results of jobs, except for failed ones, so that they survive a crash."""
        error_score = self.data.score_options["error_score"]
        lines = [
            json.dumps(self._line(job, result)) + "\n"
            for job, result in zip(jobs, results, strict=True)
            if not _has_failed(result, error_score)
        ]
        self._file.write("".join(lines).encode())
        self._file.flush()
        os.fsync(self._file.fileno())

    def _key(self, job):
        return _hash([self._search, self._splits[job.split], job.candidate.params])

    def _line(self, job, result):
        return {
            "key": self._key(job),
            "search": self._table,
            "candidate": _hash(job.candidate.params),
            "params": {name: _plain(value) for name, value in job.candidate.params.items()},
            "split": job.split,
            "n_splits": len(self.data.splits),
            "result": _plain_result(result),
        }


def open_journal(path, data, estimator):
    """Context manager with a ``Journal``, or with None if there is no path."""
    return contextlib.nullcontext() if path is None else Journal(path, data, estimator)


def read_journal(path):
    """Read the results that a search has recorded so far.

    Works while the search is running, and after it was killed.

    Parameters
    ----------
    path : str or os.PathLike
        The ``journal`` of a search.

    Returns
    -------
    results : dict of str to ndarray of shape (n_candidates,)
        Like ``cv_results_``, with ``n_splits`` as the number of splits that are finished. Scores
        of the others are missing (NaN), and means, standard deviations and ranks are those of the
        finished ones. Values of parameters that are not numbers, strings, booleans or None are
        replaced by their representations.

    Raises
    ------
    ValueError
        If the file is not a journal.

    See Also
    --------
    BatchedGridSearchCV : Writes a journal with the parameter ``journal``.

    Examples
    --------
    >>> import tempfile, pathlib
    >>> from sklearn.datasets import load_iris
    >>> from skdeep.decomposition import Autoencoder
    >>> from skdeep.model_selection import BatchedGridSearchCV, read_journal
    >>> X, _ = load_iris(return_X_y=True)
    >>> path = pathlib.Path(tempfile.mkdtemp()) / "search.jsonl"
    >>> net = Autoencoder(2, max_epochs=3, random_state=0)
    >>> search = BatchedGridSearchCV(net, {"lr": [1e-3, 1e-2]}, cv=3, journal=path).fit(X)
    >>> read_journal(path)["params"]
    [{'lr': 0.001}, {'lr': 0.01}]
    """
    with Path(path).open("rb") as file:
        lines, _ = _read(file, path)
    if not lines:
        raise ValueError(f"{str(path)!r} has no results yet.")
    last = lines[-1]
    candidates: dict = {}
    for line in lines:
        if line["search"] == last["search"]:
            candidates.setdefault(line["candidate"], {})[line["split"]] = line
    return _table(list(candidates.values()), last["n_splits"])


def _read(file, path):
    """Return the lines of a journal, and the number of bytes of those that are complete."""
    file.seek(0)
    # some file systems fill a line that a power cut has ended with zeros
    *complete, rest = file.read().rstrip(b"\0").split(b"\n")
    lines = [_parse(text, number, path) for number, text in enumerate(complete, 1)]
    if rest[: len(_START)] != _START[: len(rest)]:
        raise _not_a_journal(path, len(complete) + 1)
    return lines, sum(map(len, complete)) + len(complete)


def _parse(text, number, path):
    try:
        line = json.loads(text)
    except ValueError:
        line = None
    if not isinstance(line, dict) or list(line) != _KEYS:
        raise _not_a_journal(path, number)
    return line


def _not_a_journal(path, number):
    return ValueError(
        f"journal must be a file that a search has written, or a new one; line {number} of "
        f"{str(path)!r} is not the result of a fit. Use another file."
    )


def _table(candidates, n_splits):
    """Table of candidates, each a dict of lines by split."""
    params = [next(iter(lines.values()))["params"] for lines in candidates]
    is_done = np.array([[split in lines for split in range(n_splits)] for lines in candidates])
    table = dict(masked_parameters(params)) | {"params": params, "n_splits": is_done.sum(axis=1)}
    results = [
        [lines[split]["result"] if split in lines else {} for split in range(n_splits)]
        for lines in candidates
    ]
    example = next(one for row in results for one in row if one)
    for name in ("fit_time", "score_time"):
        _add_moments(table, name, _values(results, name), is_done)
    for kind in ("test", "train"):
        scores = example.get(f"{kind}_scores", {})
        for metric in scores if isinstance(scores, dict) else ["score"]:
            name = f"{kind}_{metric}"
            values = _values(results, f"{kind}_scores", metric)
            table |= {f"split{split}_{name}": column for split, column in enumerate(values.T)}
            _add_moments(table, name, values, is_done)
            if kind == "test":
                table[f"rank_{name}"] = rank(table[f"mean_{name}"])
    return table


def _values(results, name, metric=None):
    """One number of all results, (n_candidates, n_splits); NaN where there is no result."""

    def value(result):
        found = result.get(name, np.nan)
        return found[metric] if isinstance(found, dict) else found

    return np.array([[value(one) for one in row] for row in results], dtype=np.float64)


def _add_moments(table, name, values, is_done):
    """Add mean and standard deviation over the finished splits, (n_candidates,) each."""
    table[f"mean_{name}"] = np.mean(values, axis=1, where=is_done)
    table[f"std_{name}"] = np.std(values, axis=1, where=is_done)


def _plain(value):
    """Return a value as JSON has it: numbers, strings, booleans and None stay what they are."""
    value = value.item() if isinstance(value, np.generic) else value
    return value if value is None or isinstance(value, int | float | str) else repr(value)


def _plain_result(result):
    """Return what ``fit_and_score`` returns for a fit that did not fail, as JSON has it."""
    plain = {}
    for name, value in result.items():
        if isinstance(value, dict):
            plain[name] = {metric: float(score) for metric, score in value.items()}
        elif name != "fit_error":
            plain[name] = value.item() if isinstance(value, np.generic) else value
    return plain


def _has_failed(result, error_score):
    """Whether the fit or a score may have failed: a failed score is replaced by ``error_score``."""
    scores = []
    for found in (result["test_scores"], result.get("train_scores", {})):
        scores += found.values() if isinstance(found, dict) else [found]
    is_failed = [one == error_score or np.isnan(one) for one in scores]
    return result["fit_error"] is not None or any(is_failed)


class _Hasher(NumpyHasher):
    """Hash of an object that does not depend on how long the epochs of fitted nets took."""

    def save(self, obj):
        if isinstance(obj, DeepEstimator):
            obj = type(obj), _without_durations(obj.__getstate__())
        super().save(obj)


def _without_durations(state):
    state = dict(state)
    if state.pop("history_", None) is not None:  # also part of the fitted state
        fitted = state["_fitted_state"]
        history = [{key: row[key] for key in row if key != "dur"} for row in fitted["history"]]
        state["_fitted_state"] = {**fitted, "history": history}
    return state


def _hash(value, name="a parameter"):
    try:
        return _Hasher().hash(value)
    except (PicklingError, AttributeError, TypeError) as error:
        raise ValueError(
            f"journal must be None if {name} cannot be pickled, since finished fits could not be "
            f"recognized; got: {error.args[0]}"
        ) from error
