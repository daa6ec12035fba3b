"""A graph as an ONNX model."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from onnx import ModelProto, ValueInfoProto, helper, shape_inference

from codegen.onnx.about import About
from codegen.onnx.dtypes import DTYPES
from codegen.onnx.files import Frame
from codegen.onnx.lowering import Lowering
from codegen.onnx.operator_sets import IR_VERSIONS, operator_set
from nnspec.core.version import __version__
from nnspec.graph.graph import Value
from nnspec.graph.passes.layout import Lowered

Results = Sequence[tuple[str, Value]]


def build(lowered: Lowered, *, opset: int, about: About | None = None) -> Frame:
    """The model, and where each weight goes."""
    about = about or About()
    graph = lowered.graph
    results = list(zip(graph.output_names, graph.outputs, strict=True))
    to = Lowering(operator_set(opset).rules, opset, dict(lowered.reorders))
    for value in graph.inputs:
        to.declare(value, value.name or to.unique("input"))
    to.used.update(graph.output_names)
    to.graph(graph, "")
    name_results(to, results)
    inputs = [_info(to.names[v], v) for v in graph.inputs]
    outputs = [_info(name, v) for name, v in results]
    for info in (*inputs, *outputs):
        info.doc_string = about.values.get(info.name, "")
    model = helper.make_model(
        helper.make_graph(
            to.nodes,
            graph.name,
            inputs,
            outputs,
            list(to.initializers.values()),
            doc_string=about.doc or None,
        ),
        opset_imports=[helper.make_opsetid("", opset)],
        ir_version=IR_VERSIONS[opset],
        producer_name="nnspec",
        producer_version=__version__,
    )
    model = typed(model, to.made)
    for key, text in about.metadata.items():
        entry = model.metadata_props.add()
        entry.key, entry.value = key, text
    return Frame(model, to.held, tuple(to.entries[p] for p in sorted(to.entries)))


def name_results(to: Lowering, results: Results) -> None:
    """Give what comes out the names that the spec has for it."""
    renamed: dict[str, str] = {}
    free = {o for node in to.nodes for o in node.output}
    to.location = None
    for wanted, value in results:
        source = to.name_of(value)
        if source in free and source not in renamed:
            renamed[source] = wanted
        else:  # an input, a weight, or a value that is an output already
            name = to.unique(f"{wanted}/identity")
            source = renamed.get(source, source)
            to.nodes.append(helper.make_node("Identity", [source], [wanted], name=name))
    for node in to.nodes:
        for names in (node.input, node.output):
            for i, name in enumerate(names):
                if name in renamed:
                    names[i] = renamed[name]


def typed(model: ModelProto, known: Mapping[str, Value]) -> ModelProto:
    """The model with the type of every value on the way: the graph's, and what follows from them."""
    graph = model.graph
    results = {o.name for o in graph.output}
    inner = [n for node in graph.node for n in node.output if n not in results]
    graph.value_info.extend(_info(n, known[n]) for n in inner if n in known)
    if len(graph.value_info) == len(inner):
        return model
    return shape_inference.infer_shapes(model, data_prop=True)


def _info(name: str, value: Value) -> ValueInfoProto:
    shape = [d if isinstance(d, int) else str(d) for d in value.type.shape]
    return helper.make_tensor_value_info(name, DTYPES[value.type.dtype], shape)
