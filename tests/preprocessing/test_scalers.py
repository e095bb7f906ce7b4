"""What all scalers have in common."""

import pickle

import numpy as np
import pytest
import torch

from skdeep._preprocessing._features import fit_feature_scaler
from skdeep._preprocessing._linear import LinearScaler
from skdeep._preprocessing._mixture import MixtureScaler
from skdeep._preprocessing._quantile import QuantileScaler
from skdeep._preprocessing._scaler import scaler_from_state
from skdeep._preprocessing._table import TableScaler

MASK = np.array([False, True, False])
SCALINGS = ["global", "range", "standard", None]
SCALERS = {
    **{f"linear, {kind}": (LinearScaler, {"scaling": kind}) for kind in SCALINGS},
    "quantile": (QuantileScaler, {}),
    "mixture": (MixtureScaler, {"n_categories": (0, 3, 0)}),
    "table, linear": (TableScaler, {"scaling": "standard", "is_categorical": MASK}),
    "table, quantile": (TableScaler, {"scaling": "quantile", "fills_missing": True}),
    "table, bins": (TableScaler, {"scaling": None, "is_categorical": ~MASK, "has_bins": True}),
    "table, no numbers": (TableScaler, {"scaling": "global", "is_categorical": MASK | True}),
}
INVERTIBLE = [name for name in SCALERS if not name.startswith("table")]


@pytest.fixture
def X():
    """Two columns of numbers and, between them, one of codes."""
    rng = np.random.default_rng(0)
    return np.column_stack(
        [rng.normal(3, 2, 90), rng.integers(3, size=90), rng.integers(9, size=90)]
    )


def fit(name, X):
    Scaler, options = SCALERS[name]
    return Scaler.fit(X, np.ones(len(X)), rng=np.random.default_rng(0), **options)


@pytest.mark.parametrize("name", SCALERS)
def test_tensors_are_float32_and_as_wide_as_announced(name, X):
    scaler = fit(name, X)
    tensor = scaler.to_tensor(X)
    assert tensor.dtype == torch.float32 and tensor.shape == (90, scaler.width)
    assert scaler.to_tensor(X[:0]).shape == (0, scaler.width)


@pytest.mark.parametrize("name", INVERTIBLE)
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_inverses_are_samples_in_float64(name, dtype, X):
    scaler = fit(name, X)
    result = scaler.inverse(scaler.to_tensor(X).numpy().astype(dtype))
    assert result.dtype == np.float64
    np.testing.assert_allclose(result, X, rtol=1e-5, atol=1e-5)


def test_tables_have_no_inverse(X):
    scaler = fit("table, linear", X)
    with pytest.raises(NotImplementedError, match="has no inverse: what was missing"):
        scaler.inverse(scaler.to_tensor(X).numpy())


@pytest.mark.parametrize("name", SCALERS)
def test_scalers_are_what_their_states_say(name, X):
    scaler = fit(name, X)
    state = pickle.loads(pickle.dumps(scaler.state()))
    again = scaler_from_state(state)
    assert type(again) is type(scaler)
    np.testing.assert_equal(again.state(), state)
    np.testing.assert_array_equal(again.to_tensor(X), scaler.to_tensor(X))


def test_states_name_one_class_each(X):
    classes = {fit(name, X).state()["kind"]: SCALERS[name][0] for name in SCALERS}
    assert classes == {
        "linear": LinearScaler,
        "quantile": QuantileScaler,
        "mixture": MixtureScaler,
        "table": TableScaler,
    }


@pytest.mark.parametrize("scaling", [*SCALINGS, "quantile"])
def test_scaling_says_how_features_are_scaled(scaling, X):
    scaler = fit_feature_scaler(X, rng=np.random.default_rng(0), scaling=scaling)
    assert scaler.scaling == scaling


@pytest.mark.parametrize("Scaler", dict.fromkeys(Scaler for Scaler, _ in SCALERS.values()))
def test_all_scalers_learn_from_samples_and_a_generator_alone(Scaler, X):
    scaler = Scaler.fit(X, rng=np.random.default_rng(0))
    assert scaler.to_tensor(X).shape == (90, scaler.width)
