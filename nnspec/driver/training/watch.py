"""Which figure a run goes by: whose best weights it ends with, and when it gives up."""

from __future__ import annotations

import math
from dataclasses import dataclass

from codegen.python.training import figures, losses
from nnspec.graph.graph import Node
from nnspec.graph.training import Training
from nnspec.report.diagnostics import Diagnostic, Label, SpecError, did_you_mean

HELD_OUT = "val_"


@dataclass(frozen=True)
class Watch:
    """figure: as it is told after an epoch. keep: whether the weights of its best epoch are the run's.
    patience: after how many epochs without a better one the run ends; None for never."""

    figure: str
    highest: bool
    keep: bool
    patience: int | None

    def better(self, figure: float, best: float | None) -> bool:
        """Whether a figure beats the best so far; one that is no number does not."""
        if not math.isfinite(figure):
            return False
        return best is None or (figure > best if self.highest else figure < best)


def watched(training: Training, *, held_out: bool) -> Watch | None:
    """What a program's settings say; raises `SpecError` (E0502) for a figure that it does not tell.

    held_out: whether there is data to validate with.
    """
    keep, patience = training.settings.keep, training.settings.early_stop
    if keep is None and patience is None:
        return None
    if keep is None:
        (loss, *_) = losses(training)
        return Watch(HELD_OUT * held_out + loss.name, False, False, patience)
    told = {f.name: f for f in figures(training)}
    known = [*told, *(HELD_OUT + name for name in told if held_out)]
    if keep.figure not in known:
        raise _wrong(
            training,
            f"`keep` names the figure `{keep.figure}`, which this run does not tell",
            f"it tells {', '.join(f'`{name}`' for name in known)}",
            *did_you_mean(keep.figure, known),
        )
    highest = keep.highest
    if highest is None:
        figure = told[keep.figure.removeprefix(HELD_OUT)]
        highest = False if figure in losses(training) else None
        makers = (s.op for s in training.steps if isinstance(s, Node) and figure.value in s.outputs)
        highest = next((op.best_highest for op in makers), None) if highest is None else highest
    if highest is None:
        raise _wrong(
            training,
            f"is `{keep.figure}` best where it is highest, or where it is lowest?",
            None,
            f'say so: `keep = best("{keep.figure}", highest = true)`',
        )
    return Watch(keep.figure, highest, True, patience)


def _wrong(training: Training, message: str, note: str | None, *helps: str) -> SpecError:
    at = Label(training.span) if training.span else None
    return SpecError(Diagnostic("E0502", message, at, (note,) if note else (), helps))
