"""Layers and modules: shapes, torch's own layers as reference, and where randomness comes from."""

import math
from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import nn

from skdeep.nn._activation import ACTIVATIONS, OUTPUT_ACTIVATIONS, make_activation
from skdeep.nn._autoencoder import AutoencoderModule
from skdeep.nn._coder import CoderShape, make_decoder, make_encoder
from skdeep.nn._conv import Conv2d, ConvTranspose2d
from skdeep.nn._dropout import CORRUPTIONS, Dropout, corrupt
from skdeep.nn._linear import Linear
from skdeep.nn._norm import BatchNorm
from skdeep.nn._residual import ResidualConvBlock
from skdeep.nn._variational import VariationalModule
from skdeep.utils._random import make_streams


def generator(seed=0):
    return torch.Generator().manual_seed(seed)


def normal(*shape, seed=0):
    return torch.empty(*shape).normal_(generator=generator(seed))


# Linear layers -----------------------------------------------------------------------------


@pytest.mark.parametrize("n_features", [1, 7, 16, 65])
def test_linear_gives_the_same_in_training_and_evaluation(n_features):
    layer, x = Linear(n_features, 5, generator=generator()), normal(9, n_features)
    trained, evaluated = layer.train()(x), layer.eval()(x)
    np.testing.assert_allclose(trained.detach(), evaluated.detach(), rtol=1e-5, atol=1e-6)
    matrix = layer(torch.eye(n_features)) - layer(torch.zeros(1, n_features))
    expected = x @ matrix + layer.bias
    np.testing.assert_allclose(evaluated.detach(), expected.detach(), rtol=1e-4, atol=1e-5)


def test_linear_without_bias_maps_zero_to_zero():
    layer = Linear(3, 5, generator=generator(), bias=False)
    assert torch.equal(layer(torch.zeros(2, 3)), torch.zeros(2, 5))


def test_linear_draws_its_weights_in_torchs_range_from_the_generator():
    first, second = (Linear(100, 200, generator=generator(3)) for _ in range(2))
    assert torch.equal(first.weight, second.weight) and torch.equal(first.bias, second.bias)
    other = Linear(100, 200, generator=generator(4))
    assert not torch.equal(first.weight, other.weight)
    # uniform in +-0.1: 20,000 draws come within a per cent of the ends and of the deviation
    assert 0.099 < first.weight.abs().max() <= np.float32(0.1)
    assert first.weight.detach().std() == pytest.approx(0.1 / np.sqrt(3), rel=0.02)


# Batch normalisation -----------------------------------------------------------------------


@pytest.mark.parametrize(
    "reference, shape", [(nn.BatchNorm1d, (16, 3)), (nn.BatchNorm2d, (4, 3, 5, 6))]
)
def test_batch_norm_equals_torchs_in_training_and_evaluation(reference, shape):
    ours, theirs = BatchNorm(3), reference(3)
    for seed in range(3):
        x = 2 + 3 * normal(*shape, seed=seed)
        assert torch.equal(ours(x), theirs(x))
    assert torch.equal(ours.eval()(x), theirs.eval()(x))
    assert torch.equal(ours.running_mean, theirs.running_mean)
    assert torch.equal(ours.running_var, theirs.running_var)


def test_batch_norm_takes_a_single_row_by_the_running_statistics():
    layer = BatchNorm(3)
    layer(5 + normal(100, 3))
    before = {name: value.clone() for name, value in layer.state_dict().items()}
    row = normal(1, 3, seed=1)
    trained = layer(row)
    assert torch.equal(trained, layer.eval()(row))
    after = layer.state_dict()
    assert all(torch.equal(value, after[name]) for name, value in before.items())


# Dropout and corruption --------------------------------------------------------------------


def test_dropout_keeps_the_mean_and_zeroes_the_share():
    layer, x = Dropout(0.3, generator=generator()), torch.ones(200, 500)
    result = layer(x)
    # 100,000 draws: standard error of the share 0.0014, of the mean 0.0021
    assert (result == 0).float().mean() == pytest.approx(0.3, abs=0.006)
    assert result.mean() == pytest.approx(1.0, abs=0.009)
    kept = result[result != 0]
    torch.testing.assert_close(kept, torch.full_like(kept, 1 / 0.7))


@pytest.mark.parametrize("rate", [0.01, 0.5, 0.99])
@pytest.mark.parametrize("shape", [(400, 501), (501, 2, 3, 67)], ids=["rows", "images"])
def test_dropout_masks_are_independent_coin_tosses(rate, shape):
    mask = (Dropout(rate, generator=generator())(torch.ones(shape)) != 0).flatten().double()
    n_entries, deviation = len(mask), math.sqrt(rate * (1 - rate))
    tossed = (mask - (1 - rate)) / deviation
    assert abs(tossed.mean()) < 4 / math.sqrt(n_entries)
    for distance in (1, 2, 3, 4):  # neighbours come from the same random word
        correlation = (tossed[distance:] * tossed[:-distance]).mean()
        assert abs(correlation) < 4 / math.sqrt(n_entries)


def test_dropout_of_rates_near_its_limits():
    x = torch.ones(300, 401)
    assert torch.equal(Dropout(1e-12, generator=generator())(x), x)
    # 120,300 draws of which one in 65,536 is kept
    few = Dropout(1 - 2.0**-53, generator=generator())(x)
    assert 0 < (few != 0).sum() < 10
    assert torch.equal(few[few != 0].unique(), torch.tensor([2.0**16]))


def test_dropout_does_nothing_in_evaluation():
    x = normal(4, 5)
    assert torch.equal(Dropout(0.9, generator=generator()).eval()(x), x)


def test_gaussian_corruption_adds_noise_of_that_deviation():
    x = normal(200, 500)
    noise = corrupt(x, 0.5, "gaussian", generator(1)) - x
    # 100,000 draws: standard error of the mean 0.0016, of the deviation 0.0011
    assert noise.mean() == pytest.approx(0.0, abs=0.007)
    assert noise.std() == pytest.approx(0.5, abs=0.005)


def test_masking_corruption_zeroes_the_share_and_keeps_the_rest():
    x = 1 + normal(200, 500).abs()
    result = corrupt(x, 0.3, "masking", generator(1))
    assert (result == 0).float().mean() == pytest.approx(0.3, abs=0.006)
    assert torch.equal(result[result != 0], x[result != 0])


@pytest.mark.parametrize("kind", CORRUPTIONS)
def test_corruption_leaves_its_input_alone_and_draws_from_its_generator_only(kind):
    x = normal(5, 4)
    before, state = x.clone(), torch.get_rng_state()
    first, second = (corrupt(x, 0.5, kind, generator(7)) for _ in range(2))
    assert torch.equal(first, second)
    assert not torch.equal(first, corrupt(x, 0.5, kind, generator(8)))
    assert torch.equal(x, before)
    assert torch.equal(torch.get_rng_state(), state)


def test_dropout_draws_from_its_generator_only():
    state, x = torch.get_rng_state(), torch.ones(20, 20)
    first, second = (Dropout(0.5, generator=generator(7))(x) for _ in range(2))
    assert torch.equal(first, second)
    layer = Dropout(0.5, generator=generator(7))
    assert not torch.equal(layer(x), layer(x))
    assert torch.equal(torch.get_rng_state(), state)


# Residual blocks ---------------------------------------------------------------------------


def test_convolutional_block_is_the_identity_when_its_last_weights_are_zero():
    block = ResidualConvBlock(6, activation="relu", batch_norm=True, streams=make_streams(0))
    x = normal(5, 6, 9, 8)
    assert block(x).shape == x.shape
    assert not torch.equal(block(x), x)
    last = list(block.branch.children())[-1]
    nn.init.zeros_(last.weight)
    nn.init.zeros_(last.bias)
    assert torch.equal(block(x), x)


# Convolutions ------------------------------------------------------------------------------


@pytest.mark.parametrize("size", [(8, 8), (9, 11), (8, 11), (1, 2)])
def test_transposed_convolution_undoes_the_shape_of_a_strided_one(size):
    down = Conv2d(3, 4, stride=2, generator=generator())
    up = ConvTranspose2d(4, 3, size=size, generator=generator())
    x = normal(2, 3, *size)
    assert down(x).shape == (2, 4, -(-size[0] // 2), -(-size[1] // 2))
    assert up(down(x)).shape == x.shape


def test_convolution_of_one_pixel_is_the_kernel():
    layer = Conv2d(1, 1, stride=1, generator=generator())
    x = torch.zeros(1, 1, 5, 5)
    x[0, 0, 2, 2] = 1.0
    result = layer(x)[0, 0] - layer.bias
    torch.testing.assert_close(result[1:4, 1:4], layer.weight[0, 0].flip(0, 1))


# Activations -------------------------------------------------------------------------------

FORMULAS = {
    "identity": lambda x: x,
    "relu": lambda x: np.maximum(x, 0),
    "leaky_relu": lambda x: np.where(x > 0, x, 0.01 * x),
    "elu": lambda x: np.where(x > 0, x, np.expm1(x)),
    "silu": lambda x: x / (1 + np.exp(-x)),
    "softplus": lambda x: np.log1p(np.exp(x)),
    "softmax": lambda x: np.exp(x) / np.exp(x).sum(axis=1, keepdims=True),
    "tanh": np.tanh,
    "logistic": lambda x: 1 / (1 + np.exp(-x)),
}


@pytest.mark.parametrize("name", sorted(FORMULAS))
def test_activation_equals_its_formula(name):
    x = torch.linspace(-3, 3, 14, dtype=torch.float64).reshape(2, 7)
    np.testing.assert_allclose(make_activation(name)(x), FORMULAS[name](x.numpy()), atol=1e-12)


@pytest.mark.parametrize("name", sorted({*ACTIVATIONS, *OUTPUT_ACTIVATIONS}))
def test_activation_keeps_the_shape(name):
    assert make_activation(name)(normal(3, 4)).shape == (3, 4)


# Whole modules -----------------------------------------------------------------------------

SHAPES = {
    "linear": {"hidden_layer_sizes": ()},
    "dense": {"hidden_layer_sizes": (10, 6), "dropout": 0.1, "batch_norm": True},
    "tied": {"hidden_layer_sizes": (10, 6), "tied_weights": True},
    "residual": {"hidden_layer_sizes": (10, 6), "block": "residual", "batch_norm": True},
    "convolutional": {"hidden_layer_sizes": (4, 6), "image_shape": (3, 10, 8), "dropout": 0.1},
    "one stage": {"hidden_layer_sizes": (4,), "image_shape": (3, 10, 8)},
    "no stage": {"hidden_layer_sizes": (), "image_shape": (3, 10, 8)},
    "convolutional residual": {
        "hidden_layer_sizes": (4, 6),
        "image_shape": (3, 10, 8),
        "block": "residual",
        "batch_norm": True,
    },
}


@pytest.fixture(params=SHAPES.values(), ids=SHAPES)
def shape(request):
    return CoderShape(n_features=240, n_components=3, **request.param)


def test_encoder_and_decoder_give_codes_and_rows(shape):
    streams = make_streams(0)
    encoder = make_encoder(shape, streams)
    codes = encoder(normal(5, 240))
    assert codes.shape == (5, 3)
    assert make_decoder(shape, streams, encoder=encoder)(codes).shape == (5, 240)
    assert make_encoder(shape, streams, n_outputs=7)(normal(5, 240)).shape == (5, 7)


def test_encoder_is_the_same_for_the_same_seed_and_does_not_touch_torchs_generator(shape):
    state = torch.get_rng_state()
    first, second = (make_encoder(shape, make_streams(5)).state_dict() for _ in range(2))
    assert all(torch.equal(value, second[name]) for name, value in first.items())
    assert torch.equal(torch.get_rng_state(), state)


def test_autoencoder_forward_gives_rows_codes_and_a_contraction_per_row(shape):
    module = AutoencoderModule(shape, make_streams(0), noise=0.2, contractive=True)
    output = module(normal(5, 240))
    assert output.reconstruction.shape == (5, 240)
    assert output.code.shape == (5, 3)
    assert output.contraction.shape == (5,) and (output.contraction > 0).all()
    output = module.eval()(normal(5, 240))
    assert output.contraction is None
    assert torch.equal(output.reconstruction, module.reconstruct(normal(5, 240)))


@pytest.mark.parametrize("likelihood", ["gaussian", "bernoulli"])
def test_variational_forward_gives_draws_of_rows_and_a_posterior(shape, likelihood):
    shape = replace(shape, tied_weights=False)  # variational autoencoders have no such parameter
    module = VariationalModule(shape, make_streams(0), likelihood=likelihood, n_samples=4)
    output = module(normal(5, 240))
    assert output.reconstruction.shape == (4, 5, 240)
    assert output.mean.shape == output.log_var.shape == (5, 3)
    means = module.eval().decode(normal(5, 3))
    assert means.shape == (5, 240)
    if likelihood == "bernoulli":
        assert (means > 0).all() and (means < 1).all()


def test_variational_forward_draws_anew_in_training_and_the_same_in_evaluation():
    shape = CoderShape(n_features=6, n_components=2)
    module, x = VariationalModule(shape, make_streams(0), n_samples=2), normal(5, 6)
    assert not torch.equal(module(x).reconstruction, module(x).reconstruction)
    module.eval()
    assert torch.equal(module(x).reconstruction, module(x).reconstruction)
