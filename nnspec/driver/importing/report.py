"""What an import found, for people and for programs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from nnspec.driver.importing.taken import Taken

if TYPE_CHECKING:
    from rich.console import RenderableType

MOST_SHOWN = 20
"""Names of what is left over, on a terminal."""


@dataclass(frozen=True)
class ImportReport:
    """taken: in the order of the model's weights. guessed: paths that rest on order alone.

    missing: weights of the model that got nothing. left: arrays of the file that were not taken; ignored:
    those of which the table says so. table: whether one told where weights stand.
    """

    source: str
    model: str
    taken: tuple[Taken, ...]
    missing: tuple[str, ...]
    left: tuple[tuple[str, tuple[int, ...]], ...]
    ignored: tuple[str, ...]
    guessed: tuple[str, ...]
    table: str | None

    def to_json(self) -> dict[str, Any]:
        """For programs."""
        return {
            "source": self.source,
            "model": self.model,
            "table": self.table,
            "taken": [
                {"weight": t.path, "from": list(t.sources), "done": list(t.done), "found_by": t.how}
                for t in self.taken
            ],
            "missing": list(self.missing),
            "left": [{"array": name, "shape": list(shape)} for name, shape in self.left],
            "ignored": list(self.ignored),
            "guessed": list(self.guessed),
        }


def render(report: ImportReport) -> RenderableType:
    """A table of weights, then what is left on both sides."""
    from rich.console import Group
    from rich.table import Table
    from rich.text import Text

    table = Table(title=f"{report.source} -> {report.model}", title_justify="left", box=None)
    for column in ("weight", "from", "done", "found by"):
        table.add_column(column, overflow="fold")
    for taken in report.taken:
        style = "yellow" if taken.path in report.guessed else ""
        cells = (taken.path, " + ".join(taken.sources), ", ".join(taken.done), taken.how)
        table.add_row(*(Text(cell, style=style) for cell in cells))
    for path in report.missing:
        table.add_row(Text(path, style="red"), Text("nothing", style="red"), "", "")
    parts: list[RenderableType] = [table]
    if report.left:
        parts.append(Text(f"left in the file: {_some(_left(report.left))}"))
    if report.guessed:
        parts.append(
            Text(
                f"{len(report.guessed)} weights were told apart by their order alone: check them",
                style="yellow",
            )
        )
    count = len(report.taken) + len(report.missing)
    parts.append(Text(f"{len(report.taken)} of {count} weights", style="bold"))
    return Group(*parts)


def _left(left: Sequence[tuple[str, tuple[int, ...]]]) -> list[str]:
    """Names with shapes; many of one kind and shape as one."""
    kinds: dict[tuple[str, tuple[int, ...]], list[str]] = {}
    for name, shape in left:
        kinds.setdefault((name.rpartition(".")[2], shape), []).append(name)
    return [
        f"{names[0]} {list(shape)}" if len(names) == 1 else f"{len(names)} *.{end} {list(shape)}"
        for (end, shape), names in kinds.items()
    ]


def _some(names: Sequence[str]) -> str:
    shown = ", ".join(names[:MOST_SHOWN])
    more = len(names) - MOST_SHOWN
    return shown + (f" and {more} more" if more > 0 else "")
