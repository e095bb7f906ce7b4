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
#: Number of amounts of an affine transformation, see ``affine_grid``, and places of some of them.
N_AMOUNTS, ROTATION, SHIFTS = 6, 0, (4, 5)


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
    amounts = x.new_empty(len(x), N_AMOUNTS).uniform_(-strength, strength, generator=generator)
    return sample(x, affine_grid(amounts, x.shape[2:]))


def affine_grid(amounts, sides):
    """Return where pixels of transformed images lie in the original ones.

    Parameters
    ----------
    amounts : Tensor, shape (n_transformations, N_AMOUNTS)
        Rotation, shear, two changes of scale, shifts to the left and upwards, as fractions of their
        ranges.
    sides : (int, int)
        Height and width.

    Returns
    -------
    grid : Tensor, shape (n_transformations, height, width, 2)
    """
    angle, shear = amounts[:, 0] * _ROTATION, amounts[:, 1] * _SHEAR
    scale = 1 + amounts[:, 2:4] * _SCALE
    sine, cosine = angle.sin(), angle.cos()
    aspect = sides[0] / sides[1]  # coordinates go from -1 to 1 along each side
    across, down = (cosine * shear - sine) * aspect, sine / aspect
    matrix = torch.stack([cosine, across, down, sine * shear + cosine], dim=1)
    linear = matrix.unflatten(1, (2, 2)) * scale.unsqueeze(1)  # (n_transformations, 2, 2)
    theta = torch.cat([linear, amounts[:, 4:].unsqueeze(2) * _SHIFT], dim=2)
    return F.affine_grid(theta, [len(amounts), 1, *sides], align_corners=False)


def sample(x, grid):
    """Interpolate images at the points of a grid: (batch, channels, height, width) -> the same."""
    return F.grid_sample(x, grid, padding_mode="border", align_corners=False)
