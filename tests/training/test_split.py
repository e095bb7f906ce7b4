"""Samples held out by early stopping."""

import math

import numpy as np
import pytest
from skorch.callbacks import Callback

from skdeep.decomposition import Autoencoder
from skdeep.neural_network import ResNetClassifier


class Parts(Callback):
    """Records training and held-out samples of an epoch, identified by their only feature."""

    def on_epoch_begin(self, net, **kwargs):
        self.parts_ = {True: [], False: []}

    def on_batch_begin(self, net, batch=None, training=None, **kwargs):
        self.parts_[training] += batch.x[:, 0].int().tolist()


def split(n_samples, fraction, y=None, seed=0):
    """Indices of training and held-out samples, each in ascending order."""
    parts = Parts()
    options = {"validation_fraction": fraction, "feature_scaling": None, "callbacks": [parts]}
    options |= {"early_stopping": True, "max_epochs": 1, "device": "cpu", "random_state": seed}
    tiny = {"n_blocks": 1, "width": 1, "dropout": 0.0, "refit_full": False}
    net = Autoencoder(1, hidden_layer_sizes=()) if y is None else ResNetClassifier(**tiny)
    net.set_params(**options).fit(np.arange(float(n_samples))[:, None], y)
    return sorted(parts.parts_[True]), sorted(parts.parts_[False])


stratified = pytest.mark.parametrize("stratified", [False, True])


@stratified
@pytest.mark.parametrize(
    "n_samples, fraction", [(2, 0.1), (3, 0.5), (50, 0.1), (51, 0.3), (10, 0.9)]
)
def test_parts_are_disjoint_and_hold_every_sample(n_samples, fraction, stratified):
    train, valid = split(n_samples, fraction, np.arange(n_samples) % 2 if stratified else None)
    assert sorted(train + valid) == list(range(n_samples))
    assert len(valid) == math.ceil(fraction * n_samples)


@stratified
def test_split_repeats_with_the_seed_and_changes_with_it(stratified):
    y = np.arange(100) % 3 if stratified else None
    first, second, other = (split(100, 0.2, y, seed) for seed in (4, 4, 5))
    assert first == second != other


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("fraction", [0.1, 0.25, 0.5])
def test_each_class_keeps_its_fraction(fraction, seed):
    sizes = np.array([500, 300, 150, 50])
    y = np.random.default_rng(seed).permutation(np.repeat([0, 1, 2, 3], sizes))
    counts = np.bincount(y[split(1000, fraction, y, seed)[1]], minlength=4)
    # a sample either way from rounding, and one of each class that stays in training
    assert np.abs(counts - fraction * sizes).max() <= 2


@pytest.mark.parametrize("seed", range(5))
def test_every_class_has_a_sample_to_train_on(seed):
    alone = np.array([0] * 30 + [1] * 20 + [2, 3, 4])
    train, valid = split(53, 0.4, alone, seed)
    assert {50, 51, 52} <= set(train)
    assert set(alone[valid]) == {0, 1}
    few = np.repeat(np.arange(5), 4)
    assert set(few[split(20, 0.75, few, seed)[0]]) == set(range(5))


@pytest.mark.parametrize("fraction", [0.1, 0.5, 0.9])
def test_more_classes_than_can_stay_are_split_all_the_same(fraction):
    train, valid = split(10, fraction, np.arange(10))
    assert sorted(train + valid) == list(range(10))
    assert len(valid) == math.ceil(10 * fraction)


@stratified
def test_every_sample_is_held_out_about_as_often(stratified):
    y = np.repeat([0, 1], [30, 10]) if stratified else None
    counts = np.zeros(40)
    for seed in range(60):
        counts[split(40, 0.25, y, seed)[1]] += 1
    # 60 draws with a chance near 1/4: standard deviation 3.4
    assert counts.sum() == 600 and np.abs(counts - 15).max() < 14


def test_no_sample_left_to_train_on_is_an_error_that_names_the_fraction():
    with pytest.raises(ValueError, match=r"validation_fraction must leave .* got 0\.9 of"):
        split(5, 0.9)
    with pytest.raises(ValueError, match="n_samples=1"):
        split(1, 0.1)
