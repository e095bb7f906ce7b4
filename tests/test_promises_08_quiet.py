"""Promise 8: ``verbose=0`` prints nothing, and no file appears in the working directory."""

import pickle

import numpy as np
import pytest


@pytest.fixture
def cwd(tmp_path, monkeypatch):
    """An empty working directory."""
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.mark.nets(
    {
        "plain": {},
        "early stopping": {"early_stopping": True},
        "embedding": {"early_stopping": True, "numerical_embedding": "periodic"},
    }
)
@pytest.mark.having("lr")
@pytest.mark.matrix
def test_nothing_is_printed_and_no_file_appears(
    params, make_random, train_on, outputs, score, X, y, capfd, cwd
):
    estimator = make_random(**params).fit(X, y)
    outputs(pickle.loads(pickle.dumps(estimator)), X)
    score(estimator, X, y)
    estimator.set_params(**dict.fromkeys(params.keys() & {"early_stopping"}, False))
    train_on(estimator.set_params(warm_start=True).fit(X, y), X, y)
    with pytest.raises(ValueError, match="lr"):
        estimator.set_params(lr=1e35, max_epochs=10).fit(X, y)
    assert capfd.readouterr() == ("", "")
    assert list(cwd.iterdir()) == []


@pytest.mark.having("fit_resample")
def test_resampling_prints_nothing(make_random, X, capfd, cwd):
    make_random().fit_resample(X, np.arange(50) % 5 == 0)
    assert capfd.readouterr() == ("", "")
    assert list(cwd.iterdir()) == []


@pytest.mark.nets({"refit": {"refit_full": True}})
def test_refit_prints_nothing(params, make_random, X, y, capfd, cwd):
    make_random(early_stopping=True, **params).fit(X, y)
    assert capfd.readouterr() == ("", "")
    assert list(cwd.iterdir()) == []


def test_verbose_1_shows_a_bar_on_standard_error(make, X, y, capfd, cwd):
    n_epochs = make(verbose=1).fit(X, y).n_iter_
    printed = capfd.readouterr()
    assert printed.out == ""
    assert f"{n_epochs}/{n_epochs}" in printed.err and "train_loss" in printed.err
    assert list(cwd.iterdir()) == []


def test_verbose_2_prints_a_line_for_each_epoch(make, X, y, capfd, cwd):
    estimator = make(verbose=2).fit(X, y)
    printed = capfd.readouterr()
    epochs = [line.split()[0] for line in printed.out.splitlines() if line.split()[0].isdigit()]
    assert epochs == [str(number + 1) for number in range(estimator.n_iter_)]
    assert f"{estimator.loss_curve_[-1]:.4f}" in printed.out
    assert list(cwd.iterdir()) == []


@pytest.mark.having("warm_start")
def test_the_bar_of_verbose_1_counts_the_epochs_of_the_present_call(make, X, y, capfd):
    estimator = make(verbose=1).fit(X, y)
    capfd.readouterr()
    estimator.set_params(warm_start=True, max_epochs=2).fit(X, y)
    assert "2/2" in capfd.readouterr().err


@pytest.mark.having("partial_fit")
def test_the_bar_of_verbose_1_counts_one_epoch_of_a_part(make, X, y, capfd):
    estimator = make(verbose=1).fit(X, y)
    capfd.readouterr()
    estimator.partial_fit(X, y)
    assert "1/1" in capfd.readouterr().err
