"""What a generated class or function says of itself: the writer's words, or the catalogue's."""

from __future__ import annotations

import re
from collections.abc import Container, Sequence

from codegen.python.source.texts import number
from nnspec.catalogue.ops.base import Op
from nnspec.graph.graph import Graph

_EXAMPLE = re.compile(r": `[^`]*->[^`]*`\.\Z")
"""How a layer is written in the language, which is of no use in Python."""


def paragraphs(text: str) -> list[str]:
    return re.split(r"\n[ \t]*\n", text.strip())


def doc_of(graphs: Sequence[Graph], differing: Container[str]) -> str | None:
    """What a block is; what its doc says after an empty line is of its parameters, which a class need not have.

    Of an op, besides, what is meant by the arguments that it was given, as far as they are no parameters.
    """
    graph = graphs[0]
    first, *more = paragraphs(graph.doc or "")
    if graph.op is None:
        return first or None
    defaults = _defaults(graph.op)
    given = {
        name: value
        for name, value in graph.arguments.items()
        if name not in differing
        and value != defaults.get(name, value)
        and all(other.arguments.get(name) == value for other in graphs)
    }
    spoken = {n: [p for p in more if f"`{n} = {_text(v)}`" in p] for n, v in given.items()}
    untold = ", ".join(f"{n} = {_text(v)}" for n, v in given.items() if not spoken[n])
    call = [f"{graph.op.name}({untold})"] if untold else []
    told = dict.fromkeys(p for found in spoken.values() for p in found)
    return "\n\n".join([_EXAMPLE.sub(".", first), *told, *call])


def _defaults(op: Op) -> dict[str, object]:
    return {f.name: f.default for f in op.arguments() if not f.is_required}


def _text(value: object) -> str:
    if isinstance(value, float):
        return number(value)
    return str(value).lower() if value is None or isinstance(value, bool) else str(value)
