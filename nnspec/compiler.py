"""The pipeline from top to bottom: text -> tree -> graph -> passes -> targets."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from nnspec.core import collector
from nnspec.elaborate import elaborate
from nnspec.elaborate.modules import read, shown
from nnspec.graph.graph import Program
from nnspec.graph.passes import optimise_program
from nnspec.report.diagnostics import Diagnostic, Reporter
from nnspec.report.source import Source


def compile_source(
    source: Source,
    reporter: Reporter,
    *,
    roots: Sequence[Path] = (),
    parameters: Mapping[str, Any] | None = None,
) -> Program:
    """The graph of a source; what is wrong is in the reporter, what failed is left out."""
    path = None if source.path.startswith("<") else Path(source.path)
    try:
        with collector.paused():
            program = elaborate(source, reporter, path=path, roots=roots, parameters=parameters)
            return program if reporter.errors else optimise_program(program)
    except RecursionError:
        reporter.report(
            Diagnostic(
                "E0801",
                f"`{source.path}` nests deeper than can be worked out",
                helps=("name inner expressions with assignments of their own",),
            )
        )
        return Program((), (), source.path)


def _place(diagnostic: Diagnostic) -> tuple[str, int]:
    """In the order of the text."""
    label = diagnostic.label
    return (label.span.source.path, label.span.start) if label else ("", 0)


def check(path: Path, roots: Sequence[Path] = ()) -> Reporter:
    """Everything that is wrong with a file, in the order of its text."""
    reporter = Reporter()
    compile_source(Source(shown(path.absolute()), read(path)), reporter, roots=roots)
    reporter.diagnostics.sort(key=_place)
    return reporter


def load(path: Path, roots: Sequence[Path] = (), **parameters: Any) -> Program:
    """The program of a file; raises `SpecError` where something is wrong."""
    reporter = Reporter()
    source = Source(shown(path.absolute()), read(path))
    program = compile_source(source, reporter, roots=roots, parameters=parameters)
    reporter.raise_errors()
    return program
