"""Rules without what does nothing: terms with the factor 0, states that never matter."""

from __future__ import annotations

from dataclasses import replace

from nnspec.catalogue.ops.elementwise import Constant
from nnspec.core.types import TensorType
from nnspec.elaborate.builder import Builder
from nnspec.graph.graph import Node, Value
from nnspec.graph.updates import State

Kept = tuple[tuple[State, Value, Value], ...]
"""A state, the input that holds it, and its new value."""


def simplified(
    builder: Builder, result: Value, states: Kept
) -> tuple[tuple[Node, ...], Value, Kept]:
    """The steps that the result needs, the result, and the states that it needs.

    `0 * x` is left out as if `x` were finite: an optimizer without weight decay does not look at it.
    """
    while True:
        steps, place = _folded(builder)
        result = place.get(result, result)
        states = tuple((s, old, place.get(new, new)) for s, old, new in states)
        builder.steps = list(steps)
        constant = [(s, old) for s, old, new in states if new is old]
        if not constant:
            break
        for state, old in constant:  # it is forever what it was at first
            op = Constant(value=state.initial, dtype=state.type.dtype)
            number = Value(TensorType(state.type.dtype, ()), state.name, old.span)
            builder.steps.insert(0, Node(op, (), (number,), span=old.span))
            builder.steps[1:] = [_reading(s, {old: number}) for s in builder.steps[1:]]
            result = number if result is old else result
            states = tuple((s, o, number if n is old and o is not old else n) for s, o, n in states)
        states = tuple(kept for kept in states if kept[2] is not kept[1])
    live, states = _live(steps, result, states)
    return tuple(s for s in steps if live.intersection(s.outputs)), result, states


def _reading(step: Node, place: dict[Value, Value]) -> Node:
    return replace(step, inputs=tuple(place.get(v, v) for v in step.inputs))


def _folded(builder: Builder) -> tuple[tuple[Node, ...], dict[Value, Value]]:
    """Steps that read what stands for a value in place of the value, and what stands for which."""
    numbers: dict[Value, float] = {}
    place: dict[Value, Value] = {}
    steps: list[Node] = []
    for old in builder.steps:
        step = _reading(old, place)
        steps.append(step)
        (output,) = step.outputs if len(step.outputs) == 1 else (None,)
        if output is None:
            continue
        if isinstance(step.op, Constant):
            numbers[output] = step.op.value
        elif step.op.name == "multiply" and any(numbers.get(v) == 0 for v in step.inputs):
            numbers[output] = 0.0
        elif (same := _same(step, numbers)) is not None and same.type == output.type:
            place[output] = same
    return tuple(steps), place


def _same(step: Node, numbers: dict[Value, float]) -> Value | None:
    """The operand that the result is equal to."""
    if len(step.inputs) != 2:
        return None
    left, right = step.inputs
    match step.op.name, numbers.get(left), numbers.get(right):
        case ("add", 0, _) | ("multiply", 1, _):
            return right
        case ("add" | "subtract", _, 0) | ("multiply" | "divide" | "power", _, 1):
            return left
    return None


def _live(steps: tuple[Node, ...], result: Value, states: Kept) -> tuple[set[Value], Kept]:
    """Values that the result needs, now or at a later step, and the states among them."""
    makers = {v: step for step in steps for v in step.outputs}
    live: set[Value] = set()
    waiting = [result]
    news = {old: new for _, old, new in states}
    while waiting:
        value = waiting.pop()
        if value in live:
            continue
        live.add(value)
        if value in makers:
            waiting += makers[value].inputs
        elif value in news:
            waiting.append(news[value])
    return live, tuple(kept for kept in states if kept[1] in live)
