"""Torch modules as ONNX models, and their inputs and outputs as users have them."""

import contextlib
import logging
import warnings

import numpy as np
import torch
from onnx import TensorProto, helper

from skdeep.persistence._onnx_solver import write_solvers

#: Oldest operator set that ``torch.onnx.export`` writes.
OLDEST_OPSET = 18
#: Operator set of scikit-learn's operators that goes with it.
ML_DOMAIN, ML_OPSET = "ai.onnx.ml", 3
# Prefix of the names of outputs during the export, so that they differ from all other tensors.
_OUTPUT = "output."
# Where the exporter reports that torchvision, which nothing here uses, is not installed.
_NOISY_LOGGER = "torch.onnx._internal.exporter._registration"
# Starts of warnings of the exporter about its own code, and about inputs of the same length.
_REPORTS = "`isinstance\\(treespec, LeafSpec\\)`", "# The axis name: batch will not be used"


def export(graph, inputs, output_names, opset):
    """Export a module for any number of samples.

    Parameters
    ----------
    graph : torch.nn.Module
        Returns a tuple of outputs.
    inputs : dict of str to Tensor
        Samples to trace with by the name of the input, at least two of them.
    output_names : sequence of str
    opset : int

    Returns
    -------
    model : onnx.ModelProto
        Without information about the code that it was made from.
    """
    if opset < OLDEST_OPSET:
        raise ValueError(
            f"target_opset must be >= {OLDEST_OPSET}, the oldest that torch.onnx.export writes; "
            f"got {opset}."
        )
    batch = torch.export.Dim("batch")
    with _quiet(), torch.no_grad():
        program = torch.onnx.export(
            graph.eval(),
            tuple(inputs.values()),
            dynamo=True,
            dynamic_shapes=tuple({0: batch} for _ in inputs),
            opset_version=opset,
            input_names=list(inputs),
            output_names=[_OUTPUT + name for name in output_names],
            verbose=False,
        )
    model = program.model_proto
    tensors = (*model.graph.input, *model.graph.output, *model.graph.initializer)
    for one in (model, model.graph, *model.graph.node, *tensors):
        del one.metadata_props[:]
        one.doc_string = ""
    del model.graph.value_info[:]
    for node in model.graph.node:
        _close_gaps(node)
    # the exporter names tensors after functions, such as "embedding", which may be an output's name
    rename(model, lambda name: f"{name}_value" if name in output_names else name)
    rename(model, lambda name: name.removeprefix(_OUTPUT))
    write_solvers(model)
    return model


def _close_gaps(node):
    """Remove inputs that are left out, which skl2onnx cannot sort, from a node in place."""
    while node.input and not node.input[-1]:
        del node.input[-1]
    if node.op_type == "Clip" and not node.input[1]:
        node.op_type = "Min"
        del node.input[1]
    assert all(node.input), node.op_type


@contextlib.contextmanager
def _quiet():
    """Context manager that silences what torch's exporter reports about itself."""
    logger = logging.getLogger(_NOISY_LOGGER)
    with warnings.catch_warnings():
        for start in _REPORTS:
            warnings.filterwarnings("ignore", start)
        logger.addFilter(_is_other)
        try:
            yield
        finally:
            logger.removeFilter(_is_other)


def _is_other(record):
    return "torchvision" not in record.getMessage()


def rename(model, new_name):
    """Rename the tensors and nodes of a model in place, by a function of the name."""
    graph = model.graph
    for one in (*graph.input, *graph.output, *graph.initializer):
        one.name = new_name(one.name)
    for node in graph.node:
        node.name = new_name(node.name) if node.name else ""
        for names in (node.input, node.output):  # an input that is left out has no name
            names[:] = [name and new_name(name) for name in names]


def add_label_output(model, name, classes, owner):
    """Replace the codes of an output of a model by class labels, in place.

    Parameters
    ----------
    model : onnx.ModelProto
    name : str
    classes : ndarray of shape (n_classes,)
    owner : str
        Name of the estimator, for errors.
    """
    output = next(one for one in model.graph.output if one.name == name)
    rename(model, lambda old: f"{name}_code" if old == name else old)
    output.name = name
    labels = label_array(classes, owner)
    kind = TensorProto.STRING if labels.dtype.kind == "O" else TensorProto.INT64
    values = [one.encode() for one in labels] if kind == TensorProto.STRING else labels
    shape = [len(labels)]
    model.graph.initializer.append(helper.make_tensor(f"{name}_classes", kind, shape, values))
    inputs = [f"{name}_classes", f"{name}_code"]
    model.graph.node.append(helper.make_node("Gather", inputs, [name], name=f"{name}_gather"))
    output.type.tensor_type.elem_type = kind


def label_array(classes, owner):
    """Return class labels as an array of int64, or of strings with dtype object.

    Raises
    ------
    ValueError
        If there are other labels.
    """
    classes = np.asarray(classes)
    if all(isinstance(one, str) for one in classes.tolist()):
        return classes.astype(object)
    if classes.dtype.kind in "biuf" and (classes == classes.astype(np.int64)).all():
        return classes.astype(np.int64)
    raise ValueError(
        f"{owner} cannot be exported to ONNX: its class labels must be integers or strings; got "
        f"{classes.tolist()!r}."
    )


def add_encoded_input(model, name, new_name, keys, *, default):
    """Let a model read labels instead of their codes from an input, in place.

    Parameters
    ----------
    model : onnx.ModelProto
    name : str
        Input of codes, int64.
    new_name : str
        Input of labels.
    keys : ndarray of int64 or of str, shape (n_classes,)
        Label of each code from 0 on.
    default : int
        Code of other labels.
    """
    is_text = keys.dtype.kind == "O"
    position = next(at for at, one in enumerate(model.graph.input) if one.name == name)
    kind = TensorProto.STRING if is_text else TensorProto.INT64
    model.graph.input[position].name = new_name
    model.graph.input[position].type.tensor_type.elem_type = kind
    node = label_encoder(new_name, name, keys.tolist(), range(len(keys)), default)
    model.graph.node.insert(0, node)
    add_ml_domain(model)


def label_encoder(source, target, keys, codes, default):
    """Make a node that maps strings or integers to integers."""
    attribute = "keys_strings" if keys and isinstance(keys[0], str) else "keys_int64s"
    return helper.make_node(
        "LabelEncoder",
        [source],
        [target],
        name=f"{target}_encoder",
        domain=ML_DOMAIN,
        values_int64s=list(codes),
        default_int64=default,
        **{attribute: keys},
    )


def add_ml_domain(model):
    """Declare scikit-learn's operators in a model, in place."""
    if all(one.domain != ML_DOMAIN for one in model.opset_import):
        model.opset_import.append(helper.make_opsetid(ML_DOMAIN, ML_OPSET))
