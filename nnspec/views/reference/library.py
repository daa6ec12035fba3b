"""The library that ships with nnspec, read off its files: what each block takes and means, an example, its text."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from functools import cache
from typing import Any

from nnspec.elaborate.library import FILES, files, library_module
from nnspec.report.source import Span
from nnspec.syntax import tree

TRAINED = """\
model M {{
  input x: f32[N, 4]
  output y = x -> Dense(3)
}}

train Example {{
  net = M()
  batch x: f32[N, 4], y: f32[N, 3]
  loss = mse(net(x), y)
{}
}}
"""
"""Around an example that is a statement of a training program."""


@dataclass(frozen=True)
class Parameter:
    """type: what it may be, where that is said. default: as it is written; None where it must be given."""

    name: str
    type: str | None
    default: str | None

    def __str__(self) -> str:
        said = f"{self.name}: {self.type}" if self.type else self.name
        return said if self.default is None else f"{said} = {self.default}"


@dataclass(frozen=True)
class LibraryBlock:
    """doc: without the example at its end. inputs: with what they are where they are left out, or at first.

    text: of the declaration.
    """

    file: str
    name: str
    doc: str
    parameters: tuple[Parameter, ...]
    inputs: tuple[str, ...]
    example: str
    text: str

    @property
    def imported(self) -> bool:
        """Whether a spec must import it."""
        return self.file not in FILES

    @property
    def signature(self) -> str:
        """`SqueezeExcite(squeezed, activation: any = relu, gate: any = sigmoid)`."""
        given = ", ".join(map(str, self.parameters))
        return f"{self.name}({given})" if given else self.name

    @property
    def program(self) -> str:
        """A whole file around the example."""
        body = "\n".join(f"  {line}" if line else "" for line in self.example.splitlines())
        if not self.imported:
            return TRAINED.format(body)
        known = {b.name for b in library()[self.file].blocks}
        used = sorted(known & set(re.findall(r"\w+", self.example)))
        return f"from {self.file} import {', '.join(used)}\n\nmodel Example {{\n{body}\n}}\n"

    def to_json(self) -> dict[str, Any]:
        """For programs."""
        return asdict(self) | {"kind": "library", "signature": self.signature}


@dataclass(frozen=True)
class LibraryFile:
    """name: by which it is imported."""

    name: str
    doc: str
    blocks: tuple[LibraryBlock, ...]

    def to_json(self) -> dict[str, Any]:
        """For programs."""
        return {"name": self.name, "doc": self.doc, "blocks": [b.to_json() for b in self.blocks]}


@cache
def library() -> dict[str, LibraryFile]:
    """Every file by its name."""
    return {name: LibraryFile(name, *_read(name)) for name in files()}


def library_blocks() -> dict[str, LibraryBlock]:
    """Every block by its name."""
    return {b.name: b for file in library().values() for b in file.blocks}


def _read(name: str) -> tuple[str, tuple[LibraryBlock, ...]]:
    file = library_module(name).file
    blocks = (d for d in file.declarations if isinstance(d, tree.Block))
    return " ".join((file.doc or "").split()), tuple(_block(name, b) for b in blocks)


def _block(file: str, block: tree.Block) -> LibraryBlock:
    doc, example = _parted(block.doc or "")
    return LibraryBlock(
        file,
        block.name.text,
        doc,
        tuple(map(_parameter, block.parameters)),
        tuple(_inputs(block)),
        example,
        _text(block.span),
    )


def _parameter(given: tree.Parameter) -> Parameter:
    kind = None if given.type is None else given.type.text
    default = None if given.default is None else _text(given.default.span)
    return Parameter(given.name.text, kind, default)


def _parted(doc: str) -> tuple[str, str]:
    """What a doc comment says, and the lines at its end that stand four to the right: an example."""
    lines = doc.splitlines()
    start = len(lines)
    while start and (not lines[start - 1] or lines[start - 1].startswith("    ")):
        start -= 1
    example = "\n".join(line[4:] for line in lines[start:])
    return "\n".join(lines[:start]), example.strip("\n")


def _inputs(block: tree.Block) -> Iterator[str]:
    for statement in block.body:
        if isinstance(statement, tree.Input):
            for name in statement.names:
                first = "" if name.initial is None else f" = {_text(name.initial.span)}"
                yield name.name.text + first


def _text(span: Span) -> str:
    return span.source.text[span.start : span.end]
