"""Every benchmark runs with ``--smoke``; its results are not checked."""

import json
import os
import pathlib
import subprocess
import sys

import pytest

pytestmark = pytest.mark.slow
ROOT = pathlib.Path(__file__).parents[1]
SCRIPTS = sorted(path.stem for path in ROOT.glob("benchmarks/[!_]*.py"))
FURTHER = {"gpu": ["--device", "cpu", "--parts", "rows", "determinism", "bf16", "search", "gan"]}


def _run(script, folder, *arguments):
    """Run a benchmark in an empty folder, without the data sets."""
    command = [sys.executable, str(ROOT / "benchmarks" / f"{script}.py"), *arguments]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    environment.pop("SKDEEP_DATA", None)
    return subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True)


@pytest.mark.parametrize("script", SCRIPTS)
def test_every_benchmark_runs_and_writes_its_figures(script, tmp_path):
    path = tmp_path / "figures.json"
    done = _run(script, tmp_path, "--smoke", "--json", str(path), *FURTHER.get(script, []))
    assert done.returncode == 0, done.stdout + done.stderr
    assert json.loads(path.read_text())["records"]
    assert list(tmp_path.iterdir()) == [path]


def test_records_of_the_file_are_not_measured_again(tmp_path):
    path = tmp_path / "figures.json"
    arguments = ["--smoke", "--json", str(path), "--models", "copula", "--seeds"]
    counts, records = [], []
    for seeds in ("1", "2", "2"):
        done = _run("gan_tabular", tmp_path, *arguments, seeds)
        assert done.returncode == 0, done.stderr
        counts.append(done.stdout.count("adult copula seed"))
        records.append(json.loads(path.read_text())["records"])
    assert counts == [1, 1, 0]
    assert records[1][:1] == records[0]
    assert records[2] == records[1]
