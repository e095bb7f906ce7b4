"""Affine maps of K nets at once, equal to the last bit to those of each net by itself."""

import contextlib
import functools
import math

import torch
from torch.nn import functional as F

from skdeep.utils._threads import one_thread

__all__ = ["ALIGNMENT", "affine"]

#: Float32 entries in 64 bytes, to which torch aligns the memory of every tensor of its own. From
#: other places on, matrix products may sum in another order.
ALIGNMENT = 16
# Entries that a trial compares at least, so that other orders of summation are seen.
_ENOUGH = 256


def affine(x, weight, bias, *, alone_on_one_thread=False):
    """Products ``x @ weight + bias`` of K members, as each of them forms its own.

    They are formed as one batched product where this machine sums it in the same order as single
    ones, which is tried once for each shape, and one by one elsewhere.

    Parameters
    ----------
    x : Tensor, shape (members, batch, in_features)
    weight : Tensor, shape (members, in_features, out_features)
        Each member's is contiguous, or the transpose of a contiguous matrix.
    bias : Tensor or None, shape (members, out_features)
    alone_on_one_thread : bool
        Whether a member by itself runs on one thread, however many the stack has.

    Returns
    -------
    y : Tensor, shape (members, batch, out_features)
    """
    if x.device.type != "cpu":
        return _batched(x, weight, bias)
    is_batched = _sums_alike(
        (*x.shape[1:], weight.shape[2]),
        is_transposed=_is_transposed(weight),
        has_bias=bias is not None,
        has_gradients=torch.is_grad_enabled(),
        n_threads=torch.get_num_threads(),
        alone_on_one_thread=alone_on_one_thread,
    )
    if is_batched:
        return _batched(x, weight, bias)
    return _OneByOne.apply(x, weight, bias, alone_on_one_thread)


def _batched(x, weight, bias):
    return torch.bmm(x, weight) if bias is None else torch.baddbmm(bias.unsqueeze(1), x, weight)


class _OneByOne(torch.autograd.Function):
    """K products, each formed as by a member alone, and their gradients likewise."""

    @staticmethod
    def forward(ctx, a, b, bias, on_one_thread):
        """(members, n, k), (members, k, m), (members, m) or None -> (members, n, m)."""
        ctx.save_for_backward(a, b)
        ctx.on_one_thread = on_one_thread
        with _threads(on_one_thread):
            if bias is None:
                return torch.stack(list(map(torch.mm, _aligned(a), _aligned(b))))
            return torch.stack(list(map(torch.addmm, bias.unbind(), _aligned(a), _aligned(b))))

    @staticmethod
    def backward(ctx, gradient):
        """Gradients in the memory layout of their tensors, as those of ``torch.mm``."""
        a, b = ctx.saved_tensors
        of_a = of_b = of_bias = None
        if ctx.needs_input_grad[0]:
            if _is_transposed(a):
                of_a = _OneByOne.apply(b, gradient.mT, None, ctx.on_one_thread).mT
            else:
                of_a = _OneByOne.apply(gradient, b.mT, None, ctx.on_one_thread)
        if ctx.needs_input_grad[1]:
            if _is_transposed(b):
                of_b = _OneByOne.apply(gradient.mT, a, None, ctx.on_one_thread).mT
            else:
                of_b = _OneByOne.apply(a.mT, gradient, None, ctx.on_one_thread)
        if ctx.needs_input_grad[2]:
            of_bias = gradient.sum(1)
        return of_a, of_b, of_bias, None


def _is_transposed(x):
    """Whether each member's matrix is the transpose of a contiguous one."""
    return x.stride(1) == 1 and x.stride(2) == x.shape[1]


def _aligned(x):
    """Matrices of the members, each in memory that starts as that of a tensor of its own."""
    if _is_transposed(x):
        return [one.t() for one in _aligned_rows(x.mT)]
    return _aligned_rows(x)


def _aligned_rows(x):
    if x.stride(2) != 1 or x.stride(1) != x.shape[2]:
        x = x.contiguous()
    if x.storage_offset() % ALIGNMENT or x.stride(0) % ALIGNMENT:
        size = x[0].numel()
        padded = F.pad(x.flatten(1), (0, -size % ALIGNMENT))
        x = padded.as_strided(x.shape, (padded.shape[1], x.shape[2], 1))
    return x.unbind()


def _threads(on_one_thread):
    """Context with the number of threads that a member alone has."""
    if on_one_thread and torch.get_num_threads() > 1:
        return one_thread()
    return contextlib.nullcontext()


@functools.cache
def _sums_alike(shape, *, is_transposed, has_bias, has_gradients, n_threads, alone_on_one_thread):
    """Whether batched products of that shape equal single ones, tried on random numbers.

    Parameters
    ----------
    shape : (int, int, int)
        Rows, inputs and outputs of each member.
    is_transposed : bool
        Layout of the weights.
    has_bias : bool
    has_gradients : bool
        Whether gradients, and theirs, must be equal too.
    n_threads : int
        Present number of threads.
    alone_on_one_thread : bool
    """
    n_rows, n_in, n_out = shape
    n_members = _number_of_trials(n_rows * n_in, n_rows * n_out, n_in * n_out)
    generator = torch.Generator().manual_seed(0)

    def normal(*shape, align=False):
        size = math.prod(shape)
        step = size + (-size % ALIGNMENT if align else 0)
        x = torch.empty(n_members, step, dtype=torch.float32, device="cpu")
        return x.normal_(generator=generator)[:, :size].unflatten(1, shape)

    tensors = [
        normal(*((n_out, n_in) if is_transposed else (n_in, n_out)), align=True),
        normal(n_rows, n_in),
        normal(n_rows, n_out),
        normal(n_rows, n_in),
        *([normal(n_out)] if has_bias else []),
    ]
    results = functools.partial(_trial, is_transposed, has_gradients)
    with torch.enable_grad():
        together = results(_batched, *tensors)
        with _threads(alone_on_one_thread):
            alone = [
                results(_single, *(tensor[number].clone() for tensor in tensors))
                for number in range(n_members)
            ]
    members = zip(*alone, strict=True)
    return all(map(torch.equal, together, map(torch.stack, members)))


def _number_of_trials(n_inputs, n_outputs, n_weights):
    """As many members as start at different places, and as give enough numbers to compare."""
    n_places = max(ALIGNMENT // math.gcd(ALIGNMENT, size) for size in (n_inputs, n_outputs))
    return max(2, n_places, min(64, _ENOUGH // min(n_inputs, n_outputs, n_weights)))


def _trial(is_transposed, has_gradients, form, weight, x, of_y, of_gradient, bias=None):
    """Product, its gradients, and the gradients of that of ``x``."""
    leaves = [weight, x] if bias is None else [weight, x, bias]
    for tensor in (*leaves, of_y):
        tensor.requires_grad_()
    y = form(x, weight.mT if is_transposed else weight, bias)
    if not has_gradients:
        return [y]
    gradients = torch.autograd.grad(y, leaves, of_y, create_graph=True)
    return [y, *gradients, *torch.autograd.grad(gradients[1], [weight, of_y], of_gradient)]


def _single(x, weight, bias):
    return torch.mm(x, weight) if bias is None else torch.addmm(bias, x, weight)
