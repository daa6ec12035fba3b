"""Blocks that ship with nnspec: optimizers and schedules, which need no import, and those of networks."""

from __future__ import annotations

import re
from functools import cache

from nnspec.elaborate.modules import LIBRARY, Loader, Module
from nnspec.elaborate.sources import read
from nnspec.elaborate.values import BlockReference
from nnspec.report.diagnostics import Reporter
from nnspec.report.source import Source
from nnspec.syntax import tree

FILES = ("optimizers", "schedules")
"""Those that need no import."""


def files() -> list[str]:
    """The names of all files of the library, by which they are imported."""
    return sorted(path.stem for path in LIBRARY.glob("*.nn"))


@cache
def shipped_names() -> tuple[str, ...]:
    """What the library declares; its files are read, but not parsed."""
    texts = (read(LIBRARY / f"{name}.nn") for name in FILES)
    return tuple(n for text in texts for n in re.findall(r"^block (\w+)", text, re.MULTILINE))


@cache
def shipped(name: str) -> BlockReference:
    """A block of the library."""
    for file in FILES:
        module = library_module(file)
        declaration = module.declared.get(name)
        if isinstance(declaration, tree.Block):
            return BlockReference(declaration, module)
    raise KeyError(name)


def is_shipped(block: BlockReference) -> bool:
    """Whether a block is the library's, imported or not."""
    path = block.module.path
    return path is not None and path.parent == LIBRARY.resolve()


@cache
def library_module(file: str) -> Module:
    """A file of the library, read once."""
    reporter = Reporter()
    path = LIBRARY / f"{file}.nn"
    module = Loader(reporter).load(Source(f"library/{file}.nn", read(path)), path)
    reporter.raise_errors()
    return module
