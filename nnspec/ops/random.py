"""Draws."""

from __future__ import annotations

from nnspec.dims import Shape
from nnspec.fields import arg
from nnspec.graph import TensorType
from nnspec.kinds import real, shape
from nnspec.ops.base import Op, declare


@declare
class RandomNormal(Op):
    """Normal numbers, new ones at every evaluation."""

    name = "random_normal"
    operands = ()
    stochastic = True
    shape: Shape = arg("the sizes of the result", shape)
    mean: float = arg("mean", real(), 0.0)
    stddev: float = arg("standard deviation", real(0), 1.0)

    def infer(self, *inputs: TensorType) -> tuple[TensorType, ...]:
        return (TensorType("f32", self.shape),)
