"""Fits in child processes that are killed, and continued by the same call."""

import os
import pickle
import shutil
import signal
import tempfile
import time
import traceback
from pathlib import Path

import numpy as np

from skdeep.decomposition import Autoencoder

_METHODS = ("transform", "predict", "predict_proba", "score_samples")


def summary(estimator, X):
    """What two equal fits have in common, to the last bit: weights, moments, losses, outputs."""
    found = {name: getattr(estimator, name)(X) for name in _METHODS if hasattr(estimator, name)}
    members = getattr(estimator, "estimators_", [])
    for number, member in enumerate(members.values() if isinstance(members, dict) else members):
        found[number] = summary(member, X)
    if hasattr(estimator, "module_"):
        found |= {name: one.numpy() for name, one in estimator.module_.state_dict().items()}
        found["moments"] = pickle.dumps(_arrays(estimator.net_.optimizer_.state_dict()["state"]))
        rows = [{k: v for k, v in row.items() if k != "dur"} for row in estimator.history_]
        found["history"] = repr(rows)
    return found


def _arrays(value):
    if isinstance(value, dict):
        return {key: _arrays(one) for key, one in value.items()}
    return value.numpy().tolist() if hasattr(value, "numpy") else value


def differences(actual, expected):
    """Names of entries of two results of ``summary`` that are not equal."""
    names = [name for name in expected if isinstance(expected[name], dict)]
    found = [f"{name}.{one}" for name in names for one in differences(actual[name], expected[name])]
    others = [name for name in expected if name not in names]
    return found + [n for n in others if not np.array_equal(actual[n], expected[n])]


def warm_up():
    """Import what the first fit of a process imports, which takes seconds, before forking."""
    with tempfile.TemporaryDirectory() as folder:
        Autoencoder(1, max_epochs=1, device="cpu", checkpoint=folder).fit(np.eye(4))


def start(fit, path):
    """Start ``fit()`` in a child process, which writes what it returns; return its id."""
    child = os.fork()
    if child == 0:
        code = 1
        try:
            signal.signal(signal.SIGINT, signal.default_int_handler)
            path.write_bytes(pickle.dumps(fit()))
            code = 0
        except KeyboardInterrupt:
            code = 2
        except Exception:
            traceback.print_exc()
        finally:
            os._exit(code)
    return child


def result(fit, path):
    """Return what ``fit()`` returns in a child process, and its seconds."""
    begin = time.perf_counter()
    _, status = os.waitpid(start(fit, path), 0)
    seconds = time.perf_counter() - begin
    assert status == 0, f"the fit failed with status {status}"
    return pickle.loads(path.read_bytes()), seconds


def kill_and_continue(make, X, y, folder, n_kills, rng, sign=signal.SIGKILL):
    """Kill a fit at random moments, each time in an empty folder, and continue it once.

    Parameters
    ----------
    make : callable
        ``make(**params)`` makes the estimator; called with the folder as ``checkpoint``.
    X, y : ndarray
    folder : Path
    n_kills : int
    rng : numpy.random.Generator

    Returns
    -------
    counts : dict
        Numbers of fits that were killed, that had a checkpoint by then, and that differ at the end
        from an uninterrupted fit without checkpoints; what differs; and the time of an
        uninterrupted fit with checkpoints, relative to one without.
    """
    run, path = folder / "run", folder / "result.pkl"

    def whole():
        return summary(make().fit(X, y), X)

    def with_checkpoints():
        return summary(make(checkpoint=str(run), checkpoint_every=1).fit(X, y), X)

    shutil.rmtree(run, ignore_errors=True)
    expected, plain_seconds = result(whole, path)
    first, seconds = result(with_checkpoints, path)
    counts = {"killed": 0, "had checkpoints": 0, "differ": 0, "names": differences(first, expected)}
    counts["time with checkpoints"] = seconds / plain_seconds
    for _ in range(n_kills):
        shutil.rmtree(run)
        child = start(with_checkpoints, path)
        time.sleep(rng.uniform(0.1, 0.95) * seconds)
        os.kill(child, sign)
        _, status = os.waitpid(child, 0)
        counts["killed"] += status != 0
        counts["had checkpoints"] += next(Path(run).rglob("*.pt"), None) is not None
        names = differences(result(with_checkpoints, path)[0], expected)
        counts["differ"] += bool(names)
        counts["names"] += names
    return counts
