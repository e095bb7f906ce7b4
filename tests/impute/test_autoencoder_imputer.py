"""AutoencoderImputer: known answers, entries that stay, draws, and errors."""

import copy
import pickle

import numpy as np
import pandas as pd
import pytest
import scipy.sparse as sp
from sklearn.base import clone
from sklearn.datasets import load_wine
from sklearn.impute import KNNImputer, MissingIndicator, SimpleImputer
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from skdeep.impute import AutoencoderImputer
from skdeep.model_selection import BatchedGridSearchCV

WINE, CULTIVAR = load_wine(return_X_y=True)
HIDDEN = np.random.default_rng(0).random(WINE.shape) < 0.2
GAPS = np.where(HIDDEN, np.nan, WINE)


def small(**params):
    fast = {"max_epochs": 3, "hidden_layer_sizes": (16,), "device": "cpu", "random_state": 0}
    return AutoencoderImputer(**{**fast, **params})


def full(**params):
    """Default net on the CPU."""
    return AutoencoderImputer(**{"device": "cpu", "random_state": 0, **params})


def error(X, found, hidden):
    return np.sqrt(np.mean(((X - found) / X.std(axis=0))[hidden] ** 2))


# Known answers -----------------------------------------------------------------------------


def test_linear_table_is_completed_far_better_than_by_the_mean():
    rng = np.random.default_rng(1)
    latent = rng.normal(size=(300, 2))
    X = latent @ rng.normal(size=(2, 6)) + 0.01 * rng.normal(size=(300, 6))
    hidden = rng.random(X.shape) < 0.2
    hidden[:, :2] &= ~hidden[:, 2:].any(axis=1, keepdims=True)
    found = full(max_epochs=50).fit_transform(np.where(hidden, np.nan, X))
    assert error(X, found, hidden) < 0.3


def test_nonlinear_table_is_completed_better_than_by_a_linear_imputer():
    rng = np.random.default_rng(1)
    x = rng.uniform(-2, 2, size=(600, 1))
    X = np.hstack([x, x**2, np.abs(x)]) + 0.02 * rng.normal(size=(600, 3))
    hidden = np.zeros(X.shape, dtype=bool)
    hidden[::3, 1] = True
    gaps = np.where(hidden, np.nan, X)
    curved = full(dropout=0.0).fit_transform(gaps)
    straight = full(hidden_layer_sizes=()).fit_transform(gaps)
    assert error(X, curved, hidden) < 0.5 * error(X, straight, hidden)


def test_wine_is_completed_better_than_by_the_mean_and_by_neighbors():
    scaled = (WINE - WINE.mean(axis=0)) / WINE.std(axis=0)
    gaps = np.where(HIDDEN, np.nan, scaled)
    ours = error(scaled, full().fit_transform(gaps), HIDDEN)
    assert ours < 0.9 * error(scaled, SimpleImputer().fit_transform(gaps), HIDDEN)
    assert ours < error(scaled, KNNImputer().fit_transform(gaps), HIDDEN)


def test_new_samples_are_completed_by_what_was_learned():
    imputer = full().fit(GAPS[::2])
    found = imputer.transform(GAPS[1::2])
    simple = SimpleImputer().fit(GAPS[::2]).transform(GAPS[1::2])
    assert error(WINE[1::2], found, HIDDEN[1::2]) < error(WINE[1::2], simple, HIDDEN[1::2])


def test_features_that_are_not_missing_in_training_are_predicted_too():
    rng = np.random.default_rng(1)
    x = rng.normal(size=(200, 1))
    X = np.hstack([x, 2 * x, -x])
    gaps = X[:50].copy()
    gaps[:, 1] = np.nan
    found = full(max_epochs=50).fit(X).transform(gaps)
    assert error(X[:50], found, np.isnan(gaps)) < 0.3


# Entries that stay -------------------------------------------------------------------------


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
def test_observed_entries_stay_as_they_are_to_the_bit(dtype):
    X = (GAPS * (1 + 1e-9)).astype(dtype)
    found = small().fit_transform(X)
    assert found.dtype == dtype
    np.testing.assert_array_equal(found[~HIDDEN], X[~HIDDEN], strict=True)
    assert np.isfinite(found).all()


def test_samples_without_gaps_are_returned_as_they_are_however_large():
    X = 1e200 * np.ones((3, 13))
    np.testing.assert_array_equal(small().fit(GAPS).transform(X), X)


def test_the_samples_are_not_written_to():
    X = GAPS.copy()
    small().fit_transform(X)
    np.testing.assert_array_equal(X, GAPS)


def test_imputed_numbers_lie_in_the_range_of_training():
    found = small(max_epochs=1, lr=1.0).fit_transform(GAPS)
    assert (found >= np.nanmin(GAPS, axis=0)).all()
    assert (found <= np.nanmax(GAPS, axis=0)).all()


@pytest.mark.parametrize("sample_posterior", [False, True])
def test_a_sample_with_gaps_does_not_depend_on_the_others(sample_posterior):
    imputer = small(sample_posterior=sample_posterior).fit(GAPS)
    together = imputer.transform(GAPS)
    for rows in ([5], [100, 3, 7], np.arange(177, 0, -3)):
        np.testing.assert_array_equal(imputer.transform(GAPS[rows]), together[rows])
    many = imputer.set_params(batch_size=7).transform(np.tile(GAPS, (12, 1)))
    np.testing.assert_array_equal(many[:178], together)


# Markers and features without entries ------------------------------------------------------


def test_another_number_may_mark_missing_entries():
    marked = np.where(HIDDEN, -1.0, WINE)
    found = small(missing_values=-1).fit_transform(marked)
    np.testing.assert_array_equal(found, small().fit_transform(GAPS))
    with pytest.raises(ValueError, match="NaN"):
        small(missing_values=-1).fit(GAPS)


def test_integers_may_have_a_marker():
    rng = np.random.default_rng(1)
    X = rng.integers(0, 5, size=(60, 4))
    X[::4, 2] = -1
    found = small(missing_values=-1).fit_transform(X)
    assert found.dtype == np.float64
    assert (found >= 0).all()
    np.testing.assert_array_equal(found[X >= 0], X[X >= 0])


@pytest.mark.parametrize("marker", [None, pd.NA, np.nan])
def test_markers_of_every_library_are_equal(marker):
    table = pd.DataFrame(GAPS).astype("Float64")
    found = small(missing_values=marker).fit_transform(table)
    np.testing.assert_array_equal(found, small().fit_transform(GAPS))


def test_indicators_are_those_of_scikit_learn():
    X = GAPS.copy()
    X[:, [2, 5]] = WINE[:, [2, 5]]
    new = GAPS[:40]  # gaps where training had none
    imputer = small(add_indicator=True).fit(X)
    known = MissingIndicator(error_on_new=False).fit(X)
    for rows in (X, new):
        found = imputer.transform(rows)
        assert found.shape[1] == 13 + 11
        np.testing.assert_array_equal(found[:, 13:], known.transform(rows))
    expected = SimpleImputer(add_indicator=True).fit(X).get_feature_names_out()
    assert imputer.get_feature_names_out().tolist() == expected.tolist()


@pytest.mark.parametrize("add_indicator", [False, True])
def test_empty_features_are_dropped_or_kept_as_by_simple_imputer(add_indicator):
    X = GAPS.copy()
    X[:, 4] = np.nan
    for keep in (False, True):
        options = {"keep_empty_features": keep, "add_indicator": add_indicator}
        imputer, simple = small(**options).fit(X), SimpleImputer(**options).fit(X)
        if keep:
            found = imputer.transform(GAPS)
            np.testing.assert_array_equal(found[:, 4], np.nan_to_num(GAPS[:, 4]))
        else:
            with pytest.warns(UserWarning, match=r"are dropped: \['x4'\]. Set keep_empty_features"):
                found = imputer.transform(GAPS)
        assert found.shape[1] == 12 + keep + 13 * add_indicator
        names = imputer.get_feature_names_out().tolist()
        assert names == simple.get_feature_names_out().tolist()


def test_samples_without_any_entry_get_about_the_mean():
    X = np.vstack([GAPS, np.full((2, 13), np.nan)])
    found = full().fit_transform(X)
    distance = np.abs(found[-1] - np.nanmean(GAPS, axis=0)) / np.nanstd(GAPS, axis=0)
    assert distance.max() < 0.5
    np.testing.assert_array_equal(found[-1], found[-2])


def test_constant_and_single_features_work():
    rng = np.random.default_rng(1)
    X = np.column_stack([np.full(40, 3.0), rng.normal(size=40)])
    X[::5] = np.nan
    found = small().fit_transform(X)
    np.testing.assert_array_equal(found[:, 0], 3.0)
    assert np.isfinite(small().fit_transform(X[:, 1:])).all()


def test_more_features_than_the_normal_distribution_takes_work():
    rng = np.random.default_rng(1)
    X = rng.normal(size=(30, 120))
    X[rng.random(X.shape) < 0.1] = np.nan
    assert np.isfinite(small().fit_transform(X)).all()


# Draws -------------------------------------------------------------------------------------


def _correlated(n_rows=800):
    rng = np.random.default_rng(1)
    x = rng.normal(size=n_rows)
    X = np.column_stack([x, 0.8 * x + 0.6 * rng.normal(size=n_rows)])
    gaps = X.copy()
    gaps[::2, 1] = np.nan
    return X, gaps


@pytest.fixture(scope="module")
def drawing():
    """Imputer that returns draws, fitted to two correlated columns."""
    return full(max_epochs=50, sample_posterior=True).fit(_correlated()[1])


def test_draws_have_the_spread_of_the_errors(drawing):
    X, gaps = _correlated()
    draws = np.stack(drawing.draw_imputations(gaps, 50, random_state=0))[:, ::2, 1]
    low, high = np.quantile(draws, [0.1, 0.9], axis=0)
    assert 0.7 < np.mean((X[::2, 1] >= low) & (X[::2, 1] <= high)) < 0.9
    assert draws.std(axis=0).mean() == pytest.approx(0.6, abs=0.1)


def test_spread_of_draws_depends_on_what_is_observed():
    _, gaps = _correlated(100)
    imputer = full(max_epochs=20).fit(gaps)
    scale = np.nanstd(gaps, axis=0)
    for known, spread in ((0.5, 0.6), (np.nan, 1.0)):
        rows = np.full((500, 2), [known, np.nan])
        drawn = imputer.draw_imputations(rows, 1, random_state=0)[0]
        assert drawn[:, 1].std() / scale[1] == pytest.approx(spread, abs=0.15)


def test_draws_of_several_entries_of_a_sample_keep_their_correlation(drawing):
    X, _ = _correlated()
    empty = np.full((500, 2), np.nan)
    drawn = drawing.draw_imputations(empty, 1, random_state=0)[0]
    assert np.corrcoef(drawn.T)[0, 1] == pytest.approx(np.corrcoef(X.T)[0, 1], abs=0.12)
    assert len(np.unique(drawn[:, 0])) > 450  # although all samples are equal


def test_a_draw_repeats_itself_and_differs_from_others():
    imputer = small(sample_posterior=True).fit(GAPS)
    np.testing.assert_array_equal(imputer.transform(GAPS), imputer.transform(GAPS))
    first, second = (imputer.draw_imputations(GAPS, 2, random_state=seed) for seed in (0, 0))
    np.testing.assert_array_equal(first, second)
    assert (first[0] != first[1]).any()
    assert (first[0] == first[1])[~HIDDEN].all()
    other = small(sample_posterior=True, random_state=1).fit(GAPS).transform(GAPS)
    assert (imputer.transform(GAPS) != other).any()


def test_mean_of_many_draws_is_close_to_the_prediction(drawing):
    X, gaps = _correlated()
    predicted = full(max_epochs=50).fit_transform(gaps)
    one = drawing.transform(gaps)
    many = copy.copy(drawing).set_params(n_imputations=100).transform(gaps)
    assert np.abs(many - predicted).mean() < 0.3 * np.abs(one - predicted).mean()
    assert error(X, many, np.isnan(gaps)) < error(X, one, np.isnan(gaps))


# In scikit-learn ---------------------------------------------------------------------------


def test_score_prefers_what_completes_better():
    scaled = (GAPS - np.nanmean(GAPS, axis=0)) / np.nanstd(GAPS, axis=0)
    long, short = (full(max_epochs=n, lr=lr).fit(scaled) for n, lr in ((50, 2e-3), (1, 1e-9)))
    assert long.score(scaled) > short.score(scaled)
    predicted = long.reconstruct(scaled)
    squares = np.square(predicted - scaled)[~HIDDEN]
    assert long.score(scaled) == pytest.approx(-squares.mean(), rel=0.02)


def test_weights_in_score_are_repetitions():
    imputer, weight = small().fit(GAPS), np.arange(178) % 3
    expected = imputer.score(np.repeat(GAPS, weight, axis=0))
    assert imputer.score(GAPS, sample_weight=weight) == pytest.approx(expected)


def test_weights_with_gaps_are_repetitions_in_full_batches():
    weight = np.arange(178) % 3
    options = {"batch_size": 1000}
    weighted = small(**options).fit(GAPS, sample_weight=weight)
    repeated = small(**options).fit(np.repeat(GAPS, weight, axis=0))
    np.testing.assert_allclose(weighted.transform(GAPS), repeated.transform(GAPS), rtol=1e-5)


def test_samples_of_weight_zero_bring_no_indicators_and_no_features():
    X = GAPS.copy()
    X[:, 4] = np.nan
    X[:3, 4], X[3:, 0] = 1.0, WINE[3:, 0]
    X[0, 0] = np.nan
    weight = np.r_[np.zeros(3), np.ones(175)]
    imputer = small(add_indicator=True).fit(X, sample_weight=weight)
    expected = small(add_indicator=True).fit(X[3:])
    assert imputer.get_feature_names_out().tolist() == expected.get_feature_names_out().tolist()


def test_pipelines_and_searches_take_samples_with_gaps():
    pipe = make_pipeline(small(), StandardScaler(), LogisticRegression())
    grid = {"autoencoderimputer__lr": [1e-3, 1e-2], "logisticregression__C": [0.1, 1.0]}
    search = GridSearchCV(pipe, grid, cv=3, error_score="raise").fit(GAPS, CULTIVAR)
    assert search.best_score_ > 0.8
    batched = BatchedGridSearchCV(pipe, grid, cv=3, error_score="raise").fit(GAPS, CULTIVAR)
    name = "mean_test_score"
    np.testing.assert_array_equal(batched.cv_results_[name], search.cv_results_[name])


def test_nets_of_a_batched_search_are_trained_as_a_stack_with_equal_scores(capsys):
    grid = {"dropout": [0.0, 0.5], "lr": [1e-3, 1e-2]}
    alone = GridSearchCV(small(), grid, cv=2).fit(GAPS)
    together = BatchedGridSearchCV(small(), grid, cv=2, verbose=1, max_batch_models=8).fit(GAPS)
    assert "8 nets are trained in stacks of up to 8" in capsys.readouterr().out
    for name in ("split0_test_score", "split1_test_score"):
        np.testing.assert_array_equal(together.cv_results_[name], alone.cv_results_[name])


def test_early_stopping_holds_out_samples():
    imputer = small(max_epochs=300, lr=0.05, early_stopping=True, n_iter_no_change=5).fit(GAPS)
    assert imputer.n_iter_ < 300
    assert len(imputer.validation_loss_curve_) == imputer.n_iter_
    assert np.isfinite(imputer.transform(GAPS)).all()


def test_without_early_stopping_all_epochs_are_used():
    assert small(max_epochs=30, n_iter_no_change=1, tol=1e6).fit(GAPS).n_iter_ == 30


def test_warm_start_continues():
    imputer = small(warm_start=True).fit(GAPS).fit(GAPS)
    assert imputer.n_iter_ == 6
    fewer_gaps = np.where(HIDDEN & (np.arange(13) > 5), np.nan, WINE)
    assert imputer.fit(fewer_gaps).n_iter_ == 9


def test_copies_complete_with_the_same_bits():
    imputer = small(sample_posterior=True, add_indicator=True).fit(GAPS)
    copied = pickle.loads(pickle.dumps(imputer))
    np.testing.assert_array_equal(copied.transform(GAPS), imputer.transform(GAPS))
    np.testing.assert_array_equal(clone(imputer).fit(GAPS).transform(GAPS), imputer.transform(GAPS))


# Errors ------------------------------------------------------------------------------------


def test_sparse_samples_are_refused_as_by_iterative_imputer():
    with pytest.raises(TypeError, match="Sparse data was passed"):
        small().fit(sp.csr_array(GAPS))


def test_infinite_numbers_are_refused():
    with pytest.raises(ValueError, match="infinity"):
        small().fit(np.where(HIDDEN, np.inf, WINE))


def test_samples_without_any_entry_cannot_be_learned_from():
    with pytest.raises(ValueError, match="at least one observed entry to learn from"):
        small().fit(np.full((5, 3), np.nan))
    with pytest.raises(ValueError, match="at least one observed entry to score"):
        small().fit(GAPS).score(np.full((2, 13), np.nan))


def test_several_imputations_need_draws():
    with pytest.raises(ValueError, match="n_imputations must be 1 with sample_posterior=False"):
        small(n_imputations=2).fit(GAPS)
    with pytest.raises(ValueError, match="n_imputations must be a positive integer; got 0"):
        small().fit(GAPS).draw_imputations(GAPS, 0)
