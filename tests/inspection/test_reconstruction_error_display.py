"""Histograms of reconstruction errors, compared by their bars."""

import numpy as np
import pytest
from sklearn.datasets import load_iris
from sklearn.decomposition import PCA
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from skdeep.decomposition import Autoencoder
from skdeep.inspection import ReconstructionErrorDisplay

X, Y = load_iris(return_X_y=True)
AE = Autoencoder(1, hidden_layer_sizes=(8,), max_epochs=3, device="cpu", random_state=0)
ERRORS = np.array([0.0, 1.0, 1.5, 2.0, 4.0])


def heights(bars):
    return [bar.get_height() for bar in bars]


def test_bars_count_the_errors_of_samples():
    ae = AE.fit(X)
    display = ReconstructionErrorDisplay.from_estimator(ae, X, bins=5)
    errors = ae.reconstruction_error(X)
    np.testing.assert_array_equal(display.errors, errors)
    np.testing.assert_array_equal(heights(display.bars_[0]), np.histogram(errors, 5)[0])
    assert display.line_ is None
    assert display.ax_.get_legend() is None


def test_errors_of_a_pipeline_are_in_the_units_of_its_last_step():
    pipe = make_pipeline(StandardScaler(), AE).fit(X)
    display = ReconstructionErrorDisplay.from_estimator(pipe, X)
    expected = pipe[-1].reconstruction_error(pipe[0].transform(X))
    np.testing.assert_array_equal(display.errors, expected)


def test_classes_have_stacked_bars():
    display = ReconstructionErrorDisplay.from_predictions(
        ERRORS, ["in", "in", "out", "in", "out"], bins=[0, 2, 4]
    )
    inside, outside = display.bars_
    assert heights(inside) == [2, 1]
    assert heights(outside) == [1, 1]
    assert [bar.get_y() for bar in outside] == [2, 1]
    assert [text.get_text() for text in display.ax_.get_legend().get_texts()] == ["in", "out"]


def test_a_single_class_has_bars():
    display = ReconstructionErrorDisplay.from_predictions(ERRORS, np.ones(5), bins=[0, 2, 4])
    assert [heights(bars) for bars in display.bars_] == [[3, 2]]


def test_threshold_is_marked():
    display = ReconstructionErrorDisplay.from_predictions(ERRORS, threshold=1.25)
    np.testing.assert_array_equal(display.line_.get_xdata(), [1.25, 1.25])
    assert [text.get_text() for text in display.ax_.get_legend().get_texts()] == ["threshold 1.25"]


@pytest.mark.parametrize("contamination, n_above", [(0.1, 10), (0.25, 25), (0.5, 50)])
def test_contamination_is_the_fraction_above_the_threshold(contamination, n_above):
    errors = np.arange(100.0)
    display = ReconstructionErrorDisplay.from_predictions(errors, contamination=contamination)
    assert (errors > display.threshold).sum() == n_above
    np.testing.assert_array_equal(display.line_.get_xdata(), [display.threshold] * 2)


def test_what_cannot_be_drawn_is_refused():
    with pytest.raises(TypeError, match=r"reconstruction_error, .*; got PCA.*from_predictions"):
        ReconstructionErrorDisplay.from_estimator(PCA(), X)
    for options in ({"contamination": 0.0}, {"contamination": 0.1, "threshold": 1.0}):
        with pytest.raises(ValueError, match=r"contamination must be in \(0, 1\), and threshold"):
            ReconstructionErrorDisplay.from_predictions(ERRORS, **options)
    with pytest.raises(ValueError, match="inconsistent numbers of samples"):
        ReconstructionErrorDisplay.from_predictions(ERRORS, Y)
