"""IMSAT: known clusters, restarts, weights and parameters."""

import pickle
import re

import numpy as np
import pandas as pd
import pytest
import torch
from scipy.stats import entropy
from sklearn.base import clone
from sklearn.callback import ProgressBar
from sklearn.datasets import load_digits, make_blobs, make_moons
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import adjusted_rand_score
from sklearn.metrics.cluster import contingency_matrix
from sklearn.model_selection import GridSearchCV, cross_val_score
from sklearn.neighbors import NearestNeighbors
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from skdeep.cluster import IMSAT
from skdeep.exceptions import DivergenceError
from skdeep.model_selection import BatchedGridSearchCV

X, BLOB = make_blobs(200, 6, centers=4, cluster_std=0.5, random_state=0)
DIGITS, DIGIT = load_digits(return_X_y=True)
FEW = {"device": "cpu", "random_state": 0}


def imsat(n_clusters=4, **params):
    return IMSAT(n_clusters, **{**FEW, "n_init": 2, "n_components": 32, "max_epochs": 60, **params})


def moons():
    """Two half circles in 20 dimensions."""
    rng = np.random.default_rng(0)
    plane, moon = make_moons(400, noise=0.05, random_state=0)
    directions, _ = np.linalg.qr(rng.normal(size=(20, 2)))
    return plane @ directions.T + 0.02 * rng.normal(size=(400, 20)), moon


# Known answers -----------------------------------------------------------------------------


@pytest.mark.parametrize("invariance", ["neighbors", "noise", "vat", ["neighbors", "vat"]])
def test_blobs_are_found_with_every_invariance(invariance):
    found = imsat(invariance=invariance, n_init=4).fit_predict(X)
    assert adjusted_rand_score(BLOB, found) > 0.98


@pytest.mark.parametrize("invariance", ["neighbors", "noise"])
def test_moons_in_many_dimensions_are_told_apart(invariance):
    X, moon = moons()
    found = imsat(2, invariance=invariance, n_init=3, max_epochs="auto").fit_predict(X)
    assert adjusted_rand_score(moon, found) > 0.95


def unequal():
    """One large and two small clusters that are close to each other."""
    rng = np.random.default_rng(0)
    centers, label = 2.2 * rng.normal(size=(3, 10)), np.repeat([0, 1, 2], [800, 150, 50])
    return centers[label] + rng.normal(size=(1000, 10)), label


def test_small_clusters_are_told_apart_from_a_large_one():
    X, label = unequal()
    net = imsat(3, n_init=3, n_components=128, max_epochs=80).fit(X)
    assert adjusted_rand_score(label, net.labels_) > 0.98
    np.testing.assert_array_equal(pickle.loads(pickle.dumps(net)).predict(X), net.labels_)
    np.testing.assert_allclose(net.predict_proba(X).sum(axis=1), 1, rtol=1e-5)
    net.set_params(warm_start=True, max_epochs=2).fit(X)
    assert adjusted_rand_score(label, net.labels_) > 0.98


def test_three_digits_are_found_in_images():
    few = np.flatnonzero(DIGIT < 3)
    net = imsat(3, image_shape=(8, 8), max_epochs=80, n_components="auto").fit(DIGITS[few])
    assert adjusted_rand_score(DIGIT[few], net.labels_) > 0.9


def test_digits_of_which_there_are_few_are_told_apart_from_many_others():
    few = np.concatenate([np.flatnonzero(DIGIT == one)[:n] for one, n in enumerate([170, 35, 35])])
    net = IMSAT(3, image_shape=(8, 8), n_init=2, max_epochs=100, **FEW).fit(DIGITS[few])
    assert adjusted_rand_score(DIGIT[few], net.labels_) > 0.9


def test_a_prior_decides_between_clusterings():
    rng = np.random.default_rng(0)
    X = rng.uniform(size=(400, 1)) @ np.ones((1, 2)) + 0.01 * rng.normal(size=(400, 2))
    net = imsat(2, class_prior=[0.8, 0.2], max_epochs="auto", invariance="vat").fit(X)
    fractions = np.bincount(net.labels_, minlength=2) / len(X)
    np.testing.assert_allclose(fractions, [0.8, 0.2], atol=0.05)


def test_the_number_of_clusters_can_be_estimated():
    X, blob = make_blobs(400, 6, centers=4, random_state=0)
    net = IMSAT("auto", n_init=1, **FEW).fit(X)
    assert net.n_clusters_ == 4
    assert adjusted_rand_score(blob, net.labels_) > 0.98
    assert net.set_params(warm_start=True, max_epochs=2).fit(X).n_clusters_ == 4


def test_one_cluster_and_constant_data():
    assert set(imsat(1, max_epochs=2).fit_predict(X)) == {0}
    with pytest.warns(ConvergenceWarning, match="All samples are in one of 3 clusters"):
        imsat(3, max_epochs=5).fit(np.ones((20, 3)))


# Restarts ----------------------------------------------------------------------------------


def agreement_of_neighbors(net, X):
    """``H(Y) - 2 H(Y | Y')`` of the clusters of samples and of their neighbors."""
    _, index = NearestNeighbors(n_neighbors=10).fit(X).kneighbors()
    table = contingency_matrix(net.labels_.repeat(10), net.labels_[index].ravel())
    table = (table + table.T).ravel() / (2 * table.sum())
    marginal = entropy(np.bincount(net.labels_[index].ravel()))
    return marginal - 2 * (entropy(table) - marginal)


def test_the_best_restart_agrees_better_with_neighbors_than_the_first_one():
    X, gains = DIGITS[:500], []
    for seed in range(6):
        params = {"max_epochs": 8, "random_state": seed, "feature_scaling": "image"}
        one, best = (imsat(10, n_init=n, **params).fit(X) for n in (1, 9))
        gains.append(agreement_of_neighbors(best, X) - agreement_of_neighbors(one, X))
    # zero if the first one happens to be the best
    assert min(gains) >= 0 and np.mean(gains) > 0.1


@pytest.mark.parametrize("seed", [0, 1, 2])
@pytest.mark.parametrize("n_init", [2, 3, 6])
@pytest.mark.parametrize("image_shape", [None, (8, 8)])
def test_a_restart_with_a_single_cluster_is_not_the_best(image_shape, n_init, seed):
    params = {"max_epochs": 4, "n_components": 16, "image_shape": image_shape, "random_state": seed}
    assert len(set(imsat(n_init=1, **params).fit_predict(DIGITS[:120]))) > 1
    assert len(set(imsat(n_init=n_init, **params).fit_predict(DIGITS[:120]))) > 1


@pytest.mark.parametrize("invariance", ["neighbors", "vat", "noise"])
def test_restarts_are_the_same_in_a_stack_and_one_by_one(invariance, capsys, assert_same):
    together = imsat(n_init=5, max_epochs=10, invariance=invariance)
    one_by_one = clone(together).set_params(verbose=2).fit(X)
    assert_same(together.fit(X), one_by_one, X)
    assert capsys.readouterr().out


def test_restarts_with_merged_clusters_are_the_same_in_a_stack_and_one_by_one(capsys, assert_same):
    X, _ = unequal()
    together = imsat(3, n_init=3, max_epochs=25)
    one_by_one = clone(together).set_params(verbose=2).fit(X)
    assert_same(together.fit(X), one_by_one, X)
    assert capsys.readouterr().out


@pytest.mark.filterwarnings("ignore:All samples are in one of")
@pytest.mark.parametrize("epochs", [1, 2, 9])
def test_restarts_with_images_are_the_same_with_a_log(epochs, capsys, assert_same):
    quiet = imsat(3, n_init=7, max_epochs=epochs, image_shape=(8, 8))
    assert_same(clone(quiet).set_params(verbose=2).fit(DIGITS[:60]), quiet.fit(DIGITS[:60]), DIGITS)
    assert quiet.n_iter_ == epochs
    assert capsys.readouterr().out


@pytest.mark.filterwarnings("ignore:All samples are in one of")
@pytest.mark.parametrize("n_init", [1, 2, 3, 8])
@pytest.mark.parametrize("image_shape", [None, (8, 8)])
def test_the_progress_bar_knows_the_epochs_of_all_restarts(n_init, image_shape, capsys):
    net = imsat("auto", n_init=n_init, max_epochs=5, image_shape=image_shape, verbose=1)
    net.fit(DIGITS[:60])
    shown = re.findall(r"(\d+)/(\d+) \[", capsys.readouterr().err)
    assert shown[0] == ("0", shown[-1][0])


@pytest.mark.parametrize("schedule", ["cosine", "onecycle", "plateau"])
def test_restarts_that_end_a_stage_early_are_the_same_in_a_stack(schedule, capsys, assert_same):
    together = imsat(n_init=5, max_epochs=20, tol=0.05, lr_schedule=schedule)
    one_by_one = clone(together).set_params(verbose=2).fit(X)
    assert_same(together.fit(X), one_by_one, X)
    assert together.n_iter_ < 20
    assert capsys.readouterr().out


def nets_of_which_some_diverge(**params):
    """Nets whose first restart diverges, with four restarts."""
    plain = {"batch_norm": False, "optimizer": "sgd", "max_epochs": 20, **params}
    nets = [imsat(**plain, n_init=1, random_state=seed) for seed in range(12)]
    found = [net.set_params(n_init=4) for net in nets if diverges(net)]
    assert 0 < len(found) < len(nets)
    return found[:2]


def diverges(net):
    try:
        net.fit(DIGITS[:100] if net.image_shape else X)
    except DivergenceError:
        return True
    return False


@pytest.mark.filterwarnings("ignore:All samples are in one of")
@pytest.mark.parametrize(
    "params",
    [
        {"lr": 700, "hidden_layer_sizes": 16},
        {"lr": 350, "image_shape": (8, 8), "max_epochs": 8},
    ],
)
def test_restarts_that_diverge_are_dropped(params, tmp_path, capsys, assert_same):
    samples = DIGITS[:100] if "image_shape" in params else X
    for number, net in enumerate(nets_of_which_some_diverge(**params)):
        one_by_one = clone(net).set_params(verbose=2).fit(samples)
        checkpoint = tmp_path / str(number)
        for _ in range(2):
            saved = clone(net).set_params(checkpoint=checkpoint).fit(samples)
            assert_same(saved.set_params(checkpoint=None), one_by_one, samples)
        every = np.arange(len(samples))
        search = BatchedGridSearchCV(net, {"lr": [1e-3, net.lr]}, cv=[(every, every)])
        score = search.fit(samples).cv_results_["mean_test_score"][1]
        assert score == one_by_one.score(samples)
        watched = clone(net).set_callbacks(ProgressBar()).fit(samples)
        assert_same(watched, one_by_one, samples)
        assert_same(net.fit(samples), one_by_one, samples)
        assert net.n_iter_ == net.max_epochs
        assert np.isfinite(net.loss_)
    assert capsys.readouterr().out


@pytest.mark.parametrize("params", [{}, {"verbose": 2}, {"image_shape": (8, 8)}])
def test_it_is_an_error_if_all_restarts_diverge(params):
    with pytest.raises(DivergenceError, match=r"epoch \d+ with lr=1e\+30"):
        imsat(n_init=5, lr=1e30, **params).fit(DIGITS[:100])


def test_images_with_neighbors_have_both_stages_after_restarts():
    params = {"image_shape": (8, 8), "invariance": ["affine", "neighbors"], "max_epochs": 10}
    phases = [row["phase"] for row in imsat(**params).fit(DIGITS[:100]).history_]
    assert phases == ["first"] * 6 + ["last"] * 4


@pytest.mark.parametrize("invariance", ["neighbors", "vat"])
@pytest.mark.parametrize("image_shape", [None, (8, 8)])
def test_a_weight_of_the_information_holds_in_all_stages(image_shape, invariance):
    params = {"image_shape": image_shape, "invariance": invariance, "n_init": 3, "max_epochs": 10}
    net = imsat(information_weight=1e-9, batch_norm=False, **params).fit(DIGITS[:100])
    assert all(row["train_uncertainty"] + row["train_imbalance"] < 1e-7 for row in net.history_)


# Weights -----------------------------------------------------------------------------------


@pytest.mark.parametrize("invariance", ["neighbors", "vat", "noise"])
def test_a_weight_of_two_is_a_sample_twice(invariance):
    weight = 1.0 + (np.arange(len(X)) < 50)
    options = {"batch_size": 1000, "invariance": invariance, "max_epochs": 10}
    weighted = imsat(**options).fit(X, sample_weight=weight)
    repeated = imsat(**options).fit(np.repeat(X, weight.astype(int), axis=0))
    np.testing.assert_allclose(
        weighted.predict_proba(X), repeated.predict_proba(X), rtol=0, atol=1e-6
    )


def test_weights_do_not_change_the_number_of_clusters_to_start_from():
    X, _ = make_blobs(60, 2, centers=1, random_state=0)
    options = {"n_init": 1, "batch_size": 1000, "max_epochs": 5}
    expected = imsat("auto", **options).fit(X).predict_proba(X)
    zeros = np.repeat([1.0, 0.0], 60)
    for rows, weight in (
        (X, np.full(60, 2.0)),
        (np.vstack([X, X]), None),
        (np.r_[X, 9 + X], zeros),
    ):
        found = imsat("auto", **options).fit(rows, sample_weight=weight).predict_proba(X)
        np.testing.assert_allclose(found, expected, rtol=0, atol=1e-6)


def test_the_score_is_minus_the_loss():
    net = imsat(n_init=1, batch_size=1000, max_epochs=100, invariance="vat").fit(X)
    assert net.score(X) == pytest.approx(-net.loss_, abs=0.05)
    assert net.score(X) == net.score(X)
    assert net.score(X, sample_weight=np.arange(len(X)) < 3) != net.score(X)


def test_settings_of_torch_do_not_change_the_score():
    net = imsat(n_init=1, max_epochs=2, invariance="vat").fit(X)
    expected = net.score(X)
    for setting in (torch.inference_mode(), torch.autocast("cpu", dtype=torch.bfloat16)):
        with setting:
            assert net.score(X) == expected


# As a scikit-learn estimator ---------------------------------------------------------------


def test_in_a_pipeline_with_a_data_frame():
    frame = pd.DataFrame(X, columns=list("abcdef"))
    pipeline = make_pipeline(StandardScaler(), imsat()).set_output(transform="pandas").fit(frame)
    assert adjusted_rand_score(BLOB, pipeline.predict(frame)) > 0.98
    features = pipeline.transform(frame)
    assert features.shape == (200, 32)
    assert list(features.columns[:2]) == ["imsat0", "imsat1"]


def test_features_for_a_classifier():
    classifier = make_pipeline(imsat(10, max_epochs=10), LogisticRegression())
    assert cross_val_score(classifier, DIGITS[:400], DIGIT[:400], cv=2).mean() > 0.8


def test_a_pickled_clusterer_predicts_the_same():
    net = imsat(max_epochs=3).fit(X)
    np.testing.assert_array_equal(pickle.loads(pickle.dumps(net)).predict(X), net.labels_)


@pytest.mark.parametrize("params", [{"invariance": "vat"}, {"n_init": 1}, {}])
def test_batched_search_finds_what_grid_search_finds(params, assert_same_search):
    grid = {"invariance_strength": [0.5, 1.0], "lr": [1e-3, 1e-2]}
    net = imsat(max_epochs=4, **params)
    batched = BatchedGridSearchCV(net, grid, cv=2).fit(X)
    assert_same_search(batched, GridSearchCV(net, grid, cv=2).fit(X))


def test_a_warm_start_may_change_the_views():
    net = imsat(warm_start=True).fit(X)
    net.set_params(invariance="noise", invariance_strength=0.5, max_epochs=2).fit(X)
    assert net.n_iter_ == 62
    assert adjusted_rand_score(BLOB, net.labels_) > 0.98


def test_changed_labels_are_recorded_and_end_training():
    net = imsat(n_init=1, tol=0.02, max_epochs=200).fit(X)
    changed = [row["changed_labels"] for row in net.history_ if "changed_labels" in row]
    assert changed
    assert net.n_iter_ < 200
    assert changed[-1] < 0.02


@pytest.mark.parametrize(
    ("params", "message"),
    [
        ({"n_clusters": 201}, "n_clusters must be <= the number of samples"),
        ({"invariance": "affine"}, "invariance='affine' needs image_shape"),
        ({"invariance": []}, "invariance must be 'auto' or consist of"),
        ({"invariance": ["vat", "rotation"]}, "invariance must be 'auto' or consist of"),
        ({"invariance": [["vat"]]}, "invariance must be 'auto' or consist of"),
        ({"class_prior": [0.5, 0.5]}, "class_prior must be 4 positive fractions"),
        ({"class_prior": [1, 1, 1, 1]}, "class_prior must be 4 positive fractions"),
        ({"class_prior": [1.0], "n_clusters": "auto"}, "class_prior must be None"),
    ],
)
def test_wrong_parameters_are_errors(params, message):
    with pytest.raises(ValueError, match=message):
        imsat(**params).fit(X)
