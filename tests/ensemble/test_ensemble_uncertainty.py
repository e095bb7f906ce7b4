"""Standard deviations and quantiles of deep ensembles."""

import pickle

import numpy as np
import pytest
from scipy import stats
from sklearn.datasets import load_diabetes

from skdeep.ensemble import DeepEnsembleRegressor
from skdeep.inspection import EnsembleDisagreementDisplay
from skdeep.neural_network import ResNetRegressor

X, Y = (part[:200] for part in load_diabetes(return_X_y=True))
SEVERAL = np.column_stack([Y, 1e3 * X[:, 2]])
QUANTILES = {"loss": "quantile", "quantile": [0.05, 0.5, 0.95]}
each_target = pytest.mark.parametrize("y", [Y, SEVERAL], ids=["one output", "two outputs"])


def ensemble(n_estimators=3, **parameters):
    small = {"width": 16, "numerical_embedding": None, "max_epochs": 5, "device": "cpu"}
    net = ResNetRegressor(**small, **parameters)
    return DeepEnsembleRegressor(net, n_estimators, random_state=0)


@each_target
def test_the_ensemble_is_the_mixture_of_its_normal_distributions(y):
    fitted = ensemble(loss="gaussian").fit(X, y)
    mean, std = fitted.predict(X, return_std=True)
    means, stds = np.moveaxis([net.predict(X, return_std=True) for net in fitted.estimators_], 1, 0)
    np.testing.assert_array_equal(mean, fitted.predict(X))
    np.testing.assert_allclose(mean, means.mean(axis=0))
    # the second moment of the mixture, from those of its parts
    np.testing.assert_allclose(std**2 + mean**2, (stds**2 + means**2).mean(axis=0))
    assert mean.shape == std.shape == y.shape
    levels = [0.1, 0.9]
    expected = stats.norm.ppf(levels, mean[..., None], std[..., None])
    np.testing.assert_allclose(fitted.predict(X, quantiles=levels), expected)


@each_target
def test_quantiles_are_the_means_of_those_of_the_nets(y):
    fitted = ensemble(**QUANTILES).fit(X, y)
    levels = [0.05, 0.3, 0.9]
    found = fitted.predict(X, quantiles=levels)
    members = [net.predict(X, quantiles=levels) for net in fitted.estimators_]
    np.testing.assert_array_equal(found, np.mean(members, axis=0))
    assert found.shape == (*y.shape, 3) and (np.diff(found) >= 0).all()


def test_without_normal_distributions_the_standard_deviation_is_that_between_nets():
    fitted = ensemble(**QUANTILES).fit(X, Y)
    _, std = fitted.predict(X, return_std=True)
    np.testing.assert_allclose(std, np.std([net.predict(X) for net in fitted.estimators_], axis=0))


def test_the_disagreement_display_leaves_out_the_noise_that_nets_predict():
    fitted = ensemble(loss="gaussian").fit(X, Y)
    display = EnsembleDisagreementDisplay.from_estimator(fitted, X)
    expected = np.std([net.predict(X) for net in fitted.estimators_], axis=0)
    np.testing.assert_allclose(display.disagreement, expected)


def test_wrong_arguments_are_errors():
    with pytest.raises(ValueError, match="require loss='quantile' or loss='gaussian'"):
        ensemble().fit(X, Y).predict(X, quantiles=[0.5])
    fitted = ensemble(loss="gaussian").fit(X, Y)
    with pytest.raises(ValueError, match="quantiles must be a sequence of numbers between"):
        fitted.predict(X, quantiles=[2.0])
    with pytest.raises(ValueError, match="return_std must be False if quantiles are given"):
        fitted.predict(X, return_std=True, quantiles=[0.5])


@pytest.mark.parametrize("loss", [QUANTILES, {"loss": "gaussian"}])
def test_a_stack_of_nets_equals_single_nets_and_survives_a_pickle(loss):
    fitted = ensemble(4, **loss).fit(X, Y)
    expected = fitted.predict(X, quantiles=[0.1, 0.9])
    for net in fitted.estimators_:
        single = ResNetRegressor(**net.get_params()).fit(X, Y)
        np.testing.assert_allclose(single.predict(X), net.predict(X), rtol=1e-5)
    copied = pickle.loads(pickle.dumps(fitted))
    np.testing.assert_array_equal(copied.predict(X, quantiles=[0.1, 0.9]), expected)
