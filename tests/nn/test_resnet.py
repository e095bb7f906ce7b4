"""Residual nets: the identity path, depth, trunk and head."""

import copy
from functools import partial

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn import functional as F

from skdeep.nn._residual import BasicBlock, ResidualBlock
from skdeep.nn._resnet import ResNet, make_trunk
from skdeep.utils._random import make_streams

COLUMNS = {
    "n_numeric": 4,
    "n_indicators": 1,
    "cardinalities": (3,),
    "gaps": (True,),
    "embedding_dim": 4,
    "numerical_embedding": None,
    "frequency_scale": 0.1,
    "bins": (),
}
COMMON = {
    "n_blocks": 2,
    "dropout": 0.0,
    "residual_dropout": 0.0,
    "norm": "batch",
    "activation": "relu",
}
TABLE = {**COMMON, **COLUMNS, "width": 12, "hidden_factor": 1.5}
IMAGE = {**COMMON, "image_shape": (2, 9, 8), "stem_width": 4, "augment": None}


def normal(*shape, seed=0):
    return torch.empty(*shape).normal_(generator=torch.Generator().manual_seed(seed))


def rows_of(options, n_rows=6):
    """Rows that a trunk of those options reads."""
    if "image_shape" in options:
        return normal(n_rows, 2 * 9 * 8)
    marks_and_codes = torch.arange(n_rows)[:, None] % torch.tensor([2, 4])
    return torch.cat([normal(n_rows, 4), marks_and_codes.float()], dim=1)


def make_net(options, baseline=(0.0,), seed=0):
    streams = make_streams(seed)
    return ResNet(make_trunk(options, streams), baseline, generator=streams["weights"])


def set_to_zero(module):
    for parameter in module.parameters():
        nn.init.zeros_(parameter)


each_kind = pytest.mark.parametrize("options", [TABLE, IMAGE], ids=["table", "image"])
each_norm = pytest.mark.parametrize("norm", ["batch", "layer"])
each_mode = pytest.mark.parametrize("training", [True, False])


# Blocks ------------------------------------------------------------------------------------


@each_mode
@each_norm
def test_dense_block_is_the_identity_at_zero_weights(norm, training):
    block = ResidualBlock(
        6,
        hidden_width=10,
        activation="relu",
        dropout=0.5,
        residual_dropout=0.5,
        norm=norm,
        streams=make_streams(0),
    ).train(training)
    x = normal(5, 6)
    assert not torch.equal(block(x), x)
    set_to_zero(block)
    assert torch.equal(block(x), x)


def make_basic_block(out_channels=6, stride=1, **options):
    defaults = {"activation": "relu", "norm": "batch", "dropout": 0.0, "residual_dropout": 0.0}
    return BasicBlock(
        6, out_channels, stride=stride, streams=make_streams(0), **{**defaults, **options}
    )


@each_mode
@each_norm
def test_basic_block_is_the_identity_at_zero_weights(norm, training):
    x = normal(5, 6, 9, 8)
    options = {"norm": norm, "dropout": 0.5, "residual_dropout": 0.5}
    block = make_basic_block(activation="identity", **options).train(training)
    assert not torch.equal(block(x), x)
    set_to_zero(block)
    assert torch.equal(block(x), x)
    # the activation comes last: images without negative numbers pass unchanged
    rectified = make_basic_block(**options).train(training)
    set_to_zero(rectified)
    assert torch.equal(rectified(x.abs()), x.abs())


@pytest.mark.parametrize("size", [(8, 8), (9, 11), (8, 13)])
def test_basic_block_with_a_stride_keeps_every_second_pixel_and_pads_channels(size):
    x = normal(3, 6, *size)
    block = make_basic_block(out_channels=10, stride=2, activation="identity")
    half = tuple(-(-side // 2) for side in size)
    assert block(x).shape == (3, 10, *half)
    set_to_zero(block)
    result = block(x)
    assert torch.equal(result[:, :6], x[:, :, ::2, ::2])
    assert torch.equal(result[:, 6:], torch.zeros(3, 4, *half))


def test_dense_block_is_the_formula_of_the_paper():
    block = ResidualBlock(
        3, hidden_width=5, activation="tanh", dropout=0.4, norm="layer", streams=make_streams(0)
    )
    x = normal(4, 3)
    first, second = (layer for layer in block.branch if hasattr(layer, "matrix"))
    centred = x.numpy() - x.numpy().mean(axis=1, keepdims=True)
    normed = centred / np.sqrt(x.numpy().var(axis=1, keepdims=True) + 1e-5)
    weights = [layer.matrix().detach().numpy() for layer in (first, second)]
    biases = [layer.bias.detach().numpy() for layer in (first, second)]
    hidden = np.tanh(normed @ weights[0].T + biases[0])
    expected = x.numpy() + hidden @ weights[1].T + biases[1]
    np.testing.assert_allclose(block.eval()(x).detach(), expected, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize(
    "make_block, shape",
    [
        (partial(ResidualBlock, 6, activation="relu", norm="batch"), (2000, 6)),
        (partial(make_basic_block, activation="identity"), (40, 6, 8, 8)),
    ],
    ids=["dense", "image"],
)
def test_residual_dropout_drops_what_a_block_adds_and_never_the_row(make_block, shape):
    options = {"dropout": 0.0, "residual_dropout": 0.3}
    if make_block.func is ResidualBlock:
        options["streams"] = make_streams(0)
    x = normal(*shape)
    added = make_block(**options)(x) - x
    # over 10,000 draws: standard error of the share below 0.005
    assert (added == 0).float().mean() == pytest.approx(0.3, abs=0.02)


# Depth -------------------------------------------------------------------------------------


def without_skips(net):
    """Twin of the same layers in which no row is added to what a block makes of it."""
    twin = copy.deepcopy(net)
    layers = twin.trunk.layers
    twin.trunk.layers = nn.Sequential(
        *(layer.branch if isinstance(layer, ResidualBlock) else layer for layer in layers)
    )
    return twin


def train(net, x, y, n_steps=40):
    optimizer = torch.optim.Adam(net.parameters(), lr=1e-2)
    for _ in range(n_steps):
        optimizer.zero_grad()
        loss = F.mse_loss(net(x)[:, 0], y)
        loss.backward()
        optimizer.step()
    return loss.item() / y.var().item()


def test_net_of_32_blocks_trains_and_the_same_net_without_skips_does_not():
    columns = {"n_indicators": 0, "cardinalities": (), "gaps": ()}
    deep = make_net({**TABLE, **columns, "n_blocks": 32, "hidden_factor": 1.0})
    plain = without_skips(deep)
    x = normal(200, 4)
    y = x[:, 0] * x[:, 1] + x[:, 2]
    assert train(deep, x, y) < 0.05
    assert train(plain, x, y) > 0.6


# Trunk and head ----------------------------------------------------------------------------


@each_kind
def test_net_is_its_head_on_what_embed_gives(options):
    net = make_net(options, baseline=(0.0, 0.0, 0.0)).eval()
    nn.init.normal_(net.head.weight, generator=torch.Generator().manual_seed(0))
    x = rows_of(options)
    width = 16 if "image_shape" in options else 12
    assert net.trunk.out_features == width
    assert net.embed(x).shape == (6, width)
    assert net(x).shape == (6, 3)
    assert torch.equal(net.head(net.embed(x)), net(x))


@each_kind
def test_first_outputs_are_the_baseline(options):
    net = make_net(options, baseline=(0.5, -2.0))
    expected = torch.tensor([0.5, -2.0]).expand(6, 2)
    assert torch.equal(net(rows_of(options)), expected)
    assert torch.equal(net.eval()(rows_of(options)), expected)


@each_norm
@each_kind
def test_every_weight_gets_a_gradient(options, norm):
    net = make_net({**options, "norm": norm, "activation": "tanh"})
    nn.init.ones_(net.head.weight)
    (net(rows_of(options)) ** 2).sum().backward()
    for name, parameter in net.named_parameters():
        assert parameter.grad is not None and parameter.grad.abs().sum() > 0, name


@each_kind
def test_net_is_the_same_for_the_same_seed_and_does_not_touch_torchs_generator(options):
    state = torch.get_rng_state()
    first, second, other = (make_net(options, seed=seed).state_dict() for seed in (5, 5, 6))
    assert all(torch.equal(value, second[name]) for name, value in first.items())
    assert any(not torch.equal(value, other[name]) for name, value in first.items())
    assert torch.equal(torch.get_rng_state(), state)


@each_norm
@each_kind
def test_row_does_not_depend_on_the_rows_beside_it_in_evaluation(options, norm):
    net = make_net({**options, "norm": norm})
    nn.init.normal_(net.head.weight, generator=torch.Generator().manual_seed(0))
    x = rows_of(options)
    net(x)  # moves the running statistics
    net.eval()
    alone = torch.cat([net(x[number : number + 1]) for number in range(6)])
    torch.testing.assert_close(alone, net(x), rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("n_blocks", [1, 3])
@pytest.mark.parametrize("image_shape", [(1, 8, 8), (3, 9, 11), (1, 28, 28)])
def test_image_trunk_takes_any_size_and_gives_four_times_the_stem(image_shape, n_blocks):
    options = {**IMAGE, "image_shape": image_shape, "n_blocks": n_blocks}
    trunk = make_trunk(options, make_streams(0))
    assert trunk(normal(2, int(np.prod(image_shape)))).shape == (2, 16)
