"""Promise 5: any size, dtype, memory layout and container works."""

import functools
import inspect
import tracemalloc

import numpy as np
import pandas as pd
import polars as pl
import pytest
import scipy.sparse as sp

NORMS = {
    "plain": {},
    "batch norm": {"batch_norm": True},
    "residual, batch norm": {"batch_norm": True, "block": "residual"},
    "layer norm": {"norm": "layer"},
    "piecewise": {"numerical_embedding": "piecewise-linear", "embedding_dim": 3},
    "slopes": {"loss": "wgan-gp", "n_critic": 2},
    "spectral norm": {"spectral_norm": True},
}
# One layer, where the data are wide.
SHALLOW = {
    "no layer": {"hidden_layer_sizes": (), "block": "dense"},
    "a block": {"n_blocks": 1, "width": 2},
    "small nets": {"hidden_layer_sizes": (2,), "spectral_norm": False},
}
each_with_rows = pytest.mark.having("transform", "embed", "score_samples")

# What does not have the unit of the rows.
_UNIT_FREE = ("transform", "embed", "predict", "predict_proba", "decision_function")


@pytest.fixture
def make(make, Estimator):
    """As elsewhere, but with one cluster: a single sample and constant ones have no more."""
    has_clusters = "n_clusters" in inspect.signature(Estimator).parameters
    return functools.partial(make, n_clusters=1) if has_clusters else make


def _rows(n_rows, n_features=6, seed=0):
    return np.random.default_rng(seed).normal(size=(n_rows, n_features))


def _assert_finite(estimator, X, outputs):
    for name, result in outputs(estimator, X).items():
        assert len(result) == X.shape[0], name
        assert np.isfinite(result).all(), name


@pytest.mark.nets(NORMS)
@pytest.mark.parametrize("n_rows", [1, 2, 7, 8, 9, 17])
@pytest.mark.matrix
def test_any_number_of_rows_fits_any_batch_size(n_rows, params, make, train_on, outputs):
    X, y = _rows(n_rows), np.arange(n_rows) % 2
    estimator = make(batch_size=8, **params).fit(X, y)
    _assert_finite(estimator, X, outputs)
    _assert_finite(train_on(estimator, X, y), _rows(100), outputs)


@pytest.mark.nets(NORMS)
@pytest.mark.parametrize("batch_size", [1, 2, 10_000])
@pytest.mark.matrix
def test_any_batch_size_works(batch_size, params, make, outputs):
    X = _rows(9)
    estimator = make(batch_size=batch_size, **params)
    _assert_finite(estimator.fit(X, np.arange(9) % 2), X, outputs)


@pytest.mark.nets(
    {
        "batch_norm": {"batch_norm": True, "image_shape": (8, 8)},
        "norm": {"norm": "batch", "image_shape": (8, 8)},
    }
)
@pytest.mark.parametrize("n_rows", [1, 9])
@pytest.mark.matrix
def test_last_batch_of_one_image_works_with_batch_norm(n_rows, params, make, outputs):
    X = _rows(n_rows, 64)
    estimator = make(batch_size=8, **params)
    _assert_finite(estimator.fit(X, np.arange(n_rows) % 2), X, outputs)


@pytest.mark.nets(
    {"once": {"early_stopping": True}, "refit": {"early_stopping": True, "refit_full": True}}
)
@pytest.mark.parametrize("n_held_out", [1, 8, 9])
@pytest.mark.matrix
def test_early_stopping_works_with_few_rows(n_held_out, params, make, outputs):
    X = _rows(10)
    estimator = make(batch_size=4, validation_fraction=n_held_out / 10, **params)
    _assert_finite(estimator.fit(X, np.arange(10) % 2), X, outputs)


@pytest.mark.nets(
    {
        "codes": {"n_components": 5},
        **NORMS,
        "periodic": {"numerical_embedding": "periodic", "embedding_dim": 3},
    }
)
@pytest.mark.parametrize("n_features", [1, 2, 300])
@pytest.mark.matrix
def test_any_number_of_features_works(n_features, params, make, outputs):
    X = _rows(20, n_features)
    _assert_finite(make(**params).fit(X, np.arange(20) % 2), X, outputs)


@pytest.mark.nets(
    {
        "global": {"feature_scaling": "global", "block": "dense"},
        "standard": {"feature_scaling": "standard", "hidden_layer_sizes": (8,)},
        # by default, only dense tables have embeddings
        "no embedding": {"feature_scaling": "standard", "numerical_embedding": None},
        "quantile": {"feature_scaling": "quantile", "missing": "error"},
        "piecewise": {"numerical_embedding": "piecewise-linear"},
        "gaps": {"missing": "indicator"},
        "range": {"feature_scaling": "range", "latent_dim": 4},
        "quantiles": {"feature_scaling": "quantile", "latent_dim": 4},
        "modes": {"n_modes": 3},
    }
)
@pytest.mark.parametrize("value", [0.0, -3.7, 1e-30, 12345.678])
@pytest.mark.having("lr")
@pytest.mark.matrix
def test_constant_features_work(value, params, make, outputs):
    one, every = _rows(20), np.full((20, 6), value)
    one[:, 2] = value
    for X in (one, every):
        estimator = make(max_epochs=1, lr=1e-9, **params)
        _assert_finite(estimator.fit(X, np.arange(20) % 2), X, outputs)


@pytest.mark.parametrize("value", [0, 1, 7])
@pytest.mark.having("embed")
def test_constant_targets_are_predicted(value, make):
    X = _rows(20)
    predicted = make().fit(X, np.full(20, value)).predict(_rows(30, seed=1))
    np.testing.assert_allclose(predicted, value, atol=1e-2)


@pytest.mark.nets({"all missing": {"missing": "indicator"}, "all categories": {"missing": "error"}})
@pytest.mark.having("categorical_features")
def test_features_that_are_all_missing_or_all_categories_work(params, make, outputs, y):
    kind = pd.Categorical.from_codes(np.arange(50) % 4 - 1, ["red", "green", "blue"])
    table = pd.DataFrame({"kind": kind, "size": pd.Categorical(np.arange(50) % 5)})
    if params["missing"] == "indicator":
        table = table.assign(nothing=np.nan)
    estimator = make(**params).fit(table, y)
    _assert_finite(estimator, table, outputs)
    strange = table.assign(kind=pd.Categorical(["violet"] * 50), size=pd.Categorical([9] * 50))
    _assert_finite(estimator, strange, outputs)


@pytest.mark.nets(
    {
        "default": {},
        "standard": {"feature_scaling": "standard"},
        "piecewise": {"numerical_embedding": "piecewise-linear"},
        "range": {"feature_scaling": "range", "latent_dim": 4},
        "quantiles": {"feature_scaling": "quantile", "latent_dim": 4},
    }
)
@pytest.mark.parametrize("unit", [1e-12, 1e-3, 1e6, 1e12])
@pytest.mark.having("lr")
@pytest.mark.matrix
def test_unit_of_the_data_does_not_matter(unit, params, make, outputs):
    X, y = _rows(30), np.arange(30) % 2
    expected = make(**params).fit(X, y)
    actual = make(**params).fit(unit * X, y)
    np.testing.assert_allclose(actual.loss_curve_, expected.loss_curve_, rtol=1e-6)
    results = outputs(actual, unit * X)
    # an imputer returns the samples themselves
    unit_free = set(_UNIT_FREE) - ({"transform"} if hasattr(actual, "missing_values") else set())
    for name in results.keys() & unit_free:
        expected_result = outputs(expected, X)[name]
        np.testing.assert_allclose(
            results[name], expected_result, rtol=1e-5, atol=1e-5, err_msg=name
        )


# in a table, integers and truth values are more than numbers
@each_with_rows
@pytest.mark.parametrize(
    "dtype", ["float16", "float32", "float64", "int8", "int64", "uint8", "bool", "longdouble"]
)
@pytest.mark.matrix
def test_any_real_dtype_works(dtype, make, outputs):
    X, y = (100 * _rows(30) > 0).astype(dtype), np.arange(30) % 2
    estimator = make().fit(X, y)
    _assert_finite(estimator, X, outputs)
    expected_dtype = np.dtype("float32" if dtype == "float32" else "float64")
    results = outputs(estimator, X)
    for name in {"transform", "embed"} & results.keys():
        assert results[name].dtype == expected_dtype
    reference = make().fit(X.astype(np.float64), y)
    for name, result in outputs(reference, X.astype(np.float64)).items():
        np.testing.assert_allclose(results[name], result, rtol=1e-4, atol=1e-4, err_msg=name)


def _big_endian(X):
    return X.astype(">f8")


def _strided(X):
    wide = np.zeros((2 * len(X), 3 * X.shape[1]))
    wide[::2, ::3] = X
    return wide[::2, ::3]


def _read_only(X):
    X = X.copy()
    X.flags.writeable = False
    return X


def _backwards(X):
    return X[::-1].copy()[::-1]


LAYOUTS = {
    "read-only": _read_only,
    "Fortran": np.asfortranarray,
    "strided": _strided,
    "negative strides": _backwards,
    "big-endian": _big_endian,
    "nested lists": np.ndarray.tolist,
    "pandas": lambda X: pd.DataFrame(X, columns=list("abcdef")),
    "pandas, mixed dtypes": lambda X: pd.DataFrame(X).astype({0: object}),
    "polars": lambda X: pl.DataFrame(X, schema=list("abcdef")),
}


@pytest.mark.parametrize("layout, batch_size", [*zip(LAYOUTS, [16, 50] * 5, strict=False)])
@pytest.mark.matrix
def test_layout_and_container_do_not_matter(layout, batch_size, make, outputs, X, y):
    expected = make(batch_size=batch_size).fit(X, y)
    same_X = LAYOUTS[layout](X)
    estimator = make(batch_size=batch_size).fit(same_X, y)
    assert estimator.loss_curve_ == expected.loss_curve_
    results = outputs(expected, X)
    for name, result in outputs(estimator, same_X).items():
        # text, where the columns of a frame are of different kinds
        result = result.astype(results[name].dtype)
        np.testing.assert_array_equal(result, results[name], err_msg=name)


def test_rows_are_not_written_to(make, train_on, outputs, X, y):
    before = X.copy()
    outputs(train_on(make().fit(X, y), X, y), X)
    np.testing.assert_array_equal(X, before)


@pytest.mark.nets(
    {
        "global": {"feature_scaling": "global", "block": "dense"},
        "standard": {"feature_scaling": "standard", "hidden_layer_sizes": (8,)},
        # by default, only dense tables have embeddings
        "no embedding": {"feature_scaling": "standard", "numerical_embedding": None},
        "quantile": {
            "feature_scaling": "quantile",
            "missing": "indicator",
            "numerical_embedding": None,
        },
        "piecewise": {"feature_scaling": "standard", "numerical_embedding": "piecewise-linear"},
        "range": {"feature_scaling": "range", "latent_dim": 4},
        "quantiles": {"feature_scaling": "quantile", "latent_dim": 4},
    }
)
@pytest.mark.parametrize(
    "kind, batch_size",
    [("csr_array", 16), ("csr_array", 50), ("csc_matrix", 16), ("coo_array", 50)],
)
@pytest.mark.matrix
def test_sparse_rows_give_what_dense_rows_give(
    kind, batch_size, params, make_random, assert_same, y
):
    X = sp.random_array((50, 30), density=0.2, rng=np.random.default_rng(0)).toarray()
    expected = make_random(batch_size=batch_size, **params).fit(X, y)
    estimator = make_random(batch_size=batch_size, **params).fit(getattr(sp, kind)(X), y)
    assert_same(estimator, expected, X)


@each_with_rows
@pytest.mark.taking(sparse=True)
def test_sparse_rows_with_64_bit_indices_and_stored_zeros_work(make, assert_same, row_outputs, y):
    X = sp.random_array((50, 30), density=0.2, rng=np.random.default_rng(0), format="csr")
    odd = X.copy()
    odd.data[:5] = 0.0
    expected = make().fit(odd.copy(), y)
    odd.indices, odd.indptr = odd.indices.astype(np.int64), odd.indptr.astype(np.int64)
    assert_same(make().fit(odd, y), expected, odd.toarray())
    zeros = sp.csr_array((50, 30))
    _assert_finite(make(max_epochs=1, lr=1e-9).fit(zeros, y), zeros, row_outputs)


@pytest.mark.nets({"all rows": {}, "split": {"early_stopping": True}})
@pytest.mark.matrix
def test_memory_mapped_rows_give_what_rows_in_memory_give(
    params, make_random, outputs, assert_same, X, y, tmp_path
):
    np.save(tmp_path / "X.npy", X)
    mapped = np.load(tmp_path / "X.npy", mmap_mode="r")
    expected = make_random(**params).fit(X, y)
    estimator = make_random(**params).fit(mapped, y)
    assert_same(estimator, expected, X)
    results = outputs(estimator, X)
    for name, result in outputs(estimator, mapped).items():
        np.testing.assert_array_equal(result, results[name], err_msg=name)


def _peak_megabytes(function, *arguments):
    tracemalloc.start()
    try:
        function(*arguments)
        return tracemalloc.get_traced_memory()[1] / 1e6
    finally:
        tracemalloc.stop()


def _look_at(estimator, X, y, row_outputs):
    """Process all samples without an output of the same size."""
    if hasattr(estimator, "score"):
        return estimator.score(X, y)
    return row_outputs(estimator, X)


@pytest.mark.filterwarnings(
    "ignore::skdeep.exceptions.ModeCollapseWarning"
)  # one epoch is too few for it
@pytest.mark.nets(SHALLOW)
@pytest.mark.matrix("params")
def test_sparse_rows_are_never_made_dense_all_at_once(params, make, row_outputs):
    X = sp.random_array((20_000, 2_000), density=1e-3, rng=np.random.default_rng(0), format="csr")
    y = np.arange(20_000) % 2  # as dense rows: 160 MB in float32, 320 MB in float64
    estimator = make(max_epochs=1, batch_size=1024, **params)
    assert _peak_megabytes(estimator.fit, X, y) < 120
    assert _peak_megabytes(_look_at, estimator, X, y, row_outputs) < 120


@pytest.fixture(scope="module")
def large_file(tmp_path_factory):
    """Memory map of 160 MB."""
    path = tmp_path_factory.mktemp("large") / "X.npy"
    X = np.lib.format.open_memmap(path, "w+", "float32", (20_000, 2_000))
    X[:] = np.arange(20_000)[:, None] % 7 + np.arange(2_000)
    return X


@pytest.mark.nets(SHALLOW)
@pytest.mark.slow
def test_memory_mapped_rows_are_never_read_all_at_once(params, make, row_outputs, large_file):
    X = large_file
    estimator = make(max_epochs=1, batch_size=1024, **params)
    y = np.arange(20_000) % 2
    assert _peak_megabytes(estimator.fit, X, y) < 120
    assert _peak_megabytes(_look_at, estimator, X, y, row_outputs) < 120
