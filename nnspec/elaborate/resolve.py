"""Names in blocks that nothing applies: they are not worked out, but they are looked up."""

from __future__ import annotations

from dataclasses import fields
from itertools import chain
from typing import TYPE_CHECKING, Any

from nnspec.elaborate.catalogue import catalogue
from nnspec.elaborate.errors import error
from nnspec.elaborate.modules import Module
from nnspec.elaborate.session import Session
from nnspec.report.diagnostics import SpecError, did_you_mean
from nnspec.report.source import Span
from nnspec.syntax import tree

if TYPE_CHECKING:
    from nnspec.elaborate.index import Index


def resolve(session: Session, module: Module) -> None:
    """Report every name of the file that nothing gives a meaning."""
    common = {*module.names(), *module.constants, *catalogue()}
    for declaration in module.declared.values():
        if not isinstance(declaration, tree.Block):
            continue
        bound, read = _names(declaration)
        for name in read:
            if name.text not in bound and name.text not in common:
                helps = did_you_mean(name.text, chain(catalogue(), bound, common))
                failure: SpecError = error(
                    "E0201", f"there is no `{name.text}`", name.span, "unknown name", helps=helps
                )
                session.report(failure)


def look_up(index: Index, module: Module) -> None:
    """Names of a file that were not worked out, by where they are bound first."""
    for declaration in module.file.declarations:
        if isinstance(declaration, tree.Import):
            for item in declaration.names:
                bound_as = item.alias or item.name
                if (origin := module.origin(bound_as.text)) is not None:
                    index.name(item.name.span, origin)
            continue
        bound, read = _names(declaration)
        for name in read:
            origin = bound.get(name.text) or module.origin(name.text)
            if name.span not in index.definitions and origin not in (None, name.span):
                index.name(name.span, origin)


def _names(declaration: tree.Declaration) -> tuple[dict[str, Span], list[tree.Name]]:
    """Everything that might be bound (parameters, targets, inputs, sizes named in types) with its first
    place, and what is read, in the order of the text. A pipe of thousands is no recursion."""
    bound: dict[str, Span] = {}
    read: list[tree.Name] = []
    stack: list[Any] = [declaration]
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
                for target in targets:
                    bound.setdefault(target.text, target.span)
            case (
                tree.TypedName(name=name)
                | tree.Weight(name=name)
                | tree.Named(name=name)
                | tree.Parameter(name=name)
            ):
                bound.setdefault(name.text, name.span)
            case tree.Minimize(over=paths):
                read += [tree.Name(path[0].span, path[0].text) for path in paths]
            case tree.NamedExpr(name=name) if name is not None:
                bound.setdefault(name.text, name.span)
            case tree.TensorType(shape=shape):
                for size in shape:
                    if isinstance(size, tree.Name):
                        bound.setdefault(size.text, size.span)
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
