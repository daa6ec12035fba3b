"""Shapes, parts and element types."""

from __future__ import annotations

from codegen.keras.dtypes import DTYPES
from codegen.python.dialect import Result
from codegen.python.native import Table, Use
from codegen.python.source import Expr, Literal, Name, Tuple
from codegen.python.subscripts import part
from codegen.rules import at, function, names, operand
from nnspec.catalogue.ops.elementwise import Constant, Identity, StopGradient
from nnspec.catalogue.ops.random import RandomNormal
from nnspec.catalogue.ops.shaping import Cast, Concat, Flatten, Reshape, Slice, Transpose
from nnspec.catalogue.ops.tables import Numbers, consecutive, lists
from nnspec.core.dims import Shape
from nnspec.graph.graph import Node

TABLE = Table()
TABLE.add(
    operand(Identity, chain="layers.Identity"),
    function(StopGradient, "ops.stop_gradient"),
    function(Cast, "ops.cast", at("dtype", form=names(DTYPES))),
)
TABLE.rules[Slice] = part


def reshaped(x: Expr, shape: Shape, use: Use) -> Expr:
    """One size that is not known while compiling is left to Keras, as is a batch of one; others are read at run time."""
    if shape[:1] == use.types[0].shape[:1] == (1,):
        shape = (-1, *shape[1:]) if all(isinstance(d, int) and d > 0 for d in shape) else shape
    unknown = [i for i, d in enumerate(shape) if not isinstance(d, int) or d == -1]
    sizes: list[Expr] = []
    for i, size in enumerate(shape):
        left_open = i == unknown[0] if unknown and -1 not in shape else size == -1
        if left_open:
            sizes.append(Literal(-1))
        elif isinstance(size, int):
            sizes.append(Literal(size, "size"))
        else:
            sizes.append(use.forward.size(size))
    return Name("ops.reshape")(x, Tuple(tuple(sizes)))


@TABLE.rule
def flatten(op: Flatten, use: Use, x: Expr) -> Result:
    return reshaped(x, use.node.outputs[0].type.shape, use)


@TABLE.chain
def flatten_in_chain(op: Flatten, node: Node) -> Expr:
    return Name("layers.Flatten")()


@TABLE.rule
def reshape(op: Reshape, use: Use, x: Expr) -> Result:
    (made,) = op.infer(*use.types)
    # What -1 stands for is told where it is known: a layer behind it could not be built without.
    sizes = tuple(
        known if asked == -1 and isinstance(known, int) else asked
        for asked, known in zip(op.shape, made.shape, strict=True)
    )
    return reshaped(x, sizes, use)


@TABLE.rule
def transpose(op: Transpose, use: Use, x: Expr) -> Result:
    order = op.order(use.rank)
    # Without axes Keras turns all of them round.
    turned = order == tuple(reversed(range(len(order))))
    return Name("ops.transpose")(x) if turned else Name("ops.transpose")(x, order)


@TABLE.rule
def concat(op: Concat, use: Use, *x: Expr) -> Result:
    return Name("ops.concatenate")(list(x), axis=op.axis)


@TABLE.rule
def constant(op: Constant, use: Use) -> Result:
    return Literal(op.value)


@TABLE.rule
def numbers(op: Numbers, use: Use) -> Result:
    if counted := consecutive(op):
        return Name("ops.arange")(*counted, dtype=DTYPES[op.dtype])
    made = Name("ops.convert_to_tensor")(lists(op))
    return made if op.dtype == "f32" else made.with_keyword("dtype", DTYPES[op.dtype])


@TABLE.rule
def random_normal(op: RandomNormal, use: Use) -> Result:
    made = Name("keras.random.normal")(Tuple(tuple(map(use.forward.size, op.shape))))
    made = made if op.mean == 0 else made.with_keyword("mean", op.mean)
    return made if op.stddev == 1 else made.with_keyword("stddev", op.stddev)
