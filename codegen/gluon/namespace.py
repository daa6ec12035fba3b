"""Operators of `F`, as they are called where there is no `F`."""

from __future__ import annotations

import operator
from collections.abc import Callable
from dataclasses import replace
from typing import Any, TypeVar

from codegen.python.source import Expr, Name, Parameter, Stmt
from codegen.python.source.tree import inner_fields

Tree = TypeVar("Tree")
PLACE = "F"


def rewritten(tree: Tree, change: Callable[[Any], Any]) -> Tree:
    """The tree with what `change` gives in place of a node; it gives the node itself where it stays."""
    if isinstance(tree, tuple):
        parts = tuple([rewritten(part, change) for part in tree])
        same = not any(map(operator.is_not, parts, tree))
        return tree if same else parts  # type: ignore[return-value]
    if not isinstance(tree, (Expr, Stmt, Parameter)):
        return tree
    changed = change(tree)
    if changed is not tree:
        return changed  # type: ignore[no-any-return]
    new: dict[str, Any] = {}
    for name in inner_fields(type(tree)):
        before = getattr(tree, name)
        after = rewritten(before, change)
        if after is not before:
            new[name] = after
    return replace(tree, **new) if new else tree


def under(namespace: str, tree: Tree) -> Tree:
    """The tree with the operators of a namespace (`nd`, `mx.sym`) in place of those of `F`."""

    def rename(node: Any) -> Any:
        if isinstance(node, Name) and node.root == PLACE:
            return Name(namespace + node.text.removeprefix(PLACE))
        return node

    return rewritten(tree, rename)
