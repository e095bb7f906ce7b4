"""Converters of estimators with a model for each cluster."""

import numpy as np
from onnx import TensorProto, helper, numpy_helper
from skl2onnx import update_registered_converter
from skl2onnx._parse import _parse_sklearn
from skl2onnx.common.data_types import DoubleTensorType, Int64TensorType, StringTensorType
from sklearn.base import is_classifier
from sklearn.dummy import DummyClassifier
from sklearn.pipeline import Pipeline

from skdeep.ensemble import ClusterwiseClassifier, ClusterwiseRegressor
from skdeep.persistence._onnx_export import label_array
from skdeep.persistence._onnx_registry import (
    CLASSIFIER_OPTIONS,
    inline,
    number_type,
    with_zipmap,
)


def register():
    """Register the converters with skl2onnx."""
    for estimator in (ClusterwiseClassifier, ClusterwiseRegressor):
        options = CLASSIFIER_OPTIONS if estimator is ClusterwiseClassifier else {}
        update_registered_converter(
            estimator,
            f"Skdeep{estimator.__name__}",
            _set_types,
            _convert,
            parser=_parse,
            options=options,
        )


def _parse(scope, model, inputs, custom_parsers=None):
    """Declare the operators of all parts, and one that selects or averages their outputs."""
    name = type(model).__name__
    if getattr(model, "_is_multilabel", False):
        raise ValueError(f"{name} cannot be exported to ONNX with multilabel targets.")
    operator = scope.declare_local_operator(f"Skdeep{name}", model)
    operator.inputs = _outputs_of(scope, model.clusterer_, inputs, custom_parsers)
    n_of_clusterer, places = len(operator.inputs), []
    if model.soft and n_of_clusterer < 2:
        raise ValueError(
            f"{name} cannot be exported to ONNX: the graph of its clusterer, "
            f"{type(model.clusterer_).__name__}, has no probabilities."
        )
    for part in _estimators(model).values():
        places.append(len(operator.inputs))
        if not isinstance(part, DummyClassifier):
            operator.inputs += _outputs_of(scope, part, inputs, custom_parsers)
    operator.places, operator.number_type = places, number_type(inputs)
    names = ("variable",)
    if is_classifier(model):
        names = ("label", "probabilities") if hasattr(model, "predict_proba") else ("label",)
    for one in names:
        type_ = Int64TensorType if one == "label" else operator.number_type
        operator.outputs.append(scope.declare_local_variable(one, type_()))
    return with_zipmap(scope, model, names, operator.outputs)


def _outputs_of(scope, part, inputs, custom_parsers):
    """Declare the operator of a part, and return its outputs."""
    last = part
    while isinstance(last, Pipeline):
        last = last.steps[-1][1]
    if is_classifier(last):
        scope.add_options(id(last), {"zipmap": False})
    return list(_parse_sklearn(scope, part, inputs, custom_parsers=custom_parsers))


def _estimators(model):
    """Fitted estimators by cluster; that of other clusters, if there is one, is first."""
    fallback = {} if model.global_estimator_ is None else {None: model.global_estimator_}
    return {**fallback, **model.estimators_}


def _set_types(operator):
    model = operator.raw_operator
    for variable in operator.outputs:
        if variable.raw_name != "label":
            width = len(model.classes_) if is_classifier(model) else None
            variable.set_type(operator.number_type([None, width]))
        elif label_array(model.classes_, type(model).__name__).dtype.kind == "O":
            variable.set_type(StringTensorType([None]))
        else:
            variable.set_type(Int64TensorType([None]))


def _convert(scope, operator, container):
    graph = _Mixture(operator)
    graph.build()
    names = [f"output_{i}" for i in range(len(operator.outputs))]
    inputs = [helper.make_tensor_value_info(f"input_{i}", 0, None) for i in graph.range_of_inputs]
    outputs = [helper.make_tensor_value_info(name, 0, None) for name in names]
    proto = helper.make_graph(graph.nodes, "mixture", inputs, outputs, graph.constants)
    opset = helper.make_opsetid("", container.main_opset)
    inline(helper.make_model(proto, opset_imports=[opset]), scope, operator, container)


class _Mixture:
    """Nodes that select or average the outputs of the estimators of all clusters."""

    def __init__(self, operator):
        self.model, self.places = operator.raw_operator, operator.places
        self.range_of_inputs = range(len(operator.inputs))
        self.n_outputs = len(operator.outputs)
        is_double = operator.number_type is DoubleTensorType
        self.dtype = np.float64 if is_double else np.float32
        self.to = TensorProto.DOUBLE if is_double else TensorProto.FLOAT
        self.nodes, self.constants = [], []

    def build(self):
        """Make all nodes and constants."""
        results = {
            cluster: self._results(part, place)
            for (cluster, part), place in zip(
                _estimators(self.model).items(), self.places, strict=True
            )
        }
        for number in range(self.n_outputs):
            output = f"output_{number}"
            parts = {cluster: found[number] for cluster, found in results.items()}
            is_label = is_classifier(self.model) and number == 0
            if not self.model.soft:
                self._select(parts, output, has_columns=not is_label)
            elif not is_label:
                self._average(parts, output)
        if self.model.soft and is_classifier(self.model):
            code = self._node("ArgMax", "output_1", axis=1, keepdims=0)
            self._node("Gather", self._labels(self.model.classes_), code, output="output_0")

    def _results(self, part, place):
        """Names of the outputs of an estimator, probabilities in the columns of all classes."""
        if not is_classifier(self.model):
            return [self._node("Cast", f"input_{place}", to=self.to)]
        seen = label_array(part.classes_, type(part).__name__).tolist()
        columns = label_array(self.model.classes_, type(self.model).__name__).tolist()
        matrix = np.array([[one == other for other in columns] for one in seen], self.dtype)
        if isinstance(part, DummyClassifier):
            prior = part.class_prior_.astype(self.dtype)[np.newaxis]
            return [self._labels(part.classes_), self._constant(prior @ matrix)]
        if self.n_outputs == 1:
            return [f"input_{place}"]
        found = self._node("Cast", f"input_{place + 1}", to=self.to)
        return [f"input_{place}", self._node("MatMul", found, self._constant(matrix))]

    def _select(self, parts, output, *, has_columns):
        """Take the result of the estimator of the cluster of each sample."""
        first = next(iter(parts.values()))
        chosen = self._node("Where", self._mask(None, has_columns), first, first)
        for cluster, result in parts.items():
            if cluster is not None:
                chosen = self._node("Where", self._mask(cluster, has_columns), result, chosen)
        self._node("Identity", chosen, output=output)

    def _mask(self, cluster, has_columns):
        """Return a mask of the samples of a cluster, or of all samples for None."""
        other = "input_0" if cluster is None else self._constant(np.array(cluster, np.int64))
        mask = self._node("Equal", "input_0", other)
        return self._node("Unsqueeze", mask, self._constant(np.array([1]))) if has_columns else mask

    def _average(self, parts, output):
        """Average the results, weighted by the probabilities of the clusters."""
        weights = self._node("Cast", "input_1", to=self.to)
        rest, terms = self._constant(np.ones((1, 1), self.dtype)), []
        for cluster in self.model.estimators_:
            at = self._constant(np.array([cluster], np.int64))
            weight = self._node("Gather", weights, at, axis=1)
            rest = self._node("Sub", rest, weight)
            terms.append(self._node("Mul", weight, parts[cluster]))
        if None in parts:
            terms.append(self._node("Mul", rest, parts[None]))
        self._node("Sum", *terms, output=output)

    def _labels(self, labels):
        labels = label_array(labels, type(self.model).__name__)
        if labels.dtype.kind == "O":
            return self._keep(numpy_helper.from_array(labels.astype(object)))
        return self._constant(labels)

    def _constant(self, array):
        return self._keep(numpy_helper.from_array(np.ascontiguousarray(array)))

    def _keep(self, tensor):
        tensor.name = f"constant_{len(self.constants)}"
        self.constants.append(tensor)
        return tensor.name

    def _node(self, kind, *inputs, output=None, **attributes):
        output = output or f"result_{len(self.nodes)}"
        self.nodes.append(helper.make_node(kind, inputs, [output], **attributes))
        return output
