"""Inputs of ONNX graphs: samples as one matrix, or one column after the other."""

import math

import numpy as np
from onnx import TensorProto, helper
from skl2onnx.common.data_types import (
    BooleanTensorType,
    DoubleTensorType,
    FloatTensorType,
    StringTensorType,
    guess_data_type,
)
from sklearn.compose import ColumnTransformer

from skdeep.persistence._onnx_export import add_ml_domain, label_encoder
from skdeep.utils._sklearn import safe_indexing

_TYPES_OF_KIND = {"b": BooleanTensorType, "f": DoubleTensorType}


def initial_types(model, X):
    """Find names and types of the inputs of a graph, from samples as the model reads them.

    Parameters
    ----------
    model : estimator
    X : ndarray, sparse matrix or dataframe
        Only its type and the shape of a sample count.

    Returns
    -------
    types : list of (str, TensorType)
        One input ``"X"`` for numbers or strings of a single dtype, unless a ``ColumnTransformer``
        selects columns of a dataframe; else one for each column.
    """
    is_frame = hasattr(X, "columns")
    if not is_frame and X.dtype != object:
        return [("X", _matrix_type(X))]
    columns = [safe_indexing(X, place, axis=1) for place in range(X.shape[1])]
    names = [str(name) for name in X.columns] if is_frame else [f"x{i}" for i in range(X.shape[1])]
    types = [_column_type(column, name) for column, name in zip(columns, names, strict=True)]
    is_text = [isinstance(one, StringTensorType) for one in types]
    if is_frame and _selects_columns(model):
        return list(zip(names, types, strict=True))
    if is_frame:
        _check_names(model, names)
    if all(is_text):
        return [("X", StringTensorType([None, len(types)]))]
    if not any(is_text):
        kinds = {type(one) for one in types}
        kind = kinds.pop() if len(kinds) == 1 else DoubleTensorType
        return [("X", kind([None, len(types)]))]
    return list(zip(names, types, strict=True))


def _check_names(model, names):
    """Raise ``ValueError`` if columns have another order than in fit, as a graph goes by order."""
    expected = list(getattr(model, "feature_names_in_", names))
    if names != expected and sorted(names) == sorted(expected):
        raise ValueError(
            f"X_sample must have the columns of fit in the same order, {expected}; got {names}."
        )


def _matrix_type(X):
    if X.dtype.kind not in "biufU":
        raise TypeError(f"X_sample must contain numbers or strings; got dtype {X.dtype}.")
    if X.dtype.kind == "f" and X.dtype.itemsize not in (4, 8):
        raise TypeError(f"X_sample must be float32 or float64; got dtype {X.dtype}.")
    kind = StringTensorType if X.dtype.kind == "U" else type(guess_data_type(X)[0][1])
    return kind([None, *X.shape[1:]])


def _column_type(column, name):
    """Type of an input of a single column."""
    values = np.asarray(column)
    if values.dtype.kind in "OTU":
        found = [one for one in values.tolist() if one is not None and one == one]
        if all(isinstance(one, str) for one in found):
            return StringTensorType([None, 1])
        values = np.array(found)
    if values.dtype.kind not in "biuf":
        raise TypeError(
            f"X_sample must contain numbers, or strings, in each column; got {values.dtype} in "
            f"column {name!r}. Convert the column before the model, in the service, too."
        )
    if values.dtype in (np.float32, np.float64, np.int64, np.int32):
        return type(guess_data_type(values)[0][1])([None, 1])
    return _TYPES_OF_KIND.get(values.dtype.kind, DoubleTensorType)([None, 1])


def _selects_columns(model):
    """Whether a model or a part of it is a ``ColumnTransformer``."""
    parts = [model, *model.get_params(deep=True).values()]
    return any(isinstance(one, ColumnTransformer) for one in parts)


class Columns:
    """The inputs of an operator, and how they become the input of a net.

    Parameters
    ----------
    variables : list of skl2onnx Variable
    estimator : estimator
        Has ``n_features_in_`` features.
    codec : CategoryCodec or None
    missing : sequence of str
        Strings with the code -1, unless they are categories. Other unknown strings have code 0.
    """

    def __init__(self, variables, estimator, codec, missing=()):
        self.missing = missing
        self.types = [one.type for one in variables]
        self.owner, self.n_features = type(estimator).__name__, estimator.n_features_in_
        self.known = {}
        if codec is not None:
            places = codec.is_categorical.nonzero()[0].tolist()
            self.known = dict(zip(places, codec.categories, strict=True))
        ends = np.cumsum([self._width(one) for one in self.types])
        if ends[-1] != self.n_features:
            raise ValueError(
                f"{self.owner} has {self.n_features} features; got inputs of {ends[-1]} columns. "
                "Pass samples as in fit."
            )
        self.spans = [
            range(end - self._width(t), end) for end, t in zip(ends, self.types, strict=True)
        ]

    def _width(self, type_):
        sizes = type_.shape[1:]
        # the output of another operator, whose shape may not be known yet
        if len(self.types) == 1 and (None in sizes or not sizes):
            return self.n_features
        return math.prod(one or 1 for one in sizes)

    @property
    def coded(self):
        """Columns of strings, which become codes before the net."""
        texts = (isinstance(one, StringTensorType) for one in self.types)
        return {
            at for is_text, span in zip(texts, self.spans, strict=True) if is_text for at in span
        }

    @property
    def is_single(self):
        """Whether the net computes on float32 samples from the start."""
        return not self.known and all(isinstance(one, FloatTensorType) for one in self.types)

    @property
    def is_direct(self):
        """Whether the only input is that of the net."""
        return len(self.types) == 1 and (
            self.is_single or isinstance(self.types[0], DoubleTensorType)
        )

    def sample_shape(self):
        """Shape of a sample at the input of the net."""
        shape = self.types[0].shape
        return tuple(shape[1:]) if len(shape) > 2 else (self.n_features,)

    def prepend_to(self, model):
        """Let a model with the input ``"X"`` read all inputs, in place."""
        if self.is_direct:
            return
        graph = model.graph
        add_ml_domain(model)
        nodes, parts = [], []
        for number, (type_, span) in enumerate(zip(self.types, self.spans, strict=True)):
            name = f"X_{number}"
            if isinstance(type_, StringTensorType):
                for column in span:
                    nodes += self._codes(name, column, column - span.start, graph)
                    parts.append(f"X_number_{column}")
            else:
                to = TensorProto.FLOAT if self.is_single else TensorProto.DOUBLE
                nodes.append(helper.make_node("Cast", [name], [f"{name}_cast"], to=to))
                parts.append(f"{name}_cast")
        nodes.append(helper.make_node("Concat", parts, ["X"], axis=1))
        for node in nodes[::-1]:
            graph.node.insert(0, node)
        del graph.input[:]
        for number, type_ in enumerate(self.types):
            kind = type_.to_onnx_type().tensor_type.elem_type
            graph.input.append(helper.make_tensor_value_info(f"X_{number}", kind, None))

    def _codes(self, source, column, place, graph):
        """Nodes that encode a column of strings of an input."""
        if column not in self.known:
            raise TypeError(
                f"{self.owner} cannot be exported to ONNX: X_sample has strings in column "
                f"{column}, which was numeric in fit. Pass samples as in fit."
            )
        texts = {one: code for code, one in enumerate(self.known[column], 1) if type(one) is str}
        if self.known[column] and not texts:
            raise TypeError(
                f"{self.owner} cannot be exported to ONNX: X_sample has strings in column "
                f"{column}, whose categories were numbers in fit. Pass samples as in fit."
            )
        index, part, code = (f"X_{what}_{column}" for what in ("index", "text", "code"))
        texts = dict.fromkeys(self.missing, -1) | texts
        graph.initializer.append(helper.make_tensor(index, TensorProto.INT64, [1], [place]))
        keys, codes = list(texts) or [""], list(texts.values()) or [0]
        number = f"X_number_{column}"
        return [
            helper.make_node("Gather", [source, index], [part], axis=1),
            label_encoder(part, code, keys, codes, 0),
            helper.make_node("Cast", [code], [number], to=TensorProto.DOUBLE),
        ]
