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
    return _Product.apply(x, weight, bias, alone_on_one_thread)


class _Product(torch.autograd.Function):
    """K products and their gradients, each formed as by a member alone."""

    @staticmethod
    def forward(ctx, a, b, bias, on_one_thread):
        """(members, n, k), (members, k, m), (members, m) or None -> (members, n, m)."""
        ctx.save_for_backward(a, b)
        ctx.on_one_thread = on_one_thread
        return _multiply(a, b, bias, on_one_thread)

    @staticmethod
    def backward(ctx, gradient):
        """Gradients in the memory layout of their tensors, as those of ``torch.mm``."""
        a, b = ctx.saved_tensors
        form = _Product.apply if torch.is_grad_enabled() else _multiply
        of_a = of_b = of_bias = None
        if ctx.needs_input_grad[0]:
            if _is_transposed(a):
                of_a = form(b, gradient.mT, None, ctx.on_one_thread).mT
            else:
                of_a = form(gradient, b.mT, None, ctx.on_one_thread)
        if ctx.needs_input_grad[1]:
            if _is_transposed(b):
                of_b = form(gradient.mT, a, None, ctx.on_one_thread).mT
            else:
                of_b = form(a.mT, gradient, None, ctx.on_one_thread)
        if ctx.needs_input_grad[2]:
            of_bias = gradient.sum(1)
        return of_a, of_b, of_bias, None


def _multiply(a, b, bias, on_one_thread):
    """Products of K pairs of matrices."""
    layouts = [(_is_transposed(part), part.stride(0) % ALIGNMENT) for part in (a, b)]
    shape = (a.shape[1], a.shape[2], b.shape[2])
    n_threads = torch.get_num_threads()
    if _sums_alike(shape, *layouts[0], *layouts[1], bias is not None, n_threads, on_one_thread):
        return _batched(a, b, bias)
    with _threads(on_one_thread):
        pairs = _aligned(a), _aligned(b)
        if bias is None:
            return torch.stack(list(map(torch.mm, *pairs)))
        return torch.stack(list(map(torch.addmm, bias.unbind(), *pairs)))


def _batched(a, b, bias):
    return torch.bmm(a, b) if bias is None else torch.baddbmm(bias.unsqueeze(1), a, b)


def _is_transposed(x):
    """Whether each member's matrix is the transpose of a contiguous one."""
    return x.stride(1) == 1 and x.stride(2) == x.shape[1]


def _aligned(x):
    """Matrices of the members, each in memory that starts as that of a tensor of its own."""
    is_transposed = _is_transposed(x)
    rows = x.mT if is_transposed else x
    if rows.stride(2) != 1 or rows.stride(1) != rows.shape[2]:
        rows = rows.contiguous()
    if rows.storage_offset() % ALIGNMENT or rows.stride(0) % ALIGNMENT:
        padded = F.pad(rows.flatten(1), (0, -rows[0].numel() % ALIGNMENT))
        rows = padded.as_strided(rows.shape, (padded.shape[1], rows.shape[2], 1))
    return (rows.mT if is_transposed else rows).unbind()


def _threads(on_one_thread):
    """Context with the number of threads that a member alone has."""
    if on_one_thread and torch.get_num_threads() > 1:
        return one_thread()
    return contextlib.nullcontext()


@functools.cache
def _sums_alike(
    shape, a_transposed, a_step, b_transposed, b_step, has_bias, n_threads, on_one_thread
):
    """Whether batched products of that kind equal single ones, tried on random numbers.

    Parameters
    ----------
    shape : (int, int, int)
        Rows of the first matrix, columns of it, columns of the second one.
    a_transposed, b_transposed : bool
        Layout of the matrices in memory.
    a_step, b_step : int
        Distance between the members' matrices in memory, modulo ``ALIGNMENT``.
    has_bias : bool
    n_threads : int
        Present number of threads.
    on_one_thread : bool
        Whether single products are formed on one thread.
    """
    n, k, m = shape
    # the places at which members start repeat themselves after so many
    n_members = max(ALIGNMENT // math.gcd(ALIGNMENT, step) for step in (a_step, b_step, n * m))
    n_members = max(2, n_members, min(64, _ENOUGH // (n * m)))
    generator = torch.Generator().manual_seed(0)

    def normal(n_rows, n_columns, step, is_transposed=False):
        n_rows, n_columns = (n_columns, n_rows) if is_transposed else (n_rows, n_columns)
        size = n_rows * n_columns
        x = torch.empty(
            n_members, size + (step - size) % ALIGNMENT, dtype=torch.float32, device="cpu"
        )
        x = x.normal_(generator=generator)[:, :size].unflatten(1, (n_rows, n_columns))
        return x.mT if is_transposed else x

    a, b = normal(n, k, a_step, a_transposed), normal(k, m, b_step, b_transposed)
    bias = normal(1, m, 0).squeeze(1) if has_bias else None
    with torch.no_grad():
        together = _batched(a, b, bias)
        with _threads(on_one_thread):
            pairs = _aligned(a), _aligned(b)
            alone = map(torch.mm, *pairs) if bias is None else map(torch.addmm, bias, *pairs)
            return torch.equal(together, torch.stack(list(alone)))
