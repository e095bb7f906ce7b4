"""Converters for skl2onnx of all estimators."""

from typing import NamedTuple

import torch
from skl2onnx import update_registered_converter
from skl2onnx._parse import _apply_zipmap
from skl2onnx.common.data_types import (
    DoubleTensorType,
    FloatTensorType,
    Int64TensorType,
    StringTensorType,
)

from skdeep.cluster import IMSAT, DeepCluster, DeepEmbeddedClustering, SelfOrganizingMap
from skdeep.decomposition import Autoencoder, DeepInfoMax, VariationalAutoencoder
from skdeep.ensemble import DeepEnsembleClassifier, DeepEnsembleRegressor
from skdeep.generative import GANFeatureExtractor, GANSampler
from skdeep.neural_network import ResNetClassifier, ResNetRegressor
from skdeep.outlier_detection import AutoencoderOutlierDetector, DiffusionTimeDetector
from skdeep.persistence._onnx_export import (
    add_label_output,
    export,
    label_array,
    rename,
)
from skdeep.persistence._onnx_graphs import make_graph
from skdeep.persistence._onnx_inputs import Columns
from skdeep.semi_supervised import (
    ClusterPretrainedClassifier,
    ClusterPretrainedRegressor,
    FewLabelsClassifier,
)

#: Options that add outputs, and the names of the outputs.
EXTRAS = {
    "transform": "variable",
    "reconstruct": "reconstruction",
    "score_samples": "score_samples",
    "embed": "embedding",
    "quantiles": "quantiles",
    "return_std": "std",
}
#: Options of skl2onnx for classifiers, and their values.
CLASSIFIER_OPTIONS = {"zipmap": [True, False, "columns"], "nocl": [True, False]}
#: Option that leaves only the output of ``transform``, for steps of a pipeline.
AS_TRANSFORMER = "as_transformer"


class Outputs(NamedTuple):
    """Outputs of the graph of an estimator."""

    #: names of those that it has by default
    always: tuple[str, ...]
    #: options that add others, some of ``EXTRAS``
    extras: tuple[str, ...] = ()


_CLASSIFIER = ("label", "probabilities")
_OF_TARGETS = ("return_std", "quantiles", "embed")
_DETECTOR = ("label", "scores")
OUTPUTS = {
    Autoencoder: Outputs(("variable",), ("reconstruct", "score_samples")),
    AutoencoderOutlierDetector: Outputs(_DETECTOR, ("score_samples",)),
    ClusterPretrainedClassifier: Outputs(_CLASSIFIER, ("embed",)),
    ClusterPretrainedRegressor: Outputs(("variable",), _OF_TARGETS),
    DeepCluster: Outputs(("label",), ("transform",)),
    DeepEmbeddedClustering: Outputs(_CLASSIFIER, ("transform", "reconstruct", "score_samples")),
    DeepEnsembleClassifier: Outputs(_CLASSIFIER, ("embed",)),
    DeepEnsembleRegressor: Outputs(("variable",), _OF_TARGETS),
    DeepInfoMax: Outputs(("variable",), ("score_samples",)),
    DiffusionTimeDetector: Outputs(_DETECTOR, ("score_samples",)),
    FewLabelsClassifier: Outputs(_CLASSIFIER, ("transform",)),
    GANFeatureExtractor: Outputs(("variable",)),
    GANSampler: Outputs(("score_samples",)),
    IMSAT: Outputs(_CLASSIFIER, ("transform",)),
    ResNetClassifier: Outputs(_CLASSIFIER, ("embed",)),
    ResNetRegressor: Outputs(("variable",), _OF_TARGETS),
    SelfOrganizingMap: Outputs(("label", "variable")),
    VariationalAutoencoder: Outputs(("variable",), ("reconstruct",)),
}
# Options that cannot be used, and why.
_IMPOSSIBLE = {
    (VariationalAutoencoder, "score_samples"): "the draws that it averages depend on the bits of "
    "each sample. Export reconstruct instead.",
}


def register():
    """Register the converters with skl2onnx; those of an earlier call are replaced."""
    for estimator, outputs in OUTPUTS.items():
        impossible = [option for owner, option in _IMPOSSIBLE if owner is estimator]
        options = {name: [True, False] for name in (*outputs.extras, *impossible)}
        if "variable" in outputs.always or "transform" in outputs.extras:
            options[AS_TRANSFORMER] = [True, False]
        if _has_classes(estimator):
            options |= CLASSIFIER_OPTIONS
        update_registered_converter(
            estimator,
            f"Skdeep{estimator.__name__}",
            _set_types,
            _convert,
            parser=_parse,
            options=options,
        )


def _has_classes(estimator):
    return hasattr(estimator, "predict_proba") and not hasattr(estimator, "fit_predict")


def _names(model, options):
    """Names of the outputs of a model, by its options."""
    if options.get(AS_TRANSFORMER):
        return ("variable",)
    for (estimator, option), reason in _IMPOSSIBLE.items():
        if isinstance(model, estimator) and options.get(option):
            raise ValueError(
                f"{option} of {type(model).__name__} cannot be exported to ONNX, as {reason}"
            )
    outputs = OUTPUTS[type(model)]
    added = [EXTRAS[option] for option in outputs.extras if options.get(option)]
    return (*outputs.always, *added)


def _parse(scope, model, inputs, custom_parsers=None):
    """Declare the operator of a model, and return its outputs."""
    options = scope.get_options(model)
    names = _names(model, options)
    operator = scope.declare_local_operator(f"Skdeep{type(model).__name__}", model)
    operator.inputs = inputs
    for name in names:
        type_ = Int64TensorType() if name == "label" else number_type(inputs)()
        operator.outputs.append(scope.declare_local_variable(name, type_))
    return with_zipmap(scope, model, names, operator.outputs)


def with_zipmap(scope, model, names, outputs):
    """Return the outputs of a classifier after those of skl2onnx's option ``"zipmap"``."""
    zipmap = scope.get_options(model).get("zipmap", _has_classes(model))
    if not zipmap or names[:2] != _CLASSIFIER or _is_multilabel(model):
        return outputs
    mapped = _apply_zipmap(zipmap, scope, model, outputs[1].type, outputs[:2])
    return [*mapped, *outputs[2:]]


def _is_multilabel(model):
    """Whether the labels of a sample are a row of zeros and ones."""
    if hasattr(model, "_is_multilabel"):
        return model._is_multilabel
    return getattr(getattr(model, "estimator_", model), "_target_kind", None) == "multilabel"


def number_type(inputs):
    """Type of the numeric outputs: double if an input is double."""
    is_double = any(isinstance(one.type, DoubleTensorType) for one in inputs)
    return DoubleTensorType if is_double else FloatTensorType


def _graph(operator, names):
    """Return the inputs of an operator and its torch module."""
    model = operator.raw_operator
    net = getattr(model, "estimator_", getattr(model, "estimators_", [model]))
    net = net[0] if isinstance(net, list) else net
    columns = Columns(operator.inputs, model, getattr(net, "_codec", None))
    is_double = number_type(operator.inputs) is DoubleTensorType
    dtype = torch.float64 if is_double else torch.float32
    return columns, make_graph(model, names, dtype, columns.coded).eval()


def example(columns):
    """Make samples to trace with."""
    dtype = torch.float32 if columns.is_single else torch.float64
    return torch.zeros(2, *columns.sample_shape(), dtype=dtype)


def _names_of(operator, options):
    """Names of the outputs of an operator, which another converter may have declared."""
    names = _names(operator.raw_operator, options)
    return names[: len(operator.outputs)]


def _set_types(operator):
    """Set types and shapes of the outputs of an operator."""
    names = _names_of(operator, operator.scope_inst.get_options(operator.raw_operator))
    columns, graph = _graph(operator, names)
    with torch.no_grad():
        results = graph(example(columns))
    for name, variable, result in zip(names, operator.outputs, results, strict=True):
        type_ = number_type(operator.inputs)
        if name == "label":
            type_ = StringTensorType if _has_text_labels(operator.raw_operator) else Int64TensorType
        variable.set_type(type_([None, *result.shape[1:]]))


def _has_text_labels(model):
    classes = getattr(model, "classes_", None)
    return classes is not None and label_array(classes, type(model).__name__).dtype.kind == "O"


def _convert(scope, operator, container):
    """Add the graph of an operator to the container."""
    model, opset = operator.raw_operator, container.main_opset
    names = _names_of(operator, container.get_options(model))
    columns, graph = _graph(operator, names)
    onnx_model = export(graph, {"X": example(columns)}, names, opset)
    if "label" in names and hasattr(model, "classes_") and not _is_multilabel(model):
        add_label_output(onnx_model, "label", model.classes_, type(model).__name__)
    columns.prepend_to(onnx_model)
    inline(onnx_model, scope, operator, container)


def inline(model, scope, operator, container):
    """Add the nodes of a model to the container, under names that are unique."""
    prefix = scope.get_unique_operator_name(type(operator.raw_operator).__name__)
    pairs = [
        *zip(model.graph.input, operator.inputs, strict=True),
        *zip(model.graph.output, operator.outputs, strict=True),
    ]
    names = {one.name: variable.onnx_name for one, variable in pairs}
    rename(model, lambda name: names.get(name, f"{prefix}_{name}"))
    container.nodes.extend(model.graph.node)
    container.initializers.extend(model.graph.initializer)
    for one in model.opset_import:
        container.node_domain_version_pair_sets.add((one.domain, one.version))
