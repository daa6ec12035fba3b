"""A generated file: docstring, the imports and helpers that its code mentions, then the code."""

from __future__ import annotations

from collections.abc import Callable, Sequence, Set

from codegen.python.dialect import Dialect
from codegen.python.source import Import, Module, Stmt, Verbatim
from codegen.python.source.imports import sort_imports
from codegen.python.source.printer import module_source
from codegen.python.source.tree import names
from nnspec.graph.graph import Program


def module_text(
    doc: str,
    definitions: Sequence[Stmt],
    dialect: Dialect,
    *,
    program: Sequence[Stmt] = (),
    first: Callable[[Set[str]], Sequence[Stmt]] = lambda mentioned: (),
) -> str:
    """The text of a file of a target.

    Imports and helpers are found by name: every first part of a `Name` that `dialect.imports` or
    `dialect.helpers` knows. Helpers stand in the order in which the dialect lists them.
    definitions: initialisers and classes; program: what trains them, after helpers of its own.
    first: from the names that the file mentions, statements between imports and helpers (settings of the framework).
    """
    definitions = (*dialect.standing_in.definitions, *definitions)
    defined, later = names(*definitions), names(*program)
    before = _helpers(dialect, defined)
    after = {n: h for n, h in _helpers(dialect, later).items() if n not in before}
    mentioned = defined | later | names(*before.values(), *after.values())
    settings = first(mentioned)
    mentioned |= names(*settings)
    body = (*settings, *before.values(), *definitions, *after.values(), *program)
    imports: list[Import] = [i for n, i in dialect.imports.items() if n in mentioned]
    return module_source(Module(doc, (*sort_imports(imports), *body)))


def module_doc(provenance: str, program: Program, *more: str) -> str:
    """The docstring of a file: where it comes from, what the spec says of itself, what is to know."""
    return "\n\n".join(part for part in (provenance, program.doc, *more) if part)


def _helpers(dialect: Dialect, mentioned: set[str]) -> dict[str, Verbatim]:
    """Helpers among the names that are mentioned, and those that these need."""
    found: set[str] = set()
    waiting = [n for n in mentioned if n in dialect.helpers]
    while waiting:
        name = waiting.pop()
        if name not in found:
            found.add(name)
            waiting += [n for n in dialect.helpers[name].uses if n in dialect.helpers]
    return {n: h for n, h in dialect.helpers.items() if n in found}
