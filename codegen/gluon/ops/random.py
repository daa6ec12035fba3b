"""Random draws."""

from __future__ import annotations

from codegen.gluon.sizes import has_shapes, zeros
from codegen.python.dialect import Result
from codegen.python.native import Table, Use
from codegen.python.source import Expr, Name
from nnspec.catalogue.ops.random import RandomNormal, RandomUniform
from nnspec.core.dims import Shape

TABLE = Table()


@TABLE.rule
def random_normal(op: RandomNormal, use: Use) -> Result:
    return drawn(use, "normal", op.shape, loc=(op.mean, 0), scale=(op.stddev, 1))


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
