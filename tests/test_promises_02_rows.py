"""Promise 2: what a row becomes depends neither on the rows beside it nor on their number."""

import numpy as np
import pytest
import scipy.sparse as sp
import torch

from skdeep.decomposition import VariationalAutoencoder
from skdeep.utils import all_estimators

WIDTHS = [1, 2, 5, 7, 13, 16, 30, 100]

NETS = {
    "default": {},
    "linear": {"hidden_layer_sizes": (), "n_components": 3},
    "odd": {"hidden_layer_sizes": (37, 11, 5), "n_components": 7, "activation": "tanh"},
    "residual": {"block": "residual", "batch_norm": True, "hidden_layer_sizes": (33, 9)},
    "tied": {"tied_weights": True, "hidden_layer_sizes": (21,), "dropout": 0.1},
    "standard": {"feature_scaling": "standard", "activation": "gelu", "n_components": 1},
    "wide": {"hidden_layer_sizes": (700, 500), "n_components": 10, "max_epochs": 1},
}
IMAGES = {
    "square": {"image_shape": (8, 8)},
    "odd": {"image_shape": (9, 11), "hidden_layer_sizes": (3, 5)},
    "colour": {"image_shape": (3, 10, 8), "batch_norm": True, "block": "residual"},
    "one stage": {"image_shape": (1, 13, 13), "hidden_layer_sizes": (17,), "n_components": 5},
}


def _nets_of_all(nets):
    """Each estimator with each of the nets whose parameters it has."""
    return [
        pytest.param(cls, params, id=f"{cls.__name__}-{name}")
        for _, cls in all_estimators()
        for name, params in nets.items()
        if params.keys() <= set(cls._get_param_names())
    ]


@pytest.fixture
def fit_on(make):
    """Function that fits an instance on 50 random rows of a width."""

    def fit_on(width, dtype=np.float64, **params):
        X = np.random.default_rng(width).normal(size=(50, width)).astype(dtype)
        return make(**params).fit(X, np.arange(50) % 2), X

    return fit_on


def _assert_rows_are_independent(estimator, X, outputs):
    together = outputs(estimator, X)
    n_rows = len(X)
    order = np.random.default_rng(1).permutation(n_rows)
    groups = [[i] for i in (0, 1, n_rows // 2, n_rows - 1)]
    groups += [order, order[:2], order[:17], order[-31:], np.r_[order[:3], order[:3]]]
    for group in groups:
        for name, result in outputs(estimator, X[group]).items():
            np.testing.assert_array_equal(result, together[name][group], err_msg=name)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("width", WIDTHS)
def test_row_alone_or_in_any_company_gives_the_same_bits(width, dtype, fit_on, outputs):
    _assert_rows_are_independent(*fit_on(width, dtype), outputs)


@pytest.mark.parametrize("width", [5, 13, 30])
@pytest.mark.parametrize("Estimator, params", _nets_of_all(NETS))
def test_rows_are_independent_in_nets_of_every_kind(params, width, fit_on, outputs):
    _assert_rows_are_independent(*fit_on(width, **params), outputs)


@pytest.mark.parametrize("Estimator, params", _nets_of_all(IMAGES))
def test_rows_are_independent_in_convolutional_nets(params, fit_on, outputs):
    width = int(np.prod(params["image_shape"]))
    _assert_rows_are_independent(*fit_on(width, max_epochs=1, **params), outputs)


def test_rows_are_independent_with_two_threads(fit_on, outputs):
    before = torch.get_num_threads()
    torch.set_num_threads(2)
    try:
        estimator, X = fit_on(7, hidden_layer_sizes=(700, 500), max_epochs=1)
        _assert_rows_are_independent(estimator, np.tile(X, (4, 1)), outputs)
    finally:
        torch.set_num_threads(before)


@pytest.mark.parametrize("width", [1, 5, 13, 30])
def test_row_of_thousands_gives_the_same_bits_wherever_it_stands(width, fit_on, outputs):
    estimator, X = fit_on(width)
    expected = outputs(estimator, X)
    for name, result in outputs(estimator, np.tile(X, (83, 1))).items():  # 4150 rows
        copies = result.reshape(83, *expected[name].shape)
        np.testing.assert_array_equal(
            copies, np.broadcast_to(expected[name], copies.shape), err_msg=name
        )


def test_inverse_transform_of_a_row_does_not_depend_on_the_others(fit_on):
    estimator, X = fit_on(13, n_components=5)
    codes = estimator.transform(X)
    together = estimator.inverse_transform(codes)
    for rows in ([3], [49, 0], list(range(49, 10, -1))):
        np.testing.assert_array_equal(estimator.inverse_transform(codes[rows]), together[rows])


def test_batch_size_of_training_does_not_matter_at_inference(fit_on, outputs):
    estimator, X = fit_on(13)
    expected = outputs(estimator, X)
    for batch_size in (1, 7, 10_000):
        estimator.set_params(batch_size=batch_size)
        for name, result in outputs(estimator, X).items():
            np.testing.assert_array_equal(result, expected[name], err_msg=name)


@pytest.mark.parametrize("Estimator", [VariationalAutoencoder])
def test_importance_weighted_bound_of_a_row_does_not_depend_on_the_others(fit_on):
    estimator, X = fit_on(7)
    for n_draws in (1, 5, 100):
        together = estimator.score_samples(X, n_importance_samples=n_draws)
        for rows in ([4], [30, 2, 11]):
            part = estimator.score_samples(X[rows], n_importance_samples=n_draws)
            np.testing.assert_array_equal(part, together[rows])


def test_sparse_row_gives_the_bits_of_the_dense_row(fit_on, outputs):
    estimator, X = fit_on(13)
    X = np.where(X > 0.5, X, 0.0)
    expected = outputs(estimator, X)
    for rows in ([7], [3, 1, 2]):
        for name, result in outputs(estimator, sp.csr_array(X)[rows]).items():
            np.testing.assert_array_equal(result, expected[name][rows], err_msg=name)


@pytest.mark.gpu
@pytest.mark.parametrize("width", [5, 30])
def test_rows_are_independent_on_a_gpu(width, fit_on, outputs):
    _assert_rows_are_independent(*fit_on(width, device="cuda"), outputs)
