"""Normalisation layers whose results do not depend on the number of CPU threads."""

import contextlib

import torch
from torch import nn
from torch.nn import functional as F

from skdeep.utils._threads import one_thread

__all__ = ["NORMS", "BatchNorm", "LayerNorm", "batch_norm", "make_norm", "stacked_batch_norm"]


class _RowsBatchNorm(torch.autograd.Function):
    """Batch normalisation of rows that uses one thread, forwards and backwards.

    torch's kernel splits the sums over rows between threads, and their last digits depend on the
    number of threads. On one thread it takes about as long as on two.

    Several members are normalised as one whose rows lie side by side in memory. A view of them
    would do for the kernel, but not for what comes after it: sums over the rows of such a view run
    over several members at once, in another order than over the rows of one.
    """

    @staticmethod
    def forward(ctx, x, weight, bias, mean, var, momentum, eps):
        """([members,] batch, channels) -> the same; moves ``mean`` and ``var``."""
        rows = _side_by_side(x)
        scale, shift, mean, var = (tensor.flatten() for tensor in (weight, bias, mean, var))
        with _one_thread():
            y, *saved = torch.native_batch_norm(rows, scale, shift, mean, var, True, momentum, eps)
        # not the rows: a gradient's own gradient would not find its way from them to ``x``
        ctx.save_for_backward(x, weight, *saved)
        ctx.eps = eps
        return _apart(y, x.shape)

    @staticmethod
    def backward(ctx, gradient):
        """Gradients of ``x``, ``weight`` and ``bias``."""
        x, weight, mean, spread = ctx.saved_tensors
        if x.ndim == 2:
            return *_backward(gradient, x, weight, mean, spread, ctx.eps), *[None] * 4
        if torch.is_grad_enabled():  # gradients of gradients differ in their last digits, else
            parts = [
                _backward(*member, ctx.eps)
                for member in zip(
                    gradient, x, weight, mean.view_as(weight), spread.view_as(weight), strict=True
                )
            ]
            return *(torch.stack(part) for part in zip(*parts, strict=True)), *[None] * 4
        of_x, of_weight, of_bias = _backward(
            _side_by_side(gradient), _side_by_side(x), weight.flatten(), mean, spread, ctx.eps
        )
        of_weights = of_weight.view_as(weight), of_bias.view_as(weight)
        return _apart(of_x, x.shape), *of_weights, *[None] * 4


def _backward(gradient, x, weight, mean, spread, eps):
    """Gradients of ``x``, ``weight`` and ``bias``, where x is (batch, channels)."""
    with _one_thread():
        return torch.ops.aten.native_batch_norm_backward(
            gradient, x, weight, None, None, mean, spread, True, eps, [True, True, True]
        )


def _one_thread():
    """Context in which torch uses one thread; it costs time to enter where there is another."""
    return one_thread() if torch.get_num_threads() > 1 else contextlib.nullcontext()


def _side_by_side(x):
    """(members, batch, channels) -> (batch, members * channels)."""
    return x if x.ndim == 2 else x.transpose(0, 1).flatten(1)


def _apart(rows, shape):
    """(batch, members * channels) -> (members, batch, channels)."""
    if len(shape) == 2:
        return rows
    return rows.unflatten(1, (shape[0], shape[2])).transpose(0, 1).contiguous()


def batch_norm(x, weight, bias, mean, var, *, training, momentum, eps):
    """Batch normalisation, for rows with the same digits on any number of threads."""
    is_plain = x.ndim == 2 and x.device.type == "cpu" and not torch.compiler.is_compiling()
    if training and is_plain and torch.get_num_threads() > 1:
        return _RowsBatchNorm.apply(x, weight, bias, mean, var, momentum, eps)
    return F.batch_norm(x, mean, var, weight, bias, training, momentum, eps)


def stacked_batch_norm(x, weight, bias, mean, var, *, training, momentum, eps):
    """Batch normalisation of (members, batch, channels, ...), for rows as of each by itself."""
    if training and x.ndim == 3 and x.device.type == "cpu":
        return _RowsBatchNorm.apply(x, weight, bias, mean, var, momentum, eps)
    rows = x.transpose(0, 1).flatten(1, 2)
    mean, var, weight, bias = (tensor.flatten() for tensor in (mean, var, weight, bias))
    y = F.batch_norm(rows, mean, var, weight, bias, training, momentum, eps)
    return y.unflatten(1, (len(x), -1)).transpose(0, 1).contiguous()


class BatchNorm(nn.Module):
    """Batch normalisation over rows, or over rows and pixels.

    A training batch that has a single value per channel has no variance; it is normalised by the
    running statistics, which it leaves as they are.

    **Shape**: (batch, channels) or (batch, channels, height, width) -> the same

    Parameters
    ----------
    channels : int
    momentum : float, default=0.1
        Weight of the newest batch in the running mean and variance.
    eps : float, default=1e-5

    References
    ----------
    .. [1] Ioffe and Szegedy (2015), "Batch Normalization: Accelerating Deep Network Training by
       Reducing Internal Covariate Shift", ICML.
    """

    running_mean: torch.Tensor
    running_var: torch.Tensor

    def __init__(self, channels, *, momentum=0.1, eps=1e-5):
        super().__init__()
        self.momentum = momentum
        self.eps = eps
        self.weight = nn.Parameter(torch.ones(channels, dtype=torch.float32))
        self.bias = nn.Parameter(torch.zeros(channels, dtype=torch.float32))
        self.register_buffer("running_mean", torch.zeros(channels, dtype=torch.float32))
        self.register_buffer("running_var", torch.ones(channels, dtype=torch.float32))

    def forward(self, x):
        """(batch, channels, ...) -> (batch, channels, ...)."""
        return batch_norm(
            x,
            self.weight,
            self.bias,
            self.running_mean,
            self.running_var,
            training=self.training and x.numel() > x.shape[1],
            momentum=self.momentum,
            eps=self.eps,
        )


class LayerNorm(nn.Module):
    """Layer normalisation: each row, or image with all its channels, by itself.

    **Shape**: (batch, channels) or (batch, channels, height, width) -> the same

    Parameters
    ----------
    channels : int
    eps : float, default=1e-5

    References
    ----------
    .. [1] Ba, Kiros and Hinton (2016), "Layer Normalization", arXiv:1607.06450.
    """

    def __init__(self, channels, *, eps=1e-5):
        super().__init__()
        self.eps = eps
        self.weight = nn.Parameter(torch.ones(channels, dtype=torch.float32))
        self.bias = nn.Parameter(torch.zeros(channels, dtype=torch.float32))

    def forward(self, x):
        """(batch, channels, ...) -> (batch, channels, ...)."""
        x = F.layer_norm(x, x.shape[1:], eps=self.eps)
        # apart from it: its own gradient of the weights depends on the number of threads
        shape = (-1,) + (1,) * (x.ndim - 2)
        return torch.addcmul(self.bias.view(shape), x, self.weight.view(shape))


#: Normalisation layers by name.
NORMS = {"batch": BatchNorm, "layer": LayerNorm}


def make_norm(name, channels):
    """Make the normalisation layer of that name, None for None."""
    return None if name is None else NORMS[name](channels)
