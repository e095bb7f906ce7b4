"""Shared fixtures of the tests of training: a fast estimator of each kind."""

import pathlib

import pytest

from skdeep.decomposition import Autoencoder


def pytest_collection_modifyitems(items):
    """Ignore warnings about generators and clusters after a short training."""
    ignore = [
        pytest.mark.filterwarnings("ignore::skdeep.exceptions.ModeCollapseWarning"),
    ]
    for item in items:
        if item.path.parent == pathlib.Path(__file__).parent:
            for mark in ignore:
                item.add_marker(mark)


@pytest.fixture(scope="session")
def small():
    """Function that makes an estimator which trains in a moment."""

    def small(Class=Autoencoder, **parameters):
        plain = {"max_epochs": 5, "lr_schedule": "constant", "device": "cpu", "random_state": 0}
        known = Class().get_params().keys()
        plain |= {"n_modes": 2} if "n_modes" in known else {}
        clusters = {"n_clusters": 2, "pretrain_epochs": 0, "update_interval": 1, "tol": 0.0}
        plain |= clusters if clusters.keys() <= known else {}
        few = {"n_clusters": 9, "update_interval": 1}
        plain |= few if "explained_variance" in known else {}
        plain |= {"n_init": 1, "lr": 1e-3} if "invariance" in known else {}
        residual = {"lr": 1e-3, "norm": "batch", "refit_full": False, "validation_fraction": 0.1}
        plain |= residual if "refit_full" in known else {}
        plain |= {"invariance": "vat"}
        plain |= {"radius": 1.0}
        plain = {name: plain[name] for name in plain.keys() & known}
        return Class(**{**plain, **parameters})

    return small


@pytest.fixture
def Class(Estimator):
    """Every public estimator's class, under the name that ``nets`` leaves free."""
    return Estimator
