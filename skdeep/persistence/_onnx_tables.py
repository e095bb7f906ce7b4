"""Generators of tables as ONNX graphs, which read all random draws from their inputs."""

import numpy as np
import torch
from torch import nn

from skdeep.persistence._onnx_export import add_encoded_input, add_label_output, export, label_array
from skdeep.persistence._onnx_graphs import on_cpu
from skdeep.persistence._onnx_scalers import pick

# Start of the names of the outputs, which must not be those of inputs.
_PREFIX = "generated_"


class TableGenerator(nn.Module):
    """Random draws to the columns of a table.

    **Shape**: (batch, latent_dim) float32, (batch, width) float64, and with categories (batch,),
    codes of classes, int64, or uniform draws, float64 -> tuple of (batch,)

    Parameters
    ----------
    gan : TabularGANSampler
    columns : list of dict
        What ``FrameCodec`` tells of each column; one more for the classes.
    """

    def __init__(self, gan, columns):
        super().__init__()
        gan = on_cpu(gan)
        self.net, self.first = gan.module_, None
        is_unseen = np.zeros(gan._scaler.width, dtype=bool)
        if gan._shares is not None:
            starts = np.cumsum([0, *map(sum, gan._scaler.layout)])
            is_unseen[gan._unseen_places(starts)] = True
            self.register_buffer("ends", torch.tensor(np.cumsum(gan._shares)))
            self.first = gan._first_conditions().get(gan.n_features_in_)
        self.register_buffer("is_unseen", torch.tensor(is_unseen))
        blocks = zip(gan._scaler._blocks(), columns, strict=True)
        self.columns = nn.ModuleList(
            ColumnDecoder(gan._scaler, block, column) for block, column in blocks
        )

    def forward(self, noise, gumbel, choice=None):
        """(batch, latent_dim), (batch, width), (batch,) -> tuple of (batch,)."""
        if choice is not None:
            places = torch.arange(self.net.n_conditions)
            if choice.dtype == torch.int64:
                is_chosen = (choice.unsqueeze(1) == places - self.first) & (places >= self.first)
            else:
                reached = self.ends / self.ends[-1] <= choice.unsqueeze(1)
                is_chosen = reached.sum(dim=1, keepdim=True) == places
            noise = torch.cat([noise, is_chosen.to(noise.dtype)], dim=1)
        raw = self.net.average(noise).double()
        noisy = torch.where(self.is_unseen, -torch.inf, raw + gumbel)
        return tuple(column(raw, noisy) for column in self.columns)


class ColumnDecoder(nn.Module):
    """Outputs of a generator to a column of numbers, dates as numbers, or codes of categories.

    **Shape**: (batch, width) float64, twice -> (batch,) float64 or int64

    Parameters
    ----------
    scaler : MixtureScaler
    block : (int, int or None, slice)
        Index of the column, of its float and of its options.
    column : dict
        See ``FrameCodec``.
    """

    def __init__(self, scaler, block, column):
        super().__init__()
        number, self.at, self.options = block
        self.has_gaps, self.column = scaler.gaps[number], _as_numbers(column)
        means, stds = scaler.means[number], scaler.stds[number]
        known = self.column.get("values", ())
        middles = np.concatenate([known, means, scaler.atoms[number], [0.0] * self.has_gaps])
        scales = np.zeros(len(middles))
        scales[: len(means)] = 4 * stds
        self.register_buffer("middles", torch.tensor(middles))
        self.register_buffer("scales", torch.tensor(scales))
        # scalars would be exported with 32 bits
        lowest, highest = self.column.get("bounds", (0, 0))
        bounds = [lowest, max(lowest, highest)]
        self.register_buffer("bounds", torch.tensor(bounds, dtype=torch.float64))
        if self.column["kind"] in ("integer", "date"):
            self.register_buffer("ends", torch.tensor(bounds, dtype=torch.int64))
        if self.column["kind"] == "date":
            scale = [column["unit"], column["origin"], np.iinfo(np.int64).min]
            self.register_buffer("dates", torch.tensor(scale, dtype=torch.int64))

    def forward(self, raw, noisy):
        """(batch, width) twice -> (batch,)."""
        choice = noisy[:, self.options].argmax(dim=1)
        if "categories" in self.column:
            return choice
        values = pick(self.middles, choice)
        if self.at is not None:
            values = values + pick(self.scales, choice) * raw[:, self.at].tanh()
        is_missing = (choice == len(self.middles) - 1) & self.has_gaps
        values = torch.minimum(torch.maximum(values, self.bounds[0]), self.bounds[1])
        if self.column["kind"] == "number":
            return torch.where(is_missing, torch.nan, values)
        whole = self._whole(values)
        if self.column["kind"] == "date":
            unit, origin, missing = self.dates.unbind()
            return torch.where(is_missing, missing, whole * unit + origin)
        return torch.where(is_missing, torch.nan, whole.double()) if self.has_gaps else whole

    def _whole(self, numbers):
        """Round to integers; the bounds are exact, which float64 may not represent."""
        rounded = numbers.round()
        whole = torch.where(rounded <= self.bounds[0], self.ends[0], rounded.long())
        return torch.where(rounded >= self.bounds[1], self.ends[1], whole)


def _as_numbers(column):
    """Describe categories that are numbers, and integers that are too long, as other numbers."""
    known = column.get("categories", ())
    if len(known) and not any(isinstance(one, str) for one in known):
        is_whole = all(isinstance(one, int) for one in known)
        kind, bounds = "integer" if is_whole else "number", [min(known), max(known)]
        column = {"kind": kind, "bounds": bounds, "values": known}
    if column["kind"] == "integer" and column["bounds"][1] > torch.iinfo(torch.int64).max:
        column = {**column, "kind": "number", "bounds": [float(one) for one in column["bounds"]]}
    return column


def convert_table_generator(gan, opset):
    """Convert the generator of a table; arguments as for ``to_onnx``."""
    owner = type(gan).__name__
    columns, has_classes = list(gan._codec.columns), hasattr(gan, "classes_")
    if has_classes:
        classes = label_array(gan.classes_, owner)
        columns.append({"name": "label", "kind": "category", "categories": classes.tolist()})
    graph = TableGenerator(gan, columns)
    inputs = {
        "noise": torch.zeros(2, gan.module_.latent_dim),
        "gumbel": torch.zeros(2, gan._scaler.width, dtype=torch.float64),
    }
    if has_classes:
        inputs["code"] = torch.zeros(2, dtype=torch.int64)
    elif gan._shares is not None:
        inputs["uniform"] = torch.zeros(2, dtype=torch.float64)
    names = [f"{_PREFIX}{column['name']}" for column in columns]
    model = export(graph, inputs, names, opset)
    for name, decoder in zip(names, graph.columns, strict=True):
        if "categories" in decoder.column:
            labels = [*decoder.column["categories"], *([""] * decoder.has_gaps)]
            add_label_output(model, name, np.array(labels, dtype=object), owner)
    if has_classes:
        add_encoded_input(model, "code", "label", classes, default=-1)
    return model
