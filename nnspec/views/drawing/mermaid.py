"""Mermaid text, which GitHub and many editors draw in Markdown."""

from __future__ import annotations

from collections.abc import Iterator

from nnspec.graph.graph import Graph
from nnspec.views.drawing.flat import Group, Leaf, flatten

_BRACKETS = {
    "op": ("[", "]"),
    "input": ("([", "])"),
    "output": ("([", "])"),
    "weight": ("[(", ")]"),
}


def to_mermaid(graph: Graph) -> str:
    """A top-down flowchart; blocks are subgraphs, edges carry the shapes."""
    picture = flatten(graph)
    lines = [
        "flowchart TD",
        *_items(picture.root, "  "),
        *(f"  {e.source} -->|{_quote(e.label)}| {e.target}" for e in picture.edges),
    ]
    return "\n".join(lines) + "\n"


def _items(group: Group, indent: str) -> Iterator[str]:
    for item in group.items:
        if isinstance(item, Leaf):
            left, right = _BRACKETS[item.kind]
            text = item.title + (f"<br/>{item.detail}" if item.detail else "")
            yield f"{indent}{item.key}{left}{_quote(text)}{right}"
        else:
            yield f"{indent}subgraph {item.key}[{_quote(item.title)}]"
            yield from _items(item, indent + "  ")
            yield f"{indent}end"


def _quote(text: str) -> str:
    return '"' + text.replace("#", "#35;").replace('"', "#quot;") + '"'
