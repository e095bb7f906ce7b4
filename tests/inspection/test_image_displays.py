"""Pictures of images, compared pixel by pixel with known images."""

import numpy as np
import pytest
import scipy.sparse as sp
from sklearn.cluster import KMeans
from sklearn.datasets import load_digits
from sklearn.decomposition import PCA
from sklearn.exceptions import NotFittedError
from sklearn.metrics import pairwise_distances
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import MinMaxScaler

from skdeep.decomposition import Autoencoder, VariationalAutoencoder
from skdeep.generative import GANSampler
from skdeep.inspection import LatentSpaceDisplay, ReconstructionDisplay, SamplesDisplay

X = load_digits().data[:60] / 16
Y = load_digits().target[:60]
SMALL = {"max_epochs": 2, "device": "cpu", "random_state": 0}
LAYERS = {"hidden_layer_sizes": (8,), **SMALL}


def cut(display, shape=(8, 8)):
    """Pixels of each image, (n_rows, n_columns, height, width, ...), and the gaps as a mask."""
    sheet = np.ma.asarray(display.image_.get_array())
    height, width = shape
    n_rows, n_columns = (sheet.shape[0] + 1) // (height + 1), (sheet.shape[1] + 1) // (width + 1)
    images = [
        [
            sheet[row * (height + 1) :, column * (width + 1) :][:height, :width]
            for column in range(n_columns)
        ]
        for row in range(n_rows)
    ]
    return np.ma.stack([np.ma.stack(row) for row in images])


def row_names(display):
    return [label.get_text() for label in display.ax_.get_yticklabels()]


@pytest.fixture(scope="module")
def vae():
    return VariationalAutoencoder(3, **LAYERS).fit(X)


def test_originals_are_above_their_reconstructions():
    ae = Autoencoder(2, **LAYERS).fit(X)
    display = ReconstructionDisplay.from_estimator(ae, X, n_samples=4, image_shape=(8, 8))
    images = cut(display)
    np.testing.assert_array_equal(images[0].reshape(4, 64), X[:4])
    np.testing.assert_array_equal(images[1].reshape(4, 64), ae.reconstruct(X[:4]))
    assert row_names(display) == ["original", "Autoencoder"]
    np.testing.assert_allclose(display.errors[0], 0)
    np.testing.assert_allclose(display.errors[1], ae.reconstruction_error(X[:4]))


def test_images_are_separated_by_masked_pixels():
    display = ReconstructionDisplay.from_predictions(X, X, n_samples=3, image_shape=(8, 8))
    sheet = display.image_.get_array()
    assert sheet.shape == (17, 26)
    assert sheet.mask[8].all() and sheet.mask[:, [8, 17]].all()
    assert sheet.count() == 6 * 64


def test_several_estimators_and_pipelines_have_a_row_each():
    pca = PCA(2).fit(X)
    pipe = make_pipeline(MinMaxScaler(), Autoencoder(2, **LAYERS)).fit(X)
    models = {"linear": pca, "pipeline": pipe}
    display = ReconstructionDisplay.from_estimator(models, X, image_shape=(8, 8))
    images = cut(display)
    assert row_names(display) == ["original", "linear", "pipeline"]
    for row, model in zip(images[1:], models.values(), strict=True):
        expected = model.inverse_transform(model.transform(X[:10]))
        np.testing.assert_allclose(row.reshape(10, 64), expected)


def test_shape_of_convolutional_nets_is_known():
    ae = Autoencoder(2, image_shape=(8, 8), hidden_layer_sizes=(2,), **SMALL).fit(X)
    pipe = make_pipeline(MinMaxScaler(), ae).fit(X)
    for one in (ae, pipe):
        images = ReconstructionDisplay.from_estimator(one, X, n_samples=2).images
        assert images.shape == (2, 2, 1, 8, 8)


def test_sparse_samples_and_arrays_of_images_are_drawn():
    dense = ReconstructionDisplay.from_predictions(X, X / 2, image_shape=(8, 8)).images
    sparse = ReconstructionDisplay.from_predictions(
        sp.csr_array(X), {"half": X.reshape(-1, 8, 8) / 2}, image_shape=(1, 8, 8)
    )
    np.testing.assert_array_equal(sparse.images, dense)
    assert row_names(sparse) == ["original", "half"]


def test_colored_images_are_scaled_to_their_range():
    rgb = np.arange(2 * 3 * 2 * 4, dtype=float).reshape(2, 24)
    display = ReconstructionDisplay.from_predictions(rgb, rgb, image_shape=(3, 2, 4))
    images = cut(display, (2, 4))
    expected = rgb.reshape(2, 3, 2, 4).transpose(0, 2, 3, 1) / 47
    np.testing.assert_allclose(images[0][..., :3], expected)
    assert (images[..., 3] == 1).all()
    assert (display.image_.get_array()[2, :, 3] == 0).all()
    wider = display.plot(vmin=0, vmax=94)
    np.testing.assert_allclose(cut(wider, (2, 4))[0][..., :3], expected / 2)


def test_generated_images_are_above_the_nearest_real_ones(vae):
    shape = {"image_shape": (8, 8), "n_samples": 12}
    display = SamplesDisplay.from_estimator(vae, X, random_state=3, **shape)
    drawn = vae.sample(12, random_state=3, observation_noise=False)
    distances = pairwise_distances(drawn, X)
    images = cut(display).reshape(2, 12, 64)
    np.testing.assert_allclose(images[0], drawn)
    np.testing.assert_array_equal(images[1], X[distances.argmin(axis=1)])
    np.testing.assert_array_equal(display.indices, distances.argmin(axis=1))
    np.testing.assert_allclose(display.distances, distances.min(axis=1))
    assert row_names(display) == ["generated", "nearest real"]


def test_copies_have_a_distance_of_zero():
    display = SamplesDisplay.from_predictions(X[[7, 3]], X, image_shape=(8, 8))
    np.testing.assert_array_equal(display.indices, [7, 3])
    np.testing.assert_allclose(display.distances, 0, atol=1e-6)


def test_classes_of_generated_images_are_chosen():
    gan = GANSampler(image_shape=(8, 8), hidden_layer_sizes=(4,), **SMALL).fit(X, Y)
    display = SamplesDisplay.from_estimator(gan, X, [1, 2], n_samples=2, random_state=0)
    expected, _ = gan.sample(2, y=[1, 2], random_state=0)
    np.testing.assert_allclose(display.generated.reshape(2, 64), expected)


@pytest.mark.parametrize("components", [None, [2, 0]])
def test_one_component_changes_in_each_row_of_a_traversal(components, vae):
    options = {"components": components, "n_steps": 5, "limit": 2.0, "image_shape": (8, 8)}
    display = LatentSpaceDisplay.from_estimator(vae, kind="traversal", **options)
    chosen = [0, 1, 2] if components is None else components
    images = cut(display)
    assert row_names(display) == [f"component {one}" for one in chosen]
    for row, codes, component in zip(images, display.codes, chosen, strict=True):
        expected = np.zeros((5, 3))
        expected[:, component] = [-2, -1, 0, 1, 2]
        np.testing.assert_allclose(codes, expected)
        np.testing.assert_allclose(row.reshape(5, 64), vae.inverse_transform(expected))


def test_traversal_of_a_pipeline_is_in_the_units_of_its_input(vae):
    pipe = make_pipeline(MinMaxScaler((0, 2)), vae).fit(X)
    options = {"kind": "traversal", "image_shape": (8, 8)}
    shown = LatentSpaceDisplay.from_estimator(pipe, **options).images
    expected = pipe.inverse_transform(np.zeros((1, 3)))
    np.testing.assert_allclose(shown[0, 4].reshape(1, 64), expected)


def test_images_without_a_shape_are_refused(vae):
    ae = Autoencoder(2, **LAYERS).fit(X)
    pattern = "image_shape must be given.* since the {} was fitted without it"
    with pytest.raises(ValueError, match=pattern.format("Autoencoder")):
        ReconstructionDisplay.from_estimator(ae, X)
    with pytest.raises(ValueError, match=pattern.format("PCA")):
        ReconstructionDisplay.from_estimator(PCA(2).fit(X), X)
    with pytest.raises(ValueError, match=pattern.format("VariationalAutoencoder")):
        SamplesDisplay.from_estimator(vae, X)
    with pytest.raises(ValueError, match=pattern.format("VariationalAutoencoder")):
        LatentSpaceDisplay.from_estimator(vae, kind="traversal")


@pytest.mark.parametrize(
    "shape, pattern",
    [
        ((4, 4), "as many pixels as X has features.*16 pixels and X with 64"),
        ((4, 4, 4), "with one or three channels; got"),
        ((64,), "with one or three channels; got"),
        ((0, 64), "with one or three channels; got"),
    ],
)
def test_shapes_that_do_not_fit_are_refused(shape, pattern):
    with pytest.raises(ValueError, match=pattern):
        ReconstructionDisplay.from_predictions(X, X, image_shape=shape)


def test_what_has_no_images_is_refused(vae):
    shape = {"image_shape": (8, 8)}
    kmeans = KMeans(2, random_state=0).fit(X)
    with pytest.raises(TypeError, match="transform and inverse_transform; got KMeans"):
        ReconstructionDisplay.from_estimator(kmeans, X, **shape)
    with pytest.raises(ValueError, match="inconsistent numbers of samples"):
        ReconstructionDisplay.from_predictions(X[:4], X[:3], **shape)
    with pytest.raises(TypeError, match=r"must have a method sample.* got KMeans"):
        SamplesDisplay.from_estimator(kmeans, X, **shape)
    with pytest.raises(TypeError, match="must be a VariationalAutoencoder for kind='traversal'"):
        LatentSpaceDisplay.from_estimator(PCA(2).fit(X), kind="traversal", **shape)
    with pytest.raises(ValueError, match="indices below 3, the number of components"):
        LatentSpaceDisplay.from_estimator(vae, kind="traversal", components=[3], **shape)
    for display in (ReconstructionDisplay, SamplesDisplay):
        with pytest.raises(NotFittedError):
            display.from_estimator(VariationalAutoencoder(), X, **shape)
    with pytest.raises(NotFittedError):
        LatentSpaceDisplay.from_estimator(VariationalAutoencoder(), kind="traversal", **shape)
