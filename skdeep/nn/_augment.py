"""Image augmentation during training."""

import torch
from torch import nn
from torch.nn import functional as F

#: Augmentations by name.
AUGMENTATIONS = ("affine", "shift", "shift+flip")
# An image is shifted by up to its shorter side divided by this, at least one pixel: 2 pixels of 28.
_SHIFT_PARTS = 12
# Maximum rotation in radians, relative change of height and width, shear, and shift in halves of a
# side.
_ROTATION, _SCALE, _SHEAR, _SHIFT = 0.32, 0.25, 0.37, 0.19


class Augment(nn.Module):
    """Randomly transforms each image of a training batch.

    ``"shift"`` moves it by a few pixels and ``"shift+flip"`` also mirrors it; ``"affine"`` rotates,
    stretches, shears and moves it. The border is padded with copies of its pixels. Images are
    unchanged outside of training.

    **Shape**: (batch, channels, height, width) -> the same

    Parameters
    ----------
    kind : {"affine", "shift", "shift+flip"} or None
        None for no augmentation.
    generator : torch.Generator
        On the device of the data.
    strength : float, default=1.0
        Factor of all ranges of ``"affine"``.
    """

    def __init__(self, kind, *, generator, strength=1.0):
        super().__init__()
        self.kind = kind
        self.generator = generator
        self.strength = strength

    def forward(self, x):
        """(batch, channels, height, width) -> the same."""
        if not self.training or self.kind is None:
            return x
        if self.kind == "affine":
            return affine(x, self.strength, self.generator)
        return self._shift(x)

    def _shift(self, x):
        n_rows, _, height, width = x.shape
        limit = max(1, min(height, width) // _SHIFT_PARTS)
        options = {"generator": self.generator, "device": x.device}
        shifts = torch.randint(-limit, limit + 1, (2, n_rows, 1), **options)
        rows = (torch.arange(height, device=x.device) + shifts[0]).clamp(0, height - 1)
        columns = (torch.arange(width, device=x.device) + shifts[1]).clamp(0, width - 1)
        if self.kind == "shift+flip":
            flipped = torch.randint(2, (n_rows, 1), **options) == 1
            columns = torch.where(flipped, columns.flip(1), columns)
        images = torch.arange(n_rows, device=x.device)[:, None, None]
        # index arrays around a slice put channels last: (batch, height, width, channels)
        moved = x[images, :, rows[:, :, None], columns[:, None, :]]
        return moved.movedim(3, 1)


def affine(x, strength, generator):
    """Rotate, stretch, shear and shift each image by random amounts, bilinearly interpolated.

    Parameters
    ----------
    x : Tensor, shape (batch, channels, height, width)
    strength : float
        Factor of all ranges.
    generator : torch.Generator

    Returns
    -------
    transformed : Tensor of the same shape
    """
    draws = x.new_empty(len(x), 6).uniform_(-strength, strength, generator=generator)
    angle, shear, scale = draws[:, 0] * _ROTATION, draws[:, 1] * _SHEAR, 1 + draws[:, 2:4] * _SCALE
    sine, cosine = angle.sin(), angle.cos()
    aspect = x.shape[2] / x.shape[3]  # coordinates go from -1 to 1 along each side
    across, down = (cosine * shear - sine) * aspect, sine / aspect
    matrix = torch.stack([cosine, across, down, sine * shear + cosine], dim=1)
    linear = matrix.unflatten(1, (2, 2)) * scale.unsqueeze(1)  # (batch, 2, 2)
    theta = torch.cat([linear, draws[:, 4:].unsqueeze(2) * _SHIFT], dim=2)
    grid = F.affine_grid(theta, list(x.shape), align_corners=False)
    return F.grid_sample(x, grid, padding_mode="border", align_corners=False)
