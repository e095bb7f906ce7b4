"""Encoding of columns for the nets of a TabularGANSampler, and decoding of samples."""

import numpy as np
import pandas as pd
import pytest
from scipy.stats import norm
from skorch.callbacks import Callback

from skdeep.generative import TabularGANSampler

pytestmark = pytest.mark.filterwarnings("ignore::skdeep.exceptions.ModeCollapseWarning")

NAN = np.nan


class LastBatch(Callback):
    """Records the samples of the last batch."""

    def on_batch_begin(self, net, batch=None, **kwargs):
        self.x_ = batch.x.detach().numpy().copy()


def fit(X, weight=None, **params):
    """Generator fitted on a table with hardly any training."""
    small = {"hidden_layer_sizes": (4,), "latent_dim": 2, "max_epochs": 1, "lr": 1e-6}
    small |= {"loss": "hinge", "gradient_penalty": 0.0, "device": "cpu", "random_state": 0}
    return TabularGANSampler(**{**small, **params}).fit(X, sample_weight=weight)


def encoded(values, weight=None, **params):
    """Values of the samples in a batch, and their encoding for the nets.

    A number beside each sample, written as a category, says which one it is.
    """
    values, last = np.asarray(values), LastBatch()
    frame = pd.DataFrame({"value": values, "which": np.arange(len(values)).astype(str)})
    fit(frame, weight, batch_size=10 * len(values), callbacks=[last], **params)
    which = np.sort(np.arange(len(values)).astype(str)).astype(int)
    drawn = which[last.x_[:, -len(which) :].argmax(axis=1)]
    return values[drawn], last.x_[:, : -len(which)].astype(float)


@pytest.fixture
def rng():
    return np.random.default_rng(0)


def two_bumps(rng):
    return np.concatenate([rng.normal(-5, 1, 200), rng.normal(5, 0.5, 300)])


def drawn_from(values, n_samples=500, **params):
    """Numbers sampled by a generator fitted on the column."""
    fitted = fit(pd.DataFrame({"value": values}), **params)
    return fitted.sample(n_samples, random_state=0)["value"].to_numpy(float)


# Modes -------------------------------------------------------------------------------------


def test_a_number_is_the_distance_from_its_likeliest_mode_in_four_standard_deviations(rng):
    values, seen = encoded(two_bumps(rng))
    assert seen.shape[1] == 3
    distance, is_mode = seen[:, 0], seen[:, 1:] == 1
    assert (is_mode.sum(axis=1) == 1).all()
    means, stds = np.empty(2), np.empty(2)
    for mode, rows in enumerate(is_mode.T):
        slope, means[mode] = np.polyfit(distance[rows], values[rows], 1)
        np.testing.assert_allclose(slope * distance[rows] + means[mode], values[rows], atol=1e-4)
        stds[mode] = slope / 4
    order = np.argsort(means)
    np.testing.assert_allclose(means[order], [-5, 5], atol=0.2)
    np.testing.assert_allclose(stds[order], [1, 0.5], rtol=0.15)
    density = np.array([0.4, 0.6])[order] * norm.pdf(values[:, None], means, stds)
    assert (is_mode.argmax(axis=1) == density.argmax(axis=1)).mean() > 0.99


def test_there_are_no_more_modes_than_asked_for(rng):
    values = rng.uniform(size=300)
    assert encoded(values, n_modes=1)[1].shape[1] == 2
    assert encoded(values, n_modes=3)[1].shape[1] <= 4


@pytest.mark.parametrize("unit", [1e-300, 1e-12, 1e12, 1e300])
def test_the_unit_of_a_column_does_not_matter(rng, unit):
    values = two_bumps(rng)
    np.testing.assert_allclose(drawn_from(unit * values) / unit, drawn_from(values), rtol=1e-4)


def test_a_large_offset_of_a_column_does_not_matter(rng):
    values = two_bumps(rng)
    np.testing.assert_allclose(drawn_from(values + 1e6) - 1e6, drawn_from(values), atol=1e-3)


# Atoms and gaps ----------------------------------------------------------------------------


def test_values_that_many_samples_have_are_drawn_exactly(rng):
    values = rng.normal(size=400) + 0.1
    values[:120], values[120:150], values[150:165] = 0.3, 1 / 3, 7.7
    column, seen = encoded(values)
    places = seen[:, 1:]
    assert (places.sum(axis=1) == 1).all()
    for atom, place in [(0.3, -2), (1 / 3, -1)]:
        np.testing.assert_array_equal(places[:, place] == 1, column == atom)
        assert (seen[column == atom, 0] == 0).all()
    drawn = drawn_from(values)
    assert {0.3, 1 / 3} <= set(drawn) and len(set(drawn)) > 100


@pytest.mark.parametrize(
    "values, width",
    [
        ([3.3] * 5, 1),
        ([3.3], 1),
        ([2.0, 1.0, 1.0], 2),
        ([2.0, NAN, 1.0], 3),
        ([1.0] * 99 + [2.0], 2),
        ([NAN, NAN], 1),
        ([0.0, -0.0, NAN], 2),
    ],
    ids=["constant", "one row", "two values", "and a gap", "a rare one", "gaps only", "zeros"],
)
def test_columns_of_few_values_are_choices_between_them(values, width):
    column, seen = encoded(values)
    assert seen.shape[1] == width and (seen.sum(axis=1) == 1).all()
    codes = {repr(value + 0.0): set() for value in column.tolist()}
    for value, place in zip(column.tolist(), seen.argmax(axis=1).tolist(), strict=True):
        codes[repr(value + 0.0)].add(place)
    assert sorted(place for places in codes.values() for place in places) == [*range(width)]
    assert set(drawn_from(values)[~np.isnan(drawn_from(values))]) <= set(values)


def test_missing_values_are_a_choice_of_their_own(rng):
    values = rng.normal(size=200)
    values[::4] = NAN
    column, seen = encoded(values)
    np.testing.assert_array_equal(seen[:, -1] == 1, np.isnan(column))
    assert (seen[np.isnan(column), :-1] == 0).all()
    known, plain = encoded(values[~np.isnan(values)])
    assert plain.shape[1] == seen.shape[1] - 1 and len(known)
    assert 0 < np.isnan(drawn_from(values)).mean() < 1


def test_gaps_that_training_did_not_know_are_refused(rng):
    values = rng.normal(size=30)
    for first, then in [(values, np.where(np.arange(30) < 9, NAN, values)), (NAN * values, values)]:
        fitted = fit(pd.DataFrame({"value": first}), warm_start=True)
        with pytest.raises(ValueError, match=r"got \d+ of \d+ in column 0"):
            fitted.fit(pd.DataFrame({"value": then}))


# Distributions -----------------------------------------------------------------------------

AWKWARD = {
    "cauchy": lambda rng: rng.standard_cauchy(1000),
    "lognormal": lambda rng: rng.lognormal(0, 5, 1000),
    "integers": lambda rng: rng.integers(100, size=1000).astype(float),
    "clumps": lambda rng: rng.integers(3, size=1000) + 1e-14 * rng.random(1000),
    "rounded": lambda rng: np.append(rng.normal(size=1000).round(1), 1e9),
    "tiny": lambda rng: 5e-324 * rng.integers(2, 9, size=1000),
}


@pytest.mark.parametrize("kind", AWKWARD)
def test_awkward_columns_are_drawn_within_their_bounds(kind, rng):
    values = AWKWARD[kind](rng)
    drawn = drawn_from(values)
    assert (drawn >= values.min()).all() and (drawn <= values.max()).all()
    assert len(np.unique(drawn)) > 1


def test_a_weight_is_a_number_of_samples(rng):
    values = np.where(rng.random(300) < 0.15, 4.0, rng.normal(size=300).round(2))
    values[::7] = NAN
    weight = rng.integers(0, 4, size=300)
    frame = pd.DataFrame({"value": values, "kind": np.array(["a", "b", "c"])[np.arange(300) % 3]})
    weighted = fit(frame, weight.astype(float), batch_size=2000)
    repeated = fit(frame.loc[np.repeat(np.arange(300), weight)], batch_size=2000)
    drawn = [one.sample(200, random_state=0)["value"] for one in (weighted, repeated)]
    np.testing.assert_allclose(*drawn, rtol=1e-6)
