"""A generated file: docstring, the imports and helpers that its code mentions, then the code."""

from __future__ import annotations

from collections.abc import Sequence

from codegen.dialect import Dialect
from codegen.python_source import Import, Module, Stmt, Verbatim
from codegen.python_source.imports import sort_imports
from codegen.python_source.printer import module_source
from codegen.python_source.tree import names


def module_text(
    doc: str, definitions: Sequence[Stmt], dialect: Dialect, *, first: Sequence[Stmt] = ()
) -> str:
    """The text of a file of a target.

    Imports and helpers are found by name: every first part of a `Name` that `dialect.imports` or
    `dialect.helpers` knows. Helpers stand in the order in which the dialect lists them.
    first: statements between imports and helpers (settings of the framework).
    """
    mentioned = set(names(*definitions, *first))
    helpers: dict[str, Verbatim] = {}
    waiting = [n for n in dialect.helpers if n in mentioned]
    while waiting:
        name = waiting.pop()
        if name not in helpers:
            helpers[name] = dialect.helpers[name]
            mentioned |= set(helpers[name].uses)
            waiting += [n for n in helpers[name].uses if n in dialect.helpers]
    imports: list[Import] = [i for n, i in dialect.imports.items() if n in mentioned]
    written = [text for name, text in dialect.helpers.items() if name in helpers]
    return module_source(Module(doc, (*sort_imports(imports), *first, *written, *definitions)))
