"""A physical graph becomes ONNX nodes and initialisers."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Union

import numpy as np
from onnx import GraphProto, TensorProto, ValueInfoProto, helper

from codegen.onnx.dtypes import DTYPES, MOVING, NARROW
from codegen.onnx.files import Held
from codegen.onnx.writing import Writing
from nnspec.catalogue.ops import Op
from nnspec.core.dims import symbols
from nnspec.graph.graph import Call, Graph, Loop, Node, Value, Weight
from nnspec.graph.weight_map import NativeWeight, Piece, Reshape, Transform

Result = Union[str, Sequence[str]]
"""Names of the results of a node."""

Rule = Callable[["Lowering", Node, Sequence[str]], Result]
"""The results of a node, from the names of its operands."""


def _typed(name: str, value: Value) -> ValueInfoProto:
    shape = [d if isinstance(d, int) else str(d) for d in value.type.shape]
    return helper.make_tensor_value_info(name, DTYPES[value.type.dtype], shape)


def is_narrow(value: Value) -> bool:
    return value.type.dtype == NARROW


@dataclass(kw_only=True)
class Lowering(Writing):
    """One ONNX graph while the nodes of a physical graph go into it.

    rules: how each op is lowered. reorders: of weights, by path. held: what initialisers hold, once they are written.
    names: of values. made: which value each name is. widens: whether the node computes in another element type than it has.
    unadded: of results that only a norm reads, the bias that the norm adds.
    """

    rules: dict[type[Op], Rule]
    reorders: dict[str, tuple[Transform, ...]]
    held: dict[str, Held] = field(default_factory=dict)
    entries: dict[str, NativeWeight] = field(default_factory=dict)
    names: dict[Value, str] = field(default_factory=dict)
    made: dict[str, Value] = field(default_factory=dict)
    unadded: dict[Value, str] = field(default_factory=dict)
    widens: bool = False

    # --- names

    def declare(self, value: Value, name: str) -> None:
        """An input of the model: its sizes are known at run time."""
        self.names[value] = name
        self.used.add(name)
        for axis, dim in enumerate(value.type.shape):
            found = symbols(dim)
            if len(found) == 1 and str(dim) in found:
                self.sources.setdefault(str(dim), (name, axis))

    # --- steps

    def graph(self, graph: Graph, prefix: str) -> None:
        """Every step of a graph, blocks dissolved."""
        for step in graph.steps:
            if isinstance(step, Call):
                self.call(step, prefix)
            else:
                self.node(step, prefix)

    def call(self, call: Call, prefix: str) -> None:
        if call.loop is not None:
            self.loop(call, call.loop, prefix)
            return
        for outer, inner in zip(call.inputs, call.body.inputs, strict=True):
            self.names[inner] = self.name_of(outer)
        self.graph(call.body, f"{prefix}{call.layer or call.body.name}/")
        for outer, inner in zip(call.outputs, call.body.outputs, strict=True):
            self.names[outer] = self.name_of(inner)

    def loop(self, call: Call, loop: Loop, prefix: str) -> None:
        """A `Scan`, whose body reads weights, numbers and sizes from around it."""
        name = self.unique(prefix + call.layer)
        states = [i for i, _ in loop.states]
        carried = [self.name_of(call.inputs[i]) for i in states]
        sequences = [self.name_of(call.inputs[i]) for i in loop.sequences]
        for i, (outer, inner) in enumerate(zip(call.inputs, call.body.inputs, strict=True)):
            own = i in states or i in loop.sequences
            self.names[inner] = (
                self.unique(f"{name}/{inner.name or 'input'}") if own else self.name_of(outer)
            )
        around, sizes, written = self.body, dict(self.sizes), self.written
        self.written = {}
        self.body = body = GraphProto(name=name)
        self.graph(call.body, f"{prefix}{call.layer}/")
        taken = [call.body.inputs[i] for i in (*states, *loop.sequences)]
        order = (*(output for _, output in loop.states), *loop.stacked(len(call.outputs)))
        stacked = len(order) - len(states)
        given = [call.body.outputs[i] for i in order]
        body.input.extend(_typed(self.names[v], v) for v in taken)
        made = {n for node in body.node for n in node.output}
        for value in given:
            result = self.name_of(value)
            if result in made:
                made.remove(result)
            else:  # an input, a weight, or a value that comes out already
                self.current, self.begun = self.unique(f"{name}/identity"), False
                result = self.op("Identity", result)
            body.output.append(_typed(result, value))
            self.read.add(result)
        self.body, self.sizes, self.written = around, sizes, written
        self.current, self.begun = name, False
        self.location = str(call.span) if call.span else None
        results = self.results(
            len(order),
            "Scan",
            *carried,
            *sequences,
            body=body,
            num_scan_inputs=len(sequences),
            scan_input_axes=[1] * len(sequences),
            **({"scan_output_axes": [1] * stacked} if stacked else {}),
        )
        for i, result in zip(order, results, strict=True):
            self.names[call.outputs[i]] = result
            self.made[result] = call.outputs[i]

    def node(self, node: Node, prefix: str) -> None:
        self.current = self.unique(prefix + (node.layer or node.op.name))
        self.location = str(node.span) if node.span else None
        self.begun = False
        operands = [self.name_of(v) for v in node.inputs]
        values = (*node.inputs, *node.outputs, *node.weights)
        self.widens = not isinstance(node.op, MOVING) and any(map(is_narrow, values))
        if self.widens:
            operands = [self.wide(n, v) for n, v in zip(operands, node.inputs, strict=True)]
        results = self.applied(node, operands)
        if self.widens:
            results = [
                self.op("Cast", n, to=DTYPES[NARROW]) if is_narrow(v) else n
                for n, v in zip(results, node.outputs, strict=True)
            ]
            self.widens = False
        for value, name in zip(node.outputs, results, strict=True):
            self.names[value] = name
            self.made.setdefault(name, value)

    def name_of(self, value: Value) -> str:
        if value not in self.names and isinstance(value, Weight):
            return self._initializer(value)
        return self.names[value]

    def wide(self, name: str, value: Value) -> str:
        """The name of a value in an element type that onnxruntime computes in."""
        return self.op("Cast", name, to=TensorProto.FLOAT) if is_narrow(value) else name

    # --- what rules use

    def applied(self, node: Node, operands: Sequence[str]) -> Sequence[str]:
        """The results of a node, by the rule of its op."""
        result = self.rules[type(node.op)](self, node, operands)
        return (result,) if isinstance(result, str) else result

    def weight(self, weight: Weight, *transforms: Transform) -> str:
        """A weight in the layout that the operator wants, and in the type that it computes in."""
        name = self._initializer(weight, *transforms)
        return self.wide(name, weight) if self.widens else name

    def weights(
        self,
        role: str,
        parts: Sequence[tuple[Weight, tuple[Transform, ...]]],
        shape: tuple[int, ...],
    ) -> str:
        """Weights one after the other as one of a shape, named after their layer."""
        if len(parts) == 1:
            ((weight, transforms),) = parts
            return self.weight(weight, *transforms, Reshape(self._form(weight, transforms), shape))
        layer = parts[0][0].path.rpartition(".")[0]
        native, start, entries = f"{layer}.{role}", 0, []
        for weight, transforms in parts:
            path = weight.path
            piece = Piece(start, self._form(weight, transforms), shape)
            start = piece.places.stop
            entries.append(
                NativeWeight(path, native, (*self.reorders.get(path, ()), *transforms), piece)
            )
        name = self._named(tuple(entries), shape, parts[0][0].type.dtype)
        return self.wide(name, parts[0][0]) if self.widens else name

    def _initializer(self, weight: Weight, *transforms: Transform) -> str:
        """The initialiser of a weight, named by its path."""
        path = weight.path
        entry = NativeWeight(path, path, (*self.reorders.get(path, ()), *transforms))
        return self._named((entry,), self._form(weight, entry.transforms), weight.type.dtype)

    def _named(self, entries: tuple[NativeWeight, ...], shape: tuple[int, ...], dtype: str) -> str:
        """The initialiser that weights make up."""
        native, known = entries[0].native, [self.entries.get(e.path) for e in entries]
        if known == list(entries):
            return native
        if any(known):
            # Two users want them in two layouts: the second has a copy, which the map does not name.
            return self._hold(self.unique(f"{native}/copy"), entries, shape, dtype)
        self.entries |= {e.path: e for e in entries}
        self.used.add(native)
        return self._hold(native, entries, shape, dtype)

    def _form(self, weight: Weight, transforms: Sequence[Transform]) -> tuple[int, ...]:
        """Sizes of a weight after transforms."""
        sizes = tuple(d for d in weight.type.shape if isinstance(d, int))
        if not transforms:
            return sizes
        form = np.broadcast_to(np.zeros((), np.int8), sizes)
        for transform in transforms:
            form = transform.apply(form)
        return form.shape

    def _hold(
        self, name: str, entries: tuple[NativeWeight, ...], shape: tuple[int, ...], dtype: str
    ) -> str:
        """An initialiser whose content waits until the file is written."""
        self.held[name] = Held(entries, shape, dtype)
        return name
