"""Loss curves, compared by the data of their lines."""

import numpy as np
import pytest
from sklearn.cluster import KMeans
from sklearn.datasets import load_iris
from sklearn.exceptions import NotFittedError
from sklearn.model_selection import GridSearchCV
from sklearn.neural_network import MLPClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from skdeep.decomposition import Autoencoder, VariationalAutoencoder
from skdeep.ensemble import DeepEnsembleClassifier
from skdeep.generative import TabularGANSampler
from skdeep.inspection import LossCurveDisplay
from skdeep.neural_network import ResNetClassifier

X, Y = load_iris(return_X_y=True)
SMALL = {"device": "cpu", "random_state": 0}
LAYERS = {"hidden_layer_sizes": (8,), **SMALL}


def labels(display):
    return [text.get_text() for text in display.ax_.get_legend().get_texts()]


def test_line_is_the_loss_of_each_epoch_counted_from_one():
    ae = Autoencoder(2, max_epochs=3, **LAYERS).fit(X)
    (line,) = LossCurveDisplay.from_estimator(ae).lines_
    np.testing.assert_array_equal(line.get_xdata(), [1, 2, 3])
    np.testing.assert_array_equal(line.get_ydata(), ae.loss_curve_)


def test_validation_loss_and_best_epoch_are_drawn():
    vae = VariationalAutoencoder(1, max_epochs=6, lr=0.3, early_stopping=True, **LAYERS).fit(X)
    display = LossCurveDisplay.from_estimator(vae)
    training, validation = display.lines_
    (best,) = display.best_points_
    assert labels(display) == ["training", "validation", "best epoch"]
    np.testing.assert_array_equal(training.get_ydata(), vae.loss_curve_)
    np.testing.assert_array_equal(validation.get_ydata(), vae.validation_loss_curve_)
    assert best.get_ydata() == [min(vae.validation_loss_curve_)]
    assert best.get_xdata() == [vae.best_epoch_]


def test_validation_loss_of_a_net_that_is_refitted_has_epochs_of_its_own():
    net = ResNetClassifier(1, width=8, max_epochs=8, lr=0.1, early_stopping=True, **SMALL)
    net.set_params(n_iter_no_change=1, refit_full=True).fit(X, Y)
    display = LossCurveDisplay.from_estimator(net)
    n_epochs = [len(line.get_xdata()) for line in display.lines_]
    assert n_epochs == [net.n_iter_, len(net.validation_loss_curve_)]
    assert display.best_points_[0].get_xdata() == [net.best_epoch_]


def test_both_players_of_a_gan_are_drawn():
    gan = TabularGANSampler(max_epochs=2, hidden_layer_sizes=(8,), **SMALL).fit(X)
    display = LossCurveDisplay.from_estimator(gan)
    assert labels(display) == ["generator", "critic"]
    generator, critic = display.lines_
    np.testing.assert_array_equal(generator.get_ydata(), gan.loss_curve_)
    np.testing.assert_array_equal(critic.get_ydata(), gan.critic_loss_curve_)


@pytest.mark.parametrize("as_names", [None, "dict"])
def test_several_estimators_have_colors_and_names(as_names):
    nets = [Autoencoder(2, max_epochs=n, **LAYERS).fit(X) for n in (2, 4)]
    names = ["Autoencoder 1", "Autoencoder 2"] if as_names is None else ["short", "long"]
    display = LossCurveDisplay.from_estimator(
        nets if as_names is None else dict(zip(names, nets, strict=True))
    )
    assert labels(display) == [f"{name}: training" for name in names]
    assert list(display.curves) == names
    first, second = display.lines_
    assert first.get_color() != second.get_color()
    assert len(second.get_xdata()) == 4


def test_pipelines_and_nets_of_scikit_learn_have_curves():
    net = MLPClassifier(max_iter=300, random_state=0, tol=1e-2)
    pipe = make_pipeline(StandardScaler(), net).fit(X, Y)
    (line,) = LossCurveDisplay.from_estimator(pipe).lines_
    np.testing.assert_array_equal(line.get_ydata(), pipe[-1].loss_curve_)


def test_what_has_no_loss_is_refused():
    with pytest.raises(TypeError, match=r"must have a loss_curve_; KMeans has none. Pass a net"):
        LossCurveDisplay.from_estimator(KMeans(2, random_state=0).fit(X))
    with pytest.raises(NotFittedError):
        LossCurveDisplay.from_estimator(Autoencoder())
    with pytest.raises(ValueError, match="one or more estimators"):
        LossCurveDisplay.from_estimator([])
    net = ResNetClassifier(1, width=8, max_epochs=1, device="cpu")
    ensemble = DeepEnsembleClassifier(net, 2, random_state=0).fit(X, Y)
    with pytest.raises(TypeError, match="Pass its estimators_"):
        LossCurveDisplay.from_estimator(ensemble)
    assert len(LossCurveDisplay.from_estimator(ensemble.estimators_).lines_) == 2
    search = GridSearchCV(Autoencoder(1, **LAYERS), {"max_epochs": [1]}, cv=2).fit(X)
    with pytest.raises(TypeError, match="Pass its best_estimator_"):
        LossCurveDisplay.from_estimator(search)
