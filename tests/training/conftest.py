"""Shared fixtures of the tests of training: a fast estimator of each kind."""

import pathlib

import pytest

from skdeep.decomposition import Autoencoder


def pytest_collection_modifyitems(items):
    """Ignore warnings about generators that have not converged after a short training."""
    ignore = pytest.mark.filterwarnings("ignore::skdeep.exceptions.ModeCollapseWarning")
    for item in items:
        if item.path.parent == pathlib.Path(__file__).parent:
            item.add_marker(ignore)


@pytest.fixture(scope="session")
def small():
    """Function that makes an estimator which trains in a moment."""

    def small(Class=Autoencoder, **parameters):
        plain = {"max_epochs": 5, "lr_schedule": "constant", "device": "cpu", "random_state": 0}
        plain |= {"n_modes": 2} if "n_modes" in Class().get_params() else {}
        return Class(**{**plain, **parameters})

    return small


@pytest.fixture
def Class(Estimator):
    """Every public estimator's class, under the name that ``nets`` leaves free."""
    return Estimator
