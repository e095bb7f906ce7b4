"""Dense layers in training: products of any size and precision equal those of torch."""

import numpy as np
import pytest
import torch
from torch.nn import functional as F

from skdeep.decomposition import Autoencoder

# multiply-adds from which another library multiplies float32 matrices on some machines
BORDER = 2**21
WIDTHS = (64, 128)


@pytest.fixture(scope="module")
def layer():
    """Dense layer of a fitted net, in training mode."""
    ae = Autoencoder(WIDTHS[1], hidden_layer_sizes=(), max_epochs=1, device="cpu", random_state=0)
    ae.fit(np.random.default_rng(0).normal(size=(8, WIDTHS[0])))
    module = ae.module_.train()
    return next(one for one in module.modules() if getattr(one, "weight", None) is not None)


def given(n_rows, dtype, layout):
    """Samples in several memory layouts."""
    generator = torch.Generator().manual_seed(0)
    options = {"generator": generator, "dtype": dtype}
    if layout == "transposed":
        return torch.randn(WIDTHS[0], n_rows, **options).t()
    if layout == "every second":
        return torch.randn(n_rows, 2 * WIDTHS[0], **options)[:, ::2]
    return torch.randn(n_rows, WIDTHS[0], **options)


def with_gradients(function, x, layer):
    """Output of a layer, and the gradients of a function of it."""
    x = x.detach().requires_grad_()
    y = function(x)
    return [y, *torch.autograd.grad(y.square().sum(), [x, layer.weight, layer.bias])]


def assert_equal_but_for_rounding(found, expected, error):
    for one, other in zip(found, expected, strict=True):
        assert one.dtype == other.dtype
        assert (one - other).abs().max() <= error * other.abs().max()


@pytest.mark.parametrize("layout", ["rows", "transposed", "every second"])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("n_more", [-1, 0, 1])
def test_layers_equal_those_of_torch_at_any_size_and_precision(n_more, dtype, layout, layer):
    n_rows = BORDER // (WIDTHS[0] * WIDTHS[1]) + n_more
    x, layer = given(n_rows, dtype, layout), layer.to(dtype)
    found = with_gradients(layer, x, layer)
    expected = with_gradients(lambda x: F.linear(x, layer.weight, layer.bias), x, layer)
    assert_equal_but_for_rounding(found, expected, 10 * WIDTHS[1] * torch.finfo(dtype).eps)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_second_derivatives_equal_those_of_torch(dtype, layer):
    x, layer = given(BORDER // (WIDTHS[0] * WIDTHS[1]), dtype, "rows"), layer.to(dtype)
    found = []
    for function in (layer, lambda x: F.linear(x, layer.weight, layer.bias)):
        rows = x.detach().requires_grad_()
        (slope,) = torch.autograd.grad(function(rows).pow(3).sum(), rows, create_graph=True)
        found.append(torch.autograd.grad(slope.square().sum(), [rows, layer.weight, layer.bias]))
    assert_equal_but_for_rounding(*found, 100 * WIDTHS[1] * torch.finfo(dtype).eps)
