"""Output of ``verbose``: nothing, a progress bar, or a line for each epoch."""

import re

import numpy as np
import pytest
from sklearn.datasets import load_iris

from skdeep.cluster import DeepCluster
from skdeep.exceptions import DivergenceError

IRIS, SPECIES = load_iris(return_X_y=True)

# Simulates a Jupyter kernel without the package ipywidgets.
NOTEBOOK_WITHOUT_WIDGETS = """
import sys, types
shell = types.ModuleType("IPython")
shell.get_ipython = lambda: types.SimpleNamespace()
sys.modules |= {"ipykernel.zmqshell": types.ModuleType("zmqshell"), "IPython": shell}
sys.modules["ipywidgets"] = None
"""


def log_of(capsys):
    """Names and columns of numbers of the log that skorch has printed, and all that was printed."""
    printed = capsys.readouterr()
    lines = re.sub(r"\x1b\[\d+m", "", printed.out).splitlines()
    rows = [[float(cell) for cell in line.split() if not cell.isalpha()] for line in lines[2:]]
    names = [name for name in lines[0].split() if name != "phase"]
    return names, [list(column) for column in zip(*rows, strict=True)], printed


def test_verbose_0_prints_nothing(Class, capfd, small):
    small(Class).fit(IRIS, SPECIES)
    assert capfd.readouterr() == ("", "")


def test_verbose_1_shows_a_bar_over_the_epochs_on_standard_error(Class, capsys, small):
    small(Class, verbose=1).fit(IRIS, SPECIES)
    out, err = capsys.readouterr()
    assert out == ""
    assert re.search(r"100%\|.*\| 5/5 \[.*epoch.*train_loss=[-\d.]+", err)


@pytest.mark.having("early_stopping")
def test_verbose_1_shows_the_loss_on_rows_held_out(Class, capsys, small):
    small(Class, verbose=1, early_stopping=True).fit(IRIS, SPECIES)
    assert "valid_loss=" in capsys.readouterr().err


@pytest.mark.nets({"all rows": {}, "split": {"early_stopping": True}})
def test_verbose_2_prints_a_line_for_each_epoch(params, Class, capsys, small):
    estimator = small(Class, verbose=2, **params).fit(IRIS, SPECIES)
    names, columns, printed = log_of(capsys)
    assert names[0] == "epoch" and columns[0] == [1, 2, 3, 4, 5]
    losses = estimator.loss_curve_
    assert any(np.allclose(column, losses, rtol=0, atol=5e-5) for column in columns)
    assert ("valid_loss" in names) == bool(params)
    assert printed.err == ""


@pytest.mark.nets(
    {
        "all rows": {},
        "split": {"early_stopping": True, "validation_fraction": 0.3},
        "penalties": {"sparsity": 0.1, "contraction": 0.1},
        "critic alone": {"gradient_penalty": 0.0},
        "slopes": {"loss": "wgan-gp", "style_weight": 0.1},
    }
)
def test_verbose_2_prints_no_figure_twice(params, Class, capsys, small):
    small(Class, verbose=2, **params).fit(IRIS, SPECIES)
    names, columns, _ = log_of(capsys)
    assert len(set(map(tuple, columns))) == len(names)


@pytest.mark.having("ema_decay")
def test_verbose_2_names_both_players_of_a_game(Class, capsys, small):
    small(Class, verbose=2).fit(IRIS, SPECIES)
    assert {"train_critic", "train_generator"} <= set(log_of(capsys)[0])


def test_verbose_2_leaves_blank_what_an_epoch_does_not_have(capsys, small):
    clusterer = small(DeepCluster, verbose=2, update_interval=3, batch_size=100)
    clusterer.fit(IRIS)  # two steps per epoch
    printed = re.sub(r"\x1b\[\d+m", "", capsys.readouterr().out).splitlines()
    rows = []
    for line in printed:
        if line.split()[0] == "epoch":
            ends = {found.group(): found.end() for found in re.finditer(r"\S+", line)}
            starts = dict(zip(ends, [0, *ends.values()], strict=False))
        elif "-" not in line:
            rows.append({name: line[starts[name] : end].strip() for name, end in ends.items()})
    assert len(rows) == 5
    for row, entry in zip(rows, clusterer.history_, strict=True):
        assert row["train_loss"] == f"{entry['train_loss']:.4f}"
        nmi = entry.get("assignment_nmi")
        assert row.get("assignment_nmi", "") == ("" if nmi is None else f"{nmi:.4f}")
    assert {bool(row.get("assignment_nmi")) for row in rows} == {True, False}


# The bar -----------------------------------------------------------------------------------


def last_bar(printed):
    """Final state of the bar."""
    return printed.rstrip("\n").rpartition("\r")[2]


def test_the_bar_names_the_estimator(Class, capsys, small):
    small(Class, verbose=1).fit(IRIS, SPECIES)
    assert last_bar(capsys.readouterr().err).startswith(f"{Class.__name__}: 100%|")


def test_the_bar_shows_how_stable_clusters_are(capsys, small):
    clusterer = small(DeepCluster, verbose=1).fit(IRIS)
    shown = f"assignment_nmi={clusterer.assignment_nmi_[-1]:.4g}"
    assert shown in last_bar(capsys.readouterr().err)


def test_the_bar_of_a_training_that_stops_early_ends_full(capsys, small):
    ae = small(max_epochs=50, tol=1e6, n_iter_no_change=3, verbose=1).fit(IRIS)
    assert ae.n_iter_ == 5
    assert re.search(r"100%\|.*\| 5/5 \[", last_bar(capsys.readouterr().err))


@pytest.mark.having("lr")
def test_the_bar_of_a_training_that_fails_stays_where_it_was_and_ends_its_line(
    Class, capsys, small
):
    with pytest.raises(DivergenceError):
        small(Class, verbose=1, lr=1e35, max_epochs=7).fit(IRIS, SPECIES)
    printed = capsys.readouterr().err
    assert re.search(r"\| [0-6]/7 \[", last_bar(printed))
    assert printed.endswith("\n")


@pytest.mark.slow
def test_a_notebook_without_widgets_shows_a_bar_of_text_and_no_warning(run_python):
    printed = run_python(
        NOTEBOOK_WITHOUT_WIDGETS
        + """
import contextlib, io, warnings
with warnings.catch_warnings(record=True) as seen:
    warnings.simplefilter("always")
    from skdeep.decomposition import Autoencoder
    with contextlib.redirect_stderr(io.StringIO()) as printed:
        Autoencoder(max_epochs=3, device="cpu", verbose=1).fit([[0.0, 1.0], [2.0, 0.5]])
assert [str(one.message) for one in seen if "tqdm" in one.filename + str(one.message)] == []
print(printed.getvalue())
"""
    )
    assert re.search(r"Autoencoder: 100%\|.*\| 3/3 \[", printed)
