"""Solutions of linear equations in ONNX graphs, which have no operator for them."""

import torch
from onnx import TensorProto, helper

# Placeholder for the solver, which is put in its place when the graph is complete.
_DOMAIN, _OPERATOR = "skdeep", "Solve"
_END = 2**31 - 1


def solve(matrix, column):
    """Solve linear equations in a module that is exported, (batch, n, n) and (batch, n, 1)."""
    options = {"dtype": column.dtype, "shape": column.shape, "version": 1}
    return torch.onnx.ops.symbolic(f"{_DOMAIN}::{_OPERATOR}", (matrix, column), **options)


def write_solvers(model):
    """Replace the nodes of ``solve`` in a model by loops, in place.

    The equations have positive definite matrices, (batch, n, n), and one right-hand side each,
    (batch, n, 1), of 32-bit floats.
    """
    graph = model.graph
    nodes = []
    for node in graph.node:
        is_solver = node.domain == _DOMAIN and node.op_type == _OPERATOR
        nodes += _solver(*node.input, node.output[0]) if is_solver else [node]
    del graph.node[:]
    graph.node.extend(nodes)
    kept = [one for one in model.opset_import if one.domain != _DOMAIN]
    del model.opset_import[:]
    model.opset_import.extend(kept)


def _solver(matrix, column, output):
    """Make nodes for Gauss-Jordan elimination, in 64-bit floats."""
    names = ("both", "double", "size", "is_on", "rest")
    both, double, size, is_on, rest = (f"{output}_{name}" for name in names)
    return [
        helper.make_node("Concat", [matrix, column], [both], axis=2),
        helper.make_node("Cast", [both], [double], to=TensorProto.DOUBLE),
        helper.make_node("Shape", [matrix], [size], start=1, end=2),
        helper.make_node("Constant", [], [is_on], value=_tensor(TensorProto.BOOL, True)),
        helper.make_node("Loop", [size, is_on, double], [rest], body=_step(output)),
        helper.make_node("Cast", [rest], [output], to=TensorProto.FLOAT),
    ]


def _step(prefix):
    """Make the graph that eliminates the first unknown: its row goes last, its column goes away.

    (batch, n, m) -> (batch, n, m - 1)
    """
    nodes = []

    def node(kind, *inputs, **attributes):
        nodes.append(helper.make_node(kind, inputs, [f"{prefix}_{len(nodes)}"], **attributes))
        return nodes[-1].output[0]

    def constant(number):
        return node("Constant", value=_tensor(TensorProto.INT64, number))

    zero, one, two, end = (constant(number) for number in (0, 1, 2, _END))
    entering, is_on, left = (f"{prefix}_{name}" for name in ("step", "was_on", "given"))
    first, rest = node("Slice", left, zero, one, two), node("Slice", left, one, end, two)
    pivot = node("Slice", first, zero, one, one)
    row = node("Div", node("Slice", rest, zero, one, one), pivot)  # (batch, 1, m - 1)
    shift = node("Mul", node("Slice", first, one, end, one), row)
    others = node("Sub", node("Slice", rest, one, end, one), shift)
    found = node("Concat", others, row, axis=1)
    inputs = [
        helper.make_tensor_value_info(entering, TensorProto.INT64, []),
        helper.make_tensor_value_info(is_on, TensorProto.BOOL, [1]),
        helper.make_tensor_value_info(left, TensorProto.DOUBLE, None),
    ]
    outputs = [
        helper.make_tensor_value_info(node("Identity", is_on), TensorProto.BOOL, [1]),
        helper.make_tensor_value_info(found, TensorProto.DOUBLE, None),
    ]
    return helper.make_graph(nodes, f"{prefix}_step", inputs, outputs)


def _tensor(kind, value):
    return helper.make_tensor("value", kind, [1], [value])
