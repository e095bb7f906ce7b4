"""Samples in a plane, compared by their places and colors."""

import numpy as np
import pytest
import scipy.sparse as sp
from sklearn.cluster import DBSCAN, KMeans
from sklearn.datasets import load_diabetes, load_iris
from sklearn.decomposition import PCA
from sklearn.exceptions import NotFittedError
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from skdeep.cluster import IMSAT
from skdeep.decomposition import Autoencoder
from skdeep.inspection import ClusterMapDisplay, LatentSpaceDisplay

X, Y = load_iris(return_X_y=True)
NAMES = load_iris().target_names[Y]
SMALL = {"max_epochs": 3, "device": "cpu", "random_state": 0}
LAYERS = {"hidden_layer_sizes": (8,), **SMALL}


def places(display):
    return np.asarray(display.points_.get_offsets())


def legend(display):
    return [text.get_text() for text in display.ax_.get_legend().get_texts()]


def legend_colors(display):
    return np.array([patch.get_facecolor() for patch in display.ax_.get_legend().get_patches()])


def axis_names(display):
    return [display.ax_.get_xlabel(), display.ax_.get_ylabel()]


def colors(display):
    """Color of each point."""
    return display.points_.to_rgba(display.points_.get_array())


def test_points_are_codes_of_two_components():
    ae = Autoencoder(2, **LAYERS).fit(X)
    display = LatentSpaceDisplay.from_estimator(ae, X)
    np.testing.assert_array_equal(places(display), ae.transform(X))
    assert axis_names(display) == ["component 0", "component 1"]
    assert display.ax_.get_legend() is None


def test_two_of_several_components_are_chosen():
    display = LatentSpaceDisplay.from_predictions(X, components=(3, 1))
    np.testing.assert_array_equal(places(display), X[:, [3, 1]])
    assert axis_names(display) == ["component 3", "component 1"]


def test_more_than_two_components_are_projected_to_their_principal_components():
    display = LatentSpaceDisplay.from_predictions(X)
    np.testing.assert_allclose(places(display), PCA(2).fit_transform(X))
    assert axis_names(display) == ["first principal component", "second principal component"]


@pytest.mark.parametrize("y, names", [(NAMES, list(np.unique(NAMES))), (Y, ["0", "1", "2"])])
def test_classes_have_the_colors_of_the_legend(y, names):
    display = LatentSpaceDisplay.from_predictions(X[:, :2], y)
    assert legend(display) == names == display.classes
    np.testing.assert_array_equal(colors(display), legend_colors(display)[Y])
    assert len(np.unique(legend_colors(display), axis=0)) == 3


@pytest.mark.parametrize("y", [X[:, 0], load_diabetes().target[:150], np.arange(150)])
def test_numbers_have_a_color_bar(y):
    display = LatentSpaceDisplay.from_predictions(X[:, :2], y)
    np.testing.assert_array_equal(display.points_.get_array(), y)
    assert display.ax_.get_legend() is None
    assert len(display.figure_.axes) == 2


def test_codes_of_pipelines_and_of_other_transformers_are_drawn():
    pipe = make_pipeline(StandardScaler(), PCA(2)).fit(X)
    display = LatentSpaceDisplay.from_estimator(pipe, X, Y)
    np.testing.assert_allclose(places(display), pipe.transform(X))


def test_clusters_and_classes_are_drawn_in_the_same_places():
    labels = KMeans(3, random_state=0).fit_predict(X)
    display = ClusterMapDisplay.from_predictions(X[:, :2], labels, NAMES)
    assert legend(display) == ["0", "1", "2"]
    np.testing.assert_array_equal(places(display), X[:, :2])
    np.testing.assert_array_equal(colors(display), legend_colors(display)[labels])
    display.plot(color_by="classes")
    assert legend(display) == list(np.unique(NAMES))
    np.testing.assert_array_equal(places(display), X[:, :2])
    np.testing.assert_array_equal(colors(display), legend_colors(display)[Y])


def test_plane_of_a_deep_clusterer_is_that_of_its_codes():
    imsat = IMSAT(3, n_init=1, **SMALL).fit(X)
    display = ClusterMapDisplay.from_estimator(imsat, X)
    np.testing.assert_allclose(places(display), PCA(2).fit_transform(imsat.transform(X)), atol=1e-4)
    np.testing.assert_array_equal(display.labels, imsat.predict(X))


def test_plane_of_a_pipeline_is_what_its_clusterer_gets():
    ae = Autoencoder(2, **LAYERS)
    pipe = make_pipeline(StandardScaler(), ae, KMeans(3, random_state=0)).fit(X)
    display = ClusterMapDisplay.from_estimator(pipe, X)
    np.testing.assert_array_equal(places(display), pipe[:-1].transform(X))
    np.testing.assert_array_equal(display.labels, pipe.predict(X))


def test_plane_of_other_clusterers_is_that_of_the_features():
    kmeans = KMeans(3, random_state=0).fit(X)
    for samples in (X, sp.csr_array(X)):
        display = ClusterMapDisplay.from_estimator(kmeans, samples, components=(2, 3))
        np.testing.assert_array_equal(places(display), X[:, 2:])


def test_noise_is_a_cluster_of_its_own():
    labels = DBSCAN(eps=0.3).fit_predict(X)
    display = ClusterMapDisplay.from_predictions(X, labels)
    assert legend(display)[0] == "-1"
    is_noise = (colors(display) == legend_colors(display)[0]).all(axis=1)
    np.testing.assert_array_equal(is_noise, labels == -1)


def test_a_single_component_is_drawn_as_a_strip():
    ae = Autoencoder(1, **LAYERS).fit(X)
    kmeans = KMeans(3, n_init=1, random_state=0)
    pipe = make_pipeline(ae, kmeans).fit(X)
    codes = LatentSpaceDisplay.from_estimator(ae, X, NAMES)
    clusters = ClusterMapDisplay.from_estimator(pipe, X)
    for display, Z in ((codes, ae.transform(X)), (clusters, pipe[:-1].transform(X))):
        np.testing.assert_array_equal(places(display)[:, 0], Z[:, 0])
        heights = np.sort(places(display)[:, 1])
        assert (np.diff(heights) > 0.25 / len(X)).all()  # no two points are close
        assert axis_names(display) == ["component 0", ""]
        assert len(display.ax_.get_yticks()) == 0
    np.testing.assert_array_equal(colors(codes), legend_colors(codes)[Y])


@pytest.mark.parametrize("display", [LatentSpaceDisplay, ClusterMapDisplay])
def test_planes_that_do_not_exist_are_refused(display):
    labels = () if display is LatentSpaceDisplay else (Y,)
    with pytest.raises(ValueError, match=r"\(n_samples, n_components\); got shape \(150,\)"):
        display.from_predictions(X[:, 0], *labels)
    with pytest.raises(ValueError, match="components must be two indices below 1"):
        display.from_predictions(X[:, :1], *labels, components=(0, 1))
    for components in ((0, 4), (0, -1), (0, 1, 2), (1,)):
        with pytest.raises(ValueError, match="components must be two indices below 4"):
            display.from_predictions(X, *labels, components=components)


def test_what_cannot_be_drawn_is_refused():
    with pytest.raises(ValueError, match="kind must be one of"):
        LatentSpaceDisplay.from_estimator(PCA(2), X, kind="tree")
    with pytest.raises(ValueError, match="kind='scatter' needs X; got None"):
        LatentSpaceDisplay.from_estimator(PCA(2))
    with pytest.raises(TypeError, match="must have a method transform; got DBSCAN"):
        LatentSpaceDisplay.from_estimator(DBSCAN(), X)
    with pytest.raises(NotFittedError):
        LatentSpaceDisplay.from_estimator(Autoencoder(), X)
    with pytest.raises(ValueError, match="inconsistent numbers of samples"):
        LatentSpaceDisplay.from_predictions(X, Y[:9])
    with pytest.raises(
        TypeError, match=r"must have a method predict; got DBSCAN.*from_predictions"
    ):
        ClusterMapDisplay.from_estimator(DBSCAN(), X)
    with pytest.raises(ValueError, match="inconsistent numbers of samples"):
        ClusterMapDisplay.from_predictions(X, Y[:9])
    with pytest.raises(ValueError, match="color_by must be one of"):
        ClusterMapDisplay.from_predictions(X, Y, color_by="species")
    with pytest.raises(ValueError, match="color_by='classes' needs y; got None"):
        ClusterMapDisplay.from_predictions(X, Y, color_by="classes")
