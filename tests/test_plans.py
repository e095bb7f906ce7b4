"""Fits with several trainings: phases, new targets, and fitted attributes."""

import pickle

import numpy as np
import pytest
from sklearn.base import clone
from sklearn.datasets import make_blobs
from sklearn.metrics import adjusted_rand_score

from skdeep.cluster import DeepEmbeddedClustering
from skdeep.exceptions import DivergenceError

BLOBS, BLOB = make_blobs(300, 8, centers=4, random_state=0)
SMALL = {"pretrain_epochs": 4, "max_epochs": 5, "batch_size": 64, "device": "cpu"}
SMALL |= {"hidden_layer_sizes": (64,), "update_interval": 2, "tol": 0}


@pytest.fixture(scope="module")
def clusterer():
    return DeepEmbeddedClustering(4, n_components=3, **SMALL, random_state=0).fit(BLOBS)


def test_clusters_are_found(clusterer):
    assert adjusted_rand_score(BLOB, clusterer.labels_) > 0.9
    np.testing.assert_array_equal(clusterer.predict(BLOBS), clusterer.labels_)
    assert clusterer.transform(BLOBS).shape == (300, 3)
    assert clusterer.cluster_centers_.shape == (4, 3)


def test_the_history_says_which_phase_an_epoch_belongs_to(clusterer):
    phases = [row["phase"] for row in clusterer.history_]
    assert phases == ["pretraining"] * 4 + ["clustering"] * 5
    assert clusterer.n_iter_ == len(clusterer.loss_curve_) == 9


def test_a_fit_with_phases_repeats_itself_and_survives_a_pickle(clusterer, assert_same):
    for other in (clone(clusterer).fit(BLOBS), pickle.loads(pickle.dumps(clusterer))):
        np.testing.assert_array_equal(other.labels_, clusterer.labels_)
        np.testing.assert_array_equal(other.predict(BLOBS), clusterer.predict(BLOBS))
        np.testing.assert_array_equal(other.transform(BLOBS), clusterer.transform(BLOBS))


def test_targets_can_change_while_all_samples_are_one_batch():
    options = {**SMALL, "batch_size": 1000, "pretrain_epochs": 30, "random_state": 0}
    one = DeepEmbeddedClustering(4, n_components=3, **options).fit(np.vstack([BLOBS, BLOBS]))
    np.testing.assert_array_equal(one.labels_[:300], one.labels_[300:])
    assert adjusted_rand_score(BLOB, one.labels_[:300]) > 0.9


def test_a_failing_phase_leaves_the_earlier_fit():
    net = DeepEmbeddedClustering(4, n_components=3, **SMALL, random_state=0).fit(BLOBS)
    labels = net.predict(BLOBS)
    with pytest.raises(DivergenceError):
        net.set_params(lr=1e30).fit(BLOBS)
    np.testing.assert_array_equal(net.predict(BLOBS), labels)


class Epochs:
    """Callback of scikit-learn that counts epochs and predicts after each."""

    def __init__(self):
        self.totals, self.predictions = [], []

    def setup(self, estimator, context):
        self.totals.append(context.max_subtasks)

    def on_fit_task_begin(self, estimator, context):
        pass

    def on_fit_task_end(self, estimator, context, *, fitted_estimator=None):
        if context.task_name == "epoch":
            self.predictions.append(fitted_estimator.predict(BLOBS))

    def teardown(self, estimator, context):
        pass


def test_callbacks_of_scikit_learn_see_the_epochs_of_all_phases():
    epochs = Epochs()
    net = DeepEmbeddedClustering(4, n_components=3, **SMALL, random_state=0).set_callbacks(epochs)
    net.fit(BLOBS)
    assert epochs.totals == [9]
    assert len(epochs.predictions) == 9
    np.testing.assert_array_equal(epochs.predictions[-1], net.labels_)
