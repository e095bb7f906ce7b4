"""What holds for every display."""

import inspect
import sys

import matplotlib as mpl
import numpy as np
import pytest
from sklearn.datasets import load_digits

import skdeep.inspection
from skdeep.cluster import IMSAT, SelfOrganizingMap
from skdeep.decomposition import Autoencoder, VariationalAutoencoder
from skdeep.ensemble import DeepEnsembleClassifier
from skdeep.inspection import (
    ClusterMapDisplay,
    EnsembleDisagreementDisplay,
    LatentSpaceDisplay,
    LossCurveDisplay,
    ReconstructionDisplay,
    ReconstructionErrorDisplay,
    SamplesDisplay,
    SearchResultsDisplay,
    SOMDisplay,
    SyntheticTableDisplay,
)
from skdeep.model_selection import BatchedHalvingSearchCV
from skdeep.neural_network import ResNetClassifier

X, Y = load_digits(return_X_y=True)
X, Y = X[:100], Y[:100]
SMALL = {"device": "cpu", "random_state": 0}
TABLE = X[:, 2:5]


@pytest.fixture(scope="module")
def nets():
    """Fitted estimators by the name of what they do."""
    layers = {"hidden_layer_sizes": (8,), "max_epochs": 2, **SMALL}
    net = ResNetClassifier(1, width=8, max_epochs=4, device="cpu")
    halving = BatchedHalvingSearchCV(
        net.set_params(random_state=0),
        {"lr": [1e-3, 1e-2], "dropout": [0.0, 0.1]},
        n_candidates="all",
        factor=2,
        min_resources=1,
        cv=2,
        refit=False,
    )
    imsat = IMSAT(3, max_epochs=4, n_init=1, **SMALL)
    return {
        "encode": Autoencoder(3, **layers).fit(X),
        "generate": VariationalAutoencoder(3, **layers).fit(X),
        "cluster": imsat.fit(X),
        "map": SelfOrganizingMap((3, 4), **SMALL).fit(X),
        "search": halving.fit(X, Y % 2),
        "vote": DeepEnsembleClassifier(net, 2, random_state=0).fit(X, Y % 2),
    }


def image(display):
    return display.image_.get_cmap().name


def points(display):
    return display.points_.get_cmap().name


def hist(display):
    return len(display.bars_[0])


# by name: the call that draws, an argument for matplotlib, and where it can be seen
CASES = {
    "losses": (
        lambda nets, **options: LossCurveDisplay.from_estimator(nets["encode"], **options),
        {"linewidth": 7.0},
        lambda display: display.lines_[0].get_linewidth(),
    ),
    "reconstructions": (
        lambda nets, **options: ReconstructionDisplay.from_estimator(
            nets["encode"], X, image_shape=(8, 8), **options
        ),
        {"cmap": "viridis"},
        image,
    ),
    "codes": (
        lambda nets, **options: LatentSpaceDisplay.from_estimator(nets["encode"], X, Y, **options),
        {"cmap": "gray"},
        points,
    ),
    "traversal": (
        lambda nets, **options: LatentSpaceDisplay.from_estimator(
            nets["generate"], kind="traversal", image_shape=(8, 8), **options
        ),
        {"cmap": "viridis"},
        image,
    ),
    "errors": (
        lambda nets, **options: ReconstructionErrorDisplay.from_estimator(
            nets["encode"], X, Y % 2, threshold=1.0, **options
        ),
        {"bins": 7},
        hist,
    ),
    "clusters": (
        lambda nets, **options: ClusterMapDisplay.from_estimator(nets["cluster"], X, **options),
        {"cmap": "gray"},
        points,
    ),
    "samples": (
        lambda nets, **options: SamplesDisplay.from_estimator(
            nets["generate"], X, image_shape=(8, 8), random_state=0, **options
        ),
        {"cmap": "viridis"},
        image,
    ),
    "marginals": (
        lambda nets, **options: SyntheticTableDisplay.from_predictions(
            TABLE[:50], TABLE[50:], **options
        ),
        {"alpha": 0.5},
        lambda display: display.bars_[0][0][0].get_alpha(),
    ),
    "correlations": (
        lambda nets, **options: SyntheticTableDisplay.from_predictions(
            TABLE[:50], TABLE[50:], kind="correlations", **options
        ),
        {"cmap": "gray"},
        lambda display: display.images_[1].get_cmap().name,
    ),
    "curve": (
        lambda nets, **options: SearchResultsDisplay.from_estimator(
            nets["search"], params=["lr"], **options
        ),
        {"linewidth": 7.0},
        lambda display: display.lines_[0].get_linewidth(),
    ),
    "heat map": (
        lambda nets, **options: SearchResultsDisplay.from_estimator(nets["search"], **options),
        {"cmap": "gray"},
        image,
    ),
    "parallel coordinates": (
        lambda nets, **options: SearchResultsDisplay.from_estimator(
            nets["search"], kind="parallel", **options
        ),
        {"cmap": "gray"},
        lambda display: display.lines_.get_cmap().name,
    ),
    "halving": (
        lambda nets, **options: SearchResultsDisplay.from_estimator(
            nets["search"], kind="halving", **options
        ),
        {"linewidth": 7.0},
        lambda display: display.lines_[0].get_linewidth(),
    ),
    "disagreement": (
        lambda nets, **options: EnsembleDisagreementDisplay.from_estimator(
            nets["vote"], X, **options
        ),
        {"bins": 7},
        hist,
    ),
    "retention": (
        lambda nets, **options: EnsembleDisagreementDisplay.from_estimator(
            nets["vote"], X, Y % 2, kind="retention", **options
        ),
        {"linewidth": 7.0},
        lambda display: display.lines_[0].get_linewidth(),
    ),
    "U-matrix": (
        lambda nets, **options: SOMDisplay.from_estimator(nets["map"], **options),
        {"cmap": "gray"},
        lambda display: display.units_[0].get_cmap().name,
    ),
}
each_case = pytest.mark.parametrize("draw, argument, seen", CASES.values(), ids=CASES)


def test_every_display_is_a_case(nets):
    drawn = {type(draw(nets)).__name__ for draw, _, _ in CASES.values()}
    assert drawn == set(skdeep.inspection.__all__)


@each_case
def test_display_has_its_figure_and_axes(draw, argument, seen, nets, plt):
    display = draw(nets)
    assert len(plt.get_fignums()) == 1
    for ax in np.ravel(display.ax_):
        assert isinstance(ax, mpl.axes.Axes)
        assert ax.figure is display.figure_
        assert ax.has_data()


@each_case
def test_display_is_drawn_on_given_axes_without_a_figure_of_its_own(
    draw, argument, seen, nets, plt
):
    n_axes = np.size(draw(nets).ax_)
    plt.close("all")
    figure, axes = plt.subplots(1, n_axes)
    before = dict(mpl.rcParams), plt.gcf()
    display = draw(nets, ax=axes)
    np.testing.assert_array_equal(display.ax_, axes)
    assert display.figure_ is figure
    assert plt.get_fignums() == [figure.number]
    assert (dict(mpl.rcParams), plt.gcf()) == before
    figure.draw_without_rendering()  # what does not fit together fails here


@each_case
def test_display_is_drawn_again(draw, argument, seen, nets, plt):
    display = draw(nets)
    first = display.figure_
    assert display.plot() is display
    assert display.figure_ is not first
    _, axes = plt.subplots(1, np.size(display.ax_))
    assert display.plot(ax=axes) is display
    np.testing.assert_array_equal(display.ax_, axes)


@each_case
def test_arguments_reach_matplotlib(draw, argument, seen, nets):
    (expected,) = argument.values()
    display = draw(nets)
    assert seen(display) != expected
    assert seen(draw(nets, **argument)) == expected
    kind = {"kind": "correlations"} if hasattr(display, "images_") else {}
    assert seen(display.plot(**kind, **argument)) == expected


@each_case
def test_arguments_of_the_constructor_are_attributes(draw, argument, seen, nets):
    display = draw(nets)
    parameters = list(inspect.signature(type(display)).parameters)
    arguments = {name: getattr(display, name) for name in parameters}
    first = arguments.pop(parameters[0])
    copy = type(display)(first, **arguments)
    assert all(getattr(copy, name) is getattr(display, name) for name in parameters)


@each_case
def test_the_error_without_matplotlib_names_the_extra(draw, argument, seen, nets, monkeypatch):
    name = type(draw(nets)).__name__
    monkeypatch.setitem(sys.modules, "matplotlib.pyplot", None)
    with pytest.raises(ImportError, match=rf"{name} requires matplotlib; .*skdeep\[plot\]"):
        draw(nets)
