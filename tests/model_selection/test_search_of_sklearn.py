"""scikit-learn's own tests of searches, as installed, with batched searches in place of its own."""

import os
import pathlib
import subprocess
import sys
from xml.etree import ElementTree

import pytest
import sklearn

import skdeep

# Modules of tests, and how many of them have to pass.
MODULES = {
    "sklearn.model_selection.tests.test_search": 130,
    "sklearn.tests.test_metaestimators": 25,
    "sklearn.tests.test_metaestimators_metadata_routing": 280,
}

# Tests that fail, by "module::name", and the reason. The only valid reason is a message that
# contains more information than scikit-learn's.
FAILURES: dict[str, str] = {}

# The modules of the tests take their searches from these namespaces when they are imported.
RUN = """
import sys
import pytest
import sklearn.model_selection
import sklearn.model_selection._search
from skdeep.model_selection import BatchedGridSearchCV, BatchedRandomizedSearchCV

for namespace in (sklearn.model_selection, sklearn.model_selection._search):
    namespace.GridSearchCV = BatchedGridSearchCV
    namespace.RandomizedSearchCV = BatchedRandomizedSearchCV
sys.exit(pytest.main(sys.argv[1:]))
"""


@pytest.mark.slow
def test_sklearns_tests_of_searches_fail_only_where_a_reason_is_listed(tmp_path):
    outcomes = _run(tmp_path)
    failed = {name for name, outcome in outcomes.items() if outcome in ("failure", "error")}
    assert failed == FAILURES.keys()  # remove a test from the list if it passes
    passed = [name for name, outcome in outcomes.items() if outcome == "passed"]
    for module, n_least in MODULES.items():
        assert len([name for name in passed if name.startswith(f"{module}::")]) >= n_least
    for kind in ("BatchedGridSearchCV", "BatchedRandomizedSearchCV"):
        assert len([name for name in passed if kind in name]) >= 20


def _run(folder):
    """Outcome of each of scikit-learn's tests, by "module::name"."""
    settings, report = folder / "pytest.ini", folder / "report.xml"
    settings.write_text("[pytest]\n")  # not our own, which turns warnings into errors
    # names of modules in the report are relative to the root
    options = ["-c", settings, "--rootdir", pathlib.Path(sklearn.__file__).parents[1]]
    options += ["-q", "-p", "no:cacheprovider", f"--junitxml={report}", "--pyargs", *MODULES]
    environment = {key: os.environ[key] for key in os.environ if not key.startswith("PYTEST_")}
    environment["PYTHONPATH"] = str(pathlib.Path(skdeep.__file__).parents[1])
    result = subprocess.run(
        [sys.executable, "-c", RUN, *map(str, options)],
        env=environment,
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=540,
    )
    assert result.returncode in (pytest.ExitCode.OK, pytest.ExitCode.TESTS_FAILED), result.stdout
    cases = ElementTree.parse(report).getroot().iter("testcase")
    return {f"{case.get('classname')}::{case.get('name')}": _outcome(case) for case in cases}


def _outcome(case):
    kinds = {child.tag for child in case}
    return next((kind for kind in ("failure", "error", "skipped") if kind in kinds), "passed")
