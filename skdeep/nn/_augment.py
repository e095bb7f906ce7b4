"""Small random changes of images during training."""

import torch
from torch import nn

__all__ = ["AUGMENTATIONS", "Augment"]

#: Augmentations by name.
AUGMENTATIONS = ("shift", "shift+flip")
# An image moves by up to one in so many pixels of its shorter side: 2 pixels of 28, at least one.
_SHIFT_PARTS = 12


class Augment(nn.Module):
    """Moves each image of a training batch by a few pixels, and mirrors it if asked to.

    Pixels that come in are copies of the border. Outside of training images stay as they are.

    **Shape**: (batch, channels, height, width) -> the same

    Parameters
    ----------
    kind : {"shift", "shift+flip"} or None
        None leaves images as they are.
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
        # the two index arrays around the slice put channels last: (batch, height, width, channels)
        moved = x[images, :, rows[:, :, None], columns[:, None, :]]
        return moved.movedim(3, 1)
