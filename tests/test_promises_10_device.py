"""Promise 10: ``device`` is a single parameter; an unavailable device is a helpful error."""

import joblib
import numpy as np
import pytest
import torch
from sklearn.model_selection import GridSearchCV

from skdeep.utils import available_devices

NO_GPU = f"cuda:{torch.cuda.device_count() + 5}"


@pytest.mark.parametrize(
    "device",
    ["tpu", "CPU", "cuda:-1", "cuda:x", NO_GPU, torch.device(NO_GPU), torch.device("meta"), ""],
    ids=str,
)
@pytest.mark.parametrize("as_list", [False, True])
@pytest.mark.matrix
def test_impossible_device_is_an_error_that_names_what_exists(device, as_list, make, X, y):
    estimator = make(device=["cpu", device] if as_list else device)
    with pytest.raises(ValueError, match=r"device must be one of.*'auto'.*'cpu'") as caught:
        estimator.fit(X, y)
    assert repr(device) in str(caught.value)
    assert not hasattr(estimator, "device_")


def test_empty_list_of_devices_is_an_error(make, X, y):
    with pytest.raises(ValueError, match="at least one device"):
        make(device=[]).fit(X, y)


@pytest.mark.parametrize("device", [None, 3, {"cpu"}, [3], [None]], ids=str)
@pytest.mark.matrix
def test_device_of_another_type_is_an_error(device, make, X, y):
    with pytest.raises((ValueError, TypeError), match="device"):
        make(device=device).fit(X, y)


def test_auto_takes_the_best_device_that_exists(make, X, y):
    assert make(device="auto").fit(X, y).device_ == available_devices()[0]


def test_auto_is_the_default(Estimator):
    assert Estimator().device == "auto"


@pytest.mark.parametrize(
    "device", ["cpu", torch.device("cpu"), "cpu:0", ["cpu"], ("cpu", "cpu")], ids=str
)
@pytest.mark.matrix
def test_every_spelling_of_the_cpu_gives_the_same_bits(device, make, assert_same, X, y):
    estimator = make(device=device).fit(X, y)
    assert estimator.device_ == "cpu"
    assert_same(estimator, make().fit(X, y), X)
    assert estimator.get_params()["device"] is device


def test_fitted_estimator_stays_on_its_device(make, train_on, score, X, y):
    estimator = make().fit(X, y).set_params(device=NO_GPU)
    assert train_on(estimator, X, y).device_ == "cpu"
    assert np.isfinite(score(estimator, X, y))


def test_parallel_search_over_a_list_of_devices_equals_the_sequential_one(make, grid, score, X, y):
    scores = []
    for device, n_jobs in (("cpu", 1), (["cpu", "cpu"], 2)):
        search = GridSearchCV(make(device=device), grid, scoring=score, cv=2, n_jobs=n_jobs)
        with joblib.parallel_config(backend="threading"):
            scores.append(search.fit(X, y).cv_results_["mean_test_score"])
    np.testing.assert_array_equal(*scores)


@pytest.mark.gpu
@pytest.mark.parametrize("device", ["cuda", "cuda:0", torch.device("cuda"), ["cuda"]], ids=str)
def test_every_spelling_of_the_first_gpu_works(device, make, X, y):
    estimator = make(device=device).fit(X, y)
    assert estimator.device_ == "cuda:0"
    assert not hasattr(estimator, "module_") or next(estimator.module_.parameters()).is_cuda
