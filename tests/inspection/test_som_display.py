"""Pictures of self-organizing maps, compared by their data."""

import copy

import numpy as np
import pandas as pd
import pytest
from sklearn.cluster import KMeans
from sklearn.datasets import load_iris
from sklearn.exceptions import NotFittedError

from skdeep.cluster import SelfOrganizingMap
from skdeep.inspection import SOMDisplay

IRIS, SPECIES = load_iris(return_X_y=True)
NAMES = load_iris().target_names[SPECIES]


@pytest.fixture(scope="module", params=["rectangular", "hexagonal"])
def som(request):
    """Map of iris."""
    params = {"topology": request.param, "device": "cpu", "random_state": 0}
    return SelfOrganizingMap((5, 7), **params).fit(IRIS)


def corners(units):
    """Vertices of each unit, without the one that closes the path; (n_units, n_corners, 2)."""
    return np.array([path.vertices[:-1] for path in units.get_paths()])


def test_units_are_squares_or_hexagons_side_by_side(som):
    (units,) = SOMDisplay.from_estimator(som).units_
    polygons = corners(units)
    n_corners = 4 if som.topology == "rectangular" else 6
    assert polygons.shape == (35, n_corners, 2)
    np.testing.assert_allclose(polygons.mean(axis=1), som.unit_coordinates_, atol=1e-12)
    # a unit and its right neighbor have one side in common
    gaps = np.linalg.norm(polygons[8][:, None] - polygons[9], axis=2)
    assert (gaps < 1e-9).sum() == 2


def test_colors_are_the_u_matrix(som):
    display = SOMDisplay.from_estimator(som)
    np.testing.assert_array_equal(display.units_[0].get_array(), som.u_matrix_.ravel())
    assert display.figure_ is display.ax_.figure


def test_colors_are_numbers_of_samples(som):
    (units,) = SOMDisplay.from_estimator(som, IRIS, kind="hits").units_
    np.testing.assert_array_equal(units.get_array(), np.bincount(som.labels_, minlength=35))


@pytest.mark.parametrize("components", [None, [2, 0]])
def test_each_feature_has_a_panel_with_its_name(components, som):
    display = SOMDisplay.from_estimator(som, kind="components", components=components)
    chosen = range(4) if components is None else components
    assert [ax.get_title() for ax in display.ax_] == [f"feature {i}" for i in chosen]
    for i, units in zip(chosen, display.units_, strict=True):
        np.testing.assert_array_equal(units.get_array(), som.cluster_centers_[:, i])


def test_panels_have_the_names_of_the_columns():
    som = SelfOrganizingMap((2, 3), device="cpu").fit(pd.DataFrame(IRIS, columns=list("abcd")))
    display = SOMDisplay.from_estimator(som, kind="components")
    assert [ax.get_title() for ax in display.ax_] == list("abcd")


def test_colors_are_the_most_frequent_classes(som):
    display = SOMDisplay.from_estimator(som, IRIS, NAMES, kind="classes")
    shown = display.units_[0].get_array()
    for unit in range(35):
        species = SPECIES[som.labels_ == unit]
        if len(species) == 0:
            assert shown.mask[unit]
        else:
            assert shown[unit] == np.bincount(species).argmax()
    texts = [text.get_text() for text in display.ax_.get_legend().get_texts()]
    assert texts == ["setosa", "versicolor", "virginica"]


@pytest.mark.parametrize("n_classes", [1, 3, 10, 11, 20, 21, 50])
def test_each_class_has_a_color_of_its_own(n_classes, som):
    display = SOMDisplay.from_estimator(som, IRIS, np.arange(150) % n_classes, kind="classes")
    colors = [patch.get_facecolor() for patch in display.ax_.get_legend().get_patches()]
    assert len(set(colors)) == n_classes
    shown = display.units_[0].get_array()
    drawn = display.units_[0].to_rgba(shown[~shown.mask])
    np.testing.assert_array_equal(drawn, [colors[int(k)] for k in shown[~shown.mask]])


def test_parameters_that_are_set_after_training_do_not_change_the_picture(som):
    other = "hexagonal" if som.topology == "rectangular" else "rectangular"
    changed = copy.deepcopy(som).set_params(topology=other)
    units = [corners(SOMDisplay.from_estimator(one).units_[0]) for one in (som, changed)]
    np.testing.assert_array_equal(*units)


def test_display_is_drawn_again_on_given_axes(som, plt):
    display = SOMDisplay.from_estimator(som)
    figure, axes = plt.subplots()
    assert display.plot(ax=axes, cmap="gray").ax_ is axes
    assert display.figure_ is figure
    assert display.units_[0].get_cmap().name == "gray"
    _, few = plt.subplots(1, 2)
    with pytest.raises(ValueError, match="ax must have 4 axes; got 2"):
        SOMDisplay.from_estimator(som, kind="components", ax=few)


def test_what_cannot_be_drawn_is_refused(som):
    with pytest.raises(ValueError, match="kind must be one of"):
        SOMDisplay.from_estimator(som, kind="planes")
    with pytest.raises(ValueError, match="kind='hits' needs X; got None"):
        SOMDisplay.from_estimator(som, kind="hits")
    with pytest.raises(ValueError, match="kind='classes' needs X and y; got None"):
        SOMDisplay.from_estimator(som, IRIS, kind="classes")
    with pytest.raises(ValueError, match="inconsistent numbers of samples"):
        SOMDisplay.from_estimator(som, IRIS, SPECIES[:9], kind="classes")
    with pytest.raises(TypeError, match="must be a SelfOrganizingMap; got KMeans"):
        SOMDisplay.from_estimator(KMeans())
    with pytest.raises(NotFittedError):
        SOMDisplay.from_estimator(SelfOrganizingMap())
