"""A cell along time as a loop of Python in `forward`."""

from __future__ import annotations

from collections.abc import Sequence

from codegen.python.forward import Forward
from codegen.python.source import Assign, Expr, Expression, For, List, Name, Stmt, Tuple
from nnspec.graph.graph import Call


def scan(call: Call, arguments: Sequence[Expr], forward: Forward) -> tuple[Expr, ...]:
    """`for x_t in x.unbind(1): y_t, h = self.cell(x_t, h)`, with lists of what is stacked afterwards."""
    assert call.loop is not None
    body, given = call.body, list(arguments)
    results, lists = [Name("_")] * len(call.outputs), dict[int, Name]()
    parts = [forward.fresh(f"{body.inputs[i].name}_t") for i in call.loop.sequences]
    for i, part in zip(call.loop.sequences, parts, strict=True):
        given[i] = part
    for i, output in call.loop.states:
        name = call.outputs[output].name or body.inputs[i].name or "h"
        state = forward.taken_over(call.inputs[i], name)
        if state != arguments[i]:
            forward.emit(Assign(state, arguments[i]))
        given[i] = results[output] = state
    for i in call.loop.stacked(len(results)):
        if forward.is_read(call.outputs[i]):
            results[i] = forward.fresh(f"{body.output_names[i]}_t")
            lists[i] = forward.fresh(f"{body.output_names[i]}_steps")
            forward.emit(Assign(lists[i], List(())))
    inside: list[Stmt] = [Assign(_one_or_more(results), forward.layer(call)(*given))]
    inside += [Expression(Name(f"{n.text}.append")(results[i])) for i, n in lists.items()]
    taken = [arguments[i].attr("unbind")(1) for i in call.loop.sequences]
    together = taken[0] if len(taken) == 1 else Name("zip")(*taken).with_keyword("strict", True)
    forward.emit(For(_one_or_more(parts), together, tuple(inside)))
    return tuple(
        Name("torch.stack")(lists[i], 1) if i in lists else name for i, name in enumerate(results)
    )


def _one_or_more(names: Sequence[Name]) -> Expr:
    return names[0] if len(names) == 1 else Tuple(tuple(names))
