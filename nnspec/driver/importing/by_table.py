"""Where weights stand in a file, as a table says."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from codegen.foreign import Foreign
from nnspec.driver.importing.table import Line, Rule, Table
from nnspec.driver.importing.taken import Place, Taken, combined_shape, cuts, fitting
from nnspec.graph.weights import form_of
from nnspec.report.diagnostics import Diagnostic, SpecError, did_you_mean

TABLE = "table"


def by_table(table: Table, foreign: Foreign, places: Mapping[str, Place]) -> list[Taken]:
    """Every line that fits; raises `SpecError` with all those that do not."""
    problems: list[Diagnostic] = []
    found: dict[str, Taken] = {}
    for line in table.lines(foreign.arrays):
        try:
            for taken in _line(table, line, foreign, places):
                if taken.path in found:
                    both = f"`{found[taken.path].sources[0]}` and `{line.sources[0]}`"
                    raise _wrong(table, f"`{taken.path}` is given twice, by {both}")
                found[taken.path] = taken
        except SpecError as error:
            problems += error.diagnostics
    if problems:
        raise SpecError(*problems)
    return list(found.values())


def _line(
    table: Table, line: Line, foreign: Foreign, places: Mapping[str, Place]
) -> Sequence[Taken]:
    rule, first = line.rule, line.sources[0]
    for path in line.to:
        if path not in places:
            helps = did_you_mean(path, places)
            raise _wrong(
                table, f"`{first}` goes to `{path}`, which the model does not have", *helps
            )
    for name in line.sources[1:]:
        if name not in foreign.arrays:
            helps = did_you_mean(name, foreign.arrays)
            raise _wrong(table, f"`{first}` is put together with `{name}`, not in the file", *helps)
    for name in line.sources:
        dtype = form_of(foreign.arrays, name)[1]
        if dtype.kind in "iub":
            message = f"`{name}` holds {dtype}, but `{line.to[0]}` has fractions"
            raise SpecError(Diagnostic("E0616", message))
    shapes = [form_of(foreign.arrays, name)[0] for name in line.sources]
    shape = combined_shape(shapes, joined=bool(rule.join), axis=rule.axis)
    own = [places[path] for path in line.to]
    if shape is None:
        raise _unfit(line, shapes[0], own, f"its arrays have shapes {_shown(shapes)}")
    found = _shaped(line, rule, shape, own, foreign)
    if found is None:
        raise _unfit(line, shape, own, None)
    return found


def _shaped(
    line: Line, rule: Rule, shape: tuple[int, ...], own: Sequence[Place], foreign: Foreign
) -> Sequence[Taken] | None:
    base = Taken("", line.sources, TABLE, joined=bool(rule.join), axis=rule.axis, plus=rule.plus)
    from dataclasses import replace

    if rule.reshape is not None:
        count = 1
        for n in shape:
            count *= n
        for n in rule.reshape:
            count = count // n if n and count % n == 0 else -1
        if count != 1:
            return None
        shape, base = rule.reshape, replace(base, reshape=rule.reshape)
    order = rule.transpose
    if isinstance(order, bool):
        order = tuple(reversed(range(len(shape)))) if order else None
    if order is not None:
        if len(order) != len(shape):
            return None
        shape, base = tuple(shape[i] for i in order), replace(base, transpose=order)
    if len(own) == 1:
        path = own[0].weight.path
        if rule.transpose is not None:
            return [replace(base, path=path)] if shape == own[0].shape else None
        form = fitting(shape, own[0], foreign.form)
        return None if form is None else [replace(base, path=path, form=form)]
    pieces = cuts(shape, own, rule.axis)
    if pieces is None:
        return None
    return [replace(base, path=p.weight.path, cut=c) for p, c in zip(own, pieces, strict=True)]


def _unfit(line: Line, shape: tuple[int, ...], own: Sequence[Place], note: str | None) -> SpecError:
    wanted = " and ".join(f"{p.weight.type}" for p in own)
    names = ", ".join(f"`{p.weight.path}`" for p in own)
    message = (
        f"`{line.sources[0]}` has shape {list(shape)}, which does not become {names} ({wanted})"
    )
    helps = ("`transpose`, `reshape` and `axis` in the table say how arrays are turned",)
    return SpecError(Diagnostic("E0615", message, notes=(note,) if note else (), helps=helps))


def _shown(shapes: Sequence[tuple[int, ...]]) -> str:
    return ", ".join(str(list(s)) for s in shapes)


def _wrong(table: Table, reason: str, *helps: str) -> SpecError:
    path: Path | str = table.path or "of names"
    return SpecError(Diagnostic("E0620", f"the table `{path}` is wrong: {reason}", helps=helps))
