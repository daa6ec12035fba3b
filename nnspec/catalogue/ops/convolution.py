"""Convolutions over images `[N, H, W, C]`, and their transposes."""

from __future__ import annotations

from collections.abc import Iterator

from nnspec.catalogue.initializers import GlorotUniform, Initializer, Zeros, initializer
from nnspec.catalogue.ops.base import Example, Layout, Op, ShapeError, WeightSpec, declare
from nnspec.catalogue.ops.helpers import need_float, need_number, need_rank
from nnspec.catalogue.ops.image import image, place
from nnspec.catalogue.ops.windows import Pads, pad_of, transposed, window
from nnspec.core.dims import Dim, product, symbol
from nnspec.core.fields import arg, internal
from nnspec.core.kinds import boolean, choice, padding, sizes, whole
from nnspec.core.types import TensorType

N = symbol("N")
Padding = str | Pads


@declare
class Conv2D(Op):
    """Slide `filters` kernels over an image.

    `[N, H, W, C]` becomes `[N, H', W', filters]`; with `groups`, each group of channels has kernels
    of its own. Cross-correlation, as everywhere in deep learning (LeCun et al. 1989).
    """

    name = "Conv2D"
    layout = Layout.IMAGE
    takes_activation = True
    filters: int = arg("output channels", whole(1))
    kernel: tuple[int, int] = arg("height and width of a kernel", sizes(2))
    stride: tuple[int, int] = arg("step between places", sizes(2), default=(1, 1))
    padding: Padding = arg("what surrounds the image", padding(2, "valid", "same"), default="valid")
    dilation: tuple[int, int] = arg("step between a kernel's cells", sizes(2), default=(1, 1))
    groups: int = arg("number of separate groups of channels", whole(1), default=1)
    use_bias: bool = arg("whether a bias is added", boolean, default=True)
    kernel_initializer: Initializer = arg(
        "how the kernels begin", initializer, default=GlorotUniform()
    )
    bias_initializer: Initializer = arg("how the bias begins", initializer, default=Zeros())
    channels_first: bool = internal(default=False)

    def infer(self, *inputs: TensorType) -> tuple[TensorType, ...]:
        (x,) = inputs
        need_rank(x, 4, what="an image [N, H, W, C]")
        need_float(x)
        n, h, w, c = image(x, self.channels_first)
        if (isinstance(c, int) and c % self.groups) or self.filters % self.groups:
            raise ShapeError(
                f"cannot split {c} channels and {self.filters} filters into {self.groups} groups", 0
            )
        out = [
            window(size, self.kernel[i], self.stride[i], self.dilation[i], pad_of(self.padding, i))
            for i, size in enumerate((h, w))
        ]
        return (place(x, (n, *out, self.filters), self.channels_first),)

    def weights(self, *inputs: TensorType) -> tuple[WeightSpec, ...]:
        channels = need_number(image(inputs[0], self.channels_first)[3], "the channel axis")
        shape = (self.filters, channels // self.groups, *self.kernel)
        area = self.kernel[0] * self.kernel[1]
        fans = (channels // self.groups * area, self.filters * area)
        kernel = WeightSpec("weight", shape, self.kernel_initializer, fans=fans)
        bias = WeightSpec("bias", (self.filters,), self.bias_initializer)
        return (kernel, bias) if self.use_bias else (kernel,)

    def flops(self, inputs: tuple[TensorType, ...], outputs: tuple[TensorType, ...]) -> Dim:
        channels = image(inputs[0], self.channels_first)[3] // self.groups
        places = product(outputs[0].shape)
        return places * channels * (2 * self.kernel[0] * self.kernel[1]) + places * self.use_bias

    @classmethod
    def examples(cls) -> Iterator[Example]:
        x = TensorType("f32", (N, 9, 7, 4))
        yield Example(cls(6, (3, 3)), (x,))
        yield Example(cls(6, (3, 2), stride=(2, 3)), (x,))
        yield Example(cls(5, (3, 3), padding="same"), (x,))
        yield Example(
            cls(5, (3, 3), stride=(2, 2), padding="same"), (TensorType("f32", (2, 6, 8, 3)),)
        )
        yield Example(cls(5, (4, 2), stride=(2, 1), padding="same"), (x,))
        yield Example(cls(5, (3, 3), padding=((1, 2), (0, 1))), (x,))
        yield Example(cls(5, (3, 3), padding=((1, 1), (1, 1)), use_bias=False), (x,))
        yield Example(cls(6, (3, 3), dilation=(2, 2)), (x,))
        yield Example(cls(6, (3, 3), dilation=(2, 2), padding="same"), (x,))
        yield Example(cls(6, (3, 3), groups=2), (x,))
        yield Example(cls(8, (3, 3), groups=4, padding="same"), (x,))


@declare
class ConvTranspose2D(Op):
    """The transpose of a convolution: each cell of the input adds a scaled kernel to the output.

    `[N, H, W, C]` becomes `[N, H', W', filters]` with `H' = H * stride` for `"same"` (what the kernel
    reaches beyond is cut off, the odd cell at the end) and
    `H' = (H - 1) * stride + dilation * (kernel - 1) + 1` for `"valid"` (Zeiler et al. 2010).
    """

    name = "ConvTranspose2D"
    layout = Layout.IMAGE
    takes_activation = True
    filters: int = arg("output channels", whole(1))
    kernel: tuple[int, int] = arg("height and width of a kernel", sizes(2))
    stride: tuple[int, int] = arg("step between the places of kernels", sizes(2), default=(1, 1))
    padding: str = arg("how the border is treated", choice("valid", "same"), default="valid")
    dilation: tuple[int, int] = arg("step between a kernel's cells", sizes(2), default=(1, 1))
    use_bias: bool = arg("whether a bias is added", boolean, default=True)
    kernel_initializer: Initializer = arg(
        "how the kernels begin", initializer, default=GlorotUniform()
    )
    bias_initializer: Initializer = arg("how the bias begins", initializer, default=Zeros())
    channels_first: bool = internal(default=False)

    def infer(self, *inputs: TensorType) -> tuple[TensorType, ...]:
        (x,) = inputs
        need_rank(x, 4, what="an image [N, H, W, C]")
        need_float(x)
        n, h, w, _ = image(x, self.channels_first)
        out = [
            transposed(size, k, s, d, self.padding)
            for size, k, s, d in zip((h, w), self.kernel, self.stride, self.dilation, strict=True)
        ]
        return (place(x, (n, *out, self.filters), self.channels_first),)

    def weights(self, *inputs: TensorType) -> tuple[WeightSpec, ...]:
        channels = need_number(image(inputs[0], self.channels_first)[3], "the channel axis")
        area = self.kernel[0] * self.kernel[1]
        fans = (channels * area, self.filters * area)
        shape = (channels, self.filters, *self.kernel)
        kernel = WeightSpec("weight", shape, self.kernel_initializer, fans=fans)
        bias = WeightSpec("bias", (self.filters,), self.bias_initializer)
        return (kernel, bias) if self.use_bias else (kernel,)

    def flops(self, inputs: tuple[TensorType, ...], outputs: tuple[TensorType, ...]) -> Dim:
        kernel = 2 * self.kernel[0] * self.kernel[1] * self.filters
        return product(inputs[0].shape) * kernel + product(outputs[0].shape) * self.use_bias

    @classmethod
    def examples(cls) -> Iterator[Example]:
        x = TensorType("f32", (N, 5, 4, 3))
        yield Example(cls(6, (3, 3)), (x,))
        yield Example(cls(6, (3, 3), stride=(2, 2)), (x,))
        yield Example(cls(6, (3, 3), stride=(2, 2), padding="same"), (x,))
        yield Example(cls(6, (4, 4), stride=(2, 2), padding="same", use_bias=False), (x,))
        yield Example(cls(6, (3, 2), stride=(1, 2), padding="same"), (x,))
        yield Example(cls(2, (2, 2), stride=(3, 3)), (x,))
        yield Example(cls(2, (2, 2), stride=(3, 3), padding="same"), (x,))
        yield Example(cls(2, (3, 3), dilation=(2, 2)), (x,))
