"""How large several tensors are together: the terms of a loss that keep weights small."""

from __future__ import annotations

from collections.abc import Mapping

from codegen.python.dialect import Result
from codegen.python.native import Table, Use
from codegen.python.source import Comprehension, Expr, Name
from nnspec.catalogue.ops.base import Op
from nnspec.catalogue.ops.distances import L1, L2


def sizes(table: Table, one: Mapping[type[Op], Expr]) -> None:
    """Rules for `l1` and `l2` of more than one tensor; `one` says what it is of a single one, called `w`."""

    @table.rule
    def size(op: L1 | L2, use: Use, *x: Expr) -> Result:
        every = use.forward.several(use.node.inputs, x)
        return Name("sum")(Comprehension(one[type(op)], Name("w"), every))

    table.legal |= dict.fromkeys(one, lambda node: len(node.inputs) > 1)
