"""A verification report on the terminal."""

from __future__ import annotations

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from nnspec.driver.verify.report import DEFINITION, Report, Row


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


def _cell(row: Row | None, target: str) -> Text:
    if row is None:
        return Text("judge" if target == DEFINITION else "-", style="dim")
    return Text(f"{row.relative:.1e}", style="green" if row.agrees else "bold red")
