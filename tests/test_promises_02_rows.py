"""Promise 2: the result for a sample depends neither on other samples nor on their number."""

import numpy as np
import pandas as pd
import pytest
import scipy.sparse as sp

from skdeep.decomposition import VariationalAutoencoder

N_FEATURES = [1, 2, 5, 7, 13, 16, 30, 100]

NETS = {
    "default": {},
    "linear": {"hidden_layer_sizes": (), "n_components": 3},
    "odd": {"hidden_layer_sizes": (37, 11, 5), "n_components": 7, "activation": "tanh"},
    "residual": {"block": "residual", "batch_norm": True, "hidden_layer_sizes": (33, 9)},
    "tied": {"tied_weights": True, "hidden_layer_sizes": (21,), "dropout": 0.1},
    "standard": {"feature_scaling": "standard", "activation": "gelu", "n_components": 1},
    "layer norm": {"norm": "layer", "width": 33, "n_blocks": 3},
    "odd blocks": {"width": 37, "hidden_factor": 0.3, "activation": "gelu", "missing": "indicator"},
    "plain": {"feature_scaling": "standard", "residual_dropout": 0.1, "n_blocks": 1, "width": 1},
    "periodic": {"numerical_embedding": "periodic", "embedding_dim": 5},
    "piecewise": {"numerical_embedding": "piecewise-linear", "embedding_dim": 3},
    "spectral norm": {"spectral_norm": True, "hidden_layer_sizes": (37, 11), "n_critic": 2},
    "slopes": {"loss": "wgan-gp", "batch_norm": True, "feature_scaling": "quantile", "n_critic": 2},
    "range": {"loss": "hinge", "feature_scaling": "range", "latent_dim": 3},
}
WIDE = {
    "wide": {"hidden_layer_sizes": (700, 500), "n_components": 10, "max_epochs": 1},
    "wide critic": {"hidden_layer_sizes": (700, 500), "latent_dim": 5, "max_epochs": 1},
    "wide blocks": {"width": 300, "max_epochs": 1},
    "odd blocks": {"width": 200, "max_epochs": 1},
}
IMAGES = {
    "square": {"image_shape": (8, 8)},
    "large": {"image_shape": (17, 16)},
    "odd": {"image_shape": (9, 11), "hidden_layer_sizes": (3, 5)},
    "colour": {"image_shape": (3, 10, 8), "batch_norm": True, "block": "residual"},
    "one stage": {"image_shape": (1, 13, 13), "hidden_layer_sizes": (17,), "n_components": 5},
    "moved": {"image_shape": (9, 11), "augment": "shift+flip", "norm": "layer", "n_blocks": 1},
    "critic": {"image_shape": (9, 11), "spectral_norm": True, "hidden_layer_sizes": (3, 5)},
    "three stages": {"image_shape": (3, 10, 8), "stem_width": 7, "residual_dropout": 0.1},
}

each_with_rows = pytest.mark.having("transform", "embed", "score_samples")


@pytest.fixture
def fit_on(make):
    """Function that fits an instance on 50 random samples with a number of features."""

    def fit_on(n_features, dtype=np.float64, **params):
        X = np.random.default_rng(n_features).normal(size=(50, n_features)).astype(dtype)
        return make(**params).fit(X, np.arange(50) % 2), X

    return fit_on


def _assert_rows_are_independent(estimator, X, row_outputs):
    together = row_outputs(estimator, X)
    take = X.iloc.__getitem__ if isinstance(X, pd.DataFrame) else X.__getitem__
    n_rows = len(X)
    order = np.random.default_rng(1).permutation(n_rows)
    groups = [[i] for i in (0, 1, n_rows // 2, n_rows - 1)]
    groups += [order, order[:2], order[:17], order[-31:], np.r_[order[:3], order[:3]]]
    for group in groups:
        for name, result in row_outputs(estimator, take(group)).items():
            np.testing.assert_array_equal(result, together[name][group], err_msg=name)


@each_with_rows
@pytest.mark.parametrize(
    "n_features, dtype", [*zip(N_FEATURES, [np.float32, np.float64] * 4, strict=True)]
)
@pytest.mark.matrix
def test_row_alone_or_in_any_company_gives_the_same_bits(n_features, dtype, fit_on, row_outputs):
    _assert_rows_are_independent(*fit_on(n_features, dtype), row_outputs)


@each_with_rows
@pytest.mark.parametrize("n_features", [13, 30])
@pytest.mark.nets(NETS | WIDE)
@pytest.mark.matrix
def test_rows_are_independent_in_nets_of_every_kind(params, n_features, fit_on, row_outputs):
    _assert_rows_are_independent(*fit_on(n_features, **params), row_outputs)


@each_with_rows
@pytest.mark.nets(IMAGES)
@pytest.mark.matrix
def test_rows_are_independent_in_convolutional_nets(params, fit_on, row_outputs):
    n_pixels = int(np.prod(params["image_shape"]))
    _assert_rows_are_independent(*fit_on(n_pixels, max_epochs=1, **params), row_outputs)


@each_with_rows
@pytest.mark.nets(
    {
        "categories": {"categorical_features": "from_dtype", "missing": "indicator"},
        "periodic": {"numerical_embedding": "periodic", "missing": "indicator", "norm": "layer"},
    }
)
def test_rows_are_independent_in_tables_with_categories_and_gaps(params, make, row_outputs, X, y):
    table = pd.DataFrame(X, columns=list("abcdef")).assign(
        kind=pd.Categorical.from_codes(np.arange(50) % 4 - 1, ["red", "green", "blue"]),
        size=pd.Categorical(np.arange(50) % 5),
    )
    table.loc[::3, ["b", "e"]] = np.nan
    _assert_rows_are_independent(make(**params).fit(table[:40], y[:40]), table, row_outputs)


@each_with_rows
@pytest.mark.nets(WIDE)
@pytest.mark.parametrize("n_threads", [2, 8])
def test_rows_are_independent_with_several_threads(
    n_threads, params, fit_on, row_outputs, set_threads
):
    set_threads(n_threads)
    estimator, X = fit_on(7, **params)
    _assert_rows_are_independent(estimator, np.tile(X, (4, 1)), row_outputs)


@each_with_rows
@pytest.mark.nets({"large": {"image_shape": (28, 28), "max_epochs": 1}})
@pytest.mark.parametrize("n_threads", [2, 8])
def test_rows_are_independent_in_large_images_with_several_threads(
    n_threads, params, fit_on, row_outputs, set_threads
):
    set_threads(n_threads)
    estimator, X = fit_on(784, **params)  # few rows take one thread, many take all
    _assert_rows_are_independent(estimator, np.tile(X, (4, 1)), row_outputs)


@each_with_rows
@pytest.mark.parametrize("n_features", [1, 5, 13, 30])
@pytest.mark.matrix
def test_row_of_thousands_gives_the_same_bits_wherever_it_stands(n_features, fit_on, row_outputs):
    estimator, X = fit_on(n_features)
    expected = row_outputs(estimator, X)
    for name, result in row_outputs(estimator, np.tile(X, (83, 1))).items():  # 4150 rows
        copies = result.reshape(83, *expected[name].shape)
        np.testing.assert_array_equal(
            copies, np.broadcast_to(expected[name], copies.shape), err_msg=name
        )


@pytest.mark.having("inverse_transform")
def test_inverse_transform_of_a_row_does_not_depend_on_the_others(fit_on):
    estimator, X = fit_on(13, n_components=5)
    codes = estimator.transform(X)
    together = estimator.inverse_transform(codes)
    for rows in ([3], [49, 0], list(range(49, 10, -1))):
        np.testing.assert_array_equal(estimator.inverse_transform(codes[rows]), together[rows])


@each_with_rows
def test_batch_size_of_training_does_not_matter_at_inference(fit_on, row_outputs):
    estimator, X = fit_on(13)
    expected = row_outputs(estimator, X)
    for batch_size in (1, 7, 10_000):
        estimator.set_params(batch_size=batch_size)
        for name, result in row_outputs(estimator, X).items():
            np.testing.assert_array_equal(result, expected[name], err_msg=name)


@pytest.mark.parametrize("Estimator", [VariationalAutoencoder])
def test_importance_weighted_bound_of_a_row_does_not_depend_on_the_others(fit_on):
    estimator, X = fit_on(7)
    for n_draws in (1, 5, 100):
        together = estimator.score_samples(X, n_importance_samples=n_draws)
        for rows in ([4], [30, 2, 11]):
            part = estimator.score_samples(X[rows], n_importance_samples=n_draws)
            np.testing.assert_array_equal(part, together[rows])


@each_with_rows
@pytest.mark.taking(sparse=True)
def test_sparse_row_gives_the_bits_of_the_dense_row(fit_on, row_outputs):
    estimator, X = fit_on(13)
    X = np.where(X > 0.5, X, 0.0)
    expected = row_outputs(estimator, X)
    for rows in ([7], [3, 1, 2]):
        for name, result in row_outputs(estimator, sp.csr_array(X)[rows]).items():
            np.testing.assert_array_equal(result, expected[name][rows], err_msg=name)


@each_with_rows
@pytest.mark.gpu
@pytest.mark.parametrize("n_features", [5, 30])
def test_rows_are_independent_on_a_gpu(n_features, fit_on, row_outputs):
    _assert_rows_are_independent(*fit_on(n_features, device="cuda"), row_outputs)


@each_with_rows
@pytest.mark.gpu
@pytest.mark.nets(NETS | WIDE)
def test_rows_are_independent_on_a_gpu_in_nets_of_every_kind(params, fit_on, row_outputs):
    _assert_rows_are_independent(*fit_on(13, device="cuda", **params), row_outputs)


@each_with_rows
@pytest.mark.gpu
@pytest.mark.nets(IMAGES)
def test_rows_are_independent_on_a_gpu_in_convolutional_nets(params, fit_on, row_outputs):
    n_pixels = int(np.prod(params["image_shape"]))
    estimator, X = fit_on(n_pixels, max_epochs=1, device="cuda", **params)
    _assert_rows_are_independent(estimator, X, row_outputs)
