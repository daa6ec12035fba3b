"""New tensors: random draws, and numbers of the spec."""

from __future__ import annotations

from codegen.gluon.dtypes import DTYPES, check_whole
from codegen.gluon.sizes import has_shapes, zeros
from codegen.python.dialect import Result, UnsupportedOp
from codegen.python.native import Table, Use
from codegen.python.source import Comprehension, Expr, List, Literal, Name, Tuple, Unary
from nnspec.catalogue.ops.random import RandomNormal, RandomUniform
from nnspec.catalogue.ops.tables import Numbers, consecutive, numbers, shape
from nnspec.core.dims import Shape

TABLE = Table()


@TABLE.rule
def random_normal(op: RandomNormal, use: Use) -> Result:
    return drawn(use, "normal", op.shape, loc=(op.mean, 0), scale=(op.stddev, 1))


@TABLE.rule
def tensor(op: Numbers, use: Use) -> Result:
    """Symbols are made of numbers by `full` alone, which makes equal ones."""
    if op.dtype not in DTYPES:
        raise UnsupportedOp(use.node, "Gluon", f"MXNet 1.9.1 has no {op.dtype}")
    kind = {} if op.dtype == "f32" else {"dtype": DTYPES[op.dtype]}
    given, sizes = tuple(numbers(op.values)), shape(op.values)
    for number in given:
        check_whole(number, use.node)
    if counted := consecutive(op):
        return Name("F.arange")(*counted, **kind)
    if not sizes:  # a single number is an array of one
        return Name("F.full")(Tuple((Literal(1),)), Literal(given[0]), **kind)
    one = Name("F.full")(Tuple((Literal(1),)), Name("value"), **kind)
    each = Comprehension(one, Name("value"), List(tuple(map(Literal, given))))
    made = Name("F.concat")(Unary("*", each), dim=0)
    return made if len(sizes) == 1 else Name("F.reshape")(made, shape=sizes)


@TABLE.rule
def random_uniform(op: RandomUniform, use: Use) -> Result:
    return drawn(use, "uniform", op.shape, low=(op.low, 0), high=(op.high, 1))


def drawn(use: Use, name: str, shape: Shape, **settings: tuple[float, float]) -> Expr:
    """Numbers of a distribution; of its settings, those that are not MXNet's own."""
    given = {key: value for key, (value, own) in settings.items() if value != own}
    if has_shapes(use) or all(isinstance(d, int) for d in shape):
        sizes = tuple(map(use.forward.size, shape)) or (1,)
        return Name(f"F.random.{name}")(**given, shape=sizes)
    return Name(f"F.random.{name}_like")(zeros(use, shape), **given)
