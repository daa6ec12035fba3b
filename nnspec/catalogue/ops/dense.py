"""Layers that multiply by a matrix, and look-up."""

from __future__ import annotations

from collections.abc import Iterator

from nnspec.catalogue.initializers import GlorotUniform, Initializer, Normal, Zeros, initializer
from nnspec.catalogue.ops.base import (
    Example,
    Op,
    Operand,
    Reordered,
    ShapeError,
    WeightSpec,
    declare,
)
from nnspec.catalogue.ops.forms import Forms, Types
from nnspec.catalogue.ops.helpers import need_float, need_integer, need_number, same_dtype
from nnspec.catalogue.ops.site import Site, Term
from nnspec.core.dims import Dim, product, symbol
from nnspec.core.dtypes import FLOATS
from nnspec.core.fields import arg
from nnspec.core.kinds import boolean, choice, whole
from nnspec.core.orders import plain_form
from nnspec.core.types import TensorType

N, T = symbol("N"), symbol("T")


@declare
class Dense(Op):
    """Multiply the last axis by a matrix and add a bias: `y = x W^T + b`.

    `[..., C]` becomes `[..., units]`.
    """

    name = "Dense"
    takes_activation = True
    operands = (Operand("x", "features on the last axis"),)
    units: int = arg("size of the last axis of the result", whole(1))
    use_bias: bool = arg("whether a bias is added", boolean, default=True)
    kernel_initializer: Initializer = arg(
        "how the matrix begins", initializer, default=GlorotUniform()
    )
    bias_initializer: Initializer = arg("how the bias begins", initializer, default=Zeros())

    def infer(self, *inputs: TensorType) -> tuple[TensorType, ...]:
        (x,) = inputs
        if x.rank < 2:
            raise ShapeError(f"expects at least [N, C], found {x}", 0)
        need_float(x)
        return (x.with_shape((*x.shape[:-1], self.units)),)

    def expand(self, to: Site, x: Term, weight: Term, bias: Term | None = None) -> Term:
        y = x @ to.transpose(weight)
        return y if bias is None else y + bias

    def weights(self, *inputs: TensorType) -> tuple[WeightSpec, ...]:
        width = need_number(inputs[0].shape[-1], "the last axis")
        kernel = WeightSpec(
            "weight", (self.units, width), self.kernel_initializer, fans=(width, self.units)
        )
        bias = WeightSpec("bias", (self.units,), self.bias_initializer)
        return (kernel, bias) if self.use_bias else (kernel,)

    def flops(self, inputs: tuple[TensorType, ...], outputs: tuple[TensorType, ...]) -> Dim:
        places = product(outputs[0].shape)
        return places * inputs[0].shape[-1] * 2 + (places if self.use_bias else 0)

    def reordered(self, forms: Forms, inputs: Types, outputs: Types) -> Reordered | None:
        if not forms[0].grid:
            return None
        return Reordered(self, forms, (plain_form(inputs[0].rank),), {"weight": 1})

    @classmethod
    def examples(cls) -> Iterator[Example]:
        yield Example(cls(5), (TensorType("f32", (N, 7)),))
        yield Example(cls(5, use_bias=False), (TensorType("f32", (3, 7)),))
        yield Example(cls(4), (TensorType("f32", (N, 5, 3)),))
        yield Example(cls(4), (TensorType("f32", (2, 3, 5, 6)),))


@declare
class Bilinear(Op):
    """Each feature of the result a product of both operands with a matrix of its own: `y_k = a^T W_k b + bias_k`.

    `[..., A]` and `[..., B]` become `[..., units]`; the other axes are alike. `weight` is `[units, A, B]`
    (Tenenbaum and Freeman 2000).
    """

    name = "Bilinear"
    takes_activation = True
    operands = (Operand("a", "features on the last axis"), Operand("b", "the same places"))
    units: int = arg("size of the last axis of the result", whole(1))
    use_bias: bool = arg("whether a bias is added", boolean, default=True)
    kernel_initializer: Initializer = arg(
        "how the matrices begin", initializer, default=GlorotUniform()
    )
    bias_initializer: Initializer = arg("how the bias begins", initializer, default=Zeros())

    def infer(self, *inputs: TensorType) -> tuple[TensorType, ...]:
        a, b = inputs
        need_float(*inputs)
        same_dtype(*inputs)
        if a.rank < 2 or a.shape[:-1] != b.shape[:-1]:
            raise ShapeError(f"expects features of the same places, found {a} and {b}", 0, 1)
        return (a.with_shape((*a.shape[:-1], self.units)),)

    def expand(self, to: Site, a: Term, b: Term, weight: Term, bias: Term | None = None) -> Term:
        width, others = a.shape[-1], b.shape[-1]
        rows = b @ to.transpose(to.reshape(weight, (self.units * width, others)))
        apart = to.reshape(rows, (*a.shape[:-1], self.units, width))
        y = to.sum(apart * to.expand_dims(a, -2), axis=(-1,))
        return y if bias is None else y + bias

    def weights(self, *inputs: TensorType) -> tuple[WeightSpec, ...]:
        a, b = (need_number(x.shape[-1], "the last axis", i) for i, x in enumerate(inputs))
        shape, fans = (self.units, a, b), (a * b, self.units * b)
        kernel = WeightSpec("weight", shape, self.kernel_initializer, fans=fans)
        bias = WeightSpec("bias", (self.units,), self.bias_initializer)
        return (kernel, bias) if self.use_bias else (kernel,)

    @classmethod
    def examples(cls) -> Iterator[Example]:
        row, word = TensorType("f32", (N, 4)), TensorType("f32", (N, T, 5))
        yield Example(cls(3), (row, TensorType("f32", (N, 6))))
        yield Example(cls(2, use_bias=False), (row, row))
        yield Example(cls(3), (word, TensorType("f32", (N, T, 2))))


@declare
class Embedding(Op):
    """Look up a row of a table for each index: `[...]` of integers becomes `[..., width]`.

    An index outside the table is an error in some frameworks and is clipped in others: keep it inside.
    """

    name = "Embedding"
    operands = (Operand("x", "indices from 0 to tokens - 1"),)
    tokens: int = arg("number of rows", whole(1))
    width: int = arg("size of a row", whole(1))
    initializer: Initializer = arg("how the table begins", initializer, default=Normal(0.02))
    dtype: str = arg("element type of the table", choice(*FLOATS), default="f32")

    def infer(self, *inputs: TensorType) -> tuple[TensorType, ...]:
        (x,) = inputs
        need_integer(x, "integer indices", 0)
        return (TensorType(self.dtype, (*x.shape, self.width)),)

    def expand(self, to: Site, x: Term, weight: Term) -> Term:
        return to.gather(weight, x)

    def weights(self, *inputs: TensorType) -> tuple[WeightSpec, ...]:
        fans = (self.tokens, self.width)
        table = (self.tokens, self.width)
        return (WeightSpec("weight", table, self.initializer, fans=fans, dtype=self.dtype),)

    def index_bounds(self, *inputs: TensorType) -> dict[int, Dim]:
        return {0: self.tokens}

    @classmethod
    def examples(cls) -> Iterator[Example]:
        yield Example(cls(11, 6), (TensorType("i64", (N, 5)),))
        yield Example(cls(11, 3), (TensorType("i32", (4,)),))
        yield Example(cls(11, 3), (TensorType("i64", ()),))
