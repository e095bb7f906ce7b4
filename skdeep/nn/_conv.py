"""Convolutions with initial weights from a generator."""

import math

import torch
from torch import nn
from torch.backends import cudnn
from torch.nn import functional as F

from skdeep.nn._linear import init_uniform

#: Default height and width of a kernel.
KERNEL_SIZE = 3


class Conv2d(nn.Module):
    """Convolution with padding and a given output size.

    **Shape**: (batch, in_channels, H, W) -> (batch, out_channels, ceil(H/stride), ceil(W/stride))

    Parameters
    ----------
    in_channels, out_channels : int
    size : (int, int)
        Height and width of the output.
    stride : int
    generator : torch.Generator
        Source of the initial weights.
    kernel_size : int, default=3
        Height and width of the kernel, an odd number.
    bias : bool, default=True

    Attributes
    ----------
    n_positions : int
        How often the weights are applied to an image.
    """

    def __init__(
        self,
        in_channels,
        out_channels,
        *,
        size,
        stride,
        generator,
        kernel_size=KERNEL_SIZE,
        bias=True,
    ):
        super().__init__()
        self.stride = stride
        self.padding = kernel_size // 2
        self.n_positions = math.prod(size)
        shape = (out_channels, in_channels, kernel_size, kernel_size)
        self.weight = nn.Parameter(torch.empty(shape, dtype=torch.float32))
        self.bias = nn.Parameter(torch.empty(out_channels, dtype=torch.float32)) if bias else None
        init_uniform(in_channels * kernel_size**2, generator, self.weight, self.bias)

    def forward(self, x):
        """(batch, in_channels, H, W) -> (batch, out_channels, H', W')."""
        return F.conv2d(x, self.weight, self.bias, stride=self.stride, padding=self.padding)


class ConvTranspose2d(nn.Module):
    """Transposed 3 x 3 convolution with stride 2 and a given output size.

    In evaluation mode, its results are the same in every run on a GPU, too, where cuDNN might
    otherwise choose an algorithm whose order of summation varies. This does not hold in a stack.

    **Shape**: (batch, in_channels, ceil(H/2), ceil(W/2)) -> (batch, out_channels, H, W)

    Parameters
    ----------
    in_channels, out_channels : int
    size : (int, int)
        Height and width of the output.
    generator : torch.Generator
        Source of the initial weights.
    bias : bool, default=True

    Attributes
    ----------
    n_positions : int
        How often the weights are applied to an image.
    """

    def __init__(self, in_channels, out_channels, *, size, generator, bias=True):
        super().__init__()
        # an even side needs one more row or column than the stride alone produces
        self.output_padding = tuple(1 - side % 2 for side in size)
        self.n_positions = math.prod(-(-side // 2) for side in size)
        shape = (in_channels, out_channels, KERNEL_SIZE, KERNEL_SIZE)
        self.weight = nn.Parameter(torch.empty(shape, dtype=torch.float32))
        self.bias = nn.Parameter(torch.empty(out_channels, dtype=torch.float32)) if bias else None
        init_uniform(in_channels * KERNEL_SIZE**2, generator, self.weight, self.bias)

    def forward(self, x):
        """(batch, in_channels, ceil(H/2), ceil(W/2)) -> (batch, out_channels, H, W)."""
        # torch.vmap, which trains stacks, would call the function of cuDNN once for each net
        is_mapped = torch._C._functorch.is_batchedtensor(x)
        if x.is_cuda and not (self.training or is_mapped) and cudnn.is_acceptable(x):
            return self._in_fixed_order(x)
        return F.conv_transpose2d(
            x, self.weight, self.bias, stride=2, padding=1, output_padding=self.output_padding
        )

    def _in_fixed_order(self, x):
        """Transposed convolution by a deterministic algorithm of cuDNN."""
        result = torch.cudnn_convolution_transpose(
            x,
            self.weight,
            padding=(1, 1),
            output_padding=self.output_padding,
            stride=(2, 2),
            dilation=(1, 1),
            groups=1,
            benchmark=False,
            deterministic=True,
            allow_tf32=cudnn.allow_tf32,
        )
        return result if self.bias is None else result + self.bias.view(-1, 1, 1)
