"""Which values are indices, and how many there are to choose from."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from nnspec.catalogue.ops.base import Op
from nnspec.catalogue.ops.losses import CrossEntropy
from nnspec.core.dims import product, substitute
from nnspec.graph.graph import Call, Node, Value
from nnspec.graph.training import Minimize, Repeat, TrainStep


def index_bounds(
    steps: Sequence[TrainStep], sizes: Mapping[str, int] | None = None, *, parts: bool = False
) -> dict[Value, int]:
    """How many choices an integer value has, told by the ops that index with it.

    sizes: numbers for the names of sizes, where they are known.
    parts: what holds of a part of a value (a column, say) is asked of all of it: so is one made that will do.
    """
    bounds: dict[Value, int] = {}

    def note(value: Value, bound: int) -> None:
        bounds[value] = min(bounds.get(value, bound), bound)

    for step in reversed(steps):
        match step:
            case Call():
                inner = index_bounds(step.body.steps, sizes, parts=parts)
                for outer, parameter in zip(step.inputs, step.body.inputs, strict=True):
                    if parameter in inner:
                        note(outer, inner[parameter])
            case Node():
                declared = step.op.index_bounds(*(v.type for v in step.inputs))
                if ignores(step.op) and not parts:
                    continue
                for i, symbolic in declared.items():
                    bound = substitute(symbolic, sizes or {})
                    if isinstance(bound, int):
                        note(step.inputs[i], bound)
                if not step.inputs or step.inputs[0].type.is_float or not _moves(step):
                    continue
                for output in step.outputs:
                    if output in bounds and (parts or _is_whole(output, step.inputs[0])):
                        note(step.inputs[0], bounds[output])
            case Minimize() | Repeat():
                pass
    return bounds


def ignores(op: Op) -> bool:
    """Whether one number beside those that it chooses from is no choice."""
    return isinstance(op, CrossEntropy) and op.ignore_label is not None


def _is_whole(output: Value, value: Value) -> bool:
    return product(output.type.shape) == product(value.type.shape)


def _moves(step: Node) -> bool:
    """Whether what comes out is what goes in, in other places: a reshape or slice of indices holds indices of the
    same kind, but where the largest of some numbers stands says nothing of the numbers."""
    inputs, outputs = (tuple(v.type for v in side) for side in (step.inputs, step.outputs))
    return step.op.flops(inputs, outputs) == 0
