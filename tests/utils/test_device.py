"""Available devices, and device lists shared by fits in several threads."""

import threading
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
import torch
from skorch.callbacks import Callback

from skdeep.decomposition import Autoencoder
from skdeep.utils import available_devices

X = np.random.default_rng(0).normal(size=(20, 4))


class Meeting(Callback):
    """Continues when the fits of all threads have started."""

    def __init__(self, barrier):
        self.barrier = barrier

    def on_train_begin(self, net, **kwargs):
        self.barrier.wait()


def devices_of_fits_at_once(pool, n_fits):
    """Devices of several fits, none of which ends before all have started."""
    meeting = Meeting(threading.Barrier(n_fits, timeout=30))
    net = {"max_epochs": 1, "device": pool, "callbacks": [meeting]}
    with ThreadPoolExecutor(n_fits) as executor:
        fits = [executor.submit(Autoencoder(2, **net).fit, X) for _ in range(n_fits)]
        return sorted(fit.result().device_ for fit in fits)


def test_the_cpu_is_there_and_comes_last():
    assert available_devices()[-1] == "cpu"
    assert len(available_devices()) >= torch.cuda.device_count() + 1


def test_every_available_device_is_accepted_by_torch_and_trains():
    for name in available_devices():
        assert torch.ones(1, device=name).sum() == 1
        assert Autoencoder(2, max_epochs=1, device=name).fit(X).device_ == name


@pytest.mark.parametrize("pool", [["cpu"], ("cpu", torch.device("cpu")), "cpu"])
def test_threads_share_one_device_without_waiting_for_each_other(pool):
    assert devices_of_fits_at_once(pool, 3) == ["cpu"] * 3


@pytest.mark.gpu
def test_threads_of_one_process_take_different_devices_of_a_pool():
    pool = ["cuda:0", "cpu"]
    assert devices_of_fits_at_once(pool, 2) == ["cpu", "cuda:0"]
    with pytest.raises(ValueError, match="X contains NaN"):  # releases its device
        Autoencoder(2, device=pool).fit(X * np.nan)
    assert devices_of_fits_at_once(pool, 2) == ["cpu", "cuda:0"]
    assert Autoencoder(2, max_epochs=1, device=pool).fit(X).device_ == "cuda:0"


@pytest.mark.gpu
@pytest.mark.parametrize("device", ["cuda", torch.device("cuda")])
def test_cuda_without_a_number_is_the_first_gpu(device):
    assert Autoencoder(2, max_epochs=1, device=device).fit(X).device_ == "cuda:0"
