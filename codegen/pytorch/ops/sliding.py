"""Convolutions and windows as functions: what stands in gradients and expansions, features last."""

from __future__ import annotations

from typing import Any

from codegen.python.dialect import Result
from codegen.python.native import Table, Use
from codegen.python.source import Call, Expr, Literal, Name, Tuple
from nnspec.catalogue.ops.sliding import Convolution, ConvolutionTranspose, MaxWindow, Sliding

TABLE = Table()


def applied(name: str, op: Sliding, x: Expr, *kernel: Expr, **settings: Any) -> Expr:
    """The function for so many axes of space, which wants features second; defaults are left out."""
    given: dict[str, Any] = {}
    for keyword, value in settings.items():
        plain = value[0] if isinstance(value, tuple) and len(set(value)) == 1 else value
        if plain != {"padding": 0, "dilation": 1, "groups": 1}.get(keyword, 1):
            given[keyword] = plain
    made = Name(f"F.{name}{op.rank}d")(x, *kernel, **given)
    return made.attr("movedim")(1, -1)


def surrounded(x: Expr, pads: tuple[tuple[int, int], ...], value: str | None = None) -> Expr:
    """Cells around space, features second."""
    sizes = tuple(Literal(n) for pair in reversed(pads) for n in pair)
    made: Call = Name("F.pad")(x, Tuple(sizes))
    return made if value is None else made.with_keyword("value", Name("float")(value))


@TABLE.rule
def convolution(op: Convolution, use: Use, x: Expr, kernel: Expr) -> Result:
    x = x.attr("movedim")(-1, 1)
    alike = all(before == after for before, after in op.pads)
    x = x if alike else surrounded(x, op.pads)
    padding = tuple(before if alike else 0 for before, _ in op.pads)
    return applied(
        "conv",
        op,
        x,
        kernel,
        stride=op.steps,
        padding=padding,
        dilation=op.spread,
        groups=op.groups,
    )


@TABLE.rule
def convolution_transpose(op: ConvolutionTranspose, use: Use, x: Expr, kernel: Expr) -> Result:
    x = x.attr("movedim")(-1, 1)
    return applied(
        "conv_transpose",
        op,
        x,
        kernel,
        stride=op.steps,
        dilation=op.spread,
        groups=op.groups,
    )


@TABLE.rule
def max_window(op: MaxWindow, use: Use, x: Expr) -> Result:
    x = x.attr("movedim")(-1, 1)
    if any(map(any, op.pads)):
        x = surrounded(x, op.pads, "-inf")
    cells = op.cells[0] if len(set(op.cells)) == 1 else op.cells
    steps: Any = op.steps[0] if len(set(op.steps)) == 1 else op.steps
    made = Name(f"F.max_pool{op.rank}d")(x, cells)
    # Without a stride the windows stand beside each other.
    made = made if op.steps == op.cells else made.with_keyword("stride", steps)
    return made.attr("movedim")(1, -1)
