"""From a file of somebody's weights to a canonical one."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from codegen.foreign import Foreign
from nnspec.core.dtypes import DTYPES
from nnspec.core.files import Content, write_files
from nnspec.driver.compiled import Compiled
from nnspec.driver.importing import files
from nnspec.driver.importing import table as tables
from nnspec.driver.importing.by_table import by_table
from nnspec.driver.importing.matching import NAME, ORDER, match
from nnspec.driver.importing.parts import model_parts
from nnspec.driver.importing.report import ImportReport
from nnspec.driver.importing.rules import table_of
from nnspec.driver.importing.taken import Place, Taken, fitting
from nnspec.driver.stored import owner_named
from nnspec.graph import weight_files
from nnspec.graph.graph import Graph
from nnspec.graph.graph import weights as weights_of
from nnspec.graph.weight_map import Array
from nnspec.graph.weights import InitialWeights, LazyWeights, form_of
from nnspec.report.diagnostics import Diagnostic, SpecError


class ImportedWeights(LazyWeights):
    """A model's weights, each made from the file when it is asked for; what has no source begins as the
    spec says."""

    def __init__(self, model: Graph, path: Path, foreign: Foreign, taken: list[Taken]) -> None:
        self._path, self._foreign = path, foreign
        self._taken = {t.path: t for t in taken}
        self._initial = InitialWeights(weights_of(model), 0)
        self._dtypes = {w.path: DTYPES[w.type.dtype].numpy for w in weights_of(model)}

    def __iter__(self) -> Iterator[str]:
        return iter(self._initial)

    def __len__(self) -> int:
        return len(self._initial)

    def shape(self, path: str) -> tuple[int, ...]:
        return self._initial.shape(path)

    def dtype(self, path: str) -> np.dtype[Any]:
        return self._dtypes[path]

    def parts(self, path: str) -> Iterator[Array]:
        taken = self._taken.get(path)
        if taken is None:
            yield from self._initial.parts(path)
            return
        try:
            found = taken.array(self._foreign.arrays)
        except (ValueError, EOFError) as error:
            raise files.damaged(self._path, error) from None
        yield found.reshape(-1).astype(self.dtype(path), copy=False)


@dataclass(frozen=True)
class Imported:
    """What came of it. `table` is the text of the table that was found, None where one was there."""

    report: ImportReport
    weights: Mapping[str, Array]
    table: str | None

    def whole(self) -> Imported:
        """This, where every weight has a source; raises `SpecError` where one has not."""
        if self.report.missing:
            raise SpecError(_missing(self.report))
        return self

    def save(self, output: Path, table: Path | None = None) -> None:
        """Write the canonical file, and the table that was found, both or neither."""
        contents: dict[Path, Content] = {output: weight_files.content(self.weights)}
        if table is not None and self.table is not None:
            contents[table] = self.table
        write_files(contents)


def import_weights(
    spec: Compiled, source: Path, *, table: Path | None = None, owner: str | None = None
) -> Imported:
    """Find a model's weights in a file: by a table of names, else by structure and shapes.

    owner: the model or network whose weights they are, where the spec has several.
    """
    model = owner_named(spec.program, spec.source.path, owner).model
    told = tables.read(table) if table is not None else None
    foreign = files.read(source)
    places = {p.weight.path: p for part in model_parts(model) for p in part.places}
    if told is not None:
        taken = by_table(told, foreign, places)
        taken += _same_names(foreign, places, taken)
    else:
        taken = match(model, foreign)
    order = {w.path: i for i, w in enumerate(weights_of(model))}
    taken.sort(key=lambda t: order[t.path])
    report = _report(source, model.name, foreign, order, taken, told)
    text = None
    if told is None:
        head = f"Where the weights of {source.name} stand in {model.name}, as `nnspec weights import` found."
        text = tables.text(table_of(taken, [n for n, _ in report.left]), head)
    return Imported(report, ImportedWeights(model, source, foreign, taken), text)


def _same_names(
    foreign: Foreign, places: Mapping[str, Place], taken: list[Taken]
) -> Iterator[Taken]:
    """Weights that the table does not mention, and that the file calls what the spec does."""
    known = {t.path for t in taken}
    for path, place in places.items():
        if path not in known and path in foreign.arrays:
            shape, dtype = form_of(foreign.arrays, path)
            form = fitting(shape, place, foreign.form)
            if form is not None and dtype.kind not in "iub":
                yield Taken(path, (path,), NAME, form=form)


def _report(
    source: Path,
    model: str,
    foreign: Foreign,
    weights: Mapping[str, int],
    taken: list[Taken],
    table: tables.Table | None,
) -> ImportReport:
    used = {name for t in taken for name in t.sources}
    unused = [name for name in foreign.arrays if name not in used]
    ignored = tuple(n for n in unused if table is not None and table.ignores(n))
    left = tuple((n, form_of(foreign.arrays, n)[0]) for n in unused if n not in ignored)
    own = {t.path for t in taken}
    return ImportReport(
        str(source),
        model,
        tuple(taken),
        tuple(path for path in weights if path not in own),
        left,
        ignored,
        tuple(t.path for t in taken if t.how == ORDER),
        str(table.path) if table is not None else None,
    )


def _missing(report: ImportReport) -> Diagnostic:
    names = ", ".join(f"`{p}`" for p in report.missing[:6])
    more = len(report.missing) - 6
    left = [f"`{name}` {list(shape)}" for name, shape in report.left[:6]]
    told = "nothing is left in it" if not left else f"left in it: {', '.join(left)}"
    return Diagnostic(
        "E0619",
        f"`{report.source}` has no source for {names}" + (f" and {more} more" if more > 0 else ""),
        notes=(told,),
        helps=(
            "say in a table where they stand, `--table FILE.toml`: "
            f'"name in the file" = "{report.missing[0]}"',
            "`--partial` begins them as the spec says",
        ),
    )
