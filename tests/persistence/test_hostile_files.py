"""Damaged and hostile files are refused, and no line of them is executed."""

import importlib.util
import pathlib
import pickle
import sys

import numpy as np
import pytest

from skdeep.decomposition import Autoencoder
from skdeep.exceptions import DeviceUnavailableWarning, PersistenceError
from skdeep.generative import GANSampler
from skdeep.neural_network import ResNetClassifier
from skdeep.persistence import load, save


def _load_attacks():
    path = pathlib.Path(__file__).parents[2] / "benchmarks" / "_attacks.py"
    spec = importlib.util.spec_from_file_location("_attacks", path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


ATTACKS = _load_attacks()
N_FILES = 9


@pytest.fixture(scope="module")
def models(X, y, tmp_path_factory):
    """Bytes of files, and the models in them."""
    small = {"max_epochs": 1, "random_state": 0, "device": "cpu"}
    nets = [
        Autoencoder(2, hidden_layer_sizes=(8,), **small),
        ResNetClassifier(width=8, n_blocks=1, **small),
        GANSampler(latent_dim=3, hidden_layer_sizes=(8,), **small),
    ]
    path = tmp_path_factory.mktemp("models") / "model.skdeep"
    found = []
    for net in nets:
        save(net.fit(X, y), path)
        found.append((path.read_bytes(), net))
    return found


@pytest.mark.parametrize("kind", ATTACKS.DAMAGES)
def test_a_damaged_file_is_refused_or_loads_the_same_model(kind, models, assert_same, X, tmp_path):
    path = tmp_path / "model.skdeep"
    for seed in range(N_FILES):
        data, model = models[seed % len(models)]
        path.write_bytes(ATTACKS.damage(data, kind, np.random.default_rng(seed)))
        try:
            loaded = load(path)
        except PersistenceError:
            continue
        assert_same(loaded, model, X)


@pytest.mark.parametrize("kind", ATTACKS.ATTACKS)
def test_a_hostile_file_executes_nothing(kind, models, tmp_path):
    path, marker = tmp_path / "model.skdeep", tmp_path / "executed"
    n_refused = 0
    for seed in range(N_FILES):
        data, _ = models[seed % len(models)]
        rng = np.random.default_rng(seed)
        path.write_bytes(ATTACKS.attack(data, kind, rng, f"touch {marker}"))
        try:
            load(path)
        except PersistenceError:
            n_refused += 1
    assert not marker.exists()
    assert n_refused > N_FILES // 2


def test_the_payload_of_the_attacks_would_leave_a_trace(models, tmp_path):
    marker = tmp_path / "executed"
    data = pickle.dumps(ATTACKS.Payload(f"touch {marker}"))
    pickle.loads(data)
    assert marker.exists() or sys.platform == "win32"


@pytest.mark.parametrize("data", [b"", b"PK", b"\x80\x04K\x03.", b"hello", bytes(1000)])
def test_a_foreign_file_is_refused(data, tmp_path):
    path = tmp_path / "model.skdeep"
    path.write_bytes(data)
    with pytest.raises(PersistenceError, match=r"Cannot load .*model.skdeep.*damaged"):
        load(path)


def test_a_file_of_skops_is_refused(tmp_path):
    import skops.io

    skops.io.dump(Autoencoder(2), tmp_path / "model.skops")
    with pytest.raises(PersistenceError, match="not written by save"):
        load(tmp_path / "model.skops")


def test_a_model_of_a_missing_gpu_loads_on_the_cpu(models, assert_same, X, tmp_path):
    for data, model in models:
        members = ATTACKS.Members(data)
        members.fitted()["device"] = ATTACKS.json_node("cuda:77")
        (tmp_path / "model.skdeep").write_bytes(members.bytes())
        with pytest.warns(DeviceUnavailableWarning, match="cuda:77"):
            loaded = load(tmp_path / "model.skdeep")
        assert loaded.device_ == "cpu"
        assert_same(loaded, model, X)
