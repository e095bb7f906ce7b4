"""The synthetic table report on tables with known answers."""

import random

import numpy as np
import pandas as pd
import polars as pl
import pytest
from numpy.testing import assert_allclose, assert_equal
from scipy.spatial.distance import cdist
from scipy.stats import chi2_contingency, ks_2samp
from sklearn.ensemble import HistGradientBoostingClassifier, RandomForestClassifier
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import f1_score, roc_auc_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from skdeep.metrics import synthetic_table_report

CATEGORIES = ["blue", "green", "red"]


def table(n, seed=0, *, missing=False):
    """Two dependent numbers, a colour that depends on them, a flag, a date and a class."""
    rng = np.random.default_rng(seed)
    frame = pd.DataFrame({"height": rng.normal(size=n)})
    frame["weight"] = 0.8 * frame["height"] + 0.6 * rng.normal(size=n)
    colours = np.digitize(frame["height"] + 0.5 * rng.normal(size=n), [-0.5, 0.5])
    frame["colour"] = np.array(CATEGORIES)[colours]
    frame["flag"] = rng.random(n) < 0.3
    frame["born"] = pd.Timestamp(2000, 1, 1) + pd.to_timedelta(rng.integers(10_000, size=n), "D")
    frame["label"] = np.where(frame["weight"] + 0.3 * rng.normal(size=n) > 0, "yes", "no")
    if missing:
        for name in ("height", "colour", "born"):
            frame.loc[rng.random(n) < 0.2, name] = None
    return frame


def tables(n, columns=None, *, missing=False):
    """Real rows, fresh ones as if from a perfect generator, and unseen ones."""
    frames = [table(n, seed, missing=missing) for seed in range(3)]
    return [frame[columns or list(frame.columns)] for frame in frames]


def usefulness(X, synthetic, X_test, target="label", **params):
    return synthetic_table_report(
        X, synthetic, X_test=X_test, target=target, random_state=0, **params
    ).utility


@pytest.mark.parametrize("missing", [False, True])
def test_equal_tables_have_distance_zero_and_are_all_copies(missing):
    X, _, X_test = tables(300, missing=missing)
    report = synthetic_table_report(X, X.copy(), X_test=X_test)
    assert report.marginal.columns == dict.fromkeys(X.columns, 0.0)
    assert report.marginal.mean == report.pairwise.mean == report.privacy.distance_ratio == 0
    assert list(report.privacy.synthetic) == ["distance", "ratio_5th", "ratio_median", "copies"]
    assert list(report.privacy.synthetic.values()) == [0, 0, 0, 1]


@pytest.mark.parametrize("missing", [False, True])
def test_fresh_rows_are_near_in_distribution_and_as_far_from_training_as_unseen_ones(missing):
    X, fresh, X_test = tables(2000, missing=missing)
    report = synthetic_table_report(X, fresh, X_test=X_test, random_state=0)
    assert max(report.marginal.columns.values()) < 0.06
    assert report.pairwise.mean < 0.04
    assert report.privacy.distance_ratio == pytest.approx(1, abs=0.1)
    synthetic, real = report.privacy.synthetic, report.privacy.real
    assert synthetic.ratio_median == pytest.approx(real.ratio_median, abs=0.05)


def test_keys_come_with_what_they_need():
    X, _, X_test = tables(60)
    report = synthetic_table_report(X, X)
    assert set(report) == {"marginal", "pairwise", "privacy"}
    assert set(report.privacy) == {"synthetic"}
    report = synthetic_table_report(
        X, X, X_test=X_test, target="label", estimator=RandomForestClassifier(3)
    )
    assert set(report) == {"marginal", "pairwise", "privacy", "utility"}
    assert set(report.privacy) == {"synthetic", "real", "distance_ratio"}
    assert set(report.utility) == {"synthetic", "real"}


def test_shifted_numbers_and_dates_have_the_statistic_of_kolmogorov_and_smirnov():
    X, fresh = table(300), table(200, 1)
    fresh["height"] += 0.5
    fresh["born"] += pd.Timedelta(days=2000)
    columns = synthetic_table_report(X, fresh).marginal.columns
    assert columns["height"] == pytest.approx(ks_2samp(X["height"], fresh["height"]).statistic)
    days = [frame["born"].to_numpy("datetime64[D]").astype(int) for frame in (X, fresh)]
    assert columns["born"] == pytest.approx(ks_2samp(*days).statistic)


def test_categories_have_total_variation():
    X = pd.DataFrame({"kind": ["a"] * 5 + ["b"] * 3 + [None] * 2})
    synthetic = pd.DataFrame({"kind": ["a"] * 2 + ["c"] * 1 + [None] * 1})
    report = synthetic_table_report(X, synthetic)
    # a .5 and .5, b .3 and 0, c 0 and .25, missing .2 and .25
    assert report.marginal.columns["kind"] == pytest.approx((0 + 0.3 + 0.25 + 0.05) / 2)
    assert report.pairwise.mean == 0


def test_missing_numbers_are_a_value_of_their_own():
    X = np.array([[1.0], [2.0], [3.0], [np.nan]])
    assert synthetic_table_report(X, X[:3]).marginal.mean == pytest.approx(0.25)
    assert synthetic_table_report(X, X[3:]).marginal.mean == pytest.approx(0.75)


def test_a_shuffled_column_changes_associations_but_no_distribution():
    X = table(1000)
    report = synthetic_table_report(
        X, X.assign(weight=np.random.default_rng(1).permutation(X["weight"]))
    )
    assert report.marginal.mean == 0
    change = np.abs(report.pairwise.real - report.pairwise.synthetic)
    assert change[0, 1] > 0.7
    assert np.delete(np.delete(change, 1, axis=0), 1, axis=1).max() == 0
    assert report.pairwise.mean == pytest.approx(change[np.triu_indices(6, 1)].mean())


def test_associations_follow_their_formulas():
    X = table(400)
    matrix = synthetic_table_report(X, X).pairwise.real
    assert_allclose(matrix, matrix.T)
    assert matrix[0, 1] == pytest.approx(np.corrcoef(X["height"], X["weight"])[0, 1])
    means = X.groupby("colour")["height"].transform("mean")
    assert matrix[0, 2] == pytest.approx(means.std(ddof=0) / X["height"].std(ddof=0))

    counts = pd.crosstab(X["colour"], X["label"]).to_numpy()
    n, (r, k) = counts.sum(), counts.shape
    phi2 = chi2_contingency(counts, correction=False).statistic / n
    phi2 = max(0, phi2 - (r - 1) * (k - 1) / (n - 1))
    width = min(r - (r - 1) ** 2 / (n - 1), k - (k - 1) ** 2 / (n - 1)) - 1
    assert matrix[2, 5] == pytest.approx(np.sqrt(phi2 / width))


@pytest.mark.parametrize("n_categories", [2, 3, 20])
def test_a_category_determines_itself(n_categories):
    codes = np.arange(40) % n_categories
    X = np.column_stack([codes, -codes, 2.0 * codes])
    assert_allclose(synthetic_table_report(X, X, categorical_features=[0, 1]).pairwise.real, 1)


def test_independent_categories_and_constant_columns_have_no_association():
    codes = np.random.default_rng(0).integers(50, size=(200, 2))
    X = np.column_stack([codes, np.arange(200), np.full(200, 0.1), np.full(200, np.nan)])
    matrix = synthetic_table_report(X, X, categorical_features=[0, 1, 2]).pairwise.real
    assert matrix[0, 1] < 0.15
    assert_allclose(matrix[2:], np.eye(5)[2:], atol=1e-9)


def test_correlation_takes_the_rows_that_miss_neither():
    X = table(200)[["height", "weight"]].to_numpy(copy=True)
    X[::7, 0] = X[::5, 1] = np.nan
    expected = np.corrcoef(X[~np.isnan(X).any(axis=1)].T)
    assert_allclose(synthetic_table_report(X, X).pairwise.real, expected)


def test_distances_are_those_of_scaled_numbers_and_of_categories_one_hot_over_root_two():
    X, fresh, X_test = tables(80, ["height", "colour"])

    def place(frame):
        number = (frame[["height"]] - X["height"].mean()) / X["height"].std(ddof=0)
        return np.hstack([number, (frame[["colour"]].to_numpy() == CATEGORIES) / np.sqrt(2)])

    report = synthetic_table_report(X, fresh, X_test=X_test).privacy
    for rated, frame in [(report.synthetic, fresh), (report.real, X_test)]:
        nearest, second = np.sort(cdist(place(frame), place(X)), axis=1)[:, :2].T
        assert rated.distance == pytest.approx(np.median(nearest))
        ratios = np.quantile(nearest / second, [0.05, 0.5])
        assert_allclose([rated.ratio_5th, rated.ratio_median], ratios)
    assert report.distance_ratio == pytest.approx(report.synthetic.distance / report.real.distance)


def test_missing_numbers_are_means_and_marked():
    X = np.array([[0.0], [2.0], [0.0], [2.0], [np.nan]])  # mean 1, standard deviation 1
    assert synthetic_table_report(X[:4], X[4:]).privacy.synthetic.distance == pytest.approx(
        np.sqrt(1 + 1)
    )
    assert synthetic_table_report(X, X[4:]).privacy.synthetic.distance == 0


def test_copies_are_counted_and_near_copies_are_told_from_new_rows():
    X, fresh, X_test = tables(1000, ["height", "weight"])
    X.iloc[::5, 1] = np.nan
    mixed = pd.concat([X[:20], fresh[:60]])
    assert synthetic_table_report(X, mixed).privacy.synthetic.copies == 0.25
    report = synthetic_table_report(X, X + 1e-4 * fresh, X_test=X_test).privacy
    assert report.synthetic.copies == 0
    assert report.distance_ratio < 0.01
    assert report.synthetic.ratio_median < 0.01 < report.real.ratio_5th


def test_rows_that_repeat_in_training_are_one_record():
    X = np.array([[0.0], [0.0], [0.0], [1.0], [5.0]])
    assert synthetic_table_report(X, X[:2]).privacy.synthetic.ratio_median == 0
    assert synthetic_table_report(X, X[:2] + 0.25).privacy.synthetic.ratio_median == pytest.approx(
        1 / 3
    )


@pytest.mark.parametrize("value, expected", [(0, 1), (1, np.inf)])
def test_distance_ratio_has_a_value_where_unseen_rows_are_copies(value, expected):
    X = np.zeros((5, 2))
    assert synthetic_table_report(X, X + value, X_test=X).privacy.distance_ratio == expected


def test_large_tables_are_sampled_the_same_way_on_every_call():
    X, X_test = np.random.default_rng(0).normal(size=(2, 2500, 3))
    reports = [
        synthetic_table_report(X, X_test, X_test=X_test[::-1], random_state=seed)
        for seed in (0, 0, 1)
    ]
    assert_equal(reports[0], reports[1])
    assert reports[0].privacy.synthetic.distance != reports[2].privacy.synthetic.distance


@pytest.mark.parametrize("missing", [False, True])
def test_real_rows_are_as_useful_as_real_rows(missing):
    X, _, X_test = tables(300, missing=missing)
    utility = usefulness(X, X.copy(), X_test)
    assert utility.synthetic == utility.real
    assert min(utility.real.f1, utility.real.roc_auc) > 0.8


@pytest.mark.parametrize("target, category", [("label", "colour"), ("colour", "label")])
def test_utility_is_what_a_classifier_on_codes_scores(target, category):
    X, fresh, X_test = tables(300, ["height", "colour", "label"])
    model = LogisticRegression(C=0.1)
    utility = usefulness(X, fresh, X_test, target, estimator=model)
    assert not hasattr(model, "coef_")

    def codes(frame):
        return frame[["height"]].assign(kind=pd.Categorical(frame[category]).codes).to_numpy()

    for got, frame in [(utility.synthetic, fresh), (utility.real, X)]:
        model.fit(codes(frame), frame[target])
        f1 = f1_score(X_test[target], model.predict(codes(X_test)), average="macro")
        proba = model.predict_proba(codes(X_test))
        proba = proba[:, 1] if target == "label" else proba
        area = roc_auc_score(X_test[target], proba, multi_class="ovr")
        assert [got.f1, got.roc_auc] == pytest.approx([f1, area])


def test_default_classifier_is_gradient_boosting_on_categories():
    frames = tables(300, ["height", "colour", "label"])
    X, fresh, X_test = (frame.astype({"colour": "category"}) for frame in frames)
    model = HistGradientBoostingClassifier(early_stopping=False)
    model.fit(fresh[["height", "colour"]], fresh["label"])
    area = roc_auc_score(X_test["label"], model.predict_proba(X_test[["height", "colour"]])[:, 1])
    assert usefulness(X, fresh, X_test).synthetic.roc_auc == pytest.approx(area)


def test_shuffled_labels_are_useless():
    X, _, X_test = tables(1000)
    shuffled = X.assign(label=np.random.default_rng(0).permutation(X["label"]))
    utility = usefulness(X, shuffled, X_test)
    assert utility.synthetic.roc_auc == pytest.approx(0.5, abs=0.1)


def test_tables_may_have_different_classes():
    X, _, X_test = tables(300)
    more = usefulness(X, X.assign(label=X["label"].where(X.index % 10 > 0, "maybe")), X_test)
    assert min(more.synthetic.f1, more.synthetic.roc_auc) > 0.8
    fewer = usefulness(X, X[X["colour"] != "red"], X_test, "colour")
    assert fewer.synthetic.f1 < fewer.real.f1
    assert fewer.synthetic.roc_auc < fewer.real.roc_auc
    single = usefulness(X, X[X["colour"] == "red"], X_test, "colour").synthetic
    share = (X_test["colour"] == "red").mean()
    assert single.f1 == pytest.approx(2 * share / (1 + share) / 3)
    assert single.roc_auc == 0.5


def test_rows_without_a_class_are_left_out():
    X, _, X_test = tables(200)
    gaps, rest = X.assign(label=X["label"].where(X.index % 4 > 0)), X[X.index % 4 > 0]
    assert usefulness(gaps, gaps, X_test) == usefulness(rest, rest, X_test)


def test_classifiers_get_nan_for_what_is_missing():
    X, _, X_test = tables(200, missing=True)
    model = make_pipeline(SimpleImputer(), StandardScaler(), LogisticRegression())
    assert usefulness(X, X, X_test, estimator=model).real.roc_auc > 0.8


@pytest.mark.parametrize("column, value", [("weight", np.nan), ("colour", None)])
def test_a_column_without_any_value_tells_a_classifier_nothing(column, value):
    X, _, X_test = tables(200)
    frames = X, X.assign(**{column: value}), X_test
    without = [frame.drop(columns=column) for frame in frames]
    assert usefulness(*frames).synthetic == usefulness(*without).synthetic


def test_columns_of_many_categories_do_no_harm():
    names = list(map(str, range(400)))
    X, fresh, X_test = (frame.assign(name=names) for frame in tables(400))
    assert usefulness(X, fresh, X_test).real.roc_auc > 0.8


def test_polars_gives_what_pandas_gives():
    frames = tables(200, missing=True)
    polars = [
        pl.DataFrame({name: values.to_list() for name, values in frame.items()}, nan_to_null=True)
        for frame in (frame.astype(object).where(frame.notna(), None) for frame in frames)
    ]
    assert synthetic_table_report(polars[0][["born"]], polars[1][["born"]]).marginal.mean < 0.2
    expected = synthetic_table_report(*frames[:2], X_test=frames[2], target="label", random_state=0)
    for mixed in (polars, [polars[0], *frames[1:]], [frames[0], *polars[1:]]):
        report = synthetic_table_report(*mixed[:2], X_test=mixed[2], target="label", random_state=0)
        assert_equal(report, expected)


def test_dtypes_of_equal_meaning_give_equal_reports():
    dtypes = {"height": "Float64", "colour": "category", "flag": "boolean", "label": object}
    frames = tables(200)
    others = [X.astype(dtypes).assign(born=X["born"].dt.tz_localize("UTC")) for X in frames]
    report, other = (
        synthetic_table_report(*X[:2], X_test=X[2], random_state=0) for X in (frames, others)
    )
    assert_equal(report, other)
    assert usefulness(*frames) == usefulness(*others)


def test_integers_that_miss_values_and_time_spans_are_numbers():
    spans = pd.to_timedelta([1, 2, 3, None], unit="D")
    X = pd.DataFrame({"count": pd.array([1, 2, None, 4], dtype="Int64"), "span": spans})
    report = synthetic_table_report(X, X[:2])
    assert report.marginal.columns == {"count": 0.25, "span": 0.25}
    assert report.pairwise.real[0, 1] == pytest.approx(1)


@pytest.mark.parametrize("categorical_features", [[2, 3], [False, False, True, True]])
def test_arrays_name_their_categories(categorical_features):
    codes = {"colour": {"blue": 0, "green": 1, "red": 2}, "label": {"no": 0, "yes": 1}}
    frames = tables(200, ["height", "weight", "colour", "label"])
    X, fresh, X_test = (frame.replace(codes).to_numpy(dtype=float) for frame in frames)
    params = {"target": 3, "categorical_features": categorical_features, "random_state": 0}
    report = synthetic_table_report(X, fresh, X_test=X_test, **params)
    expected = synthetic_table_report(*frames[:2], X_test=frames[2], target="label", random_state=0)
    expected.marginal.columns = dict(enumerate(expected.marginal.columns.values()))
    assert_equal(report, expected)


def test_categories_can_be_chosen_by_name_beside_those_of_categorical_dtype():
    X = pd.DataFrame({"code": [1, 2, 2, 3], "kind": list("abbc")})
    synthetic = pd.DataFrame({"code": [4, 1, 2, 3], "kind": list("dabc")})
    report = synthetic_table_report(X, synthetic, categorical_features=["code"])
    assert report.marginal.columns == {"code": 0.25, "kind": 0.25}


def test_tables_are_not_written_to():
    frames = tables(100, missing=True)
    copies = [frame.copy() for frame in frames]
    synthetic_table_report(*frames[:2], X_test=frames[2], target="label")
    for frame, copy in zip(frames, copies, strict=True):
        pd.testing.assert_frame_equal(frame, copy)


def test_global_random_states_are_left_alone():
    X, states = table(100), [random.getstate(), str(np.random.get_state())]  # noqa: NPY002
    synthetic_table_report(X, X, X_test=X, target="label")
    assert [random.getstate(), str(np.random.get_state())] == states  # noqa: NPY002
