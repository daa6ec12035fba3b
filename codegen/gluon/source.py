"""Puts a generated file together: MXNet is imported after a line that makes it work with later numpy."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence, Set

from codegen.python.dialect import Dialect
from codegen.python.file import module_text
from codegen.python.source import Comment, Import, Stmt, Verbatim
from codegen.python.source.imports import sort_imports
from codegen.python.source.printer import statements_text

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

    def first(mentioned: Set[str]) -> Sequence[Stmt]:
        used = sort_imports([i for n, i in framework.items() if n in mentioned])
        return REASON, Verbatim(f"{SHIM}\n{statements_text(used)}", ("np",))

    dialect = dataclasses.replace(dialect, imports=others)
    return module_text(doc, definitions, dialect, program=program, first=first)


def _split(imports: Mapping[str, Import]) -> tuple[dict[str, Import], dict[str, Import]]:
    framework = {n: i for n, i in imports.items() if i.module.partition(".")[0] == "mxnet"}
    return framework, {n: i for n, i in imports.items() if n not in framework}
