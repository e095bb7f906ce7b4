"""Matrix products of dense layers in training."""

from typing import Any

import torch
from torch.nn import functional as F

# Multiply-adds from which oneDNN multiplies matrices on a CPU. With AVX-512 on processors by AMD it
# takes half the time of MKL; for smaller products, its overhead is larger than that.
_LARGE = 2**21
_ONEDNN: Any = getattr(torch.ops.mkldnn, "_linear_pointwise", None)
_HAS_BOTH = torch.backends.mkl.is_available() and _ONEDNN is not None


def is_large(a, b):
    """Whether products of two matrices, or of K pairs of them, are left to oneDNN.

    Their gradients are as large, so that the answer is the same for them.
    """
    size = a.shape[-2] * a.shape[-1] * b.shape[-1]
    is_plain = a.device.type == "cpu" and a.dtype == torch.float32
    return _HAS_BOTH and is_plain and size >= _LARGE


def multiply_large(a, b, bias=None):
    """Return ``a @ b + bias`` for two large matrices on a CPU."""
    return _ONEDNN(a, b.mT, bias, "none", [], "")


def is_transposed(x):
    """Whether a matrix, or each of several, is the transpose of a contiguous one."""
    return x.stride(-2) == 1 and x.stride(-1) == x.shape[-2]


def gradients(a, b, gradient, needed, multiply):
    """Return the gradients of a product ``a @ b`` in the memory layout of its factors.

    Parameters
    ----------
    a, b : Tensor, shapes (..., n, k) and (..., k, m)
    gradient : Tensor, shape (..., n, m)
    needed : sequence of bool
        Whether the gradient of ``a``, and of ``b``, is needed; it is None otherwise.
    multiply : callable
        ``multiply(a, b)`` returns the product of two such tensors.
    """
    of_a = of_b = None
    if needed[0]:
        if is_transposed(a):
            of_a = multiply(b, gradient.mT).mT
        else:
            of_a = multiply(gradient, b.mT)
    if needed[1]:
        if is_transposed(b):
            of_b = multiply(gradient.mT, a).mT
        else:
            of_b = multiply(a.mT, gradient)
    return of_a, of_b


class _LargeProduct(torch.autograd.Function):
    """Product of two large matrices, ``a @ b + bias``."""

    @staticmethod
    def forward(ctx, a, b, bias=None):
        """(n, k), (k, m), (m,) or None -> (n, m)."""
        ctx.save_for_backward(a, b)
        ctx.has_bias = bias is not None
        return multiply_large(a, b, bias)

    @staticmethod
    def backward(ctx, gradient):
        """Return the gradients of both factors and of the bias."""
        multiply = _multiply_again if torch.is_grad_enabled() else multiply_large
        of_bias = gradient.sum(0) if ctx.has_bias else None
        a, b = ctx.saved_tensors
        of_a, of_b = gradients(a, b, gradient, ctx.needs_input_grad, multiply)
        return of_a, of_b, of_bias


def _multiply_again(a, b):
    """Multiply large matrices such that the product has gradients."""
    return _LargeProduct.apply(a, b, None)


def training_linear(x, weight, bias=None):
    """Affine map in training, ``x @ weight.T + bias``.

    Parameters
    ----------
    x : Tensor, shape (batch, in_features)
    weight : Tensor, shape (out_features, in_features)
    bias : Tensor or None, shape (out_features,)

    Returns
    -------
    y : Tensor, shape (batch, out_features)
    """
    is_plain = x.ndim == 2 and not torch.is_autocast_enabled("cpu")
    if is_plain and is_large(x, weight.mT) and not torch.compiler.is_compiling():
        return _LargeProduct.apply(x, weight.mT, bias)
    return F.linear(x, weight, bias)
