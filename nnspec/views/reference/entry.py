"""What the reference says of one op, as values: the terminal, `--format json` and the pages show the same."""

from __future__ import annotations

from dataclasses import dataclass

from nnspec.catalogue.ops.base import Example, Op, Operand
from nnspec.core.dims import Shape
from nnspec.core.fields import Field
from nnspec.views.reference.definition import definition
from nnspec.views.reference.written import default_text, signature, statements


@dataclass(frozen=True)
class Argument:
    """default: as it is written; None where the argument must be given."""

    name: str
    expects: str
    default: str | None
    doc: str


@dataclass(frozen=True)
class Entry:
    """kind: "layer" or "function", "primitive" where only graphs hold it.

    example: a use, as the body of a model. definition: of that use in simpler ops; None for a primitive.
    """

    name: str
    kind: str
    signature: str
    doc: str
    operands: tuple[tuple[str, str], ...]
    arguments: tuple[Argument, ...]
    weights: tuple[tuple[str, str], ...]
    example: str | None
    definition: str | None


def first_example(op: type[Op]) -> Example | None:
    """The plainest use."""
    return next(iter(op.examples()), None)


def entry(op: type[Op]) -> Entry:
    """From the declaration alone."""
    example = first_example(op)
    arguments = [_argument(f) for f in op.arguments()]
    if op.takes_activation:
        arguments.append(
            Argument("activation", "a function, such as `relu`", "none", "applied to the result")
        )
    layer = op.is_layer()
    shown = signature(op, () if layer else tuple(map(_operand, op.operands)))
    if op.takes_activation:
        shown = f"{shown[:-1]}, activation = none)"
    return Entry(
        op.name,
        "primitive" if op.hidden else "layer" if layer else "function",
        shown,
        op.doc(),
        tuple((o.name, o.doc) for o in op.operands),
        tuple(arguments),
        tuple((w.role, _shape(w.shape)) for w in example.op.weights(*example.inputs))
        if example
        else (),
        statements(example) if example and not op.hidden else None,
        definition(example) if example else None,
    )


def _shape(shape: Shape) -> str:
    return f"[{', '.join(map(str, shape))}]"


def _operand(operand: Operand) -> str:
    name = f"{operand.name}, ..." if operand.variadic else operand.name
    return f"{name} = none" if operand.optional else name


def _argument(field: Field) -> Argument:
    default = None if field.is_required else default_text(field)
    return Argument(field.name, field.kind.expects, default, field.doc)
