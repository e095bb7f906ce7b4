"""scikit-learn's estimator checks on all public estimators, for ten values of ``random_state``.

The checks set ``random_state`` to 0 or 1. An offset is added to these values, so that ten different
ones are tested. The exit status is 1 if a check failed or was expected to fail. Clusterers go
through the checks of sparse data without their ``predict_proba``: these take all that have it for
classifiers, and expect the probabilities of four classes.

    python benchmarks/common_checks.py
    python benchmarks/common_checks.py --smoke
"""

import collections
import contextlib
import sys
import warnings

from _harness import Report, limited_threads, make_parser, parse, stopwatch, verdict
from sklearn.base import is_clusterer
from sklearn.utils import estimator_checks

from skdeep.utils import all_estimators

SPARSE = ("check_estimator_sparse_array", "check_estimator_sparse_matrix")
STATUSES = ("passed", "failed", "skipped", "xfail")


@contextlib.contextmanager
def shifted_seeds(shift):
    """Context manager that adds ``shift`` to the ``random_state`` that the checks set."""
    original = estimator_checks.set_random_state

    def shifted(estimator, random_state=0):
        original(estimator, random_state + shift)

    estimator_checks.set_random_state = shifted
    try:
        yield
    finally:
        estimator_checks.set_random_state = original


def run_checks(cls, seed, max_epochs):
    """scikit-learn's record of each check of one estimator."""
    with shifted_seeds(seed), warnings.catch_warnings():
        # the checks warn on purpose, for example about dataframes that they build
        warnings.simplefilter("ignore")
        estimator = cls(max_epochs=max_epochs, random_state=seed)
        if is_clusterer(estimator):  # one check wants to see all clusters found
            estimator.set_params(max_epochs=10 * max_epochs)
        records = estimator_checks.check_estimator(estimator, on_skip=None, on_fail=None)
        for record in records:
            if is_clusterer(estimator) and record["check_name"] in SPARSE:
                record |= _checked_without_probabilities(estimator, record["check_name"])
        return records


def _checked_without_probabilities(clusterer, name):
    """Entries of the record of a check of sparse data."""
    cls = type(clusterer)
    hidden = type(cls.__name__, (cls,), {"predict_proba": property()})
    try:
        getattr(estimator_checks, name)(cls.__name__, hidden(**clusterer.get_params(deep=False)))
    except Exception as error:
        return {"status": "failed", "exception": error}
    return {"status": "passed", "exception": None}


def summary(name, seed, records, figures):
    """Table row of one estimator and seed."""
    count = collections.Counter(record["status"] for record in records)
    return {
        "estimator": name,
        "random_state": seed,
        "checks": len(records),
        **{status: count[status] for status in STATUSES},
        "seconds": figures["check_s"],
        **verdict(count["failed"] + count["xfail"], at_most=0),
    }


def troubles(name, seed, records):
    """Print the checks that did not pass, and why."""
    return [
        {
            "estimator": name,
            "random_state": seed,
            "check": record["check_name"],
            "status": record["status"],
            "reason": repr(record["exception"]),
        }
        for record in records
        if record["status"] != "passed"
    ]


def print_troubles(found):
    reasons = collections.Counter(
        (one["estimator"], one["status"], one["check"], one["reason"][:200]) for one in found
    )
    for (name, status, check, reason), times in reasons.items():
        print(f"\n{status} x {times}: {name}, {check}\n  {reason}")


def main():
    estimators = dict(all_estimators())
    parser = make_parser(__doc__, estimators=estimators, seeds=10, max_epochs=5)
    args = parse(parser, estimators=["Autoencoder"], seeds=1, max_epochs=1)
    rows, found = [], []
    report = Report("scikit-learn's estimator checks", args, troubles=found)
    for name in args.estimators:
        for seed in range(args.seeds):
            figures = {}
            with limited_threads(1), stopwatch(figures, "check"):
                records = run_checks(estimators[name], seed, args.max_epochs)
            rows.append(summary(name, seed, records, figures))
            found += troubles(name, seed, records)
    report.add(rows)
    print_troubles(found)
    return report.exit_status()


if __name__ == "__main__":
    sys.exit(main())
