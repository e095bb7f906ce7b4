"""Number of threads of a fit on the CPU, seen by a callback."""

import numpy as np
import pytest
import torch
from skorch.callbacks import Callback

from skdeep.cluster import IMSAT
from skdeep.decomposition import Autoencoder
from skdeep.neural_network import ResNetClassifier

IMAGES = {"image_shape": (8, 8)}


class Threads(Callback):
    def on_train_begin(self, net, **kwargs):
        self.n_threads = torch.get_num_threads()


def threads_in_fit(estimator, n_features, set_threads):
    """Number of threads of a fit when torch is set to two; they are two again after it."""
    set_threads(2)
    threads = Threads()
    X = np.random.default_rng(0).random((64, n_features), dtype=np.float32)
    estimator.set_params(max_epochs=1, callbacks=[threads], device="cpu", random_state=0)
    estimator.fit(X, np.arange(64) % 2)
    assert torch.get_num_threads() == 2
    return threads.n_threads


@pytest.mark.parametrize(
    "estimator",
    [
        Autoencoder(2),
        Autoencoder(2, **IMAGES),
        Autoencoder(2, block="residual", **IMAGES),
        ResNetClassifier(width=32),
        ResNetClassifier(stem_width=4, n_blocks=1, **IMAGES),
        IMSAT(2, n_init=1, **IMAGES),
    ],
    ids=repr,
)
def test_small_nets_are_trained_on_one_thread(estimator, set_threads):
    assert threads_in_fit(estimator, 64, set_threads) == 1


@pytest.mark.parametrize(
    "estimator",
    [
        Autoencoder(2, hidden_layer_sizes=(2000, 1000)),
        # few weights, which many pixels share
        Autoencoder(2, hidden_layer_sizes=(32, 64), image_shape=(28, 28)),
        ResNetClassifier(stem_width=8, n_blocks=1, image_shape=(28, 28)),
    ],
    ids=repr,
)
def test_large_nets_are_trained_on_all_threads(estimator, set_threads):
    assert threads_in_fit(estimator, 784, set_threads) == 2
