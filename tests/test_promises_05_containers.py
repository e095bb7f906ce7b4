"""Promise 5: lazy data is computed, and masked values are treated as missing."""

import dask.array as da
import numpy as np
import polars as pl
import pytest

WEIGHT = np.random.default_rng(1).random(50)


def _known(array):
    return da.from_array(array, chunks=20)


def _unknown(array):
    """dask array with an unknown number of rows."""
    chunks = _known(array)
    return chunks[_known(np.ones(len(array), dtype=bool))]


KINDS = {"known length": _known, "unknown length": _unknown}
each_kind = pytest.mark.parametrize("kind", KINDS)


@each_kind
@pytest.mark.parametrize("lazy", ["X", "y", "sample_weight", "all"])
@pytest.mark.matrix
def test_dask_arrays_give_what_arrays_give(lazy, kind, make, train_on, assert_same, X, y):
    def data():
        parts = {"X": X, "y": y, "sample_weight": WEIGHT}
        chosen = parts if lazy == "all" else [lazy]
        return parts | {name: KINDS[kind](parts[name]) for name in chosen}

    expected = make().fit(X, y, sample_weight=WEIGHT)
    estimator = make().fit(**data())
    assert_same(estimator, expected, X)
    assert_same(train_on(estimator, data()["X"], data()["y"]), train_on(expected, X, y), X)


@each_kind
@pytest.mark.matrix
def test_rows_of_dask_can_be_asked_about(kind, make, row_outputs, score, X, y):
    estimator = make().fit(X, y)
    expected = row_outputs(estimator, X)
    for name, result in row_outputs(estimator, KINDS[kind](X)).items():
        np.testing.assert_array_equal(result, expected[name])
    if hasattr(estimator, "score"):
        assert estimator.score(_known(X), _known(y)) == estimator.score(X, y)


@each_kind
@pytest.mark.having("class_weight")
@pytest.mark.parametrize("labels", [["no", "yes"], [False, True]], ids=str)
def test_labels_of_every_kind_may_be_dask_arrays(labels, kind, make, assert_same, X, y):
    labels = np.array(labels)[y]
    expected = make().fit(X, labels)
    assert_same(make().fit(X, KINDS[kind](labels)), expected, X)


@each_kind
@pytest.mark.having("label_smoothing")
def test_several_labels_per_sample_may_be_dask_arrays(kind, make, assert_same, X, y):
    labels = np.array([[0, 1], [1, 1]])[y]
    expected = make().fit(X, labels)
    assert_same(make().fit(X, KINDS[kind](labels)), expected, X)


@pytest.mark.having("label_smoothing")
def test_classes_of_partial_fit_may_be_a_dask_array(make, X, y):
    clf = make().partial_fit(X, _unknown(y), classes=_known(np.array([2, 0, 1])))
    assert clf.classes_.tolist() == [0, 1, 2]


@each_kind
@pytest.mark.having("fit_resample")
def test_dask_arrays_are_resampled(kind, make, X):
    labels = np.arange(50) % 5 == 0
    expected = make().fit_resample(X, labels)
    resampled = make().fit_resample(KINDS[kind](X), KINDS[kind](labels))
    for actual, known in zip(resampled, expected, strict=True):
        np.testing.assert_array_equal(actual, known, strict=True)


def test_lazy_frames_of_polars_are_collected(make, outputs, X, y):
    frame = pl.DataFrame(X, schema=list("abcdef"))
    expected, estimator = make().fit(frame, y), make().fit(frame.lazy(), y)
    assert estimator.feature_names_in_.tolist() == list("abcdef")
    results = outputs(expected, frame)
    for name, result in outputs(estimator, frame).items():
        np.testing.assert_array_equal(result, results[name])


@pytest.mark.having("transform", "embed", "score_samples")
@pytest.mark.taking(allow_nan=False)
def test_masked_numbers_are_missing_ones(make, row_outputs, assert_same, X, y):
    estimator = make(max_epochs=1).fit(X, y)
    masked = np.ma.masked_array(X, X > 1)
    with pytest.raises(ValueError, match="X contains NaN"):
        make().fit(masked, y)
    for name in row_outputs(estimator, X):
        with pytest.raises(ValueError, match="X contains NaN"):
            getattr(estimator, name)(masked)
    assert_same(make(max_epochs=1).fit(np.ma.masked_array(X, X > 99), y), estimator, X)
    with pytest.raises(ValueError, match="sample_weight contains NaN"):
        make().fit(X, y, sample_weight=np.ma.masked_array(WEIGHT, WEIGHT > 0.5))


@pytest.mark.having("embed")
def test_masked_targets_are_missing_ones(make, X, y):
    with pytest.raises(ValueError, match="y contains NaN"):
        make().fit(X, np.ma.masked_array(y, np.arange(50) == 3))


@pytest.mark.nets({"gaps": {"missing": "indicator"}})
@pytest.mark.having("categorical_features")
def test_masked_numbers_have_an_indicator(params, make, assert_same, X, y):
    gaps = np.where(X > 1, np.nan, X)
    estimator = make(**params).fit(np.ma.masked_array(X, X > 1), y)
    assert_same(estimator, make(**params).fit(gaps, y), gaps)


@pytest.mark.filterwarnings("ignore::skdeep.exceptions.ModeCollapseWarning")  # of three epochs
@pytest.mark.nets({"plain": {}, "stopping": {"early_stopping": True, "n_iter_no_change": 2}})
@pytest.mark.parametrize("kind", [np.int8, np.uint8, np.int64])
@pytest.mark.matrix
def test_small_integers_of_numpy_do_not_overflow(kind, params, make, assert_same):
    X = np.random.default_rng(0).normal(size=(300, 6))
    params = {**params, "max_epochs": 3, "batch_size": 7}
    expected = make(**params).fit(X, np.arange(300) % 2)
    params = {name: kind(value) if type(value) is int else value for name, value in params.items()}
    estimator = make(**params)
    assert_same(estimator.fit(X, np.arange(300) % 2), expected, X)


@pytest.mark.nets({"image": {"image_shape": (8, 8)}})
@pytest.mark.parametrize("container", [np.asarray, np.ndarray.tolist, _known])
@pytest.mark.matrix
def test_images_may_come_in_any_container(container, params, make, row_outputs, assert_same, y):
    images = np.random.default_rng(0).random((50, 8, 8))
    expected = make(**params).fit(images.reshape(50, -1), y)
    estimator = make(**params).fit(container(images), y)
    assert_same(estimator, expected, images.reshape(50, -1))
    results = row_outputs(expected, images.reshape(50, -1))
    for name, result in row_outputs(estimator, container(images)).items():
        np.testing.assert_array_equal(result, results[name])
    with pytest.raises(ValueError, match=r"X must contain images of shape \(1, 8, 8\)"):
        make(**params).fit(container(images[:, :, :7]), y)
