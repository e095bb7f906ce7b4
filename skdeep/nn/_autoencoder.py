"""The autoencoder as a torch module."""

from typing import NamedTuple

import torch
from torch import nn

from skdeep.nn._activation import OUTPUT_ACTIVATIONS
from skdeep.nn._coder import make_decoder, make_encoder
from skdeep.nn._dropout import corrupt
from skdeep.nn.losses import contraction


class AutoencoderOutput(NamedTuple):
    """Output of the forward pass of an autoencoder."""

    #: (batch, n_features), logits if the loss is computed on logits
    reconstruction: torch.Tensor
    #: (batch, n_components)
    code: torch.Tensor
    #: (batch,) squared norm of the encoder's Jacobian, or None if it is not computed
    contraction: torch.Tensor | None


class AutoencoderModule(nn.Module):
    """Autoencoder, including corruption of the input and the output activation.

    **Shape**: (batch, n_features) -> ``AutoencoderOutput``

    Parameters
    ----------
    shape : CoderShape
    streams : dict of str to torch.Generator
    output_activation : str
        One of ``OUTPUT_ACTIVATIONS``.
    loss_on_logits : bool
        Whether ``forward`` leaves the output activation to the loss.
    noise : float
        Amount of corruption during training.
    noise_kind : {"gaussian", "masking"}
    contractive : bool
        Whether ``forward`` computes the contraction penalty during training.
    global_skip : bool
        Whether the output of the decoder is added to the input.
    """

    #: how ``encoder`` was built, see ``ENCODERS``
    encoder_kind = "codes"

    def __init__(
        self,
        shape,
        streams,
        *,
        output_activation="identity",
        loss_on_logits=False,
        noise=0.0,
        noise_kind="gaussian",
        contractive=False,
        global_skip=False,
    ):
        super().__init__()
        self.encoder = make_encoder(shape, streams)
        self.decoder = make_decoder(shape, streams, encoder=self.encoder)
        self.output_activation = OUTPUT_ACTIVATIONS[output_activation]()
        self.loss_on_logits = loss_on_logits
        self.noise = noise
        self.noise_kind = noise_kind
        self.noise_generator = streams["noise"]
        self.contractive = contractive
        self.global_skip = global_skip

    def encode(self, x):
        """(batch, n_features) -> (batch, n_components)."""
        return self.encoder(x)

    def decode(self, z):
        """(batch, n_components) -> (batch, n_features)."""
        return self.output_activation(self.decoder(z))

    def reconstruct(self, x):
        """(batch, n_features) -> (batch, n_features)."""
        x_hat = self.decoder(self.encoder(x))
        return self.output_activation(x + x_hat if self.global_skip else x_hat)

    def forward(self, x):
        """(batch, n_features) -> AutoencoderOutput."""
        if self.training and self.noise:
            x = corrupt(x, self.noise, self.noise_kind, self.noise_generator)
        contractive = self.training and self.contractive
        if contractive:
            x = x.detach().requires_grad_()
        z = self.encoder(x)
        x_hat = self.decoder(z)
        if self.global_skip:
            x_hat = x + x_hat
        if not self.loss_on_logits:
            x_hat = self.output_activation(x_hat)
        return AutoencoderOutput(x_hat, z, contraction(z, x) if contractive else None)
