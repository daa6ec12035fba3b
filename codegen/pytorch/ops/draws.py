"""New tensors: draws, numbers of the spec, and numbers repeated to a shape."""

from __future__ import annotations

from codegen.python.dialect import Result
from codegen.python.native import Table, Use
from codegen.python.source import Call, Expr, Literal, Name, Tuple
from codegen.pytorch.dtypes import DTYPES
from nnspec.catalogue.ops.arranging import BroadcastTo
from nnspec.catalogue.ops.random import RandomNormal, RandomUniform
from nnspec.catalogue.ops.tables import Numbers, consecutive, lists
from nnspec.core.dims import Shape

TABLE = Table()


def beside(made: Call, use: Use) -> Call:
    """On the device of a tensor at hand."""
    tensor = use.forward.any_input()
    return made if tensor is None else made.with_keyword("device", tensor.attr("device"))


def drawn(name: str, shape: Shape, use: Use) -> Call:
    return beside(Name(name)(*map(use.forward.size, shape)), use)


@TABLE.rule
def numbers(op: Numbers, use: Use) -> Result:
    counted = consecutive(op)
    made = Name("torch.arange")(*counted) if counted else Name("torch.tensor")(lists(op))
    # What PyTorch makes of such numbers by itself.
    own = op.dtype == "i64" or op.dtype == "f32" and not counted
    return beside(made if own else made.with_keyword("dtype", Name(DTYPES[op.dtype])), use)


@TABLE.rule
def random_normal(op: RandomNormal, use: Use) -> Result:
    return stretched(drawn("torch.randn", op.shape, use), op.stddev, op.mean)


@TABLE.rule
def random_uniform(op: RandomUniform, use: Use) -> Result:
    return stretched(drawn("torch.rand", op.shape, use), op.high - op.low, op.low)


def stretched(x: Expr, factor: float, shift: float) -> Expr:
    x = x if factor == 1 else Literal(factor) * x
    return x if shift == 0 else Literal(shift) + x


@TABLE.rule
def broadcast_to(op: BroadcastTo, use: Use, x: Expr) -> Result:
    sizes = tuple(map(use.forward.size, op.shape))
    if not isinstance(x, Literal):
        return x.attr("expand")(*sizes)
    dtype = use.types[0].dtype
    named = "zeros" if x.value == 0 else "ones" if x.value == 1 else None
    given = (Tuple(sizes),) if named else (Tuple(sizes), x)
    if (tensor := use.forward.any_input(dtype)) is not None:
        return tensor.attr(f"new_{named or 'full'}")(*given)
    made = Name(f"torch.{named or 'full'}")(*given, dtype=Name(DTYPES[dtype]))
    return beside(made, use)
