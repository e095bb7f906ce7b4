"""Batched searches on the workers of a dask cluster."""

import sys

import pytest
from joblib import parallel_config
from sklearn.datasets import load_digits
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from skdeep.decomposition import Autoencoder
from skdeep.model_selection import BatchedGridSearchCV, BatchedHalvingSearchCV

X, Y = (part[:120] for part in load_digits(n_class=3, return_X_y=True))
RATES = {"autoencoder__lr": [1e-3, 3e-3, 1e-2]}
HALVING = {"resource": "autoencoder__max_epochs", "n_candidates": 3, "random_state": 0}


def loaded_modules():
    return set(sys.modules)


@pytest.mark.slow
@pytest.mark.parametrize(
    "search",
    [(BatchedGridSearchCV, {}), (BatchedHalvingSearchCV, HALVING)],
    ids=["grid", "halving"],
)
def test_workers_of_a_cluster_find_the_same(search, assert_same_search, tmp_path):
    from distributed import Client  # takes a second

    net = Autoencoder(3, hidden_layer_sizes=(8,), max_epochs=9, device="cpu", random_state=0)
    pipe = make_pipeline(StandardScaler(), net, LogisticRegression(max_iter=1000))
    kind, options = search
    one = kind(pipe, RATES, cv=3, **options).fit(X, Y)
    places = {"dashboard_address": None, "local_directory": tmp_path}
    with Client(n_workers=2, threads_per_worker=1, **places) as client:
        with parallel_config(backend="dask"):
            two = kind(pipe, RATES, cv=3, n_jobs=2, **options).fit(X, Y)
        modules = client.run(loaded_modules).values()
    assert all("skdeep.model_selection" in each for each in modules)
    assert_same_search(two, one)
