"""Python source as a tree of values; `printer.py` turns it into text.

    Name("nn.Conv2d")(1, 32, 3, padding=1)        nn.Conv2d(1, 32, 3, padding=1)
    Name("self.dense")(x).attr("shape")[0]        self.dense(x).shape[0]
    Name("a") + 1                                 a + 1
    Assign(Name("x"), Name("F.relu")(x))          x = F.relu(x)

Python numbers, strings, tuples, lists and dicts become literals wherever an `Expr` is expected. Two
trees are equal when they print alike; that is how instances of one block are compared. Whatever
comes from a spec enters as a `Literal`, a `Comment`, a docstring, or a name from `Scope`; never as
the text of a `Name` or of `Verbatim`.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field, fields, is_dataclass
from typing import Any, Union


class Expr:
    """An expression; the methods build larger ones."""

    def __call__(self, *arguments: Any, **keywords: Any) -> Call:
        named = tuple((k, lift(v)) for k, v in keywords.items())
        return Call(self, tuple(map(lift, arguments)), named)

    def attr(self, name: str) -> Attribute:
        return Attribute(self, name)

    def __getitem__(self, index: Any) -> Item:
        return Item(self, lift(index))

    def __add__(self, other: Any) -> Operator:
        return Operator("+", self, lift(other))

    def __sub__(self, other: Any) -> Operator:
        return Operator("-", self, lift(other))

    def __mul__(self, other: Any) -> Operator:
        return Operator("*", self, lift(other))

    def __truediv__(self, other: Any) -> Operator:
        return Operator("/", self, lift(other))

    def __floordiv__(self, other: Any) -> Operator:
        return Operator("//", self, lift(other))

    def __mod__(self, other: Any) -> Operator:
        return Operator("%", self, lift(other))

    def __pow__(self, other: Any) -> Operator:
        return Operator("**", self, lift(other))

    def __matmul__(self, other: Any) -> Operator:
        return Operator("@", self, lift(other))

    def __neg__(self) -> Unary:
        return Unary("-", self)


@dataclass(frozen=True)
class Name(Expr):
    """A name, or names joined by dots (`nn.Conv2d`, `self.dense`), of generated code."""

    text: str

    def __post_init__(self) -> None:
        if not all(part.isidentifier() for part in self.text.split(".")):
            raise ValueError(f"not a name: {self.text!r}")

    @property
    def root(self) -> str:
        return self.text.partition(".")[0]


@dataclass(frozen=True)
class Literal(Expr):
    """A number, string, truth value, None, or whole numbers that only change together (`(1, 7)`).

    hint: what to call it should it become a parameter of a class (`in_channels`); where it is a
    keyword argument the keyword is the hint.
    is_default: it is what an argument has that is not given, so the call goes without it; it stands here
    because another instance of the same class may give another.
    """

    value: Union[int, float, bool, str, tuple[int, ...], None]
    hint: str | None = field(default=None, compare=False)
    is_default: bool = field(default=False, compare=False)

    @property
    def is_size(self) -> bool:
        """A whole number, or one for each axis."""
        return isinstance(self.value, (int, tuple)) and not isinstance(self.value, bool)

    def __eq__(self, other: object) -> bool:
        """1, 1.0 and True are different literals."""
        return isinstance(other, Literal) and _exact(self) == _exact(other)

    def __hash__(self) -> int:
        return hash(_exact(self))


@dataclass(frozen=True, eq=False)
class Complement(Literal):
    """A number that is written as what it leaves of 1: `1 - 0.9`, which comes to 0.09999999999999998."""

    rest: float = 0.0


def _exact(literal: Literal) -> tuple[type, str]:
    return type(literal.value), repr(literal.value)


@dataclass(frozen=True)
class Call(Expr):
    function: Expr
    arguments: tuple[Expr, ...] = ()
    keywords: tuple[tuple[str, Expr], ...] = ()

    @property
    def given(self) -> tuple[tuple[str, Expr], ...]:
        """The keyword arguments that are written."""
        return tuple(
            (k, v) for k, v in self.keywords if not (isinstance(v, Literal) and v.is_default)
        )

    def with_keyword(self, name: str, value: Any) -> Call:
        """The call with one more keyword argument."""
        return Call(self.function, self.arguments, (*self.keywords, (name, lift(value))))


@dataclass(frozen=True)
class Attribute(Expr):
    value: Expr
    name: str


@dataclass(frozen=True)
class Item(Expr):
    """`value[index]`; the index may be a `Slice` or a `Tuple` of indices and slices."""

    value: Expr
    index: Expr


@dataclass(frozen=True)
class Slice(Expr):
    """`start:stop:step` inside an `Item`."""

    start: Expr | None = None
    stop: Expr | None = None
    step: Expr | None = None


@dataclass(frozen=True)
class Operator(Expr):
    """Arithmetic, comparison (`==`, `<`, `in`) or logic (`and`, `or`)."""

    symbol: str
    left: Expr
    right: Expr


@dataclass(frozen=True)
class Unary(Expr):
    """`-operand`, `not operand`, or `*operand` among arguments and elements."""

    symbol: str
    operand: Expr


@dataclass(frozen=True)
class Tuple(Expr):
    elements: tuple[Expr, ...]


@dataclass(frozen=True)
class List(Expr):
    elements: tuple[Expr, ...]


@dataclass(frozen=True)
class Dict(Expr):
    items: tuple[tuple[Expr, Expr], ...]


@dataclass(frozen=True)
class Comprehension(Expr):
    """`[element for target in iterable]`; `more`: targets and iterables of further `for` inside."""

    element: Expr
    target: Expr
    iterable: Expr
    more: tuple[tuple[Expr, Expr], ...] = ()


@dataclass(frozen=True)
class Conditional(Expr):
    """`then if test else otherwise`."""

    test: Expr
    then: Expr
    otherwise: Expr


@dataclass(frozen=True)
class Format(Expr):
    """An f-string: text, and expressions with their format specifications (`("loss: ", (e, ".4f"))`)."""

    parts: tuple[Union[str, tuple[Expr, str]], ...]


def lift(value: Any) -> Expr:
    """A Python value as an expression; expressions stay what they are."""
    match value:
        case Expr():
            return value
        case tuple():
            return Tuple(tuple(map(lift, value)))
        case list():
            return List(tuple(map(lift, value)))
        case dict():
            return Dict(tuple((lift(k), lift(v)) for k, v in value.items()))
        case slice():
            start, stop, step = value.start, value.stop, value.step
            return Slice(*(None if part is None else lift(part) for part in (start, stop, step)))
        case bool() | int() | float() | str() | None:
            return Literal(value)
        case _ if value is Ellipsis:
            return ELLIPSIS
    raise TypeError(f"no expression for {value!r}")


@dataclass(frozen=True)
class _Ellipsis(Expr):
    """`...`"""


ELLIPSIS = _Ellipsis()


class Stmt:
    """A statement."""


@dataclass(frozen=True)
class Assign(Stmt):
    """`target = value`, or `target: annotation = value`; `note` is a comment at the end of the line,
    left out where the line has no room for it."""

    target: Expr
    value: Expr
    annotation: Expr | None = None
    note: str | None = field(default=None, compare=False)


@dataclass(frozen=True)
class Augment(Stmt):
    """`target += value`."""

    target: Expr
    symbol: str
    value: Expr


@dataclass(frozen=True)
class Expression(Stmt):
    value: Expr


@dataclass(frozen=True)
class Return(Stmt):
    value: Expr | None = None


@dataclass(frozen=True)
class For(Stmt):
    target: Expr
    iterable: Expr
    body: tuple[Stmt, ...]


@dataclass(frozen=True)
class If(Stmt):
    test: Expr
    body: tuple[Stmt, ...]
    otherwise: tuple[Stmt, ...] = ()


@dataclass(frozen=True)
class With(Stmt):
    """`with context as name:`; several contexts on one line."""

    contexts: tuple[tuple[Expr, Expr | None], ...]
    body: tuple[Stmt, ...]


@dataclass(frozen=True)
class Parameter:
    """Of a function. `name` may begin with `*` or `**`, or be a lone `*`."""

    name: str
    annotation: Expr | None = None
    default: Expr | None = None


@dataclass(frozen=True)
class FunctionDef(Stmt):
    name: str
    parameters: tuple[Parameter, ...]
    body: tuple[Stmt, ...]
    returns: Expr | None = None
    decorators: tuple[Expr, ...] = ()
    doc: str | None = None


@dataclass(frozen=True)
class ClassDef(Stmt):
    name: str
    bases: tuple[Expr, ...]
    body: tuple[Stmt, ...]
    decorators: tuple[Expr, ...] = ()
    doc: str | None = None
    keywords: tuple[tuple[str, Expr], ...] = ()


@dataclass(frozen=True)
class Import(Stmt):
    """`import module [as alias]`, or `from module import name [as alias]`."""

    module: str
    name: str | None = None
    alias: str | None = None


@dataclass(frozen=True)
class Comment(Stmt):
    """One comment line for each line of the text, which may be the writer's (it is made harmless)."""

    text: str


@dataclass(frozen=True)
class Blank(Stmt):
    """An empty line inside a body."""


@dataclass(frozen=True)
class Verbatim(Stmt):
    """Fixed text of a target, already formatted, with nothing of a spec in it.

    uses: names it needs from imports or other helpers (roots: `torch`, `F`, `same_padding`).
    """

    text: str
    uses: tuple[str, ...] = ()


@dataclass(frozen=True)
class Module:
    """A file: docstring, then statements (imports among them stay where they stand)."""

    doc: str
    body: tuple[Stmt, ...]


_INNER: dict[type[Any], tuple[str, ...]] = {}


def inner_fields(kind: type[Any]) -> tuple[str, ...]:
    """Names of the fields of a kind of node that may hold nodes; none of what is no node."""
    if kind not in _INNER:
        own = fields(kind) if is_dataclass(kind) else ()
        plain = {"str", "str | None", "bool"}
        _INNER[kind] = tuple(f.name for f in own if f.type not in plain)
    return _INNER[kind]


def children(node: Any) -> Iterator[Any]:
    """Everything that a node holds: expressions, statements, parameters."""
    for name in inner_fields(type(node)):
        yield from _flat(getattr(node, name))


def _flat(value: Any) -> Iterator[Any]:
    if isinstance(value, (Expr, Stmt, Parameter)):
        yield value
    elif isinstance(value, tuple):
        for element in value:
            yield from _flat(element)


def names(*nodes: Any) -> set[str]:
    """First parts of all names in the trees (`nn` of `nn.Linear`), and what verbatim text uses."""
    texts: set[str] = set()
    stack: list[Any] = [nodes]
    while stack:
        node = stack.pop()
        kind = type(node)
        if kind is tuple:
            stack.extend(node)
        elif kind is str or kind is Literal:
            continue
        elif issubclass(kind, Name):
            texts.add(node.text)
        elif kind is Verbatim:
            texts.update(node.uses)
        else:
            stack.extend([getattr(node, name) for name in inner_fields(kind)])
    return {text.partition(".")[0] for text in texts}
