"""Pictures of synthetic tables, compared by bars and cells."""

import numpy as np
import pandas as pd
import polars as pl
import pytest
from sklearn.datasets import load_iris
from sklearn.decomposition import PCA
from sklearn.exceptions import NotFittedError

from skdeep.decomposition import VariationalAutoencoder
from skdeep.generative import TabularGANSampler
from skdeep.inspection import SyntheticTableDisplay
from skdeep.metrics import synthetic_table_report

X = load_iris().data
REAL = pd.DataFrame(
    {
        "size": [0.0, 1.0, 1.0, 10.0],
        "color": ["red", "red", None, "blue"],
    }
)
SYNTHETIC = pd.DataFrame(
    {
        "size": [0.0, 0.0, 5.5, np.nan],
        "color": ["blue", "green", "red", "red"],
    }
)


def heights(bars):
    return [bar.get_height() for bar in bars]


TABLES = REAL, SYNTHETIC


def test_numbers_are_fractions_of_samples_in_bins_of_both_tables():
    display = SyntheticTableDisplay.from_predictions(REAL, SYNTHETIC)
    real, synthetic = display.bars_[0]
    assert heights(real) == [0.25, 0.5, 0, 0, 0, 0, 0, 0, 0, 0.25]
    assert heights(synthetic) == [0.5, 0, 0, 0, 0, 0.25, 0, 0, 0, 0]
    np.testing.assert_allclose(display.marginals["size"].edges, np.arange(11))
    centers = [[bar.get_x() + bar.get_width() / 2 for bar in bars] for bars in (real, synthetic)]
    np.testing.assert_allclose(np.mean(centers, axis=0), np.arange(10) + 0.5)


@pytest.mark.parametrize("container", [pd.DataFrame, pl.DataFrame])
def test_categories_are_fractions_of_samples_the_most_frequent_first(container):
    columns = [
        table["color"].astype(object).where(table["color"].notna(), None) for table in TABLES
    ]
    tables = [container({"color": column.to_list()}) for column in columns]
    display = SyntheticTableDisplay.from_predictions(*tables)
    ((real, synthetic),) = display.bars_
    names = [label.get_text() for label in display.ax_[0].get_xticklabels()]
    assert names == ["red", "missing", "blue", "green"]
    assert heights(real) == [0.5, 0.25, 0.25, 0]
    assert heights(synthetic) == [0.5, 0, 0.25, 0.25]


def test_rare_categories_are_added_up():
    letters = pd.DataFrame({"letter": list("aaaabbbccdefghijklmn")})
    display = SyntheticTableDisplay.from_predictions(letters, letters)
    marginal = display.marginals["letter"]
    assert marginal.labels == [*"abcdefghi", "other"]
    np.testing.assert_allclose(marginal.real, [0.2, 0.15, 0.1, *[0.05] * 6, 0.25])
    np.testing.assert_allclose(marginal.synthetic, marginal.real)


def test_panels_have_the_distances_of_the_report():
    display = SyntheticTableDisplay.from_predictions(REAL, SYNTHETIC)
    report = synthetic_table_report(REAL, SYNTHETIC)
    titles = [f"{name} (distance {value:.2f})" for name, value in report.marginal.columns.items()]
    assert [ax.get_title() for ax in display.ax_] == titles
    assert display.report.marginal == report.marginal


def test_columns_are_chosen():
    display = SyntheticTableDisplay.from_predictions(X[:75], X[75:], columns=[3, 1])
    assert list(display.marginals) == [3, 1]
    assert len(display.bars_) == len(display.ax_) == 2


def test_categorical_columns_of_arrays_are_named():
    tables = np.array([[0.0, 1], [0, 2], [1, 3]]), np.array([[1.0, 1], [1, 2], [1, 3]])
    display = SyntheticTableDisplay.from_predictions(*tables, categorical_features=[0])
    assert display.marginals[0].labels == ["0.0", "1.0"]
    np.testing.assert_allclose(display.marginals[0].synthetic, [0, 1])
    assert display.marginals[1].labels is None


def test_correlations_are_those_of_both_tables():
    display = SyntheticTableDisplay.from_predictions(X[:75], X[75:], kind="correlations")
    real, synthetic = display.images_
    np.testing.assert_allclose(real.get_array(), np.corrcoef(X[:75].T))
    np.testing.assert_allclose(synthetic.get_array(), np.corrcoef(X[75:].T))
    assert [ax.get_title() for ax in display.ax_] == ["real", "synthetic"]
    assert real.get_clim() == (-1, 1)


@pytest.mark.parametrize("n_columns, n_names", [(4, 4), (40, 40), (41, 0)])
def test_columns_are_named_unless_there_are_too_many(n_columns, n_names):
    rng = np.random.default_rng(0)
    table = rng.standard_normal((10, n_columns))
    display = SyntheticTableDisplay.from_predictions(table, table, columns=[0], kind="correlations")
    for ax in display.ax_:
        for labels in (ax.get_xticklabels(), ax.get_yticklabels()):
            assert [label.get_text() for label in labels] == [str(one) for one in range(n_names)]


def test_report_that_is_known_is_not_computed_again():
    report = synthetic_table_report(X[:75], X[75:], random_state=0)
    display = SyntheticTableDisplay.from_predictions(X[:75], X[75:], report=report)
    assert display.report is report


def test_generators_are_asked_for_as_many_samples_as_there_are():
    vae = VariationalAutoencoder(2, max_epochs=2, device="cpu", random_state=0).fit(X)
    display = SyntheticTableDisplay.from_estimator(vae, X, random_state=5)
    expected = SyntheticTableDisplay.from_predictions(X, vae.sample(150, random_state=5))
    assert display.report.marginal == expected.report.marginal
    few = SyntheticTableDisplay.from_estimator(vae, X, n_samples=10, random_state=5)
    assert few.marginals[0].synthetic.sum() == pytest.approx(1)
    assert (few.marginals[0].synthetic * 10 % 1).max() == pytest.approx(0)


def test_generators_with_classes_are_drawn():
    small = {"hidden_layer_sizes": (8,), "max_epochs": 2, "device": "cpu", "random_state": 0}
    gan = TabularGANSampler(**small).fit(X, load_iris().target)
    display = SyntheticTableDisplay.from_estimator(gan, X, random_state=0)
    assert list(display.marginals) == [0, 1, 2, 3]


def test_what_cannot_be_drawn_is_refused(plt):
    with pytest.raises(TypeError, match=r"must have a method sample, .*; got PCA"):
        SyntheticTableDisplay.from_estimator(PCA(2).fit(X), X)
    with pytest.raises(NotFittedError):
        SyntheticTableDisplay.from_estimator(TabularGANSampler(), X)
    with pytest.raises(ValueError, match="kind must be one of"):
        SyntheticTableDisplay.from_predictions(X, X, kind="pairs")
    with pytest.raises(ValueError, match=r"columns must be among \['size', 'color'\]; got"):
        SyntheticTableDisplay.from_predictions(REAL, SYNTHETIC, columns=["weight"])
    with pytest.raises(ValueError, match="the same as X in the same order"):
        SyntheticTableDisplay.from_predictions(REAL, SYNTHETIC[["color", "size"]])
    with pytest.raises(ValueError, match="ax must have 4 axes; got 1"):
        SyntheticTableDisplay.from_predictions(X, X, ax=plt.subplots()[1])


@pytest.mark.parametrize("container", [pd.DataFrame, pl.DataFrame])
def test_generators_of_arrays_draw_dataframes(container):
    X = container({"a": np.arange(20.0), "b": np.arange(20.0) ** 2})
    vae = VariationalAutoencoder(1, max_epochs=1, device="cpu", random_state=0).fit(X)
    display = SyntheticTableDisplay.from_estimator(vae, X, random_state=0)
    assert list(display.marginals) == ["a", "b"]
