"""Conditions by log-frequency, and rows that meet them."""

import numpy as np
import pytest
import torch
from scipy.stats import chisquare

from skdeep._preprocessing._linear import LinearScaler
from skdeep._training._conditions import Conditions, DrawnBatches, log_frequencies
from skdeep._training._data import StreamedRows, TensorRows

N_DRAWS = 40_000


def seeded(seed=0):
    return torch.Generator().manual_seed(seed)


def draw(codes, sizes, weight=None, n=N_DRAWS, seed=0):
    rows, conditions = Conditions(np.asarray(codes), sizes, weight).draw(n, seeded(seed))
    return rows.numpy(), None if conditions is None else conditions.numpy()


def assert_shares(values, shares):
    """Draws have those probabilities: never the impossible, and a chi-square that is likely."""
    counts, shares = np.bincount(values, minlength=len(shares)), np.asarray(shares, dtype=float)
    assert len(counts) == len(shares) and not counts[shares == 0].any()
    possible = shares > 0
    expected = shares[possible] / shares.sum() * len(values)
    assert chisquare(counts[possible], expected).pvalue > 0.01


@pytest.fixture
def codes():
    """One frequent, one rare and one absent category, and a column of two even ones."""
    first = np.repeat([0, 1], [900, 100])
    return np.column_stack([first, np.arange(1000) % 2])


def test_log_frequencies_equal_their_formula():
    counts = [900, 100, 1, 0]
    logs = np.log(1 + np.array(counts))
    np.testing.assert_allclose(log_frequencies(counts), logs / logs.sum(), rtol=1e-12)
    assert log_frequencies([5]).tolist() == [1]


def test_conditions_are_drawn_by_column_and_log_frequency(codes):
    _, conditions = draw(codes, (3, 2))
    first = np.log1p([900, 100, 0])
    assert_shares(conditions, [*(first / first.sum() / 2), 0.25, 0.25])


def test_rows_meet_their_conditions(codes):
    rows, conditions = draw(codes, (3, 2))
    column, code = conditions // 3, conditions % 3
    assert (codes[rows, column] == code).all()


def test_rows_are_drawn_evenly_within_their_category():
    rows, conditions = draw(np.repeat([0, 1], [6, 14])[:, np.newaxis], (2,))
    assert_shares(rows[conditions == 0], np.ones(6))
    assert_shares(rows[conditions == 1] - 6, np.ones(14))


def test_rows_are_drawn_by_weight_within_their_category():
    weight = np.array([1.0, 2.0, 3.0, 0.0, 4.0, 1.0])
    rows, conditions = draw([[0], [0], [0], [0], [1], [1]], (2,), weight)
    assert_shares(rows[conditions == 0], [1, 2, 3, 0])
    assert_shares(rows[conditions == 1] - 4, [4, 1])


def test_categories_count_their_weights():
    weight = np.array([1.0, 1.0, 6.0])
    _, conditions = draw([[0], [0], [1]], (2,), weight)
    # weights have mean one: 2 and 6 of 8 are 0.75 and 2.25 of 3 rows
    assert_shares(conditions, np.log1p([0.75, 2.25]))


def test_draws_do_not_depend_on_the_unit_of_weights(codes):
    weight = np.random.default_rng(0).uniform(size=len(codes))
    first, second = draw(codes, (3, 2), weight), draw(codes, (3, 2), 64 * weight)
    np.testing.assert_array_equal(first, second)


@pytest.mark.parametrize("sizes", [(), (1,), (1, 1)])
def test_a_row_of_weight_two_is_the_row_twice(sizes):
    rng = np.random.default_rng(0)
    codes = np.column_stack([rng.integers(size, size=30) for size in sizes] or [np.empty((30, 0))])
    codes = codes.astype(int)
    weight = rng.integers(1, 4, size=30)
    repeated = np.repeat(np.arange(30), weight)
    rows, conditions = draw(codes, sizes, weight.astype(float))
    other_rows, other_conditions = draw(codes[repeated], sizes)
    np.testing.assert_array_equal(repeated[other_rows], rows)
    np.testing.assert_array_equal(other_conditions, conditions)


def test_a_row_of_weight_zero_is_never_drawn():
    weight = np.array([0.0, 1.0, 0.0, 1.0, 0.0])
    rows, conditions = draw(np.array([[0], [0], [1], [1], [2]]), (3,), weight)
    assert set(rows) == {1, 3} and set(conditions) == {0, 1}


def test_without_columns_rows_are_drawn_evenly():
    rows, conditions = draw(np.empty((20, 0), dtype=int), ())
    assert conditions is None
    assert_shares(rows, np.ones(20))


def test_without_columns_rows_are_drawn_by_weight():
    rows, _ = draw(np.empty((4, 0), dtype=int), (), np.array([1.0, 0.0, 2.0, 5.0]))
    assert_shares(rows, [1, 0, 2, 5])


def test_draws_follow_their_generator(codes):
    first, again, other = (draw(codes, (3, 2), n=50, seed=seed) for seed in (0, 0, 1))
    np.testing.assert_array_equal(first, again)
    assert (first[0] != other[0]).any()


def test_draws_leave_the_global_generators_alone(codes):
    state, numpy_state = torch.get_rng_state(), np.random.get_state()[1].copy()  # noqa: NPY002
    draw(codes, (3, 2), n=50)
    assert torch.equal(torch.get_rng_state(), state)
    np.testing.assert_array_equal(np.random.get_state()[1], numpy_state)  # noqa: NPY002


def test_many_categories_and_a_single_row_can_be_drawn():
    codes = np.arange(3000)[:, np.newaxis]
    rows, conditions = draw(codes, (3000,), n=30_000)
    assert (rows == conditions).all() and len(set(rows)) > 2900
    rows, conditions = draw([[1]], (2,), n=5)
    assert rows.tolist() == [0] * 5 and conditions.tolist() == [1] * 5


@pytest.mark.parametrize("share", [0.0, 1 - 2**-53])
def test_the_ends_of_the_unit_interval_are_the_first_and_the_last_row(monkeypatch, share):
    """Rounding never gives a category or a row that has no weight."""
    weight = np.array([0.0, 0.1, 0.2, 0.7, 0.0])
    conditions = Conditions(np.array([[1], [1], [2], [2], [2]]), (4,), weight)
    ends = torch.full((2, 3), share, dtype=torch.float64)
    monkeypatch.setattr(torch, "rand", lambda *args, **kwargs: ends)
    rows, drawn = conditions.draw(3, seeded())
    assert rows.tolist() == [3 if share else 1] * 3
    assert drawn.tolist() == [2 if share else 1] * 3


# Batches -----------------------------------------------------------------------------------


def batches(n_rows, batch_size, *, codes=None, sizes=()):
    X = torch.arange(float(n_rows))[:, None]
    codes = np.empty((n_rows, 0), dtype=int) if codes is None else codes
    conditions = Conditions(codes, sizes)
    return DrawnBatches(TensorRows(X), conditions, batch_size, seeded())


@pytest.mark.parametrize("n_rows, n_batches", [(1, 1), (10, 1), (11, 2), (30, 3)])
def test_all_batches_have_the_same_size_and_an_epoch_sees_as_many_rows_as_there_are(
    n_rows, n_batches
):
    epoch = batches(n_rows, 10)
    assert len(epoch) == n_batches
    sizes = [len(batch.x) for batch in epoch]
    assert sizes == [10] * n_batches


def test_batches_hold_the_conditions_of_their_rows():
    codes = np.arange(30)[:, np.newaxis] % 3
    for batch in batches(30, 8, codes=codes, sizes=(3,)):
        assert (batch.x[:, 0] % 3 == batch.y).all() and batch.weight is None


def test_batches_without_conditions_have_none():
    assert all(batch.y is None for batch in batches(30, 8))


def test_epochs_are_drawn_anew():
    epoch = batches(30, 8)
    first, second = (torch.cat([batch.x for batch in epoch]) for _ in range(2))
    assert not torch.equal(first, second)


def test_streamed_rows_are_drawn_as_those_in_memory():
    X = np.arange(30.0)[:, np.newaxis]
    conditions = Conditions(X.astype(int) % 3, (3,))
    stored = TensorRows(torch.from_numpy(X.astype(np.float32)))
    streamed = StreamedRows(X, scaler=LinearScaler(X.shape[1]), device="cpu")
    for one, other in zip(
        DrawnBatches(stored, conditions, 8, seeded()),
        DrawnBatches(streamed, conditions, 8, seeded()),
        strict=True,
    ):
        assert torch.equal(one.x, other.x) and torch.equal(one.y, other.y)
