"""Names in blocks that nothing applies: they are not worked out, but they are looked up."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import fields
from typing import Any

from nnspec.elaborate.catalogue import catalogue
from nnspec.elaborate.errors import error
from nnspec.elaborate.modules import Module
from nnspec.elaborate.session import Session
from nnspec.report.diagnostics import SpecError, did_you_mean
from nnspec.syntax import tree


def resolve(session: Session, module: Module) -> None:
    """Report every name of the file that nothing gives a meaning."""
    for declaration in module.declared.values():
        if not isinstance(declaration, tree.Block):
            continue
        known = {p.name.text for p in declaration.parameters}
        known |= {i.text for i in _bound(declaration.body)}
        names = known | {*module.names(), *module.constants, *catalogue()}
        for name in _read(declaration.body):
            if name.text not in names:
                helps = did_you_mean(name.text, names)
                failure: SpecError = error(
                    "E0201", f"there is no `{name.text}`", name.span, "unknown name", helps=helps
                )
                session.report(failure)


def _bound(body: Any) -> Iterator[tree.Identifier]:
    """Everything that might be bound: targets, inputs, and sizes named in types."""
    for node in _all(body):
        match node:
            case tree.Assign(targets=targets) | tree.For(targets=targets):
                yield from targets
            case tree.TypedName(name=name) | tree.Weight(name=name) | tree.Named(name=name):
                yield name
            case tree.NamedExpr(name=name) if name is not None:
                yield name
            case tree.TensorType(shape=shape):
                yield from (
                    tree.Identifier(d.span, d.text) for d in shape if isinstance(d, tree.Name)
                )
            case _:
                pass


def _read(body: Any) -> Iterator[tree.Name]:
    return (node for node in _all(body) if isinstance(node, tree.Name))


def _all(body: Any) -> Iterator[Any]:
    """Every node below, in the order of the text; a pipe of thousands is no recursion."""
    stack = [body]
    while stack:
        node = stack.pop()
        yield node
        stack.extend(reversed(list(_children(node))))


def _children(node: Any) -> Iterator[Any]:
    if isinstance(node, tuple):
        yield from node
    elif isinstance(node, tree.Tree):
        for part in fields(node):
            if part.name != "span":
                yield getattr(node, part.name)
