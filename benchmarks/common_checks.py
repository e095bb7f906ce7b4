"""scikit-learn's estimator checks on every public estimator, for ten values of ``random_state``.

The checks set ``random_state`` themselves, to 0 or 1. So that ten values are really tried, the
value is added to what they set. The exit status is 1 if a check failed or was expected to fail.

    python benchmarks/common_checks.py
    python benchmarks/common_checks.py --seeds 1        # a smoke test
"""

import collections
import contextlib
import sys
import time
import warnings

from _common import limited_threads, make_parser, print_header, print_table, save_json
from sklearn.utils import estimator_checks

from skdeep.utils import all_estimators


@contextlib.contextmanager
def shifted_seeds(shift):
    """Context in which the checks' own values of ``random_state`` are larger by ``shift``."""
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
        # the checks warn on purpose, of data frames they build themselves for example
        warnings.simplefilter("ignore")
        return estimator_checks.check_estimator(
            cls(max_epochs=max_epochs, random_state=seed), on_skip=None, on_fail=None
        )


def main():
    parser = make_parser(__doc__)
    parser.add_argument("--seeds", type=int, default=10)
    parser.add_argument("--max-epochs", type=int, default=5)
    args = parser.parse_args()
    print_header("scikit-learn's estimator checks")
    rows, troubles = [], []
    for name, cls in all_estimators():
        for seed in range(args.seeds):
            start = time.perf_counter()
            with limited_threads(1):
                records = run_checks(cls, seed, args.max_epochs)
            count = collections.Counter(record["status"] for record in records)
            rows.append(
                {
                    "estimator": name,
                    "random_state": seed,
                    "checks": len(records),
                    **{
                        status: count[status] for status in ("passed", "failed", "skipped", "xfail")
                    },
                    "seconds": time.perf_counter() - start,
                }
            )
            troubles += [
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
    print_table(rows)
    reasons = collections.Counter(
        (one["estimator"], one["status"], one["check"], one["reason"][:200]) for one in troubles
    )
    for (name, status, check, reason), times in reasons.items():
        print(f"\n{status} x {times}: {name}, {check}\n  {reason}")
    save_json(args.json, results=rows, troubles=troubles)
    return int(any(row["failed"] or row["xfail"] for row in rows))


if __name__ == "__main__":
    sys.exit(main())
