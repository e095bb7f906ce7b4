"""Residual nets that start from a fitted net: known answers, frozen trunks, errors, searches."""

import copy
import pickle

import numpy as np
import pandas as pd
import pytest
import torch
from sklearn.base import clone
from sklearn.datasets import load_digits
from sklearn.decomposition import PCA
from sklearn.exceptions import NotFittedError
from sklearn.frozen import FrozenEstimator
from sklearn.model_selection import GridSearchCV, cross_val_score
from sklearn.pipeline import make_pipeline

from skdeep.cluster import IMSAT, DeepCluster, DeepEmbeddedClustering
from skdeep.decomposition import Autoencoder, DeepInfoMax, VariationalAutoencoder
from skdeep.ensemble import DeepEnsembleClassifier
from skdeep.model_selection import BatchedGridSearchCV, BatchedHalvingSearchCV
from skdeep.neural_network import ResNetClassifier, ResNetRegressor
from skdeep.semi_supervised import FewLabelsClassifier

X, Y = load_digits(return_X_y=True)
X, Y = X[:400] / 16, Y[:400]
FEW = {"device": "cpu", "random_state": 0}
SMALL = {"n_blocks": 1, "width": 16, "max_epochs": 3, **FEW}
ODD = ResNetClassifier(**SMALL).fit(X, Y % 2)


def net(pretrained=ODD, **params):
    return ResNetClassifier(pretrained=FrozenEstimator(pretrained), **{**SMALL, **params})


def features(estimator, X=X):
    return estimator.embed(X) if hasattr(estimator, "embed") else estimator.transform(X)


def trunk(estimator):
    """Weights and batch statistics of the trunk."""
    tensors = estimator.module_.trunk.state_dict()
    return {name: tensor.numpy(force=True).copy() for name, tensor in tensors.items()}


# Known answers -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    "clusterer",
    [DeepCluster(50, image_shape=(8, 8), max_epochs=30), IMSAT(10, n_init=1, max_epochs=20)],
    ids=["images", "tables"],
)
def test_a_net_that_has_clustered_the_digits_needs_few_labels(clusterer):
    X, y = load_digits(return_X_y=True)
    pretrained = FrozenEstimator(clone(clusterer).set_params(**FEW).fit(X[:1200]))
    start = {"pretrained": pretrained, "freeze_epochs": 25, "trunk_lr": 1e-4}
    from_scratch = {"image_shape": clusterer.image_shape}
    options = {"lr": 1e-2, "lr_schedule": "cosine", "weight_decay": 1e-5, "max_epochs": 50, **FEW}
    options |= {"label_smoothing": 0.0, "n_iter_no_change": 10, "n_blocks": 2}
    scores = [
        ResNetClassifier(**params, **options).fit(X[:30], y[:30]).score(X[1200:], y[1200:])
        for params in (start, from_scratch)
    ]
    assert scores[0] > scores[1] + 0.1


# The trunk ---------------------------------------------------------------------------------

ENCODERS = [
    ODD,
    ResNetRegressor(**SMALL).fit(X, X[:, :2]),
    Autoencoder(4, max_epochs=2, batch_norm=True, dropout=0.1, **FEW).fit(X),
    VariationalAutoencoder(4, max_epochs=2, **FEW).fit(X),
    DeepInfoMax(4, max_epochs=2, **FEW).fit(X),
    DeepCluster(10, n_components=8, max_epochs=2, **FEW).fit(X),
    DeepEmbeddedClustering(3, pretrain_epochs=2, max_epochs=2, **FEW).fit(X),
    IMSAT(3, n_components=16, n_init=1, max_epochs=2, **FEW).fit(X),
]
IMAGES = {"image_shape": (8, 8), "max_epochs": 1, **FEW}
CONVOLUTIONAL = [
    ResNetClassifier(stem_width=4, n_blocks=1, **IMAGES).fit(X, Y),
    Autoencoder(4, hidden_layer_sizes=(4,), batch_norm=True, **IMAGES).fit(X),
    VariationalAutoencoder(4, hidden_layer_sizes=(4,), **IMAGES).fit(X),
    DeepInfoMax(4, hidden_layer_sizes=(4,), **IMAGES).fit(X),
    DeepCluster(10, hidden_layer_sizes=(4,), n_components=8, **IMAGES).fit(X),
    IMSAT(3, hidden_layer_sizes=(4,), n_components=32, n_init=1, **{**IMAGES, "max_epochs": 5}).fit(
        X
    ),
]


def _name(estimator):
    kind = "images" if estimator.image_shape else "table"
    return f"{type(estimator).__name__}-{kind}"


@pytest.mark.parametrize("Net", [ResNetClassifier, ResNetRegressor])
@pytest.mark.parametrize("given", ENCODERS + CONVOLUTIONAL, ids=_name)
def test_a_frozen_trunk_returns_the_features_that_it_was_given(given, Net):
    before = pickle.dumps(given)
    start = {"pretrained": FrozenEstimator(given), "freeze_epochs": 3, "max_epochs": 3}
    fitted = Net(**start, batch_size=64, **FEW).fit(X[:200], Y[:200])
    np.testing.assert_array_equal(fitted.embed(X), features(given))
    assert fitted.loss_curve_[2] < fitted.loss_curve_[0]  # the head learns
    assert [row["phase"] for row in fitted.history_] == ["frozen"] * 3
    tuned = clone(fitted).set_params(freeze_epochs=1).fit(X[:200], Y[:200])
    assert not np.array_equal(tuned.embed(X), features(given))
    assert pickle.dumps(given) == before


@pytest.mark.parametrize("copied", [copy.copy, copy.deepcopy, clone])
def test_a_copy_starts_from_the_same_trunk(copied, assert_same):
    assert_same(copied(net()).fit(X, Y), net().fit(X, Y), X)


def test_the_trunk_of_a_classifier_of_larger_images_keeps_its_kernels():
    images, y = X.reshape(-1, 16 * 16), Y[::4]
    given = FewLabelsClassifier(image_shape=(16, 16), max_epochs=2, **FEW).fit(images, y)
    fitted = net(given, freeze_epochs=2, max_epochs=2).fit(images, y)
    np.testing.assert_array_equal(fitted.embed(images), given.transform(images))


@pytest.mark.parametrize(
    "params",
    [
        {},
        {"optimizer": "sgd", "weight_decay": 0.1},
        {"gradient_clip_value": 0.1, "lr_schedule": "plateau"},
        {"early_stopping": True},
        {"trunk_lr": 1.0, "lr_schedule": "onecycle"},
        {"warm_start": True},
    ],
    ids=str,
)
def test_weights_and_statistics_of_a_frozen_trunk_stay_the_same_to_the_bit(params):
    options = {"batch_size": 64, "max_epochs": 4, "dropout": 0.5}
    fitted = net(freeze_epochs=4, **options, **params).fit(X, Y)
    expected = trunk(ODD)
    for name, found in trunk(fitted).items():
        np.testing.assert_array_equal(found, expected[name], err_msg=name)
    assert fitted.module_.head.weight.abs().max() > 0
    moved = trunk(net(freeze_epochs=3, **options, **params).fit(X, Y))
    assert any(not np.array_equal(moved[name], expected[name]) for name in expected)


def test_the_trunk_may_have_a_lower_learning_rate():
    options = {"lr_schedule": "constant", "optimizer": "sgd", "batch_size": 1000}
    options |= {"freeze_epochs": 1, "max_epochs": 2, "lr": 0.1}

    def step(**params):
        """Change of the weights in the first epoch in which they are trained."""
        pairs = zip(
            net(**options, **params).fit(X, Y).module_.trunk.parameters(),
            ODD.module_.trunk.parameters(),
            strict=True,
        )
        return np.concatenate([(new - old).numpy(force=True).ravel() for new, old in pairs])

    np.testing.assert_allclose(step(trunk_lr=4.0), 2 * step(trunk_lr=2.0), rtol=1e-3, atol=1e-6)
    np.testing.assert_array_equal(step(trunk_lr=0.1), step())
    assert np.abs(step(trunk_lr=0.1)).max() > 0


def test_without_a_pretrained_net_its_parameters_do_nothing(assert_same):
    plain = ResNetClassifier(**SMALL)
    other = clone(plain).set_params(freeze_epochs=2, trunk_lr=1.0)
    assert_same(other.fit(X, Y), plain.fit(X, Y), X)


def test_scaling_categories_and_missing_values_are_those_of_the_pretrained_net():
    frame = pd.DataFrame(
        {"number": X[:, 20], "letter": pd.Categorical(np.array(list("abc"))[Y % 3])}
    )
    frame.loc[::7, "number"] = np.nan
    given = ResNetRegressor(missing="indicator", **SMALL).fit(frame, Y)
    few = frame[Y < 3].assign(number=lambda rows: rows["number"] + 100)
    fitted = net(given, freeze_epochs=3).fit(few, Y[Y < 3])
    np.testing.assert_array_equal(fitted.embed(frame), given.embed(frame))
    assert fitted.is_categorical_.tolist() == [False, True]
    with pytest.raises(ValueError, match="feature names should match"):
        net(given).fit(few.rename(columns={"letter": "word"}), Y[Y < 3])


def test_augmentation_and_dropout_are_those_of_the_new_net():
    for given in (CONVOLUTIONAL[0], CONVOLUTIONAL[4]):
        plain, shifted = (
            net(given, augment=kind).fit(X, Y).loss_curve_ for kind in (None, "shift")
        )
        assert plain != shifted
    assert net(dropout=0.0).fit(X, Y).loss_curve_ != net(dropout=0.5).fit(X, Y).loss_curve_


# As a scikit-learn estimator ---------------------------------------------------------------


def test_clones_and_pickles_start_from_the_same_net(assert_same):
    fitted = net(freeze_epochs=1, trunk_lr=1e-4).fit(X, Y)
    assert_same(clone(fitted).fit(X, Y), fitted, X)
    restored = pickle.loads(pickle.dumps(fitted))
    np.testing.assert_array_equal(restored.predict_proba(X), fitted.predict_proba(X))
    assert_same(clone(restored).fit(X, Y), fitted, X)


def test_a_fine_tuned_net_can_be_fine_tuned():
    autoencoder = ENCODERS[2]
    first = net(autoencoder, freeze_epochs=1).fit(X, Y)
    second = net(first, freeze_epochs=3).fit(X, Y % 3)
    np.testing.assert_array_equal(second.embed(X), first.embed(X))


@pytest.mark.parametrize("how", ["warm start", "partial fit"])
def test_training_that_continues_counts_the_frozen_epochs(how):
    fitted = net(freeze_epochs=2, max_epochs=1, warm_start=True)
    for number in range(4):
        fitted = pickle.loads(pickle.dumps(fitted))
        fitted.fit(X, Y) if how == "warm start" else fitted.partial_fit(X, Y)
        assert np.array_equal(fitted.embed(X), ODD.embed(X)) == (number < 2)
    assert [row["phase"] for row in fitted.history_] == ["frozen"] * 2 + ["fine-tuning"] * 2


def test_a_second_training_on_all_samples_starts_from_the_pretrained_net_again():
    options = {"freeze_epochs": 2, "max_epochs": 4, "batch_size": 64}
    fitted = net(early_stopping=True, refit_full=True, **options).fit(X, Y)
    phases = [row["phase"] for row in fitted.history_]
    assert phases == ["frozen"] * 2 + ["fine-tuning"] * (fitted.best_epoch_ - 2)


@pytest.mark.parametrize("params", [{}, {"early_stopping": True}, {"trunk_lr": 1e-4}], ids=str)
def test_batched_search_returns_what_grid_search_returns(params, assert_same_search):
    grid = {"freeze_epochs": [0, 1, 3], "lr": [1e-3, 1e-2], "dropout": [0.0, 0.2]}
    estimator = net(batch_size=64, **params)
    expected = GridSearchCV(estimator, grid, cv=2).fit(X, Y)
    found = BatchedGridSearchCV(estimator, grid, cv=2, max_batch_models=4).fit(X, Y)
    assert_same_search(found, expected)


def test_a_search_chooses_what_to_start_from(assert_same_search):
    grid = {"pretrained": [None, FrozenEstimator(ODD), FrozenEstimator(ENCODERS[5])]}
    expected = GridSearchCV(net(freeze_epochs=1), grid, cv=2).fit(X, Y)
    assert_same_search(BatchedGridSearchCV(net(freeze_epochs=1), grid, cv=2).fit(X, Y), expected)


def test_halving_over_epochs_freezes_the_trunk_for_the_first_ones():
    grid = {"freeze_epochs": [1, 4], "lr": [1e-3, 1e-2]}
    options = {"resource": "max_epochs", "min_resources": 2, "max_resources": 4, "factor": 2}
    search = BatchedHalvingSearchCV(net(), grid, cv=2, random_state=0, **options).fit(X, Y)
    best = search.best_estimator_
    phases = [row["phase"] for row in best.history_]
    assert phases[: best.freeze_epochs] == ["frozen"] * best.freeze_epochs
    assert set(phases[best.freeze_epochs :]) <= {"fine-tuning"}


@pytest.mark.parametrize("early_stopping", [False, True])
@pytest.mark.parametrize("freeze_epochs", [1, 2, 4, 6, 9])
def test_halving_over_epochs_stops_when_a_single_fit_stops(freeze_epochs, early_stopping):
    stopping = {"early_stopping": early_stopping, "n_iter_no_change": 1, "tol": 1e6}
    estimator, grid = net(freeze_epochs=freeze_epochs, **stopping), {"lr": [1e-3, 1e-2]}
    options = {"resource": "max_epochs", "min_resources": 2, "max_resources": 8, "factor": 2}
    options |= {"n_candidates": "all", "aggressive_elimination": True}
    search = BatchedHalvingSearchCV(estimator, grid, cv=2, random_state=0, **options).fit(X, Y)
    best = clone(estimator).set_params(**search.best_params_)
    assert search.best_score_ == np.mean(cross_val_score(best, X, Y, cv=2))


def test_members_of_an_ensemble_start_from_the_same_trunk():
    ensemble = DeepEnsembleClassifier(net(freeze_epochs=1), 2, random_state=0).fit(X, Y)
    first, second = (member.embed(X) for member in ensemble.estimators_)
    assert not np.array_equal(first, second)
    assert ensemble.score(X, Y) > 0.1


# Errors ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("params", "X", "error", "match"),
    [
        ({"pretrained": ResNetClassifier()}, X, NotFittedError, "not fitted yet"),
        ({"pretrained": PCA(3)}, X, TypeError, "FrozenEstimator of a fitted.*got one of PCA"),
        ({"pretrained": make_pipeline(ODD)}, X, TypeError, "got one of Pipeline"),
        ({}, X[:, :5], ValueError, "X must have the 64 features .* fitted on; got 5"),
        ({}, X[:, :5].tolist(), ValueError, "X must have the 64 features .* fitted on; got 5"),
        ({"image_shape": (8, 8)}, X, ValueError, r"image_shape must be None or that of pretrained"),
        (
            {"trunk_lr": 1e-4, "optimizer": torch.optim.LBFGS, "weight_decay": 0.0},
            X,
            ValueError,
            "trunk_lr must be None with LBFGS",
        ),
        ({"augment": "shift"}, X, ValueError, "augment needs image_shape"),
        (
            {"pretrained": CONVOLUTIONAL[1]},
            np.zeros((400, 1, 8, 9)),
            ValueError,
            "X must have the 64 features .* fitted on; got 72",
        ),
        (
            {"pretrained": CONVOLUTIONAL[1], "image_shape": (8, 9)},
            X,
            ValueError,
            r"image_shape must be None or that of pretrained, \(1, 8, 8\)",
        ),
    ],
)
def test_an_unsuitable_pretrained_estimator_is_an_error(params, X, error, match):
    with pytest.raises(error, match=match):
        net(**params).fit(X, Y)


@pytest.mark.parametrize(
    ("pretrained", "match"),
    [
        (ODD, r"'pretrained' parameter of .*FrozenEstimator"),
        ("odd", r"'pretrained' parameter of .*FrozenEstimator"),
        (FrozenEstimator(PCA(3)), "FrozenEstimator of a fitted"),
        (FrozenEstimator(make_pipeline(ODD)), "got one of Pipeline"),
        (FrozenEstimator(ResNetClassifier()), "not fitted yet"),
    ],
)
@pytest.mark.parametrize("Search", [GridSearchCV, BatchedGridSearchCV])
def test_an_unsuitable_pretrained_estimator_is_the_same_error_in_a_search(
    pretrained, match, Search
):
    estimator = ResNetClassifier(pretrained=pretrained, **SMALL)
    assert "ResNetClassifier" in estimator._repr_html_()
    with pytest.raises((TypeError, ValueError), match=match):
        Search(estimator, {"lr": [1e-3]}, cv=2, error_score="raise").fit(X, Y)


def test_the_remedy_for_missing_values_is_that_of_the_pretrained_net():
    gaps = np.where(X > 0.9, np.nan, X)
    with pytest.raises(ValueError, match='Pretrain a net with missing="indicator"'):
        net(missing="indicator").fit(gaps, Y)


def test_a_pretrained_estimator_that_is_not_frozen_is_an_error():
    with pytest.raises(ValueError, match=r"'pretrained' parameter of .*FrozenEstimator"):
        ResNetClassifier(pretrained=ODD).fit(X, Y)
