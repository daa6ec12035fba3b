"""Files and their names: declarations, constants, imports."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from itertools import chain
from pathlib import Path
from typing import Any

from nnspec.elaborate.errors import error
from nnspec.elaborate.sources import SAVED, Sources, shown
from nnspec.elaborate.values import POISON, BlockReference
from nnspec.report.diagnostics import Diagnostic, Label, Reporter, SpecError, did_you_mean
from nnspec.report.source import Source, Span
from nnspec.syntax import tree
from nnspec.syntax.parse import parse

LIBRARY = Path(__file__).parent.parent / "library"
"""Blocks that ship with nnspec."""


@dataclass(eq=False)
class Module:
    """One file: its tree, and what its top-level names stand for.

    constants are worked out when first read; `evaluating` finds those that need themselves.
    """

    path: Path | None
    file: tree.File
    loader: Loader
    declared: dict[str, tree.Declaration] = field(default_factory=dict)
    imported: dict[str, tuple[Module, str, Span]] = field(default_factory=dict)
    constants: dict[str, Any] = field(default_factory=dict)
    evaluating: list[str] = field(default_factory=list)
    trainings: list[tree.Train] = field(default_factory=list)

    def names(self) -> Iterator[str]:
        return chain(self.declared, self.imported)

    def find(self, name: str) -> tuple[Module, tree.Declaration] | None:
        """The declaration behind a name, and the module it stands in."""
        if name in self.declared:
            return self, self.declared[name]
        if name in self.imported:
            module, original, _ = self.imported[name]
            return module.find(original)
        return None

    def origin(self, name: str) -> Span | None:
        """Where the name of a declaration stands."""
        found = self.find(name)
        return None if found is None or isinstance(found[1], tree.Import) else found[1].name.span


@dataclass(eq=False)
class Loader:
    """Reads files, each once; never outside the folders it may look into."""

    reporter: Reporter
    search: Sequence[Path] = ()
    sources: Sources = SAVED
    modules: dict[Path, Module] = field(default_factory=dict)
    loading: list[tuple[Path, str]] = field(default_factory=list)

    def load(self, source: Source, path: Path | None) -> Module:
        """A module from its text."""
        module = Module(path, parse(source, self.reporter), self)
        if path is not None:
            self.modules[path.resolve()] = module
        for declaration in module.file.declarations:
            try:
                self._declare(module, declaration)
            except SpecError as failure:
                for diagnostic in failure.diagnostics:
                    self.reporter.report(diagnostic)
        return module

    def _declare(self, module: Module, declaration: tree.Declaration) -> None:
        match declaration:
            case tree.Import():
                self._import(module, declaration)
            case tree.Train():
                twin = next(
                    (t for t in module.trainings if t.name.text == declaration.name.text), None
                )
                if twin:
                    raise _duplicate(declaration.name, twin.name.span)
                module.trainings.append(declaration)
            case _:
                name = declaration.name
                before = module.declared.get(name.text)
                if before is not None and not isinstance(before, tree.Import):
                    raise _duplicate(name, before.name.span)
                if name.text in module.imported:
                    raise _duplicate(name, module.imported[name.text][2])
                module.declared[name.text] = declaration

    def _import(self, module: Module, statement: tree.Import) -> None:
        dotted = ".".join(part.text for part in statement.module)
        at = statement.module[0].span.to(statement.module[-1].span)
        for item in statement.names:
            bound = item.alias or item.name
            taken = module.imported.get(bound.text)
            if taken or bound.text in module.declared:
                place = taken[2] if taken else module.declared[bound.text].span
                raise _duplicate(bound, place)
        try:
            other = self._module(module, dotted, at)
        except SpecError:
            for item in statement.names:  # so that uses of the names are not reported as well
                bound = item.alias or item.name
                module.constants[bound.text] = POISON
            raise
        for item in statement.names:
            bound = item.alias or item.name
            if other.find(item.name.text) is None:
                module.constants[bound.text] = POISON
                self.reporter.report(
                    Diagnostic(
                        "E0904",
                        f"`{dotted}` declares no `{item.name.text}`",
                        Label(item.name.span, "not found there"),
                        helps=did_you_mean(item.name.text, other.names()),
                    )
                )
                continue
            module.imported[bound.text] = other, item.name.text, bound.span

    def _module(self, module: Module, dotted: str, at: Span) -> Module:
        relative = Path(*dotted.split(".")).with_suffix(".nn")
        home = [module.path.resolve().parent] if module.path is not None else []
        roots = [*home, *(Path(s).resolve() for s in self.search), LIBRARY]
        for root in roots:
            path = (root / relative).resolve()
            if not self.sources.has(path):
                continue
            if not path.is_relative_to(root.resolve()):
                raise error(
                    "E0902",
                    f"`{dotted}` leads out of the folder it is looked up in",
                    at,
                    f"a link to somewhere outside {root.name}/",
                )
            return self._file(path, dotted, at)
        tried = tuple(f"looked for {relative} in {r.name or r}/" for r in roots[:-1])
        raise error(
            "E0901",
            f"there is no file for `{dotted}`",
            at,
            "not found",
            tried,
            ("name further folders with -I",),
        )

    def _file(self, path: Path, dotted: str, at: Span) -> Module:
        chain = [p for p, _ in self.loading]
        if path in chain:
            cycle = [p.stem for p in chain[chain.index(path) :]] + [path.stem]
            raise error("E0903", "files import each other in a circle", at, " -> ".join(cycle))
        if path in self.modules:
            return self.modules[path]
        text = self.sources.read(path, at)
        self.loading.append((path, dotted))
        try:
            return self.load(Source(shown(path), text), path)
        finally:
            self.loading.pop()


def reference(found: tuple[Module, tree.Declaration]) -> BlockReference | None:
    """The block or model behind a declaration."""
    module, declaration = found
    return BlockReference(declaration, module) if isinstance(declaration, tree.Block) else None


def _duplicate(name: tree.Identifier, before: Span) -> SpecError:
    return error(
        "E0203",
        f"`{name.text}` is declared twice",
        name.span,
        "again here",
        (Label(before, "first here"),),
    )
