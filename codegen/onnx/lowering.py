"""A physical graph becomes ONNX nodes: names, initialisers, sizes at run time."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, Union

import numpy as np
from onnx import GraphProto, NodeProto, TensorProto, ValueInfoProto, helper, numpy_helper

from codegen.onnx.dtypes import DTYPES, MOVING, NARROW
from codegen.onnx.files import Held
from nnspec.catalogue.ops import Op
from nnspec.core.dims import Dim, Quotient, Shape, Sym, symbols
from nnspec.graph.graph import Call, Graph, Loop, Node, Value, Weight
from nnspec.graph.weight_map import NativeWeight, Piece, Reshape, Transform

Result = Union[str, Sequence[str]]
"""Names of the results of a node."""

Rule = Callable[["Lowering", Node, Sequence[str]], Result]
"""The results of a node, from the names of its operands."""


Written = tuple[str, int, tuple[str, ...], str]
"""An operator: its kind, how many results it has, its operands and attributes."""

FRESH = (
    *("RandomNormal", "RandomNormalLike", "RandomUniform", "RandomUniformLike"),
    *("Scan", "Identity"),
)
"""Operators of which no two give the same, the one with a body, and the one that is there for its name."""

KNOWN = 1024
"""Constants of more elements are not compared."""


def _typed(name: str, value: Value) -> ValueInfoProto:
    shape = [d if isinstance(d, int) else str(d) for d in value.type.shape]
    return helper.make_tensor_value_info(name, DTYPES[value.type.dtype], shape)


def _codes(before: Shape, after: Shape) -> list[int]:
    """What a reshape is told of each size."""
    stays = [i < len(before) and before[i] == dim for i, dim in enumerate(after)]
    return [
        dim if isinstance(dim, int) else 0 if stay else -1
        for dim, stay in zip(after, stays, strict=True)
    ]


def is_narrow(value: Value) -> bool:
    return value.type.dtype == NARROW


@dataclass
class Lowering:
    """One ONNX graph while it grows.

    rules: how each op is lowered. opset: of the model. proto: what has been written. body: the graph that nodes go to
    now, that of a loop or `proto`. held: what initialisers hold, once they are written. regrouped: of each result of a
    reshape, what it is a reshape of. written: the results of operators of the body, by what they are and are given.
    """

    rules: dict[type[Op], Rule]
    opset: int
    reorders: dict[str, tuple[Transform, ...]]
    proto: GraphProto = field(default_factory=GraphProto)
    held: dict[str, Held] = field(default_factory=dict)
    entries: dict[str, NativeWeight] = field(default_factory=dict)
    names: dict[Value, str] = field(default_factory=dict)
    made: dict[str, Value] = field(default_factory=dict)
    used: set[str] = field(default_factory=set)
    counts: dict[str, int] = field(default_factory=dict)
    sources: dict[str, tuple[str, int]] = field(default_factory=dict)
    sizes: dict[Dim, str] = field(default_factory=dict)
    constants: dict[tuple[str, Shape, bytes], str] = field(default_factory=dict)
    regrouped: dict[str, tuple[str, Shape]] = field(default_factory=dict)
    written: dict[Written, tuple[str, ...]] = field(default_factory=dict)
    current: str = ""
    begun: bool = False
    widens: bool = False
    location: str | None = None

    def __post_init__(self) -> None:
        self.body = self.proto

    # --- names

    def unique(self, wanted: str) -> str:
        name = wanted
        while name in self.used:
            self.counts[wanted] = self.counts.get(wanted, 1) + 1
            name = f"{wanted}_{self.counts[wanted]}"
        self.used.add(name)
        return name

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

    def op(self, kind: str, *inputs: str, **attributes: Any) -> str:
        """Add an operator of one result."""
        return self.results(1, kind, *inputs, **attributes)[0]

    def results(self, count: int, kind: str, *inputs: str, **attributes: Any) -> tuple[str, ...]:
        """Add an operator, and name its results; one that is there already stands for all its equals."""
        key = kind, count, inputs, str(sorted(attributes.items()))
        if kind not in FRESH and key in self.written:
            return self.written[key]
        name = self.current if not self.begun else self.unique(f"{self.current}/{kind.lower()}")
        self.begun = True
        names = [self.unique(f"{name}_output_{i}" if i else f"{name}_output") for i in range(count)]
        node = self.body.node.add(op_type=kind, name=name, input=inputs, output=names)
        node.attribute.extend(helper.make_attribute(k, attributes[k]) for k in sorted(attributes))
        if self.location:
            self._locate(node)
        if kind not in FRESH:
            self.written[key] = tuple(names)
        return tuple(names)

    def constant(self, array: Any, name: str = "constant") -> str:
        """An initialiser that is no weight; equal ones are shared."""
        tensor = np.asarray(array)
        known = tensor.size <= KNOWN
        key = (tensor.dtype.name, tensor.shape, tensor.tobytes() if known else b"")
        if known and key in self.constants:
            return self.constants[key]
        unique = self.unique(name)
        self.proto.initializer.append(numpy_helper.from_array(tensor, unique))
        if known:
            self.constants[key] = unique
        return unique

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

    def shape(self, dims: Sequence[Dim], name: str = "shape") -> str:
        """A 1-D i64 tensor of sizes, worked out at run time where they are symbolic."""
        if all(isinstance(d, int) for d in dims):
            return self.constant(np.array(dims, np.int64), name)
        parts = [self.size(d) for d in dims]
        return self.op("Concat", *parts, axis=0) if len(parts) > 1 else parts[0]

    def reshape(self, x: str, before: Shape, after: Shape) -> str:
        """The same elements in order in another shape: of several reshapes in a row, one.

        Sizes that stay where they are are copied (0), one other unknown is worked out (-1).
        """
        source, whole = self.regrouped.get(x, (x, before))
        if whole == after:
            return source
        codes = _codes(whole, after)
        if codes.count(-1) > 1:  # perhaps the last step by itself tells more
            source, whole, codes = x, before, _codes(before, after)
        y = self.op("Reshape", source, self.shape(after if codes.count(-1) > 1 else codes))
        self.regrouped[y] = source, whole
        return y

    def size(self, dim: Dim) -> str:
        """One size as a 1-D i64 tensor of one element."""
        if isinstance(dim, int):
            return self.constant(np.array([dim], np.int64), "size")
        if dim not in self.sizes:
            self.sizes[dim] = self._size(dim)
        return self.sizes[dim]

    def _size(self, dim: Sym) -> str:
        total: str | None = None
        for monomial, k in dim.terms:
            factors = [self._atom(atom) for atom in monomial]
            if k != 1 or not factors:
                factors.append(self.size(k))
            product = factors[0]
            for factor in factors[1:]:
                product = self.op("Mul", product, factor)
            total = product if total is None else self.op("Add", total, product)
        assert total is not None
        return total

    def _atom(self, atom: str | Quotient) -> str:
        if isinstance(atom, Quotient):
            kind = "Mod" if atom.remainder else "Div"
            return self.op(kind, self._size(atom.left), self.size(atom.right))
        name, axis = self.sources[atom]
        return self.op("Shape", name, start=axis, end=axis + 1)

    def _locate(self, node: NodeProto) -> None:
        """Where in the spec a node comes from: metadata since IR 10, before it the doc string."""
        assert self.location is not None
        if self.opset >= 20:
            node.metadata_props.add(key="nnspec.location", value=self.location)
        else:
            node.doc_string = self.location
