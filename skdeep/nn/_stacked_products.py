"""Affine maps of K nets at once, equal to the last bit to those of each net alone."""

import contextlib
import functools
import math
import re
from typing import NamedTuple

import torch
from torch.nn import functional as F

from skdeep.nn._elementwise import GRAIN
from skdeep.nn._products import gradients, is_large, is_transposed, multiply_large
from skdeep.utils._threads import one_thread

#: Float32 entries in 64 bytes, to which torch aligns the memory of tensors. At other addresses,
#: matrix products may sum in a different order.
ALIGNMENT = 16
# Minimum number of entries that a trial compares, so that it detects different orders of summation.
_ENOUGH = 256


class Threads(NamedTuple):
    """Numbers of threads of a stack and its members, on which the order of summation depends."""

    #: Threads of torch, OpenMP and MKL, for which ``torch.set_num_threads`` has separate settings.
    numbers: tuple[int, ...]
    #: Whether a member alone runs on one thread, regardless of the threads of the stack.
    alone_on_one: bool

    @classmethod
    def present(cls, *, alone_on_one):
        """Read the current settings of torch."""
        report = torch.__config__.parallel_info()
        n_threads = torch.get_num_threads()
        others = re.findall(r"get_max_threads\(\) : (\d+)", report)
        return cls((n_threads, *map(int, others)), alone_on_one and n_threads > 1)

    def scope(self):
        """Context manager with the number of threads of a single member."""
        return one_thread() if self.alone_on_one else contextlib.nullcontext()


def affine(x, weight, bias, threads):
    """Products ``x @ weight + bias`` of K members, equal to those of each member alone.

    They are computed as one batched product if this machine sums it in the same order as single
    products, which is tested once for each shape; otherwise one by one.

    Parameters
    ----------
    x : Tensor, shape (members, batch, in_features)
    weight : Tensor, shape (members, in_features, out_features)
        The matrix of each member is contiguous or the transpose of a contiguous matrix.
    bias : Tensor or None, shape (members, out_features)
    threads : Threads

    Returns
    -------
    y : Tensor, shape (members, batch, out_features)
    """
    if x.device.type != "cpu":
        return _batched(x, weight, bias)
    return _Product.apply(x, weight, bias, threads)


class _Product(torch.autograd.Function):
    """K products and their gradients, each equal to that of a member alone."""

    @staticmethod
    def forward(ctx, a, b, bias, threads):
        """(members, n, k), (members, k, m), (members, m) or None -> (members, n, m)."""
        ctx.save_for_backward(a, b)
        ctx.threads = threads
        return _multiply(a, b, bias, threads)

    @staticmethod
    def backward(ctx, gradient):
        """Return gradients in the memory layout of their tensors, like ``torch.mm``."""

        def multiply(a, b):
            form = _Product.apply if torch.is_grad_enabled() else _multiply
            return form(a, b, None, ctx.threads)

        of_bias = _sum_over_rows(gradient, ctx.threads) if ctx.needs_input_grad[2] else None
        a, b = ctx.saved_tensors
        of_a, of_b = gradients(a, b, gradient, ctx.needs_input_grad, multiply)
        return of_a, of_b, of_bias, None


def _multiply(a, b, bias, threads):
    """Multiply K pairs of matrices."""
    if is_large(a, b):
        biases = [None] * len(a) if bias is None else bias.unbind()
        with threads.scope():
            return torch.stack(list(map(multiply_large, a, b, biases)))
    layouts = [(is_transposed(part), part.stride(0) % ALIGNMENT) for part in (a, b)]
    shape = (a.shape[1], a.shape[2], b.shape[2])
    # whether several threads share a product depends on the number of products
    n_members = len(a) if max(threads.numbers) > 1 else None
    if _sums_alike(shape, *layouts, bias is not None, threads, n_members):
        return _batched(a, b, bias)
    with threads.scope():
        pairs = _aligned(a), _aligned(b)
        if bias is None:
            return torch.stack(list(map(torch.mm, *pairs)))
        return torch.stack(list(map(torch.addmm, bias.unbind(), *pairs)))


def _sum_over_rows(gradient, threads):
    """Return the gradients of the biases, (members, n, m) -> (members, m)."""
    if gradient.shape[2] == 1 and gradient.shape[1] >= GRAIN:
        # a single member sums over a whole tensor, which torch splits between threads
        with threads.scope():
            return torch.stack([rows.sum(0) for rows in gradient])
    return gradient.sum(1)


def _batched(a, b, bias):
    return torch.bmm(a, b) if bias is None else torch.baddbmm(bias.unsqueeze(1), a, b)


def _aligned(x):
    """Return the matrices of the members, each aligned like a separately allocated tensor."""
    transposes = is_transposed(x)
    rows = x.mT if transposes else x
    if rows.stride(2) != 1 or rows.stride(1) != rows.shape[2]:
        rows = rows.contiguous()
    if rows.storage_offset() % ALIGNMENT or rows.stride(0) % ALIGNMENT:
        padded = F.pad(rows.flatten(1), (0, -rows[0].numel() % ALIGNMENT))
        rows = padded.as_strided(rows.shape, (padded.shape[1], rows.shape[2], 1))
    return (rows.mT if transposes else rows).unbind()


@functools.lru_cache(maxsize=4096)
def _sums_alike(shape, layout_of_a, layout_of_b, has_bias, threads, n_members):
    """Whether such batched products are equal to single ones, tested on random numbers.

    Parameters
    ----------
    shape : (int, int, int)
        Rows and columns of the first matrix, columns of the second one.
    layout_of_a, layout_of_b : (bool, int)
        Whether the matrix is transposed, and the distance between the members' matrices in memory,
        modulo ``ALIGNMENT``.
    has_bias : bool
    threads : Threads
    n_members : int or None
        Number of products; None if it does not matter.
    """
    n, k, m = shape
    if n_members is None:
        # the alignments of the members repeat after this many members
        steps = (layout_of_a[1], layout_of_b[1], n * m)
        n_places = max(ALIGNMENT // math.gcd(ALIGNMENT, step) for step in steps)
        n_members = max(2, n_places, min(64, _ENOUGH // (n * m)))
    generator = torch.Generator().manual_seed(0)

    def normal(n_rows, n_columns, is_transposed=False, step=0):
        n_rows, n_columns = (n_columns, n_rows) if is_transposed else (n_rows, n_columns)
        size = n_rows * n_columns
        x = torch.empty(
            n_members, size + (step - size) % ALIGNMENT, dtype=torch.float32, device="cpu"
        )
        x = x.normal_(generator=generator)[:, :size].unflatten(1, (n_rows, n_columns))
        return x.mT if is_transposed else x

    a, b = normal(n, k, *layout_of_a), normal(k, m, *layout_of_b)
    bias = normal(1, m).squeeze(1) if has_bias else None
    with torch.no_grad():
        together = _batched(a, b, bias)
        with threads.scope():
            pairs = _aligned(a), _aligned(b)
            alone = map(torch.mm, *pairs) if bias is None else map(torch.addmm, bias, *pairs)
            return torch.equal(together, torch.stack(list(alone)))
