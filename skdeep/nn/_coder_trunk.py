"""Encoders as trunks of other nets."""

import torch
from torch import nn

from skdeep.nn._augment import Augment
from skdeep.nn._coder import make_encoder, make_features


def _make_posterior(shape, streams):
    return make_encoder(shape, streams, n_outputs=2 * shape.n_components)


#: Functions that build an encoder, ``make(shape, streams)``, by the ``encoder_kind`` of modules.
ENCODERS = {"codes": make_encoder, "features": make_features, "posterior": _make_posterior}


class CoderTrunk(nn.Module):
    """The encoder of an autoencoder or a clusterer as the trunk of another net.

    **Shape**: (batch, n_features) -> (batch, n_components)

    Parameters
    ----------
    kind : {"codes", "features", "posterior"}
        Whether the last layer returns codes, is a hidden layer, or returns means and log-variances,
        of which the trunk returns the means.
    shape : CoderShape
    augment : {"affine", "shift", "shift+flip"} or None
        Augmentation of images.
    streams : dict of str to torch.Generator
    """

    def __init__(self, kind, shape, *, augment, streams):
        super().__init__()
        layers = list(ENCODERS[kind](shape, streams))
        if shape.image_shape is not None:  # the first layer folds samples to images
            layers.insert(1, Augment(augment, generator=streams["noise"]))
        self.layers = nn.Sequential(*layers)
        self.out_features = shape.n_components

    def forward(self, x):
        """(batch, n_features) -> (batch, n_components)."""
        return self.layers(x)[..., : self.out_features]


def copy_tensors(source, target):
    """Copy parameters and buffers of a module to a module with the same layers.

    Parameters
    ----------
    source, target : torch.nn.Module
        Layers without parameters and the names of layers may differ.
    """
    pairs = zip(source.state_dict().values(), target.state_dict().values(), strict=True)
    with torch.no_grad():
        for given, own in pairs:
            own.copy_(given)
