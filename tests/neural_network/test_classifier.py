"""ResNetClassifier: probabilities, targets, weights, errors."""

import numpy as np
import pandas as pd
import polars as pl
import pytest
import scipy.sparse as sp
import sklearn
from scipy.special import expit
from sklearn.datasets import load_iris, make_multilabel_classification
from sklearn.exceptions import DataConversionWarning
from sklearn.metrics import log_loss
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.utils.class_weight import compute_sample_weight

from skdeep.neural_network import ResNetClassifier

IRIS, SPECIES = load_iris(return_X_y=True)
X2, Y2 = IRIS[50:], SPECIES[50:] - 1
RARE = (np.arange(100) % 5 == 0).astype(int)
LABELS, MANY = make_multilabel_classification(120, 6, n_classes=3, random_state=0)


def small(**parameters):
    """Fast classifier."""
    defaults = {"n_blocks": 1, "width": 16, "max_epochs": 5, "lr_schedule": "constant"}
    defaults |= {"norm": "batch", "numerical_embedding": None, "early_stopping": False}
    defaults |= {"label_smoothing": 0.0}
    defaults |= {"lr": 1e-3, "weight_decay": 1e-5, "device": "cpu", "random_state": 0}
    return ResNetClassifier(**{**defaults, **parameters})


def full_batch(**parameters):
    """As ``small``, with full batches, for which sample weights are exact."""
    return small(batch_size=1000, lr=0.01, **parameters)


def assert_equal_nets(actual, expected, X):
    np.testing.assert_allclose(
        actual.decision_function(X), expected.decision_function(X), rtol=1e-6, atol=1e-6
    )


# Known answers -----------------------------------------------------------------------------


def test_probabilities_are_those_of_a_known_logistic_model():
    rng = np.random.default_rng(0)
    X = rng.normal(size=(6000, 4))
    truth = expit(X @ [1.5, -1.0, 0.5, 0.0] - 0.5)
    y = (rng.uniform(size=6000) < truth).astype(int)
    train, test = slice(0, 3000), slice(3000, 6000)
    options = {"max_epochs": 8, "lr": 3e-3, "batch_size": 64, "lr_schedule": "cosine"}
    clf = small(**options).fit(X[train], y[train])
    probability = clf.predict_proba(X[test])[:, 1]
    assert np.abs(probability - truth[test]).mean() < 0.05
    # reliability: in ten bins the mean of the truth is that of what was predicted
    bins = np.argsort(probability).reshape(10, 300)
    gaps = truth[test][bins].mean(axis=1) - probability[bins].mean(axis=1)
    assert np.abs(gaps).max() < 0.06
    best = log_loss(y[test], truth[test])
    assert log_loss(y[test], probability) < best + 0.015


def test_rows_that_tell_nothing_get_the_base_rates():
    X, y = np.zeros((200, 2)), np.repeat([0, 1, 2], [140, 50, 10])
    clf = full_batch(max_epochs=30, dropout=0.0).fit(X, y)
    np.testing.assert_allclose(clf.predict_proba(X[:1]), [[0.7, 0.25, 0.05]], atol=0.005)


def test_label_smoothing_moves_base_rates_as_the_formula_says():
    X, y = np.zeros((200, 2)), np.repeat([0, 1, 2], [140, 50, 10])
    options = {"max_epochs": 300, "tol": 0.0, "n_iter_no_change": 300}
    options |= {"norm": "layer", "dropout": 0.0}
    clf = full_batch(label_smoothing=0.3, **options).fit(X, y)
    expected = 0.7 * np.array([0.7, 0.25, 0.05]) + 0.3 / 3
    np.testing.assert_allclose(clf.predict_proba(X[:1])[0], expected, atol=0.005)
    clf = full_batch(label_smoothing=0.3, **options).fit(X, y == 0)
    assert clf.predict_proba(X[:1])[0, 1] == pytest.approx(0.7 * 0.7 + 0.3 / 2, abs=0.005)


@pytest.mark.parametrize("label_smoothing", [0.0, 0.2])
@pytest.mark.parametrize("kind", ["binary", "multiclass", "multilabel"])
def test_loss_curve_is_the_cross_entropy_of_the_smoothed_labels(kind, label_smoothing):
    X, y = {"binary": (X2, Y2), "multiclass": (IRIS, SPECIES), "multilabel": (LABELS, MANY)}[kind]
    # first a net that has learned, then a step of next to nothing: its loss is that of the epoch
    clf = small(norm="layer", dropout=0.0, label_smoothing=label_smoothing, warm_start=True)
    clf.fit(X, y).set_params(lr=1e-12, max_epochs=1, batch_size=1000).fit(X, y)
    logs = clf.predict_log_proba(X)
    if kind == "multilabel":
        target = y * (1 - label_smoothing) + label_smoothing / 2
        expected = -(target * logs + (1 - target) * np.log1p(-np.exp(logs))).mean()
    else:
        one_hot = np.eye(logs.shape[1])[y]
        target = one_hot * (1 - label_smoothing) + label_smoothing / logs.shape[1]
        expected = -(target * logs).sum(axis=1).mean()
        if not label_smoothing:
            assert clf.loss_curve_[-1] == pytest.approx(log_loss(y, np.exp(logs)), rel=1e-4)
    assert clf.loss_curve_[-1] == pytest.approx(expected, rel=1e-4)
    assert clf.n_iter_ == 6


# Methods agree with each other -------------------------------------------------------------


@pytest.mark.parametrize("X, y", [(X2, Y2), (IRIS, SPECIES)], ids=["binary", "multiclass"])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_probabilities_labels_logits_and_logarithms_agree(dtype, X, y):
    X = X.astype(dtype)
    clf = full_batch(max_epochs=50).fit(X, y)
    probability, decision = clf.predict_proba(X), clf.decision_function(X)
    assert probability.dtype == decision.dtype == np.float64
    assert probability.shape == (len(X), len(clf.classes_))
    np.testing.assert_allclose(probability.sum(axis=1), 1, rtol=1e-12)
    np.testing.assert_array_equal(clf.predict(X), clf.classes_[probability.argmax(axis=1)])
    np.testing.assert_allclose(clf.predict_log_proba(X), np.log(probability), rtol=1e-6, atol=1e-9)
    if decision.ndim == 1:
        np.testing.assert_allclose(probability[:, 1], expit(decision))
        np.testing.assert_array_equal(clf.predict(X), (decision > 0).astype(int))
    else:
        np.testing.assert_array_equal(decision.argmax(axis=1), probability.argmax(axis=1))
    assert clf.score(X, y) > 0.9


def test_logarithms_of_probabilities_stay_finite_where_those_round_to_zero():
    X = np.array([[-1.0], [1.0]] * 40)
    clf = full_batch(max_epochs=300, dropout=0.0, feature_scaling=None).fit(X, X[:, 0] > 0)
    far = np.array([[1e4], [-1e4]])
    assert clf.predict_proba(far).min() == 0.0
    assert np.isfinite(clf.predict_log_proba(far)).all()
    assert clf.predict_log_proba(far).min() < -700


def test_head_on_what_embed_gives_is_the_decision():
    for X, y in [(X2, Y2), (IRIS, SPECIES), (LABELS, MANY)]:
        clf = small().fit(X, y)
        Z = clf.embed(X)
        assert Z.shape == (len(X), 16) and Z.dtype == np.float64
        assert clf.embed(X.astype(np.float32)).dtype == np.float32
        head = clf.module_.head
        expected = Z @ head.weight.detach().numpy().T + head.bias.detach().numpy()
        decision = clf.decision_function(X).reshape(len(X), -1)
        np.testing.assert_allclose(decision, expected, rtol=1e-5, atol=1e-5)


# Labels ------------------------------------------------------------------------------------

LABEL_KINDS = {
    "strings": np.array(["setosa", "versicolor", "virginica"]),
    "objects": np.array(["a", "bb", "c"], dtype=object),
    "floats": np.array([1.0, 2.0, 30.0]),
    "ints": np.array([-5, 7, 8]),
    "large ints": np.array([2**40, 2**41, 2**62]),
    "bytes": np.array([1, 2, 255], dtype=np.uint8),
}


@pytest.mark.parametrize("values", LABEL_KINDS.values(), ids=LABEL_KINDS)
def test_labels_of_any_kind_come_back(values):
    reference = small(max_epochs=15).fit(IRIS, SPECIES)
    for y in (values[SPECIES], values[SPECIES].tolist(), pd.Series(values[SPECIES])):
        clf = small(max_epochs=15).fit(IRIS, y)
        assert clf.classes_.tolist() == values.tolist()
        np.testing.assert_array_equal(clf.predict(IRIS), values[reference.predict(IRIS)])
        np.testing.assert_array_equal(clf.predict_proba(IRIS), reference.predict_proba(IRIS))


@pytest.mark.parametrize(
    "values",
    [[False, True], ["no", "yes"], [1.0, 2.0], [-1, 1]],
    ids=["bool", "str", "float", "±1"],
)
def test_two_labels_of_any_kind_come_back(values):
    values = np.array(values)
    clf = small(max_epochs=15).fit(X2, values[Y2])
    assert clf.classes_.dtype == values.dtype
    expected = values[small(max_epochs=15).fit(X2, Y2).predict(X2)]
    np.testing.assert_array_equal(clf.predict(X2), expected)
    assert clf.predict(X2).dtype == values.dtype


@pytest.mark.parametrize(
    "make",
    [
        lambda y: pd.Series(y, dtype="category"),
        lambda y: pd.Series(y, dtype="string"),
        lambda y: pl.Series(y),
        lambda y: pl.Series(y, dtype=pl.Categorical),
    ],
    ids=["category", "string", "polars", "polars category"],
)
def test_labels_may_come_as_a_series(make):
    values = np.array(["no", "yes"])[Y2]
    clf = small().fit(X2, make(values.tolist()))
    assert clf.classes_.tolist() == ["no", "yes"]
    expected = small().fit(X2, values).predict(X2)
    np.testing.assert_array_equal(clf.predict(X2), expected)


@pytest.mark.parametrize("label", [0, "a", True, 2.5])
def test_one_label_only_is_predicted_with_certainty(label):
    label = float(int(label)) if label == 2.5 else label
    clf = small().fit(IRIS, np.full(150, label))
    assert clf.classes_.tolist() == [label]
    np.testing.assert_array_equal(clf.predict(IRIS), np.full(150, label))
    np.testing.assert_array_equal(clf.predict_proba(IRIS), np.ones((150, 1)))
    np.testing.assert_array_equal(clf.predict_log_proba(IRIS), np.zeros((150, 1)))


def test_column_of_labels_is_taken_with_a_warning():
    with pytest.warns(DataConversionWarning, match="column-vector y was passed"):
        clf = small().fit(IRIS, SPECIES[:, None])
    np.testing.assert_array_equal(clf.predict(IRIS), small().fit(IRIS, SPECIES).predict(IRIS))


# Several labels ----------------------------------------------------------------------------


@pytest.mark.parametrize(
    "container",
    [sp.csr_array, sp.csc_matrix, pd.DataFrame, np.ndarray.tolist, lambda Y: Y.astype(bool)],
    ids=["csr", "csc", "pandas", "list", "bool"],
)
def test_multilabel_targets_of_any_container_are_the_same(container):
    expected = small().fit(LABELS, MANY)
    actual = small().fit(LABELS, container(MANY))
    np.testing.assert_array_equal(actual.predict_proba(LABELS), expected.predict_proba(LABELS))
    assert actual.classes_.tolist() == [0, 1, 2]


def test_multilabel_probabilities_are_of_each_label():
    clf = full_batch(max_epochs=150).fit(LABELS, MANY)
    probability = clf.predict_proba(LABELS)
    assert probability.shape == (120, 3) and probability.dtype == np.float64
    np.testing.assert_array_equal(clf.predict(LABELS), (probability > 0.5).astype(int))
    np.testing.assert_allclose(expit(clf.decision_function(LABELS)), probability)
    np.testing.assert_allclose(np.exp(clf.predict_log_proba(LABELS)), probability)
    assert (clf.predict(LABELS) == MANY).mean() > 0.9
    assert clf.score(LABELS, MANY) == (clf.predict(LABELS) == MANY).all(axis=1).mean()


def test_multilabel_targets_have_base_rates_of_their_own():
    Y = np.column_stack([np.arange(200) < 20, np.arange(200) < 150, np.ones(200)]).astype(int)
    clf = full_batch(max_epochs=30, dropout=0.0).fit(np.zeros((200, 2)), Y)
    np.testing.assert_allclose(clf.predict_proba(np.zeros((1, 2))), [[0.1, 0.75, 1]], atol=0.005)


# Weights -----------------------------------------------------------------------------------


def test_weights_are_repetitions_and_zero_is_removal():
    weight = np.random.default_rng(0).integers(0, 4, size=150)
    order = np.repeat(np.arange(150), weight)
    for y in (SPECIES, SPECIES == 1, np.eye(3, dtype=int)[SPECIES]):
        weighted = full_batch().fit(IRIS, y, sample_weight=weight)
        assert_equal_nets(weighted, full_batch().fit(IRIS[order], y[order]), IRIS)
        with pytest.raises(AssertionError):
            assert_equal_nets(weighted, full_batch().fit(IRIS, y), IRIS)


@pytest.mark.parametrize("with_weight", [False, True])
@pytest.mark.parametrize("class_weight", ["balanced", {0: 1.0, 1: 5.0}, {0: 0.5}, {0: 0, 1: 1}])
def test_class_weight_is_that_weight_of_each_row(class_weight, with_weight):
    sample_weight = np.random.default_rng(0).integers(1, 4, size=100) if with_weight else None
    actual = full_batch(class_weight=class_weight).fit(X2, RARE, sample_weight=sample_weight)
    base = np.ones(100) if sample_weight is None else sample_weight
    if class_weight == "balanced":  # every class has the same total
        total = np.bincount(RARE, weights=base)
        by_hand = base / total[RARE]
    else:
        full = {0: 1.0, 1: 1.0, **class_weight}
        by_hand = base * np.array([full[0], full[1]])[RARE]
    assert_equal_nets(actual, full_batch().fit(X2, RARE, sample_weight=by_hand), X2)
    with pytest.raises(AssertionError):
        assert_equal_nets(actual, full_batch().fit(X2, RARE, sample_weight=sample_weight), X2)


def test_balanced_classes_are_scikit_learns():
    by_hand = compute_sample_weight("balanced", RARE)
    expected = full_batch().fit(X2, RARE, sample_weight=by_hand)
    assert_equal_nets(full_batch(class_weight="balanced").fit(X2, RARE), expected, X2)


def test_class_weight_goes_by_the_users_labels():
    y = np.array(["no", "yes"])[RARE]
    actual = full_batch(class_weight={"yes": 5.0, "no": 1.0}).fit(X2, y)
    assert_equal_nets(actual, full_batch(class_weight={1: 5.0}).fit(X2, RARE), X2)


def test_balanced_classes_shift_predictions_of_rows_that_tell_nothing():
    clf = full_batch(class_weight="balanced", max_epochs=30, dropout=0.0)
    clf.fit(np.zeros((100, 1)), RARE)
    np.testing.assert_allclose(clf.predict_proba([[0.0]]), [[0.5, 0.5]], atol=0.005)


def test_weights_are_routed_through_a_pipeline_and_a_search():
    weight = 1.0 + 4.0 * RARE
    expected = full_batch().fit(StandardScaler().fit_transform(X2), RARE, sample_weight=weight)
    with sklearn.config_context(enable_metadata_routing=True):
        net = full_batch().set_fit_request(sample_weight=True)
        scaler = StandardScaler().set_fit_request(sample_weight=False)
        pipe = make_pipeline(scaler, net.set_score_request(sample_weight=True))
        grid = {"resnetclassifier__class_weight": [None]}
        search = GridSearchCV(pipe, grid, cv=2, error_score="raise")
        for routed in (pipe, search):
            routed.fit(X2, RARE, sample_weight=weight)
            scaled = StandardScaler().fit_transform(X2)
            np.testing.assert_allclose(
                routed.decision_function(X2), expected.decision_function(scaled), atol=1e-6
            )
