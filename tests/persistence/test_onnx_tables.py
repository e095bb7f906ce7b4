"""Generators of tables as ONNX graphs: the same draws give the same tables."""

import numpy as np
import pandas as pd
import polars as pl
import pytest
from onnx_results import CODER, run

from skdeep.generative import TabularGANSampler
from skdeep.persistence import to_onnx

RNG = np.random.default_rng(0)
N_ROWS, N_NEW = 150, 500
MISSING = RNG.random(N_ROWS) < 0.2
TABLE = pd.DataFrame(
    {
        "number": 3 * RNG.normal(size=N_ROWS) + 5,
        "large": 1e9 + RNG.normal(size=N_ROWS),
        "gaps": np.where(MISSING, np.nan, RNG.normal(size=N_ROWS)),
        "often zero": np.where(RNG.random(N_ROWS) < 0.5, 0.0, RNG.exponential(size=N_ROWS)),
        "integer": RNG.integers(-50, 50, N_ROWS),
        "integer with gaps": pd.array(np.where(MISSING, 0, 7), "Int64"),
        "unsigned": np.full(N_ROWS, 2**64 - 1, dtype=np.uint64),
        "empty": np.full(N_ROWS, np.nan),
        "flag": RNG.random(N_ROWS) < 0.3,
        "kind": RNG.choice(["a", "b", "c"], N_ROWS),
        "kind with gaps": np.where(MISSING, None, RNG.choice(["x", "y"], N_ROWS)),
        "code": pd.Categorical(RNG.choice([3, 7], N_ROWS)),
        "code with gaps": pd.Categorical(np.where(MISSING, np.nan, RNG.choice([0.5, 2], N_ROWS))),
        "day": pd.Timestamp("2020-01-01") + pd.to_timedelta(RNG.integers(0, 300, N_ROWS), "D"),
        "day with gaps": np.where(MISSING, np.datetime64("NaT"), np.datetime64("1960-01-01", "s")),
    }
)
TABLE.loc[MISSING, "integer with gaps"] = pd.NA


def draws(gan, rng, n_rows=N_NEW):
    """Inputs of the graph, in the order in which ``sample`` draws them."""
    graph = to_onnx(gan)
    shapes = {
        one.name: [dim.dim_value for dim in one.type.tensor_type.shape.dim]
        for one in graph.graph.input
    }
    inputs = {"uniform": rng.random(n_rows)} if "uniform" in shapes else {}
    inputs["noise"] = rng.standard_normal((n_rows, 3)).astype(np.float32)
    return graph, inputs | {"gumbel": rng.gumbel(size=(n_rows, shapes["gumbel"][1]))}


def assert_column(found, column, rows):
    """Compare an output with rows of a column of a table; numbers relative to their spread."""
    expected = column[rows]
    if column.dtype.kind == "M":
        np.testing.assert_array_equal(found, expected.to_numpy().view(np.int64))
    elif found.dtype.kind == "O":
        expected = expected.astype(object).where(expected.notna(), "").to_numpy()
        np.testing.assert_array_equal(found, expected)
    else:
        numbers = column.astype("Float64").to_numpy(np.float64, na_value=np.nan)
        atol = 1e-5 * (np.nanmax(numbers) - np.nanmin(numbers)) if column.notna().any() else 0
        np.testing.assert_allclose(found, numbers[rows], rtol=0, atol=atol)


CASES = [
    pytest.param(TABLE, id="all kinds"),
    pytest.param(TABLE[["number", "gaps", "often zero"]], id="numbers", marks=pytest.mark.slow),
    pytest.param(TABLE[["kind", "code"]], id="categories", marks=pytest.mark.slow),
    pytest.param(TABLE[["number", "integer"]].to_numpy(), id="an array", marks=pytest.mark.slow),
    pytest.param(TABLE[["number", "kind"]].to_numpy(), id="objects", marks=pytest.mark.slow),
    pytest.param(
        pl.DataFrame(
            {"number": TABLE["number"].tolist(), "kind": [None if one else "a" for one in MISSING]}
        ),
        id="polars",
        marks=pytest.mark.slow,
    ),
]


@pytest.mark.filterwarnings("ignore:Generated samples")
@pytest.mark.parametrize("X", CASES)
def test_the_same_draws_give_the_same_table(X):
    gan = TabularGANSampler(latent_dim=3, **CODER).fit(X)
    graph, inputs = draws(gan, np.random.default_rng(5))
    sampled = gan.sample(N_NEW, random_state=5)
    if isinstance(sampled, pl.DataFrame):
        sampled = sampled.to_dict(as_series=False)
    expected = pd.DataFrame(sampled)
    found = run(graph, inputs)
    assert list(found) == [f"generated_{name}" for name in expected]
    one = run(graph, {name: values[:1] for name, values in inputs.items()})
    for name, column in expected.items():
        assert_column(found[f"generated_{name}"], column, slice(None))
        assert_column(one[f"generated_{name}"], column, slice(1))


@pytest.mark.filterwarnings("ignore:Generated samples")
@pytest.mark.parametrize("classes", [["p", "q"], [4, 9]])
def test_samples_that_have_the_desired_class_are_those_of_sample(classes):
    y = np.array(classes)[MISSING.astype(int)]
    gan = TabularGANSampler(latent_dim=3, **CODER).fit(TABLE[["number", "kind"]], y)
    graph, inputs = draws(gan, np.random.default_rng(5))
    wanted = np.array(classes)[np.arange(N_NEW) % 2]
    wanted = wanted.astype(object) if isinstance(classes[0], str) else wanted
    sampled, _ = gan.sample(N_NEW, wanted, random_state=5)
    found = run(graph, {**inputs, "label": wanted})
    is_met = found["generated_label"] == wanted
    assert 0.2 < is_met.mean() < 1
    for name, column in sampled.items():
        assert_column(found[f"generated_{name}"][is_met], column, is_met)


def test_categories_of_several_types_are_an_error():
    table = pd.DataFrame({"mixed": np.array([1, "a"] * 20, dtype=object)})
    gan = TabularGANSampler(latent_dim=3, **CODER).fit(table)
    with pytest.raises(ValueError, match="must be integers or strings; got"):
        to_onnx(gan)
