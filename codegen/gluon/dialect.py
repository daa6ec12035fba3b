"""The dialect of Gluon: `HybridBlock` classes whose `hybrid_forward(self, F, x)` runs with arrays and symbols."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

from codegen.dtypes import PLAIN, dtype_of
from codegen.gluon.along_time import scan
from codegen.gluon.dtypes import DTYPES, LACKS
from codegen.gluon.initializers import initializer
from codegen.gluon.namespace import PLACE, rewritten
from codegen.gluon.ops.normalization import TABLE as NORMALIZATION
from codegen.gluon.ops.tables import TABLES
from codegen.gluon.weights import native_role, place_of, recurrent_role
from codegen.python.dialect import ClassParts, Dialect
from codegen.python.fixed import snippet_imports, snippets
from codegen.python.forward import Forward
from codegen.python.functions import Functions
from codegen.python.names import attribute, distinct
from codegen.python.native import made as made_of
from codegen.python.source import (
    Assign,
    Attribute,
    Call,
    ClassDef,
    Comprehension,
    Expr,
    Expression,
    FunctionDef,
    Import,
    Item,
    Literal,
    Name,
    Parameter,
    Stmt,
    Unary,
    Verbatim,
    With,
)
from codegen.python.source.tree import children, names
from nnspec.catalogue.ops.elementwise import StopGradient
from nnspec.catalogue.ops.normalization import BatchNorm
from nnspec.catalogue.ops.recurrent import Recurrent
from nnspec.graph.graph import Node, Weight

IMPORTS: Mapping[str, Import] = {
    **snippet_imports("codegen.gluon.snippets"),
    **snippet_imports("codegen.python.snippets"),
    "argparse": Import("argparse"),
    "itertools": Import("itertools"),
    "partial": Import("functools", "partial"),
    "math": Import("math"),
    "np": Import("numpy", alias="np"),
    "mx": Import("mxnet", alias="mx"),
    "autograd": Import("mxnet", "autograd"),
    "gluon": Import("mxnet", "gluon"),
    "nd": Import("mxnet", "nd"),
    "nn": Import("mxnet.gluon", "nn"),
}

HELPERS: Mapping[str, Verbatim] = {
    **snippets("codegen.gluon.snippets"),
    **snippets("codegen.python.snippets"),
}

ATTRIBUTES = frozenset(
    {
        "apply",
        "cast",
        "collect_params",
        "export",
        "forward",
        "hybrid_forward",
        "hybridize",
        "infer_shape",
        "infer_type",
        "initialize",
        "load_parameters",
        "load_params",
        "name",
        "name_scope",
        "optimize_for",
        "params",
        "prefix",
        "register_child",
        "register_forward_hook",
        "register_forward_pre_hook",
        "register_op_hook",
        "save_parameters",
        "save_params",
        "summary",
    }
)


def free_weight(weight: Weight) -> Expr:
    """`self.params.get("position", shape=(64, 32), init=mx.init.Normal(0.02))`."""
    shape = tuple(d for d in weight.type.shape if isinstance(d, int))
    begin = initializer(weight.initializer, shape, None)
    made = Name("self.params.get")(attribute(weight.role), shape=shape or (1,), init=begin)
    if weight.type.dtype == PLAIN:
        return made
    return made.with_keyword("dtype", DTYPES[weight.type.dtype])


def typed(made: Expr, node: Node) -> Expr:
    """The layer with weights of another element type than MXNet's default."""
    if not node.weights or dtype_of(node) == PLAIN:
        return made
    dtype = DTYPES[dtype_of(node)]
    if isinstance(made, Call) and made.function in (Name("nn.Dense"), Name("nn.Embedding")):
        return made.with_keyword("dtype", dtype)
    return Name("in_type")(made, dtype)


@dataclass(frozen=True)
class Held(Attribute):
    """A parameter that the forward pass reads; `frame` makes it an argument of `hybrid_forward`."""


def weight_ref(weight: Weight, owner: Expr, node: Node | None) -> Expr:
    """`self.position` or `self.embed.weight`, to be replaced by `frame`."""
    if node is not None and isinstance(node.op, Recurrent):
        part, layer, side = recurrent_role(weight.role)
        if node.op.layers > 1:
            owner = owner[place_of(layer, node.op)]
        return Held(owner, f"{side}0_{part}")
    name = weight.role if node is not None else attribute(weight.role, ATTRIBUTES)
    return Held(owner, native_role(node, name) if node else name)


def variant(name: str, base: str, values: Mapping[str, Literal], doc: str) -> Stmt:
    """The same, made with other numbers."""
    begin = Name("super")().attr("__init__")(**values)
    begin = Call(begin.function, (Unary("**", Name("kwargs")),), begin.keywords)
    init = FunctionDef("__init__", (Parameter("self"), Parameter("**kwargs")), (Expression(begin),))
    return ClassDef(name, (Name(base),), (init,), doc=doc)


def frame(parts: ClassParts) -> Stmt:
    """The class: layers in the name scope, parameters of its own among the arguments of the forward pass.

    MXNet hands every parameter that is an attribute of the block to `hybrid_forward`, as an array or
    as a symbol; one of a layer inside becomes an attribute here too.
    """
    taken = {*names(*parts.forward), *parts.inputs, "self", "F"}
    own = [attribute(w.role, ATTRIBUTES) for w in parts.graph.free_weights]
    arguments: dict[Held, str] = {}
    for held in dict.fromkeys(_held(parts.forward)):
        wanted = _joined(held)
        if wanted in own and wanted not in taken:
            arguments[held] = wanted
        else:
            arguments[held] = distinct(wanted, {*taken, *own, *arguments.values()})
    borrowed = tuple(
        Assign(Name(f"self.{name}"), Attribute(held.value, held.name))
        for held, name in arguments.items()
        if name not in own
    )
    init = (*parts.init, *borrowed)
    scoped: tuple[Stmt, ...] = (With(((Name("self.name_scope")(), None),), init),) if init else ()
    own_parameters = (dataclasses.replace(p, annotation=None) for p in parts.parameters)
    constructor = FunctionDef(
        "__init__",
        (Parameter("self"), *own_parameters, Parameter("**kwargs")),
        (Expression(Name("super")().attr("__init__")(Unary("**", Name("kwargs")))), *scoped),
    )
    held_names = dict.fromkeys([*own, *arguments.values()])
    forward = FunctionDef(
        "hybrid_forward",
        tuple(map(Parameter, ("self", "F", *parts.inputs, *held_names))),
        _with_arguments(parts.forward, arguments) if arguments else parts.forward,
    )
    body: tuple[Stmt, ...] = (constructor, forward) if init else (forward,)
    return ClassDef(parts.name, (Name("gluon.HybridBlock"),), body, doc=parts.doc)


def _held(tree: Any) -> Iterator[Held]:
    if isinstance(tree, Held):
        yield tree
    elif isinstance(tree, tuple):
        for part in tree:
            yield from _held(part)
    elif isinstance(tree, (Expr, Stmt)):
        for child in children(tree):
            yield from _held(child)


def _with_arguments(forward: tuple[Stmt, ...], arguments: Mapping[Held, str]) -> tuple[Stmt, ...]:
    return rewritten(forward, lambda n: Name(arguments[n]) if isinstance(n, Held) else n)


def _joined(expression: Expr) -> str:
    """`embed_weight` for `self.embed.weight`."""
    match expression:
        case Name(text):
            return text.removeprefix("self").lstrip(".").replace(".", "_")
        case Attribute(value, name):
            return f"{_joined(value)}_{name}".lstrip("_")
        case Item(value, Literal(index)):
            return f"{_joined(value)}_{index}"
    raise TypeError(f"no layer: {expression}")


def loop(layers: Comprehension) -> Expr:
    return Name("stack")(Unary("*", layers))


def container(layers: tuple[Expr, ...]) -> Expr:
    return Name("stack")(*layers)


def _detach(node: Node, args: tuple[Expr, ...], forward: Forward) -> Expr:
    """Off the record: cheaper than an operator that stops the gradient."""
    value = args[0]
    return Name(f"{value.text}.detach")() if isinstance(value, Name) else value.attr("detach")()


def reads_place(tensor: Expr, axis: int) -> Expr:
    """A size, where a Symbol has none."""
    return Name("ruler")(Name(PLACE), tensor, axis)


DIALECT = Dialect(
    name="Gluon",
    layers=TABLES.layers,
    functions=TABLES.functions,
    frame=frame,
    variant=variant,
    loop=loop,
    container=container,
    sequence=container,
    weight=free_weight,
    weight_ref=weight_ref,
    standing_in=Functions(),
    legal=TABLES.legal,
    rewrites=TABLES.rewrites,
    typed=typed,
    lacks=LACKS,
    scan=scan,
    imports=IMPORTS,
    helpers=HELPERS,
    size=reads_place,
    forward_names=("self", PLACE),
    # In training functions the name is turned into that of a module, wherever it stands.
    reserved=frozenset({PLACE}),
    reserved_attributes=ATTRIBUTES,
    function_parameters=(PLACE,),
)


def moving_batch_norm(node: Node) -> Expr:
    """The program's own class in place of MXNet's (see `records.moves_once`)."""
    return replace(made_of(NORMALIZATION.natives[BatchNorm], node), function=Name("BatchNorm"))


def training_dialect(blocks: Dialect, taken: Iterable[str]) -> Dialect:
    """That of training steps, whose tensors are arrays. Operators stand under `F` at first (`namespace.py`).

    blocks: of the same file; functions that stand in for ops are written in it. taken: names of the file.
    """
    return replace(
        blocks,
        layers={},
        functions={**TABLES.functions, StopGradient: _detach},
        sequence=None,
        weight=None,
        typed=lambda made, node: made,
        size=lambda tensor, axis: tensor.attr("shape")[axis],
        forward_names=(),
        reserved=frozenset({*taken, PLACE}),
        reserved_attributes=frozenset(),
        functions_in=blocks,
    )
