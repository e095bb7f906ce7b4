"""ResNetClassifier: invalid labels, and labels in several calls to partial_fit."""

import numpy as np
import pandas as pd
import pytest
from sklearn.datasets import load_iris
from sklearn.ensemble import RandomForestClassifier
from sklearn.linear_model import LogisticRegression

from skdeep.neural_network import ResNetClassifier

IRIS, SPECIES = load_iris(return_X_y=True)
MANY = np.eye(3, dtype=int)[SPECIES]


def small(**parameters):
    """Fast classifier."""
    defaults = {"n_blocks": 1, "width": 16, "max_epochs": 3, "lr_schedule": "constant"}
    defaults |= {"norm": "batch", "numerical_embedding": None, "early_stopping": False}
    defaults |= {"lr": 1e-3, "weight_decay": 1e-5, "device": "cpu", "random_state": 0}
    return ResNetClassifier(**{**defaults, **parameters})


# Errors ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "y, match",
    [
        (IRIS[:, 0] + 0.05, "Unknown label type: continuous"),
        (SPECIES[:, None] * [1, 2], "MultiOutputClassifier"),
        (MANY + 1, "only zeros and ones"),
        (2 * MANY - 1, "only zeros and ones"),
        (None, "requires y to be passed"),
        (np.where(SPECIES == 1, np.nan, 1.0), "NaN"),
        (np.where(SPECIES == 1, np.inf, 1.0), "infinity"),
        (np.where(SPECIES == 1, np.nan, np.array(["a"], dtype=object)), "NaN"),
        (pd.Series(["a", None, "b"] * 50), "NaN"),
        (np.array(["a", None, "b"] * 50, dtype=object), "NaN or None"),
        (SPECIES[:100], "inconsistent numbers of samples"),
        (MANY[:100], "inconsistent numbers of samples"),
        (np.zeros((150, 2, 2)), "Unknown label type|dim 3|Expected"),
    ],
    ids=[
        "continuous",
        "multiclass-multioutput",
        "ones and twos",
        "plus and minus one",
        "None",
        "NaN",
        "infinite",
        "NaN object",
        "None string",
        "None object",
        "short",
        "short multilabel",
        "three-dimensional",
    ],
)
def test_targets_that_are_no_labels_are_refused(y, match):
    clf = small()
    with pytest.raises(ValueError, match=match):
        clf.fit(IRIS, y)
    assert not hasattr(clf, "classes_")


@pytest.mark.parametrize("class_weight", ["balanced", {0: 2.0}])
def test_class_weight_of_several_labels_is_refused(class_weight):
    with pytest.raises(ValueError, match="class_weight must be None for multilabel y"):
        small(class_weight=class_weight).fit(IRIS, MANY)


@pytest.mark.parametrize(
    "class_weight, match",
    [
        ({7: 1.0, 0: 1.0}, "class_weight"),
        ({0: 0.0, 1: 0.0, 2: 0.0}, "weight"),
        ({0: -1.0}, "class_weight|non-negative|[Nn]egative"),
        ({0: np.nan}, "class_weight|NaN"),
    ],
    ids=["unknown", "all zero", "negative", "NaN"],
)
def test_class_weight_that_weighs_nothing_is_refused(class_weight, match):
    with pytest.raises(ValueError, match=match) as error:
        small(class_weight=class_weight).fit(IRIS, SPECIES)
    assert "lr" not in str(error.value).split()  # the learning rate is not to blame


@pytest.mark.parametrize("names", [False, True])
@pytest.mark.parametrize(
    "class_weight",
    [{0: 1, 1: 2, 2: 1, 7: 3}, {0: 1, 7: 3}, {7: 3}, {1: 2}, {}, {"0": 1, "1": 2, "2": 1}, {0: 2}],
    ids=str,
)
def test_class_weight_takes_the_classes_that_scikit_learn_takes(class_weight, names):
    y = SPECIES
    if names:
        y = np.array(["a", "b", "c"])[SPECIES]
        class_weight = {"abcdefgh"[int(key)]: weight for key, weight in class_weight.items()}

    def refusal(estimator):
        try:
            estimator.set_params(class_weight=class_weight).fit(IRIS, y)
        except ValueError as error:
            return str(error)

    expected = refusal(LogisticRegression(max_iter=1000))
    assert refusal(small()) == expected == refusal(RandomForestClassifier(1))


def test_weights_that_leave_no_row_of_a_weighted_class_are_refused():
    weight = (SPECIES == 0).astype(float)
    with pytest.raises(ValueError, match="weight"):
        small(class_weight={0: 0.0, 1: 1.0, 2: 1.0}).fit(IRIS, SPECIES, sample_weight=weight)


# Labels in several calls to partial_fit ----------------------------------------------------


@pytest.mark.parametrize("classes", [[], {0, 1, 2}, 3, "ab", [0, None], [0, 1, "a"]], ids=str)
def test_classes_that_are_no_list_of_labels_are_refused(classes):
    if isinstance(classes, str):
        classes = np.array(classes)
    with pytest.raises(ValueError, match="classes must be a list of labels of one kind; got"):
        small().partial_fit(IRIS, SPECIES, classes=np.array(classes, dtype=object))


@pytest.mark.parametrize("classes", [[0.0, 1.0, np.nan], [None]], ids=str)
def test_classes_that_are_missing_labels_are_refused(classes):
    with pytest.raises(ValueError, match="classes must not contain missing labels; got"):
        small().partial_fit(IRIS, SPECIES, classes=classes)


def test_partial_fit_takes_all_classes_at_its_first_call():
    clf = small(lr=0.01).partial_fit(IRIS[25:75], SPECIES[25:75], classes=[2, 0, 1])
    assert clf.classes_.tolist() == [0, 1, 2]
    for _ in range(100):
        clf.partial_fit(IRIS, SPECIES)
    assert clf.n_iter_ == 101
    assert clf.score(IRIS, SPECIES) > 0.9


def test_partial_fit_of_a_part_of_the_classes_keeps_the_others():
    clf = small().partial_fit(IRIS, SPECIES).partial_fit(IRIS[:50], SPECIES[:50])
    assert clf.predict_proba(IRIS).shape == (150, 3)


def test_class_that_was_announced_is_learned_when_its_rows_come():
    clf = small(lr=1e-2).partial_fit(IRIS[:100:2], SPECIES[:100:2], classes=[0, 1, 2])
    for _ in range(30):
        clf.partial_fit(IRIS, SPECIES)
    assert clf.score(IRIS[100:], SPECIES[100:]) > 0.8


def test_partial_fit_refuses_other_classes_than_at_its_first_call():
    clf = small().partial_fit(IRIS, SPECIES, classes=[0, 1, 2])
    clf.partial_fit(IRIS, SPECIES, classes=[2, 1, 0])
    with pytest.raises(ValueError, match="classes"):
        clf.partial_fit(IRIS, SPECIES, classes=[0, 1, 2, 3])


def test_partial_fit_equals_fit_of_one_epoch():
    expected = small(max_epochs=1).fit(IRIS, SPECIES).predict_proba(IRIS)
    actual = small().partial_fit(IRIS, SPECIES).predict_proba(IRIS)
    np.testing.assert_array_equal(actual, expected)


@pytest.mark.parametrize("method", ["fit", "partial_fit"])
def test_unknown_labels_are_refused_with_their_names_and_leave_the_net(method):
    y = np.array(["a", "b", "c"])[SPECIES]
    clf = small(warm_start=True).fit(IRIS[:100], y[:100])
    before = clf.predict_proba(IRIS)
    with pytest.raises(ValueError, match=r"\['a', 'b'\]; got \['c'\]"):
        getattr(clf, method)(IRIS, y)
    np.testing.assert_array_equal(clf.predict_proba(IRIS), before)
    assert clf.n_iter_ == 3


def test_classes_that_leave_out_a_label_are_refused():
    with pytest.raises(ValueError, match=r"got \[2\]"):
        small().partial_fit(IRIS, SPECIES, classes=[0, 1])


def test_warm_start_refuses_targets_of_another_kind():
    clf = small(warm_start=True).fit(IRIS, SPECIES)
    with pytest.raises(ValueError, match="multiclass with 3 labels; got multilabel"):
        clf.fit(IRIS, MANY)


# Warm start --------------------------------------------------------------------------------


def test_warm_start_goes_on_where_the_last_fit_stopped():
    clf = small(warm_start=True, batch_size=32).fit(IRIS, SPECIES).set_params(max_epochs=4)
    clf.fit(IRIS, SPECIES)
    whole = small(batch_size=32, max_epochs=7).fit(IRIS, SPECIES)
    assert clf.n_iter_ == 7
    assert clf.loss_curve_ == whole.loss_curve_
    np.testing.assert_array_equal(clf.predict_proba(IRIS), whole.predict_proba(IRIS))


def test_dropout_may_change_between_warm_starts():
    clf = small(warm_start=True, dropout=0.5, residual_dropout=0.1, max_epochs=10)
    clf.fit(IRIS, SPECIES)
    before = clf.predict_proba(IRIS)
    clf.set_params(dropout=0.0, residual_dropout=0.0, lr=1e-12, max_epochs=1, norm="batch")
    clf.fit(IRIS, SPECIES)
    assert clf.n_iter_ == 11
    # a step of nothing keeps the weights; the running statistics move a tenth of their way
    assert np.abs(clf.predict_proba(IRIS) - before).max() < 0.1
    clf.set_params(max_epochs=20, lr=1e-2, batch_size=32).fit(IRIS, SPECIES)
    assert clf.score(IRIS, SPECIES) > 0.9


@pytest.mark.parametrize("change", [{"width": 8}, {"n_blocks": 2}, {"norm": "layer"}])
def test_warm_start_refuses_a_net_of_another_shape(change):
    clf = small(warm_start=True).fit(IRIS, SPECIES)
    with pytest.raises(ValueError, match="require a net of the same shape"):
        clf.set_params(**change).fit(IRIS, SPECIES)


def test_warm_start_refuses_to_turn_a_table_into_images():
    X = np.random.default_rng(0).normal(size=(30, 64))
    clf = small(warm_start=True).fit(X, np.arange(30) % 2)
    with pytest.raises(ValueError, match=r"new values of .*'image_shape'"):
        clf.set_params(image_shape=(8, 8)).fit(X, np.arange(30) % 2)


def test_fit_without_warm_start_begins_anew():
    clf = small().fit(IRIS, SPECIES).fit(IRIS[:100], SPECIES[:100])
    assert clf.n_iter_ == 3 and clf.classes_.tolist() == [0, 1]
    expected = small().fit(IRIS[:100], SPECIES[:100]).predict_proba(IRIS)
    np.testing.assert_array_equal(clf.predict_proba(IRIS), expected)
