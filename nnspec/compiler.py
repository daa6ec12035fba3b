"""The pipeline from top to bottom: text -> tree -> graph -> passes -> targets."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from nnspec.core import collector
from nnspec.elaborate import elaborate
from nnspec.elaborate.sources import SAVED, Sources
from nnspec.graph.graph import Program
from nnspec.graph.passes import optimise_program
from nnspec.report.diagnostics import Diagnostic, Reporter, suggestions_bounded, too_deep
from nnspec.report.source import Source

if TYPE_CHECKING:
    from nnspec.elaborate.index import Index


def compile_source(
    source: Source,
    reporter: Reporter,
    *,
    roots: Sequence[Path] = (),
    parameters: Mapping[str, Any] | None = None,
    sources: Sources = SAVED,
    index: Index | None = None,
) -> Program:
    """The graph of a source; what is wrong is in the reporter, what failed is left out.

    sources: where imports are read; index: to be filled in with what names stand for.
    """
    path = None if source.path.startswith("<") else Path(source.path)
    try:
        with collector.paused(), suggestions_bounded():
            program = elaborate(
                source,
                reporter,
                path=path,
                roots=roots,
                parameters=parameters,
                sources=sources,
                index=index,
            )
            return program if reporter.errors else optimise_program(program)
    except RecursionError:
        reporter.report(too_deep(source))
        return Program((), (), source.path)


def _place(diagnostic: Diagnostic) -> tuple[str, int]:
    """In the order of the text."""
    label = diagnostic.label
    return (label.span.source.path, label.span.start) if label else ("", 0)


def check(path: Path, roots: Sequence[Path] = (), sources: Sources = SAVED) -> Reporter:
    """Everything that is wrong with a file, in the order of its text."""
    reporter = Reporter()
    compile_source(sources.source(path), reporter, roots=roots, sources=sources)
    reporter.diagnostics.sort(key=_place)
    return reporter


def load(
    path: Path, roots: Sequence[Path] = (), sources: Sources = SAVED, **parameters: Any
) -> Program:
    """The program of a file; raises `SpecError` where something is wrong."""
    reporter = Reporter()
    source = sources.source(path)
    program = compile_source(source, reporter, roots=roots, parameters=parameters, sources=sources)
    reporter.raise_errors()
    return program


@dataclass(frozen=True)
class Analysis:
    """What an editor wants to know of a file, right or wrong."""

    source: Source
    program: Program
    diagnostics: tuple[Diagnostic, ...]
    index: Index


def analyse(path: Path, roots: Sequence[Path] = (), sources: Sources = SAVED) -> Analysis:
    """A file with what its names stand for and what is wrong with it, in the order of its text."""
    from nnspec.elaborate.index import Index

    reporter, index, source = Reporter(), Index(), sources.source(path)
    program = compile_source(source, reporter, roots=roots, sources=sources, index=index)
    return Analysis(source, program, tuple(sorted(reporter.diagnostics, key=_place)), index)
