"""`style="symbol"`: a model as one function that builds a pure `mx.sym` graph, to be bound with `Module`."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from codegen.gluon.dialect import HELPERS, IMPORTS
from codegen.gluon.dtypes import DTYPES
from codegen.gluon.namespace import PLACE, under
from codegen.gluon.ops.tables import OPERATORS
from codegen.gluon.weights import recurrent_role, transforms
from codegen.python.dialect import Dialect, Result
from codegen.python.forward import Forward
from codegen.python.names import distinct, identifier
from codegen.python.native import call
from codegen.python.source import (
    Assign,
    Call,
    Expr,
    FunctionDef,
    List,
    Literal,
    Name,
    Parameter,
    Return,
    Stmt,
    lift,
)
from codegen.rules import Native
from nnspec.catalogue.ops import recurrent
from nnspec.catalogue.ops.base import Op
from nnspec.graph.graph import Call as Application
from nnspec.graph.graph import Graph, Node, Value, Weight
from nnspec.graph.graph import weights as weights_of
from nnspec.graph.passes.inline_calls import inline_calls
from nnspec.graph.weight_map import NativeWeight, Transform, WeightMap


@dataclass
class _Variables:
    """Names of layers and variables of one graph; those made in the function's first lines."""

    graph: Graph
    taken: set[str]
    reserved: frozenset[str]
    layers: dict[tuple[str, ...], str] = field(default_factory=dict)
    native: dict[str, str] = field(default_factory=dict)
    variables: dict[tuple[str, ...], dict[str, Name]] = field(default_factory=dict)
    weights: dict[str, Name] = field(default_factory=dict)
    prologue: list[Stmt] = field(default_factory=list)

    def add_free(self, weight: Weight) -> None:
        name = distinct(identifier(weight.path.replace(".", "_"), self.reserved), self.taken)
        self.taken.add(name)
        self.native[weight.path] = name
        self.weights[weight.path] = Name(name)
        self.prologue.append(
            Assign(
                Name(name),
                Name("mx.sym.var")(name, shape=weight.type.shape or (1,), **_dtype(weight)),
            )
        )

    def add_layer(self, node: Node, shared: bool) -> None:
        key = _key(node)
        base = node.layer or node.op.name
        number, name = 1, base
        while self.taken & set(_natives(node, name).values()):
            number += 1
            name = f"{base}_{number}"
        natives = _natives(node, name)
        self.taken |= set(natives.values())
        self.layers[key] = name
        roles = {w.role: w.path for w in node.weights}
        self.native |= {roles[role]: native for role, native in natives.items()}
        self.variables[key] = {}
        if isinstance(node.op, recurrent.Recurrent):
            self._join(node, name, node.op)
        elif shared:
            for role, native in natives.items():
                variable = Name(identifier(native, self.reserved))
                self.variables[key][role] = self.weights[roles[role]] = variable
                self.prologue.append(Assign(variable, Name("mx.sym.var")(native)))

    def _join(self, node: Node, name: str, op: recurrent.Recurrent) -> None:
        width: object = node.inputs[0].type.shape[-1]
        for layer in range(op.layers):
            cell = f"{name}_{layer}" if op.layers > 1 else name
            variable = Name(distinct(identifier(f"{cell}_weights", self.reserved), self.taken))
            self.taken.add(variable.text)
            call = Name("recurrent_vector")(mode_of(op), cell, width, op.units)
            if op.bidirectional:
                call = call.with_keyword("bidirectional", True)
            self.prologue.append(Assign(variable, call))
            self.variables[_key(node)][f"parameters_{layer}"] = variable
            width = op.units * op.directions


MODES: Mapping[type[Op], str] = {
    recurrent.LSTM: "lstm",
    recurrent.GRU: "gru",
    recurrent.RNN: "rnn_tanh",
}
"""What the operator `RNN` calls them."""


def mode_of(op: recurrent.Recurrent) -> str:
    relu = isinstance(op, recurrent.RNN) and op.activation == "relu"
    return "rnn_relu" if relu else MODES[type(op)]


RESERVED = frozenset({*IMPORTS, *HELPERS, PLACE})


def _key(node: Node) -> tuple[str, ...]:
    return tuple(w.path for w in node.weights)


def _natives(node: Node, name: str) -> dict[str, str]:
    """Names of the variables of a layer, by role."""
    if isinstance(node.op, recurrent.Recurrent):
        return {w.role: _recurrent_native(node.op, name, w.role) for w in node.weights}
    roles = [w.role for w in node.weights]
    called = OPERATORS[type(node.op)].weights
    return {role: f"{name}_{called.get(role, role)}" for role in roles}


def _recurrent_native(op: recurrent.Recurrent, name: str, role: str) -> str:
    part, layer, side = recurrent_role(role)
    cell = f"{name}_{layer}" if op.layers > 1 else name
    return f"{cell}_{side}0_{part}"


def build_symbol(
    graph: Graph,
    name: str,
    doc: str,
    reorders: Mapping[str, tuple[Transform, ...]],
    blocks: Dialect,
) -> tuple[FunctionDef, WeightMap]:
    """The function that builds a lowered model, and how its weights are called.

    blocks: the dialect of blocks, in which functions that stand in for ops are written.
    """
    flat = inline_calls(graph, functions=False)
    nodes = [step for step in flat.steps if isinstance(step, Node)]
    reserved = RESERVED | blocks.standing_in.names
    inputs = _input_names(flat.inputs, reserved)
    variables = _Variables(flat, set(inputs), reserved)
    for weight in flat.free_weights:
        variables.add_free(weight)
    uses = Counter(_key(node) for node in nodes if node.weights)
    read = {v.path for step in flat.steps for v in step.inputs if isinstance(v, Weight)}
    for node in nodes:
        if node.weights and _key(node) not in variables.layers:
            shared = uses[_key(node)] > 1 or bool(read.intersection(_key(node)))
            variables.add_layer(node, shared)

    blocks.standing_in.avoid(variables.taken)
    forward = _Symbols(
        symbol_dialect(blocks),
        list(zip(flat.inputs, inputs)),
        flat.steps,
        flat.outputs,
        layer=Name,
        weight=lambda weight: variables.weights[weight.path],
        reserved=sorted({*variables.taken, *inputs}),
    )
    forward.variables = variables
    for step in flat.steps:
        forward.step(step)
    results = [forward.result(v) for v in flat.outputs]
    data: list[Stmt] = [
        Assign(Name(name), Name("mx.sym.var")(Name(name), **_dtype(value)))
        for value, name in zip(flat.inputs, inputs)
    ]
    group: Expr = results[0] if len(results) == 1 else Name("mx.sym.Group")(List(tuple(results)))
    body = under("mx.sym", (*data, *variables.prologue, *forward.body(), Return(group)))
    parameters = tuple(Parameter(n, default=Literal(n)) for n in inputs)
    entries = tuple(
        NativeWeight(w.path, variables.native[w.path], (*reorders.get(w.path, ()), *transforms(w)))
        for w in weights_of(graph)
    )
    return FunctionDef(name, parameters, body, doc=doc), entries


def _dtype(value: Value) -> dict[str, str]:
    return {} if value.type.dtype == "f32" else {"dtype": DTYPES[value.type.dtype]}


def _input_names(inputs: tuple[Value, ...], reserved: frozenset[str]) -> list[str]:
    names: list[str] = []
    for value in inputs:
        names.append(distinct(identifier(value.name or "data", reserved), names))
    return names


def symbol_dialect(blocks: Dialect) -> Dialect:
    """That of one function whose layers are operators. These stand under `F` at first (`namespace.py`)."""
    return replace(
        blocks,
        functions={**blocks.functions, **dict.fromkeys(MODES, _recurrent)},
        forward_names=(PLACE,),
        functions_in=blocks,
    )


class _Symbols(Forward):
    """Writes a symbol graph: a layer is an operator with its arguments, applied to operands."""

    variables: _Variables

    def layer(self, step: Node | Application) -> Expr:
        assert isinstance(step, Node)
        operator = OPERATORS[type(step.op)]
        if not step.weights:
            return _Operator(operator, step, {})
        key = _key(step)
        made = self.variables.variables[key]
        named: dict[str, object] = {operator.weights.get(r, r): v for r, v in made.items()}
        return _Operator(operator, step, {**named, "name": self.variables.layers[key]})


@dataclass(frozen=True)
class _Operator(Expr):
    """A layer as an operator, to be applied; `named`: its variables, as far as they are made before, and its name."""

    native: Native
    node: Node
    named: Mapping[str, object]

    def __call__(self, *operands: Any, **keywords: Any) -> Call:
        function = Name(self.native.name(self.node))
        applied = call(function, self.native.arguments, self.node, tuple(map(lift, operands)))
        for keyword, value in self.named.items():
            applied = applied.with_keyword(keyword, value)
        return applied


def _recurrent(node: Node, operands: tuple[Expr, ...], forward: Forward) -> Result:
    """Its weights are joined to one vector for each layer (`_Variables`)."""
    op, (x, *initial) = node.op, operands
    assert isinstance(op, recurrent.Recurrent)
    assert isinstance(forward, _Symbols)
    named = forward.variables.variables[_key(node)]
    vectors = [named[f"parameters_{layer}"] for layer in range(op.layers)]
    if op.layers > 1 and (initial or op.returns == "all"):
        y = Name("recurrent_layers")(mode_of(op), x, vectors, op.units)
        if op.bidirectional:
            y = y.with_keyword("bidirectional", True)
        if initial:
            y = y.with_keyword("states", initial)
        if op.dropout:
            y = y.with_keyword("dropout", op.dropout)
        if op.returns == "last":
            return Name("mx.sym.flatten")(
                Name("mx.sym.slice_axis")(y[1], axis=1, begin=-1, end=None)
            )
        return y if op.returns == "all" else y[0]
    for layer, vector in enumerate(vectors):
        if op.dropout and layer:
            x = Name("mx.sym.Dropout")(x, p=op.dropout)
        y = Name("recurrent_layer")(mode_of(op), x, vector, op.units)
        if op.bidirectional:
            y = y.with_keyword("bidirectional", True)
        if initial:
            y = y.with_keyword("states", initial)
        if layer < op.layers - 1:
            x = y[0]
    return {"sequence": y[0], "last": y[1], "all": y}[op.returns]
