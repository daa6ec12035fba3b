"""Noise in training; the identity in evaluation."""

from __future__ import annotations

from collections.abc import Iterator

from nnspec.catalogue.ops.base import Example, declare
from nnspec.catalogue.ops.forms import Elementwise
from nnspec.catalogue.ops.helpers import need_float
from nnspec.catalogue.ops.image import Spatial
from nnspec.catalogue.ops.site import Site, Term
from nnspec.core.dims import symbol
from nnspec.core.fields import arg
from nnspec.core.kinds import real
from nnspec.core.types import TensorType

N = symbol("N")


class SpatialDropout(Spatial):
    """Whole features of an example are set to zero."""

    stochastic = True
    modal = True
    rate: float

    def infer(self, *inputs: TensorType) -> tuple[TensorType, ...]:
        self.space(inputs[0])
        return (inputs[0],)

    def expand(self, to: Site, x: Term) -> Term:
        if not to.training:
            return to.identity(x)
        shape = (x.shape[0], *(1,) * self.rank, x.shape[-1])
        return to.where(to.random_bernoulli(shape, 1 - self.rate), x / (1 - self.rate), 0)

    @classmethod
    def examples(cls) -> Iterator[Example]:
        yield Example(cls(0.3), (TensorType("f32", (N, *(5, 3, 4)[: cls.rank], 6)),))


RATE = "share of features set to zero"


@declare
class SpatialDropout1D(SpatialDropout):
    """As `SpatialDropout2D`, for sequences `[N, T, C]`."""

    name = "SpatialDropout1D"
    rank = 1
    rate: float = arg(RATE, real(0, 1, open_high=True))


@declare
class SpatialDropout2D(SpatialDropout):
    """In training set a share of each image's features to zero everywhere, and scale the others by `1 / (1 - rate)`.

    `[N, H, W, C]` keeps its shape. Neighbouring cells are much alike, so that `Dropout` would take
    little away (Tompson et al. 2015). In evaluation the identity.
    """

    name = "SpatialDropout2D"
    rank = 2
    rate: float = arg(RATE, real(0, 1, open_high=True))


@declare
class SpatialDropout3D(SpatialDropout):
    """As `SpatialDropout2D`, for volumes `[N, D, H, W, C]`."""

    name = "SpatialDropout3D"
    rank = 3
    rate: float = arg(RATE, real(0, 1, open_high=True))


SPATIAL_DROPOUTS: tuple[type[SpatialDropout], ...] = (
    SpatialDropout1D,
    SpatialDropout2D,
    SpatialDropout3D,
)


@declare
class GaussianNoise(Elementwise):
    """In training add normal numbers with mean 0, new ones for every element and application.

    The shape stays; in evaluation the identity. (Bishop 1995 shows what it amounts to.)
    """

    name = "GaussianNoise"
    stochastic = True
    modal = True
    stddev: float = arg("standard deviation of the noise", real(0))

    def infer(self, *inputs: TensorType) -> tuple[TensorType, ...]:
        need_float(*inputs)
        return (inputs[0],)

    def expand(self, to: Site, x: Term) -> Term:
        if not to.training:
            return to.identity(x)
        noise = to.random_normal(x.shape, 0.0, self.stddev)
        return x + (noise if noise.dtype == x.dtype else to.cast(noise, x.dtype))

    @classmethod
    def examples(cls) -> Iterator[Example]:
        yield Example(cls(0.3), (TensorType("f32", (N, 5)),))
        yield Example(cls(0.1), (TensorType("f32", (N, 5, 3, 4)),))
