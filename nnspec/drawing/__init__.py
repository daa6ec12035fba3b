"""A graph as a picture: blocks as boxes, shapes on the edges."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from nnspec.drawing.dot import to_dot
from nnspec.drawing.mermaid import to_mermaid
from nnspec.drawing.svg import to_svg
from nnspec.graph import Graph

DRAWINGS: Mapping[str, Callable[[Graph], str]] = {
    "svg": to_svg,
    "dot": to_dot,
    "mermaid": to_mermaid,
}
