"""Convolutions of each channel by itself."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from nnspec.catalogue.initializers import GlorotUniform, Initializer, Zeros, initializer
from nnspec.catalogue.ops.base import Example, WeightSpec, declare
from nnspec.catalogue.ops.convolution import Conv2D
from nnspec.catalogue.ops.helpers import need_number
from nnspec.catalogue.ops.image import Window, Windowed
from nnspec.catalogue.ops.site import Site, Term
from nnspec.catalogue.ops.windows import Pads
from nnspec.core.dims import Dim, symbol
from nnspec.core.fields import arg
from nnspec.core.kinds import boolean, padding, sizes, whole
from nnspec.core.types import TensorType

N, T = symbol("N"), symbol("T")


@declare
class DepthwiseConv2D(Windowed):
    """Slide kernels over each channel of an image by itself, as a `Conv2D` with a group for each channel.

    `[N, H, W, C]` becomes `[N, H', W', C * depth_multiplier]`: what channel `c` gives stands at
    `c * depth_multiplier` and behind it (Howard et al. 2017).
    """

    name = "DepthwiseConv2D"
    rank = 2
    takes_activation = True
    kernel: tuple[int, ...] = arg("size of a kernel along each axis", sizes(2))
    stride: tuple[int, ...] = arg("step between places", sizes(2), default=(1, 1))
    padding: str | Pads = arg(
        "what surrounds the input", padding(2, "valid", "same"), default="valid"
    )
    dilation: tuple[int, ...] = arg("step between a kernel's cells", sizes(2), default=(1, 1))
    depth_multiplier: int = arg("kernels of each channel", whole(1), default=1)
    use_bias: bool = arg("whether a bias is added", boolean, default=True)
    kernel_initializer: Initializer = arg(
        "how the kernels begin", initializer, default=GlorotUniform()
    )
    bias_initializer: Initializer = arg("how the bias begins", initializer, default=Zeros())

    @property
    def window(self) -> Window:
        return Window(self.kernel, self.stride, self.dilation, self.padding)

    def grouped(self, x: TensorType) -> Conv2D:
        """The same as a convolution, with the same weights."""
        channels = need_number(self.logical(x)[-1], "the channel axis")
        return Conv2D(
            channels * self.depth_multiplier,
            self.kernel,
            self.stride,
            self.padding,
            self.dilation,
            channels,
            self.use_bias,
            self.kernel_initializer,
            self.bias_initializer,
            channels_first=self.channels_first,
        )

    def infer(self, *inputs: TensorType) -> tuple[TensorType, ...]:
        self.space(inputs[0])
        return self.grouped(inputs[0]).infer(*inputs)

    def expand(self, to: Site, x: Term, weight: Term, bias: Term | None = None) -> Term:
        return self.grouped(x.type).expand(to, x, weight, bias)

    def weights(self, *inputs: TensorType) -> tuple[WeightSpec, ...]:
        return self.grouped(inputs[0]).weights(*inputs)

    def flops(self, inputs: tuple[TensorType, ...], outputs: tuple[TensorType, ...]) -> Dim:
        return self.grouped(inputs[0]).flops(inputs, outputs)

    @classmethod
    def examples(cls) -> Iterator[Example]:
        image, even = TensorType("f32", (N, 9, 7, 4)), TensorType("f32", (2, 6, 8, 3))
        yield Example(cls((3, 3)), (image,))
        yield Example(cls((3, 3), (2, 2), "same"), (even,))
        yield Example(cls((3, 2), (2, 1), depth_multiplier=2, use_bias=False), (image,))
        yield Example(cls((3, 3), padding="same", dilation=(2, 2)), (image,))
        yield Example(cls((3, 3), (2, 2), ((1, 1), (1, 1)), depth_multiplier=3), (image,))
        yield Example(cls((3, 3), padding="same"), (TensorType("f32", (N, T, 7, 4)),))


@declare
class SeparableConv2D(Windowed):
    """Slide kernels over each channel of an image by itself, then mix the channels of each place (Chollet 2017).

    `[N, H, W, C]` becomes `[N, H', W', filters]`: a `DepthwiseConv2D` without a bias, then a `Conv2D` with
    kernels of one cell. Its weights are `depthwise`, `pointwise` and `bias`.
    """

    name = "SeparableConv2D"
    rank = 2
    takes_activation = True
    filters: int = arg("output channels", whole(1))
    kernel: tuple[int, ...] = arg("size of a kernel along each axis", sizes(2))
    stride: tuple[int, ...] = arg("step between places", sizes(2), default=(1, 1))
    padding: str | Pads = arg(
        "what surrounds the input", padding(2, "valid", "same"), default="valid"
    )
    dilation: tuple[int, ...] = arg("step between a kernel's cells", sizes(2), default=(1, 1))
    depth_multiplier: int = arg("kernels of each channel", whole(1), default=1)
    use_bias: bool = arg("whether a bias is added", boolean, default=True)
    kernel_initializer: Initializer = arg(
        "how the kernels begin", initializer, default=GlorotUniform()
    )
    bias_initializer: Initializer = arg("how the bias begins", initializer, default=Zeros())

    @property
    def window(self) -> Window:
        return Window(self.kernel, self.stride, self.dilation, self.padding)

    def apart(self) -> DepthwiseConv2D:
        """What it does to each channel."""
        return DepthwiseConv2D(
            self.kernel,
            self.stride,
            self.padding,
            self.dilation,
            self.depth_multiplier,
            False,
            self.kernel_initializer,
            channels_first=self.channels_first,
        )

    def mixed(self) -> Conv2D:
        """What it does to each place."""
        made = Conv2D(self.filters, (1, 1), use_bias=self.use_bias)
        return replace(
            made,
            kernel_initializer=self.kernel_initializer,
            bias_initializer=self.bias_initializer,
            channels_first=self.channels_first,
        )

    def infer(self, *inputs: TensorType) -> tuple[TensorType, ...]:
        return self.mixed().infer(*self.apart().infer(*inputs))

    def expand(
        self, to: Site, x: Term, depthwise: Term, pointwise: Term, bias: Term | None = None
    ) -> Term:
        return self.mixed().expand(to, self.apart().expand(to, x, depthwise), pointwise, bias)

    def weights(self, *inputs: TensorType) -> tuple[WeightSpec, ...]:
        (depthwise,) = self.apart().weights(*inputs)
        pointwise, *bias = self.mixed().weights(*self.apart().infer(*inputs))
        return (replace(depthwise, role="depthwise"), replace(pointwise, role="pointwise"), *bias)

    def flops(self, inputs: tuple[TensorType, ...], outputs: tuple[TensorType, ...]) -> Dim:
        between = self.apart().infer(*inputs)
        return self.apart().flops(inputs, between) + self.mixed().flops(between, outputs)

    @classmethod
    def examples(cls) -> Iterator[Example]:
        image, even = TensorType("f32", (N, 9, 7, 4)), TensorType("f32", (2, 6, 8, 3))
        yield Example(cls(5, (3, 3)), (image,))
        yield Example(cls(5, (3, 3), (2, 2), "same"), (even,))
        yield Example(cls(6, (3, 2), (2, 1), depth_multiplier=2, use_bias=False), (image,))
        yield Example(cls(5, (3, 3), padding="same", dilation=(2, 2)), (image,))
        yield Example(cls(5, (3, 3), (2, 2), ((1, 1), (1, 1))), (image,))
