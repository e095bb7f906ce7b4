"""Normalisation layers against torch's own."""

import numpy as np
import pytest
import torch
from torch import nn

from skdeep.nn._norm import NORMS, BatchNorm, LayerNorm, make_norm


def normal(*shape, seed=0, dtype=torch.float32):
    return torch.empty(*shape, dtype=dtype).normal_(generator=torch.Generator().manual_seed(seed))


@pytest.fixture
def two_threads():
    torch.set_num_threads(2)
    yield
    torch.set_num_threads(1)


def randomise(*modules):
    """Give layers of the same shape the same weights, which are not ones and zeros."""
    for number, parameters in enumerate(zip(*(m.parameters() for m in modules), strict=True)):
        values = normal(*parameters[0].shape, seed=number)
        for parameter in parameters:
            parameter.data.copy_(values)


@pytest.mark.parametrize(
    "reference, shape",
    [
        (lambda: nn.LayerNorm(3), (16, 3)),
        # one group of all channels: an image by itself, with weights for each channel
        (lambda: nn.GroupNorm(1, 3), (4, 3, 5, 6)),
    ],
    ids=["rows", "images"],
)
def test_layer_norm_equals_torchs(reference, shape):
    ours, theirs = LayerNorm(3), reference()
    randomise(ours, theirs)
    x = 2 + 3 * normal(*shape)
    torch.testing.assert_close(ours(x), theirs(x))
    for layer in (ours, theirs):
        layer(x).square().sum().backward()
    torch.testing.assert_close(ours.weight.grad, theirs.weight.grad, rtol=1e-4, atol=1e-4)
    torch.testing.assert_close(ours.bias.grad, theirs.bias.grad, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("shape", [(5, 3), (5, 3, 8, 8)])
def test_layer_norm_gives_a_row_the_same_in_any_company_and_in_training(shape):
    layer, x = LayerNorm(3), normal(*shape)
    alone = torch.cat([layer(row[None]) for row in x])
    torch.testing.assert_close(layer(x), alone)
    assert torch.equal(layer.train()(x), layer.eval()(x))


@pytest.mark.parametrize("shape", [(16, 3), (4, 3, 5, 6)])
@pytest.mark.parametrize("name", sorted(NORMS))
def test_norm_takes_off_the_mean_and_the_deviation(name, shape):
    x = make_norm(name, 3)(2 + 3 * normal(*shape)).detach().numpy()
    axes = tuple(range(1, x.ndim)) if name == "layer" else (0, *range(2, x.ndim))
    np.testing.assert_allclose(x.mean(axis=axes), 0, atol=1e-6)
    np.testing.assert_allclose(x.var(axis=axes), 1, rtol=1e-3)


def test_no_norm_is_none():
    assert make_norm(None, 3) is None


def gradients(layer, x):
    x = x.clone().requires_grad_()
    result = layer(x)
    (result * normal(*x.shape, seed=9)).sum().backward()
    return [result, x.grad, layer.weight.grad, layer.bias.grad, *layer.buffers()]


@pytest.mark.parametrize("n_rows", [2, 5, 300, 3000])
def test_batch_norm_gives_the_same_bits_on_one_and_on_two_threads(n_rows, two_threads):
    layers = [BatchNorm(40), BatchNorm(40)]
    randomise(*layers)
    x = 2 + 3 * normal(n_rows, 40)
    on_two = gradients(layers[0], x)
    torch.set_num_threads(1)
    on_one = gradients(layers[1], x)
    assert all(map(torch.equal, on_two, on_one))


def test_batch_norm_on_two_threads_leaves_their_number_and_has_torchs_gradients(two_threads):
    ours, theirs = BatchNorm(7), nn.BatchNorm1d(7)
    randomise(ours, theirs)
    x = 2 + 3 * normal(50, 7)
    buffers = [theirs.running_mean, theirs.running_var]
    result = x.clone().requires_grad_()
    output = theirs(result)
    (output * normal(50, 7, seed=9)).sum().backward()
    expected = [output, result.grad, theirs.weight.grad, theirs.bias.grad, *buffers]
    for actual, reference in zip(gradients(ours, x), expected, strict=True):
        torch.testing.assert_close(actual, reference)
    assert torch.get_num_threads() == 2


def test_gradient_of_batch_norm_on_two_threads_is_that_of_finite_differences(two_threads):
    layer = BatchNorm(3).double()
    x = normal(6, 3, dtype=torch.float64).requires_grad_()
    assert torch.autograd.gradcheck(layer, x)
