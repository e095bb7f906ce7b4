"""Names of devices, and pools of them for parallel workers."""

import threading

import pytest
import torch

from skdeep.utils import available_devices
from skdeep.utils._device import device_exists, lease_device, resolve_device


def test_the_cpu_is_there_and_comes_last():
    assert available_devices()[-1] == "cpu"
    assert len(available_devices()) >= torch.cuda.device_count() + 1


def test_auto_is_the_first_of_the_available_devices():
    assert resolve_device("auto") == available_devices()[0]


@pytest.mark.parametrize("device", ["cpu", "cpu:0", torch.device("cpu"), torch.device("cpu", 0)])
def test_spellings_of_the_cpu_have_one_name(device):
    assert resolve_device(device) == "cpu"


@pytest.mark.parametrize("device", ["cuda:77", "vulkan", "", "cpu:1", torch.device("cuda", 77)])
def test_unknown_device_is_an_error_that_names_what_exists(device):
    with pytest.raises(ValueError, match=r"device must be one of \['auto'.*'cpu'\].*got"):
        resolve_device(device)
    assert not device_exists(str(device))


@pytest.mark.parametrize("device", [0, None, 1.5, b"cpu", ("cpu",)])
def test_device_that_is_no_name_is_a_type_error(device):
    with pytest.raises(TypeError, match=f"device must be.*{type(device).__name__}"):
        resolve_device(device)


def test_every_available_device_is_accepted_by_torch_and_exists():
    for name in available_devices():
        assert torch.ones(1, device=resolve_device(name)).sum() == 1
        assert device_exists(name)


@pytest.mark.parametrize("pool", [["cpu"], ("cpu", "cpu"), [torch.device("cpu"), "auto"]])
def test_lease_gives_a_device_of_the_pool(pool):
    with lease_device(pool) as name:
        assert name in {resolve_device(device) for device in pool}


def test_lease_of_one_device_gives_that_one():
    with lease_device("cpu") as name:
        assert name == "cpu"


def test_lease_checks_every_device_of_the_pool():
    with pytest.raises(ValueError, match="got 'cuda:77'"), lease_device(["cpu", "cuda:77"]):
        pass
    with pytest.raises(ValueError, match="empty list"), lease_device([]):
        pass


def test_threads_share_one_device_without_waiting_for_each_other():
    meeting = threading.Barrier(3, timeout=30)

    def work():
        with lease_device(["cpu"]):
            meeting.wait()  # passes only when all threads hold the device at once

    threads = [threading.Thread(target=work) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not meeting.broken


def test_failure_inside_a_lease_passes_through():
    with pytest.raises(KeyError, match="inside"), lease_device(["cpu"]):
        raise KeyError("inside")


@pytest.mark.gpu
def test_threads_of_one_process_take_different_devices_of_a_pool():
    pool = ["cuda:0", "cpu"]
    with lease_device(pool) as first, lease_device(pool) as second:
        assert {first, second} == {"cuda:0", "cpu"}
        with lease_device(pool) as third:
            assert third in pool
    with lease_device(pool) as again:
        assert again == first


@pytest.mark.gpu
def test_cuda_without_a_number_is_the_first_gpu():
    assert resolve_device("cuda") == resolve_device(torch.device("cuda")) == "cuda:0"
