"""Pooling over images `[N, H, W, C]`."""

from __future__ import annotations

from collections.abc import Iterator

from nnspec.catalogue.ops.base import Example, Layout, Op, ShapeError, declare
from nnspec.catalogue.ops.helpers import need_float, need_rank
from nnspec.catalogue.ops.image import image, place
from nnspec.catalogue.ops.windows import Pads, pad_of, window
from nnspec.core.dims import Dim, product, symbol
from nnspec.core.fields import arg, internal
from nnspec.core.kinds import optional, padding, sizes
from nnspec.core.types import TensorType

N = symbol("N")


class Pool2D(Op):
    """What the two poolings share: a window, a step (by default the window), padding."""

    layout = Layout.IMAGE
    size: tuple[int, int]
    stride: tuple[int, int] | None
    padding: str | Pads
    channels_first: bool

    @property
    def step(self) -> tuple[int, int]:
        return self.stride or self.size

    def infer(self, *inputs: TensorType) -> tuple[TensorType, ...]:
        (x,) = inputs
        need_rank(x, 4, what="an image [N, H, W, C]")
        need_float(x)
        n, h, w, c = image(x, self.channels_first)
        if not isinstance(self.padding, str):
            for pads, cells in zip(self.padding, self.size, strict=True):
                if max(pads) >= cells:
                    raise ShapeError(
                        f"has windows of {cells} cells that padding of {max(pads)} could fill alone",
                        help=f"pad by less than {cells}",
                    )
        out = [
            window(cells, self.size[i], self.step[i], 1, pad_of(self.padding, i))
            for i, cells in enumerate((h, w))
        ]
        return (place(x, (n, *out, c), self.channels_first),)

    def flops(self, inputs: tuple[TensorType, ...], outputs: tuple[TensorType, ...]) -> Dim:
        return product(outputs[0].shape) * (self.size[0] * self.size[1])

    @classmethod
    def examples(cls) -> Iterator[Example]:
        x = TensorType("f32", (N, 9, 7, 4))
        make = cls
        yield Example(make(size=(2, 2)), (x,))  # type: ignore[call-arg]
        yield Example(make(size=(3, 2), stride=(2, 3)), (x,))  # type: ignore[call-arg]
        yield Example(make(size=(3, 3), stride=(1, 1), padding="same"), (x,))  # type: ignore[call-arg]
        yield Example(make(size=(2, 2), padding="same"), (x,))  # type: ignore[call-arg]
        yield Example(make(size=(3, 3), stride=(2, 2), padding=((1, 1), (1, 1))), (x,))  # type: ignore[call-arg]
        yield Example(make(size=(3, 3), stride=(2, 2), padding=((0, 1), (1, 0))), (x,))  # type: ignore[call-arg]


@declare
class MaxPool2D(Pool2D):
    """The greatest value of each window; padding never wins (it counts as -inf)."""

    name = "MaxPool2D"
    size: tuple[int, int] = arg("height and width of a window", sizes(2))
    stride: tuple[int, int] | None = arg("step; none is the size", optional(sizes(2)), default=None)
    padding: str | Pads = arg(
        "what surrounds the image", padding(2, "valid", "same"), default="valid"
    )
    channels_first: bool = internal(default=False)


@declare
class AvgPool2D(Pool2D):
    """The mean of each window; padding is left out of sum and divisor."""

    name = "AvgPool2D"
    size: tuple[int, int] = arg("height and width of a window", sizes(2))
    stride: tuple[int, int] | None = arg("step; none is the size", optional(sizes(2)), default=None)
    padding: str | Pads = arg(
        "what surrounds the image", padding(2, "valid", "same"), default="valid"
    )
    channels_first: bool = internal(default=False)


@declare
class GlobalAvgPool(Op):
    """The mean of each channel over the whole image: `[N, H, W, C]` becomes `[N, C]`."""

    name = "global_avg_pool"
    layout = Layout.IMAGE
    channels_first: bool = internal(default=False)

    def infer(self, *inputs: TensorType) -> tuple[TensorType, ...]:
        (x,) = inputs
        need_rank(x, 4, what="an image [N, H, W, C]")
        need_float(x)
        n, _, _, c = image(x, self.channels_first)
        return (x.with_shape((n, c)),)

    def flops(self, inputs: tuple[TensorType, ...], outputs: tuple[TensorType, ...]) -> Dim:
        return product(inputs[0].shape)

    @classmethod
    def examples(cls) -> Iterator[Example]:
        yield Example(cls(), (TensorType("f32", (N, 5, 3, 4)),))
