"""Deep ensembles over several fits: seeds, pickles, copies, training in parts and warm starts."""

import copy
import pickle

import numpy as np
import pytest
import torch
from sklearn.base import clone
from sklearn.datasets import load_breast_cancer, load_diabetes, load_iris

from skdeep.ensemble import DeepEnsembleClassifier, DeepEnsembleRegressor
from skdeep.neural_network import ResNetClassifier, ResNetRegressor

SMALL = {"n_blocks": 1, "width": 16, "max_epochs": 4, "batch_size": 64, "device": "cpu"}
IRIS = load_iris(return_X_y=True)
CANCER = load_breast_cancer(return_X_y=True)
DIABETES = load_diabetes(return_X_y=True)


def classifier(n_estimators=2, **params):
    net = ResNetClassifier(**{**SMALL, **params})
    return DeepEnsembleClassifier(net, n_estimators, random_state=0)


def regressor(n_estimators=2, **params):
    net = ResNetRegressor(**{**SMALL, **params})
    return DeepEnsembleRegressor(net, n_estimators, random_state=0)


each_case = pytest.mark.parametrize(
    "make, data, method",
    [
        pytest.param(classifier, IRIS, "predict_proba", id="multiclass"),
        pytest.param(classifier, CANCER, "predict_proba", id="binary"),
        pytest.param(regressor, DIABETES, "predict", id="regression"),
    ],
)


@each_case
def test_an_ensemble_survives_a_pickle_and_repeats_itself(make, data, method):
    ensemble = make().fit(*data)
    copies = [pickle.loads(pickle.dumps(ensemble)), copy.deepcopy(ensemble), copy.copy(ensemble)]
    for other in (*copies, clone(ensemble).fit(*data)):
        np.testing.assert_array_equal(
            getattr(other, method)(data[0]), getattr(ensemble, method)(data[0])
        )


def test_a_random_state_is_advanced_and_none_gives_other_nets():
    ensemble = regressor().set_params(random_state=np.random.RandomState(0))
    first, second = (ensemble.fit(*DIABETES).predict(DIABETES[0]) for _ in range(2))
    assert not np.array_equal(first, second)
    again = ensemble.set_params(random_state=np.random.RandomState(0)).fit(*DIABETES)
    np.testing.assert_array_equal(again.predict(DIABETES[0]), first)
    ensemble.set_params(random_state=None)
    first, second = (ensemble.fit(*DIABETES).predict(DIABETES[0]) for _ in range(2))
    assert not np.array_equal(first, second)


def test_a_pickle_holds_nothing_of_torch():
    ensemble = classifier(optimizer=torch.optim.RMSprop, device=torch.device("cpu")).fit(*IRIS)
    ensemble.partial_fit(*IRIS)
    assert b"ctorch" not in pickle.dumps(ensemble, protocol=0)
    assert b"skorch" not in pickle.dumps(ensemble, protocol=0)


@each_case
def test_partial_fit_and_warm_start_train_every_member_on(make, data, method):
    ensemble = make().fit(*data)
    ensemble.partial_fit(*data)
    assert [member.n_iter_ for member in ensemble.estimators_] == [5, 5]
    assert ensemble.n_iter_ == 5
    ensemble.set_params(estimator__warm_start=True, estimator__max_epochs=2).fit(*data)
    assert [member.n_iter_ for member in ensemble.estimators_] == [7, 7]
    ensemble.set_params(estimator__warm_start=False).fit(*data)
    assert [member.n_iter_ for member in ensemble.estimators_] == [2, 2]


@each_case
def test_training_a_copy_leaves_the_original(make, data, method):
    ensemble = make().fit(*data)
    before = getattr(ensemble, method)(data[0])
    for duplicate in (copy.copy, copy.deepcopy):
        duplicate(ensemble).partial_fit(*data)
    np.testing.assert_array_equal(getattr(ensemble, method)(data[0]), before)


@pytest.mark.parametrize("how", ["partial_fit", "warm_start"])
def test_training_continues_from_a_pickle_as_from_memory(how):
    ensemble = classifier().fit(*IRIS)
    if how == "partial_fit":
        ensemble.partial_fit(*IRIS)
    else:
        ensemble.set_params(estimator__warm_start=True)
    copied = pickle.loads(pickle.dumps(pickle.loads(pickle.dumps(ensemble))))
    for one in (ensemble, copied):
        one.partial_fit(*IRIS) if how == "partial_fit" else one.fit(*IRIS)
    np.testing.assert_array_equal(copied.predict_proba(IRIS[0]), ensemble.predict_proba(IRIS[0]))


def test_partial_fit_can_come_first():
    ensemble = classifier().partial_fit(IRIS[0][:60], IRIS[1][:60], classes=[0, 1, 2])
    assert ensemble.predict_proba(IRIS[0]).shape == (150, 3)
    assert ensemble.classes_.tolist() == [0, 1, 2]


@each_case
def test_partial_fit_is_that_of_the_members(make, data, method):
    X, y = data
    weight = np.linspace(0.5, 1.5, len(X))
    ensemble = make()
    for _ in range(2):
        ensemble.partial_fit(X, y, sample_weight=weight)
    for member in ensemble.estimators_:
        net = clone(member)
        for _ in range(2):
            net.partial_fit(X, y, sample_weight=weight)
        np.testing.assert_array_equal(getattr(member, method)(X), getattr(net, method)(X))


def test_members_continue_with_the_present_parameters_of_the_estimator():
    ensemble = regressor().fit(*DIABETES)
    seeds = [member.random_state for member in ensemble.estimators_]
    ensemble.set_params(estimator__lr=0.1).partial_fit(*DIABETES)
    assert [member.lr for member in ensemble.estimators_] == [0.1, 0.1]
    assert [member.random_state for member in ensemble.estimators_] == seeds


@pytest.mark.parametrize("before, after", [(2, 3), (2, 1), (1, 2)])
@pytest.mark.parametrize("method", ["fit", "partial_fit"])
def test_another_number_of_nets_is_an_error_when_training_continues(before, after, method):
    ensemble = classifier(before, warm_start=True).fit(*IRIS)
    proba = ensemble.predict_proba(IRIS[0])
    message = f"nets as in the last fit, {before} of ResNetClassifier; got n_estimators={after} of"
    with pytest.raises(ValueError, match=message):
        getattr(ensemble.set_params(n_estimators=after), method)(*IRIS)
    np.testing.assert_array_equal(ensemble.predict_proba(IRIS[0]), proba)
