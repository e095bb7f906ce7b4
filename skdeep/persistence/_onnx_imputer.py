"""Converter of the imputer."""

import copy
from numbers import Real

import numpy as np
import torch
from onnx import TensorProto, helper
from skl2onnx import update_registered_converter
from skl2onnx.common.data_types import DoubleTensorType, StringTensorType
from torch import nn

from skdeep.impute import AutoencoderImputer
from skdeep.persistence._onnx_export import export
from skdeep.persistence._onnx_graphs import category_codes, on_cpu
from skdeep.persistence._onnx_inputs import Columns
from skdeep.persistence._onnx_registry import AS_TRANSFORMER, example, inline, number_type
from skdeep.persistence._onnx_scalers import pick, scaler_layer
from skdeep.persistence._onnx_solver import solve

# Outputs of the torch module, and what the names of their columns start with.
_PREFIXES = {"variable": "imputed", "reconstruction": "reconstruction"}


def register():
    """Register the converter with skl2onnx."""
    update_registered_converter(
        AutoencoderImputer,
        "SkdeepAutoencoderImputer",
        _set_types,
        _convert,
        parser=_parse,
        options={name: [True, False] for name in (AS_TRANSFORMER, "reconstruct")},
    )


def _parse(scope, model, inputs, custom_parsers=None):
    """Declare the operator: one output, or one for each column if there are strings."""
    name = type(model).__name__
    if model.sample_posterior:
        raise ValueError(
            f"{name} cannot be exported to ONNX with sample_posterior=True, as its draws depend on "
            "the bits of each sample. Set sample_posterior=False."
        )
    columns, options = _columns(model, inputs), scope.get_options(model)
    _check_kinds(columns)
    operator = scope.declare_local_operator(f"Skdeep{name}", model)
    operator.inputs = inputs
    is_text, number = _is_text(model, columns), number_type(inputs)
    for matrix in _matrices(options):
        names = _names(model, matrix)
        if not is_text:
            type_ = number([None, len(names)])
            operator.outputs.append(scope.declare_local_variable(matrix, type_))
            continue
        for place, one in enumerate(names):
            type_ = (StringTensorType if place in is_text else number)([None, 1])
            # not the name of an input, unless a ColumnTransformer may select it by that
            one = one if options.get(AS_TRANSFORMER) else f"{_PREFIXES[matrix]}_{one}"
            operator.outputs.append(scope.declare_local_variable(one, type_))
    return operator.outputs


def _matrices(options):
    """Names of the outputs of the torch module."""
    return ["variable", "reconstruction"] if options.get("reconstruct") else ["variable"]


def _names(model, matrix):
    """Names of the columns of an output of the torch module."""
    names = model.get_feature_names_out().tolist()
    return names if matrix == "variable" else names[: model._is_kept.sum()]


def _columns(model, inputs):
    markers = ["", model.missing_values] if isinstance(model.missing_values, str) else [""]
    return Columns(inputs, model, model._codec, missing=markers)


def _check_kinds(columns):
    """Raise ``TypeError`` if categories that are imputed are not of the type of the input."""
    for column, known in columns.known.items():
        is_text = column in columns.coded
        if any(isinstance(one, str) != is_text for one in known):
            raise TypeError(
                f"{columns.owner} cannot be exported to ONNX: X_sample has "
                f"{'strings' if is_text else 'numbers'} in column {column}, where some categories "
                f"were {'numbers' if is_text else 'strings'} in fit. An output has one type."
            )


def _is_text(model, columns):
    """Columns of strings that are returned: the place of each in the output, and in ``X``."""
    kept = np.flatnonzero(model._is_kept).tolist()
    return {place: column for place, column in enumerate(kept) if column in columns.coded}


def _set_types(operator):
    """Set the types of numerical outputs again, once those of the earlier steps are known."""
    for variable in operator.outputs:
        if not isinstance(variable.type, StringTensorType):
            variable.set_type(number_type(operator.inputs)(variable.type.shape))


def _convert(scope, operator, container):
    model, inputs = operator.raw_operator, operator.inputs
    columns, matrices = _columns(model, inputs), _matrices(container.get_options(model))
    dtype = torch.float64 if number_type(inputs) is DoubleTensorType else torch.float32
    graph = ImputerGraph(model, matrices, dtype, columns.coded)
    onnx_model = export(graph, {"X": example(columns)}, matrices, container.main_opset)
    columns.prepend_to(onnx_model)
    is_text = _is_text(model, columns)
    if is_text:
        del onnx_model.graph.output[:]
        for matrix in matrices:
            for place in range(len(_names(model, matrix))):
                column = is_text.get(place)
                known = None if column is None else columns.known[column]
                _take_column(onnx_model.graph, matrix, place, column, known)
    inline(onnx_model, scope, operator, container)


def _take_column(graph, matrix, place, column, known):
    """Make an output of a column of a matrix, with strings in place of codes, in place."""
    output = f"{matrix}_{place}"
    names = (f"{output}_{what}" for what in ("at", "number", "code", "is_new", "known", "new"))
    at, number, code, is_new, labels, new = names
    graph.initializer.append(helper.make_tensor(at, TensorProto.INT64, [1], [place]))
    number = number if known is not None else output
    nodes = [helper.make_node("Gather", [matrix, at], [number], axis=1)]
    if known is not None:
        texts = [one.encode() for one in ("", *known)]
        graph.initializer.append(
            helper.make_tensor(labels, TensorProto.STRING, [len(texts)], texts)
        )
        nodes += [
            helper.make_node("Cast", [number], [code], to=TensorProto.INT64),
            helper.make_node("Cast", [number], [is_new], to=TensorProto.BOOL),
            helper.make_node("Gather", [labels, code], [new]),
            helper.make_node("Where", [is_new, new, f"X_text_{column}"], [output]),
        ]
    graph.node.extend(nodes)
    graph.output.append(helper.make_tensor_value_info(output, 0, None))


class ConditionalMeans(nn.Module):
    """Means of missing numbers, without their variances, which no output depends on.

    **Shape**: see ``GaussianConditional``; zeros in place of variances

    Parameters
    ----------
    conditional : GaussianConditional
    """

    def __init__(self, conditional):
        super().__init__()
        self.conditional = conditional

    def forward(self, numbers, masks):
        """(batch, n_numeric) twice -> (batch, n_numeric) twice."""
        scores = solve(*self.conditional.equations(numbers, masks))
        means = self.conditional.means(scores)
        return torch.where(masks > 0, numbers, means), torch.zeros_like(numbers)


class ImputerGraph(nn.Module):
    """Samples with missing entries to completed ones.

    **Shape**: (batch, n_features) -> tuple of (batch, n_features_out) each

    Parameters
    ----------
    imputer : AutoencoderImputer
    names : sequence of str
        Names of the outputs, some of ``_PREFIXES``.
    dtype : torch.dtype
        Floating-point type of the outputs.
    coded : set of int
        Columns of strings. ``X`` contains codes of them, -1 for missing strings; the output has the
        codes of strings that are imputed, and 0 for others.
    """

    def __init__(self, imputer, names, dtype, coded):
        super().__init__()
        imputer = on_cpu(imputer)
        self.names, self.dtype, self.net = names, dtype, copy.deepcopy(imputer.module_)
        if self.net.conditional is not None:
            self.net.conditional = ConditionalMeans(self.net.conditional)
        marker = imputer.missing_values
        self.marker = float(marker) if isinstance(marker, Real) else None  # NaN equals nothing
        self.codes, self.scaler = category_codes(imputer, coded), scaler_layer(imputer._scaler)
        places, columns = np.arange(imputer.n_features_in_), imputer._scaler.columns
        self.register_buffer("is_text", torch.tensor(np.isin(places, list(coded))))
        self.kept = np.flatnonzero(imputer._is_kept).tolist()
        sources = {column: place for place, column in enumerate(columns.tolist())}
        self.sources = [sources.get(column, len(columns)) for column in self.kept]
        is_filled, codec = np.isin(places, columns), imputer._codec
        # empty features: zeros in place of numbers, while categories stay missing
        is_filled |= True if codec is None else ~codec.is_categorical
        self.register_buffer("is_filled", torch.tensor(is_filled))
        self.marked = np.flatnonzero(imputer._has_gaps).tolist() if imputer.add_indicator else []
        self.values = _numeric_categories(imputer, coded)

    def forward(self, X):
        """(batch, n_features) -> tuple of (batch, n_features_out)."""
        is_missing = X.isnan() | (self.is_text & (X < 0))
        if self.marker is not None:
            is_missing = is_missing | (~self.is_text & (X == self.marker))
        codes = X if self.codes is None else self.codes(X)
        x = self.scaler(codes, is_missing)
        results = {}
        if "reconstruction" in self.names:
            everything = torch.ones_like(is_missing)
            results["reconstruction"] = self._fill(X, everything, self.net.predict_each(x))
        results["variable"] = self._fill(X, is_missing, self.net.complete(x))
        if self.marked:
            indicators = is_missing[:, self.marked].double()
            results["variable"] = torch.cat([results["variable"], indicators], dim=1)
        return tuple(results[name].to(self.dtype) for name in self.names)

    def _fill(self, X, is_missing, found):
        """Replace missing entries by predictions, (batch, n_kept), float64."""
        new = self._categories(self.scaler.inverse(found))
        new = torch.cat([new, torch.zeros_like(new[:, :1])], dim=1)
        given = torch.where(self.is_text, 0, X).double()
        is_new = (is_missing & self.is_filled)[:, self.kept]
        return torch.where(is_new, new[:, self.sources], given[:, self.kept])

    def _categories(self, new):
        """Replace codes by categories that are numbers, (batch, n_columns)."""
        parts = list(new.unbind(dim=1))
        for place, values in self.values.items():
            parts[place] = pick(values, parts[place].long() - 1)
        return torch.stack(parts, dim=1)


def _numeric_categories(imputer, coded):
    """Categories that are numbers, by the place of the column in predictions."""
    known = imputer._known_categories()
    return {
        place: torch.tensor(known[column].astype(np.float64))
        for place, column in enumerate(imputer._scaler.columns.tolist())
        if column in known and column not in coded
    }
