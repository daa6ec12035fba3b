"""Puts a generated file together: MXNet is imported after a line that makes it work with later numpy."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence

from codegen.python.dialect import Dialect
from codegen.python.file import module_text
from codegen.python.source import Comment, Import, Stmt, Verbatim
from codegen.python.source.imports import sort_imports
from codegen.python.source.printer import statements_text
from codegen.python.source.tree import names

REASON = Comment("MXNet 1.9.1 uses the name np.bool, which numpy 1.24 took out.")
SHIM = """\
if "bool" not in vars(np):
    np.bool = bool
"""


def file_text(
    doc: str, definitions: Sequence[Stmt], dialect: Dialect, program: Sequence[Stmt] = ()
) -> str:
    """The text of a Gluon file."""
    framework, others = _split(dialect.imports)
    standing_in = dialect.standing_in.definitions
    mentioned = _mentioned((*standing_in, *definitions, *program), dialect.helpers)
    used = sort_imports([i for n, i in framework.items() if n in mentioned])
    first = Verbatim(f"{SHIM}\n{statements_text(used)}", ("np",))
    dialect = dataclasses.replace(dialect, imports=others)
    return module_text(doc, definitions, dialect, program=program, first=(REASON, first))


def _split(imports: Mapping[str, Import]) -> tuple[dict[str, Import], dict[str, Import]]:
    framework = {n: i for n, i in imports.items() if i.module.partition(".")[0] == "mxnet"}
    return framework, {n: i for n, i in imports.items() if n not in framework}


def _mentioned(definitions: Sequence[Stmt], helpers: Mapping[str, Verbatim]) -> set[str]:
    """Names that the definitions need, and the helpers among them in turn."""
    found = names(*definitions)
    waiting = [n for n in helpers if n in found]
    while waiting:
        for name in helpers[waiting.pop()].uses:
            if name not in found:
                found.add(name)
                waiting += [name] if name in helpers else []
    return found
