"""Image augmentation during training."""

import torch
from torch import nn

#: Augmentations by name.
AUGMENTATIONS = ("shift", "shift+flip")
# An image is shifted by up to its shorter side divided by this, at least one pixel: 2 pixels of 28.
_SHIFT_PARTS = 12


class Augment(nn.Module):
    """Randomly shifts each image of a training batch by a few pixels, and optionally flips it.

    The border is padded with copies of its pixels. Images are unchanged outside of training.

    **Shape**: (batch, channels, height, width) -> the same

    Parameters
    ----------
    kind : {"shift", "shift+flip"} or None
        None for no augmentation.
    generator : torch.Generator
        On the device of the data.
    """

    def __init__(self, kind, *, generator):
        super().__init__()
        self.kind = kind
        self.generator = generator

    def forward(self, x):
        """(batch, channels, height, width) -> the same."""
        if not self.training or self.kind is None:
            return x
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
