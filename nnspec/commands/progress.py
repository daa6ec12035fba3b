"""What a command that takes long shows meanwhile."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Callable, Iterator, Mapping
from typing import TYPE_CHECKING

from nnspec.commands.streams import tell

if TYPE_CHECKING:
    from nnspec.driver.training.job import Progress


Hears = Callable[["Progress"], None]


@contextlib.contextmanager
def epochs_shown(*, quiet: bool) -> Iterator[tuple[Hears, Hears]]:
    """What shows each epoch's figures, and what shows those within one: a bar with the rate and the time that is
    left, where standard error is a terminal."""
    if quiet or not sys.stderr.isatty():
        yield (_unheard if quiet else lambda progress: tell(_line(progress))), _unheard
        return
    from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeRemainingColumn
    from rich.progress import Progress as Bar

    from nnspec.commands.terminal import console

    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn())
    with Bar(*columns, TimeRemainingColumn(), console=console(stderr=True)) as bar:
        task = bar.add_task("training", total=None)

        def move(progress: Progress) -> None:
            figures = shown({n: f for n, f in progress.figures.items() if "loss" in n})
            told = f"epoch {progress.epoch}/{progress.epochs}  {figures}  {progress.rate:.0f}/s"
            bar.update(task, total=progress.steps, completed=progress.step, description=told)

        def show(progress: Progress) -> None:
            bar.console.print(_line(progress))
            move(progress)

        yield show, move


def _unheard(progress: Progress) -> None:
    pass


@contextlib.contextmanager
def line_shown(title: str) -> Iterator[Callable[[str], None]]:
    """One line that says what is being done, with the time; nothing where standard error is no terminal."""
    if not sys.stderr.isatty():
        yield lambda text: None
        return
    from rich.progress import Progress as Bar
    from rich.progress import SpinnerColumn, TextColumn, TimeElapsedColumn

    from nnspec.commands.terminal import console

    columns = (SpinnerColumn(), TextColumn("{task.description}"), TimeElapsedColumn())
    with Bar(*columns, console=console(stderr=True), transient=True) as bar:
        task = bar.add_task(title, total=None)
        yield lambda text: bar.update(task, description=f"{title}: {text}")


def _line(progress: Progress) -> str:
    rate = f"  {progress.rate:.0f}/s" if progress.rate else ""
    return f"epoch {progress.epoch:>3}/{progress.epochs}  {shown(progress.figures)}{rate}"


def shown(figures: Mapping[str, float]) -> str:
    """Figures in a line."""
    # Losses first, training before validation, whatever order the framework has them in.
    names = sorted(figures, key=lambda n: (n.startswith("val_"), "loss" not in n))
    return "  ".join(f"{name} {figures[name]:.4f}" for name in names)
