"""A graph as an ONNX model."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from functools import lru_cache

from onnx import ModelProto, NodeProto, TypeProto, ValueInfoProto, helper, shape_inference

from codegen.onnx.about import About, result_names
from codegen.onnx.dead import drop_dead
from codegen.onnx.dtypes import DTYPES
from codegen.onnx.files import Frame
from codegen.onnx.lowering import Lowering
from codegen.onnx.operator_sets import IR_VERSIONS, operator_set
from nnspec.core.types import TensorType
from nnspec.core.version import __version__
from nnspec.graph.graph import Value
from nnspec.graph.passes.layout import Lowered

Results = Sequence[tuple[str, Value]]

LONGEST_COUNTED = 2**16
"""So many numbers may a vector have that onnx works out element by element."""


def build(lowered: Lowered, *, opset: int, about: About | None = None) -> Frame:
    """The model, and where each weight goes."""
    about = about or About()
    graph = lowered.graph
    results = list(zip(result_names(graph), graph.outputs, strict=True))
    rules, reorders = operator_set(opset).rules, dict(lowered.reorders)
    to = Lowering(opset=opset, rules=rules, reorders=reorders)
    for value in graph.inputs:
        to.declare(value, value.name or to.unique("input"))
    to.used.update(name for name, _ in results)
    to.graph(graph, "")
    dead = to.has_dead(to.name_of(value) for _, value in results)
    name_results(to, results)
    proto = to.proto
    proto.name, proto.doc_string = graph.name, about.doc
    for infos, values in (
        (proto.input, [(to.names[v], v) for v in graph.inputs]),
        (proto.output, results),
    ):
        infos.extend(_info(name, v, about.values.get(name, "")) for name, v in values)
    if dead:
        drop_dead(proto)
    shell = ModelProto(
        ir_version=IR_VERSIONS[opset],
        opset_import=[helper.make_opsetid("", opset)],
        producer_name="nnspec",
        producer_version=__version__,
    )
    for key, text in about.metadata.items():
        shell.metadata_props.add(key=key, value=text)
    frame = Frame(shell, proto, to.held, tuple(to.entries[p] for p in sorted(to.entries)))
    add_types(frame, to.made)
    return frame


def name_results(to: Lowering, results: Results) -> None:
    """Give what comes out the names that the spec has for it."""
    renamed: dict[str, str] = {}
    free = {o for node in to.proto.node for o in node.output}
    to.location = None
    for wanted, value in results:
        source = to.name_of(value)
        if source in free and source not in renamed:
            renamed[source] = wanted
        else:  # an input, a weight, or a value that is an output already
            name = to.unique(f"{wanted}/identity")
            source = renamed.get(source, source)
            to.proto.node.add(op_type="Identity", name=name, input=[source], output=[wanted])
    _rename(to.proto.node, renamed)


def _rename(nodes: Iterable[NodeProto], renamed: Mapping[str, str]) -> None:
    for node in nodes:
        for names in (node.input, node.output):
            for i, name in enumerate(names):
                if name in renamed:
                    names[i] = renamed[name]
        for attribute in node.attribute:
            _rename(attribute.g.node, renamed)


def add_types(frame: Frame, known: Mapping[str, Value]) -> None:
    """The type of every value on the way: the graph's, and what follows from them."""
    graph = frame.graph
    results = {o.name for o in graph.output}
    inner = [n for node in graph.node for n in node.output if n not in results]
    graph.value_info.extend(_info(n, known[n]) for n in inner if n in known)
    if len(graph.value_info) < len(inner):
        # Numbers that shapes come from are worked out too; onnx would count to 2**31 as one of them.
        counting = not any(_is_long(v.type) for v in known.values())
        inferred = shape_inference.infer_shapes(frame.whole(), data_prop=counting)
        graph.ClearField("value_info")
        graph.value_info.extend(inferred.graph.value_info)


def _is_long(type: TensorType) -> bool:
    return type.rank == 1 and isinstance(type.shape[0], int) and type.shape[0] > LONGEST_COUNTED


def _info(name: str, value: Value, doc: str = "") -> ValueInfoProto:
    return ValueInfoProto(name=name, type=_type(value.type), doc_string=doc)


@lru_cache(maxsize=256)
def _type(type: TensorType) -> TypeProto:
    shape = [d if isinstance(d, int) else str(d) for d in type.shape]
    return helper.make_tensor_type_proto(DTYPES[type.dtype], shape)
