"""Disagreement of ensembles, compared with numbers computed from the members."""

import numpy as np
import pytest
from scipy.stats import entropy
from sklearn.datasets import load_breast_cancer, load_diabetes, load_iris
from sklearn.exceptions import NotFittedError

from skdeep.ensemble import DeepEnsembleClassifier, DeepEnsembleRegressor
from skdeep.inspection import EnsembleDisagreementDisplay
from skdeep.neural_network import ResNetClassifier, ResNetRegressor

SMALL = {"n_blocks": 1, "width": 8, "max_epochs": 3, "lr": 1e-2, "device": "cpu"}
IRIS = load_iris(return_X_y=True)
CANCER = load_breast_cancer(return_X_y=True)
DIABETES = load_diabetes(return_X_y=True)
LABELS = IRIS[0], np.eye(3, dtype=int)[IRIS[1]] | np.eye(3, dtype=int)[(IRIS[1] + 1) % 3]
OUTPUTS = DIABETES[0], np.column_stack([DIABETES[1], -DIABETES[1]])


def classifier():
    return DeepEnsembleClassifier(ResNetClassifier(**SMALL), 3, random_state=0)


def regressor():
    return DeepEnsembleRegressor(ResNetRegressor(**SMALL), 3, random_state=0)


def heights(bars):
    return [bar.get_height() for bar in bars]


@pytest.mark.parametrize("data", [IRIS, CANCER], ids=["several classes", "two classes"])
def test_classifiers_have_mutual_information_and_errors_of_zero_or_one(data):
    ensemble = classifier().fit(*data)
    display = EnsembleDisagreementDisplay.from_estimator(ensemble, *data)
    members = np.array([one.predict_proba(data[0]) for one in ensemble.estimators_])
    expected = entropy(members.mean(axis=0), axis=1) - entropy(members, axis=2).mean(axis=0)
    np.testing.assert_allclose(display.disagreement, expected, atol=1e-9)
    np.testing.assert_array_equal(display.errors, ensemble.predict(data[0]) != data[1])


def test_labels_are_averaged():
    ensemble = classifier().fit(*LABELS)
    display = EnsembleDisagreementDisplay.from_estimator(ensemble, *LABELS)
    p = np.array([one.predict_proba(LABELS[0]) for one in ensemble.estimators_])
    pairs = np.stack([p, 1 - p])
    expected = entropy(pairs.mean(axis=1), axis=0) - entropy(pairs, axis=0).mean(axis=0)
    np.testing.assert_allclose(display.disagreement, expected.mean(axis=1), atol=1e-9)
    wrong = ensemble.predict(LABELS[0]) != LABELS[1]
    np.testing.assert_allclose(display.errors, wrong.mean(axis=1))


@pytest.mark.parametrize("data", [DIABETES, OUTPUTS], ids=["one output", "two outputs"])
def test_regressors_have_standard_deviations_and_absolute_errors(data):
    ensemble = regressor().fit(*data)
    display = EnsembleDisagreementDisplay.from_estimator(ensemble, *data)
    mean, std = ensemble.predict(data[0], return_std=True)
    n_samples = len(mean)
    np.testing.assert_allclose(display.disagreement, std.reshape(n_samples, -1).mean(axis=1))
    errors = abs(mean - data[1]).reshape(n_samples, -1).mean(axis=1)
    np.testing.assert_allclose(display.errors, errors)
    assert display.ax_.get_xlabel() == "standard deviation"


def test_nets_that_are_equal_do_not_disagree():
    ensemble = classifier().fit(*IRIS)
    ensemble.estimators_ = ensemble.estimators_[:1]
    display = EnsembleDisagreementDisplay.from_estimator(ensemble, IRIS[0])
    np.testing.assert_allclose(display.disagreement, 0, atol=1e-9)


def test_histogram_counts_samples():
    display = EnsembleDisagreementDisplay.from_predictions([0, 1, 1, 3], bins=[0, 1, 2, 3])
    assert heights(display.bars_[0]) == [1, 2, 1]
    assert display.ax_.get_legend() is None


def test_right_and_wrong_predictions_are_stacked():
    display = EnsembleDisagreementDisplay.from_predictions(
        [0, 1, 1, 3], [0, 0, 1, 1], bins=[0, 2, 4]
    )
    right, wrong = display.bars_
    assert (heights(right), heights(wrong)) == ([2, 0], [1, 1])
    assert [text.get_text() for text in display.ax_.get_legend().get_texts()] == ["right", "wrong"]


def test_errors_that_are_not_zero_or_one_have_a_single_histogram():
    display = EnsembleDisagreementDisplay.from_predictions([0, 1], [0.5, 1], bins=2)
    assert [heights(bars) for bars in display.bars_] == [[1, 1]]


def test_retention_is_the_mean_error_of_the_samples_with_the_lowest_disagreement():
    display = EnsembleDisagreementDisplay.from_predictions(
        [0.3, 0.1, 0.4, 0.2], [2.0, 0.0, 5.0, 1.0], kind="retention"
    )
    curve, everything = display.lines_
    np.testing.assert_allclose(curve.get_xdata(), [0.25, 0.5, 0.75, 1])
    np.testing.assert_allclose(curve.get_ydata(), [0, 0.5, 1, 2])
    np.testing.assert_allclose(everything.get_ydata(), 2)


def test_samples_of_equal_disagreement_are_retained_together():
    forward = EnsembleDisagreementDisplay.from_predictions([1, 1, 2], [0, 1, 1], kind="retention")
    backward = EnsembleDisagreementDisplay.from_predictions([2, 1, 1], [1, 1, 0], kind="retention")
    for display in (forward, backward):
        np.testing.assert_allclose(display.retained, [2 / 3, 1])
        np.testing.assert_allclose(display.retained_errors, [1 / 2, 2 / 3])


def test_what_cannot_be_drawn_is_refused():
    with pytest.raises(TypeError, match="DeepEnsembleClassifier or DeepEnsembleRegressor; got R"):
        EnsembleDisagreementDisplay.from_estimator(ResNetClassifier(), *IRIS)
    with pytest.raises(NotFittedError):
        EnsembleDisagreementDisplay.from_estimator(classifier(), *IRIS)
    with pytest.raises(ValueError, match="kind must be one of"):
        EnsembleDisagreementDisplay.from_predictions([0, 1], kind="curve")
    with pytest.raises(ValueError, match="kind='retention' needs targets or errors; got None"):
        EnsembleDisagreementDisplay.from_predictions([0, 1], kind="retention")
    with pytest.raises(ValueError, match="inconsistent numbers of samples"):
        EnsembleDisagreementDisplay.from_predictions([0, 1], [0])
    with pytest.raises(ValueError, match="inconsistent numbers of samples"):
        EnsembleDisagreementDisplay.from_estimator(classifier().fit(*IRIS), IRIS[0], [0])
