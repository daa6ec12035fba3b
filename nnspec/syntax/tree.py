"""What was written: the syntax tree, frozen, every node with its place in the text."""

from __future__ import annotations

from dataclasses import dataclass

from nnspec.report.source import Span


@dataclass(frozen=True)
class Tree:
    span: Span


@dataclass(frozen=True)
class Identifier(Tree):
    text: str


# --- declarations ---------------------------------------------------------------------------


@dataclass(frozen=True)
class Comment(Tree):
    """A `#` comment (not a doc comment); kept beside the tree for `nnspec fmt`."""

    text: str


@dataclass(frozen=True)
class File(Tree):
    """`doc` is the text of the `##` lines at its head that an empty line parts from the rest."""

    declarations: tuple[Declaration, ...]
    comments: tuple[Comment, ...]
    doc: str | None = None


@dataclass(frozen=True)
class ImportName(Tree):
    name: Identifier
    alias: Identifier | None


@dataclass(frozen=True)
class Import(Tree):
    module: tuple[Identifier, ...]
    names: tuple[ImportName, ...]
    doc: str | None = None


@dataclass(frozen=True)
class Constant(Tree):
    name: Identifier
    value: Expr
    doc: str | None = None


@dataclass(frozen=True)
class Parameter(Tree):
    name: Identifier
    type: Identifier | None
    default: Expr | None


@dataclass(frozen=True)
class Block(Tree):
    """`block` or, with `is_model`, `model`. `doc` is the text of its `##` lines, without the marks."""

    name: Identifier
    parameters: tuple[Parameter, ...]
    body: tuple[Statement, ...]
    is_model: bool
    doc: str | None = None


@dataclass(frozen=True)
class Train(Tree):
    name: Identifier
    parameters: tuple[Parameter, ...]
    body: tuple[Statement, ...]
    doc: str | None = None


Declaration = Import | Constant | Block | Train


# --- statements -----------------------------------------------------------------------------


@dataclass(frozen=True)
class TensorType(Tree):
    dtype: Identifier
    shape: tuple[Expr, ...]


@dataclass(frozen=True)
class TypedName(Tree):
    """`initial` makes an input a state: what it is before the block was applied for the first time."""

    name: Identifier
    type: TensorType | None
    initial: Expr | None = None


@dataclass(frozen=True)
class NamedExpr(Tree):
    name: Identifier | None
    value: Expr


@dataclass(frozen=True)
class Input(Tree):
    names: tuple[TypedName, ...]
    doc: str | None = None


@dataclass(frozen=True)
class Output(Tree):
    values: tuple[NamedExpr, ...]
    doc: str | None = None


@dataclass(frozen=True)
class Weight(Tree):
    name: Identifier
    type: TensorType
    initializer: Expr
    doc: str | None = None


@dataclass(frozen=True)
class Assign(Tree):
    targets: tuple[Identifier, ...]
    values: tuple[Expr, ...]
    doc: str | None = None


@dataclass(frozen=True)
class For(Tree):
    targets: tuple[Identifier, ...]
    iterable: Expr
    body: tuple[Statement, ...]
    doc: str | None = None


@dataclass(frozen=True)
class If(Tree):
    """`otherwise` is empty, a body, or one `If` for `else if`."""

    condition: Expr
    then: tuple[Statement, ...]
    otherwise: tuple[Statement, ...]
    doc: str | None = None


@dataclass(frozen=True)
class Assert(Tree):
    condition: Expr
    message: String | None
    doc: str | None = None


@dataclass(frozen=True)
class Batch(Tree):
    names: tuple[TypedName, ...]
    doc: str | None = None


@dataclass(frozen=True)
class Minimize(Tree):
    loss: Expr
    over: tuple[tuple[Identifier, ...], ...]
    optimizer: Expr
    doc: str | None = None


@dataclass(frozen=True)
class Metric(Tree):
    values: tuple[NamedExpr, ...]
    doc: str | None = None


Statement = Input | Output | Weight | Assign | For | If | Assert | Batch | Minimize | Metric


# --- expressions ----------------------------------------------------------------------------


@dataclass(frozen=True)
class Name(Tree):
    text: str


@dataclass(frozen=True)
class Number(Tree):
    """`text` is what was written (`1e-3`, `10_000`)."""

    value: int | float
    text: str


@dataclass(frozen=True)
class String(Tree):
    """`value` with the escapes resolved."""

    value: str


@dataclass(frozen=True)
class Literal(Tree):
    """`true`, `false` or `none`."""

    value: bool | None


@dataclass(frozen=True)
class List(Tree):
    items: tuple[Expr, ...]


@dataclass(frozen=True)
class Tuple(Tree):
    items: tuple[Expr, ...]


@dataclass(frozen=True)
class Parallel(Tree):
    branches: tuple[Expr, ...]


@dataclass(frozen=True)
class Argument(Tree):
    name: Identifier | None
    value: Expr


@dataclass(frozen=True)
class Call(Tree):
    function: Expr
    arguments: tuple[Argument, ...]


@dataclass(frozen=True)
class Attribute(Tree):
    value: Expr
    name: Identifier


@dataclass(frozen=True)
class Slice(Tree):
    start: Expr | None
    stop: Expr | None
    step: Expr | None


@dataclass(frozen=True)
class Ellipsis(Tree):
    pass


@dataclass(frozen=True)
class Index(Tree):
    value: Expr
    subscripts: tuple[Expr | Slice | Ellipsis, ...]


@dataclass(frozen=True)
class Unary(Tree):
    """`operator` is `-` or `not`."""

    operator: str
    operand: Expr


@dataclass(frozen=True)
class Binary(Tree):
    """Arithmetic, comparison, `and`, `or`; `operator` as written."""

    operator: str
    left: Expr
    right: Expr


@dataclass(frozen=True)
class Conditional(Tree):
    condition: Expr
    then: Expr
    otherwise: Expr


@dataclass(frozen=True)
class Named(Tree):
    """`Dense(10) as head`, a stage of a pipe: the layer and its name."""

    value: Expr
    name: Identifier


@dataclass(frozen=True)
class Pipe(Tree):
    value: Expr
    function: Expr


Expr = (
    Name
    | Number
    | String
    | Literal
    | List
    | Tuple
    | Parallel
    | Call
    | Attribute
    | Index
    | Unary
    | Binary
    | Conditional
    | Named
    | Pipe
)
