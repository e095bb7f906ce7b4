"""Generators of GANs as ONNX graphs."""

import numpy as np
import torch
from torch import nn

from skdeep.generative import GANSampler, TabularGANSampler
from skdeep.persistence._onnx_export import OLDEST_OPSET, add_encoded_input, export, label_array
from skdeep.persistence._onnx_graphs import on_cpu
from skdeep.persistence._onnx_scalers import scaler_layer
from skdeep.persistence._onnx_tables import convert_table_generator


class RowGenerator(nn.Module):
    """Noise, and codes of classes, to samples in the units of the data.

    **Shape**: (batch, latent_dim) float32, (batch,) int64 -> (batch, n_features), float64

    Parameters
    ----------
    gan : GANSampler
    """

    def __init__(self, gan):
        super().__init__()
        self.gan = on_cpu(gan)
        self.net = self.gan.module_
        self.scaler = scaler_layer(gan._scaler)
        self.register_buffer("bounds", torch.tensor(np.array(gan._bounds)))

    def forward(self, noise, code=None):
        """(batch, latent_dim) -> (batch, n_features)."""
        if code is not None:
            one_hot = (code.unsqueeze(1) == torch.arange(self.net.n_conditions)).to(noise.dtype)
            noise = torch.cat([noise, one_hot], dim=1)
        rows = self.scaler.inverse(self.gan._finish(noise))
        return (torch.minimum(torch.maximum(rows, self.bounds[0]), self.bounds[1]),)


def convert_generator(gan, opset):
    """Convert the generator of a GAN; arguments as for ``to_onnx``."""
    name = type(gan).__name__
    opset = opset.get("", OLDEST_OPSET) if isinstance(opset, dict) else opset
    if isinstance(gan, TabularGANSampler):
        model = convert_table_generator(gan, opset)
    elif isinstance(gan, GANSampler):
        model = _convert_row_generator(gan, opset)
    else:
        raise TypeError(
            f"X_sample must be given for {name}: without it, only the generator of a GANSampler or "
            "TabularGANSampler is exported."
        )
    model.graph.name = name
    return model


def _convert_row_generator(gan, opset):
    inputs = {"noise": torch.zeros(2, gan.module_.latent_dim)}
    has_classes = hasattr(gan, "classes_")
    if has_classes:
        inputs["code"] = torch.zeros(2, dtype=torch.int64)
    model = export(RowGenerator(gan).eval(), inputs, ["rows"], opset)
    if has_classes:
        labels = label_array(gan.classes_, type(gan).__name__)
        add_encoded_input(model, "code", "label", labels, default=-1)
    return model
