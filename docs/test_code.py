"""Notebooks of the gallery and code of the guide run: start them by ``make test-docs``."""

import re
import textwrap
from pathlib import Path

import nbformat
import pytest
from nbclient import NotebookClient
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

DOCS = Path(__file__).parent
NOTEBOOKS = sorted((DOCS / "auto_examples").rglob("*.ipynb"))
# The gallery runs the code of all notebooks as scripts; these two are quick.
RUN = ["plot_som_digits", "plot_missing_values"]


def test_every_example_has_a_notebook():
    examples = {path.stem for path in (DOCS.parent / "examples").rglob("plot_*.py")}
    assert {path.stem for path in NOTEBOOKS} == examples
    for path in NOTEBOOKS:
        nbformat.validate(nbformat.read(path, as_version=4))


@pytest.mark.parametrize("name", RUN)
def test_notebook_runs_from_top_to_bottom_and_shows_its_picture(name):
    (path,) = [one for one in NOTEBOOKS if one.stem == name]
    notebook = nbformat.read(path, as_version=4)
    NotebookClient(notebook, timeout=300, kernel_name="python3").execute()
    outputs = [output for cell in notebook.cells for output in cell.get("outputs", ())]
    assert any("image/png" in output.get("data", {}) for output in outputs)
    assert not any(output.get("name") == "stderr" for output in outputs)


def test_tensorboard_gets_the_losses_of_the_code_in_the_guide(tmp_path, monkeypatch):
    text = (DOCS / "guide" / "getting_started.rst").read_text(encoding="utf-8")
    block = re.search(
        r"code-block:: python\n\n((?:    .*\n|\n)+)", text.split("TensorBoard\n---")[1]
    )
    monkeypatch.chdir(tmp_path)
    names = {}
    exec(textwrap.dedent(block[1]), names)
    (folder,) = (tmp_path / "runs").iterdir()
    events = EventAccumulator(str(folder)).Reload()
    assert {"Loss/train_loss", "Loss/valid_loss"} <= set(events.Tags()["scalars"])
    losses = [event.value for event in events.Scalars("Loss/train_loss")]
    assert losses == pytest.approx(names["ae"].loss_curve_, rel=1e-6)
