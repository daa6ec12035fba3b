"""What a loop along time means: its body at each step in turn. At a site, and as steps of a graph."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace

from nnspec.catalogue.ops.arranging import Stack
from nnspec.catalogue.ops.base import ShapeError
from nnspec.catalogue.ops.shaping import Slice
from nnspec.catalogue.ops.site import Site, Term
from nnspec.core.types import TensorType
from nnspec.graph.graph import Call, Loop, Node, Step, Value


def at_step(rank: int, step: int) -> Slice:
    """`x[:, step]`"""
    along = (None,) * (rank - 2)
    return Slice((None, step, *along), (None, step + 1, *along), (1,) * rank, squeeze=(1,))


def in_turn(
    to: Site,
    loop: Loop,
    operands: Sequence[Term],
    apply: Callable[[Sequence[Term]], tuple[Term, ...]],
) -> tuple[Term, ...]:
    """The results of a loop whose body `apply` applies; raises `ShapeError` where the number of steps is symbolic."""
    sequences = [operands[i] for i in loop.sequences]
    steps = {x.shape[1] for x in sequences}
    (count, *others) = steps
    if not isinstance(count, int) or others or not count:
        raise ShapeError("needs a number of time steps, and one for all sequences")
    held, every = list(operands), list[tuple[Term, ...]]()
    for step in range(count):
        for i, x in zip(loop.sequences, sequences, strict=True):
            (held[i],) = to.apply(at_step(x.rank, step), x)
        every.append(apply(held))
        for i, output in loop.states:
            held[i] = every[-1][output]
    stacked = loop.stacked(len(every[-1]))
    return tuple(
        to.apply(Stack(axis=1), *(results[i] for results in every))[0] if i in stacked else last
        for i, last in enumerate(every[-1])
    )


def written_out(call: Call, steps: int) -> Iterator[Step]:
    """So many calls in place of a loop, for who has none."""
    assert call.loop is not None
    stacked = call.loop.stacked(len(call.outputs))
    held, every = list(call.inputs), list[tuple[Value, ...]]()
    for step in range(steps):
        for i in call.loop.sequences:
            x, part = call.inputs[i], Value(call.body.inputs[i].type, None, call.span)
            yield Node(at_step(x.type.rank, step), (x,), (part,), span=call.span)
            held[i] = part
        fresh = [Value(v.type, None, call.span) for v in call.body.outputs]
        if step == steps - 1:
            fresh = [f if i in stacked else v for i, (f, v) in enumerate(zip(fresh, call.outputs))]
        every.append(tuple(fresh))
        doc = None if step else call.doc
        yield replace(call, inputs=tuple(held), outputs=every[-1], loop=None, doc=doc)
        for i, output in call.loop.states:
            held[i] = every[-1][output]
    for i in stacked:
        parts = tuple(results[i] for results in every)
        yield Node(Stack(axis=1), parts, (call.outputs[i],), span=call.span)


def step_of(kind: TensorType) -> TensorType:
    """The type of one step of `[N, T, ...]`."""
    return kind.with_shape((kind.shape[0], *kind.shape[2:]))
