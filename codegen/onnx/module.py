"""A model, or one step of a training program, as an ONNX model."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from onnx import ModelProto, ValueInfoProto, helper

from codegen.dtypes import lack
from codegen.onnx import arrays
from codegen.onnx.dtypes import DTYPES, LACKS
from codegen.onnx.files import Frame
from codegen.onnx.functions import FUNCTIONS, REWRITES
from codegen.onnx.layers import LAYERS
from codegen.onnx.losses import LOSSES
from codegen.onnx.lowering import Lowering
from codegen.python.dialect import UnsupportedOp
from nnspec.graph.graph import Call, Node, Value
from nnspec.graph.passes.layout import Lowered, LoweredTraining
from nnspec.graph.passes.legalize import Legality
from nnspec.graph.training import Minimize
from nnspec.graph.weight_map import Array, Transform
from nnspec.report.text import printable_lines

RULES = {**LAYERS, **FUNCTIONS, **LOSSES, **arrays.RULES}
LEGALITY = Legality(
    native=lambda node: (
        type(node.op) in RULES
        and lack(node, LACKS) is None
        and arrays.LEGAL.get(type(node.op), lambda _: True)(node)
    ),
    refuse=lambda node: UnsupportedOp(
        node, "ONNX", lack(node, LACKS) or "it is in none of the target's tables"
    ),
    rewrites={**REWRITES, **arrays.REWRITES},
)

IR_VERSIONS = {17: 8, 18: 8, 19: 9, 20: 10, 21: 10, 22: 10, 23: 11, 24: 12}
"""For each opset, an IR version that the first runtimes of that opset load (20: what torch writes)."""


def build(
    lowered: Lowered, *, opset: int, metadata: Mapping[str, str], doc: str | None = None
) -> Frame:
    """The model, and where each weight goes."""
    graph = lowered.graph
    to = Lowering(RULES, opset, dict(lowered.reorders))
    for value in graph.inputs:
        to.declare(value, value.name or to.unique("input"))
    to.used.update(graph.output_names)
    to.graph(graph, "")
    model = _finish(
        to, graph.name, graph.inputs, list(zip(graph.output_names, graph.outputs, strict=True)), doc
    )
    for key, text in metadata.items():
        entry = model.metadata_props.add()
        entry.key, entry.value = key, text
    return Frame(model, to.held, tuple(to.entries[p] for p in sorted(to.entries)))


def build_step(
    lowered: LoweredTraining, weights: Mapping[str, Mapping[str, Array]], *, opset: int
) -> ModelProto:
    """The losses and metrics of a training step, before any update, in training mode.

    Outputs are `loss_1`, ... in the order of the program, then the metrics by name.
    """
    training = lowered.training
    flat = {f"{n}.{path}": a for n, arrays in weights.items() for path, a in arrays.items()}
    reorders: dict[str, tuple[Transform, ...]] = {
        f"{n}.{path}": r for n, low in lowered.networks.items() for path, r in low.reorders.items()
    }
    to = Lowering(RULES, opset, reorders, training=True)
    for value in training.batch:
        to.declare(value, value.name or to.unique("column"))
    outputs: list[tuple[str, Value]] = []
    for step in training.steps:
        match step:
            case Minimize():
                outputs.append((f"loss_{len(outputs) + 1}", step.loss))
            case Call(layer=""):
                to.call(step, "")
            case Call():
                to.prefix = f"{step.layer}."
                to.call(step, "")
                to.prefix = ""
            case Node():
                to.node(step, "")
    outputs += [(m.name, m.value) for m in training.metrics]
    to.used.update(name for name, _ in outputs)
    model = _finish(to, training.name, training.batch, outputs, None)
    return Frame(model, to.held, ()).filled(flat)


def _finish(
    to: Lowering,
    name: str,
    inputs: Sequence[Value],
    outputs: Sequence[tuple[str, Value]],
    doc: str | None,
) -> ModelProto:
    """Give the results their names, and every value its type."""
    renamed: dict[str, str] = {}
    free = {o for node in to.nodes for o in node.output}
    to.location = None
    for wanted, value in outputs:
        source = to.name_of(value)
        if source in free and source not in renamed:
            renamed[source] = wanted
        else:  # an input, a weight, or a value that is an output already
            node = helper.make_node(
                "Identity",
                [renamed.get(source, source)],
                [wanted],
                name=to.unique(f"{wanted}/identity"),
            )
            to.nodes.append(node)
    for node in to.nodes:
        for names in (node.input, node.output):
            for i, found in enumerate(names):
                if found in renamed:
                    names[i] = renamed[found]
    taken = {wanted for wanted, _ in outputs}
    graph = helper.make_graph(
        to.nodes,
        name,
        [_info(v.name or "input", v) for v in inputs],
        [_info(wanted, v) for wanted, v in outputs],
        list(to.initializers.values()),
        doc_string=printable_lines(doc) if doc else None,
        value_info=[
            _info(n, v) for n, v in to.made.items() if n in free and renamed.get(n) not in taken
        ],
    )
    return helper.make_model(
        graph,
        opset_imports=[helper.make_opsetid("", to.opset)],
        ir_version=IR_VERSIONS[to.opset],
        producer_name="nnspec",
    )


def _info(name: str, value: Value) -> ValueInfoProto:
    shape = [d if isinstance(d, int) else str(d) for d in value.type.shape]
    return helper.make_tensor_value_info(name, DTYPES[value.type.dtype], shape)
