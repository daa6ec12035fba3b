"""What a Python target states about itself; everything else is shared.

`codegen/python/forward.py` turns the steps of a graph into statements, `codegen/python/classes.py` turns graphs into
classes, `codegen/python/file.py` puts a file together. A target fills in one `Dialect`: tables for what maps one
to one, short functions for what does not, and reasons for what it can never do.

A file is built like this (see `codegen/pytorch/__init__.py`):

    classes = build_classes(graphs, DIALECT)            # codegen/python/classes.py
    text = module_text(doc, (*classes.definitions, *training), DIALECT)   # codegen/python/file.py

Imports and helpers need no bookkeeping: `module_text` looks at the first part of every `Name` in the tree
(`F` in `Name("F.relu")`) and adds the import or helper that `Dialect` has under that name.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Union

from codegen.dtypes import Lacks, lack
from codegen.python.source import Comprehension, Expr, Import, Literal, Parameter, Stmt, Verbatim
from nnspec.catalogue.ops.base import Op
from nnspec.graph.graph import Call, Graph, Node, Weight
from nnspec.graph.passes.legalize import Legality, Rewrite
from nnspec.report.diagnostics import Diagnostic, Label, SpecError
from nnspec.report.source import Span

if TYPE_CHECKING:
    from codegen.python.forward import Forward
    from codegen.python.functions import Functions

Result = Union[Expr, tuple[Expr, ...]]
Constructor = Callable[[Node], Expr]
"""Constructor of a layer object: `lambda node: Name("nn.Linear")(node.inputs[0].type.shape[-1], node.op.units)`.

Leave out arguments whose default is the language's. Where a positional number may differ between instances of
a block, name it: `Literal(n, hint="in_features")`; keyword arguments are named already. (Such numbers become
parameters of the shared class: the block's own parameter where the values agree with one, else the hint.)"""

Application = Callable[[Node, tuple[Expr, ...], "Forward"], Result]
"""How an op is applied to its operands (in the order of `node.inputs`).

Gives one expression, which for an op with several results is a tuple-valued one (`self.lstm(x)` giving
`y, h, c`); or a tuple of expressions, one for each of `node.outputs`. A result may be `forward.emit`-ted in pieces:
see `Forward`. A number that met a tensor arrives as a `Literal`. An expression that is used more than once in the
result goes through `forward.name(expression)` first, since operands may be whole expressions."""


@dataclass(frozen=True)
class ClassParts:
    """What `Dialect.frame` makes a class of.

    name, doc: `doc` is the writer's text with a line on shapes, ready to be a docstring; None if there is none.
    parameters: of the constructor, where instances of a block differ (`filters`, `stride`); often empty; with their types, and the
        target's own default where some instance leaves it at that. `init` reads them by name and `forward` as `self.<name>`, which `init` sets where `forward` needs it.
    init: `self.conv2d = ...` for every layer and container, then free weights; without prologue.
    forward: statements of the forward pass, the last of them a `Return`.
    inputs, results: names of the forward pass's parameters; how many values it returns.
    graph: the (first) instance, for what else a frame wants to know; free weights are `graph.free_weights`.
    model: whether this is a whole model rather than a block.
    """

    name: str
    doc: str | None
    parameters: tuple[Parameter, ...]
    init: tuple[Stmt, ...]
    forward: tuple[Stmt, ...]
    inputs: tuple[str, ...]
    results: int
    graph: Graph
    model: bool


@dataclass(frozen=True)
class Dialect:
    """The differences of one target.

    layers: constructors of layer objects, kept as `self.<layer>`.
    functions: how ops are applied. A layer that has a constructor is by default applied as `self.<layer>(*operands)`;
        state it here only where more is to be said. A layer (Dropout, say) without a constructor is a function.
    modules: functions that also exist as objects (`nn.ReLU()`), so that a bound chain of layers can be a `sequence`;
        None as an answer: not this one. A layer that is in `functions` too needs an entry here to stand in a chain.
    legal: which uses of an op its native form covers; all, where it is not here.
    rewrites: for uses of an op that `native` denies, what they become (`nnspec/graph/passes/legalize.py`).
    never: primitives that the target can never express, each with the reason. An op in no table is expanded.
    lacks: ops that the framework cannot run in some element type, each with the reason; such a use is expanded.
    frame: assembles a class. variant: one of that class with other arguments, by its name, the class's, the arguments
        and a doc.
    imports: root name to import: {"torch": Import("torch"), "F": Import("torch.nn.functional", alias="F")}.
    helpers: name to fixed text that defines it; written before the classes of a file that use it.
    loop: a container of layers that a loop makes (`nn.ModuleList([... for _ in range(count)])`).
    container: a container of the given layers, to be indexed and looped over (`nn.ModuleList([a, b])`).
    sequence: layers applied one after the other, as one callable object (`nn.Sequential(a, b)`); None if there is none.
    weight: the value of `self.<name> = ...` for a free weight; None where `frame` declares them itself.
    weight_ref: how a weight is read in a forward pass, in the canonical layout. `owner` is the expression of the layer
        object that has it (`self.embed`) with that layer's node, or `self` and None for a free weight.
    chain_members: the attribute of a chain that holds its layers; None where it is numbered itself.
    weight_holder: the object that is trained, of the same arguments, where that is another expression.
    size: the run-time size of a tensor along an axis; `x.shape[0]` by default.
    fixed_size: a size that is known when compiling, read off a tensor; None where no tensor tells it.
    absorb: constructor of a layer with the activation that alone uses its result built in (`Dense(8, activation="relu")`);
        None, or an answer of None, leaves them apart. Asked only where the layer is applied once.
    typed: the constructor of a layer, told its element type where that is not f32.
    forward_names: parameters of the forward method that a spec's names must avoid ("self", "F", "training").
    reserved: further names that variables must not take (imports, helpers, keywords and builtins are known).
    reserved_attributes: attributes of the base class that layers must not take ("train", "forward", "parameters").
    standing_in: definitions of functions, the spec's and those that the target lacks, filled while forward passes are
        written; one for each emission. function_parameters: what they take before their operands (`F` in Gluon).
    functions_in: the dialect in which their bodies are written, where it is another than this.
    scan: writes the loop that applies a cell along time, and gives its results; None where there is none.
    """

    name: str
    layers: Mapping[type[Op], Constructor]
    functions: Mapping[type[Op], Application]
    frame: Callable[[ClassParts], Stmt]
    variant: Callable[[str, str, Mapping[str, Literal], str], Stmt]
    loop: Callable[[Comprehension], Expr]
    container: Callable[[tuple[Expr, ...]], Expr]
    weight_ref: Callable[[Weight, Expr, Node | None], Expr]
    standing_in: Functions
    weight: Callable[[Weight], Expr] | None = None
    chain_members: str | None = None
    weight_holder: Callable[[Weight, Expr, Node | None], Expr] | None = None
    sequence: Callable[[tuple[Expr, ...]], Expr] | None = None
    modules: Mapping[type[Op], Callable[[Node], Expr | None]] = field(default_factory=dict)
    legal: Mapping[type[Op], Callable[[Node], bool]] = field(default_factory=dict)
    rewrites: Mapping[type[Op], Rewrite] = field(default_factory=dict)
    never: Mapping[type[Op], str] = field(default_factory=dict)
    lacks: Lacks = field(default_factory=dict)
    imports: Mapping[str, Import] = field(default_factory=dict)
    helpers: Mapping[str, Verbatim] = field(default_factory=dict)
    size: Callable[[Expr, int], Expr] = lambda tensor, axis: tensor.attr("shape")[axis]
    fixed_size: Callable[[Expr, int], Expr] | None = None
    absorb: Callable[[Node, Node], Expr | None] | None = None
    typed: Callable[[Expr, Node], Expr] = lambda made, node: made
    forward_names: tuple[str, ...] = ("self",)
    reserved: frozenset[str] = frozenset()
    reserved_attributes: frozenset[str] = frozenset()
    function_parameters: tuple[str, ...] = ()
    functions_in: Dialect | None = None
    scan: Callable[[Call, tuple[Expr, ...], Forward], Result] | None = None

    def native(self, node: Node) -> bool:
        """Whether a table says how this use of the op is written."""
        kind = type(node.op)
        if kind not in self.functions and kind not in self.layers:
            return False
        covered = kind not in self.legal or self.legal[kind](node)
        return covered and lack(node, self.lacks) is None

    def refuse(self, node: Node) -> SpecError:
        """The error for an op that the target cannot write."""
        reason = self.never.get(type(node.op)) or lack(node, self.lacks)
        return UnsupportedOp(node, self.name, reason or "it is in none of the target's tables")

    @property
    def legality(self) -> Legality:
        return Legality(self.native, self.refuse, self.rewrites, self.no_loop)

    def no_loop(self, call: Call) -> SpecError | None:
        """The error for a cell along time, where the target has no loop for it."""
        if self.scan is not None:
            return None
        what = f"`{call.body.name}` along {call.steps} steps"
        return Unsupported(
            what, call.span, self.name, "it writes them out, as many as a number says"
        )

    def constructor(self, node: Node) -> Expr:
        """What makes the layer object of a node."""
        return self.typed(self.layers[type(node.op)](node), node)


class Unsupported(SpecError):
    """Something of a spec that a target cannot express; `what` is in the words of the message."""

    def __init__(self, what: str, span: Span | None, target: str, reason: str) -> None:
        label = None if span is None else Label(span)
        super().__init__(Diagnostic("E0704", f"{target} cannot express {what}: {reason}", label))


class UnsupportedOp(Unsupported):
    """An op that a target cannot express; `node` has its place in the spec."""

    def __init__(self, node: Node, target: str, reason: str) -> None:
        self.node = node
        super().__init__(f"`{node.op.name}`", node.span, target, reason)
