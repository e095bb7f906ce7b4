"""Code in the README and in the guide runs as it is."""

import pathlib
import re
import textwrap

import pandas as pd
import pytest
from sklearn.datasets import load_digits

ROOT = pathlib.Path(__file__).parents[1]


def _run(code, **names):
    names["__name__"] = "document"
    exec(compile(code, "document", "exec"), names)
    return names


def test_code_in_the_readme_runs():
    blocks = re.findall(r"```python\n(.*?)```", (ROOT / "README.md").read_text(), re.DOTALL)
    assert blocks
    for block in blocks:
        found = _run(block)
    assert len(found["labels"]) == 1797


def _migrations():
    text = (ROOT / "docs" / "guide" / "migration.rst").read_text()
    blocks = re.findall(r"\.\. code-block:: python\n\n((?:    .*\n|\n)+)", text)
    return [textwrap.dedent(block).partition("# skdeep\n")[2] for block in blocks]


@pytest.mark.slow
@pytest.mark.parametrize("code", _migrations())
def test_code_for_those_who_migrate_runs(code):
    assert "import" in code
    X, y = load_digits(return_X_y=True)
    table = pd.DataFrame({"size": X[:, 20], "kind": y.astype(str)})
    _run(code, X=X[:300], y=y[:300], table=table[:300])
