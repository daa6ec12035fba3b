"""Where things stand in a sequence: numbers of places, and what tells a network of them."""

from __future__ import annotations

from collections.abc import Iterator
from math import log

from nnspec.catalogue.ops.base import Example, Op, Operand, ShapeError, declare
from nnspec.catalogue.ops.derivatives import part
from nnspec.catalogue.ops.helpers import need_float, need_number, normal_axis
from nnspec.catalogue.ops.site import Site, Term
from nnspec.core.dims import symbol
from nnspec.core.dtypes import DTYPES
from nnspec.core.fields import arg
from nnspec.core.kinds import axis, boolean, choice, optional, real, whole
from nnspec.core.types import TensorType

N, T = symbol("N"), symbol("T")
HALVES = ("f16", "bf16")


@declare
class Positions(Op):
    """The numbers of the places along an axis of `x`: 0, 1, 2, ..., as many as there are, exact up to 2^24.

    `[N, T, C]` gives `[T]`, in the element type of `x` unless another is asked for.
    """

    name = "positions"
    axis: int = arg("the axis whose places are counted", axis, default=1)
    dtype: str | None = arg(
        "element type of the result, by default that of `x`",
        optional(choice(*(d for d in DTYPES if d != "bool"))),
        default=None,
    )

    def dtype_for(self, x: TensorType) -> str:
        return self.dtype or x.dtype

    def infer(self, *inputs: TensorType) -> tuple[TensorType, ...]:
        (x,) = inputs
        size = x.shape[normal_axis(self.axis, x.rank)]
        if self.dtype_for(x) == "bool":
            raise ShapeError(f"of {x} needs a `dtype`: numbers are no bool", 0)
        return (TensorType(self.dtype_for(x), (size,)),)

    def expand(self, to: Site, x: Term) -> Term:
        dtype = self.dtype_for(x.type)
        counted = dtype if dtype in ("f32", "f64") else "f32"
        size = x.shape[normal_axis(self.axis, x.rank)]
        numbers = to.cumsum(to.broadcast_to(to.number(1, counted), (size,))) - 1
        return numbers if dtype == counted else to.cast(numbers, dtype)

    @classmethod
    def examples(cls) -> Iterator[Example]:
        x = TensorType("f32", (N, T, 3))
        yield Example(cls(), (x,))
        yield Example(cls(-1), (x,))
        yield Example(cls(dtype="i64"), (x,))
        yield Example(cls(), (TensorType("i64", (N, 5)),))


def wavelengths(to: Site, like: Term, pairs: int, base: float) -> Term:
    """For each pair of features how far it turns from one place to the next: `base ** (-i / pairs)`."""
    numbers = part(to, to.positions(like, axis=-1), 0, 0, pairs)
    return to.exp(to.named("numbers", numbers) * (-log(base) / pairs))


@declare
class Sinusoidal(Op):
    """Sinusoidal encodings of the places of `x` (Vaswani et al. 2017), to be added to it.

    `[N, T, C]` gives `[T, C]`: of place `t`, feature `2 i` is `sin(t / base ** (2 i / C))` and feature
    `2 i + 1` the cosine of the same.
    """

    name = "sinusoidal"
    base: float = arg(
        "the longest wave is `base` times as long as the shortest", real(1), default=10000.0
    )

    def check(self, *inputs: TensorType) -> None:
        (x,) = inputs
        need_float(x)
        if x.rank < 2:
            raise ShapeError(f"expects at least [T, C], found {x}", 0)
        even_width(x, None)

    def expand(self, to: Site, x: Term) -> Term:
        like = to.cast(x, "f32") if x.dtype in HALVES else x
        pairs = even_width(x.type, None) // 2
        places = to.named("places", to.expand_dims(to.positions(like, axis=-2), 1))
        turned = to.named("turned", places * wavelengths(to, like, pairs, self.base))
        waves = to.named("waves", to.stack(to.sin(turned), to.cos(turned), axis=-1))
        waves = to.reshape(waves, (x.shape[-2], 2 * pairs))
        return to.cast(waves, x.dtype) if x.dtype in HALVES else waves

    @classmethod
    def examples(cls) -> Iterator[Example]:
        yield Example(cls(), (TensorType("f32", (N, T, 6)),))
        yield Example(cls(100.0), (TensorType("f32", (N, 5, 4)),))


@declare
class Rotary(Op):
    """Rotary position embedding (Su et al. 2021): pairs of features turn by angles that grow with the place.

    `x` is `[..., T, D]`, places stand on the last axis but one (`[N, heads, T, D]`). Pair `i` of place `t`
    turns by `t * base ** (-2 i / D)`. By default feature `i` is paired with feature `i + D / 2` (the
    halves of GPT-NeoX and Llama); `interleaved` pairs neighbours, `2 i` with `2 i + 1` (the paper's, GPT-J's).
    """

    name = "rotary"
    operands = (Operand("x", "[..., T, D]"),)
    base: float = arg(
        "the longest wave is `base` times as long as the shortest", real(1), default=10000.0
    )
    interleaved: bool = arg("whether neighbours are paired", boolean, default=False)
    width: int | None = arg(
        "how many features turn, the first ones; by default all", optional(whole(2)), default=None
    )

    def check(self, *inputs: TensorType) -> None:
        (x,) = inputs
        need_float(x)
        if x.rank < 2:
            raise ShapeError(f"expects at least [T, D], found {x}", 0)
        even_width(x, self.width)

    def expand(self, to: Site, x: Term) -> Term:
        like = to.cast(x, "f32") if x.dtype in HALVES else x
        width = even_width(x.type, self.width)
        pairs, last = width // 2, x.rank - 1
        places = to.named("places", to.expand_dims(to.positions(like, axis=-2), 1))
        angles = to.named("angles", places * wavelengths(to, like, pairs, self.base))
        cos, sin = to.named("cos", to.cos(angles)), to.named("sin", to.sin(angles))
        if self.interleaved:
            first, second = (part(to, like, last, i, width, 2) for i in (0, 1))
        else:
            end = None if width == x.shape[-1] else width
            first, second = part(to, like, last, 0, pairs), part(to, like, last, pairs, end)
        first, second = to.named("first", first), to.named("second", second)
        turned = first * cos - second * sin, second * cos + first * sin
        if self.interleaved:
            y = to.reshape(to.stack(*turned, axis=-1), (*x.shape[:-1], width))
        else:
            y = to.concat(*turned)
        if width != x.shape[-1]:
            y = to.concat(y, part(to, like, last, width, None))
        return to.cast(y, x.dtype) if x.dtype in HALVES else y

    @classmethod
    def examples(cls) -> Iterator[Example]:
        x = TensorType("f32", (N, 2, T, 6))
        yield Example(cls(), (x,))
        yield Example(cls(100.0, True), (x,))
        yield Example(cls(width=4), (TensorType("f32", (N, 5, 6)),))


def even_width(x: TensorType, asked: int | None) -> int:
    """How many features are paired."""
    size = need_number(x.shape[-1], "the last axis")
    width = size if asked is None else asked
    if width % 2 or width > size:
        raise ShapeError(f"pairs features: {width} of the {size} of {x}", 0)
    return width
