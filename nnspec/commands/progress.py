"""What a command that takes long shows meanwhile."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

from nnspec.commands.streams import tell

if TYPE_CHECKING:
    from nnspec.driver.train import Progress


@contextlib.contextmanager
def epochs_shown(*, quiet: bool) -> Iterator[Callable[[Progress], None]]:
    """Show each epoch's figures; with a bar beneath them where standard error is a terminal."""
    if quiet:
        yield lambda progress: None
    elif not sys.stderr.isatty():
        yield lambda progress: tell(_line(progress))
    else:
        from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeRemainingColumn
        from rich.progress import Progress as Bar

        from nnspec.commands.terminal import console

        columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn())
        with Bar(*columns, TimeRemainingColumn(), console=console(stderr=True)) as bar:
            task = bar.add_task("training", total=None)

            def show(progress: Progress) -> None:
                bar.console.print(_line(progress))
                bar.update(task, total=progress.epochs, completed=progress.epoch)

            yield show


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
    # Losses first, training before validation, whatever order the framework prints them in.
    names = sorted(progress.figures, key=lambda n: (n.startswith("val_"), "loss" not in n))
    figures = "  ".join(f"{name} {progress.figures[name]:.4f}" for name in names)
    return f"epoch {progress.epoch:>3}/{progress.epochs}  {figures}"
