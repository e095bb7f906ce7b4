"""Residual nets for images: shapes, augmentation, and incompatible parameters."""

import numpy as np
import pytest
import torch
from sklearn.datasets import load_digits
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import MinMaxScaler

from skdeep.neural_network import ResNetClassifier, ResNetRegressor

DIGITS, DIGIT = (part[:300] for part in load_digits(return_X_y=True))
COLOURS = np.random.default_rng(0).normal(size=(40, 3 * 9 * 10))
HALF = np.arange(40) % 2


def small(Class=ResNetClassifier, **parameters):
    """Fast convolutional net."""
    defaults = {"n_blocks": 1, "stem_width": 4, "image_shape": (8, 8), "max_epochs": 2}
    defaults |= {"batch_size": 32, "device": "cpu", "random_state": 0}
    return Class(**{**defaults, **parameters})


def test_digits_are_told_apart_in_a_pipeline():
    clf = small(stem_width=8, max_epochs=15, lr=0.01)
    pipe = make_pipeline(MinMaxScaler(), clf).fit(DIGITS[:200], DIGIT[:200])
    assert pipe.score(DIGITS[200:], DIGIT[200:]) > 0.85


def test_place_in_an_image_does_not_matter_much_to_a_convolutional_net():
    rng = np.random.default_rng(0)
    X = np.zeros((200, 8, 8))
    for image, row, column, is_bar in zip(
        X, *rng.integers(0, 6, size=(2, 200)), np.arange(200) % 2, strict=True
    ):
        # the same three pixels in a row or one below the other, anywhere
        part = image[row : row + 3, column] if is_bar else image[row, column : column + 3]
        part[:] = 1.0
    y = np.arange(200) % 2
    clf = small(max_epochs=25, lr=0.01).fit(X[:100], y[:100])
    assert clf.score(X[100:], y[100:]) > 0.9


@pytest.mark.parametrize("Class", [ResNetClassifier, ResNetRegressor])
def test_images_may_come_as_rows_or_as_images(Class):
    expected = small(Class).fit(DIGITS, DIGIT)
    predictions = expected.predict(DIGITS)
    images = DIGITS.reshape(-1, 8, 8)
    for X in (images, images[:, None]):
        np.testing.assert_array_equal(small(Class).fit(X, DIGIT).predict(DIGITS), predictions)
        np.testing.assert_array_equal(expected.predict(X), predictions)
        np.testing.assert_array_equal(expected.embed(X), expected.embed(DIGITS))
    channelled = small(Class, image_shape=(1, 8, 8)).fit(DIGITS, DIGIT)
    np.testing.assert_array_equal(channelled.predict(images), predictions)


def test_images_may_have_channels():
    expected = small(image_shape=(3, 9, 10)).fit(COLOURS, HALF).predict_proba(COLOURS)
    folded = COLOURS.reshape(40, 3, 9, 10)
    clf = small(image_shape=(3, 9, 10)).fit(folded, HALF)
    np.testing.assert_array_equal(clf.predict_proba(folded), expected)
    assert clf.embed(folded).shape == (40, 16)
    # the channels come first: others in their place are other images
    assert not np.array_equal(clf.predict_proba(folded[:, ::-1]), expected)


def test_head_on_what_embed_gives_is_the_decision():
    clf = small().fit(DIGITS, DIGIT)
    Z = clf.embed(DIGITS)
    assert Z.shape == (300, 16) and Z.dtype == np.float64
    assert clf.embed(DIGITS.astype(np.float32)).dtype == np.float32
    head = clf.module_.head
    expected = Z @ head.weight.detach().numpy().T + head.bias.detach().numpy()
    np.testing.assert_allclose(clf.decision_function(DIGITS), expected, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("unit, origin", [(1 / 16, 0), (1e4, 0), (1, 100)])
def test_unit_and_origin_of_the_pixels_do_not_matter(unit, origin):
    expected = small().fit(DIGITS, DIGIT)
    actual = small().fit(unit * DIGITS + origin, DIGIT)
    np.testing.assert_allclose(actual.loss_curve_, expected.loss_curve_, rtol=1e-3)


# Augmentation ------------------------------------------------------------------------------


@pytest.mark.parametrize("augment", ["affine", "shift", "shift+flip"])
def test_augmentation_follows_the_random_state_and_changes_training(augment):
    first, second, other, plain = (
        small(augment=kind, random_state=seed).fit(DIGITS, DIGIT)
        for kind, seed in [(augment, 0), (augment, 0), (augment, 1), (None, 0)]
    )
    assert first.loss_curve_ == second.loss_curve_
    np.testing.assert_array_equal(first.predict_proba(DIGITS), second.predict_proba(DIGITS))
    assert len({tuple(one.loss_curve_) for one in (first, other, plain)}) == 3


@pytest.mark.parametrize("augment", ["affine", "shift", "shift+flip"])
def test_augmentation_is_absent_at_predict(augment):
    clf = small(augment=augment).fit(DIGITS, DIGIT)
    expected = clf.predict_proba(DIGITS)
    np.testing.assert_array_equal(clf.predict_proba(DIGITS), expected)
    # nothing of it is in the weights: a step of nothing with and without it gives the same net
    options = {"lr": 1e-12, "norm": "layer", "dropout": 0.0, "max_epochs": 1}
    with_it = small(augment=augment, **options).fit(DIGITS, DIGIT)
    without = small(**options).fit(DIGITS, DIGIT)
    np.testing.assert_allclose(with_it.embed(DIGITS), without.embed(DIGITS), rtol=1e-6, atol=1e-6)


def test_wide_images_are_tilted_as_little_as_square_ones():
    images = np.zeros((64, 8, 64), dtype=np.float32)
    images[:, :, 31:33] = 1  # a vertical bar
    clf = small(augment="affine", image_shape=(8, 64)).fit(images, np.arange(64) % 2)
    (augment,) = (part for part in clf.module_.modules() if hasattr(part, "kind"))
    moved = augment.train()(torch.from_numpy(images).unsqueeze(1)).numpy()
    widths = (moved.max(axis=(1, 2)) > 0.1).sum(axis=1)
    assert widths.max() <= 12


def last_loss(images, augment):
    """Lower bound of the mean training loss, in nats."""
    y = np.arange(200) % 2
    # unscaled: the mean of the pixels, once taken off, moves along with an image
    options = {"dropout": 0.0, "batch_size": 100, "feature_scaling": None}
    options |= {"lr": 0.02, "max_epochs": 30, "label_smoothing": 0.0}
    return small(augment=augment, **options).fit(np.array(images)[y], y).loss_curve_[-1]


def test_shift_makes_images_alike_that_differ_by_a_pixel():
    columns = np.broadcast_to(np.arange(8.0), (8, 8))
    one_apart, three_apart = [columns < 3, columns < 4], [columns < 2, columns < 5]
    assert last_loss(one_apart, None) < 0.1
    # edges at 2, 3, 4 and at 3, 4, 5: two moves in three are the other image's as well
    assert last_loss(one_apart, "shift") == pytest.approx(2 / 3 * np.log(2), abs=0.1)
    assert last_loss(three_apart, "shift") < 0.1


def test_flip_makes_mirrors_alike():
    columns = np.broadcast_to(np.arange(8.0), (8, 8))
    mirrors = [columns < 2, columns > 5]
    assert last_loss(mirrors, "shift") < 0.1
    assert last_loss(mirrors, "shift+flip") == pytest.approx(np.log(2), abs=0.1)
    upside_down = [columns.T < 2, columns.T > 5]
    assert last_loss(upside_down, "shift+flip") < 0.1


def test_augmentation_may_change_between_warm_starts():
    clf = small(warm_start=True).fit(DIGITS, DIGIT)
    clf.set_params(augment="shift").fit(DIGITS, DIGIT)
    assert clf.n_iter_ == 4


# What does not go together -----------------------------------------------------------------


@pytest.mark.parametrize("augment", ["affine", "shift", "shift+flip"])
def test_augmentation_of_a_table_is_refused(augment):
    with pytest.raises(ValueError, match="augment needs image_shape; got augment="):
        small(image_shape=None, augment=augment).fit(DIGITS, DIGIT)


@pytest.mark.parametrize("kind", ["periodic", "piecewise-linear"])
def test_embeddings_of_pixels_are_refused(kind):
    with pytest.raises(ValueError, match="numerical_embedding must be 'auto' or None with image"):
        small(numerical_embedding=kind).fit(DIGITS, DIGIT)


def test_indicators_of_missing_pixels_are_refused():
    with pytest.raises(ValueError, match="missing must be 'error' with image_shape"):
        small(missing="indicator").fit(DIGITS, DIGIT)


@pytest.mark.parametrize(
    "image_shape, match",
    [((7, 7), "at least 8"), ((8,), r"\(height, width\)"), ((8, 9), "72 pixels and X with 64")],
)
def test_shapes_that_are_no_images_of_the_rows_are_refused(image_shape, match):
    with pytest.raises(ValueError, match=match):
        small(image_shape=image_shape).fit(DIGITS, DIGIT)


def test_new_images_of_another_shape_are_refused():
    clf = small().fit(DIGITS, DIGIT)
    with pytest.raises(ValueError, match="81 features"):
        clf.predict(np.zeros((2, 81)))
    with pytest.raises(ValueError, match="dim 3"):
        clf.predict(np.zeros((2, 4, 16)))
