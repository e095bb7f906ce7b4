"""Random views of samples during training."""

from torch import nn

from skdeep.nn._augment import Augment
from skdeep.nn._dropout import corrupt


class View(nn.Module):
    """Augments images and adds noise to samples during training.

    **Shape**: (batch, n_features) -> the same

    Parameters
    ----------
    image_shape : (int, int, int) or None
    augment : str or None
        Kind of augmentation of images, see ``Augment``.
    noise : float
        Amount of noise, see ``corrupt``.
    noise_kind : {"gaussian", "masking"}
    generator : torch.Generator
        On the device of the data.
    """

    def __init__(self, image_shape, *, augment, noise, noise_kind, generator):
        super().__init__()
        self.image_shape = image_shape
        self.augment = Augment(augment, generator=generator)
        self.noise = noise
        self.noise_kind = noise_kind
        self.generator = generator

    @property
    def is_random(self):
        """Whether two views of a sample differ during training."""
        return self.augment.kind is not None or self.noise > 0

    def forward(self, x):
        """(batch, n_features) -> (batch, n_features)."""
        if not self.training:
            return x
        if self.augment.kind is not None:
            x = self.augment(x.unflatten(1, self.image_shape)).flatten(1)
        return corrupt(x, self.noise, self.noise_kind, self.generator) if self.noise else x
