"""Native records and rules of a Python target, as the tables that a `Dialect` is made of."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, TypeVar

from codegen.python.dialect import Application, Constructor, Result
from codegen.python.source import Call, Expr, Literal, Name, Operator, Unary, lift
from codegen.rules import PLAIN, REQUIRED, SQUARE, Argument, Native, Place, ops_of
from nnspec.catalogue.ops.base import Op
from nnspec.graph.graph import Node
from nnspec.graph.passes.legalize import Rewrite

if TYPE_CHECKING:
    from codegen.python.forward import Forward

AnyFunction = TypeVar("AnyFunction", bound=Callable[..., Any])


@dataclass(frozen=True)
class Use(Place):
    """Where a rule stands: the node that it writes, and the forward pass that it writes into."""

    forward: Forward

    def read_only(self, allowed: Callable[[Node, int], bool]) -> bool:
        """Whether nothing but operands of nodes that are allowed reads the results: `allowed(node, place)`."""
        return all(
            isinstance(reader, Node)
            and all(allowed(reader, i) for i, v in enumerate(reader.inputs) if v == value)
            for value in self.node.outputs
            for reader in self.forward.readers.get(value, ())
        )


@dataclass
class Table:
    """Everything that a family of ops is in one target; filled by records and by rules.

    A rule is a function whose first parameter is annotated with the op that it writes, the second is the `Use`;
    then come the operands under their names:

        @TABLE.rule
        def concat(op: Concat, use: Use, *x: Expr) -> Result: ...

    What is annotated with a family (`MaxPool`) is for all declared ops of the family, with a union
    (`LSTM | GRU`) for each of its members.
    """

    natives: dict[type[Op], Native] = field(default_factory=dict)
    rules: dict[type[Op], Application] = field(default_factory=dict)
    makers: dict[type[Op], Constructor] = field(default_factory=dict)
    chains: dict[type[Op], Callable[[Node], Expr | None]] = field(default_factory=dict)
    legal: dict[type[Op], Callable[[Node], bool]] = field(default_factory=dict)
    rewrites: dict[type[Op], Rewrite] = field(default_factory=dict)

    def add(self, *natives: Native) -> None:
        """Records of ops."""
        for native in natives:
            self.natives[native.op] = native

    def rule(self, write: AnyFunction) -> AnyFunction:
        """How an op is applied, where a record does not say it."""
        for kind in ops_of(write):
            self.rules[kind] = lambda node, operands, forward: write(
                node.op, Use(node, forward), *operands
            )
        return write

    def maker(self, make: AnyFunction) -> AnyFunction:
        """How the object of a layer is made, where a record does not say it: `(op, node) -> Expr`."""
        for kind in ops_of(make):
            self.makers[kind] = lambda node: make(node.op, node)
        return make

    def chain(self, make: AnyFunction) -> AnyFunction:
        """How an op stands in a chain as an object, or None where it cannot: `(op, node) -> Expr | None`."""
        for kind in ops_of(make):
            self.chains[kind] = lambda node: make(node.op, node)
        return make

    def rewrite(self, write: AnyFunction) -> AnyFunction:
        """What a use that is not legal becomes: `(to, op, *operands) -> terms`."""
        for kind in ops_of(write, 1):
            self.rewrites[kind] = write
        return write


@dataclass(frozen=True)
class Tables:
    """What a `Dialect` takes, of all families of a target."""

    layers: dict[type[Op], Constructor]
    functions: dict[type[Op], Application]
    modules: dict[type[Op], Callable[[Node], Expr | None]]
    rewrites: dict[type[Op], Rewrite]
    legal: dict[type[Op], Callable[[Node], bool]]
    weights: dict[type[Op], dict[str, str]]
    natives: dict[type[Op], Native]

    def absorb(self, layer: Node, activation: Node) -> Expr | None:
        """The layer, told the activation that follows it, where the records of both know how."""
        told, following = (self.natives.get(type(n.op)) for n in (layer, activation))
        if told is None or told.activation is None or following is None:
            return None
        alias = following.known_as(activation)
        if alias is None:
            return None
        made_ = self.layers[told.op](layer)
        assert isinstance(made_, Call)
        return made_.with_keyword(told.activation, alias)


Finish = Callable[[Call, Node], Expr]
"""What a target does to the object of a layer besides, such as telling how its weights begin."""


def tables(families: Iterable[Table], finish: Finish = lambda made, node: made) -> Tables:
    """The tables of a target's families, joined."""
    result = Tables({}, {}, {}, {}, {}, {}, {})
    for family in families:
        for native in family.natives.values():
            _enter(result, native, finish)
        result.layers.update(family.makers)
        result.functions.update(family.rules)
        result.modules.update(family.chains)
        result.rewrites.update(family.rewrites)
        result.legal.update(family.legal)
    return result


def _enter(result: Tables, native: Native, finish: Finish) -> None:
    kind = native.op
    result.natives[kind] = native
    result.legal[kind] = native.legal
    if native.weights:
        result.weights[kind] = dict(native.weights)
    if native.style == "layer":
        result.layers[kind] = lambda node: finish(made(native, node), node)
        return
    result.functions[kind] = lambda node, operands, forward: applied(native, node, operands)
    if native.chain is not None:
        chain = native.chain
        result.modules[kind] = lambda node: call(Name(chain), native.chain_arguments, node)


def made(native: Native, node: Node) -> Call:
    """The object of a layer."""
    return call(Name(native.name(node)), native.arguments, node)


def applied(native: Native, node: Node, operands: tuple[Expr, ...]) -> Result:
    """A function, method or operator applied to operands."""
    match native.style:
        case "operand":
            return operands[0]
        case "operator" if len(operands) == 1:
            return Unary(native.name(node), operands[0])
        case "operator":
            return Operator(native.name(node), *operands)
        case "method":
            first, *rest = operands
            return call(first.attr(native.name(node)), native.arguments, node, rest)
        case _:
            return call(Name(native.name(node)), native.arguments, node, operands)


def call(
    function: Expr,
    arguments: Iterable[Argument],
    node: Node,
    operands: Iterable[Expr] = (),
) -> Call:
    """`nn.Conv2d(3, 16, 3, stride=2)`: operands, then the arguments; those by name that are defaults are marked."""
    given: list[Expr] = list(operands)
    keywords: dict[str, Any] = {}
    for argument in arguments:
        value = argument.written(node)
        if argument.keyword is None:
            given.append(_plain(value, argument.hint))
        elif value is not REQUIRED:
            keywords[argument.keyword] = _plain(value)
        elif argument.form in (PLAIN, SQUARE):
            default = argument.form.write(argument.default)
            keywords[argument.keyword] = Literal(default, is_default=True)
    return function(*given, **keywords)


def _plain(value: Any, hint: str | None = None) -> Expr:
    """The value of an argument; whole numbers of axes are one."""
    numbers = isinstance(value, tuple) and all(type(n) is int for n in value)
    scalar = value is None or isinstance(value, (int, float, str, bool))
    return Literal(value, hint) if scalar or numbers else lift(value)
