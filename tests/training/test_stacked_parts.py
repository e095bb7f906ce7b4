"""Parts of stacked training: rows, step sizes, optimizers."""

import copy

import pytest
import torch

from skdeep._training._data import Batches, TensorRows
from skdeep._training._net import Objective, TrainingNet
from skdeep._training._optim import OPTIMIZERS, make_schedule
from skdeep._training._stacked_optim import StackedOptimizer, can_be_stacked, step_factors
from skdeep._training._stacked_rows import StackedRows
from skdeep.nn._autoencoder import AutoencoderModule
from skdeep.nn._coder import CoderShape
from skdeep.nn._stacked import StackedWeights
from skdeep.utils._random import make_streams


def generator(seed=0):
    return torch.Generator().manual_seed(seed)


def normal(*shape, seed=0):
    return torch.empty(*shape).normal_(generator=generator(seed))


def make_rows(n_rows, seed=0, *, y=False, weight=False):
    return TensorRows(
        normal(n_rows, 3, seed=seed),
        torch.arange(n_rows) if y else None,
        0.5 + normal(n_rows, seed=seed + 100).abs() if weight else None,
    )


def one_batch(rows):
    """Parts of the only batch of an epoch."""
    (batch,) = rows.epoch()
    return batch


# Rows --------------------------------------------------------------------------------------


def test_equal_rows_of_several_members_lie_once_in_memory():
    shared, other = make_rows(10), make_rows(10, seed=1)
    rows = StackedRows([shared, other, shared, make_rows(10), make_rows(9)], 4)
    assert len(rows.x) == 10 + 10 + 9


@pytest.mark.parametrize(
    "change",
    [
        lambda rows: TensorRows(rows.x, rows.y + 1, rows.weight),
        lambda rows: TensorRows(rows.x, rows.y, 2 * rows.weight),
        lambda rows: TensorRows(-rows.x, rows.y, rows.weight),
    ],
    ids=["targets", "weights", "rows"],
)
def test_rows_that_differ_in_anything_lie_apart(change):
    first = make_rows(6, y=True, weight=True)
    members = [first, change(first)]
    rows = StackedRows(members, 6)
    assert len(rows.x) == 12
    ((start, stop, batch),) = one_batch(rows)
    assert (start, stop) == (0, 2)
    for number, member in enumerate(members):
        assert torch.equal(batch.x[number], member.x)
        assert torch.equal(batch.y[number], member.y)
        assert torch.equal(batch.weight[number], member.weight)


@pytest.mark.parametrize(
    "lengths, batch_size",
    [
        ((10, 10), 3),
        ((10, 10), 10),
        ((10, 9, 10), 4),
        ((10, 9, 10), 50),
        ((11, 9), 4),
        ((12, 9), 4),
    ],
)
def test_each_member_sees_its_own_batches_in_its_own_order(lengths, batch_size):
    members = [make_rows(n, seed, y=True, weight=True) for seed, n in enumerate(lengths)]
    seeds = range(len(members))
    stacked = StackedRows(members, batch_size, [generator(seed) for seed in seeds])
    alone = [
        Batches(member, batch_size, generator(seed))
        for seed, member in zip(seeds, members, strict=True)
    ]
    for _ in range(3):  # epochs
        epoch = [list(batches) for batches in alone]
        sizes = [[len(batch.x) for batch in batches] for batches in epoch]
        assert stacked.sizes == sizes
        for place, parts in enumerate(stacked.epoch()):
            assert [number for start, stop, _ in parts for number in range(start, stop)] == [*seeds]
            for start, stop, batch in parts:
                for number in range(start, stop):
                    expected = epoch[number][place]
                    assert torch.equal(batch.x[number - start], expected.x)
                    assert torch.equal(batch.y[number - start], expected.y)
                    assert torch.equal(batch.weight[number - start], expected.weight)


def test_without_generators_rows_keep_their_order():
    members = [make_rows(10, seed) for seed in range(2)]
    batches = [batch.x for ((_, _, batch),) in StackedRows(members, 4).epoch()]
    for number, member in enumerate(members):
        assert torch.equal(torch.cat([x[number] for x in batches]), member.x)


def test_a_batch_that_holds_all_rows_is_not_shuffled():
    generators = [generator(seed) for seed in range(2)]
    ((_, _, batch),) = one_batch(StackedRows([make_rows(10), make_rows(10, 1)], 10, generators))
    assert torch.equal(batch.x[1], make_rows(10, 1).x)
    assert torch.equal(generators[0].get_state(), generator(0).get_state())


@pytest.mark.parametrize(
    "lengths, parts",
    [
        ((10, 9), [(0, 1), (1, 2)]),
        ((9, 10, 10), [(0, 1), (1, 3)]),
        ((12, 12, 12), [(0, 3)]),
    ],
)
def test_members_part_only_in_a_batch_of_which_they_have_other_numbers_of_rows(lengths, parts):
    members = [make_rows(n, seed) for seed, n in enumerate(lengths)]
    *full, last = StackedRows(members, 4).epoch()
    for batch in full:
        assert [part[:2] for part in batch] == [(0, len(lengths))]
    assert [part[:2] for part in last] == parts


# Step sizes --------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["constant", "cosine", "onecycle"])
@pytest.mark.parametrize("n_epochs, n_batches", [(1, 1), (1, 7), (5, 3), (30, 4)])
@pytest.mark.parametrize("lr", [1.0, 3e-4])
def test_step_factors_are_those_of_torchs_schedulers(name, n_epochs, n_batches, lr):
    factors = step_factors(name, n_epochs, n_batches)
    assert len(factors) == n_epochs * n_batches
    optimizer = torch.optim.AdamW([torch.zeros(1)], lr=lr)
    schedule = make_schedule(
        name, optimizer, n_epochs=n_epochs, n_batches=n_batches, patience=1, tol=0.0
    )
    for factor in factors:
        assert lr * factor == pytest.approx(optimizer.param_groups[0]["lr"], rel=1e-12)
        optimizer.step()
        if schedule is not None:
            schedule.step()


def test_plateau_leaves_the_step_size_to_the_losses():
    assert step_factors("plateau", 3, 2) == (1.0,) * 6


# Optimizers --------------------------------------------------------------------------------


def make_net(seed=0, optimizer="adamw", **options):
    """Net that is ready to train."""
    streams = make_streams(seed)
    shape = CoderShape(n_features=6, n_components=2, hidden_layer_sizes=(5,))
    net = TrainingNet(
        AutoencoderModule(shape, streams),
        Objective(lambda output, batch, _: {"loss": output.reconstruction}, {}),
        optimizer=OPTIMIZERS[optimizer],
        **{"lr": 0.01, "device": "cpu", "verbose": 0, **options},
    ).initialize()
    net.begin_training(
        TensorRows(torch.zeros(4, 6)),
        None,
        n_epochs=3,
        lr_schedule="constant",
        n_schedule_epochs=None,
    )
    return net


def step_alone(net, gradients, lr):
    """One step of a net's own optimizer."""
    net.optimizer_.param_groups[0]["lr"] = lr
    for parameter, gradient in zip(net.module_.parameters(), gradients, strict=True):
        parameter.grad = gradient.clone()
    net.optimizer_.step()


def assert_same_optimizer(actual, expected):
    state, own = (one.state_dict()["state"] for one in (actual, expected))
    assert state.keys() == own.keys()
    for number, entries in own.items():
        for name, value in entries.items():
            torch.testing.assert_close(state[number][name], value, rtol=0, atol=0)


def take_steps(nets, rates, n_steps=3):
    """Steps of nets as one, on gradients that can be drawn again."""
    weights = StackedWeights([net.module_ for net in nets])
    gradients = torch.zeros_like(weights.flat)
    optimizer = StackedOptimizer(nets, weights.views(gradients), rates)
    for number in range(n_steps):
        gradients.copy_(normal(*gradients.shape, seed=number))
        optimizer.step(rates)
    optimizer.close()
    for net in nets:
        StackedWeights.release(net.module_)


def take_steps_alone(nets, rates, n_steps=3):
    weights = StackedWeights([copy.deepcopy(net.module_) for net in nets])
    for number in range(n_steps):
        parts = weights.views(normal(*weights.flat.shape, seed=number)).values()
        for place, (net, lr) in enumerate(zip(nets, rates, strict=True)):
            step_alone(net, [part[place] for part in parts], lr)


OPTIONS = [{}, {"lr": 0.1}, {"lr": 0.1}, {"weight_decay": 0.1}, {}]
RATES = [0.01, 0.1, 0.1, 0.01, 0.01]


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_stacked_steps_are_those_of_each_nets_own_optimizer(name):
    together, alone = (
        [make_net(seed, name, **options) for seed, options in enumerate(OPTIONS)] for _ in range(2)
    )
    for _ in range(2):  # the second time on states that are there already
        take_steps(together, RATES)
        take_steps_alone(alone, RATES)
        for net, expected in zip(together, alone, strict=True):
            own = expected.module_.state_dict()
            for key, value in net.module_.state_dict().items():
                assert torch.equal(value, own[key]), key
            assert_same_optimizer(net.optimizer_, expected.optimizer_)


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_nets_that_made_other_numbers_of_steps_keep_count(name):
    together, alone = ([make_net(seed, name) for seed in range(3)] for _ in range(2))
    take_steps(together[:1], RATES[:1], n_steps=4)
    take_steps_alone(alone[:1], RATES[:1], n_steps=4)
    take_steps(together, [0.01] * 3)
    take_steps_alone(alone, [0.01] * 3)
    for net, expected in zip(together, alone, strict=True):
        assert_same_optimizer(net.optimizer_, expected.optimizer_)


def test_optimizers_of_the_users_own_are_not_stacked():
    parameters = [torch.zeros(1)]
    assert all(can_be_stacked(one(parameters, lr=0.1)) for one in OPTIMIZERS.values())
    assert not can_be_stacked(torch.optim.RMSprop(parameters))
    assert not can_be_stacked(type("Mine", (torch.optim.AdamW,), {})(parameters))
