"""scikit-learn's estimator checks on all public estimators, for ten values of ``random_state``.

The checks set ``random_state`` to 0 or 1. An offset is added to these values, so that ten different
ones are tested. The exit status is 1 if a check failed or was expected to fail.

    python benchmarks/common_checks.py
    python benchmarks/common_checks.py --smoke
"""

import collections
import contextlib
import sys
import warnings

from _harness import Report, limited_threads, make_parser, parse, stopwatch, verdict
from sklearn.utils import estimator_checks

from skdeep.utils import all_estimators

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
        return estimator_checks.check_estimator(
            cls(max_epochs=max_epochs, random_state=seed), on_skip=None, on_fail=None
        )


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
