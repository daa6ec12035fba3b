"""Imports in the order that `ruff check --select I` wants."""

from __future__ import annotations

import sys
from collections.abc import Sequence

from codegen.python.source.tree import Blank, Import, Stmt


def sort_imports(imports: Sequence[Import]) -> tuple[Stmt, ...]:
    """The standard library, an empty line, then the rest; names from one module on one line."""
    sections: list[list[Import]] = [[], []]
    for statement in dict.fromkeys(imports):
        library = statement.module.partition(".")[0] in sys.stdlib_module_names
        sections[0 if library else 1].append(statement)
    result: list[Stmt] = []
    for section in sections:
        if section and result:
            result.append(Blank())
        result += _section(section)
    return tuple(result)


def _section(section: Sequence[Import]) -> list[Stmt]:
    plain = sorted((i for i in section if i.name is None), key=lambda i: i.module.lower())
    members: dict[str, list[Import]] = {}
    for statement in section:
        if statement.name is not None:
            members.setdefault(statement.module, []).append(statement)
    joined: list[Stmt] = []
    for module in sorted(members, key=str.lower):
        plain_names = [i for i in members[module] if i.alias is None]
        names = sorted((i.name or "" for i in plain_names), key=_rank)
        if names:
            joined.append(Import(module, ", ".join(names)))
        joined += [i for i in members[module] if i.alias is not None]
    return [*plain, *joined]


def _rank(name: str) -> tuple[int, str]:
    """Constants, then classes, then functions."""
    kind = 0 if name.isupper() and len(name) > 1 else 1 if name[:1].isupper() else 2
    return kind, name
