"""fit_resample compared with imbalanced-learn's SMOTE, in pipelines and in searches."""

import random

import numpy as np
import pandas as pd
import pytest
import torch
from imblearn.over_sampling import SMOTE
from imblearn.pipeline import make_pipeline
from numpy.testing import assert_array_equal
from pandas.testing import assert_frame_equal
from sklearn.compose import make_column_transformer
from sklearn.datasets import make_classification
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV, cross_val_score
from sklearn.preprocessing import OneHotEncoder, StandardScaler

from skdeep.generative import GANSampler, TabularGANSampler

pytestmark = pytest.mark.filterwarnings("ignore::skdeep.exceptions.ModeCollapseWarning")

RNG = np.random.default_rng(0)
X = RNG.normal(size=(70, 3))
Y = np.repeat([0, 1, 2], [40, 20, 10])
BINARY = np.repeat([0, 1], [50, 20])
STRATEGIES = {
    "auto": "auto",
    "minority": "minority",
    "not minority": "not minority",
    "not majority": "not majority",
    "all": "all",
    "dict": {1: 30, 2: 10},
    "empty dict": {},
    "callable": lambda y: {2: int(np.sum(y == 0))},
}


@pytest.fixture(params=[GANSampler, TabularGANSampler], ids=lambda cls: cls.__name__)
def make(request):
    """Function that makes a small sampler of either kind."""

    def make(sampling_strategy="auto", **params):
        base = {"latent_dim": 4, "hidden_layer_sizes": (8,), "batch_size": 30, "max_epochs": 1}
        base |= {"device": "cpu", "random_state": 0}
        base |= {"n_modes": 2, "pac": 10} if request.param is TabularGANSampler else {}
        return request.param(sampling_strategy, **{**base, **params})

    return make


def small_gan(sampling_strategy="auto", **params):
    base = {"latent_dim": 4, "hidden_layer_sizes": (8,), "batch_size": 30, "max_epochs": 1}
    return GANSampler(sampling_strategy, **{**base, "device": "cpu", "random_state": 0, **params})


def smote_counts(sampling_strategy, y):
    smote = SMOTE(sampling_strategy=sampling_strategy, k_neighbors=3, random_state=0)
    return np.unique(smote.fit_resample(X, y)[1], return_counts=True)


# Which rows --------------------------------------------------------------------------------


@pytest.mark.parametrize("name", STRATEGIES)
def test_classes_have_the_sizes_that_smote_gives_them(name, make):
    rows, labels = make(STRATEGIES[name]).fit_resample(X, Y)
    for actual, expected in zip(
        np.unique(labels, return_counts=True), smote_counts(STRATEGIES[name], Y), strict=True
    ):
        assert_array_equal(actual, expected)
    assert len(rows) == len(labels)
    assert_array_equal(rows[:70], X, strict=True)
    assert_array_equal(labels[:70], Y, strict=True)


def test_a_float_is_the_ratio_that_smote_gives(make):
    rows, labels = make(0.7).fit_resample(X, BINARY)
    assert_array_equal(np.bincount(labels), smote_counts(0.7, BINARY)[1])
    assert len(rows) == 85


def test_new_rows_lie_within_the_bounds_of_training(make):
    rows, _ = make().fit_resample(X, Y)
    assert (rows.min(axis=0) >= X.min(axis=0)).all()
    assert (rows.max(axis=0) <= X.max(axis=0)).all()
    assert len(np.unique(rows, axis=0)) == len(rows)  # no copies


def test_two_calls_give_the_same(make):
    sampler = make()
    before = global_states()
    (rows, labels), (again, same_labels) = (sampler.fit_resample(X, Y) for _ in range(2))
    assert_array_equal(rows, again)
    assert_array_equal(labels, same_labels)
    other, _ = make(random_state=1).fit_resample(X, Y)
    assert (other[70:] != rows[70:]).any()
    assert global_states() == before


def global_states():
    keys = np.random.get_state()[1].tolist()  # noqa: NPY002
    return random.getstate(), keys, torch.get_rng_state().tolist()


def test_the_plan_is_an_attribute_and_the_fit_stays(make):
    sampler = make()
    sampler.fit_resample(X, Y)
    assert dict(sampler.sampling_strategy_) == {1: 20, 2: 30}
    assert sampler.classes_.tolist() == [0, 1, 2] and len(sampler.sample(3, 1)[0]) == 3


def test_balanced_data_come_back_as_they_are(make):
    y = np.arange(70) % 2
    rows, labels = make().fit_resample(X, y)
    assert_array_equal(rows, X)
    assert_array_equal(labels, y)


def test_one_class_cannot_be_balanced(make):
    with pytest.raises(ValueError, match="more than 1 class"):
        make().fit_resample(X, np.zeros(70))


@pytest.mark.parametrize("strategy", ["nonsense", 0.0, 1.5, 3])
def test_strategies_that_are_none_are_an_error(strategy, make):
    with pytest.raises(ValueError, match="sampling_strategy"):
        make(strategy).fit_resample(X, BINARY)


@pytest.mark.parametrize("strategy", [{0: 10}, {7: 50}], ids=["fewer than there are", "unknown"])
def test_sizes_that_no_class_can_have_are_an_error(strategy, make):
    with pytest.raises(ValueError, match=r"should be greater|target class"):
        make(strategy).fit_resample(X, Y)


def test_numbers_to_predict_are_an_error(make):
    with pytest.raises(ValueError, match="Unknown label type"):
        make().fit_resample(X, X[:, 0])


# Pipelines ---------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def imbalanced():
    return make_classification(200, 5, weights=[0.85], class_sep=2, random_state=0)


def test_pipelines_of_imbalanced_learn_and_searches_take_it(imbalanced):
    X, y = imbalanced
    pipe = make_pipeline(
        StandardScaler(), small_gan("minority", max_epochs=2), LogisticRegression()
    )
    assert pipe.fit(X, y).score(X, y) > 0.7
    assert pipe.predict(X[:3]).shape == (3,)
    search = GridSearchCV(pipe, {"gansampler__lr": [1e-4, 1e-3]}, cv=2, error_score="raise")
    search.fit(X, y)
    assert set(search.best_params_) == {"gansampler__lr"} and search.best_score_ > 0.7


def test_pipelines_of_mixed_frames_take_the_tabular_sampler(imbalanced):
    X, y = imbalanced
    frame = pd.DataFrame(X, columns=list("abcde"))
    frame["kind"] = pd.Categorical(np.where(X[:, 0] > 0, "up", "down"))
    frame["word"] = np.where(X[:, 1] > 0, "long", "short")
    encode = make_column_transformer(
        (OneHotEncoder(), ["kind", "word"]), remainder=StandardScaler()
    )
    sampler = TabularGANSampler(
        "minority",
        hidden_layer_sizes=(16,),
        latent_dim=8,
        batch_size=50,
        max_epochs=2,
        pac=5,
        n_modes=3,
        device="cpu",
        random_state=0,
    )
    pipe = make_pipeline(sampler, encode, LogisticRegression())
    scores = cross_val_score(pipe, frame, y, cv=2, error_score="raise")
    assert scores.shape == (2,) and scores.mean() > 0.7
    resampled, labels = sampler.fit_resample(frame, pd.Series(y, name="t"))
    assert_frame_equal(resampled[:200], frame)
    assert (resampled.dtypes == frame.dtypes).all() and labels.name == "t"
    assert set(resampled["kind"]) == {"up", "down"} == set(frame["kind"])
    assert set(resampled["word"]) == {"long", "short"}
