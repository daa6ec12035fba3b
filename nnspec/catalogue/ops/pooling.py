"""Pooling over sequences `[N, T, C]`, images `[N, H, W, C]` and volumes `[N, D, H, W, C]`."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from math import prod
from typing import Any

from nnspec.catalogue.ops.base import Example, Reordered, ShapeError, declare
from nnspec.catalogue.ops.forms import Forms, Types, order_of
from nnspec.catalogue.ops.helpers import need_float, need_number, need_rank
from nnspec.catalogue.ops.image import Featured, Window, Windowed, per_axis
from nnspec.catalogue.ops.site import Site, Term
from nnspec.catalogue.ops.windows import Pads
from nnspec.core.declare import declaration
from nnspec.core.dims import Dim, product, symbol
from nnspec.core.kinds import optional, padding, sizes
from nnspec.core.orders import plain_form
from nnspec.core.types import TensorType

N = symbol("N")


@declaration
class Pool(Windowed):
    """What all poolings share: a window, a step (by default the window), padding."""

    size: tuple[int, ...] = per_axis("size of a window along each axis", sizes)
    stride: tuple[int, ...] | None = per_axis(
        "step; none is the size", lambda rank: optional(sizes(rank)), default=None
    )
    padding: str | Pads = per_axis(
        "what surrounds the input", lambda rank: padding(rank, "valid", "same"), default="valid"
    )

    @property
    def step(self) -> tuple[int, ...]:
        return self.stride or self.size

    @property
    def window(self) -> Window:
        return Window(self.size, self.step, (1,) * self.rank, self.padding)

    def infer(self, *inputs: TensorType) -> tuple[TensorType, ...]:
        (x,) = inputs
        space = self.space(x)
        if not isinstance(self.padding, str):
            for pads, cells in zip(self.padding, self.size, strict=True):
                if max(pads) >= cells:
                    raise ShapeError(
                        f"has windows of {cells} cells that padding of {max(pads)} could fill alone",
                        help=f"pad by less than {cells}",
                    )
        n, *_, features = self.logical(x)
        return (self.physical(x, (n, *self.places(space), features)),)

    def flops(self, inputs: tuple[TensorType, ...], outputs: tuple[TensorType, ...]) -> Dim:
        return product(outputs[0].shape) * prod(self.size)

    @classmethod
    def examples(cls) -> Iterator[Example]:
        rank = cls.rank
        x = TensorType("f32", (N, *(9, 7, 5)[:rank], 4))
        two, three, one = (2, 2, 2)[:rank], (3, 3, 3)[:rank], (1, 1, 1)[:rank]
        yield Example(cls(two), (x,))
        yield Example(cls((3, 2, 2)[:rank], (2, 3, 1)[:rank]), (x,))
        yield Example(cls(three, one, "same"), (x,))
        small = TensorType("f32", (N, *(2, 5, 4)[:rank], 4))  # a window that reaches beyond
        yield Example(cls(three, one, "same"), (small,))
        yield Example(cls(two, padding="same"), (x,))
        yield Example(cls(three, two, ((1, 1),) * rank), (x,))
        yield Example(cls(three, two, ((0, 1), (1, 0), (1, 1))[:rank]), (x,))


@declaration
class MaxPool(Pool):
    """The greatest value of each window; padding never wins (it counts as -inf)."""

    def expand(self, to: Site, x: Term) -> Term:
        return to.max_window(x, steps=self.step, pads=self.known_pads(x.type), cells=self.size)


@declare
class MaxPool1D(MaxPool):
    """The greatest value of each window along a sequence; padding never wins (it counts as -inf)."""

    name = "MaxPool1D"
    rank = 1


@declare
class MaxPool2D(MaxPool):
    """The greatest value of each window; padding never wins (it counts as -inf)."""

    name = "MaxPool2D"
    rank = 2


@declare
class MaxPool3D(MaxPool):
    """The greatest value of each window of a volume; padding never wins (it counts as -inf)."""

    name = "MaxPool3D"
    rank = 3


@declaration
class AvgPool(Pool):
    """The mean of each window; padding is left out of sum and divisor."""

    def expand(self, to: Site, x: Term) -> Term:
        """Sums of windows, by how many cells of each are no padding."""
        channels = need_number(x.shape[-1], "the number of channels")
        one = to.number(1, x.dtype)
        sliding: dict[str, Any] = {
            "steps": self.step,
            "pads": self.known_pads(x.type),
            "spread": (1,) * self.rank,
        }
        ones = to.broadcast_to(one, (channels, 1, *self.size))
        total = to.convolution(x, ones, **sliding, groups=channels)
        cell = to.broadcast_to(one, (1, 1, *self.size))
        within = to.broadcast_to(one, (1, *x.shape[1:-1], 1))
        return total / to.convolution(within, cell, **sliding)


@declare
class AvgPool1D(AvgPool):
    """The mean of each window along a sequence; padding is left out of sum and divisor."""

    name = "AvgPool1D"
    rank = 1


@declare
class AvgPool2D(AvgPool):
    """The mean of each window; padding is left out of sum and divisor."""

    name = "AvgPool2D"
    rank = 2


@declare
class AvgPool3D(AvgPool):
    """The mean of each window of a volume; padding is left out of sum and divisor."""

    name = "AvgPool3D"
    rank = 3


@declare
class GlobalAvgPool(Featured):
    """The mean of each feature over all of space: `[N, H, W, C]` becomes `[N, C]`, likewise `[N, T, C]`."""

    name = "global_avg_pool"
    over_space = True

    def infer(self, *inputs: TensorType) -> tuple[TensorType, ...]:
        (x,) = inputs
        need_rank(x, 3, 4, 5, what="a sequence, an image or a volume [N, ..., C]")
        need_float(x)
        n, *_, features = self.logical(x)
        return (x.with_shape((n, features)),)

    def expand(self, to: Site, x: Term) -> Term:
        return to.mean(x, axis=tuple(range(1, x.rank - 1)))

    def space(self, rank: int) -> tuple[int, ...]:
        """The axes between batch and features, or behind both."""
        return tuple(range(2, rank)) if self.channels_first else tuple(range(1, rank - 1))

    def flops(self, inputs: tuple[TensorType, ...], outputs: tuple[TensorType, ...]) -> Dim:
        return product(inputs[0].shape)

    def reordered(self, forms: Forms, inputs: Types, outputs: Types) -> Reordered | None:
        order = order_of(forms[0])
        if order is None or order[:2] != (0, inputs[0].rank - 1):
            return None
        return Reordered(replace(self, channels_first=True), forms, (plain_form(2),))

    @classmethod
    def examples(cls) -> Iterator[Example]:
        yield Example(cls(), (TensorType("f32", (N, 5, 3, 4)),))
        yield Example(cls(), (TensorType("f32", (N, 5, 4)),))
        yield Example(cls(), (TensorType("f32", (N, 5, 3, 2, 4)),))


MAX_POOLS: tuple[type[MaxPool], ...] = (MaxPool1D, MaxPool2D, MaxPool3D)
AVG_POOLS: tuple[type[AvgPool], ...] = (AvgPool1D, AvgPool2D, AvgPool3D)
