"""Whole numbers by which a program chooses, as it makes them from its data: `label - 1`, a part of a column.

What a column chooses by as it is, `graph/bounds.py` tells without its numbers.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from nnspec.catalogue.ops.site import Term
from nnspec.core.dims import Shape
from nnspec.core.dtypes import DTYPES
from nnspec.graph.bounds import ignores
from nnspec.graph.evaluate.arrays import ArraySite
from nnspec.graph.evaluate.sizes import bind_sizes, is_symbolic, with_sizes
from nnspec.graph.graph import Call, Node, Value
from nnspec.graph.training import Training, TrainStep
from nnspec.report.diagnostics import Diagnostic, Label

if TYPE_CHECKING:
    from nnspec.catalogue.data.rows import Rows
    from nnspec.graph.weight_map import Array

TOGETHER = 4096
"""Rows that are looked at together."""


@dataclass(frozen=True)
class Chosen:
    """An op that chooses by whole numbers, among so many; those that it ignores are left out."""

    node: Node
    numbers: Array
    choices: int


def wrong_indices(
    training: Training, columns: Mapping[str, Rows], shown: str
) -> Iterator[Diagnostic]:
    """The first choice that there is not; shown: what the columns are called."""
    read = {c: columns[c.name or ""] for c in training.batch}
    rows = min(map(len, read.values()))
    if not any(True for _ in _choices(training, read, 0, 1)):
        return
    for begin in range(0, rows, TOGETHER):
        end = min(rows, begin + TOGETHER)
        for chosen in _choices(training, read, begin, end):
            outside = (chosen.numbers < 0) | (chosen.numbers >= chosen.choices)
            if not outside.any():
                continue
            place = int(outside.argmax())
            first = outside.shape[:1] == (end - begin,)
            row = begin + int(np.unravel_index(place, outside.shape)[0])
            where = f"row {row}" if first else f"rows {begin} to {end - 1}"
            name, value = chosen.node.op.name, chosen.numbers.flat[place]
            label = Label(chosen.node.span, "here") if chosen.node.span else None
            yield Diagnostic(
                "E0604",
                f"`{name}` is given {value} from {where} of the {shown}",
                label,
                (f"it chooses from 0 to {chosen.choices - 1}",),
                ("mend the data, or let the program take more",),
            )
            return


def _choices(
    training: Training, read: Mapping[Value, Rows], begin: int, end: int
) -> Iterator[Chosen]:
    """What some rows of the data are made into and chosen by."""
    whole = [c for c in training.batch if not c.type.is_float]
    shapes = [(end - begin, *read[c].shape[1:]) for c in training.batch]
    sizes = _sizes(training.batch, shapes)
    site = ArraySite()
    terms = {
        c: site.term(np.asarray(read[c][begin:end]).astype(DTYPES[c.type.dtype].numpy))
        for c in whole
    }
    return _followed(training.steps, terms, sizes, site, {id(t) for t in terms.values()})


def _followed(
    steps: Sequence[TrainStep],
    terms: dict[Value, Term],
    sizes: Mapping[str, int],
    site: ArraySite,
    columns: set[int],
) -> Iterator[Chosen]:
    """What steps choose by. terms: whole numbers that are known so far; columns: those that are as in the data."""
    for step in steps:
        if isinstance(step, Call) and step.loop is None:
            pairs = zip(step.body.inputs, step.inputs)
            inner = {parameter: terms[value] for parameter, value in pairs if value in terms}
            if not inner:
                continue
            given = _sizes(list(inner), [t.shape for t in inner.values()])
            yield from _followed(step.body.steps, inner, given, site, columns)
            outputs = zip(step.outputs, step.body.outputs)
            terms |= {value: inner[made] for value, made in outputs if made in inner}
        elif isinstance(step, Node):
            for i, choices in step.op.index_bounds(*(v.type for v in step.inputs)).items():
                term = terms.get(step.inputs[i])
                told = id(term) in columns and not ignores(step.op)
                if term is not None and isinstance(choices, int) and not told:
                    yield Chosen(step, _counted(step, term.held), choices)
            if _of_whole_numbers(step) and all(v in terms for v in step.inputs):
                op = with_sizes(step.op, sizes)
                if not is_symbolic(op):
                    made = site.apply(op, *(terms[v] for v in step.inputs))
                    terms |= zip(step.outputs, made, strict=True)


def _sizes(values: Sequence[Value], shapes: Sequence[Shape]) -> dict[str, int]:
    """Numbers for the names of sizes, but for that of the rows: a batch has others."""
    sizes: dict[str, int] = {}
    bind_sizes([v.type for v in values], shapes, sizes)
    rows = {str(v.type.shape[0]) for v in values if v.type.rank}
    return {name: size for name, size in sizes.items() if name not in rows}


def _counted(node: Node, numbers: Array) -> Array:
    """Numbers as they choose: what is ignored is none of them."""
    ignored = getattr(node.op, "ignore_label", None)
    return numbers if ignored is None else np.where(numbers == ignored, 0, numbers)


def _of_whole_numbers(node: Node) -> bool:
    """Whether what it makes is made of its inputs alone, without fractions."""
    plain = not node.weights and not node.op.stochastic
    return plain and not any(v.type.is_float for v in node.outputs)
