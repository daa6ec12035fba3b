"""What instances of a block have in common: their source, but for the literals in which they differ."""

from __future__ import annotations

import dataclasses
import operator
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from codegen.python.source import (
    Assign,
    Call,
    Expr,
    Item,
    Literal,
    Name,
    Operator,
    Stmt,
    Tuple,
)
from codegen.python.source.tree import inner_fields


@dataclass(frozen=True)
class Draft:
    """A class as one instance would have it, before what instances have in common is found."""

    init: tuple[Stmt, ...]
    forward: tuple[Stmt, ...]
    inputs: tuple[str, ...]
    results: int


def skeleton(draft: Any) -> Any:
    """The draft with each literal reduced to its kind: instances with equal ones share a class."""
    return rewrite(draft, lambda value, hint: Literal(f"<{_kind(value.value)}>"))


def _kind(value: Any) -> str:
    """One number for all axes and a number for each are alike."""
    numbers = isinstance(value, tuple) and value
    return type(value[0] if numbers else value).__name__


def annotation(values: Sequence[Literal]) -> Expr:
    """The type of a parameter with these values: `int | tuple[int, int]`."""
    types: dict[Expr, None] = {}
    for value in (v.value for v in values):
        if isinstance(value, tuple):
            size = Tuple((Name("int"),) * len(value))
            types[Item(Name("tuple"), size)] = None
        else:
            types[Name(type(value).__name__)] = None
    first, *others = sorted(types, key=lambda t: not isinstance(t, Name))
    for other in others:
        first = Operator("|", first, other)
    return first


def literal_columns(trees: Sequence[Any]) -> list[tuple[list[Literal], str | None]]:
    """For each place of a literal, its value in each tree, and what the place is called."""
    rows = zip(*map(literals, trees), strict=True)
    return [(list(places), places[0].hint) for places in rows]


def same_argument(column: list[Literal], given: Sequence[Mapping[str, object]]) -> str | None:
    """The block's own parameter that has these values, of what each instance was given."""
    wanted = [(type(v.value), v.value) for v in column]
    for name in given[0]:
        values = [arguments.get(name) for arguments in given]
        if [(type(v), v) for v in values] == wanted:
            return name
    return None


def literals(tree: Any) -> list[Literal]:
    """Every literal of a tree in order, with what its place is called."""
    places: list[Literal] = []

    def note(value: Literal, hint: str | None) -> Literal:
        places.append(dataclasses.replace(value, hint=hint))
        return value

    rewrite(tree, note)
    return places


def replaced(tree: Any, by: Mapping[int, Expr]) -> Any:
    """The tree with other expressions in the places of some literals."""
    place = -1

    def visit(value: Literal, hint: str | None) -> Expr:
        nonlocal place
        place += 1
        return by.get(place, value)

    return rewrite(tree, visit)


def rewrite(
    tree: Any, visit: Callable[[Literal, str | None], Expr], hint: str | None = None
) -> Any:
    """The tree with every literal replaced by what `visit` makes of it; what stays the same is shared."""
    match tree:
        case tuple():
            parts = tuple([rewrite(part, visit, hint) for part in tree])
            return parts if any(map(operator.is_not, parts, tree)) else tree
        case Literal():
            return visit(tree, tree.hint or hint)
        case Call(function, arguments, keywords):
            new = rewrite(function, visit), rewrite(arguments, visit)
            named = tuple([(k, rewrite(v, visit, k)) for k, v in keywords])
            same = new[0] is function and new[1] is arguments
            same = same and all(n[1] is k[1] for n, k in zip(named, keywords))
            return tree if same else Call(*new, named)
        case Tuple(elements):
            inner = rewrite(elements, visit, hint)
            return tree if inner is elements else Tuple(inner)
    changes = {}
    for name in inner_fields(type(tree)):
        old = getattr(tree, name)
        if (value := rewrite(old, visit)) is not old:
            changes[name] = value
    return dataclasses.replace(tree, **changes) if changes else tree


def without_notes(body: tuple[Stmt, ...]) -> tuple[Stmt, ...]:
    """The statements without the shapes of one instance."""
    return tuple(dataclasses.replace(s, note=None) if isinstance(s, Assign) else s for s in body)
