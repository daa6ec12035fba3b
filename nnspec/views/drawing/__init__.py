"""A graph as a picture: blocks as boxes, shapes on the edges."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from nnspec.graph.graph import Graph
from nnspec.views.drawing.dot import to_dot
from nnspec.views.drawing.mermaid import to_mermaid
from nnspec.views.drawing.svg import to_svg

DRAWINGS: Mapping[str, Callable[[Graph], str]] = {
    "svg": to_svg,
    "dot": to_dot,
    "mermaid": to_mermaid,
}
