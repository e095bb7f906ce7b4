"""Predefined search spaces."""

import numpy as np
import pytest
from sklearn.decomposition import PCA
from sklearn.model_selection import ParameterSampler
from sklearn.pipeline import make_pipeline

from skdeep.decomposition import Autoencoder, VariationalAutoencoder
from skdeep.model_selection import BatchedRandomizedSearchCV, search_space
from skdeep.neural_network import ResNetClassifier, ResNetRegressor

KINDS = [Autoencoder, VariationalAutoencoder, ResNetClassifier, ResNetRegressor]
IMAGE = {"image_shape": (8, 8)}


@pytest.fixture
def rng():
    return np.random.default_rng(0)


@pytest.mark.parametrize("params", [{}, IMAGE], ids=["table", "image"])
@pytest.mark.parametrize("kind", KINDS)
def test_every_draw_can_be_fitted(kind, params, rng):
    X = rng.random((40, 64))
    y = rng.integers(2, size=40)
    for draw in ParameterSampler(search_space(kind(**params)), 4, random_state=0):
        net = kind(**params, random_state=0).set_params(**draw, max_epochs=1)
        net.fit(X, y)


def test_images_have_a_space_of_their_own():
    assert "stem_width" in search_space(ResNetClassifier(**IMAGE))
    assert "width" not in search_space(ResNetClassifier(**IMAGE))


def test_space_of_a_pipeline_is_that_of_its_nets():
    pipe = make_pipeline(PCA(), Autoencoder(), ResNetClassifier())
    space = search_space(pipe)
    assert {name.partition("__")[0] for name in space} == {"autoencoder", "resnetclassifier"}
    assert space.keys() <= pipe.get_params().keys()


def test_a_space_is_the_callers_own():
    search_space(Autoencoder()).pop("lr")
    assert "lr" in search_space(Autoencoder())


@pytest.mark.parametrize("estimator", [PCA(), make_pipeline(PCA())])
def test_an_estimator_without_a_space_is_an_error(estimator):
    with pytest.raises(ValueError, match="search_space knows"):
        search_space(estimator)


def test_a_search_takes_a_space(rng):
    net = ResNetClassifier(max_epochs=1, random_state=0)
    space = {**search_space(net), "width": [8, 16], "n_blocks": [1, 2]}
    X, y = rng.random((60, 4)), rng.integers(2, size=60)
    search = BatchedRandomizedSearchCV(net, space, n_iter=6, cv=2, random_state=0).fit(X, y)
    assert len(search.cv_results_["params"]) == 6
