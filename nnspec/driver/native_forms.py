"""How each target writes an op: the lines that stand for it in a model of this one op."""

from __future__ import annotations

import ast
import textwrap
from dataclasses import dataclass
from typing import Any

from codegen import TARGETS
from codegen.target import Target
from nnspec.catalogue.ops.base import Example
from nnspec.graph.graph import Graph, Program
from nnspec.graph.single import single
from nnspec.report.diagnostics import SpecError

FORWARD = ("forward", "call", "hybrid_forward")


@dataclass(frozen=True)
class NativeForm:
    """What a target makes of a use.

    layers: makes of objects. body: of the forward pass; for ONNX, its nodes. helpers: what else the file defines.
    refused: why it has none.
    """

    target: str
    layers: tuple[str, ...] = ()
    body: tuple[str, ...] = ()
    helpers: tuple[str, ...] = ()
    refused: str | None = None

    @property
    def text(self) -> str:
        """All lines, helpers first."""
        return "\n".join([*(f"{h}\n" for h in self.helpers), *self.layers, *self.body])


def native_forms(example: Example) -> list[NativeForm]:
    """Of one use, in every target."""
    graph = single(example)
    return [_form(target, graph) for target in TARGETS.values()]


def _form(target: Target, graph: Graph) -> NativeForm:
    try:
        emitted = target.emit(Program((graph,)), stem="op", provenance="")
    except SpecError as error:
        return NativeForm(target.name, refused=error.diagnostics[0].message)
    ((name, content),) = emitted.files.items()
    if name.endswith(".py"):
        return _of_python(target.name, str(content))
    assert isinstance(content, bytes)  # an example is small
    return NativeForm(target.name, body=tuple(_nodes(content)))


def _of_python(target: str, text: str) -> NativeForm:
    module = ast.parse(text)
    layers: list[str] = []
    body: list[str] = []
    helpers: list[str] = []
    for part in module.body:
        if isinstance(part, ast.ClassDef) and part.name == "Example":
            for function in part.body:
                if isinstance(function, ast.FunctionDef):
                    into = body if function.name in FORWARD else layers
                    into += [_source(text, s) for s in _statements(function.body)]
        elif isinstance(part, (ast.ClassDef, ast.FunctionDef)):
            helpers.append(_source(text, part))
    return NativeForm(target, tuple(layers), tuple(body), tuple(helpers))


def _statements(body: list[ast.stmt]) -> list[ast.stmt]:
    """Without what every model has: `super().__init__()`, the scope of names, the call on symbols."""
    shown: list[ast.stmt] = []
    for statement in body:
        if isinstance(statement, ast.With):
            shown += _statements(statement.body)
        elif not isinstance(statement, ast.Expr):
            shown.append(statement)
    return shown


def _source(text: str, node: ast.stmt) -> str:
    assert node.end_lineno is not None
    first = min([node.lineno, *(d.lineno for d in getattr(node, "decorator_list", ()))])
    return textwrap.dedent("\n".join(text.splitlines()[first - 1 : node.end_lineno]))


def _nodes(content: bytes) -> list[str]:
    import onnx

    model = onnx.load_model_from_string(content)
    return [_node(n) for n in model.graph.node]


def _node(node: Any) -> str:
    """`y = Gemm(x, weight, bias, transB = 1)`."""
    import onnx

    given = [i or "none" for i in node.input]
    for attribute in node.attribute:
        value = onnx.helper.get_attribute_value(attribute)
        if isinstance(value, bytes):
            value = f'"{value.decode()}"'
        elif isinstance(value, (onnx.GraphProto, onnx.TensorProto)):
            value = "..."
        given.append(f"{attribute.name} = {value}")
    return f"{', '.join(node.output)} = {node.op_type}({', '.join(given)})"
