"""Pictures of searches, compared with cv_results_."""

import numpy as np
import pytest
from sklearn.datasets import load_iris
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV
from sklearn.svm import SVC

from skdeep.decomposition import Autoencoder
from skdeep.inspection import SearchResultsDisplay
from skdeep.model_selection import BatchedGridSearchCV, BatchedHalvingSearchCV, read_journal
from skdeep.neural_network import ResNetClassifier

X, Y = load_iris(return_X_y=True)
SMALL = {"hidden_layer_sizes": (8,), "max_epochs": 2, "device": "cpu", "random_state": 0}


def table(params, scores, **columns):
    return {"params": params, "mean_test_score": np.array(scores, dtype=float)} | columns


@pytest.fixture(scope="module")
def halving():
    net = ResNetClassifier(1, width=8, max_epochs=4, device="cpu", random_state=0)
    space = {"lr": [1e-3, 3e-3, 1e-2, 3e-2]}
    options = {"n_candidates": "all", "factor": 2, "min_resources": 1, "cv": 2, "refit": False}
    return BatchedHalvingSearchCV(net, space, **options).fit(X, Y)


def tick_names(display):
    ax = display.ax_
    return [
        [label.get_text() for label in one] for one in (ax.get_xticklabels(), ax.get_yticklabels())
    ]


def test_heat_map_has_the_score_of_each_pair_of_values():
    grid = {"lr": [1e-2, 1e-3], "noise": [0.0, 0.1, 0.2]}
    search = BatchedGridSearchCV(Autoencoder(1, **SMALL), grid, cv=2, refit=False).fit(X)
    display = SearchResultsDisplay.from_estimator(search)
    scores = search.cv_results_["mean_test_score"].reshape(2, 3).T[:, ::-1]  # noise, lr ascending
    np.testing.assert_array_equal(display.image_.get_array(), scores)
    assert (display.ax_.get_xlabel(), display.ax_.get_ylabel()) == ("lr", "noise")
    assert tick_names(display) == [["0.001", "0.01"], ["0", "0.1", "0.2"]]
    row, column = display.best
    assert scores[row, column] == scores.max()
    assert (display.best_.get_xdata(), display.best_.get_ydata()) == ([column], [row])


def test_heat_map_takes_the_best_of_other_parameters():
    params = [{"C": C, "gamma": g, "tol": t} for C in (1, 2) for g in (3, 4) for t in (5, 6)]
    display = SearchResultsDisplay.from_cv_results(table(params, range(8)), params=["gamma", "C"])
    np.testing.assert_array_equal(display.image_.get_array(), [[1, 3], [5, 7]])


def test_cells_without_a_candidate_or_a_score_are_left_white():
    params = [{"a": 1, "b": "x"}, {"a": 2, "b": "y"}, {"a": 1, "b": "y"}]
    display = SearchResultsDisplay.from_cv_results(table(params, [0.5, 0.25, np.nan]))
    np.testing.assert_array_equal(display.image_.get_array().mask, [[False, True], [True, False]])
    assert display.best == (0, 0)


def test_values_of_any_kind_are_columns_in_the_order_of_their_appearance():
    values = ["z", None, (8, 8), SVC(), True, "a"]
    params = [{"a": value, "b": number} for value in values for number in (2, 1)]
    display = SearchResultsDisplay.from_cv_results(table(params, range(12)))
    names = ["z", "None", "(8, 8)", "SVC()", "True", "a"]
    assert tick_names(display) == [names, ["1", "2"]]
    np.testing.assert_array_equal(display.scores, [range(1, 12, 2), range(0, 12, 2)])


def test_negated_scores_are_errors():
    params = [{"a": 1, "b": 1}, {"a": 2, "b": 1}, {"a": 1, "b": 2}, {"a": 2, "b": 2}]
    results = {"params": params, "mean_test_neg_log_loss": np.array([-1.0, -0.1, -2.0, -3.0])}
    display = SearchResultsDisplay.from_cv_results(
        results, metric="neg_log_loss", negate_score=True, norm="log"
    )
    np.testing.assert_array_equal(display.scores, [[1, 0.1], [2, 3]])
    assert display.best == (0, 1)
    assert display.score_name == "log_loss"
    assert display.image_.norm.vmin == 0.1


def test_default_kind_depends_on_the_number_of_parameters():
    draw = SearchResultsDisplay.from_cv_results
    params = [{"a": a, "b": b, "c": c} for a in (1, 2) for b in (1, 2) for c in (1, 2)]
    kinds = {3: "parallel", 2: "heatmap", 1: "curve"}
    for n_params, kind in kinds.items():
        part = [{name: one[name] for name in "abc"[:n_params]} for one in params]
        assert draw(table(part, range(8))).kind == kind
        assert draw(table(params, range(8)), params=list("abc"[:n_params])).kind == kind


def test_curve_has_the_best_score_of_each_value():
    params = [{"lr": lr, "b": b} for lr in (1e-2, 1e-4, 1e-3) for b in (1, 2)]
    display = SearchResultsDisplay.from_cv_results(table(params, [3, 9, 4, 0, 5, 6]), params=["lr"])
    (line,) = display.lines_
    np.testing.assert_array_equal(line.get_xydata(), [[1e-4, 4], [1e-3, 6], [1e-2, 9]])
    assert (display.ax_.get_xlabel(), display.ax_.get_ylabel()) == ("lr", "score")
    assert display.ax_.get_xscale() == "log"
    np.testing.assert_array_equal(display.best_.get_xydata(), [[1e-2, 9]])


def test_curve_of_names_has_them_as_ticks_and_negated_scores_are_errors():
    params = [{"a": value} for value in ("z", None, (8, 8))]
    results = {"params": params, "mean_test_neg_log_loss": np.array([-1.0, -0.1, np.nan])}
    display = SearchResultsDisplay.from_cv_results(
        results, metric="neg_log_loss", negate_score=True
    )
    assert tick_names(display)[0] == ["z", "None"]
    np.testing.assert_array_equal(display.lines_[0].get_xydata(), [[0, 1], [1, 0.1]])
    np.testing.assert_array_equal(display.best_.get_xydata(), [[1, 0.1]])
    assert (display.ax_.get_ylabel(), display.ax_.get_xscale()) == ("log_loss", "linear")


def test_parallel_coordinates_place_values_on_axes():
    params = [
        {"lr": 1e-4, "width": 16, "norm": "batch"},
        {"lr": 1e-2, "width": 32, "norm": "layer"},
        {"lr": 1e-3, "width": 64, "norm": None},
        {"lr": 1e-3, "norm": "batch"},
    ]
    display = SearchResultsDisplay.from_cv_results(
        table(params, [0.1, 0.4, 0.3, np.nan]), kind="parallel"
    )
    assert display.names == ["lr", "width", "norm"]
    expected = [[0, 0, 0], [1, 1 / 3, 0.5], [0.5, 1, 1]]
    lines = [segment[:, 1] for segment in display.lines_.get_segments()]
    np.testing.assert_allclose(lines, expected)
    np.testing.assert_array_equal(display.lines_.get_array(), [0.1, 0.4, 0.3])
    np.testing.assert_allclose(display.best_.get_ydata(), expected[1])
    assert display.ticks[2] == {"batch": 0.0, "layer": 0.5, "None": 1.0}
    assert display.params == params[:3]


def test_parameters_that_a_candidate_does_not_have_interrupt_its_line():
    params = [{"a": 1, "b": 1}, {"a": 2}, {"a": 3, "b": 2}]
    display = SearchResultsDisplay.from_cv_results(table(params, [1, 2, 3]), kind="parallel")
    np.testing.assert_array_equal(display.curves[1], [[0, 0.5], [1, np.nan]])


def test_many_numbers_have_few_ticks():
    params = [{"a": number} for number in range(1, 22)]
    display = SearchResultsDisplay.from_cv_results(table(params, range(21)), kind="parallel")
    assert display.ticks == [{"1": 0.0, "11": 0.5, "21": 1.0}]


def test_curves_of_halving_end_where_candidates_are_eliminated(halving):
    display = SearchResultsDisplay.from_estimator(halving, kind="halving")
    results = halving.cv_results_
    assert sorted(len(line.get_xdata()) for line in display.lines_) == [1, 1, 2, 3]
    for params, line in zip(display.params, display.lines_, strict=True):
        own = [one["lr"] == params["lr"] for one in results["params"]]
        np.testing.assert_array_equal(line.get_xdata(), results["n_resources"][own])
        np.testing.assert_array_equal(line.get_ydata(), results["mean_test_score"][own])
    assert display.params[display.best]["lr"] == halving.best_params_["lr"]
    assert (display.ax_.get_xlabel(), display.ax_.get_xscale()) == ("max_epochs", "log")
    assert tick_names(display)[0] == ["1", "2", "4"]


def test_only_candidates_with_all_resources_are_the_best_of_halving():
    params = [{"a": 1}, {"a": 2}, {"a": 2}]
    results = table(params, [0.9, 0.5, 0.6], n_resources=np.array([1, 1, 3]))
    display = SearchResultsDisplay.from_cv_results(results, kind="halving")
    assert display.best == 1
    np.testing.assert_array_equal(display.best_.get_ydata(), [0.5, 0.6])


def test_other_kinds_show_the_last_iteration_of_halving(halving):
    display = SearchResultsDisplay.from_estimator(halving, kind="parallel")
    curves = SearchResultsDisplay.from_estimator(halving, kind="halving").curves
    assert display.names == ["lr"]
    np.testing.assert_array_equal(display.scores, [curve[-1, 1] for curve in curves])


def test_journals_are_drawn(tmp_path):
    net = ResNetClassifier(1, width=8, max_epochs=2, device="cpu", random_state=0)
    options = {"n_candidates": "all", "factor": 2, "min_resources": 1, "cv": 2, "refit": False}
    path = tmp_path / "search.jsonl"
    search = BatchedHalvingSearchCV(net, {"lr": [1e-3, 1e-2]}, journal=path, **options).fit(X, Y)
    journal = read_journal(path)
    display = SearchResultsDisplay.from_cv_results(journal, kind="halving", resource="max_epochs")
    expected = SearchResultsDisplay.from_estimator(search, kind="halving")
    assert [curve.tolist() for curve in display.curves] == [
        curve.tolist() for curve in expected.curves
    ]


def test_score_that_decides_is_drawn():
    options = {"scoring": ["accuracy", "neg_log_loss"], "cv": 2}
    grid = {"C": [1e-3, 1.0], "class_weight": [None, "balanced"]}
    search = GridSearchCV(LogisticRegression(max_iter=500), grid, refit="neg_log_loss", **options)
    search.fit(X, Y)
    display = SearchResultsDisplay.from_estimator(search)
    expected = search.cv_results_["mean_test_neg_log_loss"].reshape(2, 2).T
    np.testing.assert_array_equal(display.scores, expected)
    other = SearchResultsDisplay.from_estimator(search, metric="accuracy")
    assert other.score_name == "accuracy"
    search.set_params(refit=False).fit(X, Y)
    with pytest.raises(ValueError, match=r"metric must be given .* refit=False; got None"):
        SearchResultsDisplay.from_estimator(search)


def test_what_cannot_be_drawn_is_refused():
    results = table([{"a": 1, "b": 2}, {"a": 2, "b": 2}], [1, 2])
    draw = SearchResultsDisplay.from_cv_results
    with pytest.raises(TypeError, match="fitted search; GridSearchCV has no cv_results_"):
        SearchResultsDisplay.from_estimator(GridSearchCV(SVC(), {}))
    with pytest.raises(ValueError, match="kind must be one of"):
        draw(results, kind="scatter")
    with pytest.raises(ValueError, match=r"and 'mean_test_f1', .*; got scores named"):
        draw(results, metric="f1")
    with pytest.raises(ValueError, match=r"two parameters; got \['a'\].*kind='parallel'"):
        draw(results, kind="heatmap")
    with pytest.raises(ValueError, match=r"one parameter; got \['a', 'b'\].*kind='parallel'"):
        draw(results, kind="curve", params=["a", "b"])
    with pytest.raises(ValueError, match=r"params must be among \['a', 'b'\]; got \['c'\]"):
        draw(results, params=["a", "c"])
    for kind in ("auto", "parallel"):
        with pytest.raises(ValueError, match="needs at least one parameter with several values"):
            draw(table([{"a": 1}], [1]), kind=kind)
    with pytest.raises(ValueError, match="needs results of successive halving"):
        draw(results, kind="halving")
    with pytest.raises(ValueError, match="resource must be a parameter of all candidates"):
        draw(results, kind="halving", resource="c")
    with pytest.raises(ValueError, match="at least one candidate with a finite score"):
        draw(table([{"a": 1}], [np.nan]))


def test_heat_map_of_parameters_that_no_candidate_has_together():
    results = table([{"a": 1}, {"a": 2}, {"b": None}, {"b": "x"}], [1, 2, 3, 4])
    with pytest.raises(ValueError, match=r"candidates have in common.*kind='parallel'"):
        SearchResultsDisplay.from_cv_results(results, kind="heatmap")
    assert SearchResultsDisplay.from_cv_results(results).kind == "parallel"
