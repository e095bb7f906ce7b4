"""Warnings point to the user's line that called ``fit``, not to a line in a library."""

import pytest
from sklearn.datasets import load_iris
from sklearn.exceptions import ConvergenceWarning
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from skdeep.decomposition import Autoencoder
from skdeep.exceptions import ModeCollapseWarning
from skdeep.generative import GANSampler
from skdeep.model_selection import BatchedGridSearchCV

IRIS, _ = load_iris(return_X_y=True)
NET = Autoencoder(max_epochs=5, lr=3e-4, early_stopping=True, device="cpu", random_state=0)
GRID = {"lr": [3e-4, 1e-3]}


@pytest.mark.parametrize(
    "estimator",
    [
        NET,
        make_pipeline(StandardScaler(), NET),
        GridSearchCV(NET, GRID, cv=2),
        BatchedGridSearchCV(NET, GRID, cv=2),
    ],
    ids=["net", "pipeline", "search", "batched search"],
)
def test_a_warning_points_to_the_line_that_called_fit(estimator):
    with pytest.warns(ConvergenceWarning) as record:
        estimator.fit(IRIS)
    assert {warning.filename for warning in record} == {__file__}


def test_a_warning_of_a_collapse_points_to_the_line_that_called_fit():
    few = IRIS[::3]
    gan = GANSampler(warm_start=True, max_epochs=1, device="cpu", random_state=0).fit(few)
    with pytest.warns(ModeCollapseWarning) as record:
        gan.set_params(lr=1e-12).fit(100 * few)
    assert {warning.filename for warning in record} == {__file__}
