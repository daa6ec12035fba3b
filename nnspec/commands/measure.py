"""`nnspec run --bench`: which sizes it measures, and what it says."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

from nnspec.report.diagnostics import Diagnostic, SpecError, did_you_mean


def check_flags(bench: bool, has_inputs: bool, **given: object) -> None:
    """Raise `SpecError` (E0706) for options that nothing would come of."""
    for name, value in given.items():
        flag = f"--{name.replace('_', '-')}"
        if value is None or value == []:
            continue
        if not bench:
            raise SpecError(Diagnostic("E0706", f"`{flag}` means nothing without `--bench`"))
        if has_inputs and name != "warm_up":
            raise SpecError(Diagnostic("E0706", f"`{flag}` means nothing beside inputs"))


def chosen_sizes(
    symbols: Mapping[str, bool], batch: int | None, given: Sequence[str]
) -> dict[str, int]:
    """A number for every symbolic size, 1 where none is given; raises `SpecError` (E0706).

    symbols: names, true for that of the batch.
    """
    sizes = dict.fromkeys(symbols, 1)
    if batch is not None:
        rows = [name for name, is_batch in symbols.items() if is_batch]
        if not rows:
            raise SpecError(Diagnostic("E0706", "`--batch`: the batch of this model is fixed"))
        sizes |= dict.fromkeys(rows, batch)
    for text in given:
        name, _, number = text.partition("=")
        if not re.fullmatch("[1-9][0-9]{0,8}", number):
            message = f"`--size {text[:40]}` is not of the form NAME=N"
            raise SpecError(Diagnostic("E0706", message, helps=("write, for example, `T=128`",)))
        if name not in symbols:
            raise SpecError(
                Diagnostic(
                    "E0706",
                    f"the model has no symbolic size `{name}`",
                    notes=(f"it has: {', '.join(symbols) or 'none'}",),
                    helps=did_you_mean(name, symbols),
                )
            )
        sizes[name] = int(number)
    return sizes


def measured(device: str, figures: Mapping[str, Any], others: Mapping[str, int]) -> str:
    """A line for people; `others` are the sizes that were chosen beside the batch."""
    chosen = "".join(f", {name} = {value}" for name, value in others.items())
    return (
        f"{device}, batch {figures['batch']}{chosen}: median {figures['median_ms']:.3f} ms, "
        f"90 % within {figures['p90_ms']:.3f} ms, {figures['examples_per_second']:.0f} examples/s"
    )
