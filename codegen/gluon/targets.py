"""The parameters that an update is over, as an expression."""

from __future__ import annotations

from collections.abc import Mapping

from codegen.python.plan import (
    BlockSlot,
    ChainSlot,
    LayerSlot,
    ListSlot,
    Plan,
    Slot,
    WeightSlot,
    reference,
)
from codegen.python.source import Dict, Expr, Name


def parameters_of(
    over: tuple[tuple[str, ...], ...], plans: Mapping[str, Plan], nets: Mapping[str, str]
) -> Expr:
    """`net.collect_params()`, or a list of parameters where an update is over several things."""
    found = [_collected(path, plans, nets) for path in over]
    if len(found) == 1:
        return found[0]
    return Name("together")(*found)


def _collected(path: tuple[str, ...], plans: Mapping[str, Plan], nets: Mapping[str, str]) -> Expr:
    network, *inner = path
    parts, weight = _place(plans[network], tuple(inner))
    thing = reference(nets[network], parts)
    if weight:
        return Dict(((thing.attr("name"), thing),))
    if isinstance(thing, Name):
        return Name(f"{thing.text}.collect_params")()
    return thing.attr("collect_params")()


def _place(plan: Plan, path: tuple[str, ...]) -> tuple[tuple[str, ...], bool]:
    """Attributes that lead to a layer, block or free weight, and whether it is a weight."""
    if not path:
        return (), False
    for length in range(len(path), 0, -1):
        name = ".".join(path[:length])
        if name in plan.names:
            parts = plan.names[name]
            slot = _slot(plan, parts)
            rest = path[length:]
            if isinstance(slot, BlockSlot):
                inner, weight = _place(slot.plan, rest)
                return (*parts, *inner), weight
            return (*parts, *rest), bool(rest)
    return path, isinstance(plan.slots.get(path[0]), WeightSlot)


def _slot(plan: Plan, parts: tuple[str, ...]) -> Slot:
    slot = plan.slots[parts[0]]
    for part in parts[1:]:
        match slot:
            case ListSlot(slots) | ChainSlot(slots):
                slot = slots[int(part)]
            case LayerSlot() | BlockSlot() | WeightSlot():
                break
    return slot
