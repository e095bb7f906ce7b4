"""Nets compared with hand-written torch nets with the same weights."""

import copy
import itertools

import numpy as np
import pytest
import rtdl_num_embeddings as rtdl
import torch
from skorch.callbacks import Callback
from torch import nn

from skdeep.decomposition import Autoencoder
from skdeep.neural_network import ResNetRegressor

X = np.random.default_rng(0).normal(size=(60, 4)).astype(np.float32)
Y = X[:, 0] * X[:, 1] + X[:, 2]
N_EPOCHS = 12
# Plain gradient descent: Adam turns gradients that are only rounding errors into full-size steps.
DESCENT = {"optimizer": "sgd", "lr": 0.02, "lr_schedule": "constant", "max_epochs": N_EPOCHS}
DESCENT |= {"batch_size": 100, "feature_scaling": None, "tol": 0, "n_iter_no_change": 100}
DESCENT |= {"weight_decay": 0.0, "device": "cpu", "random_state": 0}

ACTIVATIONS = {
    "identity": nn.Identity,
    "relu": nn.ReLU,
    "leaky_relu": nn.LeakyReLU,
    "elu": nn.ELU,
    "gelu": nn.GELU,
    "silu": nn.SiLU,
    "softplus": nn.Softplus,
    "tanh": nn.Tanh,
    "logistic": nn.Sigmoid,
}
each_activation = pytest.mark.parametrize("activation", ACTIVATIONS)


class RememberStart(Callback):
    """Keeps a copy of the initial module."""

    def on_train_begin(self, net, **kwargs):
        self.module_ = copy.deepcopy(net.module_)


def leaves(module):
    """Layers with weights."""
    return [
        one for one in module.modules() if next(one.parameters(recurse=False), None) is not None
    ]


@torch.no_grad()
def copy_weights(module, twin):
    """Give a twin, whose layers come in the same order, the weights of a module."""
    for layer, own in zip(leaves(copy.deepcopy(module).eval()), leaves(twin), strict=True):
        if isinstance(own, nn.Linear):
            zero = layer(torch.zeros(1, own.in_features))
            own.weight.copy_((layer(torch.eye(own.in_features)) - zero).t())
            if own.bias is not None:
                own.bias.copy_(zero[0])
        else:
            own.load_state_dict(layer.state_dict(), strict=False)
    return twin


def descend(twin, loss):
    """Losses of a hand-written loop, which leaves the twin trained."""
    optimizer = torch.optim.SGD(twin.parameters(), lr=0.02, momentum=0.9, nesterov=True)
    losses = []
    for _ in range(N_EPOCHS):
        optimizer.zero_grad()
        value = loss()
        value.backward()
        optimizer.step()
        losses.append(value.item())
    return losses


def output(twin, rows=X):
    with torch.no_grad():
        return twin.eval()(torch.from_numpy(rows)).numpy()


# Autoencoders ------------------------------------------------------------------------------


def coder(*sizes, activation, batch_norm):
    """Dense layers with an activation after each layer but the last."""
    layers = []
    for width, size in itertools.pairwise(sizes[:-1]):
        layers.append(nn.Linear(width, size, bias=not batch_norm))
        layers += [nn.BatchNorm1d(size)] if batch_norm else []
        layers.append(ACTIVATIONS[activation]())
    return nn.Sequential(*layers, nn.Linear(*sizes[-2:]))


def assert_trains_as_by_hand(activation, **parameters):
    start = RememberStart()
    ae = Autoencoder(2, hidden_layer_sizes=(7, 5), activation=activation, **DESCENT, **parameters)
    ae.set_params(callbacks=[start]).fit(X)
    options = {"activation": activation, "batch_norm": ae.batch_norm}
    encoder, decoder = coder(4, 7, 5, 2, **options), coder(2, 5, 7, 4, **options)
    twin = copy_weights(start.module_, nn.Sequential(encoder, decoder))
    x = torch.from_numpy(X)
    np.testing.assert_allclose(
        ae.loss_curve_, descend(twin, lambda: nn.functional.mse_loss(twin(x), x)), rtol=1e-4
    )
    assert ae.loss_curve_[-1] < 0.95 * ae.loss_curve_[0]
    np.testing.assert_allclose(ae.reconstruct(X), output(twin), rtol=1e-2, atol=1e-3)
    np.testing.assert_allclose(ae.transform(X), output(encoder), rtol=1e-2, atol=1e-3)


@each_activation
def test_an_autoencoder_trains_as_one_by_hand(activation):
    assert_trains_as_by_hand(activation)


def test_an_autoencoder_with_batch_norm_trains_as_one_by_hand():
    assert_trains_as_by_hand("tanh", batch_norm=True)


def test_first_weights_are_drawn_in_torchs_range():
    X = np.random.default_rng(0).normal(size=(30, 100))
    ae = Autoencoder(3, hidden_layer_sizes=(200,), **{**DESCENT, "lr": 1e-30, "max_epochs": 1})
    first = leaves(ae.fit(X).module_)[0].weight.detach()
    # uniform in +-0.1: 20,000 draws come within a per cent of the ends and of the deviation
    assert 0.099 < first.abs().max() <= np.float32(0.1)
    assert first.std() == pytest.approx(0.1 / np.sqrt(3), rel=0.02)


# Residual nets -----------------------------------------------------------------------------

NORMS = {None: nn.Identity, "batch": nn.BatchNorm1d, "layer": nn.LayerNorm}


class Block(nn.Module):
    """Gorishniy et al. (2021): norm, layer, activation, layer, added to what came in."""

    def __init__(self, width, hidden_width, norm, activation):
        super().__init__()
        self.branch = nn.Sequential(
            NORMS[norm](width),
            nn.Linear(width, hidden_width),
            ACTIVATIONS[activation](),
            nn.Linear(hidden_width, width),
        )

    def forward(self, x):
        return x + self.branch(x)


class Embedded(nn.Module):
    """Features and the first three components of each feature's embedding, concatenated."""

    def __init__(self, embedding):
        super().__init__()
        self.embedding = embedding

    def forward(self, x):
        return torch.cat([x, self.embedding(x)[..., :3].flatten(1)], dim=1)


def resnet(embedding, n_inputs, norm, activation):
    blocks = [Block(6, 9, norm, activation) for _ in range(2)]
    return nn.Sequential(
        *embedding,
        nn.Linear(n_inputs, 6),
        *blocks,
        NORMS[norm](6),
        ACTIVATIONS[activation](),
        nn.Linear(6, 1),
    )


def assert_resnet_trains_as_by_hand(
    embedding, norm="layer", activation="tanh", rows=X, **parameters
):
    start = RememberStart()
    reg = ResNetRegressor(
        n_blocks=2,
        width=6,
        hidden_factor=1.5,
        norm=norm,
        activation=activation,
        dropout=0.0,
        callbacks=[start],
        **{**DESCENT, "numerical_embedding": None, **parameters},
    ).fit(rows, Y)
    n_inputs = 16 if embedding else 4
    twin = copy_weights(start.module_, resnet(embedding, n_inputs, norm, activation))
    target = torch.from_numpy((Y - Y.mean()) / Y.std())
    x = torch.from_numpy(rows)
    expected = descend(twin, lambda: nn.functional.mse_loss(twin(x)[:, 0], target))
    np.testing.assert_allclose(reg.loss_curve_, expected, rtol=1e-3)
    assert reg.loss_curve_[-1] < reg.loss_curve_[0]
    predictions = Y.mean() + Y.std() * output(twin, rows)[:, 0]
    np.testing.assert_allclose(reg.predict(rows), predictions, rtol=1e-2, atol=1e-3)


@each_activation
@pytest.mark.parametrize("norm", NORMS)
def test_a_residual_net_trains_as_one_by_hand(norm, activation):
    assert_resnet_trains_as_by_hand([], norm, activation)


def test_periodic_embeddings_are_those_of_their_authors():
    layer = rtdl.PeriodicEmbeddings(4, 8, frequency_init_scale=0.3, lite=False)
    options = {"numerical_embedding": "periodic", "embedding_dim": 3, "random_state": 1}
    assert_resnet_trains_as_by_hand([Embedded(layer)], **options)


class PiecewiseLinear(nn.Module):
    """The embeddings with one tensor of edges for each feature."""

    def __init__(self, edges):
        super().__init__()
        layer = rtdl.PiecewiseLinearEmbeddings(edges, 3, activation=False, version="B")
        self.slope, self.bias = layer.linear0.weight, layer.linear0.bias
        self.weight = layer.linear.weight
        self.forward = layer.forward


def test_piecewise_linear_embeddings_are_those_of_their_authors():
    edges = np.quantile(X, np.linspace(0, 1, 49), axis=0, method="hazen").astype(np.float32)
    options = {"numerical_embedding": "piecewise-linear", "embedding_dim": 3}
    edges = [torch.from_numpy(column) for column in edges.T.copy()]
    assert_resnet_trains_as_by_hand([Embedded(PiecewiseLinear(edges))], **options)


def test_piecewise_linear_embeddings_may_have_different_numbers_of_bins():
    rows = (X * [1, 2, 3, 1]).round().clip(-2, [0, 9, 9, 1]).astype(np.float32)
    edges = [torch.from_numpy(np.unique(column)) for column in rows.T]
    assert len({len(one) for one in edges}) > 2
    options = {"numerical_embedding": "piecewise-linear", "embedding_dim": 3, "rows": rows}
    assert_resnet_trains_as_by_hand([Embedded(PiecewiseLinear(edges))], **options)


def test_first_frequencies_are_drawn_by_their_scale():
    options = {**DESCENT, "lr": 1e-30, "max_epochs": 1, "width": 2, "n_blocks": 1}
    rows = np.random.default_rng(0).normal(size=(30, 50))
    for scale in (0.01, 1.0):
        reg = ResNetRegressor(numerical_embedding="periodic", frequency_scale=scale, **options)
        first = leaves(reg.fit(rows, rows[:, 0]).module_)[0].weight.detach()
        # a normal distribution, cut off at three deviations
        assert first.std() == pytest.approx(scale, rel=0.05)


def test_a_net_of_32_blocks_learns():
    rng = np.random.default_rng(0)
    X = rng.normal(size=(200, 4))
    y = X[:, 0] * X[:, 1] + X[:, 2]
    deep = ResNetRegressor(n_blocks=32, width=12, dropout=0.0, norm="batch", activation="relu")
    deep.set_params(max_epochs=40, lr=0.01, batch_size=200, lr_schedule="constant", tol=0)
    deep.set_params(numerical_embedding=None, weight_decay=1e-5, device="cpu", random_state=0)
    assert deep.fit(X, y).loss_curve_[-1] < 0.05
    assert deep.loss_curve_[0] > 0.9


# Images ------------------------------------------------------------------------------------


class Pad(nn.Module):
    """Every second pixel where the channels double, and zeros for those that are missing."""

    def __init__(self, in_channels, out_channels):
        super().__init__()
        self.step, self.missing = 1 + (out_channels > in_channels), out_channels - in_channels

    def forward(self, x):
        x = x[..., :: self.step, :: self.step]
        return torch.cat([x, x.new_zeros(len(x), self.missing, *x.shape[2:])], dim=1)


class BasicBlock(nn.Module):
    """He et al. (2015): convolution, norm, activation, convolution, norm; option A."""

    def __init__(self, in_channels, out_channels, norm):
        super().__init__()
        options = {"kernel_size": 3, "padding": 1, "bias": False}
        self.shortcut = Pad(in_channels, out_channels)
        self.branch = nn.Sequential(
            nn.Conv2d(in_channels, out_channels, stride=self.shortcut.step, **options),
            norm(out_channels),
            nn.ReLU(),
            nn.Conv2d(out_channels, out_channels, **options),
            norm(out_channels),
        )

    def forward(self, x):
        return torch.relu(self.shortcut(x) + self.branch(x))


@pytest.mark.parametrize("kind", ["batch", "layer"])
def test_a_residual_net_for_images_is_that_of_its_paper(kind):
    images = np.random.default_rng(0).normal(size=(12, 2 * 9 * 8)).astype(np.float32)
    y = images[:, 0]
    start = RememberStart()
    reg = ResNetRegressor(n_blocks=1, stem_width=3, image_shape=(2, 9, 8), norm=kind, dropout=0.0)
    reg.set_params(**{**DESCENT, "max_epochs": 3, "callbacks": [start]}).fit(images, y)
    # one group of all channels: an image by itself, with weights for each channel
    norm = {"batch": nn.BatchNorm2d, "layer": lambda channels: nn.GroupNorm(1, channels)}[kind]
    twin = nn.Sequential(
        nn.Unflatten(1, (2, 9, 8)),
        nn.Conv2d(2, 3, 3, padding=1, bias=False),
        norm(3),
        nn.ReLU(),
        BasicBlock(3, 3, norm),
        BasicBlock(3, 6, norm),
        BasicBlock(6, 12, norm),
        nn.AdaptiveAvgPool2d(1),
        nn.Flatten(),
        nn.Linear(12, 1),
    )
    copy_weights(start.module_, twin)
    x, target = torch.from_numpy(images), torch.from_numpy((y - y.mean()) / y.std())
    expected = descend(twin, lambda: nn.functional.mse_loss(twin(x)[:, 0], target))
    np.testing.assert_allclose(reg.loss_curve_, expected[:3], rtol=1e-3)
    assert expected[2] < expected[0]


@pytest.mark.parametrize("block", ["dense", "residual"])
def test_a_convolutional_autoencoder_trains_as_one_by_hand(block):
    images = np.random.default_rng(0).normal(size=(12, 2 * 9 * 8)).astype(np.float32)
    start = RememberStart()
    ae = Autoencoder(3, hidden_layer_sizes=(5,), image_shape=(2, 9, 8), block=block)
    ae.set_params(activation="tanh", callbacks=[start], **DESCENT).fit(images)

    class Residual(nn.Module):
        """He et al. (2016): activation before each of two convolutions."""

        def __init__(self):
            super().__init__()
            layers = [nn.Tanh(), nn.Conv2d(5, 5, 3, padding=1)]
            layers += [nn.Tanh(), nn.Conv2d(5, 5, 3, padding=1)]
            self.branch = nn.Sequential(*layers)

        def forward(self, x):
            return x + self.branch(x)

    def after():
        return [nn.Tanh()] if block == "dense" else [Residual(), nn.Tanh()]

    options = {"kernel_size": 3, "stride": 2, "padding": 1}
    twin = nn.Sequential(
        nn.Unflatten(1, (2, 9, 8)),
        nn.Conv2d(2, 5, **options),
        *after(),
        nn.Flatten(),
        nn.Linear(100, 3),
        nn.Linear(3, 100),
        nn.Unflatten(1, (5, 5, 4)),
        *after(),
        nn.ConvTranspose2d(5, 2, output_padding=(0, 1), **options),
        nn.Flatten(),
    )
    copy_weights(start.module_, twin)
    x = torch.from_numpy(images)
    expected = descend(twin, lambda: nn.functional.mse_loss(twin(x), x))
    np.testing.assert_allclose(ae.loss_curve_, expected, rtol=1e-4)
    assert expected[-1] < expected[0]
