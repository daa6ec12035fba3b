"""Graphviz text."""

from __future__ import annotations

from collections.abc import Iterator

from nnspec.graph.graph import Graph
from nnspec.report.text import printable
from nnspec.views.drawing.flat import Group, Leaf, flatten

_SHAPES = {
    "op": 'shape=box, style="rounded,filled", fillcolor="#eef3fb"',
    "input": 'shape=box, style="rounded,filled", fillcolor="#e6f4ea"',
    "output": 'shape=box, style="rounded,filled", fillcolor="#fdf1dc"',
    "weight": 'shape=box, style="rounded,filled,dashed", fillcolor="#f5f5f5"',
}


def to_dot(graph: Graph) -> str:
    """A `digraph` whose blocks are clusters and whose edges carry the shapes."""
    picture = flatten(graph)
    lines = [
        f"digraph {_quote(graph.name)} {{",
        '  node [fontname="Helvetica", fontsize=11]; edge [fontname="Helvetica", fontsize=9];',
        *_items(picture.root, "  "),
        *(f"  {e.source} -> {e.target} [label={_quote(e.label)}];" for e in picture.edges),
        "}",
    ]
    return "\n".join(lines) + "\n"


def _items(group: Group, indent: str) -> Iterator[str]:
    for item in group.items:
        if isinstance(item, Leaf):
            text = "\n".join(filter(None, (item.title, item.detail)))
            yield f"{indent}{item.key} [label={_quote(text)}, {_SHAPES[item.kind]}];"
        else:
            yield f"{indent}subgraph cluster_{item.key} {{"
            yield f"{indent}  label={_quote(item.title)}; style=rounded; color={_quote('#8aa0c0')};"
            yield from _items(item, indent + "  ")
            yield f"{indent}}}"


def _quote(text: str) -> str:
    """A label; dot reads escapes and HTML's entities in it."""
    lines = (printable(line).replace("\\", "\\\\").replace('"', '\\"') for line in text.split("\n"))
    return '"' + "\\n".join(lines).replace("&", "&amp;") + '"'
