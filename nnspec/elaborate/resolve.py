"""Names in blocks that nothing applies: they are not worked out, but they are looked up."""

from __future__ import annotations

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
        bound, read = _names(declaration.body)
        bound |= {p.name.text for p in declaration.parameters}
        names = bound | {*module.names(), *module.constants, *catalogue()}
        for name in read:
            if name.text not in names:
                helps = did_you_mean(name.text, names)
                failure: SpecError = error(
                    "E0201", f"there is no `{name.text}`", name.span, "unknown name", helps=helps
                )
                session.report(failure)


def _names(body: tuple[tree.Statement, ...]) -> tuple[set[str], list[tree.Name]]:
    """Everything that might be bound (targets, inputs, sizes named in types), and what is read, in the
    order of the text. A pipe of thousands is no recursion."""
    bound: set[str] = set()
    read: list[tree.Name] = []
    stack: list[Any] = [body]
    while stack:
        node = stack.pop()
        match node:
            case tuple():
                stack.extend(reversed(node))
                continue
            case tree.Name():
                read.append(node)
                continue
            case tree.Assign(targets=targets) | tree.For(targets=targets):
                bound.update(i.text for i in targets)
            case tree.TypedName(name=name) | tree.Weight(name=name) | tree.Named(name=name):
                bound.add(name.text)
            case tree.NamedExpr(name=name) if name is not None:
                bound.add(name.text)
            case tree.TensorType(shape=shape):
                bound.update(d.text for d in shape if isinstance(d, tree.Name))
            case tree.Tree():
                pass
            case _:
                continue
        stack.extend([getattr(node, part) for part in _parts(type(node))])
    return bound, read


_PARTS: dict[type[tree.Tree], tuple[str, ...]] = {}


def _parts(kind: type[tree.Tree]) -> tuple[str, ...]:
    """Fields of a kind of node that may hold others, the last first."""
    if kind not in _PARTS:
        leaves = ("span", "doc", "text", "operator")
        names = [f.name for f in fields(kind) if f.name not in leaves]
        _PARTS[kind] = tuple(reversed(names))
    return _PARTS[kind]
