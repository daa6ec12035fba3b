"""A physical graph becomes ONNX nodes: names, initialisers, sizes at run time."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from onnx import NodeProto, TensorProto, helper, numpy_helper

from codegen.onnx.dtypes import DTYPES, MOVING, NARROW
from codegen.onnx.files import Held
from nnspec.catalogue.ops import Op
from nnspec.core import dtypes
from nnspec.core.dims import Dim, Quotient, Sym, symbols
from nnspec.graph.graph import Call, Graph, Node, Value, Weight
from nnspec.graph.weight_map import NativeWeight, Transform

Rule = Callable[["Lowering", Node, list[str]], Sequence[str]]
"""Names of the results of a node, from those of its operands."""


def is_narrow(value: Value) -> bool:
    return value.type.dtype == NARROW


@dataclass
class Lowering:
    """One ONNX graph while it grows.

    rules: how each op is lowered. opset: forms of operators differ between opsets. training: the
    forms that a training step evaluates. held: what initialisers hold, once they are written; prefix: of
    paths, where a step has several networks.
    """

    rules: dict[type[Op], Rule]
    opset: int
    reorders: dict[str, tuple[Transform, ...]]
    training: bool = False
    nodes: list[NodeProto] = field(default_factory=list)
    initializers: dict[str, TensorProto] = field(default_factory=dict)
    held: dict[str, Held] = field(default_factory=dict)
    entries: dict[str, NativeWeight] = field(default_factory=dict)
    names: dict[Value, str] = field(default_factory=dict)
    made: dict[str, Value] = field(default_factory=dict)
    used: set[str] = field(default_factory=set)
    counts: dict[str, int] = field(default_factory=dict)
    sources: dict[str, tuple[str, int]] = field(default_factory=dict)
    sizes: dict[Dim, str] = field(default_factory=dict)
    constants: dict[str, str] = field(default_factory=dict)
    prefix: str = ""
    current: str = ""
    begun: bool = False
    widens: bool = False
    location: str | None = None

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
        for outer, inner in zip(call.inputs, call.body.inputs, strict=True):
            self.names[inner] = self.name_of(outer)
        self.graph(call.body, f"{prefix}{call.layer}/")
        for outer, inner in zip(call.outputs, call.body.outputs, strict=True):
            self.names[outer] = self.name_of(inner)

    def node(self, node: Node, prefix: str) -> None:
        self.current = self.unique(prefix + (node.layer or node.op.name))
        self.location = str(node.span) if node.span else None
        self.begun = False
        operands = [self.name_of(v) for v in node.inputs]
        values = (*node.inputs, *node.outputs, *node.weights)
        self.widens = not isinstance(node.op, MOVING) and any(map(is_narrow, values))
        if self.widens:
            operands = [self.wide(n, v) for n, v in zip(operands, node.inputs, strict=True)]
        results = self.rules[type(node.op)](self, node, operands)
        if self.widens:
            results = [
                self.op("Cast", [n], to=DTYPES[NARROW]) if is_narrow(v) else n
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
        return self.op("Cast", [name], to=TensorProto.FLOAT) if is_narrow(value) else name

    # --- what rules use

    def op(self, kind: str, inputs: Sequence[str], outputs: int = 1, **attributes: Any) -> str:
        """Add a node and name its first result; further results are that name with a number."""
        name = self.current if not self.begun else self.unique(f"{self.current}/{kind.lower()}")
        self.begun = True
        result = self.unique(f"{name}_output")
        names = [result, *(self.unique(f"{name}_output_{i}") for i in range(2, outputs + 1))]
        node = helper.make_node(kind, list(inputs), names, name=name, **attributes)
        if self.location:
            self._locate(node)
        self.nodes.append(node)
        return result

    def constant(self, array: Any, name: str = "constant") -> str:
        """An initialiser that is no weight; equal ones are shared."""
        tensor = np.asarray(array)
        key = (
            f"{tensor.dtype.name}{list(tensor.shape)}{tensor.tobytes().hex()}"
            if tensor.size <= 16
            else ""
        )
        if key and key in self.constants:
            return self.constants[key]
        unique = self.unique(name)
        self.initializers[unique] = numpy_helper.from_array(tensor, unique)
        if key:
            self.constants[key] = unique
        return unique

    def weight(self, weight: Weight, *transforms: Transform) -> str:
        """A weight in the layout that the operator wants, and in the type that it computes in."""
        name = self._initializer(weight, *transforms)
        return self.wide(name, weight) if self.widens else name

    def _initializer(self, weight: Weight, *transforms: Transform) -> str:
        """The initialiser of a weight, named by its path."""
        path = self.prefix + weight.path
        entry = NativeWeight(path, path, (*self.reorders.get(path, ()), *transforms))
        known = self.entries.get(path)
        if known is None:
            self.entries[path] = entry
            self.used.add(path)
            return self._hold(path, entry, weight)
        if known == entry:
            return path
        # Two users want it in two layouts: the second has a copy, which the map does not name.
        return self._hold(self.unique(f"{path}/copy"), entry, weight)

    def _hold(self, name: str, entry: NativeWeight, weight: Weight) -> str:
        """An initialiser whose content waits until the file is written."""
        sizes = tuple(int(d) for d in weight.type.shape if isinstance(d, int))
        form = np.broadcast_to(np.zeros((), np.int8), sizes)
        for transform in entry.transforms:
            form = transform.apply(form)
        dtype = weight.type.dtype
        self.held[name] = Held(entry, form.shape, dtypes.DTYPES[dtype].numpy)
        self.initializers[name] = TensorProto(name=name, dims=form.shape, data_type=DTYPES[dtype])
        return name

    def shape(self, dims: Sequence[Dim]) -> str:
        """A 1-D i64 tensor of sizes, worked out at run time where they are symbolic."""
        if all(isinstance(d, int) for d in dims):
            return self.constant(np.array(dims, np.int64), "shape")
        parts = [
            self.constant(np.array([d], np.int64), "size") if isinstance(d, int) else self.size(d)
            for d in dims
        ]
        return self.op("Concat", parts, axis=0) if len(parts) > 1 else parts[0]

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
                factors.append(self.constant(np.array([k], np.int64), "size"))
            product = factors[0]
            for factor in factors[1:]:
                product = self.op("Mul", [product, factor])
            total = product if total is None else self.op("Add", [total, product])
        assert total is not None
        return total

    def _atom(self, atom: str | Quotient) -> str:
        if isinstance(atom, Quotient):
            kind = "Mod" if atom.remainder else "Div"
            return self.op(kind, [self._size(atom.left), self.size(atom.right)])
        name, axis = self.sources[atom]
        return self.op("Shape", [name], start=axis, end=axis + 1)

    def axes(self, kind: str, x: str, axes: Sequence[int], since: int, **attributes: Any) -> str:
        """An operator whose axes became an input at some opset."""
        if self.opset >= since:
            return self.op(kind, [x, self.constant(np.array(axes, np.int64), "axes")], **attributes)
        return self.op(kind, [x], axes=list(axes), **attributes)

    def _locate(self, node: NodeProto) -> None:
        """Where in the spec a node comes from: metadata since IR 10, before it the doc string."""
        assert self.location is not None
        if self.opset >= 20:
            entry = node.metadata_props.add()
            entry.key, entry.value = "nnspec.location", self.location
        else:
            node.doc_string = self.location
