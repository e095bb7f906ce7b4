"""Deep ensembles: several nets in one estimator."""

import pickle

import numpy as np
import pytest
from sklearn.base import clone
from sklearn.datasets import load_breast_cancer, load_diabetes, load_iris
from sklearn.exceptions import NotFittedError

from skdeep.exceptions import DivergenceError
from skdeep.neural_network import ResNetClassifier, ResNetRegressor

SMALL = {"n_blocks": 1, "width": 16, "max_epochs": 4, "batch_size": 64, "random_state": 0}


def multilabel():
    X, y = load_iris(return_X_y=True)
    return X, np.eye(3, dtype=int)[y] | np.eye(3, dtype=int)[(y + 1) % 3]


CASES = [
    pytest.param(ResNetClassifier, load_iris(return_X_y=True), "predict_proba", id="multiclass"),
    pytest.param(
        ResNetClassifier, load_breast_cancer(return_X_y=True), "predict_proba", id="binary"
    ),
    pytest.param(ResNetClassifier, multilabel(), "predict_proba", id="multilabel"),
    pytest.param(ResNetRegressor, load_diabetes(return_X_y=True), "predict", id="regression"),
]
each_case = pytest.mark.parametrize("kind, data, method", CASES)


def singles(ensemble, X, y):
    """Nets of the members' seeds, each fitted by itself."""
    nets = [
        clone(ensemble).set_params(n_estimators=1, random_state=member.random_state)
        for member in ensemble.estimators_
    ]
    return [net.fit(X, y) for net in nets]


@each_case
@pytest.mark.parametrize("extra", [{}, {"early_stopping": True, "refit_full": True}])
def test_an_ensemble_is_the_mean_of_single_nets(kind, data, method, extra):
    X, y = data
    ensemble = kind(n_estimators=3, **SMALL, **extra).fit(X, y)
    mean = np.mean([getattr(net, method)(X) for net in singles(ensemble, X, y)], axis=0)
    # probabilities come from the logits of the mean, float64 from float32 nets
    np.testing.assert_allclose(getattr(ensemble, method)(X), mean, rtol=1e-5, atol=1e-6)


@each_case
def test_members_differ(kind, data, method):
    X, y = data
    ensemble = kind(n_estimators=2, **SMALL).fit(X, y)
    first, second = (getattr(member, method)(X) for member in ensemble.estimators_)
    assert not np.allclose(first, second)


def test_decisions_and_probabilities_agree():
    X, y = load_breast_cancer(return_X_y=True)
    ensemble = ResNetClassifier(n_estimators=2, **SMALL).fit(X, y)
    proba = ensemble.predict_proba(X)
    np.testing.assert_allclose(proba.sum(axis=1), 1.0)
    np.testing.assert_allclose(np.exp(ensemble.predict_log_proba(X)), proba)
    np.testing.assert_array_equal(ensemble.predict(X), ensemble.classes_[proba.argmax(axis=1)])
    np.testing.assert_array_equal(ensemble.decision_function(X) > 0, ensemble.predict(X) == 1)


def test_embeddings_lie_side_by_side():
    X, y = load_iris(return_X_y=True)
    ensemble = ResNetClassifier(n_estimators=2, **SMALL).fit(X, y)
    parts = [member.embed(X) for member in ensemble.estimators_]
    np.testing.assert_array_equal(ensemble.embed(X), np.hstack(parts))


@each_case
def test_an_ensemble_survives_a_pickle_and_repeats_itself(kind, data, method):
    X, y = data
    ensemble = kind(n_estimators=2, **SMALL).fit(X, y)
    for other in (pickle.loads(pickle.dumps(ensemble)), clone(ensemble).fit(X, y)):
        np.testing.assert_array_equal(getattr(other, method)(X), getattr(ensemble, method)(X))


@each_case
def test_partial_fit_and_warm_start_train_every_member_on(kind, data, method):
    X, y = data
    ensemble = kind(n_estimators=2, **SMALL).fit(X, y)
    ensemble.partial_fit(X, y)
    assert [member.n_iter_ for member in ensemble.estimators_] == [5, 5]
    ensemble.set_params(warm_start=True, max_epochs=2).fit(X, y)
    assert [member.n_iter_ for member in ensemble.estimators_] == [7, 7]


def test_partial_fit_can_come_first():
    X, y = load_iris(return_X_y=True)
    ensemble = ResNetClassifier(n_estimators=2, **SMALL)
    ensemble.partial_fit(X[:60], y[:60], classes=[0, 1, 2])
    assert ensemble.predict_proba(X).shape == (150, 3)


def test_one_net_and_several_replace_each_other():
    X, y = load_iris(return_X_y=True)
    net = ResNetClassifier(**SMALL).fit(X, y)
    alone = net.predict_proba(X)
    net.set_params(n_estimators=2).fit(X, y)
    assert not hasattr(net, "module_")
    net.set_params(n_estimators=1).fit(X, y)
    assert not hasattr(net, "estimators_")
    np.testing.assert_array_equal(net.predict_proba(X), alone)


@pytest.mark.parametrize("before, after", [(2, 3), (2, 1), (1, 2)])
@pytest.mark.parametrize("method", ["fit", "partial_fit"])
def test_another_number_of_nets_is_an_error_when_training_goes_on(before, after, method):
    X, y = load_iris(return_X_y=True)
    net = ResNetClassifier(n_estimators=before, warm_start=True, **SMALL).fit(X, y)
    proba = net.predict_proba(X)
    message = f"as many nets as were fitted, {before}; got n_estimators={after}"
    with pytest.raises(ValueError, match=message):
        getattr(net.set_params(n_estimators=after), method)(X, y)
    np.testing.assert_array_equal(net.predict_proba(X), proba)


def test_a_failing_fit_of_one_net_leaves_the_ensemble():
    X, y = load_iris(return_X_y=True)
    net = ResNetClassifier(n_estimators=2, norm="layer", **SMALL).fit(X, y)
    before = net.predict_proba(X)
    with pytest.raises(DivergenceError):
        net.set_params(n_estimators=1, lr=1e30).fit(X, y)
    np.testing.assert_array_equal(net.predict_proba(X), before)


def test_callbacks_of_scikit_learn_see_an_ensemble():
    X, y = load_iris(return_X_y=True)
    events = []
    ensemble = ResNetClassifier(n_estimators=2, **SMALL).set_callbacks(Recorder(events))
    ensemble.fit(X, y)
    assert events[0] == "setup"
    assert events[-1] == "teardown"
    assert events.count("begin epoch") == events.count("end epoch") == SMALL["max_epochs"]


class Recorder:
    """Writes down what scikit-learn tells a callback."""

    def __init__(self, events):
        self.events = events

    def setup(self, estimator, context):
        self.events.append("setup")

    def on_fit_task_begin(self, estimator, context):
        self.events.append(f"begin {context.task_name}")

    def on_fit_task_end(self, estimator, context):
        self.events.append(f"end {context.task_name}")

    def teardown(self, estimator, context):
        self.events.append("teardown")


def test_a_failing_ensemble_stays_unfitted():
    X, y = load_iris(return_X_y=True)
    ensemble = ResNetClassifier(n_estimators=2, **{**SMALL, "norm": "layer"}, lr=1e30)
    with pytest.raises(DivergenceError):
        ensemble.fit(X, y)
    with pytest.raises(NotFittedError):
        ensemble.predict(X)


def test_a_failing_warm_start_leaves_the_members_as_they_were():
    X, y = load_iris(return_X_y=True)
    ensemble = ResNetClassifier(n_estimators=2, norm="layer", warm_start=True, **SMALL).fit(X, y)
    before = ensemble.predict_proba(X)
    with pytest.raises(DivergenceError):
        ensemble.set_params(lr=1e30).fit(X, y)
    np.testing.assert_array_equal(ensemble.predict_proba(X), before)
