"""Randomness in training: noise, masks, dropout and image augmentation."""

import itertools
import math

import numpy as np
import pytest
import torch
from skorch.callbacks import Callback

from skdeep.decomposition import Autoencoder
from skdeep.neural_network import ResNetClassifier, ResNetRegressor

ROWS = np.random.default_rng(0).normal(size=(400, 250)).astype(np.float32)
# one step of hardly any length, of all samples as they are
ONE_STEP = {"max_epochs": 1, "lr": 1e-30, "batch_size": 1000, "feature_scaling": None}
ONE_STEP |= {"device": "cpu", "random_state": 0}


class Watch(Callback):
    """Records inputs and outputs of all layers, in order, and the batch."""

    def on_train_begin(self, net, **kwargs):
        self.passes_ = []
        layers = [one for one in net.module_.modules() if not list(one.children())]
        self.handles_ = [layer.register_forward_hook(self.keep) for layer in layers]

    def keep(self, layer, given, output):
        if layer.training:
            has_weights = bool(list(layer.parameters()))
            self.passes_.append((has_weights, given[0].detach(), output.detach()))

    def on_batch_begin(self, net, batch=None, **kwargs):
        self.x_ = batch.x

    def on_train_end(self, net, **kwargs):
        for handle in self.handles_:
            handle.remove()

    def read(self):
        """Input of the first layer with weights."""
        return next(given for has_weights, given, _ in self.passes_ if has_weights)

    def dropouts(self):
        """Inputs and outputs of layers that only zeroed entries."""
        return [
            (given, output)
            for has_weights, given, output in self.passes_
            if not has_weights
            and given.shape == output.shape
            and ((output == 0) & (given != 0)).any()
        ]


def watch(Class, X, y=None, **parameters):
    """See one step of training."""
    watched = Watch()
    Class(callbacks=[watched], **{**ONE_STEP, **parameters}).fit(X, y)
    return watched


# Noise of the input ------------------------------------------------------------------------


def test_gaussian_noise_has_that_deviation():
    watched = watch(Autoencoder, ROWS, noise=0.5, hidden_layer_sizes=())
    noise = watched.read() - watched.x_
    # 100,000 draws: standard error of the mean 0.0016, of the deviation 0.0011
    assert noise.mean().item() == pytest.approx(0.0, abs=0.007)
    assert noise.std().item() == pytest.approx(0.5, abs=0.005)


def test_masks_zero_that_fraction_and_keep_the_rest():
    watched = watch(Autoencoder, ROWS, noise=0.3, noise_kind="masking", hidden_layer_sizes=())
    is_kept = watched.read() != 0
    # 100,000 draws: standard error of the fraction 0.0014
    assert is_kept.float().mean().item() == pytest.approx(0.7, abs=0.006)
    assert torch.equal(watched.read()[is_kept], watched.x_[is_kept])


# Dropout -----------------------------------------------------------------------------------


def hidden_dropout(rate, **parameters):
    """Input and output of the dropout after a hidden layer of 250 units, for 400 samples."""
    options = {"hidden_layer_sizes": (250,), "activation": "identity", "dropout": rate}
    watched = watch(Autoencoder, ROWS, **options, **parameters)
    return watched.dropouts()[0]


@pytest.mark.parametrize("rate", [0.01, 0.5, 0.99])
def test_dropout_zeroes_independent_entries_and_keeps_the_mean(rate):
    given, output = hidden_dropout(rate)
    kept = output != 0
    torch.testing.assert_close(output[kept], given[kept] / (1 - rate), rtol=1e-3, atol=0)
    tossed = (kept.flatten().double() - (1 - rate)) / math.sqrt(rate * (1 - rate))
    limit = 4 / math.sqrt(len(tossed))
    assert abs(tossed.mean()) < limit
    for distance in (1, 2, 3, 4):
        assert abs((tossed[distance:] * tossed[:-distance]).mean()) < limit


def test_dropout_of_images_zeroes_independent_pixels():
    options = {"image_shape": (1, 10, 25), "hidden_layer_sizes": (4,), "activation": "identity"}
    watched = watch(Autoencoder, ROWS, dropout=0.3, **options)
    given, output = watched.dropouts()[0]
    tossed = (output != 0).flatten().double() - 0.7
    assert given.ndim == 4
    limit = 4 * math.sqrt(0.21 / len(tossed))
    assert abs(tossed.mean()) < limit
    assert abs((tossed[1:] * tossed[:-1]).mean() / 0.21) < 4 / math.sqrt(len(tossed))


def test_dropout_of_a_tiny_rate_changes_nothing():
    options = {"hidden_layer_sizes": (8,), **ONE_STEP, "lr": 0.01, "max_epochs": 3}
    tiny, none = (Autoencoder(dropout=rate, **options).fit(ROWS) for rate in (1e-12, 0.0))
    assert tiny.loss_curve_ == none.loss_curve_


@pytest.mark.parametrize("image_shape", [None, (10, 25)], ids=["table", "image"])
def test_residual_dropout_zeroes_what_a_block_adds(image_shape):
    sizes = {"stem_width": 4} if image_shape else {"width": 50}
    options = {"n_blocks": 1, "dropout": 0.0, "residual_dropout": 0.3, "activation": "identity"}
    watched = watch(ResNetRegressor, ROWS, ROWS[:, 0], image_shape=image_shape, **options, **sizes)
    dropouts = watched.dropouts()
    assert len(dropouts) == (3 if image_shape else 1)
    for given, output in dropouts:
        kept = output != 0
        # over 10,000 draws: standard error of the fraction below 0.005
        assert kept.float().mean().item() == pytest.approx(0.7, abs=0.02)
        torch.testing.assert_close(output[kept], given[kept] / 0.7, rtol=1e-4, atol=0)


# Augmentation ------------------------------------------------------------------------------


def moved(image, down, right):
    """Image shifted by a number of pixels, padded with copies of the border."""
    height, width = image.shape
    rows = (np.arange(height) - down).clip(0, height - 1)
    return image[rows][:, (np.arange(width) - right).clip(0, width - 1)]


def augmented(image, augment, n_images=500):
    """Augmented copies of an image in training."""
    X = np.tile(image.ravel(), (2 * n_images, 1))
    options = {"n_blocks": 1, "stem_width": 1, "augment": augment, "image_shape": image.shape}
    # two classes and two batches, so that equal images stay apart
    watched = watch(
        ResNetClassifier, X, np.arange(2 * n_images) % 2, batch_size=n_images, **options
    )
    images = [given for has_weights, given, _ in watched.passes_ if has_weights and given.ndim == 4]
    n_channels = images[0].shape[1]
    assert n_channels == 1
    return images[0][:, 0].numpy()


@pytest.mark.parametrize("size, limit", [((8, 8), 1), ((24, 30), 2), ((28, 28), 2), ((36, 36), 3)])
def test_shift_moves_by_up_to_a_twelfth_of_the_shorter_side(size, limit):
    image = np.arange(float(size[0] * size[1])).reshape(size)
    steps = range(-limit, limit + 1)
    places = {moved(image, *step).tobytes(): step for step in itertools.product(steps, steps)}
    results = augmented(image, "shift")
    seen = [places[result.astype(float).tobytes()] for result in results]
    # 500 draws of at most 49 moves: one is missed with a probability of 49 (48/49)^500 = 0.002
    assert set(seen) == set(places.values())


def test_flip_mirrors_about_half_of_the_images_and_moves_them():
    image = np.arange(64.0).reshape(8, 8)
    steps = list(itertools.product((-1, 0, 1), repeat=2))
    straight = [moved(image, *step).tobytes() for step in steps]
    mirrored = [moved(image, *step)[:, ::-1].tobytes() for step in steps]
    results = [result.astype(float).tobytes() for result in augmented(image, "shift+flip")]
    assert set(results) <= {*straight, *mirrored}
    # binomial of 500 coins: standard deviation 11
    assert abs(sum(result in mirrored for result in results) - 250) < 45
