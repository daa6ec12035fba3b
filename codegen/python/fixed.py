"""Fixed text of generated programs: definitions that stand in real Python files, `codegen/<target>/snippets/`.

Those files are formatted, linted, typed and tested like any other. A definition at the top of one of them is a
helper that a generated file has where its code mentions the name; what it needs itself, imports or other
helpers, is read off its syntax tree.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator, Mapping
from functools import cache
from importlib.resources import files

from codegen.python.source import Import, Verbatim

_Definition = ast.FunctionDef | ast.ClassDef


@cache
def snippets(package: str) -> Mapping[str, Verbatim]:
    """The definitions of a package's files by name, in the order in which they stand (`Dialect.helpers`)."""
    helpers: dict[str, Verbatim] = {}
    for text, tree in _files(package):
        known = {*_imports(tree), *_borrowed(tree), *(d.name for d in _definitions(tree))}
        for definition in _definitions(tree):
            uses = tuple(n for n in dict.fromkeys(_free(definition)) if n in known)
            helpers[definition.name] = Verbatim(_lines(text, definition), uses)
    return helpers


@cache
def snippet_imports(package: str) -> Mapping[str, Import]:
    """What the files of a package import, by the name that it gets there (`Dialect.imports`)."""
    imports: dict[str, Import] = {}
    for _, tree in _files(package):
        imports |= _imports(tree)
    return imports


def _files(package: str) -> Iterator[tuple[str, ast.Module]]:
    folder = files(package)
    for entry in sorted(folder.iterdir(), key=lambda e: e.name):
        if entry.name.endswith(".py") and entry.name != "__init__.py":
            text = entry.read_text(encoding="utf-8")
            yield text, ast.parse(text)


def _definitions(tree: ast.Module) -> list[_Definition]:
    return [s for s in tree.body if isinstance(s, (ast.FunctionDef, ast.ClassDef))]


def _imports(tree: ast.Module) -> dict[str, Import]:
    """Imports at the top of a file, but for those of other snippets."""
    imports: dict[str, Import] = {}
    for statement in tree.body:
        match statement:
            case ast.Import(names=names):
                for alias in names:
                    imports[alias.asname or alias.name] = Import(alias.name, alias=alias.asname)
            case ast.ImportFrom(module=str(module), names=names) if not _is_ours(module):
                for alias in names:
                    own = Import(module, alias.name, alias.asname)
                    imports[alias.asname or alias.name] = own
    return imports


def _borrowed(tree: ast.Module) -> Iterator[str]:
    """Names of other snippets that a file imports."""
    for statement in tree.body:
        if isinstance(statement, ast.ImportFrom) and _is_ours(statement.module or ""):
            yield from (alias.name for alias in statement.names)


def _is_ours(module: str) -> bool:
    return module.partition(".")[0] == "codegen"


def _free(definition: _Definition) -> Iterator[str]:
    """Names that a definition reads without binding them itself."""
    nodes = list(ast.walk(definition))
    bound = {n.arg for n in nodes if isinstance(n, ast.arg)}
    bound |= {n.id for n in nodes if isinstance(n, ast.Name) and isinstance(n.ctx, ast.Store)}
    for node in nodes:
        if isinstance(node, ast.Name) and node.id not in bound and node.id != definition.name:
            yield node.id


def _lines(text: str, definition: _Definition) -> str:
    """The text of a definition with its decorators."""
    first = min([definition.lineno, *(d.lineno for d in definition.decorator_list)])
    return "\n".join(text.splitlines()[first - 1 : definition.end_lineno])
