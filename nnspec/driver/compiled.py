"""What building and converting ask of a compiled file."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from pathlib import Path

    from nnspec.graph.graph import Program
    from nnspec.report.source import Source


class Compiled(Protocol):
    """As `nnspec.api.Spec` has them.

    stem: what files are called after. whole: the file's program, where this one is a part of it.
    roots, parameters: what it was compiled with.
    """

    @property
    def source(self) -> Source: ...

    @property
    def program(self) -> Program: ...

    @property
    def whole(self) -> Program | None: ...

    @property
    def roots(self) -> tuple[Path, ...]: ...

    @property
    def parameters(self) -> Mapping[str, Any]: ...

    @property
    def stem(self) -> str: ...
