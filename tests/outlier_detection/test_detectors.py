"""Both outlier detectors: known answers, thresholds, scikit-learn's conventions."""

import pickle

import numpy as np
import pandas as pd
import pytest
from sklearn.base import clone, is_outlier_detector
from sklearn.datasets import load_breast_cancer
from sklearn.ensemble import IsolationForest
from sklearn.metrics import roc_auc_score
from sklearn.model_selection import GridSearchCV, StratifiedKFold
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from skdeep.model_selection import BatchedGridSearchCV
from skdeep.outlier_detection import AutoencoderOutlierDetector, DiffusionTimeDetector

SMALL = {
    AutoencoderOutlierDetector: {"max_epochs": 40},
    DiffusionTimeDetector: {"max_epochs": 40, "hidden_layer_sizes": (64, 64)},
}


@pytest.fixture(params=list(SMALL), ids=lambda cls: cls.__name__)
def Detector(request):
    return request.param


@pytest.fixture
def small(Detector):
    """Function that makes a detector that is trained for a short time."""

    def small(contamination="auto", **parameters):
        options = {**SMALL[Detector], "device": "cpu", "random_state": 0, **parameters}
        return Detector(contamination, **options)

    return small


def off_plane(n_inliers, n_outliers, seed=0):
    """Samples near a plane in ten dimensions, others off it, and a mask of the latter."""
    rng = np.random.default_rng(seed)
    plane = np.linalg.qr(np.random.default_rng(99).normal(size=(10, 2)))[0]
    X = rng.normal(size=(n_inliers + n_outliers, 2)) @ plane.T
    X += 0.02 * rng.normal(size=X.shape)
    is_outlier = np.arange(len(X)) >= n_inliers
    X[is_outlier] += 0.3 * rng.normal(size=(n_outliers, 10))
    return X, is_outlier


X, IS_OUTLIER = off_plane(380, 20)


def auc(detector, X, is_outlier):
    return roc_auc_score(is_outlier, -detector.score_samples(X))


# Known answers -----------------------------------------------------------------------------


# of contaminated samples, a long training might learn the outliers, too
@pytest.mark.parametrize(
    "train, params",
    [
        (off_plane(500, 0, seed=1)[0], {"max_epochs": 150}),
        pytest.param(off_plane(500, 0, seed=1)[0], {}, marks=pytest.mark.slow),
        (X, {}),
    ],
    ids=["clean, short", "clean", "contaminated"],
)
def test_samples_off_a_plane_are_found(train, params, Detector):
    detector = Detector(device="cpu", random_state=0, **params).fit(train)
    assert auc(detector, X, IS_OUTLIER) > 0.95


def test_a_sample_far_from_all_others_is_an_outlier(small):
    blob = np.random.default_rng(0).normal(size=(300, 3))
    detector = small(contamination=0.05).fit(blob)
    far = [[20.0, -20.0, 20.0], [0.0, 30.0, 0.0]]
    assert detector.predict(far).tolist() == [-1, -1]
    assert detector.score_samples(far).max() < np.median(detector.score_samples(blob))


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_samples_at_any_distance_are_outliers_with_finite_scores(dtype, small):
    blob = np.random.default_rng(0).normal(size=(300, 3)).astype(dtype)
    detector = small(contamination=0.05).fit(blob)
    far = np.logspace(2, 36, 18, dtype=dtype)[:, np.newaxis] * np.array([1, -1, 1], dtype=dtype)
    assert np.isfinite(detector.score_samples(far)).all()
    assert detector.predict(far).tolist() == [-1] * len(far)
    both = detector.score_samples(np.concatenate([blob, far]))
    np.testing.assert_array_equal(both[: len(blob)], detector.score_samples(blob))


@pytest.mark.parametrize(
    "spoil",
    [
        lambda X: np.column_stack([X, np.full(len(X), 7.0)]),  # a constant feature
        lambda X: np.column_stack([X, np.zeros((len(X), 40))]),
        lambda X: X[:12],
        lambda X: 1e8 * X,
        lambda X: X + 1e6,
        lambda X: X * np.logspace(-6, 6, X.shape[1]),
        lambda X: np.round(X, 1),
    ],
    ids=["constant", "constants", "few rows", "large", "shifted", "units", "rounded"],
)
def test_scores_do_not_collapse_to_one_value(spoil, small):
    rows = spoil(X)
    scores = small().fit(rows).score_samples(rows)
    assert np.isfinite(scores).all()
    assert len(np.unique(scores)) > 0.9 * len(np.unique(rows, axis=0))
    assert np.ptp(scores) > 1e-3 * abs(scores).max()


def test_weights_of_zero_take_outliers_out_of_the_training_samples(small):
    weighted = small().fit(X, sample_weight=~IS_OUTLIER)
    without = small().fit(X[~IS_OUTLIER])
    np.testing.assert_allclose(weighted.score_samples(X), without.score_samples(X), rtol=1e-6)
    assert weighted.offset_ == pytest.approx(without.offset_, rel=1e-6)


# Thresholds --------------------------------------------------------------------------------


@pytest.mark.parametrize("contamination", [0.01, 0.05, 0.1, 0.25, 0.5])
def test_contamination_is_the_fraction_of_training_samples_that_are_outliers(contamination, small):
    found = small(contamination).fit_predict(X)
    assert np.count_nonzero(found == -1) == round(contamination * len(X))
    assert np.unique(found).tolist() == [-1, 1]


@pytest.mark.parametrize("contamination", [0.03, 0.1, 0.33])
def test_threshold_separates_as_many_samples_as_that_of_an_isolation_forest(contamination, small):
    rows = np.random.default_rng(0).normal(size=(100, 4))
    forest = IsolationForest(contamination=contamination, random_state=0).fit(rows)
    detector = small(contamination).fit(rows)
    outliers = [np.count_nonzero(one.predict(rows) == -1) for one in (detector, forest)]
    assert outliers[0] == outliers[1]
    for one in (detector, forest):
        decision = one.decision_function(rows)
        np.testing.assert_allclose(decision, one.score_samples(rows) - one.offset_)
        np.testing.assert_array_equal(one.predict(rows), np.where(decision < 0, -1, 1))


def test_contamination_changes_the_threshold_only(small):
    few, many = (small(contamination).fit(X) for contamination in (0.02, 0.2))
    np.testing.assert_array_equal(few.score_samples(X), many.score_samples(X))
    assert few.offset_ < many.offset_


def test_automatic_threshold_is_three_robust_deviations_below_the_median(small):
    detector = small().fit(X)
    scores = np.sort(detector.score_samples(X))
    median = scores[199]  # the lower one of two
    spread = 1.4826 * np.sort(abs(scores - median))[199]
    assert detector.offset_ == pytest.approx(median - 3 * spread)


def test_weights_count_in_the_threshold(small):
    weight = np.where(np.arange(len(X)) % 2, 1.0, 3.0)
    detector = small(0.1).fit(X, sample_weight=weight)
    found = detector.predict(X) == -1
    assert weight[found].sum() / weight.sum() == pytest.approx(0.1, abs=0.01)
    repeated = small(0.1, batch_size=1000).fit(np.repeat(X, weight.astype(int), axis=0))
    weighted = small(0.1, batch_size=1000).fit(X, sample_weight=weight)
    assert weighted.offset_ == pytest.approx(repeated.offset_, rel=1e-6)


def test_all_samples_equal_is_no_error_and_nothing_is_an_outlier(small):
    detector = small(0.1).fit(np.ones((20, 3)))
    assert detector.predict(np.ones((5, 3))).tolist() == [1] * 5


# Conventions -------------------------------------------------------------------------------


def test_detectors_are_outlier_detectors_of_scikit_learn(Detector):
    assert is_outlier_detector(Detector())
    assert not hasattr(Detector, "transform")


def test_fit_predict_is_fit_and_then_predict(small):
    detector = small(0.1)
    found = detector.fit_predict(X)
    np.testing.assert_array_equal(found, detector.predict(X))
    np.testing.assert_array_equal(found, small(0.1).fit(X).predict(X))
    weight = ~IS_OUTLIER
    weighted = small(0.1).fit_predict(X, sample_weight=weight)
    np.testing.assert_array_equal(weighted, small(0.1).fit(X, sample_weight=weight).predict(X))


def test_outliers_are_found_in_a_pipeline(small):
    pipe = make_pipeline(StandardScaler(), small(0.05)).fit(X)
    assert roc_auc_score(IS_OUTLIER, -pipe.decision_function(X)) > 0.9
    assert set(pipe.predict(X)) == {-1, 1}
    np.testing.assert_array_equal(pipe.fit_predict(X), pipe.predict(X))


@pytest.mark.parametrize("Search", [GridSearchCV, BatchedGridSearchCV])
def test_a_search_ranks_candidates_by_labels_of_outliers(Search, small):
    y = np.where(IS_OUTLIER, -1, 1)
    grid = {"max_epochs": [1, 40]}
    search = Search(small(), grid, scoring="roc_auc", cv=StratifiedKFold(3)).fit(X, y)
    assert search.best_params_ == {"max_epochs": 40}
    assert search.best_score_ > 0.9


def test_batched_search_gives_the_same_scores(small, assert_same_search):
    y = np.where(IS_OUTLIER, -1, 1)
    grid = {"lr": [1e-3, 1e-2], "random_state": [0, 1]}
    detector = small(max_epochs=3, batch_size=64)
    searches = [
        Search(detector, grid, scoring="roc_auc", cv=StratifiedKFold(3)).fit(X, y)
        for Search in (BatchedGridSearchCV, GridSearchCV)
    ]
    assert_same_search(*searches)


def test_a_pickle_gives_the_same_scores_and_threshold(small):
    detector = small(0.1).fit(X)
    copied = pickle.loads(pickle.dumps(detector))
    np.testing.assert_array_equal(copied.decision_function(X), detector.decision_function(X))
    assert copied.offset_ == detector.offset_


def test_dataframes_are_scored_by_name(small):
    frame = load_breast_cancer(as_frame=True).data.iloc[:150, :6]
    detector = small().fit(frame)
    assert detector.feature_names_in_.tolist() == frame.columns.tolist()
    scores = detector.score_samples(frame)
    np.testing.assert_array_equal(
        scores, small().fit(frame.to_numpy()).score_samples(frame.to_numpy())
    )
    with pytest.raises(ValueError, match="feature names"):
        detector.predict(frame.rename(columns=str.upper))
    assert isinstance(scores, np.ndarray)
    assert pd.Series(detector.predict(frame)).isin([-1, 1]).all()


def test_warm_start_continues_and_updates_the_threshold(small):
    detector = small(max_epochs=5, warm_start=True).fit(X)
    first = detector.offset_
    assert detector.fit(X).n_iter_ == 10
    assert detector.offset_ != first


def test_number_of_epochs_follows_from_the_number_of_samples(Detector):
    steps = {AutoencoderOutlierDetector: 500, DiffusionTimeDetector: 2000}[Detector]
    narrow = {"hidden_layer_sizes": (2,), "device": "cpu"}
    assert Detector(**narrow).fit(X).n_iter_ == -(-steps // 4)  # batches of 128
    assert Detector(**narrow, batch_size=500).fit(X).n_iter_ == steps


@pytest.mark.parametrize("contamination", [0.6, 0.0, -0.1, "many", None])
def test_contamination_out_of_range_is_an_error(contamination, small):
    with pytest.raises(ValueError, match="'contamination' parameter"):
        small(contamination).fit(X)


def test_nothing_is_scored_before_fit(Detector):
    with pytest.raises(ValueError, match="not fitted"):
        clone(Detector()).predict(X)
