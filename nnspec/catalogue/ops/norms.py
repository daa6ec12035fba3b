"""Normalisation of each example by itself: alike in training and evaluation."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from nnspec.catalogue.initializers import Ones, Zeros
from nnspec.catalogue.ops.base import Example, Op, Reordered, ShapeError, WeightSpec, declare
from nnspec.catalogue.ops.derivatives import part
from nnspec.catalogue.ops.forms import Forms, Types
from nnspec.catalogue.ops.helpers import need_float, need_number, normal_axes
from nnspec.catalogue.ops.image import Featured
from nnspec.catalogue.ops.site import Site, Term
from nnspec.core.dims import Dim, product, symbol
from nnspec.core.fields import arg
from nnspec.core.kinds import axes, boolean, real, whole
from nnspec.core.orders import first_form
from nnspec.core.types import TensorType

N, T = symbol("N"), symbol("T")


def standardized(to: Site, x: Term, over: tuple[int, ...], epsilon: float) -> Term:
    """With mean 0 and, but for epsilon, variance 1 over these axes."""
    centred = x - to.mean(x, axis=over, keepdims=True)
    variance = to.mean(centred * centred, axis=over, keepdims=True)
    return centred / to.sqrt(variance + epsilon)


def sizes_along(x: TensorType, over: tuple[int, ...]) -> tuple[int, ...]:
    """The shape of a weight that differs along these axes."""
    return tuple(need_number(x.shape[i], "a normalised axis") for i in over)


def are_last(over: tuple[int, ...], rank: int) -> bool:
    """Whether these are the last axes."""
    return over == tuple(range(rank - len(over), rank))


def affine(shape: tuple[int, ...], scale: bool, offset: bool) -> tuple[WeightSpec, ...]:
    """A scale and an offset, or one of them."""
    return (
        *([WeightSpec("weight", shape, Ones())] if scale else []),
        *([WeightSpec("bias", shape, Zeros())] if offset else []),
    )


def spread(to: Site, weight: Term, x: Term, over: tuple[int, ...]) -> Term:
    """A weight that differs along these axes, to be joined with `x`."""
    if are_last(over, x.rank):
        return weight
    return to.reshape(weight, tuple(d if i in over else 1 for i, d in enumerate(x.shape)))


class OverAxes(Op):
    """Statistics over some axes, for each place of the others by itself."""

    takes_activation = True
    axis: tuple[int, ...]

    def over(self, x: TensorType | Term) -> tuple[int, ...]:
        """The axes, counted from 0."""
        return normal_axes(self.axis, len(x.shape))

    def infer(self, *inputs: TensorType) -> tuple[TensorType, ...]:
        need_float(*inputs)
        self.over(inputs[0])
        return (inputs[0],)


@declare
class LayerNorm(OverAxes):
    """Mean 0 and variance 1 over the features of each place, then a scale and an offset (Ba et al. 2016).

    `[..., C]` keeps its shape: `(x - mean) / sqrt(variance + epsilon) * weight + bias`, the variance
    biased. With `axis` over other axes or several, along which `weight` and `bias` differ too.
    """

    name = "LayerNorm"
    axis: tuple[int, ...] = arg(
        "the axis, or axes, that are normalised together", axes, default=(-1,)
    )
    epsilon: float = arg("added to the variance", real(0), default=1e-5)
    scale: bool = arg("whether the result is scaled by a weight", boolean, default=True)
    offset: bool = arg("whether a bias is added", boolean, default=True)

    def expand(
        self, to: Site, x: Term, weight: Term | None = None, bias: Term | None = None
    ) -> Term:
        over = self.over(x)
        y = standardized(to, x, over, self.epsilon)
        y = y if weight is None else y * spread(to, weight, x, over)
        return y if bias is None else y + spread(to, bias, x, over)

    def weights(self, *inputs: TensorType) -> tuple[WeightSpec, ...]:
        if not self.scale and not self.offset:
            return ()
        shape = sizes_along(inputs[0], self.over(inputs[0]))
        return affine(shape, self.scale, self.offset)

    @classmethod
    def examples(cls) -> Iterator[Example]:
        image = TensorType("f32", (N, 5, 3, 4))
        yield Example(cls(), (TensorType("f32", (N, 7)),))
        yield Example(cls(), (TensorType("f32", (N, T, 6)),))
        yield Example(cls(epsilon=1e-3), (image,))
        yield Example(cls((-2, -1)), (TensorType("f32", (2, 3, 2, 4, 5)),))
        yield Example(cls((1, 2, 3), offset=False), (image,))
        yield Example(cls((1,)), (TensorType("f32", (N, 5, 3)),))
        yield Example(cls(scale=False), (TensorType("f32", (3, 5, 4)),))
        yield Example(cls(scale=False, offset=False), (TensorType("f32", (N, T, 6)),))


@declare
class RMSNorm(OverAxes):
    """The features of each place divided by their root mean square, then scaled (Zhang and Sennrich 2019).

    `[..., C]` keeps its shape: `x / sqrt(mean(x * x) + epsilon) * weight`. Nothing is subtracted, and
    there is no offset. With `axis` over other axes or several, along which `weight` differs too.
    """

    name = "RMSNorm"
    axis: tuple[int, ...] = arg(
        "the axis, or axes, that are normalised together", axes, default=(-1,)
    )
    epsilon: float = arg("added to the mean square", real(0), default=1e-6)
    scale: bool = arg("whether the result is scaled by a weight", boolean, default=True)

    def expand(self, to: Site, x: Term, weight: Term | None = None) -> Term:
        over = self.over(x)
        y = x / to.sqrt(to.mean(x * x, axis=over, keepdims=True) + self.epsilon)
        return y if weight is None else y * spread(to, weight, x, over)

    def weights(self, *inputs: TensorType) -> tuple[WeightSpec, ...]:
        if not self.scale:
            return ()
        return (WeightSpec("weight", sizes_along(inputs[0], self.over(inputs[0])), Ones()),)

    @classmethod
    def examples(cls) -> Iterator[Example]:
        yield Example(cls(), (TensorType("f32", (N, 7)),))
        yield Example(cls(), (TensorType("f32", (N, T, 6)),))
        yield Example(cls((-2, -1), epsilon=1e-2), (TensorType("f32", (N, 5, 3, 4)),))
        yield Example(cls((1,)), (TensorType("f32", (2, 5, 3)),))
        yield Example(cls(scale=False), (TensorType("f32", (N, 3, 5)),))


class OverSpace(Featured):
    """Statistics over space, for each example by itself; a scale and an offset of each feature."""

    takes_activation = True

    def flops(self, inputs: tuple[TensorType, ...], outputs: tuple[TensorType, ...]) -> Dim:
        return product(outputs[0].shape) * 8

    def reordered(self, forms: Forms, inputs: Types, outputs: Types) -> Reordered | None:
        if inputs[0].rank == 2:
            return None
        wanted = (first_form(inputs[0].rank),)
        return Reordered(replace(self, channels_first=True), wanted, wanted)


@declare
class GroupNorm(OverSpace):
    """Mean 0 and variance 1 of each group of features over all of space (Wu and He 2018).

    `[N, ..., C]` keeps its shape: the features are `groups` runs of `C / groups`, each normalised in
    each example by itself, with the biased variance; then each feature has a scale and an offset.
    One group normalises a whole example.
    """

    name = "GroupNorm"
    groups: int = arg("how many groups the features are", whole(1))
    epsilon: float = arg("added to the variance", real(0), default=1e-5)
    scale: bool = arg("whether features are scaled by a weight", boolean, default=True)
    offset: bool = arg("whether a bias is added", boolean, default=True)

    def infer(self, *inputs: TensorType) -> tuple[TensorType, ...]:
        (x,) = inputs
        if x.rank < 2:
            raise ShapeError(f"expects at least [N, C], found {x}", 0)
        need_float(x)
        channels = need_number(self.logical(x)[-1], "the feature axis")
        if channels % self.groups:
            raise ShapeError(f"cannot split {channels} features into {self.groups} groups", 0)
        return (x,)

    def expand(
        self, to: Site, x: Term, weight: Term | None = None, bias: Term | None = None
    ) -> Term:
        apart = to.reshape(x, (*x.shape[:-1], self.groups, x.shape[-1] // self.groups))
        over = (*range(1, x.rank - 1), x.rank)
        y = to.reshape(standardized(to, apart, over, self.epsilon), x.shape)
        y = y if weight is None else y * weight
        return y if bias is None else y + bias

    def weights(self, *inputs: TensorType) -> tuple[WeightSpec, ...]:
        shape = (need_number(self.logical(inputs[0])[-1], "the feature axis"),)
        return affine(shape, self.scale, self.offset)

    @classmethod
    def examples(cls) -> Iterator[Example]:
        image = TensorType("f32", (N, 5, 3, 6))
        yield Example(cls(3), (image,))
        yield Example(cls(1, epsilon=1e-3), (image,))
        yield Example(cls(2), (TensorType("f32", (N, 6)),))
        yield Example(cls(2, scale=False), (TensorType("f32", (N, T, 4)),))
        yield Example(cls(2, offset=False), (TensorType("f32", (2, 3, 2, 5, 4)),))
        yield Example(cls(6), (TensorType("f32", (2, 1, 1, 6)),))


@declare
class InstanceNorm(OverSpace):
    """Mean 0 and variance 1 of each feature over the space of each example (Ulyanov et al. 2016).

    `[N, ..., C]` keeps its shape, with a scale and an offset of each feature; the variance is biased. No
    running statistics are kept: it is the same in training and in evaluation.
    """

    name = "InstanceNorm"
    epsilon: float = arg("added to the variance", real(0), default=1e-5)
    scale: bool = arg("whether features are scaled by a weight", boolean, default=True)
    offset: bool = arg("whether a bias is added", boolean, default=True)

    def infer(self, *inputs: TensorType) -> tuple[TensorType, ...]:
        (x,) = inputs
        if x.rank < 3:
            raise ShapeError(f"expects a sequence, an image or a volume [N, ..., C], found {x}", 0)
        need_float(x)
        return (x,)

    def expand(
        self, to: Site, x: Term, weight: Term | None = None, bias: Term | None = None
    ) -> Term:
        y = standardized(to, x, tuple(range(1, x.rank - 1)), self.epsilon)
        y = y if weight is None else y * weight
        return y if bias is None else y + bias

    def weights(self, *inputs: TensorType) -> tuple[WeightSpec, ...]:
        shape = (need_number(self.logical(inputs[0])[-1], "the feature axis"),)
        return affine(shape, self.scale, self.offset)

    @classmethod
    def examples(cls) -> Iterator[Example]:
        yield Example(cls(), (TensorType("f32", (N, 5, 3, 4)),))
        yield Example(cls(epsilon=1e-3), (TensorType("f32", (N, T, 6)),))
        yield Example(cls(scale=False), (TensorType("f32", (2, 5, 3)),))
        yield Example(cls(offset=False), (TensorType("f32", (2, 3, 2, 5, 4)),))
        yield Example(cls(scale=False, offset=False), (TensorType("f32", (N, 5, 3, 4)),))
        yield Example(cls(), (TensorType("f32", (2, 1, 1, 3)),))


@declare
class LocalResponseNorm(Featured):
    """Each feature divided by a power of what its neighbours among the features have (Krizhevsky et al. 2012).

    `[N, ..., C]` keeps its shape: `x / (k + alpha * s) ** beta`, where `s` is the sum of the squares of `size`
    features around each, `size // 2` before and `(size - 1) // 2` behind, divided by `size`; beyond the first and
    the last there are zeros. (The paper does not divide: its alpha is this one divided by `size`.)
    """

    name = "local_response_norm"
    size: int = arg("how many neighbouring features count", whole(1, 1024))
    alpha: float = arg("factor of the mean square", real(0), default=1e-4)
    beta: float = arg("the power", real(0), default=0.75)
    k: float = arg("added to it", real(0), default=1.0)

    def infer(self, *inputs: TensorType) -> tuple[TensorType, ...]:
        (x,) = inputs
        if x.rank < 3:
            raise ShapeError(f"expects a sequence, an image or a volume [N, ..., C], found {x}", 0)
        need_float(x)
        return (x,)

    def expand(self, to: Site, x: Term) -> Term:
        axis, size = x.rank - 1, self.size
        channels = need_number(x.shape[-1], "the feature axis")
        around = ((0, 0),) * axis + ((size // 2, (size - 1) // 2),)
        squares = to.pad(x * x, around)
        total = part(to, squares, axis, 0, channels)
        for start in range(1, size):
            total = total + part(to, squares, axis, start, start + channels)
        return x / (total * (self.alpha / size) + self.k) ** self.beta

    def flops(self, inputs: tuple[TensorType, ...], outputs: tuple[TensorType, ...]) -> Dim:
        return product(outputs[0].shape) * (self.size + 5)

    def reordered(self, forms: Forms, inputs: Types, outputs: Types) -> Reordered | None:
        wanted = (first_form(inputs[0].rank),)
        return Reordered(replace(self, channels_first=True), wanted, wanted)

    @classmethod
    def examples(cls) -> Iterator[Example]:
        yield Example(cls(5), (TensorType("f32", (N, 5, 3, 7)),))
        yield Example(cls(3, alpha=0.5, beta=0.6, k=2.0), (TensorType("f32", (N, T, 5)),))
        yield Example(cls(4, alpha=0.5), (TensorType("f32", (2, 3, 4, 6)),))
