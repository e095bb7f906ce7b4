"""Promise 3: valid values of ``random_state``, and independence of its draws."""

import numpy as np
import pytest

from skdeep.decomposition import Autoencoder
from skdeep.neural_network import ResNetClassifier


def initial_weights(Class=Autoencoder, random_state=0, **params):
    """All weights of a hardly trained net."""
    params = {"batch_size": 50, "max_epochs": 1, "lr": 1e-9, "device": "cpu", **params}
    X = np.random.default_rng(0).normal(size=(50, 16))
    net = Class(random_state=random_state, **params).fit(X, np.arange(50) % 2)
    weights = [weight.ravel().numpy(force=True) for weight in net.module_.parameters()]
    return np.concatenate(weights)


@pytest.mark.parametrize("random_state", [3, 2**32 - 1])
@pytest.mark.matrix
def test_integers_of_numpy_are_integers(random_state, make, X, y, assert_same):
    expected = make(random_state=random_state).fit(X, y)
    assert_same(make(random_state=np.int64(random_state)).fit(X, y), expected, X)


def test_weights_of_neighbouring_seeds_are_uncorrelated():
    drawn = [initial_weights(random_state=seed, hidden_layer_sizes=(64,)) for seed in range(10)]
    # the layers differ in scale, which the sign does not show
    correlation = np.corrcoef(np.sign(drawn)) - np.eye(10)
    assert len(drawn[0]) > 2000
    assert np.abs(correlation).max() < 0.1  # standard deviation 0.02


def test_a_random_state_object_gives_other_seeds_each_time_and_repeats_itself():
    first, second = np.random.RandomState(3), np.random.RandomState(3)
    drawn = [initial_weights(random_state=first) for _ in range(3)]
    again = [initial_weights(random_state=second) for _ in range(3)]
    np.testing.assert_array_equal(drawn, again)
    assert len({weights.tobytes() for weights in drawn}) == 3


@pytest.mark.parametrize(
    ("Class", "draws"),
    [
        (Autoencoder, {"dropout": 0.5}),
        (Autoencoder, {"noise": 0.5}),
        (Autoencoder, {"noise": 0.5, "noise_kind": "masking"}),
        (ResNetClassifier, {"residual_dropout": 0.5, "dropout": 0.5}),
        (Autoencoder, {"early_stopping": True}),
    ],
    ids=str,
)
def test_other_draws_leave_the_initial_weights_as_they_are(Class, draws):
    quiet = {"dropout": 0.0}
    expected = initial_weights(Class, **quiet)
    np.testing.assert_allclose(initial_weights(Class, **{**quiet, **draws}), expected, atol=1e-6)


@pytest.mark.gpu
def test_initial_weights_are_the_same_on_every_device():
    on_gpu, on_cpu = (initial_weights(device=device) for device in ("cuda", "cpu"))
    np.testing.assert_allclose(on_gpu, on_cpu, atol=1e-6)
