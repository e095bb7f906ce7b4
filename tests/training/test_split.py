"""Rows that are held out."""

import math

import numpy as np
import pytest
import torch

from skdeep._training._split import hold_out


def generator(seed=0):
    return torch.Generator().manual_seed(seed)


@pytest.mark.parametrize("stratified", [False, True])
@pytest.mark.parametrize("n_rows, fraction", [(2, 0.1), (3, 0.5), (50, 0.1), (51, 0.3), (10, 0.9)])
def test_parts_are_disjoint_ascending_and_hold_every_row(n_rows, fraction, stratified):
    kept = 7 + 3 * np.arange(n_rows)
    strata = np.arange(n_rows) % 2 if stratified else None
    train, valid = hold_out(kept, fraction, generator(), strata)
    np.testing.assert_array_equal(np.sort(np.concatenate([train, valid])), kept)
    assert len(valid) == math.ceil(fraction * n_rows)
    assert (np.diff(train) > 0).all() and (np.diff(valid) > 0).all()


@pytest.mark.parametrize("stratified", [False, True])
def test_split_repeats_with_the_seed_and_changes_with_it(stratified):
    kept = np.arange(100)
    strata = kept % 3 if stratified else None
    first, second, other = (hold_out(kept, 0.2, generator(seed), strata)[1] for seed in (4, 4, 5))
    np.testing.assert_array_equal(first, second)
    assert not np.array_equal(first, other)


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("fraction", [0.1, 0.25, 0.5])
def test_each_stratum_keeps_its_share(fraction, seed):
    strata = np.repeat([0, 1, 2, 3], [500, 300, 150, 50])
    order = np.random.default_rng(seed).permutation(1000)
    _, valid = hold_out(np.arange(1000), fraction, generator(seed), strata[order])
    counts = np.bincount(strata[order][valid], minlength=4)
    # a row either way from rounding, and one of each stratum that stays in training
    assert np.abs(counts - fraction * np.array([500, 300, 150, 50])).max() <= 2


@pytest.mark.parametrize("seed", range(20))
def test_rows_that_are_alone_in_their_stratum_stay_in_training(seed):
    strata = np.array([0] * 30 + [1] * 20 + [2, 3, 4])
    train, valid = hold_out(np.arange(53), 0.4, generator(seed), strata)
    assert {50, 51, 52} <= set(train)
    assert set(strata[valid]) == {0, 1}


@pytest.mark.parametrize("seed", range(20))
def test_every_stratum_has_a_row_to_train_on(seed):
    strata = np.repeat(np.arange(5), 4)
    train, _ = hold_out(np.arange(20), 0.75, generator(seed), strata)
    assert set(strata[train]) == set(range(5))


@pytest.mark.parametrize("fraction", [0.1, 0.5, 0.9])
def test_more_strata_than_can_stay_are_split_all_the_same(fraction):
    train, valid = hold_out(np.arange(10), fraction, generator(), np.arange(10))
    assert len(train) + len(valid) == 10
    assert len(valid) == math.ceil(10 * fraction)


@pytest.mark.parametrize("stratified", [False, True])
def test_every_row_is_held_out_about_as_often(stratified):
    strata = np.repeat([0, 1], [30, 10]) if stratified else None
    counts = np.zeros(40)
    for seed in range(400):
        counts[hold_out(np.arange(40), 0.25, generator(seed), strata)[1]] += 1
    # 400 draws with a chance near 1/4: standard deviation below 9
    assert np.abs(counts - 100).max() < 45


def test_no_row_left_to_train_on_is_an_error_that_names_the_fraction():
    with pytest.raises(ValueError, match=r"validation_fraction must leave a row .* got 0\.9 of"):
        hold_out(np.arange(5), 0.9, generator())
    with pytest.raises(ValueError, match="n_samples=1"):
        hold_out(np.array([8]), 0.1, generator())
