"""Batches of adversarial training: conditions by log-frequency, and matching samples."""

import numpy as np
import pandas as pd
import pytest
from scipy.stats import chisquare
from skorch.callbacks import Callback

from skdeep.generative import GANSampler, TabularGANSampler

pytestmark = pytest.mark.filterwarnings("ignore::skdeep.exceptions.ModeCollapseWarning")

N_DRAWS = 20_000


class Batches(Callback):
    """Records the batches."""

    def on_train_begin(self, net, **kwargs):
        self.batches_ = []

    def on_batch_begin(self, net, batch=None, **kwargs):
        condition = None if batch.y is None else batch.y.numpy()
        self.batches_.append((batch.x.detach().numpy().copy(), condition))


def batches_of(Class, X, y=None, weight=None, *, batch_size=N_DRAWS, **params):
    """Batches of one epoch."""
    kept = Batches()
    small = {"hidden_layer_sizes": (), "latent_dim": 1, "max_epochs": 1, "gradient_penalty": 0.0}
    small |= {"device": "cpu", "random_state": 0, "batch_size": batch_size, "callbacks": [kept]}
    Class(**small, **params).fit(X, y, sample_weight=weight)
    return kept.batches_


def draw(n_rows, y=None, weight=None):
    """Indices of the samples of a batch, and their classes."""
    X = np.arange(float(n_rows))[:, None]
    ((x, condition),) = batches_of(GANSampler, X, y, weight, feature_scaling=None)
    return x[:, 0].astype(int), condition


def assert_drawn(values, chances):
    """Draws have the given probabilities: none with probability zero, and a likely chi-square."""
    counts, chances = np.bincount(values, minlength=len(chances)), np.asarray(chances, dtype=float)
    assert len(counts) == len(chances) and not counts[chances == 0].any()
    possible = chances > 0
    expected = chances[possible] / chances.sum() * len(values)
    assert chisquare(counts[possible], expected).pvalue > 0.01


def test_classes_are_drawn_by_log_frequency_and_samples_evenly_within_them():
    y = np.repeat([0, 1], [900, 100])
    rows, condition = draw(1000, y)
    assert_drawn(condition, np.log1p([900, 100]))
    assert (y[rows] == condition).all()
    assert_drawn(rows[condition == 0], np.ones(900))
    assert_drawn(rows[condition == 1] - 900, np.ones(100))


def test_classes_count_their_weights_and_samples_are_drawn_by_weight_within_them():
    y, weight = np.array([0, 0, 0, 0, 1, 1, 2]), np.array([1.0, 2.0, 3.0, 0.0, 4.0, 1.0, 0.0])
    rows, condition = draw(7, y, weight)
    # the two of weight zero are absent, and of the other five the mean weight counts as one
    assert_drawn(condition, np.log1p(np.array([6, 5]) * 5 / 11))
    assert_drawn(rows[condition == 0], [1, 2, 3])
    assert_drawn(rows[condition == 1] - 4, [4, 1])


def test_without_classes_samples_are_drawn_evenly_or_by_weight():
    rows, condition = draw(20)
    assert condition is None
    assert_drawn(rows, np.ones(20))
    assert_drawn(draw(4, weight=np.array([1.0, 0.0, 2.0, 5.0]))[0], [1, 0, 2, 5])


def test_conditions_on_a_table_are_drawn_by_column_and_log_frequency():
    frame = pd.DataFrame(
        {
            "number": np.arange(1000.0),
            "kind": pd.Categorical(np.repeat(["a", "b"], [900, 100]), ["a", "absent", "b"]),
            "even": np.array(["x", "y"])[np.arange(1000) % 2],
        }
    )
    ((x, condition),) = batches_of(TabularGANSampler, frame, n_modes=1)
    first = np.log1p([900, 0, 100])
    assert_drawn(condition, [*(first / first.sum() / 2), 0.25, 0.25])
    # the last places of a sample are those of its categories, in the order of the conditions
    assert (x[:, -5:][np.arange(N_DRAWS), condition] == 1).all()


def test_many_categories_can_be_drawn():
    rows, condition = draw(3000, np.arange(3000) // 2)
    assert (rows // 2 == condition).all() and len(set(rows)) > 2900


@pytest.mark.parametrize("n_rows, n_batches", [(1, 1), (10, 1), (11, 2), (30, 3)])
def test_an_epoch_sees_as_many_samples_as_there_are_in_batches_of_one_size(n_rows, n_batches):
    X = np.arange(float(n_rows))[:, None]
    batches = batches_of(GANSampler, X, batch_size=10)
    assert [len(x) for x, _ in batches] == [10] * n_batches


def test_each_epoch_is_drawn_anew():
    X = np.arange(30.0)[:, None]
    kept = Batches()
    GANSampler(max_epochs=2, batch_size=30, device="cpu", random_state=0, callbacks=[kept]).fit(X)
    (first, _), (second, _) = kept.batches_
    assert not np.array_equal(first, second)
