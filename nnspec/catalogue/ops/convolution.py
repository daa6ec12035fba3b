"""Convolutions over sequences, images and volumes, and their transposes."""

from __future__ import annotations

from collections.abc import Iterator
from math import prod

from nnspec.catalogue.initializers import GlorotUniform, Initializer, Zeros, initializer
from nnspec.catalogue.ops.base import Example, ShapeError, WeightSpec, declare
from nnspec.catalogue.ops.helpers import need_number
from nnspec.catalogue.ops.image import Spatial, Window, Windowed, per_axis
from nnspec.catalogue.ops.site import Site, Term
from nnspec.catalogue.ops.windows import Pads, cut, extent
from nnspec.core.declare import declaration
from nnspec.core.dims import Dim, product, symbol
from nnspec.core.fields import arg
from nnspec.core.kinds import Kind, boolean, padding, sizes, whole
from nnspec.core.types import TensorType

N = symbol("N")


def _around(rank: int) -> Kind:
    """Along a sequence, padding may stand before it only."""
    return padding(rank, "valid", "same", *(("causal",) if rank == 1 else ()))


@declaration
class Conv(Windowed):
    """Slide `filters` kernels over the axes between batch and features."""

    takes_activation = True
    filters: int = arg("output channels", whole(1))
    kernel: tuple[int, ...] = per_axis("size of a kernel along each axis", sizes)
    stride: tuple[int, ...] = per_axis("step between places", sizes, default=1)
    padding: str | Pads = per_axis("what surrounds the input", _around, default="valid")
    dilation: tuple[int, ...] = per_axis("step between a kernel's cells", sizes, default=1)
    groups: int = arg("number of separate groups of channels", whole(1), default=1)
    use_bias: bool = arg("whether a bias is added", boolean, default=True)
    kernel_initializer: Initializer = arg(
        "how the kernels begin", initializer, default=GlorotUniform()
    )
    bias_initializer: Initializer = arg("how the bias begins", initializer, default=Zeros())

    @property
    def window(self) -> Window:
        return Window(self.kernel, self.stride, self.dilation, self.padding)

    def infer(self, *inputs: TensorType) -> tuple[TensorType, ...]:
        (x,) = inputs
        space = self.space(x)
        n, *_, c = self.logical(x)
        if (isinstance(c, int) and c % self.groups) or self.filters % self.groups:
            raise ShapeError(
                f"cannot split {c} channels and {self.filters} filters into {self.groups} groups", 0
            )
        return (self.physical(x, (n, *self.places(space), self.filters)),)

    def expand(self, to: Site, x: Term, weight: Term, bias: Term | None = None) -> Term:
        y = to.convolution(
            x,
            weight,
            steps=self.stride,
            pads=self.known_pads(x.type),
            spread=self.dilation,
            groups=self.groups,
        )
        return y if bias is None else y + bias

    def weights(self, *inputs: TensorType) -> tuple[WeightSpec, ...]:
        channels = need_number(self.logical(inputs[0])[-1], "the channel axis")
        shape = (self.filters, channels // self.groups, *self.kernel)
        area = prod(self.kernel)
        fans = (channels // self.groups * area, self.filters * area)
        kernel = WeightSpec("weight", shape, self.kernel_initializer, fans=fans)
        bias = WeightSpec("bias", (self.filters,), self.bias_initializer)
        return (kernel, bias) if self.use_bias else (kernel,)

    def flops(self, inputs: tuple[TensorType, ...], outputs: tuple[TensorType, ...]) -> Dim:
        channels = self.logical(inputs[0])[-1] // self.groups
        places = product(outputs[0].shape)
        return places * channels * (2 * prod(self.kernel)) + places * self.use_bias

    @classmethod
    def examples(cls) -> Iterator[Example]:
        rank = cls.rank
        x = TensorType("f32", (N, *(9, 7, 5)[:rank], 4))
        even = TensorType("f32", (2, *(6, 8, 4)[:rank], 3))
        two, three = (2, 2, 2)[:rank], (3, 3, 3)[:rank]
        yield Example(cls(6, three), (x,))
        yield Example(cls(6, (3, 2, 2)[:rank], stride=(2, 3, 1)[:rank]), (x,))
        yield Example(cls(5, three, padding="same"), (x,))
        yield Example(cls(5, three, stride=two, padding="same"), (even,))
        yield Example(cls(5, (4, 2, 3)[:rank], stride=(2, 1, 2)[:rank], padding="same"), (x,))
        yield Example(cls(5, three, padding=((1, 2), (0, 1), (1, 0))[:rank]), (x,))
        yield Example(cls(5, three, padding=((1, 1),) * rank, use_bias=False), (x,))
        yield Example(cls(6, three, dilation=two), (x,))
        yield Example(cls(6, three, dilation=two, padding="same"), (x,))
        yield Example(cls(6, three, groups=2), (x,))
        yield Example(cls(8, three, groups=4, padding="same"), (x,))
        if rank == 1:
            yield Example(cls(5, three, padding="causal"), (x,))
            yield Example(cls(5, three, stride=two, dilation=three, padding="causal"), (x,))


@declare
class Conv1D(Conv):
    """Slide `filters` kernels along a sequence.

    `[N, T, C]` becomes `[N, T', filters]`; with `groups`, each group of channels has kernels of its own.
    With `padding = "causal"` a place sees itself and what came before it. Cross-correlation.
    """

    name = "Conv1D"
    rank = 1


@declare
class Conv2D(Conv):
    """Slide `filters` kernels over an image.

    `[N, H, W, C]` becomes `[N, H', W', filters]`; with `groups`, each group of channels has kernels
    of its own. Cross-correlation, as everywhere in deep learning (LeCun et al. 1989).
    """

    name = "Conv2D"
    rank = 2


@declare
class Conv3D(Conv):
    """Slide `filters` kernels through a volume.

    `[N, D, H, W, C]` becomes `[N, D', H', W', filters]`; with `groups`, each group of channels has
    kernels of its own. Cross-correlation.
    """

    name = "Conv3D"
    rank = 3


@declaration
class ConvTranspose(Spatial):
    """The transpose of a convolution: each cell of the input adds a scaled kernel to the output."""

    takes_activation = True
    filters: int = arg("output channels", whole(1))
    kernel: tuple[int, ...] = per_axis("size of a kernel along each axis", sizes)
    stride: tuple[int, ...] = per_axis("step between the places of kernels", sizes, default=1)
    padding: str | Pads = per_axis(
        "what is cut off the border", lambda rank: padding(rank, "valid", "same"), default="valid"
    )
    dilation: tuple[int, ...] = per_axis("step between a kernel's cells", sizes, default=1)
    use_bias: bool = arg("whether a bias is added", boolean, default=True)
    kernel_initializer: Initializer = arg(
        "how the kernels begin", initializer, default=GlorotUniform()
    )
    bias_initializer: Initializer = arg("how the bias begins", initializer, default=Zeros())
    groups: int = arg("number of separate groups of channels", whole(1), default=1)
    output_padding: tuple[int, ...] = per_axis(
        "cells that the result has at its end besides", lambda rank: sizes(rank, 0), default=0
    )

    @property
    def cuts(self) -> Pads:
        """Cells of the whole result that are left out before and after each axis; below zero, cells that are missing."""
        axes = range(self.rank)
        pads = [self.padding if isinstance(self.padding, str) else self.padding[i] for i in axes]
        along = zip(self.kernel, self.stride, self.dilation, pads, self.output_padding, strict=True)
        return tuple(cut(*axis) for axis in along)

    def infer(self, *inputs: TensorType) -> tuple[TensorType, ...]:
        (x,) = inputs
        space = self.space(x)
        n, *_, c = self.logical(x)
        if (isinstance(c, int) and c % self.groups) or self.filters % self.groups:
            raise ShapeError(
                f"cannot split {c} channels and {self.filters} filters into {self.groups} groups", 0
            )
        for more, step, spread in zip(self.output_padding, self.stride, self.dilation, strict=True):
            if more and more >= max(step, spread):
                raise ShapeError(
                    f"has {more} cells more at the end: fewer than the stride or the dilation there may be"
                )
        along = zip(space, self.kernel, self.stride, self.dilation, self.cuts, strict=True)
        out = [(i - 1) * s + extent(k, d) - before - after for i, k, s, d, (before, after) in along]
        for size, cells in zip(out, space, strict=True):
            if isinstance(size, int) and size < 1:
                raise ShapeError(f"leaves nothing of {cells} cells", 0, help="pad by less")
        return (self.physical(x, (n, *out, self.filters)),)

    def expand(self, to: Site, x: Term, weight: Term, bias: Term | None = None) -> Term:
        y = to.convolution_transpose(
            x, weight, steps=self.stride, spread=self.dilation, groups=self.groups
        )
        y = self.trimmed(to, y)
        return y if bias is None else y + bias

    def trimmed(self, to: Site, full: Term) -> Term:
        """Of the whole result what is wanted: what no kernel reaches is zero."""
        missing = tuple((0, max(-after, 0)) for _, after in self.cuts)
        if any(after for _, after in missing):
            full = to.pad(full, ((0, 0), *missing, (0, 0)))
        if not any(before or after > 0 for before, after in self.cuts):
            return full
        return to.slice(
            full,
            starts=(None, *(before or None for before, _ in self.cuts), None),
            ends=(None, *(-after if after > 0 else None for _, after in self.cuts), None),
            steps=(1,) * full.rank,
        )

    def weights(self, *inputs: TensorType) -> tuple[WeightSpec, ...]:
        channels = need_number(self.logical(inputs[0])[-1], "the channel axis")
        area = prod(self.kernel)
        filters = self.filters // self.groups
        fans = (channels * area, filters * area)
        shape = (channels, filters, *self.kernel)
        kernel = WeightSpec("weight", shape, self.kernel_initializer, fans=fans)
        bias = WeightSpec("bias", (self.filters,), self.bias_initializer)
        return (kernel, bias) if self.use_bias else (kernel,)

    def flops(self, inputs: tuple[TensorType, ...], outputs: tuple[TensorType, ...]) -> Dim:
        kernel = 2 * prod(self.kernel) * (self.filters // self.groups)
        return product(inputs[0].shape) * kernel + product(outputs[0].shape) * self.use_bias

    @classmethod
    def examples(cls) -> Iterator[Example]:
        rank = cls.rank
        x = TensorType("f32", (N, *(5, 4, 3)[:rank], 3))
        two, three, four = (2, 2, 2)[:rank], (3, 3, 3)[:rank], (4, 4, 4)[:rank]
        yield Example(cls(6, three), (x,))
        yield Example(cls(6, three, stride=two), (x,))
        yield Example(cls(6, three, stride=two, padding="same"), (x,))
        yield Example(cls(6, four, stride=two, padding="same", use_bias=False), (x,))
        yield Example(cls(6, (3, 2, 2)[:rank], stride=(1, 2, 1)[:rank], padding="same"), (x,))
        yield Example(cls(2, two, stride=three), (x,))
        yield Example(cls(2, two, stride=three, padding="same"), (x,))
        yield Example(cls(2, three, dilation=two), (x,))
        four_channels = TensorType("f32", (N, *(5, 4, 3)[:rank], 4))
        yield Example(cls(6, three, stride=two, groups=2), (four_channels,))
        one = ((1, 1),) * rank
        yield Example(cls(3, four, stride=two, padding=one), (x,))
        yield Example(cls(3, three, stride=two, padding=one, output_padding=(1,) * rank), (x,))
        uneven = ((1, 0), (0, 2), (1, 2))[:rank]
        yield Example(cls(3, three, stride=two, padding=uneven), (x,))
        yield Example(
            cls(3, two, stride=two, padding="same", output_padding=(1, 0, 1)[:rank]), (x,)
        )


@declare
class ConvTranspose1D(ConvTranspose):
    """The transpose of a convolution along a sequence `[N, T, C]`; sizes as for `ConvTranspose2D`."""

    name = "ConvTranspose1D"
    rank = 1


@declare
class ConvTranspose2D(ConvTranspose):
    """The transpose of a convolution: each cell of the input adds a scaled kernel to the output.

    `[N, H, W, C]` becomes `[N, H', W', filters]` with `H' = H * stride` for `"same"` (what the kernel
    reaches beyond is cut off, the odd cell at the end) and
    `H' = (H - 1) * stride + dilation * (kernel - 1) + 1` for `"valid"` (Zeiler et al. 2010). A number, or a pair for each
    axis, is what is cut off before and after, as PyTorch's `padding`; `output_padding` is added at the end.
    """

    name = "ConvTranspose2D"
    rank = 2


@declare
class ConvTranspose3D(ConvTranspose):
    """The transpose of a convolution of a volume `[N, D, H, W, C]`; sizes as for `ConvTranspose2D`."""

    name = "ConvTranspose3D"
    rank = 3


CONVOLUTIONS: tuple[type[Conv], ...] = (Conv1D, Conv2D, Conv3D)
TRANSPOSED: tuple[type[ConvTranspose], ...] = (ConvTranspose1D, ConvTranspose2D, ConvTranspose3D)
