"""Mermaid text, which GitHub and many editors draw in Markdown."""

from __future__ import annotations

import re
from collections.abc import Iterator

from nnspec.graph.graph import Graph
from nnspec.report.text import printable
from nnspec.views.drawing.flat import Group, Leaf, flatten

_BRACKETS = {
    "op": ("[", "]"),
    "input": ("([", "])"),
    "output": ("([", "])"),
    "weight": ("[(", ")]"),
}
_SPECIAL = re.compile(r'[#"<>&`]|%%+')


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
            yield f"{indent}{item.key}{left}{_quote(item.title, item.detail)}{right}"
        else:
            yield f"{indent}subgraph {item.key}[{_quote(item.title)}]"
            yield from _items(item, indent + "  ")
            yield f"{indent}end"


def _quote(*lines: str) -> str:
    return '"' + "<br/>".join(_SPECIAL.sub(_code, printable(line)) for line in lines if line) + '"'


def _code(match: re.Match[str]) -> str:
    """Characters as mermaid writes them where they would mean something to it, or to HTML."""
    return "".join(f"#{ord(c)};" for c in match[0])
