"""What was written: the syntax tree, frozen, every node with its place in the text."""

from __future__ import annotations

from nnspec.core.records import Record, record
from nnspec.report.source import Span


@record
class Tree(Record):
    span: Span


@record
class Identifier(Tree):
    text: str


# --- declarations ---------------------------------------------------------------------------


@record
class Comment(Tree):
    """A `#` comment (not a doc comment); kept beside the tree for `nnspec fmt`."""

    text: str


@record
class File(Tree):
    """`doc` is the text of the `##` lines at its head that an empty line parts from the rest."""

    declarations: tuple[Declaration, ...]
    comments: tuple[Comment, ...]
    doc: str | None = None


@record
class ImportName(Tree):
    name: Identifier
    alias: Identifier | None


@record
class Import(Tree):
    module: tuple[Identifier, ...]
    names: tuple[ImportName, ...]
    doc: str | None = None


@record
class Constant(Tree):
    name: Identifier
    value: Expr
    doc: str | None = None


@record
class Parameter(Tree):
    name: Identifier
    type: Identifier | None
    default: Expr | None


@record
class Block(Tree):
    """`block` or, with `is_model`, `model`. `doc` is the text of its `##` lines, without the marks."""

    name: Identifier
    parameters: tuple[Parameter, ...]
    body: tuple[Statement, ...]
    is_model: bool
    doc: str | None = None


@record
class Train(Tree):
    name: Identifier
    parameters: tuple[Parameter, ...]
    body: tuple[Statement, ...]
    doc: str | None = None


Declaration = Import | Constant | Block | Train


# --- statements -----------------------------------------------------------------------------


@record
class TensorType(Tree):
    dtype: Identifier
    shape: tuple[Expr, ...]


@record
class TypedName(Tree):
    """`initial` makes an input a state: what it is before the block was applied for the first time.

    `none` is no beginning: such an input may be left out.
    """

    name: Identifier
    type: TensorType | None
    initial: Expr | None = None

    @property
    def is_optional(self) -> bool:
        """Whether it may be left out."""
        return isinstance(self.initial, Literal) and self.initial.value is None

    @property
    def is_state(self) -> bool:
        """Whether it is what the block put out before."""
        return self.initial is not None and not self.is_optional


@record
class NamedExpr(Tree):
    name: Identifier | None
    value: Expr


@record
class Input(Tree):
    names: tuple[TypedName, ...]
    doc: str | None = None


@record
class Output(Tree):
    values: tuple[NamedExpr, ...]
    doc: str | None = None


@record
class Weight(Tree):
    name: Identifier
    type: TensorType
    initializer: Expr
    doc: str | None = None


@record
class Assign(Tree):
    targets: tuple[Identifier, ...]
    values: tuple[Expr, ...]
    doc: str | None = None


@record
class For(Tree):
    targets: tuple[Identifier, ...]
    iterable: Expr
    body: tuple[Statement, ...]
    doc: str | None = None


@record
class If(Tree):
    """`otherwise` is empty, a body, or one `If` for `else if`."""

    condition: Expr
    then: tuple[Statement, ...]
    otherwise: tuple[Statement, ...]
    doc: str | None = None


@record
class Assert(Tree):
    condition: Expr
    message: String | None
    doc: str | None = None


@record
class Batch(Tree):
    names: tuple[TypedName, ...]
    doc: str | None = None


@record
class Minimize(Tree):
    loss: Expr
    over: tuple[tuple[Identifier, ...], ...]
    optimizer: Expr
    doc: str | None = None


@record
class Metric(Tree):
    values: tuple[NamedExpr, ...]
    doc: str | None = None


Statement = Input | Output | Weight | Assign | For | If | Assert | Batch | Minimize | Metric


# --- expressions ----------------------------------------------------------------------------


@record
class Name(Tree):
    text: str


@record
class Number(Tree):
    """`text` is what was written (`1e-3`, `10_000`)."""

    value: int | float
    text: str


@record
class String(Tree):
    """`value` with the escapes resolved."""

    value: str


@record
class Literal(Tree):
    """`true`, `false` or `none`."""

    value: bool | None


@record
class List(Tree):
    items: tuple[Expr, ...]


@record
class Tuple(Tree):
    items: tuple[Expr, ...]


@record
class Parallel(Tree):
    branches: tuple[Expr, ...]


@record
class Argument(Tree):
    name: Identifier | None
    value: Expr


@record
class Call(Tree):
    function: Expr
    arguments: tuple[Argument, ...]


@record
class Attribute(Tree):
    value: Expr
    name: Identifier


@record
class Slice(Tree):
    start: Expr | None
    stop: Expr | None
    step: Expr | None


@record
class Ellipsis(Tree):
    pass


@record
class Index(Tree):
    value: Expr
    subscripts: tuple[Expr | Slice | Ellipsis, ...]


@record
class Unary(Tree):
    """`operator` is `-` or `not`."""

    operator: str
    operand: Expr


@record
class Binary(Tree):
    """Arithmetic, comparison, `and`, `or`; `operator` as written."""

    operator: str
    left: Expr
    right: Expr


@record
class Conditional(Tree):
    condition: Expr
    then: Expr
    otherwise: Expr


@record
class Named(Tree):
    """`Dense(10) as head`, a stage of a pipe: the layer and its name."""

    value: Expr
    name: Identifier


@record
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
