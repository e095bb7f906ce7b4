"""Deep ensembles: predictions, inputs and errors."""

import inspect

import numpy as np
import pandas as pd
import pytest
import scipy.sparse as sp
from scipy.special import logsumexp
from sklearn.base import clone
from sklearn.datasets import load_breast_cancer, load_diabetes, load_iris
from sklearn.ensemble import VotingClassifier, VotingRegressor
from sklearn.exceptions import NotFittedError
from sklearn.frozen import FrozenEstimator
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.utils import get_tags

from skdeep.decomposition import Autoencoder
from skdeep.ensemble import DeepEnsembleClassifier, DeepEnsembleRegressor
from skdeep.exceptions import DivergenceError
from skdeep.neural_network import ResNetClassifier, ResNetRegressor

SMALL = {"n_blocks": 1, "width": 16, "max_epochs": 4, "batch_size": 64, "device": "cpu"}
IRIS = load_iris(return_X_y=True)
CANCER = load_breast_cancer(return_X_y=True)
DIABETES = load_diabetes(return_X_y=True)
LABELS = IRIS[0], np.eye(3, dtype=int)[IRIS[1]] | np.eye(3, dtype=int)[(IRIS[1] + 1) % 3]
OUTPUTS = DIABETES[0], np.column_stack([DIABETES[1], -(DIABETES[1] ** 2)])


def classifier(n_estimators=2, **params):
    net = ResNetClassifier(**{**SMALL, **params})
    return DeepEnsembleClassifier(net, n_estimators, random_state=0)


def regressor(n_estimators=2, **params):
    net = ResNetRegressor(**{**SMALL, **params})
    return DeepEnsembleRegressor(net, n_estimators, random_state=0)


CASES = [
    pytest.param(classifier, IRIS, "predict_proba", id="multiclass"),
    pytest.param(classifier, CANCER, "predict_proba", id="binary"),
    pytest.param(classifier, LABELS, "predict_proba", id="multilabel"),
    pytest.param(regressor, DIABETES, "predict", id="regression"),
    pytest.param(regressor, OUTPUTS, "predict", id="several outputs"),
]
each_case = pytest.mark.parametrize("make, data, method", CASES)
each_kind = pytest.mark.parametrize("make, data, method", [CASES[0], CASES[3]])


def singles(ensemble, X, y, sample_weight=None):
    """Nets with the seeds of the members, each fitted on its own."""
    nets = [
        clone(ensemble.estimator).set_params(random_state=member.random_state)
        for member in ensemble.estimators_
    ]
    return [net.fit(X, y, sample_weight=sample_weight) for net in nets]


# Predictions -------------------------------------------------------------------------------


@each_case
@pytest.mark.parametrize(
    "extra", [{}, {"numerical_embedding": "auto"}, {"early_stopping": True, "refit_full": True}]
)
def test_an_ensemble_is_the_mean_of_single_nets(make, data, method, extra):
    ensemble = make(3, **extra).fit(*data)
    mean = np.mean([getattr(net, method)(data[0]) for net in singles(ensemble, *data)], axis=0)
    np.testing.assert_allclose(getattr(ensemble, method)(data[0]), mean, rtol=1e-5, atol=1e-6)


@each_case
def test_an_ensemble_is_the_mean_of_its_members(make, data, method):
    ensemble = make(3).fit(*data)
    mean = np.mean([getattr(net, method)(data[0]) for net in ensemble.estimators_], axis=0)
    np.testing.assert_array_equal(getattr(ensemble, method)(data[0]), mean)


@each_case
def test_members_differ(make, data, method):
    ensemble = make().fit(*data)
    first, second = (getattr(member, method)(data[0]) for member in ensemble.estimators_)
    assert not np.allclose(first, second)


def test_the_probabilities_are_those_of_soft_voting():
    ensemble = classifier(3).fit(*IRIS)
    members = [(str(k), FrozenEstimator(one)) for k, one in enumerate(ensemble.estimators_)]
    voting = VotingClassifier(members, voting="soft").fit(*IRIS)
    for method in ("predict", "predict_proba"):
        np.testing.assert_allclose(
            getattr(ensemble, method)(IRIS[0]), getattr(voting, method)(IRIS[0]), rtol=1e-12
        )


def test_the_predictions_are_those_of_a_voting_regressor():
    ensemble = regressor(3).fit(*DIABETES)
    members = [(str(k), FrozenEstimator(one)) for k, one in enumerate(ensemble.estimators_)]
    voting = VotingRegressor(members).fit(*DIABETES)
    np.testing.assert_allclose(
        ensemble.predict(DIABETES[0]), voting.predict(DIABETES[0]), rtol=1e-12
    )


def test_decisions_and_probabilities_of_two_classes_agree():
    X, y = CANCER[0], np.array(["benign", "malign"])[CANCER[1]]
    ensemble = classifier().fit(X, y)
    proba, decision = ensemble.predict_proba(X), ensemble.decision_function(X)
    np.testing.assert_allclose(proba.sum(axis=1), 1.0)
    np.testing.assert_allclose(decision, np.log(proba[:, 1] / proba[:, 0]), rtol=1e-6)
    np.testing.assert_array_equal(ensemble.predict(X), ensemble.classes_[proba.argmax(axis=1)])
    np.testing.assert_array_equal(decision > 0, ensemble.predict(X) == "malign")


def test_decisions_and_probabilities_of_several_classes_agree():
    ensemble = classifier().fit(*IRIS)
    proba = ensemble.predict_proba(IRIS[0])
    np.testing.assert_allclose(ensemble.decision_function(IRIS[0]), np.log(proba))
    np.testing.assert_array_equal(ensemble.predict(IRIS[0]), proba.argmax(axis=1))


def test_decisions_and_probabilities_of_several_labels_agree():
    ensemble = classifier().fit(*LABELS)
    proba, decision = ensemble.predict_proba(IRIS[0]), ensemble.decision_function(IRIS[0])
    np.testing.assert_allclose(decision, np.log(proba / (1 - proba)), rtol=1e-6, atol=1e-9)
    np.testing.assert_array_equal(ensemble.predict(IRIS[0]), (proba > 0.5).astype(int))
    np.testing.assert_array_equal(decision > 0, ensemble.predict(IRIS[0]) == 1)


@pytest.mark.parametrize("data", [IRIS, CANCER, LABELS], ids=["multiclass", "binary", "multilabel"])
def test_log_probabilities_are_the_logarithm_of_the_mean(data):
    ensemble = classifier().fit(*data)
    log_proba = ensemble.predict_log_proba(data[0])
    np.testing.assert_allclose(np.exp(log_proba), ensemble.predict_proba(data[0]))
    members = [one.predict_log_proba(data[0]) for one in ensemble.estimators_]
    np.testing.assert_allclose(log_proba, logsumexp(members, axis=0) - np.log(2))


@pytest.mark.parametrize("data", [IRIS, CANCER], ids=["multiclass", "binary"])
def test_log_probabilities_are_finite_where_probabilities_are_zero(data):
    # unscaled samples far from those of training
    ensemble = classifier(feature_scaling=None).fit(*data)
    far = 1e6 * data[0]
    assert (ensemble.predict_proba(far) == 0).any()
    assert np.isfinite(ensemble.predict_log_proba(far)).all()
    assert np.isfinite(ensemble.decision_function(far)).all()


@pytest.mark.parametrize("data", [DIABETES, OUTPUTS], ids=["one output", "several outputs"])
def test_the_standard_deviation_is_that_over_the_nets(data):
    ensemble = regressor(3).fit(*data)
    mean, std = ensemble.predict(data[0], return_std=True)
    members = np.array([one.predict(data[0]) for one in ensemble.estimators_])
    np.testing.assert_array_equal(mean, ensemble.predict(data[0]))
    np.testing.assert_allclose(std, members.std(axis=0))
    assert std.shape == data[1].shape
    assert (std > 0).all()
    _, alone = regressor(1).fit(*data).predict(data[0], return_std=True)
    np.testing.assert_array_equal(alone, 0.0)


@each_kind
def test_embeddings_lie_side_by_side(make, data, method):
    ensemble = make().fit(*data)
    parts = [member.embed(data[0]) for member in ensemble.estimators_]
    np.testing.assert_array_equal(ensemble.embed(data[0]), np.hstack(parts))


# Samples -----------------------------------------------------------------------------------


@each_kind
def test_a_dataframe_with_categories_is_one_for_every_member(make, data, method):
    X = pd.DataFrame(data[0], columns=[f"x{k}" for k in range(data[0].shape[1])])
    X["kind"] = np.array(["a", "b", "c"])[np.arange(len(X)) % 3]
    ensemble = make().fit(X, data[1])
    assert ensemble.feature_names_in_.tolist() == X.columns.tolist()
    assert ensemble.n_features_in_ == X.shape[1]
    mean = np.mean([getattr(net, method)(X) for net in singles(ensemble, X, data[1])], axis=0)
    np.testing.assert_allclose(getattr(ensemble, method)(X), mean, rtol=1e-5, atol=1e-6)


def test_attributes_follow_the_last_fit():
    ensemble = classifier().fit(pd.DataFrame(IRIS[0], columns=list("abcd")), IRIS[1])
    ensemble.fit(CANCER[0], CANCER[1])
    assert not hasattr(ensemble, "feature_names_in_")
    assert ensemble.n_features_in_ == 30
    assert ensemble.classes_.tolist() == [0, 1]


@each_kind
def test_samples_of_weight_zero_are_left_out(make, data, method):
    X, y = data
    kept = np.arange(len(X)) % 3 > 0
    weighted = make().fit(X, y, sample_weight=kept.astype(float))
    alone = make().fit(X[kept], y[kept])
    np.testing.assert_allclose(
        getattr(weighted, method)(X), getattr(alone, method)(X), rtol=1e-5, atol=1e-6
    )


@each_kind
def test_sample_weights_reach_every_member(make, data, method):
    weight = np.linspace(0.0, 2.0, len(data[0]))
    ensemble = make().fit(*data, weight)
    for net, member in zip(singles(ensemble, *data, weight), ensemble.estimators_, strict=True):
        np.testing.assert_allclose(
            getattr(member, method)(data[0]), getattr(net, method)(data[0]), rtol=1e-5, atol=1e-6
        )


@pytest.mark.parametrize("make", [classifier, regressor])
def test_an_ensemble_takes_what_its_estimator_takes(make):
    for params in ({}, {"missing": "indicator"}):
        ensemble = make(**params)
        for name in ("input_tags", "target_tags", "classifier_tags", "regressor_tags"):
            assert getattr(get_tags(ensemble), name) == getattr(get_tags(ensemble.estimator), name)
    y = np.arange(50) % 2
    X = np.random.default_rng(0).normal(size=(50, 4)).round()
    ensemble = make().fit(sp.csr_array(X), y)
    np.testing.assert_array_equal(ensemble.predict(sp.csr_array(X)), ensemble.predict(X))
    X[::3, 1] = np.nan
    assert np.isfinite(make(missing="indicator").fit(X, y).predict(X)).all()


# Errors ------------------------------------------------------------------------------------


@pytest.mark.parametrize("method", ["fit", "partial_fit"])
def test_a_failing_ensemble_stays_unfitted(method):
    ensemble = classifier(norm="layer", lr=1e30)
    with pytest.raises(DivergenceError):
        getattr(ensemble, method)(*IRIS)
    with pytest.raises(NotFittedError):
        ensemble.predict(IRIS[0])
    assert not hasattr(ensemble, "n_features_in_")


@pytest.mark.parametrize("warm_start", [False, True])
@pytest.mark.parametrize("method", ["fit", "partial_fit"])
def test_a_failing_fit_leaves_the_members_as_they_were(method, warm_start):
    ensemble = classifier(norm="layer", warm_start=warm_start).fit(*IRIS)
    before = ensemble.predict_proba(IRIS[0])
    with pytest.raises(DivergenceError):
        getattr(ensemble.set_params(estimator__lr=1e30), method)(*IRIS)
    np.testing.assert_array_equal(ensemble.predict_proba(IRIS[0]), before)


WRONG = {
    "no classifier": (DeepEnsembleClassifier(ResNetRegressor()), "must be a deep classifier"),
    "no regressor": (DeepEnsembleRegressor(ResNetClassifier()), "must be a deep regressor"),
    "no net": (DeepEnsembleClassifier(LogisticRegression()), r"deep classifier.*LogisticRegr"),
    "a class": (DeepEnsembleRegressor(ResNetRegressor), r"deep regressor.*<class"),
    "a pipeline": (
        DeepEnsembleRegressor(make_pipeline(StandardScaler(), ResNetRegressor())),
        "use a pipeline that ends with the ensemble",
    ),
    "nothing to predict": (
        DeepEnsembleRegressor(Autoencoder()),
        "'estimator' parameter of DeepEnsembleRegressor must be an object implementing",
    ),
    "no nets": (
        DeepEnsembleRegressor(ResNetRegressor(), 0),
        "'n_estimators' parameter of DeepEnsembleRegressor must be an int",
    ),
    "a learning rate": (
        DeepEnsembleRegressor(ResNetRegressor(lr=-1.0)),
        "'lr' parameter of ResNetRegressor must be a float",
    ),
    "a device": (DeepEnsembleRegressor(ResNetRegressor(device="tpu")), "device must be one of"),
}


@pytest.mark.parametrize("ensemble, message", WRONG.values(), ids=WRONG)
def test_wrong_arguments_are_refused(ensemble, message):
    with pytest.raises((ValueError, TypeError), match=message):
        ensemble.fit(*DIABETES)
    assert not hasattr(ensemble, "estimators_")


def test_partial_fit_refuses_what_fit_refuses():
    with pytest.raises(TypeError, match="must be a deep classifier"):
        DeepEnsembleClassifier(ResNetRegressor()).partial_fit(*DIABETES)


def test_methods_that_the_estimator_lacks_are_not_there():
    ensemble = DeepEnsembleClassifier(LogisticRegression())
    assert not hasattr(ensemble, "partial_fit")
    assert not hasattr(ensemble, "embed")


@pytest.mark.parametrize("make", [classifier, regressor])
def test_fit_without_targets_is_refused(make):
    with pytest.raises(ValueError, match="requires y to be passed"):
        make().fit(IRIS[0], None)


@pytest.mark.parametrize("make", [classifier, regressor])
def test_fitted_attributes_are_documented(make):
    ensemble = make().fit(pd.DataFrame(IRIS[0], columns=list("abcd")), IRIS[1])
    described = inspect.getdoc(type(ensemble)).split("\nAttributes\n")[1]
    fitted = [name for name in dir(ensemble) if name.endswith("_") and name[0] != "_"]
    assert {"estimators_", "n_iter_", "device_", "n_features_in_"} <= set(fitted)
    assert [name for name in fitted if f"\n{name} : " not in described] == []
