"""Short ways to say what is wrong."""

from __future__ import annotations

from dataclasses import replace

from nnspec.report.diagnostics import Diagnostic, Label, SpecError
from nnspec.report.source import Span


def error(
    code: str,
    message: str,
    span: Span,
    label: str = "",
    notes: tuple[Label | str, ...] = (),
    helps: tuple[str, ...] = (),
) -> SpecError:
    """A `SpecError` of one diagnostic."""
    return SpecError(Diagnostic(code, message, Label(span, label), notes, helps))


def located(failure: SpecError, span: Span) -> SpecError:
    """The failure with a place, where what raised it knew of none."""
    placed = (d if d.label else replace(d, label=Label(span)) for d in failure.diagnostics)
    return SpecError(*placed)
