"""Draws."""

from __future__ import annotations

from nnspec.catalogue.ops.base import Op, ShapeError, declare
from nnspec.core.dims import Shape
from nnspec.core.fields import arg
from nnspec.core.kinds import real, shape
from nnspec.core.types import TensorType


@declare
class RandomNormal(Op):
    """Normal numbers, new ones at every evaluation."""

    name = "random_normal"
    operands = ()
    stochastic = True
    shape: Shape = arg("the sizes of the result", shape)
    mean: float = arg("mean", real(), default=0.0)
    stddev: float = arg("standard deviation", real(0), default=1.0)

    def infer(self, *inputs: TensorType) -> tuple[TensorType, ...]:
        if -1 in self.shape:
            raise ShapeError("needs every size: nothing tells what -1 would be")
        return (TensorType("f32", self.shape),)
