"""Promise 7: a pickle is as large as the weights, unless training can continue from it."""

import copy
import io
import pickle

import joblib
import numpy as np
import pytest
import torch
from joblib import Parallel, delayed

LARGE = {
    "layers": {"hidden_layer_sizes": (256, 200)},
    "blocks": {"width": 128},
    "image": {"width": 128, "image_shape": (8, 8), "stem_width": 16},
}
NETS = {
    "default": {},
    "sgd": {"optimizer": "sgd"},
    "a class": {"optimizer": torch.optim.RMSprop},
}


def _pickled(estimator):
    return pickle.dumps(estimator)


def _by_joblib(estimator):
    buffer = io.BytesIO()
    joblib.dump(estimator, buffer)
    return buffer.getvalue()


def _bytes_of_weights(estimator):
    tensors = estimator.module_.state_dict().values()
    return sum(tensor.numel() * tensor.element_size() for tensor in tensors)


def _fit(estimator, X, y):
    return estimator.fit(X, y)


@pytest.mark.nets(LARGE)
@pytest.mark.parametrize("dump", [_pickled, _by_joblib])
@pytest.mark.matrix
def test_file_is_hardly_larger_than_the_weights(dump, params, make, X, y):
    X = np.hstack([X] * 11)[:, :64] if "image_shape" in params else X
    estimator = make(**params, max_epochs=1).fit(X, y)
    n_bytes = _bytes_of_weights(estimator)
    assert n_bytes > 2e5
    assert len(dump(estimator)) <= 1.15 * n_bytes
    assert len(dump(copy.deepcopy(estimator))) <= 1.15 * n_bytes
    (elsewhere,) = Parallel(n_jobs=2)([delayed(_fit)(make(**params, max_epochs=1), X, y)])
    assert len(dump(elsewhere)) <= 1.15 * n_bytes
    estimator.set_params(warm_start=True)
    assert len(dump(estimator)) > 1.5 * n_bytes


@pytest.mark.nets(NETS)
@pytest.mark.parametrize("duplicate", [copy.copy, copy.deepcopy])
@pytest.mark.matrix
def test_training_continues_from_a_copy_in_memory(
    duplicate, params, make_random, train_on, assert_same, X, y
):
    estimator = make_random(**params).fit(X, y)
    copied = duplicate(estimator)
    for _ in range(2):
        assert_same(train_on(copied, X, y), train_on(estimator, X, y), X)


@pytest.mark.nets(NETS)
@pytest.mark.having("warm_start")
@pytest.mark.matrix
def test_warm_start_may_be_decided_before_the_pickle(params, make_random, assert_same, X, y):
    estimator = make_random(**params).fit(X, y).set_params(warm_start=True)
    copied = pickle.loads(pickle.dumps(pickle.loads(pickle.dumps(estimator))))
    assert_same(copied.fit(X, y), estimator.fit(X, y), X)


@pytest.mark.nets(NETS)
@pytest.mark.having("partial_fit")
@pytest.mark.matrix
def test_parts_continue_from_a_pickle(params, make_random, assert_same, X, y):
    estimator = make_random(**params).partial_fit(X, y)
    for _ in range(3):
        copied = pickle.loads(pickle.dumps(estimator))
        assert_same(copied.partial_fit(X, y), estimator.partial_fit(X, y), X)
    large = len(pickle.dumps(estimator))
    assert len(pickle.dumps(estimator.fit(X, y))) < large  # from scratch


@pytest.mark.nets(NETS)
@pytest.mark.matrix
def test_training_continues_from_a_small_pickle_with_a_new_optimizer(
    params, make, train_on, assert_same, outputs, X, y
):
    data = pickle.dumps(make(**params).fit(X, y))
    first, second = (train_on(pickle.loads(data), X, y) for _ in range(2))
    assert_same(first, second, X)
    assert first.n_iter_ > pickle.loads(data).n_iter_
    for result in outputs(first, X).values():
        assert np.isfinite(result).all()


@pytest.mark.having("partial_fit")
def test_failed_part_leaves_the_size_of_a_pickle_as_it_was(make, X, y):
    estimator = make().fit(X, y)
    before = len(pickle.dumps(estimator))
    with pytest.raises(ValueError, match="features"):
        estimator.partial_fit(X[:, :2], y)
    assert len(pickle.dumps(estimator)) == before
