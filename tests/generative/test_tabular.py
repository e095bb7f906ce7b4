"""TabularGANSampler: format of sampled tables, conditions, missing values, sizes."""

import pickle
import random

import numpy as np
import pandas as pd
import polars as pl
import pytest
import torch
from numpy.testing import assert_array_equal
from pandas.testing import assert_frame_equal
from polars.testing import assert_frame_equal as assert_polars_equal
from scipy.stats import chisquare

from skdeep.generative import TabularGANSampler

quiet = pytest.mark.filterwarnings("ignore::skdeep.exceptions.ModeCollapseWarning")
N = 600


def make_frame():
    rng = np.random.default_rng(0)
    kind = rng.choice(["a", "b", "c"], N, p=[0.5, 0.3, 0.2])
    word = np.where(rng.uniform(size=N) < 0.5, "x", "y").astype(object)
    word[rng.uniform(size=N) < 0.25] = None
    return pd.DataFrame(
        {
            "num": rng.normal(size=N) + 5 * (kind == "a"),
            "kind": pd.Categorical(kind, ["c", "b", "unused", "a"], ordered=True),
            "flag": rng.uniform(size=N) < 0.3,
            "count": rng.poisson(3, N).astype(np.int16),
            "day": pd.Timestamp("2020-01-01") + pd.to_timedelta(rng.integers(0, 365, N), unit="D"),
            "gappy": np.where(rng.uniform(size=N) < 0.3, np.nan, rng.normal(size=N)),
            "word": pd.Series(word, dtype=object),
            "half": pd.array(np.where(rng.uniform(size=N) < 0.5, None, 7), dtype="Int64"),
        }
    )


FRAME = make_frame()
LABELS = np.where(FRAME["num"] > 2.5, "high", "low")
POLARS = pl.DataFrame(
    {
        "num": FRAME["num"].to_numpy(),
        "kind": FRAME["kind"].astype(str).to_list(),
        "enum": FRAME["kind"].astype(str).to_list(),
        "flag": FRAME["flag"].to_list(),
        "count": FRAME["count"].to_list(),
        "day": FRAME["day"].dt.date.to_list(),
        "word": FRAME["word"].to_list(),
    },
    schema_overrides={"count": pl.Int16, "enum": pl.Enum(["c", "b", "unused", "a"])},
)


def sampler(**params):
    base = {"latent_dim": 8, "hidden_layer_sizes": (32,), "n_modes": 3, "pac": 2}
    base |= {"batch_size": 100, "max_epochs": 2, "lr": 2e-3, "betas": (0.5, 0.9)}
    base |= {"loss": "non-saturating", "gradient_penalty": 1.0, "ema_decay": 0.99}
    base |= {"n_critic": 1, "lr_schedule": "constant", "dropout": 0.0}
    return TabularGANSampler(**{**base, "device": "cpu", "random_state": 0, **params})


@pytest.fixture(scope="module")
def trained():
    return sampler(max_epochs=40).fit(FRAME)


@pytest.fixture(scope="module")
def fresh():
    """Hardly trained net that generates all combinations of categories often."""
    return sampler(max_epochs=2).fit(FRAME)


@pytest.fixture(scope="module")
def drawn(trained):
    return trained.sample(1500, random_state=0)


@pytest.fixture(scope="module")
def by_class():
    return sampler(max_epochs=20).fit(FRAME, LABELS)


# Tables like the given one -----------------------------------------------------------------


def test_columns_order_and_dtypes_are_those_of_the_frame(drawn):
    assert drawn.columns.equals(FRAME.columns)
    assert (drawn.dtypes == FRAME.dtypes).all()  # categories, their order and the flag as well
    assert drawn.index.equals(pd.RangeIndex(1500))


def test_values_stay_within_what_training_saw(drawn):
    for name in ("num", "count", "day", "gappy"):
        assert drawn[name].dropna().between(FRAME[name].min(), FRAME[name].max()).all()
    assert set(drawn["half"].dropna()) == {7}
    assert set(drawn["word"].dropna()) == {"x", "y"}


def test_dates_have_the_unit_of_the_column(drawn):
    assert (drawn["day"] == drawn["day"].dt.normalize()).all()
    assert drawn["day"].nunique() > 100


def test_categories_that_no_row_has_are_not_drawn():
    """Holds even for a hardly trained net."""
    X = pd.DataFrame({"a": pd.Categorical(["x", "y"] * 50, list("xyz")), "b": np.ones(100, bool)})
    rows = sampler().fit(X).sample(300, random_state=0)
    assert set(rows["a"]) == {"x", "y"} and rows["b"].all()


def test_values_are_missing_at_about_the_observed_rates_and_nowhere_else(drawn):
    rates, expected = drawn.isna().mean(), FRAME.isna().mean()
    assert ((rates == 0) == (expected == 0)).all()
    assert (np.abs(rates - expected) < 0.15).all()
    assert drawn["word"].map(type).isin([str, type(None)]).all()


def test_shares_and_dependences_are_learned(drawn):
    for name in ("kind", "flag"):
        shares, expected = (one[name].value_counts(normalize=True) for one in (drawn, FRAME))
        assert np.abs(shares - expected).max() < 0.2
    means = drawn.groupby("kind", observed=True)["num"].mean()
    assert means["a"] > means["b"] + 2 and means["a"] > means["c"] + 2


@quiet
def test_polars_frames_come_back_as_such():
    fitted = sampler().fit(POLARS)
    rows = fitted.sample(200, random_state=0)
    assert rows.schema == POLARS.schema and len(rows) == 200
    low, high = POLARS["day"].min(), POLARS["day"].max()
    assert rows["day"].is_between(low, high).all() and rows["count"].min() >= 0
    assert rows["num"].is_between(POLARS["num"].min(), POLARS["num"].max()).all()
    missing = {name for name in rows.columns if rows[name].null_count()}
    assert missing == {"word"}
    given = fitted.sample(50, random_state=0, conditions={"word": None, "flag": True})
    assert given["word"].is_null().all() and given["flag"].all()
    assert_polars_equal(pickle.loads(pickle.dumps(fitted)).sample(200, random_state=0), rows)


@quiet
@pytest.mark.parametrize("dtype", ["float64", "float32", "int64", "object"])
def test_arrays_come_back_as_such(dtype):
    rng = np.random.default_rng(0)
    X = np.column_stack([10 * rng.normal(size=80), np.arange(80) % 3]).astype(dtype)
    rows = sampler(categorical_features=[1]).fit(X).sample(50, random_state=0)
    assert isinstance(rows, np.ndarray) and rows.shape == (50, 2) and rows.dtype == X.dtype
    assert set(rows[:, 1]) <= {0, 1, 2}
    assert (rows[:, 0] >= X[:, 0].min()).all() and (rows[:, 0] <= X[:, 0].max()).all()


@quiet
def test_arrays_of_numbers_may_miss_some():
    X = np.random.default_rng(0).normal(size=(200, 2))
    X[::2, 0] = np.nan
    rows = sampler().fit(X).sample(200, random_state=0)
    assert 0 < np.isnan(rows[:, 0]).sum() < 200 and not np.isnan(rows[:, 1]).any()


# Conditions --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "conditions",
    [
        {"kind": "b"},
        {"flag": True},
        {"flag": np.False_},
        {"word": "x"},
        {"kind": "c", "flag": True},
        {"kind": "a", "flag": False, "word": "y"},
    ],
    ids=str,
)
def test_all_rows_meet_the_conditions(fresh, conditions):
    rows = fresh.sample(100, random_state=0, conditions=conditions)
    assert len(rows) == 100 and (rows.dtypes == FRAME.dtypes).all()
    for name, category in conditions.items():
        assert (rows[name] == category).all()


@pytest.mark.parametrize("missing", [None, np.nan, pd.NA, pd.NaT], ids=repr)
def test_missing_values_are_a_condition_like_any_other(fresh, missing):
    rows = fresh.sample(60, random_state=0, conditions={"word": missing})
    assert rows["word"].isna().all() and not rows["num"].isna().any()
    rows = fresh.sample(60, random_state=0, conditions={"word": missing, "flag": True})
    assert rows["word"].isna().all() and rows["flag"].all()


def test_columns_of_arrays_are_named_by_their_index():
    X = np.column_stack([np.random.default_rng(0).normal(size=90), np.arange(90) % 3])
    fitted = sampler(categorical_features=[1]).fit(X)
    rows = fitted.sample(40, random_state=0, conditions={1: 2})
    assert (rows[:, 1] == 2).all()
    with pytest.raises(ValueError, match=r"conditions must name categorical columns, \[1\]"):
        fitted.sample(4, conditions={0: 2})


@pytest.mark.parametrize("name", ["nope", "num", "day", "count", 0])
def test_conditions_on_other_columns_are_an_error(trained, name):
    with pytest.raises(
        ValueError, match=rf"conditions must name categorical columns.*'kind'.* got {name!r}"
    ):
        trained.sample(5, conditions={name: "a"})


@pytest.mark.parametrize(
    "name, category",
    [("kind", "z"), ("kind", None), ("flag", "yes"), ("word", 3), ("kind", np.nan)],
)
def test_conditions_on_other_categories_are_an_error(trained, name, category):
    with pytest.raises(ValueError, match=rf"conditions must name categories of '{name}'"):
        trained.sample(5, conditions={name: category})


@quiet
def test_conditions_that_no_row_meets_are_an_error():
    side = np.arange(300) % 2 == 1
    X = pd.DataFrame({"a": side, "b": side, "c": side, "d": side})
    fitted = sampler(max_epochs=60, lr=5e-3, ema_decay=0.9).fit(X)
    assert len(fitted.sample(20, conditions={"a": True, "b": True, "c": True})) == 20
    with pytest.raises(ValueError, match=r"must be met by some rows; \d+ of 2000 did not meet"):
        fitted.sample(2000, random_state=0, conditions={"a": True, "b": False, "c": True})


def test_no_conditions_are_none(trained, drawn):
    assert_frame_equal(trained.sample(1500, random_state=0, conditions=None), drawn)
    assert len(trained.sample(5, conditions={})) == 5


# Classes -----------------------------------------------------------------------------------


def test_classes_are_learned(by_class):
    rows, labels = by_class.sample(800, random_state=0)
    is_high = labels == "high"
    assert rows["num"][is_high].mean() > rows["num"][~is_high].mean() + 2
    counts = [np.sum(is_high), np.sum(~is_high)]
    assert chisquare(counts, 800 * by_class.class_shares_).pvalue > 0.01


def test_classes_can_be_asked_for(by_class):
    assert by_class.sample(4, "low")[1].tolist() == ["low"] * 4
    assert by_class.sample(3, ["low", "high", "low"])[1].tolist() == ["low", "high", "low"]
    with pytest.raises(ValueError, match="y must be one label or n_samples labels; got 2"):
        by_class.sample(3, ["low", "high"])
    with pytest.raises(ValueError, match="y must contain only labels"):
        by_class.sample(3, "middle")


@pytest.mark.parametrize("y", ["low", ["low", "high"] * 20, None])
def test_classes_and_conditions_go_together(by_class, y):
    rows, labels = by_class.sample(40, y, random_state=0, conditions={"flag": True})
    assert rows["flag"].all() and len(labels) == 40
    assert y is None or labels.tolist() == np.broadcast_to(y, 40).tolist()


def test_classes_of_a_generator_without_are_an_error(trained):
    for conditions in (None, {"flag": True}):
        with pytest.raises(ValueError, match="y must be None for a generator that was fitted with"):
            trained.sample(3, "low", conditions=conditions)


# Seeds and states --------------------------------------------------------------------------


def test_draws_repeat_with_their_seed_only(trained):
    for conditions in (None, {"kind": "b"}):
        first, again, other, free = (
            trained.sample(30, random_state=seed, conditions=conditions) for seed in (3, 3, 4, None)
        )
        assert_frame_equal(first, again)
        assert not first.equals(other) and not first.equals(free)


def test_draws_survive_pickling(trained, by_class, drawn):
    assert_frame_equal(pickle.loads(pickle.dumps(trained)).sample(1500, random_state=0), drawn)
    rows, labels = by_class.sample(50, random_state=0, conditions={"kind": "b"})
    copy = pickle.loads(pickle.dumps(by_class))
    copied, copied_labels = copy.sample(50, random_state=0, conditions={"kind": "b"})
    assert_frame_equal(copied, rows)
    assert_array_equal(copied_labels, labels)


@quiet
def test_global_generators_are_neither_read_nor_moved():
    results = []
    for seed in (0, 1):
        random.seed(seed)
        np.random.seed(seed)  # noqa: NPY002
        torch.manual_seed(seed)
        before = random.getstate(), np.random.get_state()[1].tolist()  # noqa: NPY002
        torch_before = torch.get_rng_state()
        fitted = sampler(dropout=0.2, max_epochs=1).fit(FRAME[:60], LABELS[:60])
        results.append(fitted.sample(30, random_state=0)[0])
        fitted.sample(5, conditions={"flag": True})
        assert (random.getstate(), np.random.get_state()[1].tolist()) == before  # noqa: NPY002
        assert torch.equal(torch.get_rng_state(), torch_before)
    assert_frame_equal(*results)


@quiet
def test_warm_starts_go_on():
    fitted = sampler(warm_start=True).fit(FRAME[:100]).fit(FRAME[:100])
    assert fitted.n_iter_ == len(fitted.loss_curve_) == len(fitted.critic_loss_curve_) == 4
    assert {"train_critic", "train_generator", "train_condition"} <= fitted.history_[0].keys()
    with pytest.raises(ValueError, match="X must hold categories of the training data; got 'new'"):
        fitted.fit(FRAME[:100].assign(word="new"))


@quiet
def test_rows_of_weight_zero_bring_no_categories():
    X = FRAME[["num", "word"]].assign(word=FRAME["word"].where(FRAME.index > 0, "rare"))
    weight = np.r_[0.0, np.ones(N - 1)]
    weighted = sampler(max_epochs=1).fit(X, sample_weight=weight)
    assert_frame_equal(
        weighted.sample(50, random_state=0),
        sampler(max_epochs=1).fit(X[1:]).sample(50, random_state=0),
    )


# Sizes -------------------------------------------------------------------------------------


@quiet
@pytest.mark.parametrize("pac, batch_size", [(10, 3), (10, 25), (1, 1), (3, 100), (7, 7)])
@pytest.mark.parametrize("n_rows", [1, 2, 7, 26])
def test_any_number_of_rows_is_judged_together(n_rows, pac, batch_size):
    fitted = sampler(pac=pac, batch_size=batch_size, max_epochs=1).fit(FRAME[:n_rows])
    assert fitted.sample(3, random_state=0).shape == (3, 8)


CASES = {
    "numbers only": FRAME[["num", "count"]],
    "categories only": FRAME[["kind", "flag", "word"]],
    "one column": FRAME[["kind"]],
    "constant columns": FRAME[:150].assign(kind="a", flag=True, num=1.0, count=2)[["kind", "num"]],
    "all missing": FRAME[["num"]].assign(none=np.nan),
    "no columns of values": pd.DataFrame({"none": [np.nan] * 20}),
}


@quiet
@pytest.mark.parametrize("case", CASES)
def test_tables_of_few_kinds_are_imitated(case):
    X = CASES[case]
    rows = sampler(max_epochs=1).fit(X).sample(20, random_state=0)
    assert (rows.dtypes == X.dtypes).all()
    for name in X.columns[X.isna().all()]:
        assert rows[name].isna().all()
    for name in X.columns[X.nunique(dropna=False) == 1]:
        assert rows[name].nunique(dropna=False) == 1


@quiet
def test_many_categories_are_imitated():
    names = np.char.add("n", np.arange(1200).astype(str))
    X = pd.DataFrame({"name": np.tile(names, 2), "num": np.arange(2400.0)})
    fitted = sampler(max_epochs=1, batch_size=1000).fit(X)
    assert set(fitted.sample(50, random_state=0)["name"]) <= set(names)
    with pytest.raises(ValueError, match="conditions must name categories of 'name'"):
        fitted.sample(5, conditions={"name": "n1200"})


@quiet
@pytest.mark.parametrize("y", [np.zeros(50), np.r_[1, np.zeros(49)]], ids=["one", "rare"])
def test_single_classes_and_rare_ones_are_drawn(y):
    rows, labels = sampler(max_epochs=1).fit(FRAME[:50], y).sample(4, y[0], random_state=0)
    assert len(rows) == 4 and labels.tolist() == [y[0]] * 4


@pytest.mark.parametrize("conditions", ["kind", ["kind"], 3])
def test_conditions_that_are_no_dict_are_refused(conditions):
    gan = TabularGANSampler(max_epochs=1, device="cpu").fit(pd.DataFrame({"kind": ["a", "b"] * 9}))
    with pytest.raises(ValueError, match="conditions must be a dict"):
        gan.sample(3, conditions=conditions)
