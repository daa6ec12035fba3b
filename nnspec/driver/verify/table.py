"""A verification report on the terminal."""

from __future__ import annotations

from collections.abc import Sequence

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from nnspec.driver.verify.report import DEFINITION, Report, Row
from nnspec.driver.verify.updates import LAST, Judged


def render(report: Report) -> RenderableType:
    """A table: what was compared by target, the greatest relative difference in each cell."""
    table = Table(title=f"{report.path}", title_justify="left", header_style="bold")
    table.add_column("program")
    table.add_column("quantity")
    table.add_column("in")
    for target in report.targets:
        table.add_column(target, justify="right")
    table.add_column("bound", justify="right")
    subject = None
    for (name, quantity), cells in report.worst().items():
        any_row = next(iter(cells.values()))
        row = [Text(name if name != subject else ""), Text(quantity), Text(any_row.precision)]
        row += [_cell(cells.get(target), target) for target in report.targets]
        bound = min(cell.bound for cell in cells.values())
        table.add_row(*row, Text(f"{bound:.0e}"), end_section=False)
        subject = name
    parts: list[RenderableType] = [table]
    for target, reason in report.skipped.items():
        parts.append(Text(f"{target} did not run: {reason}", style="yellow"))
    parts += [Text(f"note: {note}", style="dim") for note in report.notes]
    parts += [
        Text(
            f"{r.subject}: {r.quantity} `{r.tensor}` of {r.target} differs by {r.relative:.1e}"
            f" in {r.precision} (bound {r.bound:.0e})" + (f", {r.span}" if r.span else ""),
            style="red",
        )
        for cells in report.worst().values()
        for r in cells.values()
        if not r.agrees
    ]
    parts += [
        Text(
            f"first difference in {c.target}: `{c.node}` by {c.relative:.1e}, {c.span}", style="red"
        )
        for c in report.culprits
    ]
    verdict = "all targets agree" if report.agrees else "the targets DISAGREE"
    parts.append(Text(verdict, style="bold green" if report.agrees else "bold red"))
    return Group(*parts)


def render_updates(found: Sequence[Judged]) -> RenderableType:
    """A row for each optimizer: how far the weights of its uses are from the definition's after a hundred steps."""
    targets = [t for t in found[0].report.targets if t != DEFINITION]
    table = Table(title="weights after 100 steps", title_justify="left", header_style="bold")
    table.add_column("optimizer")
    table.add_column("uses", justify="right")
    for target in targets:
        for precision in LAST:
            table.add_column(f"{target} {precision}", justify="right")
    groups: dict[str, list[Judged]] = {}
    for each in found:
        groups.setdefault(each.case.optimizer, []).append(each)
    for name, uses in groups.items():
        cells = []
        for target in targets:
            for precision in LAST:
                rows = [row for u in uses if (row := u.worst(target, precision))]
                cells.append(_cell(max(rows, key=lambda r: r.relative, default=None), target))
        table.add_row(Text(name), Text(str(len(uses))), *cells)
    parts: list[RenderableType] = [table]
    for each in found:
        lines = [
            f"{each.case.written}: {target} did not run: {reason}"
            for target, reason in each.report.skipped.items()
        ]
        parts += [Text(line, style="yellow") for line in lines]
        wrong = [r for cells in each.report.worst().values() for r in cells.values()]
        parts += [
            Text(
                f"{each.case.written}: {r.quantity} `{r.tensor}` of {r.target} differs by {r.relative:.1e}",
                style="red",
            )
            for r in wrong
            if not r.agrees
        ]
    agree = all(each.report.agrees for each in found)
    verdict = "all targets agree" if agree else "the targets DISAGREE"
    return Group(*parts, Text(verdict, style="bold green" if agree else "bold red"))


def _cell(row: Row | None, target: str) -> Text:
    if row is None:
        return Text("judge" if target == DEFINITION else "-", style="dim")
    return Text(f"{row.relative:.1e}", style="green" if row.agrees else "bold red")
