"""A cell along time as one step of the graph: a `Call` with a `Loop`."""

from __future__ import annotations

from dataclasses import replace

from nnspec.elaborate.blocks import apply_block
from nnspec.elaborate.errors import error
from nnspec.elaborate.session import Body, Keeping
from nnspec.elaborate.values import BlockLayer
from nnspec.graph.graph import Call, Loop, Value, along_time
from nnspec.graph.unroll import step_of
from nnspec.report.diagnostics import Label
from nnspec.report.source import Span


def looped(
    body: Body, cell: BlockLayer, sequences: list[Value], held: dict[str, Value], at: Span
) -> tuple[Value, ...] | None:
    """What the cell makes of sequences; None where its body is no block of its own, and nothing is added.

    held: what its states begin with.
    """
    builder = body.builder
    before = len(builder.steps)
    outer, parts = iter(sequences), dict[int, Value]()
    whole: list[Value] = []
    for i, written in enumerate(cell.block.inputs):
        state = held.get(written.name.text)
        if state is None:
            x = next(outer)
            parts[i] = Value(step_of(x.type), x.name, x.span)
        whole.append(state or x)
    operands = tuple(parts.get(i, value) for i, value in enumerate(whole))
    after = apply_block(body, cell, operands, at, keeping=Keeping())
    check_results(cell, held, after, at)
    (call, *more) = builder.steps[before:]
    if more or not isinstance(call, Call):
        del builder.steps[before:]
        return None
    names, inputs = list(after), [i.name.text for i in cell.block.inputs]
    loop = Loop(tuple(parts), tuple((i, names.index(n)) for i, n in enumerate(inputs) if n in held))
    outputs = list(call.outputs)
    for i in loop.stacked(len(outputs)):
        outputs[i] = replace(
            outputs[i], type=along_time(outputs[i].type, sequences[0].type.shape[1])
        )
    # What the body read from around it follows its own inputs.
    given = (*whole, *call.inputs[len(whole) :])
    new = replace(call, inputs=given, outputs=tuple(outputs), loop=loop)
    builder.steps[before] = new
    if (owner := builder.foreign.pop(call, None)) is not None:
        builder.foreign[new] = owner
    return tuple(outputs)


def check_results(
    cell: BlockLayer, before: dict[str, Value], after: dict[str, Value], at: Span
) -> None:
    """States come out as they went in; what comes out besides can be stacked over time."""
    for name, value in after.items():
        if name not in before and not value.type.shape:
            found = f"`{name}` is {value.type}"
            raise error("E0401", "`scan` stacks what comes out of steps: [N, ...]", at, found)
    for state in cell.block.inputs:
        name = state.name.text
        if name not in before:
            continue
        notes = (Label(state.span, "an input with an initial value"),)
        if name not in after:
            message = f"`{cell.block.name}` does not put out its state `{name}`"
            raise error("E0315", message, at, "", notes, (f"end it with `output y = ..., {name}`",))
        if after[name].type != before[name].type:
            raise error(
                "E0315",
                f"the state `{name}` of `{cell.block.name}` changes from step to step",
                at,
                f"goes in as {before[name].type}, comes out as {after[name].type}",
                notes,
            )
