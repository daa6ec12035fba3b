"""Which steps are written inside the expression of the step that uses them.

`F.relu(self.conv2d(x))` rather than two lines, but not a forward pass on one line: activations take what they
activate, arithmetic its operands, a `return` the last function. Only values that are used once and that
the writer gave no name, with nothing to be evaluated in between.
"""

from __future__ import annotations

from collections.abc import Sequence

from codegen.python.source.flat import measure
from nnspec.catalogue.ops.forms import Elementwise
from nnspec.graph.graph import Call, Node, Value
from nnspec.graph.training import Minimize, Repeat, TrainStep, end_of_loop

NOWHERE, SHORT, LONG = 0, 36, 60
SMALL = frozenset({"stop_gradient", "random_normal", "cast", "pad"})
"""What may stand in the operands of a layer."""

width = measure


def operands(step: TrainStep) -> tuple[Value, ...]:
    """The values that a step reads."""
    if isinstance(step, Repeat):
        return ()
    return (step.loss,) if isinstance(step, Minimize) else step.inputs


def nested(
    steps: Sequence[TrainStep], roots: Sequence[Value], *, returned: bool
) -> dict[TrainStep, int]:
    """Steps to be nested, with the greatest width of their expression.

    returned: the roots are what a `return` takes (else they stay in variables).
    """
    users: dict[Value, list[int]] = {}
    for index, step in enumerate(steps):
        for value in operands(step):
            users.setdefault(value, []).append(index)
    for value in roots:
        users.setdefault(value, []).append(len(steps))
    makers = {v: s for s in steps if isinstance(s, (Node, Call)) for v in s.outputs}
    loops = _loops(steps)

    into: dict[int, int] = {}
    clear: dict[int, int] = {}
    found: dict[TrainStep, int] = {}
    for index in range(len(steps) - 1, -1, -1):
        step = steps[index]
        if not isinstance(step, (Node, Call)) or len(step.outputs) != 1:
            continue
        used = users.get(step.outputs[0], [])
        if len(used) != 1 or loops[index] != loops[used[0]]:
            continue
        if not _adjacent(index, used[0], into, steps, clear):
            continue
        if used[0] == len(steps):
            room = _room_in_return(step, len(roots)) if returned else NOWHERE
        else:
            room = _room(step, steps[used[0]], makers, users)
        if room:
            found[step], into[index] = room, used[0]
    return found


def _loops(steps: Sequence[TrainStep]) -> list[int]:
    """In which loop each step stands (by where that begins), and what follows them all: in none."""
    loops = [-1] * (len(steps) + 1)
    for index, step in enumerate(steps):
        if isinstance(step, Repeat):
            end = end_of_loop(steps, index)
            loops[index + 1 : end] = [index] * (end - index - 1)
    return loops


def _adjacent(
    index: int,
    user: int,
    into: dict[int, int],
    steps: Sequence[TrainStep],
    clear: dict[int, int],
) -> bool:
    """Whether all that lies between a step and its user is nested in that user too.

    Steps come last one first; `clear` is where this has been seen to hold from, for each user.
    """
    for between in range(clear.get(user, user) - 1, index, -1):
        step = steps[between]
        at = between
        while at in into and at != user:
            at = into[at]
        if at != user and not (isinstance(step, Node) and not step.inputs and not step.weights):
            return False
        clear[user] = between
    return True


def _room_in_return(step: Node | Call, roots: int) -> int:
    if roots == 1:
        return LONG
    applied = isinstance(step, Call) or step.layer is not None
    if step.outputs[0].name is not None and applied:
        return NOWHERE
    return SHORT


def _room(
    step: Node | Call,
    user: TrainStep,
    makers: dict[Value, Node | Call],
    users: dict[Value, list[int]],
) -> int:
    if not isinstance(user, (Node, Call)) or step.outputs[0].name is not None:
        return NOWHERE
    small = isinstance(step, Node) and step.op.name in SMALL
    if isinstance(user, Call) or user.layer is not None:
        return SHORT if small else NOWHERE
    if isinstance(user.op, Elementwise) and user.outputs[0].type.rank > 0:
        return LONG
    if user.op.name in ("concat", "stack"):
        return SHORT
    if isinstance(step, Call) or step.layer is not None:
        return NOWHERE
    if user.outputs[0].type.rank == 0:
        return SHORT
    around = [makers.get(v) for v in step.inputs]
    deep = any(
        m is not None and (isinstance(m, Call) or m.layer is not None) and len(users[v]) == 1
        for v, m in zip(step.inputs, around, strict=True)
    )
    if deep and (step.op.name, user.op.name) == ("reshape", "transpose"):
        return LONG  # heads that are split off what a layer made
    return NOWHERE if deep else SHORT
