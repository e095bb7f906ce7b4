"""Residual nets with scikit-learn's tools."""

import matplotlib
import numpy as np
import pandas as pd
import pytest
from sklearn.base import clone, is_classifier, is_regressor
from sklearn.calibration import CalibratedClassifierCV
from sklearn.cluster import KMeans
from sklearn.compose import ColumnTransformer, TransformedTargetRegressor
from sklearn.datasets import load_diabetes, load_iris
from sklearn.ensemble import (
    BaggingClassifier,
    RandomForestClassifier,
    RandomForestRegressor,
    StackingClassifier,
    StackingRegressor,
    VotingClassifier,
    VotingRegressor,
)
from sklearn.inspection import PartialDependenceDisplay, partial_dependence, permutation_importance
from sklearn.metrics import adjusted_rand_score, log_loss
from sklearn.model_selection import (
    GridSearchCV,
    KFold,
    cross_val_predict,
    cross_val_score,
    learning_curve,
)
from sklearn.multiclass import OneVsOneClassifier, OneVsRestClassifier
from sklearn.multioutput import ClassifierChain, MultiOutputClassifier, MultiOutputRegressor
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer, OneHotEncoder, StandardScaler
from sklearn.semi_supervised import SelfTrainingClassifier

from skdeep.neural_network import ResNetClassifier, ResNetRegressor

matplotlib.use("Agg")

IRIS, SPECIES = load_iris(return_X_y=True)
NAMES = load_iris().target_names[SPECIES]
X, Y = (part[:200] for part in load_diabetes(return_X_y=True))
TWO = np.column_stack([Y, X[:, 2]])


def small(Class=ResNetClassifier, **parameters):
    """Fast net."""
    defaults = {"n_blocks": 1, "width": 16, "max_epochs": 25, "batch_size": 64, "lr": 0.01}
    defaults |= {"device": "cpu", "random_state": 0}
    return Class(**{**defaults, **parameters})


def regressor(**parameters):
    return small(ResNetRegressor, **parameters)


def test_nets_are_what_they_say():
    assert is_classifier(small()) and not is_regressor(small())
    assert is_regressor(regressor()) and not is_classifier(regressor())
    assert not hasattr(small().fit(IRIS, SPECIES), "transform")


# Ensembles ---------------------------------------------------------------------------------


def test_stacking_beside_a_forest():
    members = [("resnet", small()), ("forest", RandomForestClassifier(10, random_state=0))]
    stack = StackingClassifier(members, cv=3).fit(IRIS, NAMES)
    assert stack.score(IRIS, NAMES) > 0.93
    assert stack.transform(IRIS).shape == (150, 6)
    codes = np.searchsorted(np.unique(NAMES), NAMES)
    alone = small().fit(IRIS, codes).predict_proba(IRIS)
    np.testing.assert_array_equal(stack.transform(IRIS)[:, :3], alone)


def test_stacking_of_regressors():
    members = [("resnet", regressor()), ("forest", RandomForestRegressor(10, random_state=0))]
    stack = StackingRegressor(members, cv=3).fit(X, Y)
    np.testing.assert_array_equal(stack.transform(X)[:, 0], regressor().fit(X, Y).predict(X))
    assert stack.score(X, Y) > 0.4


@pytest.mark.parametrize("voting", ["soft", "hard"])
def test_voting_is_the_mean_or_the_majority(voting):
    members = [(str(seed), small(random_state=seed)) for seed in range(3)]
    vote = VotingClassifier(members, voting=voting).fit(IRIS, NAMES)
    alone = [small(random_state=seed).fit(IRIS, SPECIES) for seed in range(3)]
    if voting == "soft":
        expected = np.mean([one.predict_proba(IRIS) for one in alone], axis=0)
        np.testing.assert_allclose(vote.predict_proba(IRIS), expected)
    assert vote.score(IRIS, NAMES) > 0.93
    assert set(vote.predict(IRIS)) <= set(NAMES)


def test_voting_of_regressors_is_the_mean():
    members = [("resnet", regressor()), ("forest", RandomForestRegressor(10, random_state=0))]
    vote = VotingRegressor(members).fit(X, Y)
    expected = np.mean([clone(one).fit(X, Y).predict(X) for _, one in members], axis=0)
    np.testing.assert_allclose(vote.predict(X), expected)


def test_bagging_with_weights_and_on_some_columns():
    bag = BaggingClassifier(small(), n_estimators=3, max_features=3, random_state=0)
    assert bag.fit(IRIS, NAMES).score(IRIS, NAMES) > 0.9
    np.testing.assert_allclose(bag.predict_proba(IRIS).sum(axis=1), 1)
    assert len({tuple(one.loss_curve_) for one in bag.estimators_}) == 3


@pytest.mark.parametrize("method", ["sigmoid", "isotonic", "temperature"])
def test_calibration(method):
    clf = CalibratedClassifierCV(small(), method=method, ensemble=False, cv=3).fit(IRIS, NAMES)
    np.testing.assert_allclose(clf.predict_proba(IRIS).sum(axis=1), 1)
    assert clf.score(IRIS, NAMES) > 0.93
    weighted = CalibratedClassifierCV(small(), method=method, ensemble=False, cv=3)
    weighted.fit(IRIS, NAMES, sample_weight=1.0 + 9 * (SPECIES == 1))
    assert not np.allclose(weighted.predict_proba(IRIS), clf.predict_proba(IRIS))


def test_self_training_learns_from_rows_without_labels():
    y = np.where(np.arange(150) % 5 == 0, SPECIES, -1)
    clf = SelfTrainingClassifier(small(max_epochs=60), threshold=0.8, max_iter=3).fit(IRIS, y)
    assert clf.score(IRIS, SPECIES) > 0.85
    assert (clf.labeled_iter_ > 0).any()


# Several outputs ---------------------------------------------------------------------------


@pytest.mark.parametrize("Meta", [OneVsRestClassifier, OneVsOneClassifier])
def test_one_net_for_each_class_or_pair(Meta):
    meta = Meta(small()).fit(IRIS, NAMES)
    assert len(meta.estimators_) == 3
    assert meta.score(IRIS, NAMES) > 0.9
    first = SPECIES != 2 if Meta is OneVsOneClassifier else np.full(150, True)
    alone = small().fit(IRIS[first], (SPECIES[first] == (Meta is OneVsOneClassifier)).astype(int))
    expected = alone.decision_function(IRIS)
    np.testing.assert_array_equal(meta.estimators_[0].decision_function(IRIS), expected)


def test_one_net_for_each_output():
    meta = MultiOutputRegressor(regressor()).fit(X, TWO)
    for number in (0, 1):
        expected = regressor().fit(X, TWO[:, number]).predict(X)
        np.testing.assert_array_equal(meta.predict(X)[:, number], expected)
    labels = np.column_stack([SPECIES, SPECIES == 1])
    meta = MultiOutputClassifier(small()).fit(IRIS, labels)
    for number in (0, 1):
        expected = small().fit(IRIS, labels[:, number]).predict_proba(IRIS)
        np.testing.assert_array_equal(meta.predict_proba(IRIS)[number], expected)


def test_chain_of_classifiers():
    order = np.random.default_rng(0).permutation(150)
    labels = np.column_stack([SPECIES > 0, SPECIES > 1, SPECIES == 1]).astype(int)[order]
    chain = ClassifierChain(small(), cv=2).fit(IRIS[order], labels)
    assert chain.predict_proba(IRIS).shape == (150, 3)
    assert (chain.predict(IRIS[order]) == labels).mean() > 0.9


def test_targets_are_transformed_and_back():
    net = TransformedTargetRegressor(regressor(), func=np.log, inverse_func=np.exp).fit(X, Y)
    expected = np.exp(regressor().fit(X, np.log(Y)).predict(X))
    np.testing.assert_allclose(net.predict(X), expected)


# Validation --------------------------------------------------------------------------------


def test_cross_validation_in_a_pipeline():
    scores = cross_val_score(make_pipeline(StandardScaler(), regressor()), X, Y, cv=3)
    assert scores.shape == (3,) and scores.mean() > 0.2
    scores = cross_val_score(small(), IRIS, NAMES, cv=3, scoring="neg_log_loss")
    assert scores.min() > -0.5


def test_probabilities_of_rows_that_were_left_out():
    folds = KFold(3, shuffle=True, random_state=0)
    probability = cross_val_predict(small(), IRIS, NAMES, cv=folds, method="predict_proba")
    assert probability.shape == (150, 3)
    np.testing.assert_allclose(probability.sum(axis=1), 1)
    assert log_loss(NAMES, probability) < 0.4
    train, test = next(folds.split(IRIS))
    expected = small().fit(IRIS[train], SPECIES[train]).predict_proba(IRIS[test])
    np.testing.assert_array_equal(probability[test], expected)


def test_nested_cross_validation():
    grid = {"dropout": [0.0, 0.3], "class_weight": [None, "balanced"]}
    search = GridSearchCV(small(max_epochs=10), grid, cv=2)
    assert cross_val_score(search, IRIS, NAMES, cv=3).mean() > 0.8


def test_learning_curve_rises():
    order = np.random.default_rng(0).permutation(150)
    sizes, train, test = learning_curve(
        small(), IRIS[order], NAMES[order], train_sizes=[10, 90], cv=3
    )
    assert sizes.tolist() == [10, 90]
    assert train.shape == test.shape == (2, 3)
    assert test[1].mean() > test[0].mean()


# Inspection --------------------------------------------------------------------------------


def test_permutation_finds_the_features_that_matter():
    rng = np.random.default_rng(0)
    rows = rng.normal(size=(200, 4))
    y = np.where(rows[:, 2] > 0, "yes", "no")
    clf = small().fit(rows, y)
    importance = permutation_importance(clf, rows, y, n_repeats=3, random_state=0)
    assert importance.importances_mean.argmax() == 2
    assert importance.importances_mean[2] > 5 * np.delete(importance.importances_mean, 2).max()


def test_partial_dependence_has_the_shape_of_the_function():
    rng = np.random.default_rng(0)
    rows = pd.DataFrame(rng.uniform(-2, 2, size=(300, 3)), columns=["bent", "steep", "idle"])
    reg = regressor(max_epochs=40).fit(rows, rows["bent"] ** 2 + 2 * rows["steep"])
    curves = {
        name: partial_dependence(reg, rows, [name], grid_resolution=5)["average"][0]
        for name in rows
    }
    assert (np.diff(curves["steep"]) > 0).all()
    assert curves["bent"][2] < min(curves["bent"][[0, 4]]) - 1
    assert np.ptp(curves["idle"]) < 0.3 * np.ptp(curves["steep"])


def test_partial_dependence_is_drawn():
    rows = pd.DataFrame(IRIS, columns=list("abcd"))
    kind = np.array(["u", "v"])[np.random.default_rng(0).integers(0, 2, size=150)]
    rows["kind"] = pd.Categorical(kind)
    clf = small(max_epochs=3).fit(rows, NAMES)
    display = PartialDependenceDisplay.from_estimator(
        clf, rows, ["a", ("b", "c"), "kind"], target="setosa", grid_resolution=4,
        categorical_features=["kind"],
    )  # fmt: skip
    assert display.axes_.size >= 3
    assert len(display.lines_.ravel()[0].get_xdata()) == 4
    matplotlib.pyplot.close(display.figure_)


# Pipelines ---------------------------------------------------------------------------------


def test_columns_of_a_data_frame_go_through_a_transformer():
    rows = pd.DataFrame(IRIS, columns=list("abcd"))
    rows["kind"] = np.where(SPECIES == 0, "first", "other")
    columns = ColumnTransformer(
        [
            ("scale", StandardScaler(), list("abcd")),
            ("kind", OneHotEncoder(sparse_output=False), ["kind"]),
        ],
        verbose_feature_names_out=False,
    )
    pipe = make_pipeline(columns, small()).set_output(transform="pandas").fit(rows, NAMES)
    assert pipe.score(rows, NAMES) > 0.93
    names = ["a", "b", "c", "d", "kind_first", "kind_other"]
    assert pipe[-1].feature_names_in_.tolist() == names
    # and categories as they are, beside columns that were transformed
    rows["kind"] = rows["kind"].astype("category")
    columns = ColumnTransformer(
        [("scale", StandardScaler(), list("abcd"))],
        remainder="passthrough",
        verbose_feature_names_out=False,
    )
    pipe = make_pipeline(columns, small()).set_output(transform="pandas").fit(rows, NAMES)
    assert pipe[-1].is_categorical_.tolist() == [False] * 4 + [True]
    assert pipe.score(rows, NAMES) > 0.93


def test_embedding_feeds_a_clustering():
    clf = small(max_epochs=40).fit(IRIS, NAMES)
    pipe = make_pipeline(FunctionTransformer(clf.embed), KMeans(3, n_init=3, random_state=0))
    labels = pipe.fit_predict(IRIS)
    assert adjusted_rand_score(NAMES, labels) > 0.75
    np.testing.assert_array_equal(pipe.predict(IRIS), labels)
    np.testing.assert_array_equal(pipe[:-1].transform(IRIS), clf.embed(IRIS))


def test_embed_needs_a_fitted_net():
    with pytest.raises(ValueError, match="not fitted"):
        small().embed(IRIS)
