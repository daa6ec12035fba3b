"""Native records and rules of ONNX, and what an operator set has of them."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeVar

import numpy as np

from codegen.dtypes import lack
from codegen.onnx.dtypes import LACKS
from codegen.onnx.lowering import Lowering, Result, Rule
from codegen.python.dialect import UnsupportedOp
from codegen.rules import REQUIRED, Native, Place, ops_of
from nnspec.catalogue.ops.base import Op
from nnspec.core.dtypes import DTYPES
from nnspec.graph.graph import Node, Weight
from nnspec.graph.passes.legalize import Legality, Rewrite

AnyFunction = TypeVar("AnyFunction", bound=Callable[..., Any])


@dataclass(frozen=True)
class Use(Place):
    """Where a rule stands: the node that it writes, and the ONNX graph that it writes into."""

    to: Lowering

    def number(self, value: float) -> str:
        """A constant of the type in which the node computes."""
        dtype = "f32" if self.to.widens else self.types[0].dtype
        return self.to.constant(np.array(value, DTYPES[dtype].numpy), "constant")

    @property
    def weights(self) -> dict[str, Weight]:
        """By role."""
        return {w.role: w for w in self.node.weights}


@dataclass
class Table:
    """Everything that a family of ops is in ONNX; filled by records and by rules.

    A record's arguments by keyword become attributes, those by position constants after the operands and weights.
    An op may have several records, since different operator sets; `since` says it of rules, `until` the last set for which
    onnxruntime has a kernel. A rule is a function whose first parameter is
    annotated with the op that it writes, the second is the `Use`; then come the names of operands:

        @TABLE.rule
        def sort(op: Sort, use: Use, x: str) -> Result: ...
    """

    natives: list[Native] = field(default_factory=list)
    rules: dict[type[Op], Rule] = field(default_factory=dict)
    since: dict[type[Op], int] = field(default_factory=dict)
    until: dict[type[Op], int] = field(default_factory=dict)
    legal: dict[type[Op], Callable[[Node], bool]] = field(default_factory=dict)
    rewrites: dict[type[Op], Rewrite] = field(default_factory=dict)

    def add(self, *natives: Native) -> None:
        """Records of ops."""
        self.natives += natives

    def rule(self, write: AnyFunction) -> AnyFunction:
        """How an op is written, where a record does not say it."""
        for kind in ops_of(write):
            self.rules[kind] = lambda to, node, operands: write(node.op, Use(node, to), *operands)
        return write

    def rewrite(self, write: AnyFunction) -> AnyFunction:
        """What a use that is not native becomes: `(to, op, *operands) -> terms`."""
        for kind in ops_of(write, 1):
            self.rewrites[kind] = write
        return write


@dataclass(frozen=True)
class Operators:
    """What an operator set has: how each op is written, and what has to be rewritten before."""

    rules: dict[type[Op], Rule]
    legality: Legality


def operators(families: Iterable[Table], opset: int) -> Operators:
    """Of every family, the newest forms that the operator set has."""
    rules: dict[type[Op], Rule] = {}
    rewrites: dict[type[Op], Rewrite] = {}
    legal: dict[type[Op], Callable[[Node], bool]] = {}
    newest: dict[type[Op], Native] = {}
    until: dict[type[Op], int] = {}
    for family in families:
        until |= family.until
        for native in family.natives:
            if opset >= native.since >= newest.get(native.op, native).since:
                newest[native.op] = native
        rules |= {op: r for op, r in family.rules.items() if opset >= family.since.get(op, 0)}
        rewrites |= family.rewrites
        legal |= family.legal
    rules |= {op: _written(native) for op, native in newest.items()}
    legal |= {op: native.legal for op, native in newest.items()}

    def is_native(node: Node) -> bool:
        kind = type(node.op)
        if kind not in rules or opset > until.get(kind, opset) or lack(node, LACKS) is not None:
            return False
        return kind not in legal or legal[kind](node)

    def refuse(node: Node) -> UnsupportedOp:
        reason = lack(node, LACKS) or "it is in none of the target's tables"
        if opset > (last := until.get(type(node.op), opset)):
            reason = (
                f"onnxruntime has no kernel for it beyond operator set {last} (`--opset {last}`)"
            )
        return UnsupportedOp(node, "ONNX", reason)

    return Operators(rules, Legality(is_native, refuse, rewrites))


def _written(native: Native) -> Rule:
    """A record as a rule."""
    if native.style == "operand":
        return lambda to, node, operands: operands

    def write(to: Lowering, node: Node, operands: Sequence[str]) -> Result:
        inputs, attributes = [*operands, *map(to.weight, node.weights)], {}
        for argument in native.arguments:
            value = argument.written(node)
            if value is REQUIRED:
                continue
            if argument.keyword is None:
                inputs.append(_constant(to, value, argument.hint or "constant"))
            else:
                attributes[argument.keyword] = value
        return to.results(len(node.outputs), native.name(node), *inputs, **attributes)

    return write


def _constant(to: Lowering, value: Any, name: str) -> str:
    """Whole numbers as i64 (sizes may be symbolic), others as f32."""
    if isinstance(value, tuple) and not any(isinstance(v, float) for v in value):
        return to.shape(value, name)
    array = np.array(value)
    return to.constant(array.astype("f4") if array.dtype.kind == "f" else array, name)
