"""What a native form is: how a target writes an op, stated as a value.

A `Native` record holds everything that one target says of one op: the call, its arguments with the target's own names
and defaults, the names of weights, how the op stands in a chain, and which uses it covers. Records are read forwards
by the writers of a target, and can be read backwards by an importer.
"""

from __future__ import annotations

import typing
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, TypeVar

from nnspec.catalogue.ops import OPS
from nnspec.catalogue.ops.base import Op
from nnspec.core.types import TensorType
from nnspec.graph.graph import Node

REQUIRED: Any = object()
"""The default of an argument that a call must be given."""

AnyOp = TypeVar("AnyOp", bound=Op)


def of(read: Callable[[AnyOp, Node], Any]) -> Callable[[Node], Any]:
    """A function of the node, from one that takes its op as what it is: `(op: Conv, node) -> value`."""

    def value(node: Node) -> Any:
        op: Any = node.op
        return read(op, node)

    return value


@dataclass(frozen=True)
class Form:
    """How the value of a field is written as an argument, and read back.

    write: from the language's value to the target's. read: the way back.
    """

    write: Callable[[Any], Any]
    read: Callable[[Any], Any]


def _spread(value: Any) -> Any:
    return value[0] if isinstance(value, tuple) and len(set(value)) == 1 else value


PLAIN = Form(lambda value: value, lambda value: value)
SQUARE = Form(_spread, lambda value: value)
"""`3` for `(3, 3)`; how many times it stands, the rank of the op tells on the way back."""
COMPLEMENT = Form(lambda value: round(1 - value, 12), lambda value: round(1 - value, 12))
"""The share of the new value, where the language counts that of the old."""


def names(table: Mapping[Any, str]) -> Form:
    """Values of a field under the target's names."""
    back = {name: value for value, name in table.items()}
    return Form(lambda value: table[value], lambda name: back[name])


@dataclass(frozen=True)
class Argument:
    """One argument of a call.

    source: the field of the op, or a function of the node (a size of its operands or weights).
    keyword: its name in the call; None where it stands by position.
    default: the target's own, in the language's terms: an argument that is equal to it is left out.
    hint: what to call it where it becomes a parameter of a shared class; by default the source's name.
    """

    source: str | Callable[[Node], Any]
    keyword: str | None = None
    default: Any = REQUIRED
    form: Form = PLAIN
    hint: str | None = None

    def value(self, node: Node) -> Any:
        """The value in the language's terms."""
        return getattr(node.op, self.source) if isinstance(self.source, str) else self.source(node)

    def written(self, node: Node) -> Any:
        """The value as the target has it, or REQUIRED where it is the default and is left out."""
        value = self.value(node)
        if self.default is not REQUIRED and value == self.default:
            return REQUIRED
        return self.form.write(value)


def at(
    source: str | Callable[[Node], Any], hint: str | None = None, form: Form = PLAIN
) -> Argument:
    """An argument by position."""
    return Argument(
        source, None, REQUIRED, form, hint or (source if isinstance(source, str) else None)
    )


def key(
    keyword: str,
    source: str | Callable[[Node], Any],
    default: Any = REQUIRED,
    form: Form = PLAIN,
) -> Argument:
    """An argument by name, left out where it is the target's default."""
    return Argument(source, keyword, default, form)


Style = Literal["layer", "function", "method", "operator", "operand"]


@dataclass(frozen=True)
class Native:
    """How a target writes an op.

    call: the class, function, method or operator; or which one it is, told by the node.
    style: "layer": an object made with the arguments, then applied; "function": called with the operands, then the
        arguments; "method": of the first operand; "operator": between operands or before one;
        "operand": nothing at all, the operand itself.
    weights: the target's names of weights, by role, where they differ.
    orders: of weights that the target keeps with their axes in another order: by role, where each comes from.
    chain: a function's class of objects, for a chain of layers ("nn.ReLU"); given the `chain_arguments`.
    activation: the argument of a layer that takes the name of the function that follows it.
    alias: a function's name as such an argument, where it stands without arguments of its own; or what tells it of
        the node, None where it has none.
    legal: whether the form covers a use; what it does not cover is rewritten or expanded.
    since: the first version of the target that has this form, where versions differ.
    """

    op: type[Op]
    call: str | Callable[[Node], str]
    style: Style
    arguments: tuple[Argument, ...] = ()
    weights: Mapping[str, str] = field(default_factory=dict)
    chain: str | None = None
    chain_arguments: tuple[Argument, ...] = ()
    legal: Callable[[Node], bool] = lambda node: True
    orders: Mapping[str, tuple[int, ...]] = field(default_factory=dict)
    activation: str | None = None
    alias: str | Callable[[Node], str | None] | None = None
    since: int = 0

    def name(self, node: Node) -> str:
        """What is called for this node."""
        return self.call if isinstance(self.call, str) else self.call(node)

    def known_as(self, node: Node) -> str | None:
        """The name of this use as an argument of the layer before it, if it has one."""
        if callable(self.alias):
            return self.alias(node)
        plain = all(a.written(node) is REQUIRED for a in self.arguments)
        return self.alias if plain else None

    def read(self, positional: Sequence[Any], keywords: Mapping[str, Any]) -> dict[str, Any]:
        """The record backwards: fields of the op from the arguments of a call.

        What a call leaves out has the target's default. Arguments that no field gives (sizes of the operands) are
        passed over; the kinds of the fields make a tuple of `3` again.
        """
        kinds = {f.name: f.kind for f in self.op.arguments()}
        places = iter(positional)
        fields: dict[str, Any] = {}
        for argument in self.arguments:
            if argument.keyword is None:
                value = argument.form.read(next(places))
            elif argument.keyword in keywords:
                value = argument.form.read(keywords[argument.keyword])
            else:
                value = argument.default
            if isinstance(argument.source, str):
                fields[argument.source] = kinds[argument.source](value)
        return fields


def layer(
    op: type[Op],
    call: str | Callable[[Node], str],
    *arguments: Argument,
    weights: Mapping[str, str] | None = None,
    orders: Mapping[str, tuple[int, ...]] | None = None,
    activation: str | None = None,
    legal: Callable[[Node], bool] = lambda node: True,
) -> Native:
    """An object of the framework, made once and applied."""
    return Native(
        op,
        call,
        "layer",
        arguments,
        weights or {},
        legal=legal,
        orders=orders or {},
        activation=activation,
    )


def function(
    op: type[Op],
    call: str,
    *arguments: Argument,
    chain: str | None = None,
    chain_arguments: tuple[Argument, ...] | None = None,
    alias: str | Callable[[Node], str | None] | None = None,
    legal: Callable[[Node], bool] = lambda node: True,
    since: int = 0,
) -> Native:
    """A function of the framework, called with the operands, then the arguments."""
    given = arguments if chain_arguments is None else chain_arguments
    return Native(
        op, call, "function", arguments, {}, chain, given, legal, alias=alias, since=since
    )


def method(op: type[Op], call: str, *arguments: Argument) -> Native:
    """A method of the first operand."""
    return Native(op, call, "method", arguments)


def operator(op: type[Op], symbol: str) -> Native:
    """Python's operator."""
    return Native(op, symbol, "operator")


def operand(op: type[Op], chain: str | None = None) -> Native:
    """The operand itself."""
    return Native(op, "", "operand", chain=chain)


@dataclass(frozen=True)
class Place:
    """Where a rule stands; a target adds what it writes into."""

    node: Node

    @property
    def types(self) -> tuple[TensorType, ...]:
        """Of the operands."""
        return tuple(v.type for v in self.node.inputs)

    @property
    def rank(self) -> int:
        """Of the first operand."""
        return self.node.inputs[0].type.rank


def ops_of(rule: Callable[..., Any], place: int = 0) -> list[type[Op]]:
    """The ops that a rule is for: the annotation of a parameter, its members, or the declared ops of that family."""
    hint = typing.get_type_hints(rule)[list(rule.__annotations__)[place]]
    if members := typing.get_args(hint):
        return list(members)
    kind: type[Op] = hint
    family = [op for op in OPS.values() if issubclass(op, kind)]
    return [kind] if kind in family else family or [kind]
