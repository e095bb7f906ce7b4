"""Activation functions by name."""

from torch import nn

__all__ = ["ACTIVATIONS", "OUTPUT_ACTIVATIONS", "make_activation"]

#: Names for hidden layers.
ACTIVATIONS = {
    "identity": nn.Identity,
    "relu": nn.ReLU,
    "leaky_relu": nn.LeakyReLU,
    "elu": nn.ELU,
    "gelu": nn.GELU,
    "silu": nn.SiLU,
    "softplus": nn.Softplus,
    "tanh": nn.Tanh,
    "logistic": nn.Sigmoid,
}

#: Names for the last layer of a decoder.
OUTPUT_ACTIVATIONS = ("identity", "logistic", "relu", "softmax", "softplus", "tanh")


def make_activation(name):
    """Make the activation function of that name."""
    return nn.Softmax(dim=-1) if name == "softmax" else ACTIVATIONS[name]()
