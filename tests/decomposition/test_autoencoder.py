"""Autoencoder: known answers, references, errors."""

import numpy as np
import pytest
from scipy.linalg import subspace_angles
from scipy.special import expit
from sklearn.datasets import load_digits, load_iris, make_s_curve, make_swiss_roll
from sklearn.decomposition import PCA

from skdeep.decomposition import Autoencoder

DIGITS = load_digits().data / 16
IRIS = load_iris().data


def small(n_components=2, **parameters):
    """Fast autoencoder."""
    return Autoencoder(
        n_components, **{"max_epochs": 5, "device": "cpu", "random_state": 0, **parameters}
    )


def encoder_matrix(ae):
    """Linear part of ``transform``, (n_components, n_features)."""
    n_features = ae.n_features_in_
    return (ae.transform(np.eye(n_features)) - ae.transform(np.zeros((1, n_features)))).T


def decoder_matrix(ae, n_components):
    """Linear part of ``inverse_transform``, (n_features, n_components)."""
    origin = ae.inverse_transform(np.zeros((1, n_components)))
    return (ae.inverse_transform(np.eye(n_components)) - origin).T


# Known answers -----------------------------------------------------------------------------


@pytest.mark.parametrize("tied_weights", [False, True])
def test_linear_autoencoder_spans_the_subspace_of_pca(tied_weights):
    ae = small(
        3,
        hidden_layer_sizes=(),
        tied_weights=tied_weights,
        batch_size=len(DIGITS),
        max_epochs=400,
        lr=0.02,
        lr_schedule="cosine",
        tol=0,
    ).fit(DIGITS)
    pca = PCA(3).fit(DIGITS)
    assert subspace_angles(decoder_matrix(ae, 3), pca.components_.T).max() < 1e-3
    codes = ae.transform(DIGITS)
    angles = subspace_angles(codes - codes.mean(axis=0), pca.transform(DIGITS))
    assert angles.max() < 1e-3
    X_hat = pca.inverse_transform(pca.transform(DIGITS))
    assert ae.score(DIGITS) == pytest.approx(-np.square(DIGITS - X_hat).mean(), rel=1e-5)
    assert np.square(ae.reconstruct(DIGITS) - X_hat).mean() < 1e-6


def test_tied_weights_stay_tied_in_training():
    tied = small(
        3, hidden_layer_sizes=(), tied_weights=True, feature_scaling=None, max_epochs=20
    ).fit(DIGITS)
    np.testing.assert_allclose(decoder_matrix(tied, 3), encoder_matrix(tied).T, atol=1e-5)
    free = small(3, hidden_layer_sizes=(), feature_scaling=None, max_epochs=20).fit(DIGITS)
    assert np.abs(decoder_matrix(free, 3) - encoder_matrix(free).T).max() > 0.1


def test_tied_weights_with_hidden_layers_learn():
    tied = small(8, hidden_layer_sizes=(32, 16), tied_weights=True, max_epochs=30).fit(DIGITS)
    assert -tied.score(DIGITS) < 0.5 * DIGITS.var(axis=0).mean()


@pytest.mark.parametrize("make_manifold", [make_swiss_roll, make_s_curve])
def test_autoencoder_beats_pca_on_a_bent_surface(make_manifold):
    X, _ = make_manifold(1500, random_state=0)
    train, test = X[:1000], X[1000:]
    pca = PCA(2).fit(train)
    pca_error = np.square(test - pca.inverse_transform(pca.transform(test))).mean()
    ae = small(hidden_layer_sizes=(64, 64), max_epochs=150, lr=3e-3).fit(train)
    assert -ae.score(test) < 0.5 * pca_error


@pytest.mark.parametrize(
    "noise, noise_kind, corrupt",
    [
        (1.0, "gaussian", lambda X, rng: X + 0.3 * rng.normal(size=X.shape)),
        (0.3, "masking", lambda X, rng: X * (rng.uniform(size=X.shape) > 0.3)),
    ],
    ids=["gaussian", "masking"],
)
def test_denoising_restores_corrupted_rows_better_than_a_plain_autoencoder(
    noise, noise_kind, corrupt
):
    train, test = DIGITS[:1400], DIGITS[1400:]
    corrupted = corrupt(test, np.random.default_rng(0))
    # unscaled for masking, so that a masked entry is the zero that the net saw
    scaling = None if noise_kind == "masking" else "global"
    common = {"max_epochs": 30, "feature_scaling": scaling}
    plain = small(32, **common).fit(train)
    denoising = small(32, noise=noise, noise_kind=noise_kind, **common).fit(train)
    errors = [np.square(ae.reconstruct(corrupted) - test).mean() for ae in (denoising, plain)]
    assert errors[0] < 0.8 * errors[1]
    assert errors[0] < 0.8 * np.square(corrupted - test).mean()


def test_sparsity_shrinks_the_codes():
    sizes = [
        np.abs(small(8, sparsity=sparsity, max_epochs=20).fit_transform(DIGITS)).mean()
        for sparsity in (0.0, 0.1, 1.0)
    ]
    assert sizes[2] < 0.5 * sizes[1] < 0.25 * sizes[0]


def test_contraction_shrinks_the_jacobian_of_the_encoder():
    def jacobian_norm(ae, rows, step=1e-2):
        codes = ae.transform(rows)
        columns = [(ae.transform(rows + step * e) - codes) / step for e in np.eye(64)]
        return np.square(columns).sum(axis=(0, 2)).mean()

    norms = [
        jacobian_norm(small(8, contraction=weight, max_epochs=15).fit(DIGITS), DIGITS[:20])
        for weight in (0.0, 0.1, 1.0)
    ]
    assert norms[2] < 0.5 * norms[1] < 0.25 * norms[0]


def test_penalties_are_parts_of_the_loss_with_their_weight():
    ae = small(sparsity=0.5, contraction=0.1, max_epochs=3).fit(IRIS)
    for loss, row in zip(ae.loss_curve_, ae.history_, strict=True):
        parts = [row[f"train_{name}"] for name in ("reconstruction", "sparsity", "contraction")]
        assert min(parts) > 0
        assert loss == pytest.approx(sum(parts), rel=1e-6)


# Global skip -------------------------------------------------------------------------------


def test_global_skip_reconstructs_but_does_not_decode_codes_alone():
    ae = small(4, noise=1.0, global_skip=True, max_epochs=20).fit(DIGITS)
    rng = np.random.default_rng(0)
    noisy = DIGITS + 0.3 * rng.normal(size=DIGITS.shape)
    assert np.square(ae.reconstruct(noisy) - DIGITS).mean() < np.square(noisy - DIGITS).mean()
    assert not hasattr(ae, "inverse_transform")
    with pytest.raises(AttributeError) as error:
        ae.inverse_transform(ae.transform(DIGITS))
    assert "Use reconstruct(X)" in str(error.value.__cause__)


def test_global_skip_without_a_correction_returns_the_row():
    # an untrained correction is small beside rows that are large and not scaled
    ae = small(noise=0.1, global_skip=True, feature_scaling=None, lr=1e-12).fit(IRIS)
    plain = small(noise=0.1, feature_scaling=None, lr=1e-12).fit(IRIS)
    np.testing.assert_allclose(ae.reconstruct(IRIS) - plain.reconstruct(IRIS), IRIS, atol=1e-5)


# Reconstruction error and score ------------------------------------------------------------


def mean_huber(X, X_hat):
    distance = np.abs(X - X_hat)
    return np.where(distance < 1, distance**2 / 2, distance - 1 / 2).mean(axis=1)


def mean_cross_entropy(X, P):
    return -(X * np.log(P) + (1 - X) * np.log1p(-P)).mean(axis=1)


@pytest.mark.parametrize(
    "loss, X, formula",
    [
        ("mse", IRIS, lambda X, X_hat: ((X - X_hat) ** 2).mean(axis=1)),
        ("huber", 10 * IRIS, mean_huber),
        ("bce", DIGITS, mean_cross_entropy),
        ("multinomial", 16 * DIGITS, lambda X, P: -(X * np.log(P)).mean(axis=1)),
    ],
    ids=["mse", "huber", "bce", "multinomial"],
)
def test_reconstruction_error_is_the_loss_in_the_units_of_the_rows(loss, X, formula):
    ae = small(loss=loss).fit(X)
    expected = formula(X, ae.reconstruct(X))
    assert expected.shape == (len(X),)
    np.testing.assert_allclose(ae.reconstruction_error(X), expected, rtol=1e-6)
    np.testing.assert_allclose(ae.score_samples(X), -expected, rtol=1e-6)
    assert ae.score(X) == pytest.approx(-expected.mean())
    weight = np.arange(len(X))
    assert ae.score(X, sample_weight=weight) == pytest.approx(-np.average(expected, weights=weight))


@pytest.mark.parametrize("loss", ["mse", "huber", "bce", "multinomial"])
def test_loss_curve_of_unscaled_rows_is_the_mean_reconstruction_error(loss):
    # with a tiny learning rate, the loss of the epoch is that of the fitted net
    ae = small(loss=loss, feature_scaling=None, lr=1e-12, max_epochs=1, batch_size=2000)
    ae.fit(DIGITS)
    assert ae.loss_curve_[0] == pytest.approx(ae.reconstruction_error(DIGITS).mean(), rel=1e-5)


def test_reconstruct_is_transform_and_inverse_transform():
    ae = small().fit(IRIS)
    np.testing.assert_allclose(
        ae.reconstruct(IRIS), ae.inverse_transform(ae.transform(IRIS)), rtol=1e-5
    )


def test_fit_transform_is_fit_and_transform_and_ignores_the_target():
    expected = small().fit(IRIS).transform(IRIS)
    np.testing.assert_array_equal(small().fit_transform(IRIS), expected)
    np.testing.assert_array_equal(small().fit_transform(IRIS, load_iris().target), expected)


# Losses and output activations -------------------------------------------------------------


def test_bce_and_multinomial_reconstruct_probabilities():
    P = small(loss="bce").fit(DIGITS).reconstruct(DIGITS)
    assert P.min() > 0 and P.max() < 1
    P = small(loss="multinomial").fit(16 * DIGITS).reconstruct(16 * DIGITS)
    np.testing.assert_allclose(P.sum(axis=1), 1, rtol=1e-5)


@pytest.mark.parametrize(
    "output_activation, low, high",
    [("logistic", 0, 1), ("relu", 0, np.inf), ("softplus", 0, np.inf), ("tanh", -1, 1)],
)
def test_output_activation_bounds_reconstructions(output_activation, low, high):
    rng = np.random.default_rng(0)
    X = rng.uniform(max(low, -2), min(high, 2), size=(200, 4))
    X_hat = small(output_activation=output_activation).fit(X).reconstruct(X)
    assert X_hat.min() >= low and X_hat.max() <= high


def test_activation_identity_makes_the_encoder_linear():
    ae = small(hidden_layer_sizes=(8, 4), activation="identity").fit(IRIS)
    expected = IRIS @ encoder_matrix(ae).T + ae.transform(np.zeros((1, 4)))
    np.testing.assert_allclose(ae.transform(IRIS), expected, atol=1e-4)


def test_logistic_output_with_mse_equals_the_logistic_function_of_an_identity_output():
    # with no learning both nets have the same weights
    options = {"lr": 1e-12, "max_epochs": 1, "feature_scaling": None}
    identity = small(**options).fit(DIGITS).reconstruct(DIGITS)
    logistic = small(output_activation="logistic", **options).fit(DIGITS).reconstruct(DIGITS)
    np.testing.assert_allclose(logistic, expit(identity), rtol=1e-5)


# Feature scaling ---------------------------------------------------------------------------


def test_codes_do_not_depend_on_the_unit_and_origin_of_the_data():
    codes = small().fit_transform(IRIS)
    moved = small().fit_transform(1000 * IRIS + 5)
    np.testing.assert_allclose(moved, codes, rtol=1e-4, atol=1e-5)
    error = small().fit(IRIS).reconstruction_error(IRIS)
    moved = small().fit(1000 * IRIS + 5).reconstruction_error(1000 * IRIS + 5)
    np.testing.assert_allclose(moved, 1e6 * error, rtol=1e-3)


def test_standard_scaling_does_not_depend_on_the_unit_of_each_feature():
    units = np.array([1e-3, 1.0, 7.0, 1e5])
    codes = small(feature_scaling="standard").fit_transform(IRIS)
    moved = small(feature_scaling="standard").fit_transform(IRIS * units)
    np.testing.assert_allclose(moved, codes, rtol=1e-4, atol=1e-5)
    assert not np.allclose(small().fit_transform(IRIS * units), codes, atol=0.1)


# Images ------------------------------------------------------------------------------------


@pytest.mark.parametrize("block", ["dense", "residual"])
@pytest.mark.parametrize("image_shape", [(8, 8), (9, 11), (3, 10, 8), (28, 28), (1, 8, 13)])
def test_images_of_any_size_keep_their_shape(image_shape, block):
    X = np.random.default_rng(0).normal(size=(20, np.prod(image_shape)))
    ae = small(3, image_shape=image_shape, block=block, max_epochs=2).fit(X)
    codes = ae.transform(X)
    assert codes.shape == (20, 3) and np.isfinite(codes).all()
    assert ae.inverse_transform(codes).shape == X.shape
    assert ae.reconstruct(X).shape == X.shape


@pytest.mark.parametrize(
    "image_shape, folded", [((9, 11), (9, 11)), ((9, 11), (1, 9, 11)), ((3, 10, 8), (3, 10, 8))]
)
def test_images_may_come_folded(image_shape, folded):
    X = np.random.default_rng(0).normal(size=(20, np.prod(image_shape)))
    flat = small(image_shape=image_shape).fit(X)
    images = X.reshape(20, *folded)
    ae = small(image_shape=image_shape).fit(images)
    assert ae.n_features_in_ == X.shape[1]
    for method in ("transform", "reconstruct", "score_samples"):
        expected = getattr(flat, method)(X)
        np.testing.assert_array_equal(getattr(ae, method)(images), expected)
        np.testing.assert_array_equal(getattr(ae, method)(X), expected)


def test_convolution_sees_where_pixels_lie():
    # bright squares at random places: neighbourhood helps, and shuffled pixels have none
    rng = np.random.default_rng(0)
    X = np.zeros((600, 12, 12))
    for image, (row, column) in zip(X, rng.integers(0, 9, size=(600, 2)), strict=True):
        image[row : row + 4, column : column + 4] = 1.0
    X = X.reshape(600, -1)
    shuffled = X[:, rng.permutation(144)]
    errors = [
        -small(8, image_shape=(12, 12), max_epochs=40, lr=3e-3).fit(one[:500]).score(one[500:])
        for one in (X, shuffled)
    ]
    assert errors[0] < 0.8 * errors[1]


def test_hidden_layer_sizes_are_the_channels_of_images_and_empty_is_allowed():
    for sizes in [(), (4,), (4, 8, 8), 4]:
        ae = small(image_shape=(8, 8), hidden_layer_sizes=sizes, max_epochs=20).fit(DIGITS)
        assert -ae.score(DIGITS) < DIGITS.var(axis=0).mean()


# Blocks ------------------------------------------------------------------------------------


@pytest.mark.parametrize("image_shape", [None, (8, 8)])
@pytest.mark.parametrize("batch_norm", [False, True])
def test_residual_blocks_learn(image_shape, batch_norm):
    ae = small(
        8,
        block="residual",
        image_shape=image_shape,
        batch_norm=batch_norm,
        dropout=0.1,
        max_epochs=10,
    ).fit(DIGITS)
    assert -ae.score(DIGITS) < 0.6 * DIGITS.var(axis=0).mean()


# Errors ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "parameters, X, message",
    [
        ({"loss": "bce"}, 2 * DIGITS, r"X must lie in \[0.0, 1.0\] for loss='bce'.* to 2.*Scale X"),
        ({"loss": "bce"}, DIGITS - 0.5, r"X must lie in \[0.0, 1.0\] for loss='bce'; got.*-0.5"),
        ({"loss": "multinomial"}, -DIGITS, r"X must lie in \[0.0, inf\] for loss='multinomial'"),
        ({"global_skip": True}, IRIS, "global_skip=True needs noise > 0.*trivial optimum"),
        ({"noise": 1.5, "noise_kind": "masking"}, IRIS, "noise must be < 1 with noise_kind='mask"),
        (
            {"tied_weights": True, "block": "residual"},
            IRIS,
            "tied_weights=True needs block='dense'",
        ),
        ({"tied_weights": True, "image_shape": (8, 8)}, DIGITS, "tied_weights=True needs block"),
        (
            {"loss": "bce", "output_activation": "tanh"},
            DIGITS,
            "output_activation must be 'auto' or",
        ),
        ({"hidden_layer_sizes": (8, 0)}, IRIS, "hidden_layer_sizes must contain positive int"),
        ({"hidden_layer_sizes": (8, 2.5)}, IRIS, "hidden_layer_sizes must contain positive int"),
        ({"image_shape": (7, 9)}, IRIS, "image_shape must have.* at least 8 pixels.*(7, 9)"),
        ({"image_shape": (8,)}, IRIS, r"image_shape must be \(height, width\) or"),
        ({"image_shape": (8, 9)}, DIGITS, "image_shape must have as many pixels as X has features"),
        ({"loss": "mae"}, IRIS, "The 'loss' parameter of Autoencoder must be a str among"),
        ({"n_components": 0}, IRIS, "The 'n_components' parameter of Autoencoder must be an int"),
        ({"noise": -0.1}, IRIS, "The 'noise' parameter of Autoencoder must be a float"),
    ],
)
@pytest.mark.parametrize("method", ["fit", "partial_fit"])
def test_impossible_parameters_and_rows_are_refused(parameters, X, message, method):
    with pytest.raises(ValueError, match=message):
        getattr(small(**parameters), method)(X)


def test_inverse_transform_names_the_width_of_the_codes():
    ae = small(3).fit(DIGITS)
    with pytest.raises(ValueError, match="X must have 3 columns, one per component; got 64"):
        ae.inverse_transform(DIGITS)
