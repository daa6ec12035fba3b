"""Draws."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from nnspec.catalogue.ops.base import Example, Op, ShapeError, declare
from nnspec.catalogue.ops.site import Site, Term
from nnspec.core.dims import Shape
from nnspec.core.fields import arg
from nnspec.core.kinds import real, shape
from nnspec.core.types import TensorType

if TYPE_CHECKING:
    import numpy as np

    from nnspec.catalogue.ops.base import Array


class Draw(Op):
    """New numbers at every evaluation."""

    operands = ()
    stochastic = True
    shape: Shape

    def infer(self, *inputs: TensorType) -> tuple[TensorType, ...]:
        if -1 in self.shape:
            raise ShapeError("needs every size: nothing tells what -1 would be")
        return (TensorType("f32", self.shape),)

    def sizes(self) -> tuple[int, ...]:
        """The sizes, numbers by the time something is drawn."""
        return tuple(d for d in self.shape if isinstance(d, int))

    @classmethod
    def examples(cls) -> Iterator[Example]:
        yield Example(cls(shape=(3, 5)), ())


@declare
class RandomNormal(Draw):
    """Normal numbers, new ones at every evaluation."""

    name = "random_normal"
    shape: Shape = arg("the sizes of the result", shape)
    mean: float = arg("mean", real(), default=0.0)
    stddev: float = arg("standard deviation", real(0), default=1.0)

    def draw(self, generator: np.random.Generator) -> Array:
        return generator.normal(self.mean, self.stddev, self.sizes()).astype("float32")


@declare
class RandomUniform(Draw):
    """Numbers that are equally likely from `low` up to, not including, `high`; new ones at every evaluation."""

    name = "random_uniform"
    shape: Shape = arg("the sizes of the result", shape)
    low: float = arg("the least", real(), default=0.0)
    high: float = arg("what they stay below", real(), default=1.0)

    def draw(self, generator: np.random.Generator) -> Array:
        unit = generator.random(self.sizes(), "float32")
        return self.low + unit * (self.high - self.low)


@declare
class RandomBernoulli(Draw):
    """Coins: true with a probability, new ones at every evaluation."""

    name = "random_bernoulli"
    shape: Shape = arg("the sizes of the result", shape)
    probability: float = arg("of true", real(0, 1), default=0.5)

    def infer(self, *inputs: TensorType) -> tuple[TensorType, ...]:
        return (TensorType("bool", super().infer()[0].shape),)

    def expand(self, to: Site) -> Term:
        return to.random_uniform(self.shape) < self.probability
