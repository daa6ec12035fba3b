"""Subscripts of tensors: `x[:, 1:-1]`, `x[:, none]`, `x[..., 0]`, `table[:T]`, `x[ids]`."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

from nnspec.catalogue.ops import OPS
from nnspec.catalogue.ops.shaping import Slice
from nnspec.core.dims import Dim, Sym
from nnspec.elaborate.builder import Builder
from nnspec.elaborate.errors import error
from nnspec.elaborate.values import describe, is_size
from nnspec.graph.graph import Value
from nnspec.report.source import Span
from nnspec.syntax import tree

Evaluate = Callable[[tree.Expr], Any]


@dataclass(frozen=True)
class NewAxis:
    """`none`: an axis of one element."""


@dataclass(frozen=True)
class Cut:
    """Part of an axis; with `squeeze`, one element of it, and the axis vanishes."""

    start: Dim | None = None
    end: Dim | None = None
    step: int = 1
    squeeze: bool = False


@dataclass(frozen=True)
class Gathered:
    """Elements of an axis by their numbers."""

    indices: Value


Part = NewAxis | Cut | Gathered


def subscript(builder: Builder, value: Value, expr: tree.Index, evaluate: Evaluate) -> Value:
    """The part of a tensor that a subscript names."""
    parts = _parts(value, expr, evaluate)
    cuts = [p if isinstance(p, Cut) else Cut() for p in parts if not isinstance(p, NewAxis)]
    if any(cut != Cut() for cut in cuts):
        op = replace(
            Slice(),
            starts=tuple(c.start for c in cuts),
            ends=tuple(c.end for c in cuts),
            steps=tuple(c.step for c in cuts),
            squeeze=tuple(i for i, c in enumerate(cuts) if c.squeeze),
        )
        (value,) = builder.apply(op, [value], expr.span)
    axis = 0
    for part in parts:
        match part:
            case NewAxis():
                value = _apply(builder, "expand_dims", [value], axis, expr.span)
                axis += 1
            case Gathered(indices):
                value = _apply(builder, "gather", [value, indices], axis, expr.span)
                axis += indices.type.rank
            case Cut(squeeze=squeeze):
                axis += not squeeze
    return value


def _apply(builder: Builder, name: str, inputs: Sequence[Value], axis: int, span: Span) -> Value:
    return builder.apply(OPS[name](axis), inputs, span)[0]


def _parts(value: Value, expr: tree.Index, evaluate: Evaluate) -> list[Part]:
    """What becomes of each axis, new ones among them."""
    written = list(expr.subscripts)
    read = [None if isinstance(p, (tree.Slice, tree.Ellipsis)) else (evaluate(p),) for p in written]
    fresh = sum(r == (None,) for r in read)
    dots = [i for i, p in enumerate(written) if isinstance(p, tree.Ellipsis)]
    if len(dots) > 1:
        raise error("E0305", "`...` stands at most once in a subscript", written[dots[1]].span)
    taken = len(written) - len(dots) - fresh
    if taken > value.type.rank:
        axes = f"{value.type.rank} ax{'is' if value.type.rank == 1 else 'es'}"
        raise error("E0305", f"{value.type} has {axes}", expr.span, f"{taken} subscripts")
    left = value.type.rank - taken
    parts: list[Part] = []
    axis = 0
    for part, known in zip(written, read, strict=True):
        if isinstance(part, tree.Ellipsis):
            parts += [Cut()] * left
            axis += left
            continue
        if known == (None,):
            parts.append(NewAxis())
            continue
        size = value.type.shape[axis]
        if isinstance(part, tree.Slice):
            parts.append(_slice(part, size, evaluate))
        elif known is not None:
            parts.append(_index(known[0], size, part.span))
        axis += 1
    if not dots:
        parts += [Cut()] * left
    _check_gathering(parts, expr)
    return parts


def _slice(part: tree.Slice, size: Dim, evaluate: Evaluate) -> Cut:
    step = None if part.step is None else evaluate(part.step)
    if step is not None and (isinstance(step, bool) or not isinstance(step, int)):
        assert part.step is not None
        raise error("E0305", "a step is a whole number", part.step.span, f"found {describe(step)}")
    if step is not None and step < 1:
        raise error("E0309", "a tensor's slice steps forward, by at least 1", part.span)
    start, end = (_bound(e, size, evaluate) for e in (part.start, part.stop))
    return Cut(start, end, step or 1)


def _bound(expr: tree.Expr | None, size: Dim, evaluate: Evaluate) -> Dim | None:
    value = None if expr is None else evaluate(expr)
    if value is None:
        return None
    assert expr is not None
    if not is_size(value):
        raise error(
            "E0305",
            "a slice's bound is a whole number or a size",
            expr.span,
            f"found {describe(value)}",
        )
    return _from_start(value, size)


def _from_start(value: Dim, size: Dim) -> Dim:
    """A bound such as `-T` counts from the end, as a negative number does."""
    negative = isinstance(value, Sym) and all(k < 0 for _, k in value.terms)
    return size + value if negative else value


def _index(value: Any, size: Dim, span: Span) -> Part:
    if isinstance(value, Value):
        if value.type.dtype == "bool":
            raise error(
                "E0305",
                "a mask would leave a size that is known only when running",
                span,
                f"found {describe(value)}",
                helps=("keep the shape: `where(mask, x, 0)`",),
            )
        return Gathered(value)
    if not is_size(value):
        raise error(
            "E0305",
            "a subscript is a whole number, a size, `none`, or a tensor of whole numbers",
            span,
            f"found {describe(value)}",
        )
    start = _from_start(value, size)
    return Cut(start, None if start == -1 else start + 1, 1, squeeze=True)


def _check_gathering(parts: Sequence[Part], expr: tree.Index) -> None:
    """One tensor among the subscripts, and no number: NumPy's rules for more surprise most people."""
    tensors = sum(isinstance(p, Gathered) for p in parts)
    numbers = sum(isinstance(p, Cut) and p.squeeze for p in parts)
    if tensors > 1 or tensors and numbers:
        raise error(
            "E0305",
            "a tensor of whole numbers stands alone among slices in a subscript",
            expr.span,
            "take one after the other: `x[0][:, ids]`",
        )
