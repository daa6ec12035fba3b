"""An ONNX graph while operators are added: names, constants, sizes at run time; nothing is written twice."""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from onnx import GraphProto, NodeProto, helper, numpy_helper

from nnspec.core.dims import Dim, Quotient, Shape, Sym

FRESH = (
    *("RandomNormal", "RandomNormalLike", "RandomUniform", "RandomUniformLike"),
    *("Scan", "Identity"),
)
"""Operators of which no two give the same, the one with a body, and the one that is there for its name."""

KNOWN = 1024
"""Constants of more elements are not compared."""


@dataclass(kw_only=True)
class Writing:
    """One graph.

    opset: of the model. proto: what has been written. body: the graph that nodes go to now, that of a loop or `proto`.
    current: the name of what is written now. begun: whether an operator has it. location: where that stands in the spec.
    sources: for each symbol an input, and the axis that tells its size. sizes: the names of those known so far.
    regrouped: of each result of a reshape, what it is a reshape of. written: the results of operators of the body, by
    what they are and are given. results_of: those of every operator. read: all that operators are given.
    """

    opset: int
    proto: GraphProto = field(default_factory=GraphProto)
    used: set[str] = field(default_factory=set)
    counts: dict[str, int] = field(default_factory=dict)
    constants: dict[tuple[str, Shape, bytes], str] = field(default_factory=dict)
    sources: dict[str, tuple[str, int]] = field(default_factory=dict)
    sizes: dict[Dim, str] = field(default_factory=dict)
    regrouped: dict[str, tuple[str, Shape]] = field(default_factory=dict)
    written: dict[Hashable, tuple[str, ...]] = field(default_factory=dict)
    results_of: list[tuple[str, ...]] = field(default_factory=list)
    read: set[str] = field(default_factory=set)
    current: str = ""
    begun: bool = False
    location: str | None = None

    def __post_init__(self) -> None:
        self.body = self.proto

    def unique(self, wanted: str) -> str:
        name = wanted
        while name in self.used:
            self.counts[wanted] = self.counts.get(wanted, 1) + 1
            name = f"{wanted}_{self.counts[wanted]}"
        self.used.add(name)
        return name

    def op(self, kind: str, *inputs: str, **attributes: Any) -> str:
        """Add an operator of one result."""
        return self.results(1, kind, *inputs, **attributes)[0]

    def results(self, count: int, kind: str, *inputs: str, **attributes: Any) -> tuple[str, ...]:
        """Add an operator, and name its results; one that is there already stands for all its equals."""
        key = None if kind in FRESH else (kind, count, inputs, *attributes.items())
        if key in self.written:
            return self.written[key]
        name = self.current if not self.begun else self.unique(f"{self.current}/{kind.lower()}")
        self.begun = True
        ends = ("", *(f"_{i}" for i in range(1, count)))
        names = tuple(self.unique(f"{name}_output{end}") for end in ends)
        node = self.body.node.add(op_type=kind, name=name, input=inputs, output=names)
        node.attribute.extend(helper.make_attribute(k, attributes[k]) for k in sorted(attributes))
        if self.location:
            self._locate(node)
        if key is not None:
            self.written[key] = names
        self.read.update(inputs)
        self.results_of.append(names)
        return names

    def has_dead(self, outputs: Iterable[str]) -> bool:
        """Whether nobody may read what some operator gives, beside these."""
        self.read.update(outputs)
        return any(map(self.read.isdisjoint, self.results_of))

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


def _codes(before: Shape, after: Shape) -> list[int]:
    """What a reshape is told of each size."""
    stays = [i < len(before) and before[i] == dim for i, dim in enumerate(after)]
    return [
        dim if isinstance(dim, int) else 0 if stay else -1
        for dim, stay in zip(after, stays, strict=True)
    ]
