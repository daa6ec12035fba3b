"""`style="symbol"`: a model as one function that builds a pure `mx.sym` graph, to be bound with `Module`."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import NoReturn

from codegen.gluon.arrays import LEGAL, REWRITES, arrays
from codegen.gluon.dtypes import DTYPES, LACKS
from codegen.gluon.functions import functions
from codegen.gluon.losses import table as losses
from codegen.gluon.module import HELPERS, IMPORTS, NEVER
from codegen.gluon.symbol_layers import SYMBOL_ROLES, Layers
from codegen.gluon.weights import lstm_role, transforms
from codegen.python.dialect import Dialect
from codegen.python.forward import Forward
from codegen.python.names import distinct, identifier
from codegen.python.source import (
    Assign,
    Expr,
    FunctionDef,
    List,
    Literal,
    Name,
    Parameter,
    Return,
    Stmt,
)
from nnspec.catalogue.ops import recurrent
from nnspec.graph.graph import Graph, Node, Value, Weight
from nnspec.graph.graph import weights as weights_of
from nnspec.graph.passes.inline_calls import inline_calls
from nnspec.graph.weight_map import NativeWeight, Transform, WeightMap


@dataclass
class _Variables:
    """Names of layers and variables of one graph; those made in the function's first lines."""

    graph: Graph
    taken: set[str]
    layers: dict[tuple[str, ...], str] = field(default_factory=dict)
    native: dict[str, str] = field(default_factory=dict)
    variables: dict[tuple[str, ...], dict[str, Name]] = field(default_factory=dict)
    weights: dict[str, Name] = field(default_factory=dict)
    prologue: list[Stmt] = field(default_factory=list)

    def add_free(self, weight: Weight) -> None:
        name = distinct(identifier(weight.path.replace(".", "_"), RESERVED), self.taken)
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
        if isinstance(node.op, recurrent.LSTM):
            self._join(node, name, node.op)
        elif shared:
            for role, native in natives.items():
                variable = Name(identifier(native, RESERVED))
                self.variables[key][role] = self.weights[roles[role]] = variable
                self.prologue.append(Assign(variable, Name("mx.sym.var")(native)))

    def _join(self, node: Node, name: str, op: recurrent.LSTM) -> None:
        width: object = node.inputs[0].type.shape[-1]
        for layer in range(op.layers):
            cell = f"{name}_{layer}" if op.layers > 1 else name
            variable = Name(distinct(identifier(f"{cell}_weights", RESERVED), self.taken))
            self.taken.add(variable.text)
            call = Name("lstm_vector")(cell, width, op.units)
            if op.bidirectional:
                call = call.with_keyword("bidirectional", True)
            self.prologue.append(Assign(variable, call))
            self.variables[_key(node)][f"parameters_{layer}"] = variable
            width = op.units * op.directions


RESERVED = frozenset({*IMPORTS, *HELPERS})


def _key(node: Node) -> tuple[str, ...]:
    return tuple(w.path for w in node.weights)


def _natives(node: Node, name: str) -> dict[str, str]:
    """Names of the variables of a layer, by role."""
    if isinstance(node.op, recurrent.LSTM):
        return {w.role: _lstm_native(node.op, name, w.role) for w in node.weights}
    roles = [w.role for w in node.weights]
    return {role: f"{name}_{SYMBOL_ROLES.get((type(node.op), role), role)}" for role in roles}


def _lstm_native(op: recurrent.LSTM, name: str, role: str) -> str:
    part, layer, side = lstm_role(role)
    cell = f"{name}_{layer}" if op.layers > 1 else name
    return f"{cell}_{side}0_{part}"


def build_symbol(
    graph: Graph, name: str, doc: str, reorders: Mapping[str, tuple[Transform, ...]]
) -> tuple[FunctionDef, WeightMap]:
    """The function that builds a lowered model, and how its weights are called."""
    flat = inline_calls(graph)
    nodes = [step for step in flat.steps if isinstance(step, Node)]
    inputs = _input_names(flat.inputs)
    variables = _Variables(flat, set(inputs))
    for weight in flat.free_weights:
        variables.add_free(weight)
    uses = Counter(_key(node) for node in nodes if node.weights)
    read = {v.path for node in nodes for v in node.inputs if isinstance(v, Weight)}
    for node in nodes:
        if node.weights and _key(node) not in variables.layers:
            shared = uses[_key(node)] > 1 or bool(read.intersection(_key(node)))
            variables.add_layer(node, shared)

    layers = Layers(
        name_of=lambda node: variables.layers[_key(node)],
        variables=lambda node: variables.variables[_key(node)],
    )
    forward = Forward(
        symbol_dialect(layers),
        list(zip(flat.inputs, inputs)),
        flat.steps,
        flat.outputs,
        layer=Name,
        weight=lambda weight: variables.weights[weight.path],
        reserved=sorted({*variables.taken, *inputs}),
    )
    for step in flat.steps:
        forward.step(step)
    results = [forward.result(v) for v in flat.outputs]
    data: list[Stmt] = [
        Assign(Name(name), Name("mx.sym.var")(Name(name), **_dtype(value)))
        for value, name in zip(flat.inputs, inputs)
    ]
    group: Expr = results[0] if len(results) == 1 else Name("mx.sym.Group")(List(tuple(results)))
    body = (*data, *variables.prologue, *forward.body(), Return(group))
    parameters = tuple(Parameter(n, default=Literal(n)) for n in inputs)
    entries = tuple(
        NativeWeight(w.path, variables.native[w.path], (*reorders.get(w.path, ()), *transforms(w)))
        for w in weights_of(graph)
    )
    return FunctionDef(name, parameters, body, doc=doc), entries


def _dtype(value: Value) -> dict[str, str]:
    return {} if value.type.dtype == "f32" else {"dtype": DTYPES[value.type.dtype]}


def _input_names(inputs: tuple[Value, ...]) -> list[str]:
    names: list[str] = []
    for value in inputs:
        names.append(distinct(identifier(value.name or "data", RESERVED), names))
    return names


def symbol_dialect(layers: Layers) -> Dialect:
    """The dialect whose functions apply layers too, for they are operators like any other."""

    def absent(*arguments: object) -> NoReturn:
        raise AssertionError("a symbol graph has neither classes nor containers")

    return Dialect(
        name="Gluon",
        layers={},
        functions={**functions("mx.sym"), **arrays("mx.sym"), **losses("mx.sym"), **layers.table()},
        frame=absent,
        loop=absent,
        container=absent,
        weight_ref=absent,
        legal=LEGAL,
        rewrites=REWRITES,
        never=NEVER,
        lacks=LACKS,
        imports=IMPORTS,
        helpers=HELPERS,
        size=lambda tensor, axis: Name("ruler")(Name("mx.sym"), tensor, axis),
        forward_names=(),
    )
