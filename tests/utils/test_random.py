"""From ``random_state`` to independent local generators."""

import random

import numpy as np
import pytest
import torch
from numpy.testing import assert_array_equal

from skdeep.utils._random import (
    STREAMS,
    draw_seed,
    make_generator,
    make_streams,
    numpy_generator,
)


def _draws(generator, n_draws=1000):
    return torch.randn(n_draws, generator=generator).numpy()


def test_int_is_its_own_seed():
    assert draw_seed(17) == 17
    assert draw_seed(np.int64(17)) == 17
    assert type(draw_seed(np.int64(17))) is int


def test_random_state_object_gives_a_new_seed_each_time_and_repeats_itself():
    first, second = np.random.RandomState(3), np.random.RandomState(3)
    seeds = [draw_seed(first) for _ in range(5)]
    assert len(set(seeds)) == 5
    assert seeds == [draw_seed(second) for _ in range(5)]


def test_no_random_state_gives_another_seed_each_time():
    assert len({draw_seed(None) for _ in range(20)}) == 20


@pytest.mark.parametrize("seed", [0, 1, 2**32 - 1, 2**63, (3, 1), (0, 5, 2)])
def test_generator_repeats_itself_for_every_kind_of_seed(seed):
    assert_array_equal(_draws(make_generator(seed)), _draws(make_generator(seed)))


def test_neighbouring_seeds_give_unrelated_draws():
    draws = np.array([_draws(make_generator(seed)) for seed in [*range(10), (0, 1), (0, 2)]])
    correlation = np.corrcoef(draws) - np.eye(12)
    assert np.abs(correlation).max() < 0.15  # standard deviation 0.03


def test_streams_are_named_independent_and_repeat_themselves():
    streams = make_streams(0)
    assert tuple(streams) == STREAMS
    draws = {name: _draws(generator) for name, generator in streams.items()}
    assert np.abs(np.corrcoef(list(draws.values())) - np.eye(len(draws))).max() < 0.15
    for name, generator in make_streams(0).items():
        assert_array_equal(_draws(generator), draws[name])
    assert (_draws(make_streams(1)["weights"]) != draws["weights"]).any()


def test_reading_one_stream_leaves_the_others_as_they_were():
    read, unread = make_streams(5), make_streams(5)
    _draws(read["dropout"])
    for name in set(STREAMS) - {"dropout"}:
        assert_array_equal(_draws(read[name]), _draws(unread[name]))


def test_numpy_generator_follows_random_state():
    drawn = numpy_generator(3).random(5)
    assert_array_equal(drawn, numpy_generator(3).random(5))
    assert (drawn != numpy_generator(4).random(5)).any()
    assert (numpy_generator(None).random(5) != numpy_generator(None).random(5)).any()


def test_global_states_are_neither_read_nor_written():
    before = random.getstate(), np.random.get_state()[1].tolist(), torch.get_rng_state().tolist()  # noqa: NPY002
    for random_state in (0, None, np.random.RandomState(0)):
        _draws(make_streams(draw_seed(random_state))["noise"])
        numpy_generator(random_state).random(3)
    after = random.getstate(), np.random.get_state()[1].tolist(), torch.get_rng_state().tolist()  # noqa: NPY002
    assert before == after
    torch.manual_seed(1)
    first = _draws(make_generator(0))
    torch.manual_seed(2)
    assert_array_equal(first, _draws(make_generator(0)))


@pytest.mark.gpu
def test_weights_are_drawn_on_the_cpu_and_dropout_where_the_data_are():
    places = {name: one.device.type for name, one in make_streams(0, "cuda").items()}
    assert places["weights"] == places["shuffle"] == "cpu"
    assert places["dropout"] == places["noise"] == "cuda"
