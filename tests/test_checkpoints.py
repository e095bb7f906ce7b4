"""Checkpoints: a fit that was killed is continued by the same call, with the same bits."""

import copy
import functools
import json
import pathlib
import pickle
import subprocess
import sys

import numpy as np
import pytest
from sklearn.cluster import KMeans
from skorch.callbacks import EarlyStopping

from skdeep.decomposition import Autoencoder
from skdeep.ensemble import ClusterwiseRegressor, DeepEnsembleClassifier
from skdeep.model_selection import BatchedGridSearchCV
from skdeep.neural_network import ResNetClassifier, ResNetRegressor
from skdeep.semi_supervised import ClusterPretrainedClassifier

BENCHMARKS = pathlib.Path(__file__).parents[1] / "benchmarks"
SMALL = {"batch_size": 16, "device": "cpu", "random_state": 0}

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="no fork and no SIGKILL")


def _autoencoder(**params):
    return Autoencoder(2, **{"max_epochs": 6, **SMALL, **params})


def _net(**params):
    return ResNetClassifier(width=8, n_blocks=1, **{"max_epochs": 4, **SMALL, **params})


def _weights(estimator):
    return {name: one.numpy() for name, one in estimator.module_.state_dict().items()}


def _assert_same_weights(actual, expected):
    assert actual.loss_curve_ == expected.loss_curve_
    for name, value in _weights(expected).items():
        np.testing.assert_array_equal(_weights(actual)[name], value, err_msg=name)


class _Stop(Exception):
    pass


class _StopAfter:
    """Callback of scikit-learn that raises an error after some epochs."""

    def __init__(self, n_epochs):
        self.n_left = n_epochs

    def setup(self, estimator, context):
        pass

    def teardown(self, estimator, context):
        pass

    def on_fit_task_begin(self, estimator, context):
        pass

    def on_fit_task_end(self, estimator, context):
        self.n_left -= context.task_name == "epoch"
        if not self.n_left:
            raise _Stop


def _fit_until(n_epochs, estimator, X):
    """Fit until an error after some epochs."""
    with pytest.raises(_Stop):
        estimator.set_callbacks(_StopAfter(n_epochs)).fit(X)


# Killed and continued ---------------------------------------------------------------------------

_PROGRAM = """
import functools, pathlib, signal, sys, warnings
import numpy as np
import torch

warnings.simplefilter("ignore")
torch.set_num_threads(1)
sys.path.insert(0, sys.argv[1])
from _kills import kill_and_continue, warm_up
from skdeep.cluster import *
from skdeep.decomposition import *
from skdeep.ensemble import *
from skdeep.generative import *
from skdeep.neural_network import *
from skdeep.semi_supervised import *

small = dict(max_epochs=12, batch_size=8, device="cpu", random_state=0)
net = functools.partial(ResNetClassifier, width=8, n_blocks=1, **small)
coder = dict(hidden_layer_sizes=(8,), n_components=2, **small)
makers = {
    "autoencoder": functools.partial(Autoencoder, early_stopping=True, noise=0.2, tol=0.0, **coder),
    "variational": functools.partial(VariationalAutoencoder, lr_schedule="onecycle", **coder),
    "refit": functools.partial(net, early_stopping=True, refit_full=True, dropout=0.2),
    "gan": functools.partial(GANSampler, hidden_layer_sizes=(8,), **(small | {"n_critic": 2})),
    "dec": functools.partial(
        DeepEmbeddedClustering, 2, pretrain_epochs=9, update_interval=4, tol=0.0, **coder
    ),
    "imsat": functools.partial(IMSAT, n_clusters=2, n_init=2, **small),
    "few labels": functools.partial(FewLabelsClassifier, **small),
    "map": functools.partial(SelfOrganizingMap, (3, 3), algorithm="online", **small),
    "ensemble": lambda **params: DeepEnsembleClassifier(net(**params), 2, random_state=0),
}
X = np.random.default_rng(0).normal(size=(60, 6))
y = np.arange(60) % 2
warm_up()
sign = getattr(signal, sys.argv[2])
for number, name in enumerate(sys.argv[4:]):
    rng = np.random.default_rng(number)
    counts = kill_and_continue(makers[name], X, y, pathlib.Path(), int(sys.argv[3]), rng, sign)
    print(name, counts["killed"], counts["had checkpoints"], counts["differ"], counts["names"])
"""


def _counts(printed):
    lines = [line.rpartition("[")[0].rsplit(maxsplit=3) for line in printed.splitlines()]
    return {name: tuple(map(int, counts)) for name, *counts in lines}


FEW_FAMILIES = ["refit", "dec", "map"]
FAMILIES = [*FEW_FAMILIES, "autoencoder", "variational", "gan", "imsat", "few labels", "ensemble"]


@pytest.mark.parametrize(
    "families", [FEW_FAMILIES, pytest.param(FAMILIES, marks=pytest.mark.slow)], ids=len
)
def test_a_killed_fit_continues_with_the_same_bits(families, run_python):
    counts = _counts(run_python(_PROGRAM, BENCHMARKS, "SIGKILL", 3, *families))
    assert list(counts) == families
    assert {name: differ for name, (_, _, differ) in counts.items() if differ} == {}
    assert sum(had for _, had, _ in counts.values()) > len(families)


@pytest.mark.slow
def test_an_interrupted_fit_continues_with_the_same_bits(run_python):
    counts = _counts(run_python(_PROGRAM, BENCHMARKS, "SIGINT", 3, "refit", "dec"))
    assert {name: differ for name, (_, _, differ) in counts.items() if differ} == {}


@pytest.mark.having("checkpoint")
def test_every_estimator_is_the_same_with_checkpoints_and_from_them(
    make_random, assert_same_state, assert_same, X, y, tmp_path
):
    expected = make_random().fit(X, y)
    for _ in range(2):  # the second fit only reads what the first one has written
        fitted = make_random(checkpoint=tmp_path, checkpoint_every=1).fit(X, y)
        assert_same_state(fitted, expected)
        assert_same(fitted, expected, X)


def test_a_finished_fit_is_not_repeated(X, tmp_path):
    _autoencoder(checkpoint=tmp_path).fit(X)
    before = {path: path.stat().st_mtime_ns for path in tmp_path.glob("*.pt")}
    fitted = _autoencoder(checkpoint=str(tmp_path)).fit(X)
    assert {path: path.stat().st_mtime_ns for path in tmp_path.glob("*.pt")} == before
    _assert_same_weights(fitted, _autoencoder().fit(X))


def test_a_fit_without_random_state_continues_with_its_seed(X, tmp_path):
    params = {"random_state": None, "checkpoint": tmp_path}
    first = _autoencoder(**params).fit(X)
    _assert_same_weights(_autoencoder(**params).fit(X), first)


@pytest.mark.parametrize("lr_schedule", ["constant", "cosine", "onecycle", "plateau"])
@pytest.mark.parametrize("optimizer", ["adamw", "sgd"])
def test_a_schedule_continues(lr_schedule, optimizer, X, tmp_path):
    params = {"lr_schedule": lr_schedule, "optimizer": optimizer, "max_epochs": 9}
    params |= {"n_iter_no_change": 3, "tol": 0.02}
    checkpoints = {"checkpoint": tmp_path, "checkpoint_every": 2}
    _fit_until(5, _autoencoder(**params, **checkpoints), X)
    fitted = _autoencoder(**params, **checkpoints).fit(X)
    _assert_same_weights(fitted, _autoencoder(**params).fit(X))


def test_the_last_two_checkpoints_of_a_training_are_kept(X, tmp_path):
    _fit_until(5, _autoencoder(checkpoint=tmp_path, checkpoint_every=1), X)
    files = sorted(path.name for path in tmp_path.glob("*.pt"))
    assert len(files) == 2
    assert {path.name for path in tmp_path.iterdir()} == {*files, "fit.json", "lock"}


@pytest.mark.parametrize("n_damaged", [1, 2])
def test_a_damaged_checkpoint_is_not_used(n_damaged, X, tmp_path):
    params = {"checkpoint": tmp_path, "checkpoint_every": 1}
    _fit_until(5, _autoencoder(**params), X)
    for path in sorted(tmp_path.glob("*.pt"))[-n_damaged:]:
        data = bytearray(path.read_bytes())
        data[len(data) // 2] ^= 1
        path.write_bytes(data)
    _assert_same_weights(_autoencoder(**params).fit(X), _autoencoder().fit(X))


@pytest.mark.slow
def test_files_that_a_killed_process_has_not_finished_are_removed(run_python, X, tmp_path):
    # the process is killed between writing a checkpoint and renaming it
    run_python(
        "import os, pathlib, signal, subprocess, sys\n"
        "import numpy as np\n"
        "from skdeep.decomposition import Autoencoder\n"
        "def kill(event, arguments):\n"
        "    if event == 'os.rename' and 'training' in str(arguments[1]):\n"
        "        os.kill(os.getpid(), signal.SIGKILL)\n"
        "child = os.fork()\n"
        "if child == 0:\n"
        "    sys.addaudithook(kill)\n"
        "    Autoencoder(2, max_epochs=6, checkpoint=sys.argv[1]).fit(np.eye(6))\n"
        "    os._exit(0)\n"
        "assert os.waitpid(child, 0)[1] == signal.SIGKILL\n"
        "(pathlib.Path(sys.argv[1]) / 'fit.json').unlink()\n",
        tmp_path,
    )
    assert len([path for path in tmp_path.iterdir() if path.name.startswith(".")]) == 1
    _autoencoder(checkpoint=tmp_path).fit(X)
    assert {path.name for path in tmp_path.iterdir()} == {"fit.json", "lock", "training000-end.pt"}


@pytest.mark.parametrize("content", ["", "{", "[]", "3", '{"class": 1}'])
def test_a_damaged_description_of_the_fit_is_an_error_that_says_so(content, X, tmp_path):
    _autoencoder(checkpoint=tmp_path).fit(X)
    (tmp_path / "fit.json").write_text(content)
    with pytest.raises(ValueError, match=r"fit.json' is damaged or does not describe one"):
        _autoencoder(checkpoint=tmp_path).fit(X)


def test_files_appear_only_in_the_folder(X, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    _autoencoder(checkpoint="runs/first").fit(X)
    assert [path.name for path in tmp_path.iterdir()] == ["runs"]


# Other fits -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("params", "match"),
    [
        ({"lr": 0.5}, r"lr \(was 0.001, is 0.5\)"),
        ({"max_epochs": 9, "noise": 0.1}, r"max_epochs \(was 6, is 9\), noise"),
        ({"random_state": 1}, "random_state"),
    ],
)
def test_other_parameters_are_named(params, match, X, tmp_path):
    _autoencoder(checkpoint=tmp_path).fit(X)
    with pytest.raises(ValueError, match=f"contains one that differs in: {match}"):
        _autoencoder(checkpoint=tmp_path, **params).fit(X)


def test_other_data_are_named(X, y, tmp_path):
    weight = np.ones(50)
    _net(checkpoint=tmp_path).fit(X, y, sample_weight=weight)
    others = [
        ((X + 1, y, weight), "X"),
        ((X, 1 - y, weight), "y"),
        ((X, y, weight + (y == 0)), "sample_weight"),
        ((X, np.array(["a", "b"])[y], weight), "classes or columns"),
    ]
    for (X_, y_, weight_), match in others:
        with pytest.raises(ValueError, match=f"differs in: {match}"):
            _net(checkpoint=tmp_path).fit(X_, y_, sample_weight=weight_)


def test_a_version_of_torch_is_named(X, tmp_path):
    _autoencoder(checkpoint=tmp_path).fit(X)
    described = json.loads((tmp_path / "fit.json").read_text())
    described["versions"]["torch"] = "2.4.0"
    (tmp_path / "fit.json").write_text(json.dumps(described))
    with pytest.raises(ValueError, match="differs in: versions"):
        _autoencoder(checkpoint=tmp_path).fit(X)


def test_a_warm_start_needs_another_folder(X, tmp_path):
    fitted = _autoencoder(checkpoint=tmp_path / "a", warm_start=True).fit(X)
    with pytest.raises(ValueError, match="fitted weights to continue from"):
        fitted.fit(X)
    fitted.set_params(checkpoint=tmp_path / "b").fit(X)
    assert fitted.n_iter_ == 12


def test_a_warm_start_continues_from_its_checkpoint(X, tmp_path):
    first = _autoencoder(warm_start=True).fit(X)
    expected = copy.deepcopy(first).fit(X)
    interrupted = copy.deepcopy(first).set_params(checkpoint=tmp_path, checkpoint_every=1)
    _fit_until(3, interrupted, X)
    continued = pickle.loads(pickle.dumps(first)).set_params(checkpoint=str(tmp_path), verbose=0)
    _assert_same_weights(continued.fit(X), expected)


def test_partial_fit_needs_no_checkpoint(X, tmp_path):
    _autoencoder(checkpoint=tmp_path / "unused").partial_fit(X)
    assert list(tmp_path.iterdir()) == []


def test_callbacks_of_skorch_are_refused(X, tmp_path):
    with pytest.raises(ValueError, match="callbacks must be None with checkpoint"):
        _autoencoder(checkpoint=tmp_path, callbacks=[EarlyStopping(monitor="train_loss")]).fit(X)


# Folders ----------------------------------------------------------------------------------------


def test_a_folder_in_use_is_an_error_that_names_the_process(X, tmp_path, python_command):
    code = (
        "import pathlib, sys\n"
        "from skdeep.utils._lock import locked\n"
        "with locked(pathlib.Path(), 'A test'):\n"
        "    print('locked', flush=True)\n"
        "    sys.stdin.read()\n"
    )
    command, environment = python_command(code)
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE}
    with subprocess.Popen(command, env=environment, cwd=tmp_path, text=True, **pipes) as process:
        assert process.stdout.readline() == "locked\n"
        with pytest.raises(RuntimeError, match=f"in use by process {process.pid}"):
            _autoencoder(checkpoint=tmp_path).fit(X)
        process.kill()
    _autoencoder(checkpoint=tmp_path).fit(X)  # the system has released the lock


def test_a_folder_that_cannot_be_made_is_an_error_that_says_so(X, tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(OSError, match="checkpoint must be a folder that can be written"):
        _autoencoder(checkpoint=tmp_path / "file" / "run").fit(X)


def test_a_read_only_folder_is_an_error_that_says_so(X):
    with pytest.raises(OSError, match="checkpoint must be a folder that can be written"):
        _autoencoder(checkpoint="/proc/run").fit(X)


@pytest.mark.slow
def test_a_full_disk_is_an_error_and_the_earlier_checkpoint_is_kept(run_python, tmp_path):
    # with a limit on the size of files, the system refuses to write more, as on a full disk
    run_python(
        "import resource, pathlib\n"
        "import numpy as np\n"
        "from skdeep.decomposition import Autoencoder\n"
        "X = np.random.default_rng(0).normal(size=(50, 6))\n"
        "def make(**params):\n"
        "    return Autoencoder(2, batch_size=16, max_epochs=6, random_state=0, **params)\n"
        "def fit():\n"
        "    return make(checkpoint='run', checkpoint_every=1).fit(X)\n"
        "limit, hard = resource.getrlimit(resource.RLIMIT_FSIZE)\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, hard))\n"
        "try:\n"
        "    fit()\n"
        "except OSError as error:\n"
        "    assert 'a checkpoint cannot be written' in str(error), error\n"
        "else:\n"
        "    raise AssertionError('the disk is not full')\n"
        "assert not list(pathlib.Path('run').glob('.*')), 'temporary files are left'\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (limit, hard))\n"
        "assert (fit().transform(X) == make().fit(X).transform(X)).all()\n"
    )


# Ensembles and searches -------------------------------------------------------------------------


@pytest.mark.parametrize(
    "make",
    [
        lambda net: DeepEnsembleClassifier(net, 2, random_state=0),
        lambda net: ClusterPretrainedClassifier(
            KMeans(2, n_init=1), net, pretrain_epochs=2, random_state=0
        ),
    ],
)
def test_members_have_folders_of_their_own(make, X, y, tmp_path):
    expected = make(_net()).fit(X, y).predict_proba(X)
    for _ in range(2):
        fitted = make(_net(checkpoint=tmp_path, checkpoint_every=1)).fit(X, y)
        np.testing.assert_array_equal(fitted.predict_proba(X), expected)
    assert len([path for path in tmp_path.iterdir() if path.is_dir()]) == 2


def test_members_of_clusters_have_folders_of_their_own(X, tmp_path):
    net = ResNetRegressor(width=8, n_blocks=1, max_epochs=2, **SMALL)
    clusterwise = functools.partial(
        ClusterwiseRegressor, KMeans(2, n_init=1, random_state=0), net, min_cluster_size=2
    )
    expected = clusterwise().fit(X, X[:, 0]).predict(X)
    net.set_params(checkpoint=tmp_path)
    for _ in range(2):
        fitted = clusterwise().fit(X, X[:, 0])
        np.testing.assert_array_equal(fitted.predict(X), expected)


def test_candidates_of_a_search_cannot_share_a_folder(X, y, tmp_path):
    options = {"cv": 2, "error_score": "raise"}
    search = BatchedGridSearchCV(_net(checkpoint=tmp_path), {"lr": [1e-3, 1e-2]}, **options)
    with pytest.raises(ValueError, match="checkpoint must be a folder of the same fit"):
        search.fit(X, y)
