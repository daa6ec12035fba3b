"""Activations that bend at zero: as they are above it, flat, leaning or curved below."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from nnspec.catalogue.initializers import Constant, Initializer, initializer
from nnspec.catalogue.ops.base import Example, Reordered, ShapeError, WeightSpec, declare
from nnspec.catalogue.ops.elementwise import Unary
from nnspec.catalogue.ops.forms import Forms, Types
from nnspec.catalogue.ops.helpers import need_float, need_number
from nnspec.catalogue.ops.image import Featured
from nnspec.catalogue.ops.site import Site, Term
from nnspec.core.dims import Dim, product, symbol
from nnspec.core.fields import arg
from nnspec.core.kinds import real
from nnspec.core.orders import first_form
from nnspec.core.types import TensorType

N = symbol("N")


@declare
class Relu6(Unary):
    """`min(max(x, 0), 6)` (Krizhevsky 2010). At both ends the gradient is 0: `x -> Dense(8) -> relu6`."""

    name = "relu6"

    def expand(self, to: Site, x: Term) -> Term:
        return to.where(x < 6, to.relu(x), 6)


@declare
class LeakyRelu(Unary):
    """`x` above 0, `negative_slope * x` below (Maas et al. 2013). The slope is PyTorch's 0.01; Keras's layer has 0.3, its
    function 0.2: `leaky_relu(x, negative_slope = 0.2)`."""

    name = "leaky_relu"
    negative_slope: float = arg("by what `x` is multiplied below 0", real(), default=0.01)

    def expand(self, to: Site, x: Term) -> Term:
        return to.where(x > 0, x, self.negative_slope * x)

    @classmethod
    def examples(cls) -> Iterator[Example]:
        yield Example(cls(), (TensorType("f32", (N, 5)),))
        yield Example(cls(0.25), (TensorType("f32", (2, 3, 5, 4)),))


def below(to: Site, x: Term) -> Term:
    """`x` where it is not above 0, else 0: of what lies above, no exponential overflows."""
    return to.where(x > 0, 0, x)


@declare
class Elu(Unary):
    """`x` above 0, `alpha * (exp(x) - 1)` below (Clevert et al. 2016): `elu(x, alpha = 0.5)`."""

    name = "elu"
    alpha: float = arg("how far down it goes", real(), default=1.0)

    def expand(self, to: Site, x: Term) -> Term:
        return to.where(x > 0, x, self.alpha * to.expm1(below(to, x)))

    @classmethod
    def examples(cls) -> Iterator[Example]:
        yield Example(cls(), (TensorType("f32", (N, 5)),))
        yield Example(cls(0.5), (TensorType("f32", (2, 3, 5, 4)),))


@declare
class Selu(Unary):
    """`scale * elu(x, alpha)`, with the numbers that keep mean 0 and variance 1 through layers (Klambauer et al. 2017):
    `Dense(8, activation = selu, kernel_initializer = lecun_normal)`."""

    name = "selu"

    def expand(self, to: Site, x: Term) -> Term:
        return 1.0507009873554805 * to.elu(x, alpha=1.6732632423543772)


@declare
class Celu(Unary):
    """`x` above 0, `alpha * (exp(x / alpha) - 1)` below: its slope at 0 is 1 for any `alpha` (Barron 2017):
    `celu(x, alpha = 0.5)`."""

    name = "celu"
    alpha: float = arg("how far down it goes, not 0", real(), default=1.0)

    def infer(self, *inputs: TensorType) -> tuple[TensorType, ...]:
        if self.alpha == 0:
            raise ShapeError("divides by `alpha`, which is 0")
        return super().infer(*inputs)

    def expand(self, to: Site, x: Term) -> Term:
        return to.where(x > 0, x, self.alpha * to.expm1(below(to, x) / self.alpha))

    @classmethod
    def examples(cls) -> Iterator[Example]:
        yield Example(cls(), (TensorType("f32", (N, 5)),))
        yield Example(cls(0.5), (TensorType("f32", (2, 3, 5, 4)),))


@declare
class PReLU(Featured):
    """`x` above 0, below it `x` times a slope that is learnt for each feature (He et al. 2015).

    `[..., C]` stays `[..., C]`, with one weight of C numbers: what stands at different places of an image shares
    it. The slopes begin at 0.25, as in the paper and in PyTorch (Keras begins at 0 and has one for each place):
    `x -> Conv2D(8, kernel = 3) -> PReLU`.
    """

    name = "PReLU"
    alpha_initializer: Initializer = arg(
        "how the slopes begin", initializer, default=Constant(0.25)
    )

    def infer(self, *inputs: TensorType) -> tuple[TensorType, ...]:
        (x,) = inputs
        if x.rank < 2:
            raise ShapeError(f"expects at least [N, C], found {x}", 0)
        need_float(x)
        return (x,)

    def expand(self, to: Site, x: Term, weight: Term) -> Term:
        return to.where(x > 0, x, weight * x)

    def weights(self, *inputs: TensorType) -> tuple[WeightSpec, ...]:
        features = need_number(self.logical(inputs[0])[-1], "the feature axis")
        return (WeightSpec("weight", (features,), self.alpha_initializer),)

    def flops(self, inputs: tuple[TensorType, ...], outputs: tuple[TensorType, ...]) -> Dim:
        return product(outputs[0].shape)

    def reordered(self, forms: Forms, inputs: Types, outputs: Types) -> Reordered | None:
        (form,), (x,) = forms, inputs
        if x.rank == 2:
            return Reordered(self, forms, forms, {"weight": 0}) if form.grid else None
        second = form if form.order[:2] == (0, x.rank - 1) else first_form(x.rank)
        return Reordered(replace(self, channels_first=True), (second,), (second,))

    @classmethod
    def examples(cls) -> Iterator[Example]:
        yield Example(cls(), (TensorType("f32", (N, 6)),))
        yield Example(cls(), (TensorType("f32", (N, 7, 5)),))
        yield Example(cls(Constant(0.5)), (TensorType("f32", (N, 5, 3, 4)),))
