"""Tables as floats and places of modes, atoms, categories and gaps, and back."""

import pickle
import random

import numpy as np
import pandas as pd
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from pandas.testing import assert_frame_equal

from skdeep._preprocessing._frames import FrameCodec
from skdeep._preprocessing._mixture import MixtureScaler
from skdeep._preprocessing._scaler import scaler_from_state

NAN = np.nan


@pytest.fixture
def rng():
    return np.random.default_rng(0)


def fit(table, weight=None, *, n_categories=None, seed=0, **params):
    table = np.asarray(table, dtype=float)
    table = table[:, np.newaxis] if table.ndim == 1 else table
    rng = np.random.default_rng(seed)
    return MixtureScaler.fit(table, weight, rng=rng, n_categories=n_categories, **params)


def column(values):
    return np.asarray(values, dtype=float)[:, np.newaxis]


def back(scaler, values):
    return scaler.inverse(scaler.to_array(column(values)))[:, 0]


def assert_same_state(actual, expected):
    np.testing.assert_equal(actual.state(), expected.state())


def two_bumps(rng):
    return np.concatenate([rng.normal(-5, 1, 400), rng.normal(5, 0.5, 600)])


def test_modes_of_a_mixture_are_found(rng):
    values = two_bumps(rng)
    scaler = fit(values)
    assert scaler.layout == ((1, 2),) and scaler.width == 3
    order = np.argsort(scaler.means[0])
    np.testing.assert_allclose(scaler.means[0][order], [-5, 5], atol=0.1)
    np.testing.assert_allclose(scaler.stds[0][order], [1, 0.5], rtol=0.15)
    np.testing.assert_allclose(scaler.weights[0][order], [0.4, 0.6], atol=0.05)


def test_arrays_hold_the_distance_from_the_likeliest_mode_and_its_place(rng):
    values = two_bumps(rng)
    scaler = fit(values)
    array = scaler.to_array(column(values))
    place = scaler.choices(column(values))[:, 0]
    density = scaler.weights[0] / scaler.stds[0]
    density = density * np.exp(-(((values[:, None] - scaler.means[0]) / scaler.stds[0]) ** 2) / 2)
    np.testing.assert_array_equal(place, density.argmax(axis=1))
    np.testing.assert_array_equal(array[:, 1:], np.eye(2)[place])
    expected = (values - scaler.means[0][place]) / (4 * scaler.stds[0][place])
    np.testing.assert_allclose(array[:, 0], expected, rtol=1e-12)


def test_values_beyond_four_standard_deviations_are_not_clipped(rng):
    scaler = fit(rng.normal(size=500))
    assert scaler.to_array([[100.0]] * np.ones((1, 1)))[0, 0] > 1
    np.testing.assert_allclose(back(scaler, [100.0, -1e5]), [100.0, -1e5], rtol=1e-9)


def test_atoms_have_places_of_their_own_and_are_exact(rng):
    values = rng.normal(size=1000) + 0.1
    values[:300], values[300:350], values[350:390] = 0.3, 1 / 3, 7.7
    scaler = fit(values)
    np.testing.assert_array_equal(scaler.atoms[0], [0.3, 1 / 3])
    n_modes = len(scaler.means[0])
    assert scaler.layout == ((1, n_modes + 2),)
    array = scaler.to_array(column([0.3, 1 / 3]))
    np.testing.assert_array_equal(array[:, 0], 0)
    np.testing.assert_array_equal(array[:, 1 + n_modes :], np.eye(2))
    array[:, 0] = 0.9  # what a net writes there does not matter
    assert scaler.inverse(array)[:, 0].tolist() == [0.3, 1 / 3]


@pytest.mark.parametrize(
    "values, atoms, layout",
    [
        ([3.3] * 5, [3.3], (0, 1)),
        ([3.3], [3.3], (0, 1)),
        ([2.0, 1.0, 1.0], [1, 2], (0, 2)),
        ([2.0, NAN, 1.0], [1, 2], (0, 3)),
        ([1.0] * 99 + [2.0], [1, 2], (0, 2)),
        ([NAN, NAN], [], (0, 1)),
        ([0.0, -0.0, NAN], [0], (0, 2)),
    ],
    ids=["constant", "one row", "two values", "and a gap", "a rare one", "gaps only", "zeros"],
)
def test_columns_of_few_values_have_atoms_only(values, atoms, layout):
    scaler = fit(values)
    assert scaler.layout == (layout,) and scaler.atoms[0].tolist() == atoms
    np.testing.assert_array_equal(back(scaler, values), values)


def test_other_values_of_a_column_without_modes_take_the_nearest_atom():
    assert back(fit([1.0, 2.0, 4.0]), [-9.0, 1.4, 3.2, 50.0]).tolist() == [1, 1, 4, 4]


def test_gaps_take_the_last_place(rng):
    values = rng.normal(size=200)
    values[::4] = NAN
    scaler = fit(values)
    places = scaler.choices(column(values))[:, 0]
    np.testing.assert_array_equal(places == scaler.layout[0][1] - 1, np.isnan(values))
    np.testing.assert_array_equal(scaler.to_array(column([NAN]))[0, :-1], 0)
    np.testing.assert_allclose(back(scaler, values), values, rtol=1e-9)


def test_gaps_do_not_change_modes_and_atoms(rng):
    values = np.where(rng.random(400) < 0.2, 1.0, rng.normal(size=400))
    alone, among = fit(values), fit(np.concatenate([values, [NAN] * 900]))
    np.testing.assert_equal(among.state() | {"gaps": (False,)}, alone.state())


def test_gaps_that_training_did_not_know_are_refused(rng):
    with pytest.raises(ValueError, match="got column 0 with 1 of 2 missing"):
        fit(rng.normal(size=30)).to_array(column([NAN, 1]))
    with pytest.raises(ValueError, match="got column 0 with 0 of 1 missing"):
        fit([NAN, NAN]).choices(column([1]))


def test_categories_have_a_place_for_each_code_and_for_gaps():
    table = np.array([[0, 1, 2], [2, NAN, 2], [2, 0, 2]])
    scaler = fit(table, n_categories=(3, 2, 4))
    assert scaler.layout == ((0, 3), (0, 3), (0, 4))
    np.testing.assert_array_equal(scaler.choices(table), [[0, 1, 2], [2, 2, 2], [2, 0, 2]])
    np.testing.assert_array_equal(scaler.inverse(scaler.to_array(table)), table)
    unused = np.array([[1.0, NAN, 3.0]])
    np.testing.assert_array_equal(scaler.inverse(scaler.to_array(unused)), unused)


def test_columns_lie_side_by_side_in_order(rng):
    table = np.column_stack([rng.normal(size=99), rng.integers(3, size=99), rng.normal(size=99)])
    scaler = fit(table, n_categories=(0, 3, 0))
    array = scaler.to_array(table)
    assert array.shape == (99, scaler.width) and array.dtype == np.float64
    parts = [fit(table[:, [j]], n_categories=[n]) for j, n in enumerate((0, 3, 0))]
    arrays = [part.to_array(table[:, [j]]) for j, part in enumerate(parts)]
    np.testing.assert_array_equal(array, np.hstack(arrays))
    assert scaler.layout == tuple(part.layout[0] for part in parts)


def test_the_largest_of_soft_places_decides(rng):
    table = np.column_stack([two_bumps(rng), rng.integers(3, size=1000)])
    scaler = fit(table, n_categories=(0, 3))
    array = scaler.to_array(table)
    places = [1, 2, 3, 4, 5]
    array[:, places] = np.log(0.3 + 0.1 * array[:, places] + 0.05 * rng.random((1000, 5)))
    np.testing.assert_allclose(scaler.inverse(array), table, rtol=1e-9)


def test_tensors_are_arrays_in_float32(rng):
    table = column(two_bumps(rng))
    scaler = fit(table)
    tensor = scaler.to_tensor(table)
    assert tensor.dtype == torch.float32
    np.testing.assert_array_equal(tensor.numpy(), scaler.to_array(table).astype(np.float32))


def test_a_weight_is_a_number_of_rows(rng):
    values = np.where(rng.random(300) < 0.15, 4.0, rng.normal(size=300).round(2))
    values[::7] = NAN
    table = np.column_stack([values, rng.integers(3, size=300)])
    weight = rng.integers(0, 4, size=300)
    repeated = np.repeat(table, weight, axis=0)
    scaler = fit(table, weight.astype(float), n_categories=(0, 3))
    assert_same_state(scaler, fit(rng.permutation(repeated), n_categories=(0, 3)))
    assert_same_state(scaler, fit(table, 4.0 * weight, n_categories=(0, 3)))


def test_rows_of_weight_zero_leave_nothing_behind(rng):
    values = rng.normal(size=100)
    scaler = fit(np.append(values, [NAN, 1e9]), np.append(np.ones(100), [0, 0]))
    assert_same_state(scaler, fit(values))


@pytest.mark.parametrize("unit", [1e-300, 1e-12, 1e12, 1e300])
def test_the_unit_does_not_matter(rng, unit):
    values = two_bumps(rng)
    plain, scaled = fit(values), fit(values * unit)
    np.testing.assert_allclose(scaled.means[0] / unit, plain.means[0], rtol=1e-6)
    np.testing.assert_allclose(scaled.stds[0] / unit, plain.stds[0], rtol=1e-6)
    np.testing.assert_allclose(back(scaled, values * unit), values * unit, rtol=1e-9)


def test_a_large_offset_does_not_matter(rng):
    values = two_bumps(rng)
    np.testing.assert_allclose(fit(values + 1e6).stds[0], fit(values).stds[0], rtol=1e-4)


@settings(max_examples=40, deadline=None)
@given(st.lists(st.floats(-1e100, 1e100) | st.just(NAN), min_size=1, max_size=60))
def test_any_numbers_come_back(values):
    scale = np.nanmax(np.abs([*values, 0.0]))
    result = back(fit(values), values)
    np.testing.assert_allclose(result, values, rtol=1e-9, atol=1e-12 * scale)


@pytest.mark.parametrize("kind", ["cauchy", "lognormal", "integers", "clumps", "rounded"])
def test_awkward_distributions_come_back_without_a_warning(rng, kind):
    values = {
        "cauchy": lambda: rng.standard_cauchy(3000),
        "lognormal": lambda: rng.lognormal(0, 5, 3000),
        "integers": lambda: rng.integers(100, size=3000).astype(float),
        "clumps": lambda: rng.integers(3, size=3000) + 1e-14 * rng.random(3000),
        "rounded": lambda: np.append(rng.normal(size=3000).round(1), 1e9),
    }[kind]()
    np.testing.assert_allclose(back(fit(values), values), values, rtol=1e-9, atol=1e-12)


def test_there_are_no_more_modes_than_asked_for(rng):
    values = rng.uniform(size=1000)
    assert len(fit(values, n_modes=3).means[0]) <= 3
    assert fit(values, n_modes=1).layout == ((1, 1),)


def test_any_mixed_frame_comes_back(rng):
    X = pd.DataFrame(
        {
            "float": rng.normal(size=500),
            "integer": pd.array([None, *rng.integers(-(10**6), 10**6, size=499)], dtype="Int64"),
            "counts": rng.poisson(1, size=500),
            "boolean": rng.random(500) < 0.5,
            "string": rng.choice(["a", "b", None], size=500),
            "category": pd.Categorical(rng.choice(["x", "y"], size=500), ["z", "y", "x"]),
            "date": pd.to_datetime(rng.integers(2**31, size=500), unit="s"),
            "day": pd.to_datetime("2020-01-01") + pd.to_timedelta(rng.integers(900, size=500), "D"),
        }
    )
    codec = FrameCodec.fit(X)
    table = codec.encode(X)
    scaler = fit(table, n_categories=codec.n_categories)
    result = codec.decode(scaler.inverse(scaler.to_array(table)))
    assert_frame_equal(result.drop(columns="float"), X.drop(columns="float"))
    np.testing.assert_allclose(result["float"], X["float"], rtol=1e-9)
    noise = codec.decode(scaler.inverse(100 * rng.normal(size=(99, scaler.width))))
    assert (noise.dtypes == X.dtypes).all()
    for name in ("float", "integer", "counts", "date", "day"):
        assert noise[name].min() >= X[name].min() and noise[name].max() <= X[name].max()
    again = codec.decode(scaler.inverse(scaler.to_tensor(table).numpy()))
    assert_frame_equal(again[["counts", "day"]], X[["counts", "day"]])


def test_states_are_plain_and_make_the_same_scaler(rng):
    table = np.column_stack([two_bumps(rng), rng.integers(3, size=1000)])
    scaler = fit(table, n_categories=(0, 3))
    state = pickle.loads(pickle.dumps(scaler.state()))
    kinds = {type(part) for value in state.values() for part in value}
    assert kinds <= {int, bool, str, np.ndarray}
    again = scaler_from_state(state)
    assert again.layout == scaler.layout
    np.testing.assert_array_equal(again.to_array(table), scaler.to_array(table))


def _global_states():
    return random.getstate(), np.random.get_state(), torch.get_rng_state().numpy()  # noqa: NPY002


@pytest.mark.parametrize("seed", [0, 2**63, 2**64 - 1])
def test_seeds_fix_everything_and_leave_global_states_alone(rng, seed):
    values = rng.uniform(size=300)
    before = _global_states()
    assert_same_state(fit(values, seed=seed), fit(values, seed=seed))
    np.testing.assert_equal(_global_states(), before)
