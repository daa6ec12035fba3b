"""The reference of the library, as text for the terminal and as pages of the documentation."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator

from nnspec.views.reference.library import LibraryBlock, LibraryFile


def block_as_text(block: LibraryBlock) -> str:
    """For a terminal."""
    lines = [block.signature, "", block.doc, "", where(block)]
    if block.inputs:
        lines += ["", "Inputs", *(f"  {name}" for name in block.inputs)]
    if block.parameters:
        lines += ["", "Parameters", *(f"  {parameter}" for parameter in block.parameters)]
    lines += ["", "Example", textwrap.indent(block.example, "  ")]
    return "\n".join([*lines, "", "Definition", textwrap.indent(block.text, "  ")])


def file_as_text(file: LibraryFile) -> str:
    """For a terminal: what it holds."""
    lines = [*textwrap.wrap(file.doc, 100), ""]
    for block in file.blocks:
        lines += [block.signature, textwrap.indent(_first(block), "  ")]
    return "\n".join(lines)


def where(block: LibraryBlock) -> str:
    """Whence it is."""
    return (
        f"Of the library: `from {block.file} import {block.name}`."
        if block.imported
        else "Of the library; it needs no import."
    )


def row(file: LibraryFile) -> str:
    """Of a table: the page, what it holds."""
    names = ", ".join(f"`{b.name}`" for b in file.blocks)
    return (
        f"| [{file.name}]({file.name}.md) | {file.doc.partition('. ')[0].rstrip('.')} | {names} |"
    )


def page(file: LibraryFile, head: str) -> str:
    """Of the documentation."""
    lines = [head, "", f"# Library: {file.name}", "", file.doc, ""]
    for block in file.blocks:
        lines += _section(block)
    return "\n".join(lines)


def _section(block: LibraryBlock) -> Iterator[str]:
    yield from (f"## {block.name}", "", f"`{block.signature}`", "", block.doc, "")
    inputs = ", ".join(f"`{name}`" for name in block.inputs)
    yield from (f"{where(block)} Inputs: {inputs}.", "")
    if block.parameters:
        yield from ("| parameter | type | default |", "| --- | --- | --- |")
        for p in block.parameters:
            default = "" if p.default is None else f"`{p.default}`"
            yield f"| `{p.name}` | {p.type or ''} | {default} |"
        yield ""
    if block.imported:
        yield from ("```nn", block.program.rstrip("\n"), "```", "")
    else:
        yield from ("In a training program:", "", "```", block.example, "```", "")
    yield from ("This is", "", "```", block.text, "```", "")


def _first(block: LibraryBlock) -> str:
    return " ".join(block.doc.partition("\n\n")[0].split())
