"""Cells along time: `y, h = scan(Cell(64), x)`, a block with states applied at one step after the other."""

from __future__ import annotations

from dataclasses import replace
from itertools import product
from typing import Any

from nnspec.catalogue.ops.arranging import BroadcastTo, Stack
from nnspec.core.names import snake_case
from nnspec.core.types import TensorType
from nnspec.elaborate import arguments, layers
from nnspec.elaborate.blocks import apply_block
from nnspec.elaborate.builder import Builder
from nnspec.elaborate.errors import error
from nnspec.elaborate.looping import check_results, looped
from nnspec.elaborate.session import Body, Keeping
from nnspec.elaborate.values import BlockLayer, Poison, Poisoned, clone, describe
from nnspec.graph.graph import Value
from nnspec.graph.unroll import at_step, step_of
from nnspec.report.diagnostics import Diagnostic, Label, Reporter, SpecError
from nnspec.report.source import Span

Types = dict[str, TensorType]
SHORT = 8
"""So many steps stand one after the other; more are a loop."""

TRIES = 64
"""How many beginnings of its states are tried."""

ROUNDS = 4
"""How often what a cell puts out is taken for its state anew, until it comes out as it went in."""


def scan(body: Body, positional: arguments.Positional, named: arguments.Named, span: Span) -> Any:
    """What the cell puts out besides its states, stacked over time, and its final states, in its own order."""
    cell, at = _cell(body, positional, span)
    states = [i for i in cell.block.inputs if i.is_state]
    names = ["cell", "x", *(s.name.text for s in states)]
    found = arguments.assign("scan", names, positional, named, span)
    if "x" not in found:
        raise error("E0303", "`scan` needs `x`: `scan(Cell(64), x)`", span)
    sequences = _sequences(cell, *found["x"], span)
    given = {n: _tensor(n, *found[n]) for n in names[2:] if n in found}
    layers.place(body.builder, cell, snake_case(cell.block.name))
    types, numbers = _state_types(body, cell, sequences, given, at)
    held = {n: given.get(n) or _filled(body, n, numbers[n], t, span) for n, t in types.items()}
    steps = sequences[0].type.shape[1]
    outputs = None
    if not isinstance(steps, int) or steps > SHORT:
        outputs = looped(body, cell, sequences, held, at)
    if outputs is None:
        if not isinstance(steps, int):
            raise error(
                "E0401",
                f"`{cell.block.name}` uses layers from outside, and takes as many steps as a number says",
                found["x"][1],
                f"is {sequences[0].type}",
                helps=("make its layers in the cell itself",),
            )
        outputs = _one_after_the_other(body, cell, sequences, held, steps, at, span)
    return outputs[0] if len(outputs) == 1 else outputs


def _one_after_the_other(
    body: Body,
    cell: BlockLayer,
    sequences: list[Value],
    held: dict[str, Value],
    steps: int,
    at: Span,
    span: Span,
) -> tuple[Value, ...]:
    """Each step as an application of the cell."""
    stacked: dict[str, list[Value]] = {}
    last: dict[str, Value] = {}
    for step in range(steps):
        parts = iter([_part(body, x, step, span) for x in sequences])
        operands = [held.get(i.name.text) or next(parts) for i in cell.block.inputs]
        last = apply_block(body, cell, tuple(operands), at, keeping=Keeping())
        check_results(cell, held, last, at)
        for name, value in last.items():
            stacked.setdefault(name, []).append(value)
        held = {n: last[n] for n in held}
    return tuple(
        value if name in held else body.builder.apply(Stack(axis=1), stacked[name], span)[0]
        for name, value in last.items()
    )


def _cell(body: Body, positional: arguments.Positional, span: Span) -> tuple[BlockLayer, Span]:
    if not positional:
        raise error("E0303", "`scan` needs a cell: `scan(Cell(64), x)`", span)
    value, at = positional[0]
    cell = layers.instantiate(body, value, at)
    if isinstance(cell, Poison):
        raise Poisoned
    if not isinstance(cell, BlockLayer):
        raise error("E0315", "what `scan` applies is a block", at, f"found {describe(cell)}")
    if not any(i.is_state for i in cell.block.inputs):
        raise error(
            "E0315",
            f"`{cell.block.name}` has no state, and is no cell",
            at,
            "",
            (Label(cell.block.declaration.name.span, "declared here"),),
            ("a state is an input with an initial value: `input x, h = 0`",),
        )
    return cell, at


def _sequences(cell: BlockLayer, value: Any, at: Span, span: Span) -> list[Value]:
    """One tensor `[N, T, ...]` for each input that is no state."""
    sequences = [_tensor("x", v, at) for v in (value if isinstance(value, tuple) else (value,))]
    wanted = [i.name.text for i in cell.block.inputs if not i.is_state]
    if len(sequences) != len(wanted) or not wanted:
        listed = ", ".join(f"`{n}`" for n in wanted) or "none"
        raise error(
            "E0304",
            f"`{cell.block.name}` takes {len(wanted)} tensor{'' if len(wanted) == 1 else 's'}"
            f" ({listed}) at each step, found {len(sequences)}",
            at,
        )
    for x in sequences:
        if x.type.rank < 2:
            raise error("E0401", f"`scan` expects [N, T, ...], found {x.type}", at)
        if x.type.shape[1] == 0:
            raise error("E0401", f"`scan` takes at least one step, found {x.type}", at)
        if x.type.shape[1] != sequences[0].type.shape[1]:
            lengths = f"{sequences[0].type} and {x.type}"
            raise error("E0401", f"`scan` goes along sequences of one length, found {lengths}", at)
    return sequences


def _tensor(name: str, value: Any, at: Span) -> Value:
    if isinstance(value, Poison):
        raise Poisoned
    if not isinstance(value, Value):
        raise error("E0308", f"`{name}` of `scan` is a tensor", at, f"found {describe(value)}")
    return value


def _part(body: Body, x: Value, step: int, span: Span) -> Value:
    """`x[:, step]`"""
    (part,) = body.builder.apply(at_step(x.type.rank, step), (x,), span)
    return part


def _filled(body: Body, name: str, number: float, kind: TensorType, span: Span) -> Value:
    """What a state begins with."""
    scalar = body.builder.scalar(number, kind.dtype, span)
    if not kind.shape:
        return scalar
    (filled,) = body.builder.apply(BroadcastTo(kind.shape), (scalar,), span)
    steps, named = body.builder.steps, replace(filled, name=name)
    steps[-1] = replace(steps[-1], outputs=(named,))
    return named


def _state_types(
    body: Body, cell: BlockLayer, sequences: list[Value], given: dict[str, Value], at: Span
) -> tuple[Types, dict[str, float]]:
    """What the states are, and the numbers with which those begin that nobody gives.

    A state with a type has that. Any other begins as a number, as a step of `x` is, or as something is that the cell
    makes on its way, and is taken to be what the cell makes of it, until it comes out as it went in; the first
    beginning that leads there holds.
    """
    x = sequences[0].type
    steps = [step_of(s.type) for s in sequences]
    states = [i for i in cell.block.inputs if i.is_state]
    open_ = [s.name.text for s in states if s.name.text not in given and s.type is None]
    known: dict[str, TensorType | None] = {
        s.name.text: given[s.name.text].type if s.name.text in given else None for s in states
    }
    met = dict.fromkeys((TensorType(x.dtype, ()), replace(steps[0], dtype=x.dtype)))
    wrong: dict[tuple[TensorType, ...], tuple[Diagnostic, ...]] = {}
    while len(wrong) < TRIES:
        start = next((s for s in product(met, repeat=len(open_)) if s not in wrong), None)
        if start is None:
            break
        types, wrong[start] = known | dict(zip(open_, start, strict=True)), ()
        for _ in range(ROUNDS):
            keeping = Keeping()
            try:
                after, numbers = _tried(body, cell, steps, types, keeping, at), keeping.numbers
            except _Failed as failed:
                wrong[start] = failed.diagnostics
                met |= dict.fromkeys(_float_types(keeping, x.dtype))
                break
            # Of a state with a type, what differs is told where the cell is applied.
            if all(after.get(n, types[n]) == types[n] for n in open_):
                return keeping.types, numbers
            types = types | {n: after[n] for n in open_ if n in after}
    if len(different := set(wrong.values())) == 1 and any(
        different
    ):  # not for the shapes of states
        raise SpecError(*different.pop())
    first = next(s for s in states if s.name.text in open_)
    name = first.name.text
    raise error(
        "E0315",
        f"nothing tells the shape of the state `{name}` of `{cell.block.name}`",
        at,
        "",
        (Label(first.span, "begins as a number"),),
        (f"write its type, `{name}: f32[N, 64] = 0`, or give what it begins with, `{name} = ...`",),
    )


class _Failed(Exception):
    """A cell that could not be applied so."""

    def __init__(self, diagnostics: tuple[Diagnostic, ...]) -> None:
        super().__init__()
        self.diagnostics = diagnostics


def _tried(
    body: Body,
    cell: BlockLayer,
    steps: list[TensorType],
    types: dict[str, TensorType | None],
    keeping: Keeping,
    at: Span,
) -> Types:
    """What one step by itself puts out, of which nothing is left."""
    reporter = Reporter()
    session = replace(
        body.session, reporter=reporter, chain=[*body.session.chain], seen=set(), index=None
    )
    alone = replace(body, session=session, builder=Builder("", body.session.budget, {}))
    parts = iter(steps)
    operands = []
    for written in cell.block.inputs:
        kind = types[written.name.text] if written.is_state else next(parts)
        operands.append(None if kind is None else Value(kind, written.name.text, at))
    copy = clone(cell)
    try:
        after = apply_block(alone, copy, tuple(operands), at, keeping=keeping)
    except SpecError as failure:
        raise _Failed(failure.diagnostics) from None
    except Poisoned:
        raise _Failed(tuple(reporter.diagnostics)) from None
    return {n: v.type for n, v in after.items()}


def _float_types(keeping: Keeping, dtype: str) -> list[TensorType]:
    """Of what the cell had made when it failed."""
    return [v.type for s in keeping.steps for v in s.outputs if v.type.dtype == dtype]
